use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::{Key, Timestamp};

/// The first 128 bits of SHA-256 over length-prefixed parts, so that no two lists of parts hash the same bytes.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    let digest = sha.finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            /// 32 lower-case hexadecimal digits.
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return <[u8; 16]>::deserialize(deserializer).map(Self);
                }
                let text = String::deserialize(deserializer)?;
                from_hex(&text).map(Self).ok_or_else(|| serde::de::Error::custom(format_args!("`{text}` is not 32 hexadecimal digits")))
            }
        }
    };
}

fn from_hex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

hash_id! {
    /// What correlate folds duplicates by: the tenant's event id, at a fixed size.
    EventHash
}
hash_id! {
    /// What a rule means: equal for two rules that fire on the same events, whatever their titles and messages say.
    SemanticHash
}
hash_id! {
    /// The id of an episode, the same on every instance and on every replay.
    AlertId
}

hash_id! {
    /// What values are told apart by where only that matters, at a fixed size.
    ValueHash
}

impl ValueHash {
    /// The hash of texts in their order.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<&[u8]> = texts.into_iter().map(str::as_bytes).collect();
        Self(hash(&texts))
    }
}

impl EventHash {
    /// The hash of one tenant's event id.
    pub fn new(tenant: &str, event_id: &str) -> Self {
        Self(hash(&[tenant.as_bytes(), event_id.as_bytes()]))
    }
}

impl SemanticHash {
    /// The hash of a rule's meaning, given in a canonical text.
    pub fn new(meaning: &str) -> Self {
        Self(hash(&[meaning.as_bytes()]))
    }
}

impl AlertId {
    /// The id of the episode of `rule` for `key` that the event `opening` opened at the effective time `at`.
    pub fn new(tenant: &str, rule_id: &str, rule: SemanticHash, key: &Key, opening: &str, at: Timestamp) -> Self {
        let at = at.as_millis().to_be_bytes();
        Self(hash(&[
            tenant.as_bytes(),
            rule_id.as_bytes(),
            &rule.0,
            key.as_bytes(),
            opening.as_bytes(),
            &at,
        ]))
    }
}

/// The id of a record that brings none: its place in the topic it was read from, so it is the same on replay.
pub fn position_id(topic: &str, partition: u32, offset: u64) -> String {
    AlertId(hash(&[
        topic.as_bytes(),
        &partition.to_be_bytes(),
        &offset.to_be_bytes(),
    ]))
    .to_string()
}

/// The id of an entry that brings none but can be told from every other by its content and its place in the
/// request: a retry of the request gives the same id.
pub fn content_id(tenant: &str, content: &[u8], index: usize) -> String {
    AlertId(hash(&[tenant.as_bytes(), content, &(index as u64).to_be_bytes()])).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_not_run_together() {
        assert_ne!(EventHash::new("a", "bc"), EventHash::new("ab", "c"));
        assert_ne!(ValueHash::new(["a", "bc"]), ValueHash::new(["ab", "c"]));
    }

    #[test]
    fn hex_and_back() {
        let id = EventHash::new("default", "e-1");
        let text = serde_json::to_string(&id).expect("hexadecimal digits");
        assert_eq!(text.len(), 34);
        assert_eq!(
            serde_json::from_str::<EventHash>(&text).expect("it was just written"),
            id
        );
        assert!(serde_json::from_str::<EventHash>("\"xyz\"").is_err());
    }
}
