//! The types that a key may have: how each is written, read and shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::tree::Written;

/// How a value is called, read and shown.
pub(super) struct Kind<T> {
    /// What the key takes, for the reference: `duration`, `one of json, text`.
    pub(super) name: String,
    pub(super) parse: Parse<T>,
    /// Writes a value as the file would.
    pub(super) show: Box<dyn Fn(&T) -> String>,
    /// Takes the place of a value that is missing or wrong, so that reading goes on to the next
    /// mistake. It never leaves this module: a tree with a problem gives no settings.
    pub(super) stand_in: T,
}

/// Reads a value, or says what was expected instead.
type Parse<T> = Box<dyn Fn(&Written) -> Result<T, String>>;

pub(super) fn text() -> Kind<String> {
    Kind {
        name: "text".to_owned(),
        parse: Box::new(|written| match written.text() {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            None if written.is_plain() => Err("text in quotes".to_owned()),
            Some(_) | None => Err("text".to_owned()),
        }),
        show: Box::new(|value| quoted(value)),
        stand_in: String::new(),
    }
}

/// The whole numbers that a key may be read as.
pub trait Integer: TryFrom<i128> + ToString + Copy + PartialOrd + Default + 'static {
    /// The smallest and the largest value, for the error message.
    const LIMITS: (i128, i128);
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Integer for $type {
            const LIMITS: (i128, i128) = (<$type>::MIN as i128, <$type>::MAX as i128);
        }
    )*};
}
integers!(u8, u16, u32, u64, usize, i16, i32, i64);

pub(super) fn integer<T: Integer>() -> Kind<T> {
    Kind {
        name: "integer".to_owned(),
        parse: Box::new(|written| {
            let number = if let Written::Integer(value) = written {
                Some(*value)
            } else {
                written.untyped().and_then(|text| text.trim().parse().ok())
            };
            let number = number.ok_or_else(|| "a whole number".to_owned())?;
            let (least, most) = T::LIMITS;
            T::try_from(number).map_err(|_| format!("a whole number from {least} to {most}"))
        }),
        show: Box::new(T::to_string),
        stand_in: T::default(),
    }
}

pub(super) fn boolean() -> Kind<bool> {
    Kind {
        name: "true or false".to_owned(),
        parse: Box::new(|written| {
            let value = if let Written::Boolean(value) = written {
                Some(*value)
            } else {
                written.untyped().and_then(|text| text.parse().ok())
            };
            value.ok_or_else(|| "true or false".to_owned())
        }),
        show: Box::new(bool::to_string),
        stand_in: false,
    }
}

/// The units of durations, each with its length in milliseconds, the longest first.
pub const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

pub(super) fn duration() -> Kind<Duration> {
    Kind {
        name: "duration".to_owned(),
        parse: Box::new(|written| {
            with_unit(written, &DURATION_UNITS)
                .map(Duration::from_millis)
                .ok_or_else(|| "a duration with its unit (ms, s, m, h, d), as 30s".to_owned())
        }),
        show: Box::new(|value| show_with_unit(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), &DURATION_UNITS)),
        stand_in: Duration::ZERO,
    }
}

/// The units of sizes, each with its bytes, the largest first.
pub const SIZE_UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

pub(super) fn bytes() -> Kind<u64> {
    Kind {
        name: "size".to_owned(),
        parse: Box::new(|written| {
            with_unit(written, &SIZE_UNITS)
                .ok_or_else(|| "a size with its unit (B, KiB, MiB, GiB, TiB), as 64MiB".to_owned())
        }),
        show: Box::new(|value| show_with_unit(*value, &SIZE_UNITS)),
        stand_in: 0,
    }
}

/// One whole number and one unit, with no more than a space between them.
fn with_unit(written: &Written, units: &[(&str, u64)]) -> Option<u64> {
    let text = written.text()?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*size)
}

/// In the largest unit that shows the value exactly.
fn show_with_unit(value: u64, units: &[(&str, u64)]) -> String {
    let exact = |size: u64| size == 1 || (value >= size && value.is_multiple_of(size));
    units
        .iter()
        .find(|(_, size)| exact(*size))
        .map(|(unit, size)| format!("{}{unit}", value / size))
        .unwrap_or_default()
}

pub(super) fn address() -> Kind<SocketAddr> {
    Kind {
        name: "address and port".to_owned(),
        parse: Box::new(|written| {
            let address = written.text().and_then(|text| text.parse().ok());
            address.ok_or_else(|| "an address and port, as 0.0.0.0:9090 or [::]:9090".to_owned())
        }),
        show: Box::new(|value| quoted(&value.to_string())),
        stand_in: SocketAddr::from(([0, 0, 0, 0], 0)),
    }
}

pub(super) fn path() -> Kind<PathBuf> {
    let text = text();
    Kind {
        name: "path".to_owned(),
        parse: Box::new(move |written| {
            (text.parse)(written)
                .map(PathBuf::from)
                .map_err(|_| "a path".to_owned())
        }),
        show: Box::new(|value| quoted(&value.to_string_lossy())),
        stand_in: PathBuf::new(),
    }
}

pub(super) fn list() -> Kind<Vec<String>> {
    let text = text();
    Kind {
        name: "list of texts".to_owned(),
        parse: Box::new(move |written| {
            let items = if let Written::List(items) = written {
                let items = items.iter().map(|item| (text.parse)(&item.written));
                items.collect::<Result<_, _>>().ok()
            } else {
                written.untyped().map(comma_separated)
            };
            items.ok_or_else(|| "a list of texts".to_owned())
        }),
        show: Box::new(|items| {
            let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        }),
        stand_in: Vec::new(),
    }
}

fn comma_separated(items: &str) -> Vec<String> {
    items
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// One of some words, each with its meaning.
///
/// # Panics
/// If there is no choice.
pub(super) fn choice<T: Copy + PartialEq + 'static>(choices: &'static [(&'static str, T)]) -> Kind<T> {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let expected = format!("one of {}", names.join(", "));
    let (_, stand_in) = *choices.first().expect("a choice has at least one word");
    Kind {
        name: expected.clone(),
        parse: Box::new(move |written| {
            let word = written.text();
            let found = choices.iter().find(|(name, _)| Some(*name) == word);
            found.map(|(_, value)| *value).ok_or_else(|| expected.clone())
        }),
        show: Box::new(move |value| {
            let name = choices.iter().find(|(_, choice)| choice == value);
            name.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
        }),
        stand_in,
    }
}

/// A text as YAML reads it back: JSON is YAML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
