//! Match and correlate: facts in, decisions out.
//!
//! [`Matcher`] takes the bytes of an event and says which stateless rules fire and which facts the stateful ones need. [`Correlator`]
//! takes facts and ticks in the order of one facts partition and says how the state changes and which alerts follow.
//! Both are functions of what they are given: no clock, no randomness, no input or output. Equal records in equal
//! order give equal bytes.

mod absence;
mod aggregate;
mod alert;
mod case;
mod chain;
mod correlate;
mod count;
mod dispatch;
mod episode;
mod explain;
mod extract;
mod held;
mod join;
mod kept;
mod key_state;
mod matching;
mod metadata;
mod new_value;
mod opening;
mod operand;
#[cfg(test)]
mod oracle;
mod packed;
mod predicate;
mod proven;
mod sequence;
mod sightings;
mod sources;
mod subject;
mod text;
mod watermark;
mod window;

pub use correlate::{CorrelateTally, Correlator, Step};
pub use explain::{Answer, EpisodeView, Explained, Explainer, HeldView, KeyView};
pub use matching::{Matched, Matcher, RuleTally};
pub use packed::Facts;
pub use predicate::Truth;
pub use sources::SourceSet;
pub use watermark::{Progress, SourceCounts, effective_time};
