use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The value of an event's field, as rules see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldValue<'a> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Several of these, none a list itself. Never empty.
    List(Vec<FieldValue<'a>>),
}

impl<'a> FieldValue<'a> {
    /// The value of JSON. Null is absence; an object has no value of its own, and a list is that of its elements.
    pub fn from_json(value: &'a serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Bool(value) => Some(Self::Bool(*value)),
            serde_json::Value::Number(number) => number
                .as_i64()
                .map(Self::Integer)
                .or_else(|| number.as_f64().map(Self::Float)),
            serde_json::Value::String(text) => Some(Self::Text(Cow::Borrowed(text))),
            serde_json::Value::Array(elements) => Self::list(elements.iter().filter_map(Self::from_json)),
            serde_json::Value::Null | serde_json::Value::Object(_) => None,
        }
    }

    /// These values as one; nested lists are unfolded, and one value alone in a list is still a list.
    pub fn list(values: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut flat = Vec::new();
        for value in values {
            match value {
                Self::List(inner) => flat.extend(inner),
                Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) => flat.push(value),
            }
        }
        (!flat.is_empty()).then_some(Self::List(flat))
    }

    /// The value, or the values of a list, one by one.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) => std::slice::from_ref(self),
        }
    }

    /// The same value, owned.
    pub fn into_owned(self) -> FieldValue<'static> {
        match self {
            Self::Bool(value) => FieldValue::Bool(value),
            Self::Integer(value) => FieldValue::Integer(value),
            Self::Float(value) => FieldValue::Float(value),
            Self::Text(text) => FieldValue::Text(Cow::Owned(text.into_owned())),
            Self::List(values) => FieldValue::List(values.into_iter().map(FieldValue::into_owned).collect()),
        }
    }

    /// The value as text, the form keys and messages use.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::List(_) => Cow::Owned(self.to_string()),
        }
    }

    /// The value as a number; text counts if it is written as one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "rules compare sizes and counts far below 2^53"
            )]
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Bool(_) | Self::List(_) => None,
        }
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(out, "{value}"),
            Self::Integer(value) => write!(out, "{value}"),
            Self::Float(value) => write!(out, "{value}"),
            Self::Text(text) => out.write_str(text),
            Self::List(values) => values.iter().enumerate().try_for_each(|(index, value)| {
                let comma = if index == 0 { "" } else { ", " };
                write!(out, "{comma}{value}")
            }),
        }
    }
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// The one way an address is written: IPv4 inside IPv6 unwrapped, no zone, no port, no brackets, IPv6 in RFC 5952
/// form. `None` if it is not an address.
///
/// An attacker who can choose between `1.2.3.4` and `::ffff:1.2.3.4` would otherwise have two counters.
pub fn normalise_ip(text: &str) -> Option<String> {
    parse_ip(text).map(|address| address.to_string())
}

/// The address that `text` is a spelling of, without an allocation: see [`normalise_ip`].
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(inside) => inside.split(']').next()?,
        None => text,
    };
    let bare = bare.split('%').next()?;
    let address: IpAddr = match bare.parse() {
        Ok(address) => address,
        Err(_) => bare.parse::<std::net::SocketAddrV4>().ok()?.ip().to_owned().into(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_an_address() {
        for text in [
            "1.2.3.4",
            "::ffff:1.2.3.4",
            "::FFFF:102:304",
            " 1.2.3.4 ",
            "1.2.3.4:8080",
            "[::ffff:1.2.3.4]:80",
        ] {
            assert_eq!(normalise_ip(text).as_deref(), Some("1.2.3.4"), "{text}");
        }
        assert_eq!(normalise_ip("fe80::1%eth0").as_deref(), Some("fe80::1"));
        assert_eq!(normalise_ip("2001:DB8:0:0:0:0:0:1").as_deref(), Some("2001:db8::1"));
        for text in ["", "0177.0.0.1", "300.1.1.1", "1.2.3.0/24", "host.example", "1.2.3"] {
            assert_eq!(normalise_ip(text), None, "{text}");
        }
    }
}
