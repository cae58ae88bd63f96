#!/usr/bin/env bash
# Runs the tests in stages, prints the time of each, and stops at the first that fails.
#
# Usage: test.sh [STAGE...]      all stages, or the named ones, in the order given
# Environment: SEEDS                   seeds of the simulation (2000)
#              TIDEWATCH_TEST_KAFKA    bootstrap servers of a Kafka to use instead of starting one
#              TIDEWATCH_TEST_S3       endpoint of an S3 with Object Lock to use instead; then also the AWS_* keys, and
#                                      TIDEWATCH_TEST_S3_GUEST: ID:SECRET of the user `guest`, who has no rights
#              TIDEWATCH_KEEP          keep the servers' logs in this directory
# The end is a table of stages and the line "N passed, M failed". Exit: 0 all passed; 1 a stage failed.
# A stage that cannot run here for want of a tool is passed over, and named in the table.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
cd "$here/../.."

stages=(packages shell fmt clippy build layering unit benches rules man sim conformance prometheus grafana compose chart schema deny servers e2e faults)
passed_over=77
not_unit=(layering sim conformance e2e faults)

pass_over() {
    echo "passed over: $*"
    exit "$passed_over"
}

binary() {
    echo "$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/tidewatch"
}

stage_packages() {
    deploy/dev/packages.sh build
    deploy/dev/packages.sh test
    deploy/dev/grafana.sh fetch
    download "the crates of Cargo.lock" cargo fetch --locked --target "$(rustc -vV | sed -n 's/host: //p')"
    download "the crates of benches/Cargo.lock" cargo fetch --locked --manifest-path benches/Cargo.toml
    deploy/dev/producers.sh
    [ -n "${TIDEWATCH_TEST_KAFKA:-}" ] || deploy/dev/kafka-jars.sh
}
stage_shell() {
    local script scripts
    mapfile -t scripts < <(git grep -lE '^#!.*bash')
    for script in "${scripts[@]}"; do bash -n "$script"; done
    have shellcheck || pass_over "shellcheck is not installed (syntax only was checked)"
    shellcheck -x -P SCRIPTDIR -S warning "${scripts[@]}"
}
stage_fmt() {
    cargo fmt --version >/dev/null 2>&1 || pass_over "rustfmt is not installed: rustup component add rustfmt"
    cargo fmt --all --check
}
stage_clippy() {
    cargo clippy --version >/dev/null 2>&1 || pass_over "clippy is not installed: rustup component add clippy"
    cargo clippy --locked --workspace --all-targets -- -D warnings
}
stage_build() { cargo build --locked -p tidewatch; }
stage_layering() { cargo test --locked -p layering; }
stage_unit() { cargo test --locked --no-fail-fast --workspace "${not_unit[@]/#/--exclude=}"; }
# They are built as they are tested, and nothing is measured: that both engines say the same of the same rules.
stage_benches() {
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
    cargo clippy --locked --manifest-path benches/Cargo.toml --all-targets -- -D warnings
    cargo test --locked --manifest-path benches/Cargo.toml --lib --tests
}
stage_rules() {
    "$(binary)" rules check --deny-warnings rules/
    "$(binary)" rules test rules/
}
# What groff complains of, a reader of the manual sees as a gap.
stage_man() {
    local complaints
    "$(binary)" man "$scratch/man"
    complaints=$(groff -man -ww -z -Tutf8 "$scratch"/man/*.1 2>&1) || fail "groff: $complaints"
    [ -z "$complaints" ] || fail "groff: $complaints"
}
stage_sim() { SEEDS=${SEEDS:-2000} cargo test --locked -p sim; }
stage_conformance() { cargo test --locked -p conformance -- --nocapture; }
stage_prometheus() {
    promtool check rules deploy/prometheus/*.rules.yml
    promtool test rules deploy/prometheus/*.test.yml
    promtool check config deploy/prometheus/prometheus.yml
    deploy/dev/alertmanager.sh
}
stage_grafana() { deploy/dev/grafana.sh check; }
stage_compose() { deploy/dev/compose.sh "$(binary)"; }
stage_chart() { deploy/dev/chart.sh "$(binary)"; }
# With the packages that the stage chart has installed.
stage_schema() {
    local python=$tidewatch_cache/chart/bin/python
    [ -x "$python" ] || fail "deploy/dev/chart.sh has not installed its packages yet; run the stage chart first"
    "$python" -B deploy/dev/rule_schema.py "$(binary)"
}
stage_deny() {
    cargo deny --version >/dev/null 2>&1 ||
        pass_over "cargo-deny is not installed: cargo install cargo-deny --locked (licences and sources: see layering)"
    cargo deny --locked check
}
stage_servers() {
    local endpoint
    if [ -z "${TIDEWATCH_TEST_KAFKA:-}" ]; then
        endpoint=$(deploy/dev/kafka.sh start "$scratch/kafka" "$(free_port 39092)")
        echo "export TIDEWATCH_TEST_KAFKA=$endpoint" >>"$scratch/environment"
    fi
    if [ -z "${TIDEWATCH_TEST_S3:-}" ]; then
        endpoint=$(deploy/dev/s3.sh start "$scratch/s3" "$(free_port 39000)")
        echo "export TIDEWATCH_TEST_S3=$endpoint" >>"$scratch/environment"
        sed 's/^/export /' "$scratch"/s3/{credentials,guest}.env >>"$scratch/environment"
    fi
    # Always ours: its certificates and its users are made with it, and its log is read.
    deploy/dev/kafka.sh start "$scratch/kafka-secure" "$(free_port 39052)" secure >/dev/null
    echo "export TIDEWATCH_TEST_KAFKA_SECURE=$scratch/kafka-secure" >>"$scratch/environment"
    grep -o "TIDEWATCH_.*" "$scratch/environment" || echo "using the servers given"
}
# One test at a time: they share a broker, and two cores.
stage_e2e() { TIDEWATCH_BIN=$(binary) cargo test --locked --no-fail-fast -p e2e -- --test-threads=1 --nocapture; }
stage_faults() { TIDEWATCH_BIN=$(binary) cargo test --locked -p faults -- --test-threads=1 --nocapture; }

# The sums of the closing lines of `cargo test` and of `tidewatch rules test`.
count() {
    sed -En 's/.*test result: [a-zA-Z]+\. ([0-9]+) passed; ([0-9]+) failed;.*/\1 \2/p; s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' \
        "$scratch/output" | awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed }'
}

clean_up() {
    "$here/kafka.sh" stop "$scratch/kafka"
    "$here/kafka.sh" stop "$scratch/kafka-secure"
    "$here/s3.sh" stop "$scratch/s3"
    [ -n "${TIDEWATCH_KEEP:-}" ] || rm -rf "$scratch"
}

# A stage is a process of its own: `set -e` holds in it, and what it exports does not leak into the next.
if [ "${1:-}" = --stage ]; then
    scratch=$3
    source "$scratch/environment"
    "stage_$2"
    exit
fi

[ $# -gt 0 ] || set -- "${stages[@]}"
for name in "$@"; do declare -F "stage_$name" >/dev/null || fail "no stage $name; there are: ${stages[*]}"; done
scratch=${TIDEWATCH_KEEP:-$(mktemp -d)}
mkdir -p "$scratch"
: >"$scratch/environment"
: >"$scratch/output"
trap clean_up EXIT
trap 'exit 130' INT TERM

table=
outcome=0
for name in "$@"; do
    echo "== $name"
    began=$SECONDS
    status=0
    "$0" --stage "$name" "$scratch" 2>&1 </dev/null | tee -a "$scratch/output" || status=${PIPESTATUS[0]}
    case $status in 0) word=passed ;; "$passed_over") word="passed over" ;; *) word=FAILED outcome=1 ;; esac
    table+=$(printf '%-12s %5d s  %s' "$name" $((SECONDS - began)) "$word")$'\n'
    echo "== $name: $word, $((SECONDS - began)) s"
    [ $outcome = 0 ] || break
done

printf '\n%stotal        %5d s\n' "$table" $SECONDS
[ $outcome = 0 ] || echo "stage $name failed"
count
exit $outcome
