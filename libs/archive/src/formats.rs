//! The containers that records are kept in. To add one: one file in `formats/`, one line in [`FORMATS`]. A manifest
//! names the format of its object, so segments of several formats stand side by side.

mod jsonl_zst;

use broker::Record;

/// Turns records into the bytes of an object, and back.
pub trait Format: Sync {
    /// Its name in manifests; also how the names of its objects end.
    fn name(&self) -> &'static str;

    /// The media type of its objects.
    fn content_type(&self) -> &'static str;

    /// A new object, with no record yet.
    fn encoder(&self) -> Box<dyn Encoder>;

    /// The records of an object, in order.
    fn decoder<'a>(&self, bytes: &'a [u8]) -> Decoder<'a>;
}

/// An object that is being written. Equal records make equal bytes.
pub trait Encoder: Send {
    /// Adds a record.
    fn add(&mut self, record: &Record);

    /// The bytes that the records take so far; less what is still within the compressor.
    fn bytes(&self) -> usize;

    /// The bytes of the object.
    fn finish(self: Box<Self>) -> Vec<u8>;
}

/// The records of an object, or what is wrong with its bytes; nothing comes after that.
pub type Decoder<'a> = Box<dyn Iterator<Item = Result<Record, String>> + 'a>;

/// Every format; the first is the one that is written.
pub const FORMATS: &[&dyn Format] = &[&jsonl_zst::JsonlZst];

/// The format of that name.
pub fn format_named(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the list is compared with the folder")]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats");
        let files: BTreeSet<_> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| {
                entry
                    .expect("readable")
                    .path()
                    .file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let listed: BTreeSet<_> = FORMATS.iter().map(|format| format.name().replace('.', "_")).collect();
        assert_eq!(files, listed);
    }
}
