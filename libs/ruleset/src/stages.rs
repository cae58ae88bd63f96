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
    let field = field_name(name, &at)?;
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

    fn documentation() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
        std::fs::read_to_string(path).expect("the documentation is there")
    }

    /// The lines of the examples, which `tests/guide.rs` loads.
    fn examples(text: &str) -> Vec<&str> {
        let blocks = text.split("```query\n").skip(1);
        let inside = blocks.map(|block| block.split("```").next().unwrap_or_default());
        inside.flat_map(str::lines).collect()
    }

    #[test]
    fn the_table_of_stages_is_the_list_as_it_is_told_in_messages() {
        let text = documentation();
        let table = text
            .split("| stage | what it does |\n|---|---|\n")
            .nth(1)
            .expect("there is one");
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let documented: Vec<String> = rows
            .map(|row| {
                let usage = row.trim_start_matches("| `").split("` | ").next().unwrap_or_default();
                usage.replace("\\|", "|")
            })
            .collect();
        assert_eq!(documented, STAGES.map(Stage::usage));
    }

    /// Fails unless one of the texts has each of the pieces.
    fn check_examples(texts: &[&str], pieces: &[&str]) {
        for piece in pieces {
            assert!(texts.iter().any(|text| text.contains(piece)), "{piece} has no example");
        }
    }

    #[test]
    fn every_stage_and_every_operator_has_an_example() {
        let text = documentation();
        let examples = examples(&text);
        let parts: Vec<&str> = examples.iter().flat_map(|line| line.split(" | ")).collect();
        for stage in STAGES {
            let found = parts.iter().any(|part| part.starts_with(stage.spelled()));
            assert!(found, "{} has no example", stage.spelled());
        }
        let (wheres, others): (Vec<&str>, Vec<&str>) = parts.iter().partition(|part| part.starts_with("where "));
        let comparisons = [" = ", " != ", " < ", " <= ", " > ", " >= "];
        check_examples(&wheres, &comparisons);
        check_examples(&others, &comparisons);
        check_examples(
            &wheres,
            &[
                " ~ ",
                " !~ ",
                " in (",
                " not in (",
                " like ",
                " exists",
                " not exists",
                " field(",
            ],
        );
        check_examples(&wheres, &["hour", "weekday", " in timezone ", " AND ", " OR ", "NOT "]);
    }

    #[test]
    fn every_form_of_a_value_and_of_a_stage_has_an_example() {
        let text = documentation();
        let examples = examples(&text);
        let filters: Vec<&str> = examples
            .iter()
            .map(|line| line.split(" | ").next().unwrap_or_default())
            .collect();
        check_examples(
            &filters,
            &[
                ":\"", ":*", "*", "?", ":(", ", ", " OR ", " AND ", "NOT ", "alert:", "service:",
            ],
        );
        check_examples(&filters, &[":[", ":{", " TO *]", ":>=", "/8", "::/32", ":/^"]);
        check_examples(
            &examples,
            &[
                " tumbling",
                " every ",
                ") before on ",
                ") after on ",
                ") then on ",
                ") around ",
            ],
        );
        check_examples(
            &examples,
            &[
                ") then (",
                ") and (",
                " on target_id = user_id ",
                " by target_id = user_id = user_id ",
            ],
        );
    }

    #[test]
    fn every_usage_begins_with_the_words_of_its_stage() {
        for stage in STAGES {
            assert!(stage.usage().starts_with(stage.spelled()), "{}", stage.usage());
        }
    }
}
