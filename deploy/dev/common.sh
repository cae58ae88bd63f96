# shellcheck shell=bash
# What the scripts beside this file share. Sourced, never run.

# A toolchain that rustup has just put there is found without a new login shell.
PATH="$PATH:$HOME/.cargo/bin"
tidewatch_cache="${XDG_CACHE_HOME:-$HOME/.cache}/tidewatch"
# Prometheus and Alertmanager are unpacked here by packages.sh.
PATH="$PATH:$tidewatch_cache/bin"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "${0##*/}: $*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs the command up to three times, with pauses of 5 s and 10 s.
retry() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return 0
        [ "$attempt" = 3 ] || { say "attempt $attempt of 3 failed: $*"; sleep $((attempt * 5)); }
    done
    return 1
}

# For everything that comes over the network: a reader must be able to tell a bad day of a mirror from a bug of ours.
download() {
    local what=$1
    shift
    retry "$@" >&2 || fail "could not download $what: this is not a test failure"
}

# The first TCP port from $1 upwards, in steps of 200, that nothing on this machine answers on.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 200)); done
    echo "$port"
}

# True when the process of the pid file $1 lives and has $2 on its command line: a pid of an earlier boot is not ours.
is_running() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# Ends the process of the pid file $1, if $2 is on its command line; by force after 15 s. Its return means it is gone:
# waiting for the pid, since an exiting process loses its command line before its ports. A zombie holds nothing.
stop_process() {
    local pid waited=0
    is_running "$1" "$2" || { rm -f "$1"; return 0; }
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || true
    while grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null; do
        [ $waited -lt 150 ] || kill -9 "$pid" 2>/dev/null || true
        waited=$((waited + 1))
        sleep 0.1
    done
    rm -f "$1"
}
