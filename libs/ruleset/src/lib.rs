//! Rules as text to one typed form: [`load`] takes rule files, and the engine sees [`Rule`]s that know no syntax.
//!
//! Text comes in and no file is opened. Whatever the text is, reading it ends soon, without a panic and within
//! declared bounds; what cannot be understood is refused with its place, because a rule that is half understood is a
//! rule that is silently off.

mod chains;
mod error;
mod lints;
mod meaning;
mod message;
mod pattern;
mod predicate;
mod query;
mod rule;
mod rule_file;
mod sigma;
mod stages;
mod test_case;
mod text_pattern;

pub use error::{Place, RuleError, RuleWarning};
pub use message::{Message, MessagePart};
pub use pattern::{
    AbsencePattern, Aggregate, AggregatePattern, CountPattern, JoinPattern, Limit, NewValuePattern, Order, Pattern,
    SequencePattern, Side, Step, Threshold, Window,
};
pub use predicate::{CalendarPart, Comparison, Literal, Predicate, RegexPattern, Relation, Test};
pub use rule::{Mode, Rule, RuleSet, Timing};
pub use rule_file::{Checked, FILE_BYTES_MAX, Loaded, RuleFile, check, load, parse, schema};
pub use test_case::{Expectation, RuleTest, TestEvent};
pub use text_pattern::{Piece, TextPattern};
