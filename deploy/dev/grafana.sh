#!/usr/bin/env bash
# The dashboards for Grafana: writes deploy/grafana/dashboards from deploy/grafana/src, or checks that they are so.
#
# Usage: grafana.sh write    each dashboard as JSON
#        grafana.sh check    what is committed is what `write` writes; the sources are formatted and all are in the list;
#                            the JSON is what Grafana takes for a dashboard, by its own types (deploy/grafana/schema)
#        grafana.sh fetch    only downloads those types, once; `check` does so too
# Needs jsonnet, and for `check` Node (packages.sh test). Grafana's types come from npm, once, and are kept in the cache.
# Exit: 0 done, or right; 1 not.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
grafana="$here/../grafana"

require() { have "$1" || fail "$1 is not installed; run: deploy/dev/packages.sh test"; }

# write_to DIRECTORY
write_to() {
    require jsonnet
    rm -f "$1"/*.json
    jsonnet --multi "$1" "$grafana/src/dashboards.jsonnet" >/dev/null
}

check_sources() {
    local source name
    jsonnetfmt --test "$grafana"/src/*sonnet ||
        fail "the sources are not formatted; run: jsonnetfmt -i deploy/grafana/src/*sonnet"
    for source in "$grafana"/src/*.libsonnet; do
        name=$(basename "$source" .libsonnet)
        case $name in tidewatch | config) continue ;; esac
        [ -e "$grafana/dashboards/$name.json" ] || fail "$name.libsonnet is not in the list of dashboards.jsonnet"
    done
}

check_written() {
    local scratch
    scratch=$(mktemp -d)
    write_to "$scratch"
    diff -ru "$grafana/dashboards" "$scratch" >&2 || { rm -rf "$scratch"; fail "run: make dashboards, and commit what it wrote"; }
    rm -rf "$scratch"
}

types="$tidewatch_cache/grafana/$(cksum <"$grafana/schema/package-lock.json" | cut -d' ' -f1)"

fetch_types() {
    local partial
    [ ! -d "$types" ] || return 0
    mkdir -p "${types%/*}"
    # Renamed when whole: an interrupted download is not taken for the types.
    partial=$(mktemp -d "$types.XXXXXX")
    cp "$grafana"/schema/package*.json "$partial"
    download "Grafana's types" npm ci --prefix "$partial" --no-audit --no-fund --ignore-scripts --silent
    mv -T "$partial" "$types" 2>/dev/null || rm -rf "$partial"
}

check_types() {
    local script status=0
    fetch_types
    # Beside the packages it imports, under a name of this run.
    script=$(mktemp "$types/schema.XXXXXX.mjs")
    cp "$grafana/schema/schema.mjs" "$script"
    node "$script" "$grafana"/dashboards/*.json || status=$?
    rm -f "$script"
    [ $status = 0 ] || fail "not what Grafana takes for a dashboard"
}

case "${1:-}" in
fetch) fetch_types ;;
write) write_to "$grafana/dashboards" ;;
check)
    require node
    check_sources
    check_written
    check_types
    ;;
*) fail "usage: grafana.sh write|check|fetch" ;;
esac
