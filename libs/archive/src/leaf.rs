use broker::{Record, TopicPartition};

use crate::{Digest, RecordError};

/// Appends the bytes of a record that are hashed, version `sr1`. Numbers are big endian, -1 is the length of a null:
///
/// ```text
/// "sr1" 00 | u16 length, topic | u32 partition | u64 offset | i64 timestamp in ms
///          | i32 length, key | i32 length, value | u16 count, headers: u16 length, name | i32 length, value
/// ```
///
/// # Errors
/// [`RecordError::Unrepresentable`] if a length does not fit; nothing usable is appended then.
pub fn encode_record(place: &TopicPartition, record: &Record, bytes: &mut Vec<u8>) -> Result<(), RecordError> {
    let unrepresentable = |what| RecordError::Unrepresentable {
        offset: record.offset,
        what,
    };
    bytes.extend_from_slice(b"sr1\0");
    push_short(bytes, place.topic.as_bytes()).ok_or_else(|| unrepresentable("topic"))?;
    bytes.extend_from_slice(&place.partition.to_be_bytes());
    bytes.extend_from_slice(&record.offset.to_be_bytes());
    bytes.extend_from_slice(&record.timestamp.as_millis().to_be_bytes());
    push_long(bytes, record.key.as_deref()).ok_or_else(|| unrepresentable("key"))?;
    push_long(bytes, record.value.as_deref()).ok_or_else(|| unrepresentable("value"))?;
    let count = u16::try_from(record.headers.len()).map_err(|_| unrepresentable("number of headers"))?;
    bytes.extend_from_slice(&count.to_be_bytes());
    for (name, value) in &record.headers {
        push_short(bytes, name.as_bytes()).ok_or_else(|| unrepresentable("header name"))?;
        push_long(bytes, Some(value)).ok_or_else(|| unrepresentable("header"))?;
    }
    Ok(())
}

fn push_short(bytes: &mut Vec<u8>, part: &[u8]) -> Option<()> {
    bytes.extend_from_slice(&u16::try_from(part.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(part);
    Some(())
}

fn push_long(bytes: &mut Vec<u8>, part: Option<&[u8]>) -> Option<()> {
    let length = part.map_or(Ok(-1), |part| i32::try_from(part.len())).ok()?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part.unwrap_or_default());
    Some(())
}

/// The leaf of an entry, as in RFC 6962 §2.1: SHA-256 over a zero byte and the entry.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}
