//! The way in that both doors share: an entry becomes a record of `events.*` or of `dead-letters`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::{Error, Output, Publisher, TopicPartition};
use event::{Event, Raw, Reason, SourceTopic, Tier, topic};
use formats::{Choice, Context, Decoded, Limits, Note, Rejection};

use crate::Metrics;
use crate::metrics::Outcome;

/// What the log takes as one record: key, value and headers together.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 20;

/// What is kept of bytes that do not fit into a dead letter whole. JSON writes one byte as six at most.
const KEPT_BYTES: usize = RECORD_BYTES_MAX / 8;

/// Limits, and where records go.
pub(crate) struct Intake {
    limits: Limits,
    events: BTreeMap<Tier, Destination>,
    dead_letters: Destination,
}

struct Destination {
    topic: Arc<str>,
    partitions: u32,
}

/// An entry that is an event, on its way.
pub(crate) struct Admitted {
    /// The record.
    pub(crate) output: Output,
    /// It can be told from every other entry.
    pub(crate) identifiable: bool,
    /// The format it was read as.
    pub(crate) format: String,
    /// What was repaired or left out.
    pub(crate) notes: Vec<Note>,
}

/// What became of entries: counted when it is certain, not before.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    accepted: BTreeMap<String, u64>,
    rejected: BTreeMap<(&'static str, Reason), u64>,
    /// The accepted ones by the topic they go to.
    topics: BTreeMap<Arc<str>, u64>,
    notes: BTreeMap<Note, u64>,
    bytes: u64,
}

impl Intake {
    /// Asks how many partitions the topics have.
    pub(crate) fn new(publisher: &dyn Publisher, limits: Limits) -> Result<Self, Error> {
        let destination = |name: &str| {
            publisher.partition_count(name).map(|partitions| Destination {
                topic: name.into(),
                partitions,
            })
        };
        let events = Tier::ALL
            .into_iter()
            .map(|tier| Ok((tier, destination(SourceTopic::from(tier).name())?)));
        Ok(Self {
            limits,
            events: events.collect::<Result<_, Error>>()?,
            dead_letters: destination(topic::DEAD_LETTERS)?,
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Every partition of `events.*`.
    pub(crate) fn event_partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.events.values().flat_map(|destination| {
            (0..destination.partitions).map(|partition| TopicPartition::new(destination.topic.clone(), partition))
        })
    }

    /// Makes an event's record of an entry. `id` gives an id to an entry that brings none, and is told whether the
    /// entry is identifiable.
    ///
    /// # Errors
    /// If it is no event, or one too large for the log.
    pub(crate) fn admit(
        &self,
        choice: Choice,
        entry: &[u8],
        context: &Context,
        id: impl FnOnce(bool) -> String,
    ) -> Result<Admitted, Rejection> {
        let Decoded {
            mut event,
            identifiable,
            notes,
        } = choice.decode(entry, context)?;
        if event.event_id.is_empty() {
            event.event_id = id(identifiable);
        }
        let output = self.route(&event);
        if output.bytes() > RECORD_BYTES_MAX {
            let detail = format!(
                "its record has {} bytes; the most is {RECORD_BYTES_MAX}",
                output.bytes()
            );
            return Err(Rejection {
                reason: Reason::TooLarge,
                detail,
                format: choice.format(entry).map(|format| format.name()),
            });
        }
        Ok(Admitted {
            output,
            identifiable,
            format: event.format,
            notes,
        })
    }

    /// The record of an event.
    pub(crate) fn route(&self, event: &Event) -> Output {
        let destination = &self.events[&event.tier()];
        let (topic, partitions) = (destination.topic.clone(), destination.partitions);
        Output::keyed(topic, partitions, event.key().as_bytes(), event.encode())
    }

    /// The record of `dead-letters` for `bytes` that came from `origin`. Bytes that do not fit are cut, and the
    /// detail says so.
    pub(crate) fn dead_letter(&self, rejection: &Rejection, bytes: &[u8], origin: &str, context: &Context) -> Output {
        let mut letter = rejection.dead_letter(head(bytes, RECORD_BYTES_MAX), origin, context);
        let mut value = letter.encode();
        if bytes.len() > RECORD_BYTES_MAX || value.len() + origin.len() > RECORD_BYTES_MAX {
            let kept = head(bytes, KEPT_BYTES);
            letter.raw = Raw::new(kept);
            letter.detail = format!(
                "{} (the first {} of {} bytes are kept)",
                letter.detail,
                kept.len(),
                bytes.len()
            );
            value = letter.encode();
        }
        let Destination { topic, partitions } = &self.dead_letters;
        Output::keyed(topic.clone(), *partitions, origin.as_bytes(), value)
    }
}

/// The first bytes, at most `length`; text is not cut within a character.
fn head(bytes: &[u8], length: usize) -> &[u8] {
    let Some(head) = bytes.get(..length) else { return bytes };
    match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => &head[..error.valid_up_to()],
        Ok(_) | Err(_) => head,
    }
}

impl Tally {
    /// Gives back the record to write.
    pub(crate) fn admitted(&mut self, entry: &[u8], admitted: Admitted) -> Output {
        *self.accepted.entry(admitted.format).or_default() += 1;
        *self.topics.entry(admitted.output.topic.clone()).or_default() += 1;
        for note in admitted.notes {
            *self.notes.entry(note).or_default() += 1;
        }
        self.bytes += entry.len() as u64;
        admitted.output
    }

