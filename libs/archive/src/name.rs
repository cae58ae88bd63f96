use broker::TopicPartition;
use event::Timestamp;

/// The name of a segment's object, of its tier, the hour in which its first record was appended, its partition and its
/// first offset:
///
/// ```text
/// tier=security/date=2026-01-01/hour=00/events.security+00003+00000000000001234567.jsonl.zst
/// ```
///
/// The end is not in it: two writers that cut a stretch at different ends want the same name, and one of them gets it.
pub fn data_name(
    tier: &str,
    partition: &TopicPartition,
    first_offset: u64,
    first_append: Timestamp,
    format: &str,
) -> String {
    let TopicPartition { topic, partition } = partition;
    let moment = jiff::Timestamp::from_millisecond(first_append.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let hour = moment.strftime("date=%Y-%m-%d/hour=%H");
    format!("tier={tier}/{hour}/{topic}+{partition:05}+{first_offset:020}.{format}")
}

/// The name of a segment's manifest: `manifest/security/events.security+00003/00000000000001234567.json`.
pub fn manifest_name(tier: &str, partition: &TopicPartition, first_offset: u64) -> String {
    format!("{}{first_offset:020}.json", manifest_prefix(tier, partition))
}

/// What the names of all manifests of a partition begin with. In order of their names they are in order of offsets.
pub fn manifest_prefix(tier: &str, partition: &TopicPartition) -> String {
    let TopicPartition { topic, partition } = partition;
    format!("manifest/{tier}/{topic}+{partition:05}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_no_date_still_gives_a_name() {
        let place = TopicPartition::new("facts", 70_000);
        let name = data_name("facts", &place, 7, Timestamp::MAX, "jsonl.zst");
        assert_eq!(
            name,
            "tier=facts/date=1970-01-01/hour=00/facts+70000+00000000000000000007.jsonl.zst"
        );
    }
}
