#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::{debug, error, info};

use super::{LogFormat, LogSettings, subscriber};
use crate::settings::{Sources, Tree, read};

/// What the given function logs.
fn logged(format: LogFormat, level: &str, log: impl FnOnce()) -> String {
    let written = Written::default();
    let settings = LogSettings {
        format,
        level: level.to_owned(),
    };
    let writer = written.clone();
    let subscriber = subscriber("door", &settings, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, log);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const HOSTILE: &str = "a\nINFO forged\r\u{1b}[2J\u{7f}\u{9b}31m\t\"q\"\\";

fn hostile() {
    info!(user = HOSTILE, shown = %HOSTILE, debug = ?HOSTILE, "{HOSTILE}");
}

#[test]
fn a_json_line_is_one_object_with_its_fields() {
    let text = logged(LogFormat::Json, "info", || {
        info!(partition = 3, ratio = 0.5, ready = true, level = "own", "took over");
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "timestamp",
            "level",
            "service",
            "target",
            "message",
            "partition",
            "ratio",
            "ready",
            "field_level"
        ]
    );
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["service"], "door");
    assert_eq!(line["target"], "service::telemetry::tests");
    assert_eq!(line["message"], "took over");
    assert_eq!(line["partition"], 3);
    assert_eq!(line["field_level"], "own");
    let time = line["timestamp"].as_str().unwrap();
    assert!(event::Timestamp::parse(time).is_some() && time.ends_with('Z'), "{time}");
}

#[test]
fn control_characters_neither_forge_a_line_nor_reach_a_terminal() {
    for format in [LogFormat::Json, LogFormat::Text] {
        let text = logged(format, "info", hostile);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let line: Value = serde_json::from_str(&logged(LogFormat::Json, "info", hostile)).unwrap();
    assert_eq!(line["message"], HOSTILE, "nothing is lost by escaping");
    assert_eq!(line["user"], HOSTILE);
    assert_eq!(line["shown"], HOSTILE);
}

#[test]
fn a_text_line_reads_from_left_to_right() {
    let text = logged(LogFormat::Text, "info", || {
        info!(partition = 3, topic = "raw", "took over");
    });
    let (time, rest) = text.split_once(' ').unwrap();
    assert!(event::Timestamp::parse(time).is_some(), "{time}");
    assert_eq!(
        rest,
        "INFO  service::telemetry::tests: took over partition=3 topic=\"raw\"\n"
    );
}

#[test]
fn a_long_field_is_cut_and_says_so() {
    let long = "ä".repeat(5000);
    let text = logged(LogFormat::Json, "info", || info!(body = long, "short"));
    let line: Value = serde_json::from_str(&text).unwrap();
    let body = line["body"].as_str().unwrap();
    assert!(body.ends_with("ä… (5904 bytes more)"), "{body}");
    assert_eq!(body.chars().filter(|character| *character == 'ä').count(), 2048);
}

#[test]
fn an_error_is_shown_with_its_causes() {
    let cause = io::Error::other("disk full");
    let error = anyhow::Error::new(cause).context("cannot write the segment");
    let text = logged(LogFormat::Json, "info", || {
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        error!(error, "stopping");
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["error"], "cannot write the segment: disk full");
}

#[test]
fn a_level_holds_for_all_or_for_a_target() {
    let log = || {
        debug!("unwanted");
        debug!(target: "kafka", "wanted");
    };
    assert_eq!(logged(LogFormat::Text, "info", log), "");
    let text = logged(LogFormat::Text, "info,kafka=debug", log);
    assert!(text.contains("wanted") && !text.contains("unwanted"), "{text}");
}

#[test]
fn a_level_that_is_none_is_a_mistake() {
    let cases = [
        ("inof", false),
        ("info,=loud", false),
        ("info,kafka=loud", false),
        ("info,kafka=debug", true),
        ("off", true),
    ];
    for (level, accepted) in cases {
        let variables = vec![("TIDEWATCH_TELEMETRY__LOG_LEVEL".into(), level.into())];
        let tree = Tree::load(&Sources { file: None, variables }).unwrap();
        let loaded = read(&tree, |reader| reader.section("telemetry", "", LogSettings::read));
        match loaded {
            Ok(loaded) => assert!(accepted && loaded.settings.level == level, "{level}"),
            Err(problems) => {
                let message = problems.to_string();
                assert!(!accepted && message.contains("must be off, error"), "{message}");
            }
        }
    }
}
