use std::ops::Range;

use super::{Stage, inner_within};
use crate::error::Fault;
use crate::query::{Cursor, Draft, Relation, inner_step, step_keys};
use crate::{SequencePattern, Step};

/// Fires when events of several kinds, equal in some fields, are near each other in time: in their order, or in any.
pub(crate) struct Sequence;

impl Stage for Sequence {
    fn spelled(&self) -> &'static str {
        "sequence"
    }

    fn usage(&self) -> &'static str {
        "sequence (security_event:login_failed | count >= 5) then (security_event:login_success) by user_id within 1h"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let mut kinds = vec![inner_step(cursor)?];
        let mut is_ordered = None;
        loop {
            let link_at = cursor.here();
            let then = cursor.keyword("then");
            if !then && !cursor.keyword("and") {
                break;
            }
            if *is_ordered.get_or_insert(then) != then {
                let message = "a sequence is in order, with `then`, or in any order, with `and`: not both";
                return Err(Fault::new(link_at, message));
            }
            kinds.push(inner_step(cursor)?);
            if kinds.len() > SequencePattern::STEPS_MAX {
                let message = format!("a sequence has at most {} steps", SequencePattern::STEPS_MAX);
                return Err(Fault::new(link_at, message));
            }
        }
        let Some(is_ordered) = is_ordered else {
            return Err(cursor.expected("`then (…)` or `and (…)`: a sequence has two steps at least"));
        };
        let keys = if cursor.keyword("by") {
            step_keys(cursor, "the key", kinds.len())?
        } else {
            vec![Vec::new(); kinds.len()]
        };
        let steps = kinds.into_iter().zip(keys).map(|((filter, enough), key)| Step {
            filter,
            key,
            at_least: enough.at_least,
        });
        let relation = Relation::Sequence {
            steps: steps.collect(),
            is_ordered,
        };
        inner_within(cursor, draft, "`then`, `and`, `by`, `within` or `|`")?;
        draft.relate(relation, at)
    }
}
