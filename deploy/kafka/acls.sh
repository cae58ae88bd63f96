#!/usr/bin/env bash
# The rights that each part of Tidewatch needs on a Kafka cluster, and not one more. docs/security.md says what each is for.
#
# Usage: acls.sh [--prefix PREFIX] [--raw TOPIC,…] [--table] ROLE=PRINCIPAL... [-- ARGUMENT...]
#   ROLE        one of those below; a principal may have several, and a role several principals
#   PRINCIPAL   as the brokers know it: User:ingest, or the User:CN=… of a certificate
#   --prefix    kafka.prefix of the configuration (tidewatch.)
#   --raw       the full names of the topics that the topic door reads and producers write to (PREFIXraw)
#   --table     principal, operation, kind of resource, pattern and name, a line for each right, instead of commands
#   ARGUMENT    what kafka-acls.sh needs to reach the cluster: --bootstrap-server … --command-config …
# Prints commands and runs nothing. Read them, then pipe them into sh, with Kafka's bin/ on the PATH. Once more changes
# nothing; what was granted by an earlier version and is no longer needed is not taken away.
# Exit: 0 printed; 64 the arguments are wrong.
set -euo pipefail

# Roles:
#   topics     whoever runs `tidewatch topics create` and `verify`
#   ingest detector alerter archiver   the services
#   producer   whoever writes to the topics of --raw
#   operator   a person who reads what could not be read, counted or delivered
#   monitor    whoever asks how far the groups are: KEDA, an exporter of lags
roles="topics ingest detector alerter archiver producer operator monitor"

usage() {
    printf 'acls.sh: %s\n' "$1" >&2
    sed -n '4,5p' "$0" >&2
    exit 64
}

events="events.security events.audit events.access"
groups="ingest detector-match detector-correlate alerter archiver"
all="raw $events facts detector.changelog alerts rules notifications archive.manifests dead-letters late-facts undelivered"

# grant OPERATIONS TOPICS GROUPS: names of ours without the prefix, and RAW for what --raw names.
rights_of() {
    case $1 in
    topics) grant "Create Describe DescribeConfigs" "$all" "" ;;
    ingest)
        grant Read RAW ingest
        grant Write "$events dead-letters" ""
        grant_transactions ingest
        ;;
    detector)
        # The changelog is read to restore what is not on disk.
        grant Read "$events facts detector.changelog" "detector-match detector-correlate"
        grant Write "facts detector.changelog alerts dead-letters late-facts" ""
        grant_transactions detector-match detector-correlate
        ;;
    alerter)
        grant Read "alerts notifications" alerter
        grant Write "notifications undelivered dead-letters" ""
        grant_transactions alerter
        ;;
    archiver)
        grant Read "$events facts alerts" archiver
        # How long the topics keep what is to be archived.
        grant DescribeConfigs "$events facts alerts" ""
        grant Write archive.manifests ""
        grant_transactions archiver
        ;;
    producer) grant Write RAW "" ;;
    operator) grant Read "dead-letters late-facts undelivered" "" ;;
    monitor) grant Describe "RAW $events facts alerts" "$groups" ;;
    esac
}

# Prints the right as one command: the product of its operations and its resources.
grant() {
    local operation name operations=$1 topics=() groups=() arguments=()
    for name in $2; do
        if [ "$name" = RAW ]; then topics+=("${raw[@]}"); else topics+=("$prefix$name"); fi
    done
    for name in $3; do groups+=("$prefix$name"); done
    if [ -n "$table" ]; then
        for operation in $operations; do
            for name in ${topics[@]+"${topics[@]}"}; do line "$operation" Topic LITERAL "$name"; done
            for name in ${groups[@]+"${groups[@]}"}; do line "$operation" Group LITERAL "$name"; done
        done
        return
    fi
    for operation in $operations; do arguments+=(--operation "$operation"); done
    for name in ${topics[@]+"${topics[@]}"}; do arguments+=(--topic "$name"); done
    for name in ${groups[@]+"${groups[@]}"}; do arguments+=(--group "$name"); done
    print_command "${arguments[@]}"
}

# The transactional ids of a group's workers begin with its name; how many there are is the operator's business.
grant_transactions() {
    local name arguments=()
    for name in "$@"; do
        if [ -n "$table" ]; then line Write TransactionalId PREFIXED "$prefix$name-"; fi
        arguments+=(--transactional-id "$prefix$name-")
    done
    [ -n "$table" ] || print_command --operation Write --resource-pattern-type prefixed "${arguments[@]}"
}

line() { printf '%s\t%s\t%s\t%s\t%s\n' "$principal" "$@"; }

print_command() {
    printf 'kafka-acls.sh'
    printf ' %q' ${reach[@]+"${reach[@]}"} --add --allow-principal "$principal" "$@"
    printf '\n'
}

prefix=tidewatch. raw_topics='' table='' granted=() reach=()
while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=${2?"--prefix wants a value"} && shift ;;
    --raw) raw_topics=${2?"--raw wants a value"} && shift ;;
    --table) table=yes ;;
    --) shift && reach=("$@") && break ;;
    *=?*) granted+=("$1") ;;
    *) usage "what is $1?" ;;
    esac
    shift
done
[ ${#granted[@]} -gt 0 ] || usage "no role"
IFS=, read -r -a raw <<<"${raw_topics:-${prefix}raw}"
for one in "${granted[@]}"; do
    role=${one%%=*}
    case " $roles " in *" $role "*) ;; *) usage "no role $role; there are: $roles" ;; esac
done
for one in "${granted[@]}"; do
    principal=${one#*=}
    rights_of "${one%%=*}"
done
