//! Text patterns, prepared: what can be said of a pattern beforehand is said once, and asking allocates nothing.
//!
//! Without regard to case, two characters are the same if `char::to_lowercase` makes the same of them. Almost all
//! text is ASCII, where bytes are compared; the rest goes character by character.

use memchr::memchr2_iter;
use memchr::memmem::Finder;
use ruleset::{Piece, TextPattern};

/// A [`TextPattern`] that texts are asked of.
#[derive(Debug)]
pub(crate) struct TextMatcher {
    /// What ASCII text is asked, or any text if case is regarded.
    shape: Shape,
    /// What all other text is asked: the pattern, folded if case is not regarded.
    units: Box<[Unit]>,
    is_cased: bool,
}

#[derive(Debug)]
enum Shape {
    /// `*`
    Anything,
    /// `text`
    Equal(Box<str>),
    /// `text*`
    Start(Box<str>),
    /// `*text`
    End(Box<str>),
    /// `*text*`
    Within(Needle),
    /// Any other, unit by unit.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Char(char),
    Many,
    One,
}

/// A text that is sought within others.
#[derive(Debug)]
enum Needle {
    /// As it stands.
    Cased(Box<Finder<'static>>),
    /// ASCII in any case: where its rarest byte is, the rest is compared.
    Ascii { text: Box<str>, rarest: usize },
}

impl TextMatcher {
    /// Prepares `pattern`.
    pub(crate) fn new(pattern: &TextPattern) -> Self {
        let is_cased = pattern.is_cased();
        let fold = |text: &str| match is_cased {
            true => text.to_owned(),
            false => folded(text).collect(),
        };
        let shape = match pattern.pieces() {
            [] => Shape::Equal("".into()),
            [Piece::Many] => Shape::Anything,
            [Piece::Text(text)] => Shape::Equal(fold(text).into()),
            [Piece::Text(text), Piece::Many] => Shape::Start(fold(text).into()),
            [Piece::Many, Piece::Text(text)] => Shape::End(fold(text).into()),
            [Piece::Many, Piece::Text(text), Piece::Many] => {
                Needle::new(&fold(text), is_cased).map_or(Shape::Other, Shape::Within)
            }
            _ => Shape::Other,
        };
        let units = |piece: &Piece| match piece {
            Piece::Text(text) => fold(text).chars().map(Unit::Char).collect(),
            Piece::Many => vec![Unit::Many],
            Piece::One => vec![Unit::One],
        };
        Self {
            shape,
            units: pattern.pieces().iter().flat_map(units).collect(),
            is_cased,
        }
    }

    /// Whether `text` fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        if self.is_cased {
            return self.fits_cased(text);
        }
        let bytes = text.as_bytes();
        let is_known = match &self.shape {
            Shape::Anything => return true,
            Shape::Equal(wanted) => bytes.eq_ignore_ascii_case(wanted.as_bytes()),
            Shape::Start(wanted) => bytes
                .get(..wanted.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes())),
            Shape::End(wanted) => bytes
                .len()
                .checked_sub(wanted.len())
                .is_some_and(|from| bytes[from..].eq_ignore_ascii_case(wanted.as_bytes())),
            Shape::Within(needle) => needle.is_within(bytes),
            Shape::Other => false,
        };
        // Bytes that are equal but for the case of ASCII are characters that are. The converse holds in ASCII alone:
        // the Kelvin sign is a `k`.
        match (is_known, &self.shape) {
            (true, _) => true,
            (false, Shape::Other) if text.is_ascii() => {
                let lower = bytes.iter().map(|byte| char::from(byte.to_ascii_lowercase()));
                fits_units(&self.units, lower)
            }
            (false, _) => !text.is_ascii() && fits_units(&self.units, folded(text)),
        }
    }

    fn fits_cased(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Anything => true,
            Shape::Equal(wanted) => text == &**wanted,
            Shape::Start(wanted) => text.starts_with(&**wanted),
            Shape::End(wanted) => text.ends_with(&**wanted),
            Shape::Within(needle) => needle.is_within(text.as_bytes()),
            Shape::Other => fits_units(&self.units, text.chars()),
        }
    }
}

impl Needle {
    /// `None`: it is sought character by character.
    fn new(folded: &str, is_cased: bool) -> Option<Self> {
        if is_cased {
            return Some(Self::Cased(Box::new(Finder::new(folded).into_owned())));
        }
        let rarest = (0..folded.len()).min_by_key(|at| commonness(folded.as_bytes()[*at]))?;
        folded.is_ascii().then(|| Self::Ascii {
            text: folded.into(),
            rarest,
        })
    }

    fn is_within(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Cased(finder) => finder.find(bytes).is_some(),
            Self::Ascii { text, rarest } => {
                let Some(last) = bytes.len().checked_sub(text.len()) else {
                    return false;
                };
                let rare = text.as_bytes()[*rarest];
                let begins = memchr2_iter(rare, rare.to_ascii_uppercase(), &bytes[*rarest..=last + rarest]);
                let fits = |at: usize| bytes[at..at + text.len()].eq_ignore_ascii_case(text.as_bytes());
                begins.into_iter().any(fits)
            }
        }
    }
}

