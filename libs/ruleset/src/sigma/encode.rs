//! What `windash`, `utf16le`, `utf16be`, `utf16`, `base64` and `base64offset` make of a value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::text::plain;
use crate::Piece;

/// A transformation of a value, in the order in which they may follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Encoding {
    Windash,
    Utf16Little,
    Utf16Big,
    /// Little-endian behind a byte order mark.
    Utf16,
    Base64,
    Base64Offset,
}

/// The characters that introduce an option on Windows.
pub(super) const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// More dashes than these are not written out in all combinations.
pub(super) const DASHES_MAX: usize = 2;

impl Encoding {
    /// Where it stands among the others: a later one follows an earlier one, and none follows its like.
    pub(super) fn place(self) -> u8 {
        match self {
            Self::Windash => 0,
            Self::Utf16Little | Self::Utf16Big | Self::Utf16 => 1,
            Self::Base64 | Self::Base64Offset => 2,
        }
    }
}

/// A value on its way through the encodings: text with wildcards, or bytes.
#[derive(Clone, Debug, PartialEq)]
enum Encoded {
    Pieces(Vec<Piece>),
    Bytes(Vec<u8>),
}

/// All values that stand for one after these encodings.
///
/// # Errors
/// Why the value cannot be encoded so.
pub(super) fn encode(pieces: Vec<Piece>, encodings: &[Encoding]) -> Result<Vec<Vec<Piece>>, String> {
    let mut values = vec![Encoded::Pieces(pieces)];
    for encoding in encodings {
        let mut next = Vec::new();
        for value in values {
            next.extend(apply(value, *encoding)?);
        }
        values = next;
    }
    values.into_iter().map(finished).collect()
}

fn apply(value: Encoded, encoding: Encoding) -> Result<Vec<Encoded>, String> {
    Ok(match (encoding, value) {
        (Encoding::Windash, Encoded::Pieces(pieces)) => dashed(&pieces)?.into_iter().map(Encoded::Pieces).collect(),
        (Encoding::Base64, value) => vec![in_base64(&bytes(value, "base64")?)],
        (Encoding::Base64Offset, value) => {
            let bytes = bytes(value, "base64offset")?;
            (0..3).filter_map(|offset| at_offset(&bytes, offset)).collect()
        }
        (Encoding::Utf16Little | Encoding::Utf16Big | Encoding::Utf16, value) => {
            let text = text(value)?;
            let units = text.encode_utf16();
            let bytes: Vec<u8> = match encoding {
                Encoding::Utf16Big => units.flat_map(u16::to_be_bytes).collect(),
                Encoding::Utf16 => [0xFF, 0xFE]
                    .into_iter()
                    .chain(units.flat_map(u16::to_le_bytes))
                    .collect(),
                Encoding::Utf16Little | Encoding::Windash | Encoding::Base64 | Encoding::Base64Offset => {
                    units.flat_map(u16::to_le_bytes).collect()
                }
            };
            vec![Encoded::Bytes(bytes)]
        }
        (Encoding::Windash, value @ Encoded::Bytes(_)) => vec![value],
    })
}

fn text(value: Encoded) -> Result<String, String> {
    match value {
        Encoded::Pieces(pieces) => plain(&pieces)
            .map(str::to_owned)
            .ok_or_else(|| "a value with wildcards has no UTF-16: a wildcard of its own is written `\\*`".to_owned()),
        Encoded::Bytes(_) => Err("a value is encoded once".to_owned()),
    }
}

fn bytes(value: Encoded, name: &str) -> Result<Vec<u8>, String> {
    match value {
        Encoded::Bytes(bytes) => Ok(bytes),
        Encoded::Pieces(pieces) => plain(&pieces)
            .map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| format!("a value with wildcards has no `{name}`: a plain star is written `\\*`")),
    }
}

fn in_base64(bytes: &[u8]) -> Encoded {
    Encoded::Pieces(vec![Piece::Text(BASE64.encode(bytes))])
}

/// What of the value's base64 stays the same wherever it stands, `offset` bytes behind a multiple of three.
fn at_offset(bytes: &[u8], offset: usize) -> Option<Encoded> {
    let shifted: Vec<u8> = std::iter::repeat_n(b' ', offset).chain(bytes.iter().copied()).collect();
    let encoded = BASE64.encode(&shifted);
    // The characters that also hold bits of what stands before and after.
    let start = [0, 2, 3][offset];
    let cut = [0, 3, 2][shifted.len() % 3];
    let kept = encoded.get(start..encoded.len().saturating_sub(cut))?;
    (!kept.is_empty()).then(|| Encoded::Pieces(vec![Piece::Text(kept.to_owned())]))
}

fn finished(value: Encoded) -> Result<Vec<Piece>, String> {
    match value {
        Encoded::Pieces(pieces) => Ok(pieces),
        Encoded::Bytes(bytes) => String::from_utf8(bytes)
            .map(|text| vec![Piece::Text(text)])
            .map_err(|_| {
                "these bytes are no text that an event could hold: encode them with `base64` after it".to_owned()
            }),
    }
}

/// Whether the character at `at` introduces an option: a dash or a slash that does not stand behind a letter or digit,
/// so that `x-y` and `a/b` stay what they are.
fn introduces(text: &str, at: usize, character: char) -> bool {
    let before = text[..at].chars().next_back();
    DASHES.contains(&character) && !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
}

