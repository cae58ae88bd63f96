use event::Timestamp;

use crate::Clock;
use crate::value::{from_sortable, sortable};

/// A moment at which a key wants to be woken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// The watermark it waits for.
    pub clock: Clock,
    /// It is due when that watermark is later than this.
    pub wake_after: Timestamp,
    /// The store key.
    pub key: Box<[u8]>,
}

impl Timer {
    /// Bytes that sort as timers do: clock, time, key.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(9 + self.key.len());
        bytes.push(self.clock.0);
        bytes.extend_from_slice(&sortable(self.wake_after));
        bytes.extend_from_slice(&self.key);
        bytes
    }

    /// Reads what [`Timer::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (clock, rest) = bytes.split_first()?;
        let (wake_after, key) = rest.split_first_chunk::<8>()?;
        Some(Self {
            clock: Clock(*clock),
            wake_after: from_sortable(*wake_after),
            key: key.into(),
        })
    }
}

/// Why the image failed, by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Set the image aside and rebuild it from the changelog.
    #[error("state image is damaged: {0}")]
    Corrupt(String),
    /// Hand the partition back: the disk does not take or give bytes now.
    #[error("state image cannot be used: {0}")]
    Unavailable(String),
}

/// One write to the image: a state key with its new value and the timers that come and go with it.
#[derive(Debug, Default)]
pub struct ImageWrite<'a> {
    /// Keys with their new values; `None` removes the key.
    pub values: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// Timers to add.
    pub arm: Vec<Timer>,
    /// Timers to remove.
    pub disarm: Vec<Timer>,
    /// The changelog offset up to which the image is complete with this write.
    pub covers: u64,
}

/// The port to the image of one partition's state on disk: always a state that was committed, maybe an old one.
pub trait Image {
    /// The value of a key.
    ///
    /// # Errors
    /// If the disk fails or a checksum does not fit.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError>;

    /// At most `limit` timers later than `after` and earlier than `before`, in order.
    ///
    /// # Errors
    /// As [`Image::get`].
    fn timers(&self, after: &Timer, before: &Timer, limit: usize) -> Result<Vec<Timer>, ImageError>;

    /// Applies a write whole or not at all, even if the process is killed in the middle.
    ///
    /// # Errors
    /// As [`Image::get`].
    fn write(&mut self, write: &ImageWrite<'_>) -> Result<(), ImageError>;

    /// The changelog offset up to which the image is complete; 0 for a new one.
    fn covers(&self) -> u64;

    /// Whether it keeps what is written, so that the memory map may forget it.
    fn keeps(&self) -> bool {
        true
    }
}

/// No image: all state is in memory, and a restart replays the whole changelog. For demo, scan and rule tests.
#[derive(Debug, Default)]
pub struct NoImage;

impl Image for NoImage {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        Ok(None)
    }

    fn timers(&self, _: &Timer, _: &Timer, _: usize) -> Result<Vec<Timer>, ImageError> {
        Ok(Vec::new())
    }

    fn write(&mut self, _: &ImageWrite<'_>) -> Result<(), ImageError> {
        Ok(())
    }

    fn covers(&self) -> u64 {
        0
    }

    fn keeps(&self) -> bool {
        false
    }
}
