use crate::error::Fault;
use crate::query::field_name;

/// The text of an alert with the places where values of the opening event go: `Brute force from {source_ip}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Text and fields, in order.
    pub parts: Vec<MessagePart>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessagePart {
    /// Text as it stands.
    Text(String),
    /// The value of a field.
    Field(String),
}

impl Message {
    /// Reads a template: `{field}` is the value of a field, `{{` and `}}` are braces.
    pub(crate) fn parse(template: &str) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while let Some(character) = template[at..].chars().next() {
            let rest = &template[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                text.push(character);
                at += 2;
            } else if character == '{' {
                let end = rest
                    .find('}')
                    .ok_or_else(|| Fault::new(at..at + 1, "this brace is never closed: a brace itself is `{{`"))?;
                if !text.is_empty() {
                    parts.push(MessagePart::Text(std::mem::take(&mut text)));
                }
                let name_at = at + 1..at + end;
                parts.push(MessagePart::Field(field_name(&rest[1..end], &name_at)?));
                at = name_at.end + 1;
            } else if character == '}' {
                return Err(Fault::new(
                    at..at + 1,
                    "this brace was never opened: a brace itself is `}}`",
                ));
            } else {
                text.push(character);
                at += character.len_utf8();
            }
        }
        if !text.is_empty() {
            parts.push(MessagePart::Text(text));
        }
        Ok(Self { parts })
    }

    /// The fields it names, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            MessagePart::Field(name) => Some(name.as_str()),
            MessagePart::Text(_) => None,
        })
    }

    /// The text, with `value` giving the value of each field. A field without one reads `unknown`.
    pub fn render(&self, value: impl Fn(&str) -> Option<String>) -> String {
        let piece = |part: &MessagePart| match part {
            MessagePart::Text(text) => text.clone(),
            MessagePart::Field(name) => value(name).unwrap_or_else(|| "unknown".to_owned()),
        };
        self.parts.iter().map(piece).collect()
    }
}
