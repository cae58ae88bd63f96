/// Text with wildcards; compared without regard to case unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPattern {
    pieces: Vec<Piece>,
    is_cased: bool,
}

/// A piece of a [`TextPattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This text. Never empty.
    Text(String),
    /// Any characters, or none.
    Many,
    /// Any one character.
    One,
}

impl TextPattern {
    /// A pattern in which every `*` is any text and every `?` any one character.
    pub fn glob(source: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(at) = rest.find(['*', '?']) {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            pieces.push(if rest.as_bytes()[at] == b'*' {
                Piece::Many
            } else {
                Piece::One
            });
            rest = &rest[at + 1..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self::new(pieces)
    }

    /// Exactly this text.
    pub fn exact(text: &str) -> Self {
        Self::new(vec![Piece::Text(text.to_owned())])
    }

    /// These pieces; empty texts are left out, neighbouring ones joined, and so are neighbouring `Many`s.
    pub fn new(pieces: Vec<Piece>) -> Self {
        let mut kept: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (kept.last_mut(), piece) {
                (_, Piece::Text(text)) if text.is_empty() => {}
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (Some(Piece::Many), Piece::Many) => {}
                (_, piece) => kept.push(piece),
            }
        }
        Self {
            pieces: kept,
            is_cased: false,
        }
    }

    /// The same pattern, with regard to case.
    pub fn cased(self) -> Self {
        Self { is_cased: true, ..self }
    }

    /// The pieces, in order. None for the empty text.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether case is regarded.
    pub fn is_cased(&self) -> bool {
        self.is_cased
    }

    /// The text, if it has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// As `*` and `?` write it, if no text in it has one of these itself.
    pub fn source(&self) -> Option<String> {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) if text.contains(['*', '?']) => None,
                Piece::Text(text) => Some(text.as_str()),
                Piece::Many => Some("*"),
                Piece::One => Some("?"),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_reads_as_it_is_written() {
        for source in ["", "admin", "*", "adm*", "*a?b*", "??", "*?*"] {
            assert_eq!(TextPattern::glob(source).source().as_deref(), Some(source));
        }
        assert_eq!(TextPattern::glob("a**b"), TextPattern::glob("a*b"));
        assert_eq!(TextPattern::exact("a*b").source(), None);
        assert_eq!(TextPattern::exact("a*b").literal(), Some("a*b"));
    }
}
