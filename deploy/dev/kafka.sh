#!/usr/bin/env bash
# A real Apache Kafka on this machine (KRaft; every node is broker and controller), for development and tests.
#
# Usage: kafka.sh start DIR [PORT] [BROKERS]   data, configuration and logs go below DIR/broker-N
#        kafka.sh stop DIR
#        kafka.sh status DIR
# PORT is the first broker's on 127.0.0.1 (default 9092), broker N has PORT + N - 1, its controller 100 more.
# BROKERS is 1 (default), 3, or `secure`: one that also listens with TLS and asks who is there. SASL_SSL (SCRAM and PLAIN)
# is on PORT + 1, TLS with certificates of clients on PORT + 2, SASL_SSL with an expired certificate on PORT + 3;
# kafka/secure.sh says what is in DIR/security.
# `start` starts those that do not run, so a killed broker comes back with its data.
# `start` and `status` print the bootstrap address.
# Exit: 0 done, or running; 1 failed; 3 (status) not all brokers run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
source "$here/kafka/secure.sh"
usage="usage: kafka.sh start|stop|status DIR [PORT] [BROKERS|secure]"

bootstrap() { # bootstrap PORT BROKERS
    local node addresses=
    for ((node = 0; node < $2; node++)); do addresses+=",127.0.0.1:$(($1 + node))"; done
    echo "${addresses#,}"
}

write_settings() { # write_settings NODE
    local node=$1 port=$((port + $1 - 1)) replicas=$brokers in_sync=1 listeners
    [ "$brokers" = 1 ] || in_sync=2
    listeners="PLAINTEXT://127.0.0.1:$port${secure:+,$(secure_listeners "$port")}"
    cat <<SETTINGS
node.id=$node
process.roles=broker,controller
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 100))
advertised.listeners=$listeners
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,MUTUAL:SSL,EXPIRED:SASL_SSL
log.dirs=$directory/broker-$node/data
# A misspelt topic must fail, not come to life.
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
# Fifty partitions each, the default, make the first group and the first transaction wait for seconds.
offsets.topic.num.partitions=10
transaction.state.log.num.partitions=10
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A transaction whose producer was killed is aborted soon after its timeout; the default looks every 10 s.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
SETTINGS
    [ -z "$secure" ] || secure_settings
}

java_kafka() {
    exec java -Xmx512m -Xms256m -Dlog4j2.configurationFile="$here/kafka/log4j2.properties" -cp "$libs/*" "$@"
}

start_node() { # start_node NODE
    local home="$directory/broker-$1"
    is_running "$home/pid" "$home" && return 0
    mkdir -p "$home"
    if [ -n "$secure" ]; then
        (make_security) >"$home/security.log" 2>&1 || fail "cannot make certificates: $(tail -n 3 "$home/security.log")"
    fi
    write_settings "$1" >"$home/server.properties"
    if [ ! -e "$home/data/meta.properties" ]; then
        # shellcheck disable=SC2046 # a word for each option
        (java_kafka kafka.tools.StorageTool format -t VGlkZXdhdGNoIGRldmVsbw -c "$home/server.properties" \
            $([ -z "$secure" ] || scram_users)) \
            >"$home/format.log" 2>&1 || fail "cannot format the storage: $(tail -n 3 "$home/format.log")"
    fi
    (java_kafka kafka.Kafka "$home/server.properties") >>"$home/kafka.log" 2>&1 </dev/null &
    echo $! >"$home/pid"
}

# Ready means: every broker answers, and names all of them.
answers() {
    local node
    for ((node = 0; node < brokers; node++)); do
        kcat -b "127.0.0.1:$((port + node))" -L -m 2 2>/dev/null | grep -q "^ $brokers brokers:" || return 1
    done
}

start() {
    "$here/packages.sh" kafka
    libs=$("$here/kafka-jars.sh")
    local node home deadline=$((SECONDS + 90))
    voters=
    for ((node = 1; node <= brokers; node++)); do voters+=",$node@127.0.0.1:$((port + node + 99))"; done
    voters=${voters#,}
    for ((node = 1; node <= brokers; node++)); do start_node "$node"; done
    until answers; do
        for ((node = 1; node <= brokers; node++)); do
            home="$directory/broker-$node"
            is_running "$home/pid" "$home" || fail "broker $node ended: $(grep -E 'ERROR|FATAL|Exception' "$home/kafka.log" | tail -n 3)"
        done
        [ $SECONDS -lt $deadline ] || fail "not ready after 90 s; see $directory/broker-1/kafka.log"
        sleep 0.2
    done
    bootstrap "$port" "$brokers" | tee "$directory/bootstrap"
}

stop() {
    local home
    for home in "$directory"/broker-*; do stop_process "$home/pid" "$home" & done
    wait
    rm -f "$directory/bootstrap"
}

status() {
    local home
    [ -e "$directory/bootstrap" ] || exit 3
    for home in "$directory"/broker-*; do is_running "$home/pid" "$home" || exit 3; done
    cat "$directory/bootstrap"
}

[ $# -ge 2 ] || fail "$usage"
directory=$(realpath -m "$2")
port=${3:-9092}
brokers=${4:-1} secure=
[ "$brokers" != secure ] || brokers=1 secure=yes
case $1 in start | stop | status) "$1" ;; *) fail "$usage" ;; esac
