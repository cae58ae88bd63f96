use std::borrow::Cow;

use event::{AlertId, FieldValue, Key, Timestamp};
use ruleset::Rule;

use crate::subject::{Slots, Subject};

/// An alert that opens, as an event for the rules that read it.
pub(crate) struct Opening<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) tenant: &'a str,
    /// The alert's id.
    pub(crate) id: String,
    pub(crate) message: &'a str,
    /// The effective time of the event that opened it.
    pub(crate) time: Timestamp,
    pub(crate) of: Of<'a>,
}

/// What it has beside what every alert has.
pub(crate) enum Of<'a> {
    /// The fields that the rule groups by.
    Key(&'a Key),
    /// All that the one event has on which a stateless rule alerts.
    Event(&'a Subject<'a>, &'a Slots),
    /// The same, where that event is an alert itself.
    Alert(&'a Opening<'a>),
}

impl<'a> Opening<'a> {
    /// The alert of an episode.
    pub(crate) fn of_episode(rule: &'a Rule, key: &'a Key, id: AlertId, message: &'a str, time: Timestamp) -> Self {
        Self {
            rule,
            tenant: key.parts().next().unwrap_or_default(),
            id: id.to_string(),
            message,
            time,
            of: Of::Key(key),
        }
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<FieldValue<'_>> {
        match name {
            "event_id" => Some(self.id.as_str().into()),
            "tenant" => Some(self.tenant.into()),
            "rule_id" => Some(self.rule.id.as_str().into()),
            "severity" => Some(self.rule.severity.as_str().into()),
            "message" => Some(self.message.into()),
            "time" => Some(FieldValue::Text(self.time.to_string().into())),
            _ => match &self.of {
                Of::Key(key) => {
                    let names = self.rule.key_fields();
                    let at = names.iter().position(|known| bare(known) == bare(name))?;
                    key.values().nth(at).map(FieldValue::from)
                }
                Of::Event(event, slots) => event.value(slots.known(name)?).cloned(),
                Of::Alert(alert) => alert.field(name),
            },
        }
    }

    /// What conditions are asked of.
    pub(crate) fn subject<'s>(&'s self, slots: &Slots) -> Subject<'s> {
        Subject {
            time: self.time,
            values: slots.fill(|name| self.field(name)),
            tags: if slots.reads_tags { self.tags() } else { Vec::new() },
            texts: if slots.reads_texts { self.texts() } else { Vec::new() },
            alert_of: Some(&self.rule.id),
        }
    }

    fn tags(&self) -> Vec<Cow<'_, str>> {
        match &self.of {
            Of::Key(_) => Vec::new(),
            Of::Event(event, _) => event.tags.clone(),
            Of::Alert(alert) => alert.tags(),
        }
    }

    fn texts(&self) -> Vec<FieldValue<'_>> {
        let own = ["event_id", "tenant", "rule_id", "severity", "message"];
        let mut texts: Vec<_> = own.iter().filter_map(|name| self.field(name)).collect();
        match &self.of {
            Of::Key(key) => texts.extend(key.values().map(FieldValue::from)),
            Of::Event(event, _) => texts.extend(event.texts.iter().cloned()),
            Of::Alert(alert) => texts.extend(alert.texts()),
        }
        texts
    }
}

/// A field by the name under which metadata has it.
fn bare(name: &str) -> &str {
    name.strip_prefix("metadata.").unwrap_or(name)
}
