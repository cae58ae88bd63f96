//! The lines of log files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// The longest line that is read; of a longer one only the length is kept.
pub(crate) const BYTES_MAX: usize = 1 << 20;

/// A line without its end.
pub(crate) enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// More than [`BYTES_MAX`] bytes; so many.
    TooLong(u64),
}

/// Lines of a file within bounded memory, whatever the file holds.
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The number of the next line, from 1, and the line; `None` at the end.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        let mut length = 0;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                break;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let room = BYTES_MAX.saturating_add(2).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&available[..taken.min(room)]);
            length += taken as u64;
            self.reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if line.len() > BYTES_MAX {
            Line::TooLong(length)
        } else {
            Line::Whole(line)
        };
        Ok(Some((self.number, line)))
    }
}

/// A log file: `-` is standard input, and `.gz` is unpacked.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path)?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    Ok(Box::new(BufReader::with_capacity(1 << 16, reader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(bytes);
        let mut read = Vec::new();
        while let Some((_, line)) = lines.next_line().expect("memory can be read") {
            read.push(match line {
                Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                Line::TooLong(bytes) => format!("{bytes} bytes"),
            });
        }
        read
    }

    #[test]
    fn lines_end_as_any_system_ends_them() {
        assert_eq!(read(b"a\nb\r\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(read(b""), [""; 0]);
    }

    #[test]
    fn a_long_line_is_passed_over_and_the_next_is_read() {
        let mut bytes = vec![b'x'; BYTES_MAX];
        bytes.extend_from_slice(b"y\nnext\n");
        assert_eq!(read(&bytes), [format!("{} bytes", BYTES_MAX + 2), "next".to_owned()]);
        bytes.drain(..1);
        assert_eq!(read(&bytes).len(), 2);
        assert_eq!(read(&bytes)[0].len(), BYTES_MAX, "exactly the limit is read");
    }
}
