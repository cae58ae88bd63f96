//! Rules as text, in the pipe language or as Sigma, to one typed form.

mod message;
mod predicate;
mod rule;
mod test_case;

pub use message::{Message, MessagePart};
pub use predicate::{Comparison, Literal, Pattern as RegexPattern, Predicate, Test, TextPattern};
pub use rule::{CountPattern, JoinPattern, Mode, Order, Pattern, Rule, RuleSet, Threshold, Timing};
pub use test_case::{Expectation, RuleTest};
