#!/usr/bin/env bash
# Fetches Apache Kafka, as pinned in kafka/pom.xml, from Maven Central into the cache, once.
#
# Usage: kafka-jars.sh
# Prints the directory of the jars. Needs Java and Maven (packages.sh kafka).
# Exit: 0 the jars are there; 1 they could not be fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"

version=$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' "$here/kafka/pom.xml")
# By what is asked for, too: a cache of an earlier list of jars is not taken for this one.
libs="$tidewatch_cache/kafka/$version-$(cksum <"$here/kafka/pom.xml" | cut -d' ' -f1)/libs"

if [ ! -d "$libs" ]; then
    say "fetching Apache Kafka $version (about 45 MB)"
    mkdir -p "${libs%/libs}"
    # Renamed when whole: an interrupted fetch, or two at once, never leave half a set of jars under the final name.
    partial=$(mktemp -d "${libs%/libs}/partial.XXXXXX")
    trap 'rm -rf "$partial"' EXIT
    download "Apache Kafka $version" mvn --batch-mode --quiet -Dstyle.color=never --strict-checksums --file "$here/kafka/pom.xml" \
        dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$partial/libs"
    mv -T "$partial/libs" "$libs" 2>/dev/null || [ -d "$libs" ] || fail "cannot write to $libs"
fi
echo "$libs"
