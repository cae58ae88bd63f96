#!/usr/bin/env bash
# Downloads the clients that the pages of docs/producers install, in the versions of producers.json (npm) and
# producers.txt (PyPI), into the cache. The tests run the pages on this cache alone, without a network: so a bad day of a
# registry is seen here, and a page that names another version fails.
#
# Usage: producers.sh
# Does nothing, without touching the network, when all is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
clients="$tidewatch_cache/producers"

# Wheels are for one version of Python, and npm's cache is for one of npm.
wanted=$(
    cat "$here/producers.json" "$here/producers.txt"
    python3 --version
    npm --version
)
[ "$wanted" != "$(cat "$clients/holds" 2>/dev/null)" ] || exit 0

say "downloading the clients of docs/producers"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rm -rf "$clients"
mkdir -p "$clients"
cp "$here/producers.json" "$scratch/package.json"
download "the npm packages of producers.json" npm install --prefix "$scratch" --cache "$clients/npm" --no-audit --no-fund
python3 -m venv "$scratch/venv"
download "the Python packages of producers.txt" "$scratch/venv/bin/pip" download --quiet --only-binary :all: \
    --requirement "$here/producers.txt" --dest "$clients/wheels"
# npm finds what it has kept by the address it came from.
npm config get registry >"$clients/registry"
printf '%s' "$wanted" >"$clients/holds"
