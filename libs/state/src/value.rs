use event::Timestamp;

/// Which watermark a timer waits for: the set of source topics whose slowest partition counts, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clock(pub u8);

/// A stored value: when its key wants to be woken, and bytes that only its owner understands.
///
/// Format: the clock (1 byte), the time (i64, big endian, sign bit flipped so that bytes sort as times), the payload.
/// A value that waits for nothing has the greatest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// The watermark that wakes it.
    pub clock: Clock,
    /// It is woken when that watermark is later than this.
    pub wake_after: Timestamp,
    /// The owner's bytes.
    pub payload: &'a [u8],
}

impl<'a> Value<'a> {
    /// The bytes of the value.
    pub fn encode(&self) -> Box<[u8]> {
        let mut bytes = Vec::with_capacity(9 + self.payload.len());
        bytes.push(self.clock.0);
        bytes.extend_from_slice(&sortable(self.wake_after));
        bytes.extend_from_slice(self.payload);
        bytes.into_boxed_slice()
    }

    /// Reads a value. `None` if it is too short to be one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (clock, rest) = bytes.split_first()?;
        let (wake_after, payload) = rest.split_first_chunk::<8>()?;
        Some(Self {
            clock: Clock(*clock),
            wake_after: from_sortable(*wake_after),
            payload,
        })
    }

    /// Whether it waits for a watermark at all.
    pub fn waits(&self) -> bool {
        self.wake_after != Timestamp::MAX
    }
}

/// Eight bytes that sort as the times do.
pub(crate) fn sortable(time: Timestamp) -> [u8; 8] {
    (time.as_millis().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(crate) fn from_sortable(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_millis((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_sort_as_times() {
        let times = [
            Timestamp::MIN,
            Timestamp::from_millis(-1),
            Timestamp::from_millis(0),
            Timestamp::MAX,
        ];
        assert!(times.map(sortable).is_sorted());
        assert_eq!(times.map(|time| from_sortable(sortable(time))), times);
    }

    #[test]
    fn a_value_comes_back() {
        let value = Value {
            clock: Clock(3),
            wake_after: Timestamp::from_millis(-5),
            payload: b"x",
        };
        assert_eq!(Value::decode(&value.encode()), Some(value));
        assert_eq!(Value::decode(b"12345678"), None);
    }
}
