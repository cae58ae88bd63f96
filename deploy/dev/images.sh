#!/usr/bin/env bash
# Makes local stand-ins for the images that docker-compose.yml and deploy/Dockerfile name, for machines that reach Debian's
# packages and no image registry. Each is made of the same software from other packages (deploy/dev/images/), under the
# official name and tag, so that the files are tried as they are. Where the images can be pulled, this is not needed.
#
# Usage: images.sh [NAME...]     debian, rust, kafka, prometheus, alertmanager; all of them without a name
# Environment: DOCKER   the client (docker)
# An image that is there is left alone, whoever made it. Needs root, a Docker engine, debootstrap, and the cache of the tools.
# Exit: 0 they are there; 1 one could not be made.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
docker=${DOCKER:-docker}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# The image of that repository as our files pin it.
pinned() {
    grep -hoE "(image: |FROM )$1:[^ ]+" "$here/../../docker-compose.yml" "$here/../Dockerfile" | sed 's/.* //' | sort -u
}

build() { # build NAME: deploy/dev/images/NAME/Dockerfile, with what was put into the context
    cp "$here/images/$1"/* "$context/"
    "$docker" build --quiet --tag "$2" "$context" >&2
}

make_debian() {
    have debootstrap || fail "debootstrap is not installed"
    download "Debian's base system" debootstrap --variant=minbase bookworm "$context/system"
    # Packages for the image and no more: what the official slim image leaves out as well.
    rm -rf "$context"/system/var/{cache/apt,lib/apt/lists}/* "$context"/system/usr/share/{doc,man,locale}/*
    tar -C "$context/system" -c . | "$docker" import - "$1" >&2
}

# The toolchain of this machine, and its certificates: the official image has its own.
make_rust() {
    local sysroot
    sysroot=$(rustc --print sysroot)
    mkdir -p "$context/toolchain"
    cp -r "$sysroot"/{bin,lib} "$context/toolchain/"
    cp /etc/ssl/certs/ca-certificates.crt "$context/"
    build rust "$1"
}

make_kafka() {
    cp -r "$("$here/kafka-jars.sh")" "$context/libs"
    build kafka "$1"
}

make_prometheus() { build prometheus "$1"; }
make_alertmanager() { build alertmanager "$1"; }

declare -A repository=(
    [debian]=debian [rust]=rust [kafka]=apache/kafka [prometheus]=prom/prometheus [alertmanager]=prom/alertmanager
)
[ $# -gt 0 ] || set -- debian rust kafka prometheus alertmanager
for name in "$@"; do
    [ -n "${repository[$name]:-}" ] || fail "no image $name; there are: ${!repository[*]}"
    image=$(pinned "${repository[$name]}")
    [ -n "$image" ] || fail "no file names an image ${repository[$name]}"
    if "$docker" image inspect "$image" >/dev/null 2>&1; then
        say "$image is there"
        continue
    fi
    say "making a stand-in for $image"
    rm -rf "${context:?}"/*
    "make_$name" "$image"
done
