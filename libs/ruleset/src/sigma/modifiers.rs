//! What stands behind a field's name: `CommandLine|windash|contains|all`.

use super::encode::Encoding;
use crate::error::{Fault, quoted, suggestion};
use crate::{CalendarPart, Comparison, Relation};

/// Every modifier and its names.
const MODIFIERS: [(&str, Modifier); 34] = [
    ("all", Modifier::All),
    ("base64", Modifier::Encode(Encoding::Base64)),
    ("base64offset", Modifier::Encode(Encoding::Base64Offset)),
    ("cased", Modifier::Cased),
    ("cidr", Modifier::Network),
    ("contains", Modifier::At(Position::Anywhere)),
    ("day", Modifier::Part(CalendarPart::Day)),
    ("dotall", Modifier::Flag('s')),
    ("endswith", Modifier::At(Position::End)),
    ("exists", Modifier::Exists),
    ("expand", Modifier::Expand),
    ("fieldref", Modifier::Reference),
    ("gt", Modifier::Order(Comparison::Greater)),
    ("gte", Modifier::Order(Comparison::GreaterOrEqual)),
    ("hour", Modifier::Part(CalendarPart::Hour)),
    ("i", Modifier::Flag('i')),
    ("ignorecase", Modifier::Flag('i')),
    ("lt", Modifier::Order(Comparison::Less)),
    ("lte", Modifier::Order(Comparison::LessOrEqual)),
    ("m", Modifier::Flag('m')),
    ("minute", Modifier::Part(CalendarPart::Minute)),
    ("month", Modifier::Part(CalendarPart::Month)),
    ("multiline", Modifier::Flag('m')),
    ("neq", Modifier::Differs),
    ("re", Modifier::Expression),
    ("s", Modifier::Flag('s')),
    ("startswith", Modifier::At(Position::Start)),
    ("utf16", Modifier::Encode(Encoding::Utf16)),
    ("utf16be", Modifier::Encode(Encoding::Utf16Big)),
    ("utf16le", Modifier::Encode(Encoding::Utf16Little)),
    ("week", Modifier::Part(CalendarPart::Week)),
    ("wide", Modifier::Encode(Encoding::Utf16Little)),
    ("windash", Modifier::Encode(Encoding::Windash)),
    ("year", Modifier::Part(CalendarPart::Year)),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Modifier {
    All,
    At(Position),
    Encode(Encoding),
    Cased,
    Expression,
    Flag(char),
    Network,
    Order(Comparison),
    Part(CalendarPart),
    Exists,
    Reference,
    Differs,
    Expand,
}

/// Where in the field the value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Whole,
    Anywhere,
    Start,
    End,
}

/// What a test is, after all modifiers were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text(Position),
    Expression,
    Network,
    Order(Comparison),
    Part(CalendarPart, Comparison),
    Exists,
    Reference(Relation),
}

/// A field's name with its modifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// Empty: the values are keywords.
    pub(super) field: String,
    pub(super) kind: Kind,
    pub(super) encodings: Vec<Encoding>,
    /// The flags of a regular expression.
    pub(super) flags: String,
    pub(super) is_cased: bool,
    pub(super) needs_all: bool,
    pub(super) is_negated: bool,
    pub(super) expands: bool,
}

impl Chain {
    /// Keywords without modifiers.
    pub(super) fn keywords() -> Self {
        Self::of(String::new(), &[])
    }

    /// Reads `field|modifier|modifier`. Places are within the key.
    ///
    /// # Errors
    /// A modifier that is unknown, or does not combine with one before it.
    pub(super) fn parse(key: &str) -> Result<Self, Fault> {
        let mut parts = key.split('|');
        let field = parts.next().unwrap_or_default();
        let mut at = field.len() + 1;
        let mut read: Vec<(Modifier, &str)> = Vec::new();
        for name in parts {
            let place = at..at + name.len().max(1);
            at += name.len() + 1;
            let fault = |message: String| Fault::new(place.clone(), message);
            let known = MODIFIERS.iter().find(|(known, _)| *known == name);
            let modifier = known
                .map(|(_, modifier)| *modifier)
                .ok_or_else(|| fault(unknown(name)))?;
            if let Some((_, other)) = read.iter().find(|(before, _)| !combine(*before, modifier)) {
                return Err(fault(format!("`{name}` does not combine with `{other}` before it")));
            }
            if matches!(modifier, Modifier::Flag(_)) && !read.iter().any(|(before, _)| *before == Modifier::Expression)
            {
                return Err(fault(format!(
                    "`{name}` is a flag of a regular expression: it stands behind `re`"
                )));
            }
            read.push((modifier, name));
        }
        let modifiers: Vec<_> = read.into_iter().map(|(modifier, _)| modifier).collect();
        Ok(Self::of(field.to_owned(), &modifiers))
    }

