use std::borrow::Cow;

/// What an access log field was before the server escaped it: `\xHH`, `\"`, `\\`, `\n`, `\r`, `\t`. As it stands if
/// it holds another escape, or if what comes out is not text.
pub(crate) fn unescape(field: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', field.as_bytes()).is_none() {
        return Cow::Borrowed(field);
    }
    let bytes = bytes(field.as_bytes());
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => Cow::Owned(text),
        None => Cow::Borrowed(field),
    }
}

fn bytes(mut field: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(field.len());
    while let Some((&byte, rest)) = field.split_first() {
        field = rest;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&letter, rest) = field.split_first()?;
        field = rest;
        out.push(match letter {
            b'x' | b'X' => {
                let (digits, rest) = field.split_first_chunk::<2>()?;
                field = rest;
                hex(digits[0])? * 16 + hex(digits[1])?
            }
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' => letter,
            _ => return None,
        });
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_of_both_servers() {
        let cases = [
            ("plain", "plain"),
            (r"\x22quoted\x22", "\"quoted\""),
            (r#"say \"hi\" \\ there"#, "say \"hi\" \\ there"),
            (r"\xC3\xA9", "é"),
            (r"\x16\x03\x01\xff", r"\x16\x03\x01\xff"),
            (r"cut \x2", r"cut \x2"),
            (r"cut \", r"cut \"),
            (r"\q", r"\q"),
        ];
        for (field, expected) in cases {
            assert_eq!(unescape(field), expected, "{field}");
        }
    }
}
