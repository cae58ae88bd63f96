use crate::DecodeError;

/// One write to correlate's state: the record of `detector.changelog` has the store key as its key.
///
/// The record's value is a version byte, a CRC-32 (ISO-HDLC, big endian) of key and value, and the value; a removal
/// is a null value, so that compaction forgets the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The store key.
    pub key: Box<[u8]>,
    /// The new value; `None` removes the key.
    pub value: Option<Box<[u8]>>,
}

const VERSION: u8 = 1;
const WHAT: &str = "state change";

impl StateChange {
    /// The value of the changelog record.
    pub fn encode_value(&self) -> Option<Vec<u8>> {
        let value = self.value.as_ref()?;
        let mut bytes = Vec::with_capacity(5 + value.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&checksum(&self.key, value).to_be_bytes());
        bytes.extend_from_slice(value);
        Some(bytes)
    }

    /// Reads a record of `detector.changelog`.
    ///
    /// # Errors
    /// If the value is cut short, of a newer version, or not the one that was written for this key.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, DecodeError> {
        let Some(bytes) = value else {
            return Ok(Self {
                key: key.into(),
                value: None,
            });
        };
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Short { what: WHAT })?;
        if *version != VERSION {
            return Err(DecodeError::Version {
                what: WHAT,
                version: *version,
            });
        }
        let (written, value) = rest.split_first_chunk::<4>().ok_or(DecodeError::Short { what: WHAT })?;
        if u32::from_be_bytes(*written) != checksum(key, value) {
            return Err(DecodeError::Damaged { what: WHAT });
        }
        Ok(Self {
            key: key.into(),
            value: Some(value.into()),
        })
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(value);
    crc.finalize()
}
