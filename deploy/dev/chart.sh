#!/usr/bin/env bash
# Checks the Helm chart deploy/kubernetes: lints and renders it with Helm's engine, validates every object strictly against
# the schemas of Kubernetes, has wrong values refused, and asks the program whether it accepts what the chart writes for it.
# There is no API server: nothing is admitted, scheduled or rolled out.
#
# Usage: chart.sh BINARY
# What chart.txt names is installed below the cache once. The end is the line "N passed, N failed".
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
binary=${1:-}
[ -x "$binary" ] || fail "the program is not built ($binary); run deploy/dev/test.sh build chart"
tools="$tidewatch_cache/chart"

# Wheels are for one version of Python.
wanted=$(
    cat "$here/chart.txt"
    python3 --version
)
if [ "$wanted" != "$(cat "$tools/holds" 2>/dev/null)" ]; then
    say "installing what chart.txt names"
    rm -rf "$tools"
    python3 -m venv "$tools"
    download "the Python packages of chart.txt" "$tools/bin/pip" --disable-pip-version-check --quiet install \
        --only-binary :all: --no-deps --requirement "$here/chart.txt"
    "$tools/bin/pip" --disable-pip-version-check check >&2
    # Reading these types takes five seconds, and they never change.
    "$tools/bin/python" -B "$here/chart.py" --custom-resources >"$tools/custom-resources.json"
    printf '%s' "$wanted" >"$tools/holds"
fi

exec "$tools/bin/python" -B "$here/chart.py" "$binary" "$tools/custom-resources.json"