/// How often a byte is met in paths, names, addresses and sentences: the rarer, the fewer places to look at.
fn commonness(byte: u8) -> usize {
    const RISING: &[u8] = b"zqjx~^`{}|<>$#%&*!;@?+\"'()[]kv=,wyb:g\\_-fpmu987654dhc321/0.lrsnoiate ";
    RISING.iter().position(|known| *known == byte).map_or(0, |at| at + 1)
}

/// Whether two texts are the same without regard to case.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    folded(one).eq(folded(other))
}

/// The characters of a text without their case.
pub(crate) fn folded(text: &str) -> impl DoubleEndedIterator<Item = char> + Clone {
    text.chars().flat_map(char::to_lowercase)
}

/// Takes time in proportion to the product of the lengths at worst: on a mismatch only the last `*` takes more.
fn fits_units(units: &[Unit], text: impl Iterator<Item = char> + Clone) -> bool {
    let mut rest = text;
    let mut at = 0;
    let mut last_many = None;
    loop {
        let mut after = rest.clone();
        let fits = match (units.get(at), after.next()) {
            (Some(Unit::Many), _) => {
                at += 1;
                last_many = Some((at, rest.clone()));
                continue;
            }
            (None, None) => return true,
            // What a `*` before took more would leave less for the rest.
            (Some(Unit::Char(_) | Unit::One), None) => return false,
            (Some(Unit::Char(wanted)), Some(found)) => *wanted == found,
            (Some(Unit::One), Some(_)) => true,
            (None, Some(_)) => false,
        };
        if fits {
            at += 1;
            rest = after;
        } else if let Some((begins, taken)) = &mut last_many {
            if *begins == units.len() {
                return true;
            }
            taken.next();
            at = *begins;
            rest = taken.clone();
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the shapes are short for.
    fn by_units(pattern: &TextPattern, text: &str) -> bool {
        let matcher = TextMatcher::new(pattern);
        match pattern.is_cased() {
            true => fits_units(&matcher.units, text.chars()),
            false => fits_units(&matcher.units, folded(text)),
        }
    }

    #[test]
    fn a_shape_says_what_its_units_say() {
        let sources = [
            "",
            "*",
            "?",
            "k",
            "K",
            "ab",
            "ab*",
            "*ab",
            "*ab*",
            "a*b",
            "*a*b*",
            "a?b",
            "*a?",
            "ß",
            "*ärger*",
            "İ*",
            "*İ",
            "*\u{212a}*",
            "\u{212a}",
            "*\u{212a}",
        ];
        let texts = [
            "",
            "k",
            "K",
            "\u{212a}",
            "ab",
            "AB",
            "aB",
            "xab",
            "abx",
            "xABx",
            "aab",
            "abab",
            "a b",
            "ÄRGER",
            "ärger!",
            "ss",
            "ß",
            "i̇x",
            "İx",
            "xİ",
            "a\u{212a}b",
        ];
        let mut fitting = 0;
        for pattern in sources
            .map(TextPattern::glob)
            .into_iter()
            .flat_map(|p| [p.clone().cased(), p])
        {
            for text in texts {
                let fits = TextMatcher::new(&pattern).fits(text);
                assert_eq!(fits, by_units(&pattern, text), "{pattern:?} on {text:?}");
                fitting += usize::from(fits);
            }
        }
        assert!(fitting > 100, "hardly any text fits: {fitting}");
    }

    #[test]
    fn case_is_that_of_characters_and_is_regarded_on_demand() {
        let cases = [
            ("*KEY*", "monkey", true, false),
            ("*key", "monKEY", true, false),
            ("key*", "key ring", true, true),
            ("\u{212a}ey", "key", true, false),
            ("*key*", "mon\u{212a}ey", true, false),
            ("ärger", "ÄRGER", true, false),
        ];
        for (source, text, folded, cased) in cases {
            let pattern = TextPattern::glob(source);
            assert_eq!(TextMatcher::new(&pattern).fits(text), folded, "{source} on {text}");
            assert_eq!(
                TextMatcher::new(&pattern.cased()).fits(text),
                cased,
                "{source} on {text}, cased"
            );
        }
    }

    /// `C:\*` as Sigma writes a literal asterisk: no wildcard.
    #[test]
    fn an_escaped_wildcard_is_itself() {
        let literal = TextPattern::exact("a*?b");
        assert!(TextMatcher::new(&literal).fits("A*?B"));
        assert!(!TextMatcher::new(&literal).fits("axyb"));
        let mixed = TextPattern::new(vec![Piece::Many, Piece::Text("*".to_owned()), Piece::One]);
        for (text, fits) in [("x*y", true), ("*y", true), ("x*", false), ("xyz", false), ("**", true)] {
            assert_eq!(TextMatcher::new(&mixed).fits(text), fits, "{text}");
        }
    }
}
