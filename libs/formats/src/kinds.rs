//! Every format: a file in this folder and a line in [`FORMATS`].

mod combined;
mod json;
mod logtide;
mod sshd;
mod windows;

use crate::{Context, Draft, Rejection};

/// Every input format, in the order in which `auto` asks them: the more particular first.
pub const FORMATS: &[&dyn Format] = &[
    &logtide::Logtide,
    &windows::Windows,
    &json::Json,
    &sshd::Sshd,
    &combined::Combined,
];

/// One way to write events.
pub trait Format: Sync {
    /// The word used in configuration, in metrics and in the event's `format`.
    fn name(&self) -> &'static str;

    /// The fields that it writes into metadata under names of its own. None of a JSON format: there the names are the
    /// producer's.
    fn metadata(&self) -> &'static [&'static str];

    /// Whether `record` looks like this format. Cheap, and no promise that it can be read.
    fn recognises(&self, record: &[u8]) -> bool;

    /// What one record says. Callers use [`crate::Choice::decode`], which checks the limits before and applies the
    /// rules of the canonical form after.
    ///
    /// # Errors
    /// If the record is not of this format.
    fn read(&self, record: &[u8], context: &Context) -> Result<Draft, Rejection>;
}

/// The fields in metadata that Tidewatch itself writes, whatever the format; a name may stand here twice.
pub fn metadata_fields() -> impl Iterator<Item = &'static str> {
    let of_formats = FORMATS.iter().flat_map(|format| format.metadata());
    of_formats.chain(crate::normalise::METADATA).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    #![allow(clippy::disallowed_methods, reason = "the test looks into the folder of the formats")]

    use std::collections::BTreeSet;

    use super::FORMATS;

    #[test]
    fn the_folder_and_the_list_agree() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kinds");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let names: BTreeSet<String> = FORMATS.iter().map(|format| format.name().to_owned()).collect();
        assert_eq!(files, names);
        assert_eq!(names.len(), FORMATS.len(), "two formats have one name");
    }
}
