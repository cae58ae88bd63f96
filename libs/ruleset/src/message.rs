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