    fn of(field: String, modifiers: &[Modifier]) -> Self {
        let has = |wanted: Modifier| modifiers.contains(&wanted);
        let kind = Kind::of(modifiers, field.is_empty());
        // What a reference, a part or a time compares with is turned here; everything else is denied as a whole.
        Self {
            kind,
            encodings: modifiers.iter().filter_map(|modifier| modifier.encoding()).collect(),
            flags: modifiers.iter().filter_map(|modifier| modifier.flag()).collect(),
            is_cased: has(Modifier::Cased),
            needs_all: has(Modifier::All),
            is_negated: has(Modifier::Differs),
            expands: has(Modifier::Expand),
            field,
        }
    }
}

impl Kind {
    fn of(modifiers: &[Modifier], is_keyword: bool) -> Self {
        let position = modifiers.iter().find_map(|modifier| modifier.position());
        let order = modifiers.iter().find_map(|modifier| modifier.order());
        let part = modifiers.iter().find_map(|modifier| modifier.part());
        let has = |wanted: Modifier| modifiers.contains(&wanted);
        if has(Modifier::Exists) {
            Self::Exists
        } else if has(Modifier::Expression) {
            Self::Expression
        } else if has(Modifier::Network) {
            Self::Network
        } else if has(Modifier::Reference) {
            Self::Reference(match position {
                Some(Position::Anywhere) => Relation::Contains,
                Some(Position::Start) => Relation::StartsWith,
                Some(Position::End) => Relation::EndsWith,
                Some(Position::Whole) | None => Relation::Compares(order.unwrap_or(Comparison::Equal)),
            })
        } else if let Some(part) = part {
            Self::Part(part, order.unwrap_or(Comparison::Equal))
        } else if let Some(order) = order {
            Self::Order(order)
        } else {
            let everywhere = if is_keyword {
                Position::Anywhere
            } else {
                Position::Whole
            };
            Self::Text(position.unwrap_or(everywhere))
        }
    }
}

impl Modifier {
    fn encoding(self) -> Option<Encoding> {
        if let Self::Encode(encoding) = self {
            Some(encoding)
        } else {
            None
        }
    }

    fn flag(self) -> Option<char> {
        if let Self::Flag(flag) = self { Some(flag) } else { None }
    }

    fn position(self) -> Option<Position> {
        if let Self::At(position) = self {
            Some(position)
        } else {
            None
        }
    }

    fn order(self) -> Option<Comparison> {
        if let Self::Order(comparison) = self {
            Some(comparison)
        } else {
            None
        }
    }

    fn part(self) -> Option<CalendarPart> {
        if let Self::Part(part) = self { Some(part) } else { None }
    }
}

/// Whether `later` may stand behind `before`.
fn combine(before: Modifier, later: Modifier) -> bool {
    use Modifier::{
        All, At, Cased, Differs, Encode, Exists, Expand, Expression, Flag, Network, Order, Part, Reference,
    };
    match (before, later) {
        // A value is transformed before it is told where it stands, but for dashes, which may be named in either order.
        (Encode(one), Encode(other)) => one.place() < other.place(),
        (At(_), Encode(encoding)) => encoding == Encoding::Windash,
        (Flag(one), Flag(other)) => one != other,
        (Expression, Flag(_)) => true,
        (Encode(_), At(_)) => true,
        (At(_), Cased | Reference) | (Cased | Reference, At(_)) => true,
        (Encode(_), Cased) | (Cased, Encode(_)) => true,
        (Order(_), Part(_) | Reference) | (Part(_) | Reference, Order(_)) => true,
        (All, other) | (other, All) => !matches!(other, All | Exists | Differs | Order(_) | Part(_)),
        (Differs, other) | (other, Differs) => !matches!(other, Differs | Exists | Order(_)),
        (Expand, other) | (other, Expand) => {
            matches!(other, At(_) | Encode(_) | Cased | Expression | Flag(_) | Network)
        }
        _ => false,
    }
}

fn unknown(name: &str) -> String {
    let names = MODIFIERS.map(|(name, _)| name);
    format!("unknown modifier {}{}", quoted(name), suggestion(name, &names))
}
