#!/usr/bin/env bash
# Runs one of Kafka's own command line tools from the jars that kafka-jars.sh fetched.
#
# Usage: kafka-tool.sh NAME [ARGUMENT...]     NAME as in Kafka's bin/: kafka-acls.sh, kafka-topics.sh, …
# kafka/bin has a link to this for each of them: on the PATH, they are commands that read as in Kafka's own documents.
# Exit: that of the tool.
set -euo pipefail
script=$(realpath "${BASH_SOURCE[0]}")
here=$(dirname "$script")
source "$here/common.sh"

name=${0##*/}
if [ "$name" = kafka-tool.sh ]; then
    [ $# -ge 1 ] || fail "usage: kafka-tool.sh NAME [ARGUMENT...]"
    name=$1
    shift
fi
case $name in
kafka-acls.sh) class=org.apache.kafka.tools.AclCommand ;;
kafka-configs.sh) class=kafka.admin.ConfigCommand ;;
kafka-consumer-groups.sh) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
kafka-delete-records.sh) class=org.apache.kafka.tools.DeleteRecordsCommand ;;
kafka-log-dirs.sh) class=org.apache.kafka.tools.LogDirsCommand ;;
kafka-topics.sh) class=org.apache.kafka.tools.TopicCommand ;;
*) fail "no tool $name here; see the list in $script" ;;
esac
# These end within a second: a compiler that takes its time would only take ours.
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.configurationFile="$here/kafka/tools-log4j2.properties" \
    -cp "$("$here/kafka-jars.sh")/*" "$class" "$@"
