//! Reads the `detection` of a correlation rule. What is not known is not passed over.

use serde_json::{Map, Value};

use super::{Unsaid, event_name};

/// Panther's own, where a rule says nothing.
const LOOKBACK_MINUTES: u64 = 15;

pub(super) struct Detection {
    pub(super) shape: Shape,
    pub(super) lookback_minutes: u64,
}

pub(super) enum Shape {
    Group(Vec<Kind>),
    Sequence { kinds: Vec<Kind>, spans: Spans },
}

/// How long the transitions of a sequence may take: one fewer than there are kinds.
pub(super) struct Spans {
    pub(super) minutes: Vec<u64>,
    pub(super) lookback_minutes: u64,
}

/// One kind of signal.
pub(super) struct Kind {
    pub(super) id: String,
    pub(super) at_least: u64,
    pub(super) is_absent: bool,
    /// What is equal to the kind before it. In a group there is no before and after: it is the same as the other.
    pub(super) key_before: Vec<String>,
    /// What is equal to the kind after it.
    pub(super) key_after: Vec<String>,
}

impl Kind {
    fn read(value: &Value) -> Result<Self, Unsaid> {
        let fields = object(value, "a member", &["ID", "RuleID", "MinMatchCount", "Absence"])?;
        Ok(Self {
            id: text(fields, "ID")?.to_owned(),
            at_least: number(fields, "MinMatchCount")?.unwrap_or(1),
            is_absent: fields.get("Absence").is_some_and(|absence| absence == true),
            key_before: Vec::new(),
            key_after: Vec::new(),
        })
    }

    pub(super) fn filter(&self) -> String {
        format!("security_event:{}", event_name(&self.id))
    }
}

impl Detection {
    pub(super) fn read(value: &Value) -> Result<Self, Unsaid> {
        let one = match value.as_array().map(Vec::as_slice) {
            Some([one]) => one,
            _ => return Err(Unsaid("several detections of one rule".to_owned())),
        };
        let known = [
            "Group",
            "Sequence",
            "Transitions",
            "MatchCriteria",
            "LookbackWindowMinutes",
            "EventEvaluationOrder",
            "Schedule",
        ];
        let fields = object(one, "a detection", &known)?;
        if let Some(order) = fields
            .get("EventEvaluationOrder")
            .filter(|order| *order != "Chronological")
        {
            return Err(Unsaid(format!("events evaluated in the order {order}")));
        }
        let lookback_minutes = number(fields, "LookbackWindowMinutes")?.unwrap_or(LOOKBACK_MINUTES);
        let shape = match (fields.get("Group"), fields.get("Sequence")) {
            (Some(group), None) if !fields.contains_key("Transitions") => {
                read_group(group, fields.get("MatchCriteria"))?
            }
            (None, Some(sequence)) if !fields.contains_key("MatchCriteria") => {
                read_sequence(sequence, fields.get("Transitions"), lookback_minutes)?
            }
            _ => return Err(Unsaid("a detection that is neither a group nor a sequence".to_owned())),
        };
        Ok(Self {
            shape,
            lookback_minutes,
        })
    }
}

fn kinds(value: &Value) -> Result<Vec<Kind>, Unsaid> {
    let kinds: Vec<Kind> = list(value, "members")?
        .iter()
        .map(Kind::read)
        .collect::<Result<_, _>>()?;
    let mut names: Vec<String> = kinds.iter().map(|kind| event_name(&kind.id)).collect();
    names.sort();
    names.dedup();
    if kinds.is_empty() || names.len() != kinds.len() {
        return Err(Unsaid("members without a name of their own".to_owned()));
    }
    Ok(kinds)
}

fn read_group(group: &Value, criteria: Option<&Value>) -> Result<Shape, Unsaid> {
    let mut kinds = kinds(group)?;
    for (name, members) in criteria.and_then(Value::as_object).into_iter().flatten() {
        let mut of = Vec::new();
        for member in list(members, "a match criterion")? {
            let fields = object(member, "a match criterion", &["GroupID", "Match"])?;
            of.push((text(fields, "GroupID")?, text(fields, "Match")?));
        }
        for kind in &mut kinds {
            let (_, field) = of
                .iter()
                .find(|(id, _)| *id == kind.id)
                .ok_or_else(|| Unsaid(format!("the criterion `{name}`, which not all members share")))?;
            kind.key_after.push(field_name(field));
        }
    }
    for kind in &mut kinds {
        kind.key_before.clone_from(&kind.key_after);
    }
    Ok(Shape::Group(kinds))
}

fn read_sequence(sequence: &Value, transitions: Option<&Value>, lookback_minutes: u64) -> Result<Shape, Unsaid> {
    let mut kinds = kinds(sequence)?;
    let mut minutes = vec![lookback_minutes; kinds.len() - 1];
    let transitions = transitions.map(|value| list(value, "transitions")).transpose()?;
    for transition in transitions.into_iter().flatten() {
        let known = ["ID", "From", "To", "WithinTimeFrameMinutes", "Match"];
        let fields = object(transition, "a transition", &known)?;
        let (from, to) = (text(fields, "From")?, text(fields, "To")?);
        let place = (0..kinds.len() - 1)
            .find(|place| kinds[*place].id == from && kinds[place + 1].id == to)
            .ok_or_else(|| {
                Unsaid(format!(
                    "a transition from `{from}` to `{to}`, which are not next to each other"
                ))
            })?;
        if let Some(within) = number(fields, "WithinTimeFrameMinutes")? {
            minutes[place] = within.min(lookback_minutes);
        }
        let matches = fields.get("Match").map(|value| list(value, "matches")).transpose()?;
        for equal in matches.into_iter().flatten() {
            let fields = object(equal, "a match", &["On", "From", "To"])?;
            let side = |name| text(fields, if fields.contains_key("On") { "On" } else { name });
            let (from, to) = (field_name(side("From")?), field_name(side("To")?));
            kinds[place].key_after.push(from);
            kinds[place + 1].key_before.push(to);
        }
    }
    let spans = Spans {
        minutes,
        lookback_minutes,
    };
    Ok(Shape::Sequence { kinds, spans })
}

/// A field of a signal under a name that the language takes. Canonical names are the event's own, so it is named as
/// one of its metadata.
pub(super) fn field_name(field: &str) -> String {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '@' | '.' | '-');
    let plain: String = field
        .chars()
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect();
    format!("metadata.{plain}")
}

fn object<'a>(value: &'a Value, what: &str, known: &[&str]) -> Result<&'a Map<String, Value>, Unsaid> {
    let fields = value
        .as_object()
        .ok_or_else(|| Unsaid(format!("{what} that is no object")))?;
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Unsaid(format!("`{key}` of {what}"))),
        None => Ok(fields),
    }
}

fn list<'a>(value: &'a Value, what: &str) -> Result<&'a [Value], Unsaid> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| Unsaid(format!("{what} that are no list")))
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> Result<&'a str, Unsaid> {
    let text = fields.get(key).and_then(Value::as_str);
    text.ok_or_else(|| Unsaid(format!("a missing `{key}`")))
}

fn number(fields: &Map<String, Value>, key: &str) -> Result<Option<u64>, Unsaid> {
    let number = |value: &Value| {
        let number = value.as_u64().filter(|number| *number > 0);
        number.ok_or_else(|| Unsaid(format!("`{key}: {value}`")))
    };
    fields.get(key).map(number).transpose()
}
