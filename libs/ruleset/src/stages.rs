//! The stages of a query. To add one: a file in `stages/`, and a line in [`STAGES`].

mod avg;
mod count;
mod count_distinct;
mod every_match;
mod grace;
mod group_by;
mod join;
mod keep_alive;
mod lateness;
mod max;
mod min;
mod new_value;
mod percentile;
mod sequence;
mod session;
mod sum;
mod suppress;
mod r#where;
mod window;
mod within;
mod without;

use std::ops::Range;
use std::time::Duration;

use crate::Aggregate;
use crate::error::{Fault, Given};
use crate::query::{Bounds, Computed, Cursor, Domain, Draft, duration, field_name, limit};

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
pub(crate) const STAGES: [&dyn Stage; 21] = [
    &r#where::Where,
    &window::Window,
    &session::Session,
    &group_by::GroupBy,
    &count::Count,
    &count_distinct::CountDistinct,
    &sum::Sum,
    &avg::Avg,
    &min::Min,
    &max::Max,
    &percentile::Percentile,
    &join::Join,
    &without::Without,
    &sequence::Sequence,
    &new_value::NewValue,
    &within::Within,
    &suppress::Suppress,
    &every_match::EveryMatch,
    &keep_alive::KeepAlive,
    &grace::Grace,
    &lateness::Lateness,
];

/// The span that follows the word of a stage.
fn span(cursor: &mut Cursor, at: Range<usize>, stage: &dyn Stage, bounds: &Bounds) -> Result<Given<Duration>, Fault> {
    let value = bare_span(cursor, stage, bounds)?;
    Ok(Given { value, at })
}

fn bare_span(cursor: &mut Cursor, stage: &dyn Stage, bounds: &Bounds) -> Result<Duration, Fault> {
    let (written, at) = cursor.word(&format!("a span of time, as in `{}`", stage.usage()))?;
    duration(written, &at, bounds)
}

/// `within W` at the end of another stage, or that end, where `expected` could stand as well.
fn inner_within(cursor: &mut Cursor, draft: &mut Draft, expected: &str) -> Result<(), Fault> {
    let at = cursor.here();
    if cursor.keyword("within") {
        return within::Within.parse(cursor, at, draft);
    }
    cursor.finish(expected)
}

/// What follows the word of a stage that computes something of a field: `(field) > 5`.
fn computed_of_field(
    cursor: &mut Cursor,
    stage: &dyn Stage,
    domain: Domain,
    aggregate: fn(String) -> Aggregate,
) -> Result<Computed, Fault> {
    cursor.open(&format!("`(` and a field, as in `{}`", stage.usage()))?;
    let (name, at) = cursor.word("a field")?;
    let field = field_name(name, &at, cursor.notes)?;
    cursor.close()?;
    Ok(Computed {
        name: stage.spelled(),
        aggregate: aggregate(field),
        limit: limit(cursor, stage.usage(), domain)?,
        threshold: None,
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
            assert!(
                text.contains(&format!("| `{}` |", stage.usage().replace('|', "\\|"))),
                "{}",
                stage.usage()
            );
        }
    }

    #[test]
    fn every_usage_begins_with_the_words_of_its_stage() {
        for stage in STAGES {
            assert!(stage.usage().starts_with(stage.spelled()), "{}", stage.usage());
        }
    }
}
