#!/usr/bin/env bash
# Prepares what docker-compose.yml needs and a repository must not hold: .env, and secrets of random bytes, a file each.
#
# Usage: init.sh [DIR]      secrets go to DIR (deploy/compose/secrets); SECRETS_DIR in .env must then name it
# What is there is left as it is, so run it again whenever something is missing. Replace the contents of a file with your own.
# Exit: 0 all is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
secrets=${1:-$here/secrets}

[ -e "$here/../../.env" ] || cp "$here/../../.env.example" "$here/../../.env"

# Others on this machine do not come through the directory; in a container, where only the file is mounted, its user reads it.
mkdir -p "$secrets"
chmod 700 "$secrets"
put() { # put NAME VALUE
    [ -e "$secrets/$1" ] || printf '%s' "$2" >"$secrets/$1"
    chmod 444 "$secrets/$1"
}
random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
letters() { head -c 64 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | head -c "$1"; }

put api_key "$(letters 40)"
put s3_secret_key "$(letters 40)"
put grafana_password "$(letters 24)"
put webhook_secret "whsec_$(random 32)"
# Where alerts go. These lead nowhere (RFC 2606) and are read only when deploy/compose/tidewatch.yml has a route for them.
put slack_url 'https://hooks.slack.invalid/services/replace-me'
put pagerduty_routing_key 'replace-me'
put webhook_url 'https://alerts.invalid/replace-me'
# Where Alertmanager tells that Tidewatch itself is in trouble, once its receivers are filled in.
put alertmanager_url 'https://hooks.slack.invalid/services/replace-me'
put alertmanager_pagerduty_key 'replace-me'

echo "$secrets holds $(find "$secrets" -type f | wc -l) secrets; the API key of the HTTP door is in $secrets/api_key" >&2
