//! Text from events, made safe for the people and programs that read alerts.

use serde_json::Value;

/// Ends what was cut.
const CUT: &str = " […]";

/// `text` in at most `characters_max` characters and on one line: a terminal, a reader of logs or a chat sees no
/// control character and no change of the writing direction, and what was cut says so.
pub(crate) fn plain(text: &str, characters_max: usize) -> String {
    let visible = |character: char| {
        if is_invisible(character) {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    let Some((end, _)) = text.char_indices().nth(characters_max) else {
        return text.chars().map(visible).collect();
    };
    let kept = characters_max.saturating_sub(CUT.chars().count());
    let cut = text[..end].chars().take(kept).map(visible);
    cut.chain(CUT.chars()).collect()
}

/// A value of a key as a person writes it: text without quotes.
pub(crate) fn value(value: &Value, characters_max: usize) -> String {
    match value {
        Value::String(text) => plain(text, characters_max),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            plain(&value.to_string(), characters_max)
        }
    }
}

fn is_invisible(character: char) -> bool {
    let hides = matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    character.is_control() || hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_and_is_as_long_as_allowed() {
        assert_eq!(plain("käse", 4), "käse");
        assert_eq!(plain("käsekuchen", 6), "kä […]");
        assert_eq!(plain("käsekuchen", 2), " […]");
    }

    #[test]
    fn nothing_unseen_is_left() {
        assert_eq!(plain("a\nb\u{1b}[31mc\u{202e}d\u{9b}", 99), "a�b�[31mc�d�");
    }
}
