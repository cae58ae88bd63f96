#!/usr/bin/env bash
# Checks docker-compose.yml and what belongs to it, without an engine: deploy/dev/stack/stack.py brings it up for real.
#
# Usage: compose.sh BINARY      the built tidewatch, which is asked about the configuration
# Needs docker-compose. Prints what it finds and "N passed, M failed". Exit: 0 all is right.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
cd "$here/../.."
binary=${1:?usage: compose.sh BINARY}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0
check() { # check WHAT COMMAND...: what the command prints is the reason
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok   $what"
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n%s\n' "$what" "$said"
    fi
}

# A clone of what git tracks: init.sh must not find the .env of whoever works here.
mkdir "$scratch/clone"
cp -r --parents docker-compose.yml .env.example deploy rules/guide "$scratch/clone"
rm -rf "$scratch/clone/deploy/compose/secrets"
(cd "$scratch/clone" && deploy/compose/init.sh 2>/dev/null)
secrets=$scratch/clone/deploy/compose/secrets

compose_reads_it() { docker-compose --project-directory "$scratch/clone" -f "$scratch/clone/docker-compose.yml" config --quiet; }
overlay_fits() {
    RECEIVER_PORT=1 docker-compose --project-directory "$scratch/clone" -f "$scratch/clone/docker-compose.yml" \
        -f "$scratch/clone/deploy/dev/stack/overlay.yml" config --quiet
}
every_image_is_pinned() { # to a tag that is a version or a release
    local loose
    loose=$(grep -hE '^ *image: |^FROM ' docker-compose.yml deploy/Dockerfile deploy/compose/s3/Dockerfile |
        grep -vE '^FROM scratch$|:[v0-9.]+(-[a-z]+)?( AS [a-z]+)?$|:[a-z]+-slim( AS [a-z]+)?$|:\$\{TIDEWATCH_VERSION:-[0-9.]+\}$' || true)
    [ -z "$loose" ] || { echo "$loose"; return 1; }
}
every_secret_is_made() {
    local name missing=
    for name in $(sed -n '/^secrets:/,$s/^  \([a-z0-9_]*\):.*/\1/p' docker-compose.yml); do
        [ -s "$secrets/$name" ] || missing+=" $name"
    done
    [ -z "$missing" ] || { echo "init.sh does not make:$missing"; return 1; }
}
secrets_are_kept() { # left as they are by a second run, and not to be reached by others
    local before
    before=$(sha256sum "$secrets"/*)
    (cd "$scratch/clone" && deploy/compose/init.sh 2>/dev/null)
    [ "$before" = "$(sha256sum "$secrets"/*)" ] || { echo "a second run changed a secret"; return 1; }
    [ "$(stat -c %a "$secrets")" = 700 ] || { echo "others come through $secrets"; return 1; }
}
# What the compose file asks of the environment, as name=default, and what .env.example says of it.
every_variable_is_explained() {
    diff <(grep -oE '\$\{[A-Z_]+:-[^}]*\}' docker-compose.yml | sed -E 's/^\$\{([A-Z_]+):-(.*)\}$/\1=\2/' | sort -u) \
        <(sed -nE 's/^#?([A-Z_]+=.*)$/\1/p' .env.example | grep -v '^COMPOSE_PROJECT_NAME=' | sort -u)
}
configuration_is_right() {
    sed "s,/run/secrets/,$secrets/,g" deploy/compose/tidewatch.yml >"$scratch/tidewatch.yml"
    "$binary" config check "$scratch/tidewatch.yml"
}
# With the routes that are commented out: what a newcomer uncomments must be right.
routes_are_right() {
    sed -E 's,^( +)#([a-z]),\1\2,' "$scratch/tidewatch.yml" >"$scratch/routes.yml"
    grep -q '^    pager:$' "$scratch/routes.yml" || { echo "no route was uncommented"; return 1; }
    "$binary" config check "$scratch/routes.yml"
}
every_secret_is_mounted() { # that a configuration names, by some service
    local name missing=
    for name in $(grep -ohE '/run/secrets/[a-z0-9_]+' deploy/compose/tidewatch.yml deploy/alertmanager/alertmanager.yml | sort -u); do
        grep -qE "secrets: \[.*${name##*/}.*\]" docker-compose.yml || missing+=" $name"
    done
    [ -z "$missing" ] || { echo "no service mounts:$missing"; return 1; }
}
mounts_exist() {
    local path missing=
    for path in $(grep -oE '^ *- \./[^:]+' docker-compose.yml | sed 's/^ *- //' | sort -u); do
        [ -e "$path" ] || missing+=" $path"
    done
    [ -z "$missing" ] || { echo "not there:$missing"; return 1; }
}

check "compose reads docker-compose.yml" compose_reads_it
check "compose reads it with the overlay of the test" overlay_fits
check "every image is pinned" every_image_is_pinned
check "init.sh makes every secret" every_secret_is_made
check "init.sh leaves secrets as they are, for their owner" secrets_are_kept
check ".env.example explains every variable, with its default" every_variable_is_explained
check "the configuration is right" configuration_is_right
check "so it is with every route that is commented out" routes_are_right
check "every secret that a configuration names is mounted" every_secret_is_mounted
check "what is mounted is there" mounts_exist
echo "$passed passed, $failed failed"
[ $failed = 0 ]
