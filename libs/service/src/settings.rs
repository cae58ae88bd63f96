//! The configuration: read it, check it, hand over settings that are true.
//!
//! One file with a section per service, environment variables over it, defaults under it. What
//! this module promises:
//!
//! - every mistake is found in one run, each with its place: file or variable, and key;
//! - an unknown key is a mistake, because a key that does nothing is a setting somebody relies on;
//! - a secret is never shown;
//! - nothing is global: settings are values, passed to whoever needs them.
//!
//! ```
//! use service::settings::{Reader, Sources, Tree, read};
//! use std::time::Duration;
//!
//! struct Kafka {
//!     brokers: String,
//!     commit_interval: Duration,
//! }
//!
//! impl Kafka {
//!     fn read(reader: &mut Reader<'_>) -> Self {
//!         Self {
//!             brokers: reader.text("brokers", "brokers to start from, comma separated").required(),
//!             commit_interval: reader
//!                 .duration("commit_interval", "how often a transaction is committed")
//!                 .range(Duration::from_millis(10)..=Duration::from_mins(1))
//!                 .default(Duration::from_millis(100)),
//!         }
//!     }
//! }
//!
//! let variables = vec![("TIDEWATCH_KAFKA__BROKERS".into(), "127.0.0.1:9092".into())];
//! let tree = Tree::load(&Sources { file: None, variables })?;
//! let loaded = read(&tree, |reader| reader.section("kafka", "the log", Kafka::read))?;
//! assert_eq!(loaded.settings.brokers, "127.0.0.1:9092");
//! assert_eq!(loaded.settings.commit_interval, Duration::from_millis(100));
//! # Ok::<(), service::settings::Problems>(())
//! ```

mod key;
mod kind;
mod problem;
mod reader;
mod report;
mod secret;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;

pub use key::Key;
pub use kind::{DURATION_UNITS, Integer, SIZE_UNITS};
pub use problem::{Origin, Problem, Problems};
pub use reader::Reader;
pub use report::{Form, KeyDescription};
pub use secret::Secret;
pub use tree::{Sources, Tree};

use reader::Book;
use tree::Table;

/// Settings without a mistake, and what is worth saying about them.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What the given function made of the tree.
    pub settings: T,
    /// What is allowed and unwise.
    pub warnings: Vec<Problem>,
    /// The settings in force as YAML, each with its origin; secrets are `***`.
    pub effective: String,
}

/// Reads settings from a tree.
///
/// # Errors
/// All mistakes: those that the given function meets, and every key that it does not ask for.
pub fn read<T>(tree: &Tree, read: impl FnOnce(&mut Reader<'_>) -> T) -> Result<Loaded<T>, Problems> {
    let mut book = Book {
        problems: tree.problems.clone(),
        ..Book::default()
    };
    let settings = read_root(&mut book, &tree.root, tree.origin.clone(), read);
    for entry in &book.entries {
        let stray = tree::stray_variable_of(&entry.path);
        if tree.strays.contains(&stray) {
            let variable = tree::variable_of(&entry.path);
            book.problems.push(Problem {
                origin: Origin::Variable(stray.into()),
                path: entry.path.clone(),
                message: format!("not read: two underscores stand between levels, {variable}"),
            });
        }
    }
    if !book.problems.is_empty() {
        return Err(Problems(book.problems));
    }
    Ok(Loaded {
        settings,
        warnings: book.warnings,
        effective: report::effective(&book.entries),
    })
}

/// Every key that the given function would read, in its order.
pub fn describe<T>(read: impl FnOnce(&mut Reader<'_>) -> T) -> Vec<KeyDescription> {
    let mut book = Book {
        describing: true,
        ..Book::default()
    };
    read_root(&mut book, &Table::new(), Origin::Default, read);
    book.entries.into_iter().map(KeyDescription::from).collect()
}

fn read_root<T>(book: &mut Book, root: &Table, origin: Origin, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
    let mut reader = Reader {
        book,
        path: String::new(),
        origin,
        table: root,
        asked: BTreeSet::new(),
        missing: Vec::new(),
        depth: 0,
        only_with: None,
    };
    let settings = read(&mut reader);
    reader.finish();
    settings
}
