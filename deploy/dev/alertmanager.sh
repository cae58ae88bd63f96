#!/usr/bin/env bash
# Checks deploy/alertmanager/alertmanager.yml: that it is valid, as it stands and filled in; who is told what; and, on a
# running Alertmanager with alerts of our rules, what is told because of something worse.
#
# Usage: alertmanager.sh      needs `packages.sh test`; the Alertmanager listens on 127.0.0.1 and goes when this ends
# Exit: 0 all is as it must be; 1 it is not; 77 an Alertmanager cannot run here, and the rest is as it must be.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
config=$here/../alertmanager/alertmanager.yml
scratch=$(mktemp -d)
trap 'stop_process "$scratch/pid" "$scratch"; rm -rf "$scratch"' EXIT

amtool check-config "$config"
# What begins with # and no space is filled in.
sed -E 's/^( *)#([^ ])/\1\2/' "$config" >"$scratch/filled.yml"
cmp -s "$config" "$scratch/filled.yml" && fail "nothing is left to fill in: this check checks nothing"
amtool check-config "$scratch/filled.yml"

goes_to() { # goes_to RECEIVER LABEL...
    local receiver=$1
    shift
    amtool config routes test --config.file="$config" --verify.receivers="$receiver" "$@" 2>/dev/null ||
        fail "this does not go to $receiver: $*"
}
goes_to page alertname=TidewatchDown severity=critical job=tidewatch-detector
goes_to ticket alertname=TidewatchDown severity=warning job=tidewatch-detector
goes_to other alertname=NodeFilesystemFull severity=critical

port=$(free_port 42093)
url=http://127.0.0.1:$port
# Debian's program reads templates from where its package would have put them. Nobody is told, so empty ones will do, which
# only this process sees.
own=()
templates=/usr/share/prometheus/alertmanager
if [ ! -e $templates/default.tmpl ]; then
    own=(unshare --mount)
    [ "$(id -u)" = 0 ] || own+=(--map-root-user)
    "${own[@]}" true 2>/dev/null || { echo "not tried on a running Alertmanager: no mount namespace may be made here"; exit 77; }
    own+=(sh -c "mount -t tmpfs none /usr/share && mkdir -p $templates && touch $templates/default.tmpl $templates/email.tmpl && exec \"\$@\"" sh)
fi
"${own[@]}" prometheus-alertmanager --config.file="$config" --storage.path="$scratch/data" --cluster.listen-address= \
    --web.listen-address="127.0.0.1:$port" >"$scratch/log" 2>&1 </dev/null &
echo $! >"$scratch/pid"
until curl -fsS -o /dev/null "$url/-/ready" 2>/dev/null; do
    is_running "$scratch/pid" "$scratch" && [ $SECONDS -lt 60 ] || fail "no Alertmanager: $(tail -n 3 "$scratch/log")"
    sleep 0.2
done

raise() { # raise ALERT SEVERITY JOB [NAMESPACE]: without a job an alert is of no one service
    amtool --alertmanager.url="$url" alert add "alertname=$1" "severity=$2" ${3:+"job=$3"} ${4:+"namespace=$4"}
}
raise TidewatchDown critical tidewatch-detector
raise TidewatchServiceAbsent critical tidewatch-alerter
raise TidewatchNothingEvaluated critical ''
raise TidewatchCanaryMissing critical ''
raise TidewatchSourceStalled critical tidewatch-detector
raise TidewatchNotReady warning tidewatch-detector
raise TidewatchArchiveStopped critical tidewatch-archiver
raise TidewatchArchiveBehind warning tidewatch-archiver
# None of these follows from those.
raise TidewatchDown warning tidewatch-ingest
raise TidewatchArchiveAtRisk critical tidewatch-archiver
raise TidewatchNotReady warning tidewatch-detector other
raise TidewatchCanaryMissing critical '' other
raise TidewatchDown critical tidewatch-archiver third
raise TidewatchCanaryMissing critical '' third

wanted='TidewatchArchiveBehind
TidewatchCanaryMissing
TidewatchNotReady
TidewatchNothingEvaluated
TidewatchSourceStalled'
inhibited() {
    curl -fsS "$url/api/v2/alerts?active=false&silenced=false&unprocessed=false&inhibited=true" |
        python3 -c 'import json, sys
for alert in json.load(sys.stdin):
    labels = alert["labels"]
    print(labels["alertname"], labels.get("namespace", ""))' | sed 's/ $//' | sort
}
for _ in $(seq 50); do
    found=$(inhibited)
    [ "$found" = "$wanted" ] && break
    sleep 0.1
done
[ "$found" = "$wanted" ] || fail "inhibited must be
$wanted
and are
$found"
echo "$(echo "$wanted" | wc -l) alerts are inhibited by something worse, the others are told"
