#!/usr/bin/env bash
# A real S3 with Object Lock on this machine, for development, tests and the compose file: Ceph's radosgw over one monitor
# and one OSD. Without further ado it keeps its data in memory, so nothing outlives `stop`. No root, no systemd.
#
# Usage: s3.sh start DIR [PORT]   configuration, logs and pid files go below DIR; PORT is S3's (default 9000),
#                                 the monitor takes PORT + 1 and PORT + 2, the OSD any above 6800; all on 127.0.0.1
#        s3.sh stop DIR
#        s3.sh status DIR
# `start` and `status` print the endpoint; the keys, fixed and good for nothing else, are in DIR/credentials.env. What is
# kept in memory has a guest too, who may do what the owner of a bucket permits: DIR/guest.env.
# Environment: S3_KEEP          set: data are kept below DIR, and a later start finds them; else in memory
#              S3_BYTES         how large that store may grow, in bytes (10 GiB)
#              S3_LISTEN        the address of S3 (127.0.0.1)
#              S3_ACCESS_KEY, S3_SECRET_KEY     other keys
# Exit: 0 done, or running; 1 failed; 3 (status) not running.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
usage="usage: s3.sh start|stop|status DIR [PORT]"
access_key=${S3_ACCESS_KEY:-tidewatch-dev-access}
secret_key=${S3_SECRET_KEY:-tidewatch-dev-secret-not-for-production}
guest_access_key=tidewatch-dev-guest
guest_secret_key=tidewatch-dev-guest-not-for-production
fsid=4b9b1f5e-3c52-4c0a-9d8e-7a1d2c6f0e11
osd_uuid=0d6a4f5c-8a57-4a53-8c7c-2d1f9be7a604

write_settings() {
    cat <<SETTINGS
[global]
fsid = $fsid
mon_host = $monitor
# Not "none": radosgw then waits 300 s and gives up.
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
public_addr = 127.0.0.1
ms_bind_ipv6 = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
$(write_store)
mon_data = $directory/mon
osd_data = $directory/osd
run_dir = $directory/run
admin_socket =
pid_file = $directory/run/\$name.pid
log_file = $directory/log/\$name.log
keyring = $directory/keyring
[client.rgw]
rgw_frontends = beast endpoint=${S3_LISTEN:-127.0.0.1}:$port
$(write_test_settings)
SETTINGS
}

write_store() {
    if [ -n "${S3_KEEP:-}" ]; then
        printf 'osd_objectstore = bluestore\nbluestore_block_size = %s\n' "${S3_BYTES:-10737418240}"
        # The least that it accepts, instead of four gigabytes: it shares a machine with everything else.
        printf 'osd_memory_target = 939524096\nbluestore_cache_size = 134217728\nbluestore_cache_autotune = false\n'
    else
        printf 'osd_objectstore = memstore\nmemstore_device_bytes = 4294967296\n'
    fi
}

write_test_settings() {
    [ -z "${S3_KEEP:-}" ] || return 0
    cat <<SETTINGS
# A lifecycle "day" of ten seconds, so that a test sees what expires and what the lock keeps.
rgw_lc_debug_interval = 10
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
SETTINGS
}

create_keys() {
    ceph-authtool --create-keyring keyring --gen-key -n mon. --cap mon 'allow *' &&
        ceph-authtool keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' &&
        ceph-authtool keyring --gen-key -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx' &&
        ceph-authtool keyring --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
}

# Each step needs the one before it; the daemons put themselves into the background when they listen.
# They name the configuration so that a pid file can be told from that of another process.
create_cluster() {
    create_keys &&
        monmaptool --create --clobber --fsid "$fsid" --addv a "$monitor" monmap &&
        ceph-mon -c "$conf" --mkfs -i a --monmap monmap --keyring keyring &&
        ceph-mon -c "$conf" -i a &&
        ceph -c "$conf" --connect-timeout 30 auth import -i keyring &&
        ceph -c "$conf" osd new "$osd_uuid" &&
        ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_uuid" &&
        ceph -c "$conf" osd crush add osd.0 1 root=default host=localhost &&
        ceph-osd -c "$conf" -i 0 &&
        radosgw -c "$conf" -n client.rgw &&
        radosgw-admin -c "$conf" -n client.rgw user create --uid tidewatch --display-name Tidewatch \
            --access-key "$access_key" --secret-key "$secret_key" &&
        { [ -n "${S3_KEEP:-}" ] || create_guest; } &&
        touch created
}

create_guest() {
    radosgw-admin -c "$conf" -n client.rgw user create --uid guest --display-name "A guest" \
        --access-key "$guest_access_key" --secret-key "$guest_secret_key" &&
        printf 'TIDEWATCH_TEST_S3_GUEST=%s:%s\n' "$guest_access_key" "$guest_secret_key" >guest.env
}

restart_cluster() {
    ceph-mon -c "$conf" -i a && ceph-osd -c "$conf" -i 0 && radosgw -c "$conf" -n client.rgw
}

answers() { curl -fsS -o /dev/null --max-time 5 "http://127.0.0.1:$port/" 2>/dev/null; }

start() {
    status >/dev/null && { status; return; }
    "$here/packages.sh" s3
    stop
    # What is half created is created anew.
    [ -n "${S3_KEEP:-}" ] && [ -e "$directory/created" ] || rm -rf "${directory:?}"/{mon,osd,run,log,keyring,monmap,created}
    mkdir -p "$directory"/{mon,osd,run,log}
    cd "$directory"
    local conf="$directory/ceph.conf" how=create_cluster
    write_settings >"$conf"
    [ ! -e created ] || how=restart_cluster
    $how >start.log 2>&1 || { stop; fail "did not start: $(tail -n 3 start.log) (see $directory/start.log)"; }
    local deadline=$((SECONDS + 60))
    until answers; do
        [ $SECONDS -lt $deadline ] || { stop; fail "no answer after 60 s; see $directory/log/client.rgw.log"; }
        sleep 0.2
    done
    printf 'AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n' "$access_key" "$secret_key" | tee credentials.env >&2
    echo "http://127.0.0.1:$port" | tee endpoint
}

stop() {
    local name
    for name in client.rgw osd.0 mon.a; do stop_process "$directory/run/$name.pid" "$directory/ceph.conf"; done
    rm -f "$directory/endpoint"
}

status() {
    local name
    for name in client.rgw osd.0 mon.a; do is_running "$directory/run/$name.pid" "$directory/ceph.conf" || return 3; done
    cat "$directory/endpoint" 2>/dev/null || return 3
}

[ $# -ge 2 ] || fail "$usage"
directory=$(realpath -m "$2")
port=${3:-9000}
monitor="[v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]"
case $1 in start | stop | status) "$1" ;; *) fail "$usage" ;; esac
