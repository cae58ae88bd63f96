//! JSON lines under zstd: `zstd -dc` and any tool that reads JSON will do.
//!
//! A line is `{"offset":…,"timestamp":…,"key":…,"value":…,"headers":[[name,value],…]}`. What is null or empty is left
//! out. Bytes are text where they are UTF-8, else `{"base64":…}`.

use std::io::{BufRead, BufReader, Read, Write};

use broker::Record;
use bytes::Bytes;
use event::{Raw, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Decoder, Encoder, Format};

pub(super) struct JsonlZst;

/// Level 1 packs lines of canonical events as well as level 3 (auth.log 15.6 and 14.4 to 1, access log 14.1 and 14.2,
/// CloudTrail 15.8 and 15.7) in half the time.
const LEVEL: i32 = 1;

/// A line longer than this was not written by us: no record is so large, even escaped.
const LINE_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    offset: u64,
    timestamp: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Raw>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, Raw)>,
}

impl Format for JsonlZst {
    fn name(&self) -> &'static str {
        "jsonl.zst"
    }

    fn content_type(&self) -> &'static str {
        "application/zstd"
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        let mut zstd = zstd::Encoder::new(Vec::new(), LEVEL).expect("the level is valid");
        zstd.include_checksum(true).expect("the parameter exists");
        Box::new(Lines { zstd })
    }

    fn decoder<'a>(&self, bytes: &'a [u8]) -> Decoder<'a> {
        match zstd::Decoder::with_buffer(bytes) {
            Ok(zstd) => Box::new(Reader {
                lines: BufReader::new(zstd),
                line: Vec::new(),
                broken: false,
            }),
            Err(error) => Box::new(std::iter::once(Err(error.to_string()))),
        }
    }
}

struct Lines {
    zstd: zstd::Encoder<'static, Vec<u8>>,
}

const IN_MEMORY: &str = "writing to memory cannot fail";

impl Encoder for Lines {
    fn add(&mut self, record: &Record) {
        let line = Line {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.as_deref().map(Raw::new),
            value: record.value.as_deref().map(Raw::new),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), Raw::new(value)))
                .collect(),
        };
        let mut text = serde_json::to_vec(&line).expect("a line has only text keys");
        text.push(b'\n');
        self.zstd.write_all(&text).expect(IN_MEMORY);
    }

    fn bytes(&self) -> usize {
        self.zstd.get_ref().len()
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.zstd.finish().expect(IN_MEMORY)
    }
}

struct Reader<'a> {
    lines: BufReader<zstd::Decoder<'a, &'a [u8]>>,
    line: Vec<u8>,
    broken: bool,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<Option<Record>, String> {
        self.line.clear();
        let mut bounded = (&mut self.lines).take(LINE_BYTES_MAX);
        let length = bounded
            .read_until(b'\n', &mut self.line)
            .map_err(|error| error.to_string())?;
        if length == 0 {
            return Ok(None);
        }
        if self.line.pop() != Some(b'\n') {
            return Err("the last line is cut short, or one is too long".to_owned());
        }
        let line: Line = serde_json::from_slice(&self.line).map_err(|error| error.to_string())?;
        record(line).map(Some)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Record, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let read = self.read();
        self.broken = read.is_err();
        read.transpose()
    }
}

fn record(line: Line) -> Result<Record, String> {
    let Line {
        offset,
        timestamp,
        key,
        value,
        headers,
    } = line;
    let headers = headers
        .into_iter()
        .map(|(name, value)| Ok((name, bytes(offset, &value)?)));
    Ok(Record {
        offset,
        timestamp,
        key: key.map(|key| bytes(offset, &key)).transpose()?,
        value: value.map(|value| bytes(offset, &value)).transpose()?,
        headers: headers.collect::<Result<_, String>>()?,
    })
}

fn bytes(offset: u64, raw: &Raw) -> Result<Bytes, String> {
    let bytes = raw
        .bytes()
        .ok_or_else(|| format!("record {offset} has damaged base64"))?;
    Ok(Bytes::from(bytes.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(lines: &str) -> Vec<u8> {
        zstd::encode_all(lines.as_bytes(), LEVEL).expect("in memory")
    }

    /// The records before the damage, and what the reader says of it.
    fn damage(bytes: &[u8]) -> (usize, String) {
        let mut read = 0;
        for record in JsonlZst.decoder(bytes) {
            match record {
                Ok(_) => read += 1,
                Err(error) => return (read, error),
            }
        }
        (read, "none".to_owned())
    }

    #[test]
    fn bytes_that_are_not_ours_are_errors() {
        let good = "{\"offset\":1,\"timestamp\":\"2026-01-01T00:00:00.000Z\"}\n";
        assert_eq!(damage(&pack(good)), (1, "none".to_owned()));
        let cut = pack(&good.repeat(3));
        assert_eq!(
            damage(&cut[..cut.len() - 1]).0,
            0,
            "a frame that is cut short gives nothing"
        );
        let cases = [
            (pack(&format!("{good}{}", good.trim_end())), 1, "cut short"),
            (pack(&format!("{good}{{}}\n")), 1, "missing field"),
            (pack(&good.replace("}", ",\"x\":1}")), 0, "unknown field"),
            (
                pack(&good.replace("}", ",\"value\":{\"base64\":\"*\"}}")),
                0,
                "damaged base64",
            ),
            (b"not zstd at all".to_vec(), 0, "Unknown frame"),
            ([pack(good), b"tail".to_vec()].concat(), 1, "Unknown frame"),
        ];
        for (bytes, records, words) in cases {
            let (read, error) = damage(&bytes);
            assert_eq!(read, records, "{words}: {error}");
            assert!(error.contains(words), "`{error}` lacks `{words}`");
        }
    }
}