/// How many characters of the value introduce an option.
pub(super) fn dash_count(pieces: &[Piece]) -> usize {
    let count = |piece: &Piece| match piece {
        Piece::Text(text) => text
            .char_indices()
            .filter(|(at, character)| introduces(text, *at, *character))
            .count(),
        Piece::Many | Piece::One => 0,
    };
    pieces.iter().map(count).sum()
}

/// The value with every dash as every dash.
fn dashed(pieces: &[Piece]) -> Result<Vec<Vec<Piece>>, String> {
    if dash_count(pieces) > DASHES_MAX {
        return Err(format!(
            "a value with more than {DASHES_MAX} dashes has too many variants to be encoded after `windash`"
        ));
    }
    let mut variants: Vec<Vec<Piece>> = vec![Vec::new()];
    for piece in pieces {
        let texts = match piece {
            Piece::Text(text) => variants_of(text).into_iter().map(Piece::Text).collect(),
            Piece::Many | Piece::One => vec![piece.clone()],
        };
        variants = variants
            .iter()
            .flat_map(|before| texts.iter().map(|text| [before.clone(), vec![text.clone()]].concat()))
            .collect();
    }
    Ok(variants)
}

fn variants_of(text: &str) -> Vec<String> {
    let mut variants = vec![String::new()];
    for (at, character) in text.char_indices() {
        if introduces(text, at, character) {
            let with = |before: &String| DASHES.map(|dash| format!("{before}{dash}"));
            variants = variants.iter().flat_map(with).collect();
        } else {
            variants.iter_mut().for_each(|variant| variant.push(character));
        }
    }
    variants
}

/// The value as a regular expression in which every dash is any dash: for values with many.
pub(super) fn dashed_expression(pieces: &[Piece]) -> String {
    let mut written = String::new();
    for piece in pieces {
        match piece {
            Piece::Many => written.push_str(".*"),
            Piece::One => written.push('.'),
            Piece::Text(text) => {
                for (at, character) in text.char_indices() {
                    if introduces(text, at, character) {
                        written.push_str("[-/\u{2013}\u{2014}\u{2015}]");
                    } else {
                        written.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
                    }
                }
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigma::text::pieces;

    fn encoded(written: &str, encodings: &[Encoding]) -> Vec<String> {
        let values = encode(pieces(written), encodings).expect("it can be encoded");
        let shown = |value: Vec<Piece>| plain(&value).expect("it has no wildcards").to_owned();
        values.into_iter().map(shown).collect()
    }

    #[test]
    fn base64_is_that_of_the_bytes() {
        assert_eq!(encoded("/bin/bash", &[Encoding::Base64]), ["L2Jpbi9iYXNo"]);
        assert_eq!(encoded(r"a\*", &[Encoding::Base64]), ["YSo="]);
        assert_eq!(
            encoded("ping", &[Encoding::Utf16Little, Encoding::Base64]),
            ["cABpAG4AZwA="]
        );
        assert_eq!(
            encoded("ping", &[Encoding::Utf16Big, Encoding::Base64]),
            ["AHAAaQBuAGc="]
        );
        assert_eq!(
            encoded("ping", &[Encoding::Utf16, Encoding::Base64]),
            ["//5wAGkAbgBnAA=="]
        );
        assert_eq!(encoded("ä", &[Encoding::Utf16Little, Encoding::Base64]), ["5AA="]);
    }

    #[test]
    fn an_offset_leaves_what_is_the_same_wherever_the_value_stands() {
        let expected = ["L2Jpbi9iYXNo", "9iaW4vYmFza", "vYmluL2Jhc2"];
        assert_eq!(encoded("/bin/bash", &[Encoding::Base64Offset]), expected);
        for value in ["http://", "IEX", "FromBase64String", "foo"] {
            let variants = encoded(value, &[Encoding::Base64Offset]);
            for before in ["", "x", "xy", "xyz"] {
                for after in ["", "1", "12", "123"] {
                    let whole = BASE64.encode(format!("{before}{value}{after}"));
                    assert!(
                        variants.iter().any(|variant| whole.contains(variant)),
                        "{value} in {before}…{after}"
                    );
                }
            }
        }
    }

    #[test]
    fn wide_text_is_text_with_zeros_and_bytes_that_are_no_text_are_refused() {
        assert_eq!(encoded("hi", &[Encoding::Utf16Little]), ["h\0i\0"]);
        for encoding in [Encoding::Utf16, Encoding::Base64] {
            let refused = encode(pieces("a*b"), &[encoding]).is_err();
            assert!(refused, "{encoding:?} of a wildcard");
        }
        assert!(encode(pieces("hi"), &[Encoding::Utf16]).is_err());
    }

    #[test]
    fn windash_changes_what_introduces_an_option_and_nothing_else() {
        let one = encoded(" -enc ", &[Encoding::Windash]);
        assert_eq!(
            one,
            [" -enc ", " /enc ", " \u{2013}enc ", " \u{2014}enc ", " \u{2015}enc "]
        );
        assert_eq!(encoded("/c", &[Encoding::Windash])[0], "-c");
        assert_eq!(encoded("-a /b", &[Encoding::Windash]).len(), 25);
        assert_eq!(encoded("foo-bar a/b", &[Encoding::Windash]), ["foo-bar a/b"]);
        let many = dashed_expression(&pieces("-a --b.*"));
        assert_eq!(
            many,
            "[-/\u{2013}\u{2014}\u{2015}]a [-/\u{2013}\u{2014}\u{2015}][-/\u{2013}\u{2014}\u{2015}]b\\..*"
        );
    }
}
