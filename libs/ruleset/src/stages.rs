//! The stages of a query. To add one: a file in `stages/`, and a line in [`STAGES`].

mod count;
mod grace;
mod group_by;
mod join;
mod keep_alive;
mod lateness;
mod r#where;
mod window;
mod within;

use std::ops::Range;
use std::time::Duration;

use crate::error::{Fault, Given};
use crate::query::{Bounds, Cursor, Draft, duration};

/// One kind of stage.
pub(crate) trait Stage: Sync {
    /// The words it begins with.
    fn spelled(&self) -> &'static str;

    /// How it is written, for messages and for the documentation.
    fn usage(&self) -> &'static str;

    /// Reads what follows its first word, which stands `at`, into the draft.
    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault>;
}

/// Every stage.
pub(crate) const STAGES: [&dyn Stage; 9] = [
    &r#where::Where,
    &window::Window,
    &group_by::GroupBy,
    &count::Count,
    &join::Join,
    &within::Within,
    &keep_alive::KeepAlive,
    &grace::Grace,
    &lateness::Lateness,
];

/// The span that follows the word of a stage.
fn span(cursor: &mut Cursor, at: Range<usize>, stage: &dyn Stage, bounds: &Bounds) -> Result<Given<Duration>, Fault> {
    let (written, written_at) = cursor.word(&format!("a span of time, as in `{}`", stage.usage()))?;
    Ok(Given {
        value: duration(written, &written_at, bounds)?,
        at,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the folder is compared with the list")]

    use super::*;

    #[test]
    fn every_file_is_a_stage_in_the_list_and_its_name_is_its_word() {
        let folder =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/stages")).expect("the folder is there");
        let mut files: Vec<String> = folder
            .map(|entry| {
                entry
                    .expect("the folder can be read")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        files.sort();
        let mut listed: Vec<String> = STAGES
            .iter()
            .map(|stage| stage.spelled().replace(' ', "_") + ".rs")
            .collect();
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn every_stage_is_documented_as_it_is_told_in_messages() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
        let text = std::fs::read_to_string(path).expect("the documentation is there");
        for stage in STAGES {
            assert!(text.contains(&format!("| `{}` |", stage.usage())), "{}", stage.usage());
        }
    }

    #[test]
    fn every_usage_begins_with_the_words_of_its_stage() {
        for stage in STAGES {
            assert!(stage.usage().starts_with(stage.spelled()), "{}", stage.usage());
        }
    }
}
