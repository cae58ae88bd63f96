//! Where JSON values begin and end, without looking at what they are.
//!
//! A body is cut here before its entries are read, so one damaged entry costs its neighbours nothing. No recursion:
//! a million open brackets are a number.

use memchr::memchr2;

/// The first place from `at` on that is not white space.
pub(crate) fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        .count()
}

/// The place after the value that begins at `at`. `None` if there is none, or it does not end.
pub(crate) fn end_of_value(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => end_of_string(bytes, at),
        b'{' | b'[' => end_of_container(bytes, at),
        _ => {
            let rest = &bytes[at..];
            let length = rest
                .iter()
                .position(|byte| matches!(byte, b',' | b']' | b'}'))
                .unwrap_or(rest.len());
            let length = rest[..length].trim_ascii_end().len();
            (length > 0).then_some(at + length)
        }
    }
}

fn end_of_string(bytes: &[u8], quote: usize) -> Option<usize> {
    let mut at = quote + 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn end_of_container(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = open;
    loop {
        match bytes.get(at)? {
            b'"' => at = end_of_string(bytes, at)? - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The members of the object that begins at `at`: names as they stand between their quotes, and values. Ends early
/// where it is not JSON.
pub(crate) fn members(bytes: &[u8], at: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = at;
    std::iter::from_fn(move || {
        if !matches!(bytes.get(at)?, b'{' | b',') {
            return None;
        }
        let quote = skip_space(bytes, at + 1);
        let after = (bytes.get(quote)? == &b'"').then(|| end_of_string(bytes, quote))??;
        let colon = skip_space(bytes, after);
        let value = (bytes.get(colon)? == &b':').then(|| skip_space(bytes, colon + 1))?;
        let end = end_of_value(bytes, value)?;
        at = skip_space(bytes, end);
        Some((&bytes[quote + 1..after - 1], &bytes[value..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        let cases = [
            ("{}", Some(2)),
            (r#"{"a":"}"} x"#, Some(9)),
            (r#""\"\\" ,"#, Some(6)),
            ("[[{}],[]],", Some(9)),
            ("nul , 2", Some(3)),
            ("12", Some(2)),
            ("", None),
            ("]", None),
            (r#""abc"#, None),
            (r#""abc\"#, None),
            ("[{]", None),
        ];
        for (text, end) in cases {
            assert_eq!(end_of_value(text.as_bytes(), 0), end, "{text}");
        }
        assert_eq!(end_of_value(&vec![b'['; 1_000_000], 0), None);
    }

    #[test]
    fn members_of_an_object() {
        let text = br#"{ "a" : {"x":[1,2]} , "b\"" : 2,"c":"d"}"#;
        let found: Vec<_> = members(text, 0).collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"a", br#"{"x":[1,2]}"#), (br#"b\""#, b"2"), (b"c", br#""d""#)];
        assert_eq!(found, expected);
        assert_eq!(members(b"{}", 0).count(), 0);
        assert_eq!(members(br#"{"a":1 "b":2}"#, 0).count(), 1);
    }
}