    pub(crate) fn rejected(&mut self, entry: &[u8], rejection: &Rejection) {
        let format = rejection.format.unwrap_or("unknown");
        *self.rejected.entry((format, rejection.reason)).or_default() += 1;
        self.bytes += entry.len() as u64;
    }

    /// Counts it: everything is written. All of it came through one door, of one tenant.
    pub(crate) fn written(&self, metrics: &Metrics, door: &str, tenant: &str) {
        for (topic, count) in &self.topics {
            metrics.written(door, tenant, topic, *count);
        }
        metrics.written(door, tenant, topic::DEAD_LETTERS, self.rejected.values().sum());
        for (format, count) in &self.accepted {
            metrics.events(format, Outcome::Accepted, *count);
        }
        for ((format, reason), count) in &self.rejected {
            metrics.events(format, Outcome::Rejected, *count);
            metrics.dead_letters(*reason, *count);
        }
        for (note, count) in &self.notes {
            metrics.notes(*note, *count);
        }
        metrics.entry_bytes.inc_by(self.bytes);
    }

    /// Counts it: nobody knows what is written.
    pub(crate) fn unknown(&self, metrics: &Metrics) {
        let rejected = self.rejected.iter().map(|((format, _), count)| (*format, *count));
        let accepted = self.accepted.iter().map(|(format, count)| (format.as_str(), *count));
        for (format, count) in accepted.chain(rejected) {
            metrics.events(format, Outcome::Unknown, count);
        }
    }
}

/// The partitions that records go to.
pub(crate) fn partitions_of(outputs: &[Output]) -> BTreeSet<TopicPartition> {
    outputs
        .iter()
        .map(|output| TopicPartition::new(output.topic.clone(), output.partition))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use broker::memory::{Keep, Log};
    use event::{DeadLetter, Reason, Timestamp, topic};
    use formats::{Choice, Context, Limits, Rejection};

    use super::{Intake, RECORD_BYTES_MAX};

    fn intake() -> Intake {
        let log = Log::new(|| Timestamp::from_millis(0));
        for name in topic::EVENTS {
            log.create_topic(name, 3, Keep::All);
        }
        log.create_topic(topic::DEAD_LETTERS, 1, Keep::All);
        Intake::new(&log, Limits::default()).unwrap()
    }

    fn letter(bytes: &[u8]) -> DeadLetter {
        let rejection = Rejection {
            reason: Reason::Malformed,
            detail: "no".to_owned(),
            format: None,
        };
        let output = intake().dead_letter(
            &rejection,
            bytes,
            "here",
            &Context::new("acme", Timestamp::from_millis(0)),
        );
        assert!(output.bytes() <= RECORD_BYTES_MAX, "{} bytes", output.bytes());
        DeadLetter::decode(&output.value.unwrap()).unwrap()
    }

    #[test]
    fn a_dead_letter_keeps_its_bytes_if_they_fit() {
        for bytes in [&b"garbage"[..], b"\xff\xfe\x00", &[b'x'; 1_000_000]] {
            let letter = letter(bytes);
            assert_eq!(letter.raw.bytes().unwrap(), bytes);
            assert_eq!(letter.detail, "no");
        }
    }

    #[test]
    fn a_dead_letter_of_any_bytes_fits_into_a_record() {
        let euros = "€".repeat(1 << 20);
        for bytes in [&[0; 1 << 20][..], &[b'"'; 20 << 20], &[0xff; 1 << 20], euros.as_bytes()] {
            let letter = letter(bytes);
            let kept = letter.raw.bytes().unwrap();
            assert!(bytes.starts_with(&kept));
            assert!(kept.len() > RECORD_BYTES_MAX / 8 - 4, "{} bytes are kept", kept.len());
            let said = format!("no (the first {} of {} bytes are kept)", kept.len(), bytes.len());
            assert_eq!(letter.detail, said);
        }
    }

    #[test]
    fn an_event_too_large_for_the_log_is_refused_here() {
        let quotes = r#"\""#.repeat(200_000);
        let entry = format!(r#"{{"message":"{quotes}","a":"{quotes}"}}"#);
        let context = Context::new("acme", Timestamp::from_millis(0));
        let refused = intake().admit(Choice::Auto, entry.as_bytes(), &context, |_| "id".to_owned());
        let rejection = refused.err().unwrap();
        assert_eq!((rejection.reason, rejection.format), (Reason::TooLarge, Some("json")));
    }
}
