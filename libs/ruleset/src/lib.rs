//! Rules as text to one typed form: [`load`] takes rule files, and the engine sees [`Rule`]s that know no syntax.
//!
//! Text comes in and no file is opened. Whatever the text is, reading it ends soon, without a panic and within
//! declared bounds; what cannot be understood is refused with its place, because a rule that is half understood is a
//! rule that is silently off.

mod error;
mod meaning;
mod message;
mod predicate;
mod query;
mod rule;
mod rule_file;
mod stages;
mod test_case;

pub use error::{Place, RuleError, RuleWarning};
pub use message::{Message, MessagePart};
pub use predicate::{Comparison, Literal, Pattern as RegexPattern, Predicate, Test, TextPattern};
pub use rule::{CountPattern, JoinPattern, Mode, Order, Pattern, Rule, RuleSet, Threshold, Timing};
pub use rule_file::{Loaded, RuleFile, load, parse};
pub use test_case::{Expectation, RuleTest};
