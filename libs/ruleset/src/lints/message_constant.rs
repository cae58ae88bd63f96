use super::{Lint, Subject};
use crate::error::Fault;

pub(super) struct MessageConstant;

impl Lint for MessageConstant {
    fn name(&self) -> &'static str {
        "message-constant"
    }

    fn about(&self) -> &'static str {
        "a message without a `{field}`: who is called at night cannot tell one alert from the next"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        if subject.rule.message.fields().next().is_some() {
            return Vec::new();
        }
        let message = "the message names nothing of the event, so every alert of the rule reads the same";
        vec![Fault::new(subject.places.message.clone(), message)]
    }
}
