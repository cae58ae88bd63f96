//! Sigma's strings: `*` and `?` are wildcards, a backslash makes them plain, and a backslash before anything else is
//! itself.

use crate::Piece;

/// A string as a rule writes it, in pieces.
///
/// `\*`, `\?` and `\\` are a plain star, question mark and backslash; any other backslash is a plain one, so `C:\Temp`
/// needs no escape, and `\\*` is a backslash before a wildcard.
pub(super) fn pieces(written: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut characters = written.chars().peekable();
    while let Some(character) = characters.next() {
        let wildcard = match character {
            '\\' => {
                let escaped = characters.next_if(|next| matches!(next, '\\' | '*' | '?'));
                text.push(escaped.unwrap_or('\\'));
                continue;
            }
            '*' => Piece::Many,
            '?' => Piece::One,
            other => {
                text.push(other);
                continue;
            }
        };
        pieces.push(Piece::Text(std::mem::take(&mut text)));
        pieces.push(wildcard);
    }
    pieces.push(Piece::Text(text));
    pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    pieces
}

/// The text, if it has no wildcard.
pub(super) fn plain(pieces: &[Piece]) -> Option<&str> {
    match pieces {
        [] => Some(""),
        [Piece::Text(text)] => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wildcards as `<*>` and `<?>`.
    fn shown(written: &str) -> String {
        let show = |piece: Piece| match piece {
            Piece::Text(text) => text,
            Piece::Many => "<*>".to_owned(),
            Piece::One => "<?>".to_owned(),
        };
        pieces(written).into_iter().map(show).collect()
    }

    #[test]
    fn backslashes_escape_wildcards_and_themselves_and_nothing_else() {
        let cases = [
            (r"C:\Windows\cmd.exe", r"C:\Windows\cmd.exe"),
            (r"C:\\Windows", r"C:\Windows"),
            (r"a\*b", "a*b"),
            (r"a\?b", "a?b"),
            (r"a\\*b", r"a\<*>b"),
            (r"a\\\*b", r"a\*b"),
            (r"a\\\b", r"a\\b"),
            (r"a\\\\b", r"a\\b"),
            (r"\\\\server\share", r"\\server\share"),
            (r"*a?", "<*>a<?>"),
            (r"trailing\", r"trailing\"),
            ("", ""),
        ];
        for (written, expected) in cases {
            assert_eq!(shown(written), expected, "{written}");
        }
    }
}
