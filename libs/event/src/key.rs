use std::fmt;

use serde::{Deserialize, Serialize};

/// What state is kept by: a tenant and the canonical values of the group fields.
///
/// The bytes hold no field names and no rule, so the two sides of a join on differently named fields meet in one
/// partition. Format: for the tenant and for each value its length (u16, big endian) and its UTF-8 bytes. A value
/// longer than 65,535 bytes is cut there, at a character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(Box<[u8]>);

impl Key {
    /// The key of `values` within `tenant`.
    pub fn new<'a>(tenant: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut bytes = Vec::with_capacity(48);
        push(&mut bytes, tenant);
        values.into_iter().for_each(|value| push(&mut bytes, value));
        Self(bytes.into_boxed_slice())
    }

    /// The key whose bytes these are. Bytes that no key was made of have fewer parts, and are otherwise kept.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes a record carries as its key, and partitions are chosen by.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The tenant and the values, in order. Bytes that no key was made of end the list early.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let part = std::str::from_utf8(after.get(..length)?).ok()?;
            rest = &after[length..];
            Some(part)
        })
    }

    /// The values without the tenant, in order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.parts().skip(1)
    }
}

fn push(bytes: &mut Vec<u8>, part: &str) {
    let mut length = part.len().min(usize::from(u16::MAX));
    while !part.is_char_boundary(length) {
        length -= 1;
    }
    bytes.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(&part.as_bytes()[..length]);
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.parts()).finish()
    }
}

/// The partition of a key among `count`, as Kafka's Java clients choose it: `murmur2(key) & 0x7fffffff mod count`
/// (`org.apache.kafka.clients.producer.internals.BuiltInPartitioner`).
///
/// # Panics
/// If `count` is zero: a topic has at least one partition.
pub fn partition_of(key: &[u8], count: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % count
}

/// MurmurHash2 with Kafka's seed (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (data, expected) in cases {
            assert_eq!(
                murmur2(data).cast_signed(),
                expected,
                "{}",
                String::from_utf8_lossy(data)
            );
        }
    }

    #[test]
    fn parts_come_back() {
        let key = Key::new("acme", ["203.0.113.7", "", "käse"]);
        assert_eq!(key.parts().collect::<Vec<_>>(), ["acme", "203.0.113.7", "", "käse"]);
        assert_ne!(Key::new("a", ["bc"]), Key::new("ab", ["c"]));
    }

    #[test]
    fn a_value_too_long_is_cut_at_a_character() {
        let key = Key::new("t", ["é".repeat(40_000).as_str()]);
        assert_eq!(key.values().next().map(str::len), Some(65_534));
    }
}
