#!/usr/bin/env bash
# Installs what is missing on Debian or Ubuntu. Does nothing, without touching the network, when all is there.
#
# Usage: packages.sh [build|kafka|s3|test]
#   build  what compiles Tidewatch: C compiler, OpenSSL headers, libclang, Rust
#   kafka  what runs Apache Kafka: a Java runtime, Maven, kcat
#   s3     what runs an S3 with Object Lock: Ceph's monitor, OSD and radosgw
#   test   kafka, s3, what docs/producers needs (Node, rsyslog), groff, Prometheus, Alertmanager and jsonnet
# Exit: 0 all there; 1 something is missing and could not be installed (the line to run is printed).
#
# No service of a package is started while it is installed. Prometheus and Alertmanager are taken out of their packages
# into the cache, because installing the packages would leave a Prometheus and an Alertmanager that start at boot.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"

missing=()
need() { # need PACKAGE PROBE...: the package is missing when the probe fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

have_libclang() { compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' || ldconfig -p | grep -F libclang; }
have_java() {
    local major
    major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p') && [ "${major:-0}" -ge 17 ]
}
have_node() {
    local major
    major=$(node --version | sed -n 's/^v\([0-9]*\).*/\1/p') && [ "${major:-0}" -ge 18 ]
}
java_package() {
    local version
    for version in 17 21 25; do
        apt-cache show "openjdk-$version-jre-headless" >/dev/null 2>&1 && break
    done
    echo "openjdk-$version-jre-headless"
}

need_build() {
    need build-essential eval 'have cc && have c++ && have make'
    need pkg-config have pkg-config
    need libssl-dev pkg-config --exists openssl
    need zlib1g-dev pkg-config --exists zlib
    need clang have clang
    need libclang-dev have_libclang
    need curl have curl
    need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
}
need_kafka() {
    need java have_java
    need maven have mvn
    need kcat have kcat
}
need_s3() {
    need radosgw have radosgw
    need ceph-mon have ceph-mon
    need ceph-osd have ceph-osd
    need ceph-common have ceph-authtool
}
need_test() {
    need_kafka
    need_s3
    need_producers
    need groff-base have groff
    need docker-compose have docker-compose
    need jsonnet eval 'have jsonnet && have jsonnetfmt'
}
# The clients of docs/producers, what runs those that producers.sh downloads, and jq; curl and kcat are there already.
need_producers() {
    need nodejs have_node
    need npm have npm
    need jq have jq
    need python3-venv python3 -c 'import ensurepip, venv'
    need rsyslog test -x /usr/sbin/rsyslogd
    need rsyslog-kafka compgen -G '/usr/lib/*/rsyslog/omkafka.so'
}

# Services that a package would start answer 101, "not now", while this file exists; an administrator's own is kept.
install() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod +x $policy
        trap '$as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    say "installing: ${missing[*]}"
    download "${missing[*]}" $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}"
    # A second log of the whole machine, from its next boot on, is not what the tests came for.
    if [[ " ${missing[*]} " = *" rsyslog "* ]] && have systemctl; then $as_root systemctl disable -q rsyslog; fi
}

install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    have apt-get || fail "not Debian or Ubuntu; install what these packages hold, then try again: ${missing[*]}"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        if have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
            as_root=sudo
        else
            missing=("${missing[@]/#java/$(java_package)}")
            fail "missing packages; run this as root, then try again:
apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        fi
    fi
    download "the package lists" $as_root apt-get update -qq
    missing=("${missing[@]/#java/$(java_package)}")
    install
}

install_rust() {
    local wanted
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/../../Cargo.toml")
    if ! have cargo; then
        say "installing Rust with rustup into ~/.cargo"
        local installer
        installer=$(mktemp)
        download "rustup" curl --proto '=https' --tlsv1.2 -fsS -o "$installer" https://sh.rustup.rs
        download "the Rust toolchain" sh "$installer" -y -q --no-modify-path --profile minimal -c clippy -c rustfmt
        rm -f "$installer"
    fi
    printf '%s\n' "$wanted" "$(cargo --version | cut -d' ' -f2)" | sort -VC ||
        fail "Rust $wanted or newer is needed, this is $(cargo --version); run: rustup update stable"
}

# unpack PACKAGE PROGRAM...: the programs of a package, in the cache and not in the system.
unpack() {
    local package=$1 program unpacked absent=
    shift
    for program in "$@"; do have "$program" || absent=$program; done
    [ -n "$absent" ] || return 0
    have apt-get || fail "not Debian or Ubuntu; put these programs on the PATH, then try again: $*"
    unpacked=$(mktemp -d)
    apt-cache show "$package" >/dev/null 2>&1 || fail "no package lists; run this as root, then try again: apt-get update"
    # Without its own user for downloads apt needs no rights on the new directory, nor warns that it has none.
    cd "$unpacked"
    download "the package $package" apt-get download -qq -o APT::Sandbox::User= "$package"
    cd "$OLDPWD"
    dpkg -x "$unpacked/$package"_*.deb "$unpacked"
    mkdir -p "$tidewatch_cache/bin"
    for program in "$@"; do mv "$unpacked/usr/bin/$program" "$tidewatch_cache/bin/$program"; done
    rm -rf "$unpacked"
}

case "${1:-build}" in
build) need_build; install_missing; install_rust ;;
kafka) need_kafka; install_missing ;;
s3) need_s3; install_missing ;;
test)
    need_test
    install_missing
    unpack prometheus promtool prometheus
    unpack prometheus-alertmanager prometheus-alertmanager amtool
    ;;
*) fail "usage: packages.sh [build|kafka|s3|test]" ;;
esac
