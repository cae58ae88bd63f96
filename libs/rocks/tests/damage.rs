//! Whatever happens to the files of an image, it is either set aside or holds the state at the offset it covers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{check, open, write};
use rocks::{Opened, SetAsideReason};
use state::{Image, ImageError};
use tempfile::TempDir;

const WRITES: u64 = 700;

/// An image with tables, a manifest that names them, and writes that are only in the log.
fn image() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("3");
    fill(&dir);
    root
}

/// As [`image`], but its birth is in a table of its own.
fn image_born_earlier() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("3");
    drop(open(&dir));
    fill(&dir);
    root
}

fn fill(dir: &Path) {
    let (mut image, _) = open(dir);
    (0..WRITES).for_each(|_| write(&mut image).unwrap());
    drop(image);
    for kind in [".sst", ".log", "MANIFEST"] {
        assert!(
            sizes(dir, kind).iter().any(|(_, size)| *size > 0),
            "no {kind} to damage"
        );
    }
}

/// The files whose name contains `kind`, with their sizes.
fn sizes(dir: &Path, kind: &str) -> Vec<(String, usize)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<(String, usize)> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name.contains(kind))
        .map(|(name, path)| (name, usize::try_from(path.metadata().unwrap().len()).unwrap()))
        .collect();
    files.sort();
    files
}

fn copy(from: &Path) -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("3");
    fs::create_dir(&dir).unwrap();
    for (name, _) in sizes(from, "") {
        fs::copy(from.join(&name), dir.join(&name)).unwrap();
    }
    (root, dir)
}

#[derive(Debug, Default)]
struct Tally {
    set_aside: u32,
    corrupt_in_use: u32,
    /// A whole state, maybe an older one.
    whole: u32,
    oldest: Option<u64>,
}

impl Tally {
    /// Damages a copy of `from` and looks what becomes of it.
    fn probe(&mut self, from: &Path, what: &str, damage: impl FnOnce(&Path)) {
        let (_root, dir) = copy(from);
        damage(&dir);
        let (image, opened) = open(&dir);
        let checked = check(&image);
        let covers = image.covers();
        drop(image);
        match (opened, checked) {
            (Opened::SetAside { reason, .. }, Ok(())) => {
                assert!(matches!(reason, SetAsideReason::Damaged(_)), "{what}: {reason}");
                assert_eq!(covers, 0);
                self.set_aside += 1;
            }
            (Opened::Kept, Err(ImageError::Corrupt(_))) => {
                self.corrupt_in_use += 1;
                let (image, again) = open(&dir);
                assert!(
                    matches!(again, Opened::SetAside { .. }),
                    "{what}: damage was forgotten: {again:?}"
                );
                check(&image).unwrap();
            }
            (Opened::Kept, Ok(())) => {
                self.whole += 1;
                self.oldest = Some(self.oldest.map_or(covers, |oldest| oldest.min(covers)));
            }
            (opened, checked) => panic!("{what}: {opened:?}, {checked:?}"),
        }
    }

    fn found(&self) -> u32 {
        self.set_aside + self.corrupt_in_use
    }
}

/// Places to damage in so many bytes: some all over, and the last ones, where tables have their footer.
fn places(size: usize, count: usize) -> Vec<usize> {
    let all_over = (0..count).map(|nth| nth * size / count + nth % 7);
    let mut places: Vec<usize> = all_over
        .chain(size.saturating_sub(6)..size)
        .filter(|at| *at < size)
        .collect();
    places.dedup();
    places
}

fn flip_each(from: &Path, kind: &str, count: usize) -> Tally {
    let mut tally = Tally::default();
    for (name, size) in sizes(from, kind) {
        for at in places(size, count) {
            tally.probe(from, &format!("{name} flipped at {at} of {size}"), |dir| {
                let mut bytes = fs::read(dir.join(&name)).unwrap();
                bytes[at] ^= 0x10;
                fs::write(dir.join(&name), bytes).unwrap();
            });
        }
    }
    tally
}

fn truncate_each(from: &Path, kind: &str, count: usize) -> Tally {
    let mut tally = Tally::default();
    for (name, size) in sizes(from, kind) {
        for at in places(size, count) {
            tally.probe(from, &format!("{name} truncated at {at} of {size}"), |dir| {
                let bytes = fs::read(dir.join(&name)).unwrap();
                fs::write(dir.join(&name), &bytes[..at]).unwrap();
            });
        }
    }
    tally
}

#[test]
fn undamaged_it_is_whole() {
    let root = image();
    let mut tally = Tally::default();
    tally.probe(&root.path().join("3"), "nothing", |_| ());
    assert_eq!((tally.whole, tally.oldest), (1, Some(WRITES)));
}

#[test]
fn a_flipped_byte_in_a_table_is_found() {
    let root = image();
    let tally = flip_each(&root.path().join("3"), ".sst", 8);
    assert!(tally.found() > tally.whole && tally.corrupt_in_use > 0, "{tally:?}");
}

#[test]
fn a_truncated_table_is_found() {
    let root = image();
    let tally = truncate_each(&root.path().join("3"), ".sst", 3);
    assert!(tally.found() > 0 && tally.whole == 0, "{tally:?}");
}

#[test]
fn a_flipped_byte_in_the_manifest_is_found() {
    let root = image();
    let tally = flip_each(&root.path().join("3"), "MANIFEST", 60);
    assert!(tally.set_aside > 0, "{tally:?}");
}

#[test]
fn a_manifest_that_lost_its_end_is_found() {
    for root in [image(), image_born_earlier()] {
        let tally = truncate_each(&root.path().join("3"), "MANIFEST", 80);
        assert!(tally.set_aside > 60, "{tally:?}");
    }
}

#[test]
fn a_damaged_log_gives_an_older_state() {
    let root = image();
    let from = root.path().join("3");
    let (flipped, truncated) = (flip_each(&from, ".log", 30), truncate_each(&from, ".log", 30));
    for tally in [flipped, truncated] {
        assert!(tally.oldest.is_some_and(|oldest| oldest < WRITES), "{tally:?}");
    }
}

#[test]
fn a_missing_file_is_found() {
    let root = image();
    let from = root.path().join("3");
    let mut tally = Tally::default();
    for (name, _) in sizes(&from, "") {
        tally.probe(&from, &format!("{name} missing"), |dir| {
            fs::remove_file(dir.join(&name)).unwrap()
        });
    }
    assert!(tally.set_aside >= 3, "{tally:?}");
}
