#!/usr/bin/env bash
# Fuzzes the readers of rules (fuzz/) with libFuzzer, from the queries and rule files that are in the repository.
#
# Usage: fuzz.sh [MINUTES]   minutes for each of the two targets, one after the other; 5 if none are given
# Needs a nightly toolchain (rustup toolchain install nightly); cargo-fuzz is installed into the cache if it is not there.
# Exit: 0 nothing was found; 1 a crash, a hang of more than 10 seconds or more than 2 GiB: the input is below the cache
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
root=$(cd "$here/../.." && pwd)
minutes=${1:-5}
cache=$tidewatch_cache/fuzz

rustup run nightly rustc --version || fail "a nightly compiler is needed: rustup toolchain install nightly"
PATH=$cache/bin:$PATH
have cargo-fuzz || cargo install --locked --version 0.13.2 --root "$cache" cargo-fuzz
export CARGO_TARGET_DIR=$cache/target

# Every query and every rule of the documents, and every rule file, is where the fuzzer begins.
seeds() {
    mkdir -p "$cache/seeds/query" "$cache/seeds/rule_file"
    awk -v to="$cache/seeds/query" '/^```query/ { inside = 1; next } /^```/ { inside = 0 }
        inside { number++; print > (to "/" number); close(to "/" number) }' "$root"/docs/*.md
    awk -v to="$cache/seeds/rule_file" '/^```yaml/ { inside = 1; number++; next } /^```/ { inside = 0 }
        inside { print > (to "/" number) }' "$root"/docs/rules.md "$root"/docs/sigma.md
    local file
    while read -r file; do
        cp "$root/$file" "$cache/seeds/rule_file/$(tr / - <<<"$file")"
    done < <(cd "$root" && git ls-files 'rules/*.yml' 'libs/ruleset/tests/*.yml')
}

seeds
cd "$root/fuzz"
for target in query rule_file; do
    mkdir -p "$cache/corpus/$target" "$cache/found/$target"
    cargo +nightly fuzz run --fuzz-dir "$root/fuzz" --sanitizer none -O --debug-assertions "$target" "$cache/corpus/$target" "$cache/seeds/$target" -- \
        -max_total_time=$((minutes * 60)) -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
        -dict="$root/fuzz/rules.dict" -artifact_prefix="$cache/found/$target/"
done
