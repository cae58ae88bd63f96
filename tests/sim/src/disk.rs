use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use detector::Images;
use state::{Image, ImageError, ImageWrite, Timer};

/// The disk of one instance: it survives the process, and knows only what the process wrote.
#[derive(Clone, Default)]
pub(crate) struct SimDisk {
    images: Rc<RefCell<BTreeMap<u32, Content>>>,
}

#[derive(Clone, Default)]
struct Content {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    timers: BTreeSet<Timer>,
    covers: u64,
}

/// The image of one partition on a [`SimDisk`].
pub(crate) struct SimImage {
    disk: SimDisk,
    partition: u32,
}

impl Images for SimDisk {
    type Image = SimImage;

    fn open(&mut self, partition: u32) -> Result<SimImage, ImageError> {
        self.images.borrow_mut().entry(partition).or_default();
        Ok(SimImage {
            disk: self.clone(),
            partition,
        })
    }

    fn discard(&mut self, partition: u32, image: SimImage) -> Result<SimImage, ImageError> {
        self.images.borrow_mut().insert(partition, Content::default());
        Ok(image)
    }
}

impl SimImage {
    fn with<T>(&self, read: impl FnOnce(&Content) -> T) -> T {
        read(
            self.disk
                .images
                .borrow()
                .get(&self.partition)
                .unwrap_or(&Content::default()),
        )
    }
}

impl Image for SimImage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        Ok(self.with(|content| content.values.get(key).cloned()))
    }

    fn timers(&self, after: &Timer, before: &Timer, limit: usize) -> Result<Vec<Timer>, ImageError> {
        let between = |content: &Content| {
            content
                .timers
                .iter()
                .filter(|timer| after < *timer && *timer < before)
                .take(limit)
                .cloned()
                .collect()
        };
        Ok(self.with(between))
    }

    fn write(&mut self, write: &ImageWrite<'_>) -> Result<(), ImageError> {
        let mut images = self.disk.images.borrow_mut();
        let content = images.entry(self.partition).or_default();
        for (key, value) in &write.values {
            match value {
                Some(value) => content.values.insert(key.to_vec(), value.to_vec()),
                None => content.values.remove(*key),
            };
        }
        write.disarm.iter().for_each(|timer| drop(content.timers.take(timer)));
        content.timers.extend(write.arm.iter().cloned());
        content.covers = write.covers;
        Ok(())
    }

    fn covers(&self) -> u64 {
        self.with(|content| content.covers)
    }
}
