//! `tidewatch config` as people use it: the example is right, with and without what it leaves out; and a wrong file is
//! answered with all its mistakes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/tidewatch.example.yml");

/// What the example leaves out and shows with another value than the default, because the default is nothing, or
/// depends on what stands beside it.
const OTHER_THAN_DEFAULT: [&str; 2] = ["archiver.store.prefix", "archiver.store.path_style"];

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

/// `tidewatch config COMMAND FILE`, without the variables of whoever runs the tests.
fn config(command: &str, file: &Path) -> Answer {
    let mut process = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
    let output = process
        .env_clear()
        .args(["config", command])
        .arg(file)
        .output()
        .unwrap();
    Answer {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn write(folder: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// The example with everything that it leaves out, and the secrets that it names.
fn whole_example(folder: &TempDir) -> std::path::PathBuf {
    for (name, secret) in [
        ("kafka_password", "correct horse battery staple"),
        ("web_shop_key", "5f0c2b7a9d3e4c1f8a6b"),
        ("slack_url", "https://hooks.slack.com/services/T/B/X"),
        ("routing_key", "R0UT1NG"),
        ("soar_url", "https://soar.example/hook"),
        ("soar_signing_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("s3_secret", "not a secret of anybody"),
    ] {
        write(folder, name, secret);
    }
    let uncommented = |line: &str| {
        let text = line.trim_start();
        let (indent, rest) = (line.len() - text.len(), text.strip_prefix('#'));
        match rest.filter(|rest| !rest.starts_with(' ')) {
            Some(rest) => format!("{}{rest}\n", &line[..indent]),
            None => format!("{line}\n"),
        }
    };
    let text: String = fs::read_to_string(EXAMPLE).unwrap().lines().map(uncommented).collect();
    let text = text.replace("/run/secrets", folder.path().to_str().unwrap());
    write(folder, "tidewatch.yml", &text)
}

/// The keys that `config show` prints, each with its value and whether it is a default.
fn shown(file: &Path) -> BTreeMap<String, (String, bool)> {
    let answer = config("show", file);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    let (mut above, mut keys) = (Vec::<String>::new(), BTreeMap::new());
    for line in answer.out.lines() {
        let text = line.trim_start();
        above.truncate((line.len() - text.len()) / 2);
        let (name, rest) = text.trim_start_matches("# ").split_once(':').unwrap_or((text, ""));
        let (value, origin) = rest.rsplit_once("  # ").unwrap_or((rest, ""));
        above.push(name.to_owned());
        keys.insert(above.join("."), (value.trim().to_owned(), origin == "default"));
    }
    assert!(keys.len() > 50, "the settings were misread: {}", answer.out);
    keys
}

#[test]
fn the_example_is_right() {
    let answer = config("check", Path::new(EXAMPLE));
    assert_eq!(
        (answer.code, &*answer.out),
        (Some(0), "the configuration is right\n"),
        "{}",
        answer.err
    );
    let warnings: Vec<&str> = answer.err.lines().collect();
    let [warning] = warnings[..] else {
        panic!("{warnings:?}")
    };
    assert!(
        warning.ends_with("ingest.api_keys: there is none: the HTTP door refuses every request"),
        "{warning}"
    );
}

#[test]
fn the_example_is_right_with_all_that_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let answer = config("check", &whole_example(&folder));
    assert_eq!(
        (answer.code, &*answer.out, &*answer.err),
        (Some(0), "the configuration is right\n", "")
    );
}

#[test]
fn the_example_names_every_key_and_tells_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let (sparse, whole) = (shown(Path::new(EXAMPLE)), shown(&whole_example(&folder)));
    let defaults = sparse.iter().filter(|(_, (_, is_default))| *is_default);
    for (key, (value, _)) in defaults.filter(|(key, _)| !OTHER_THAN_DEFAULT.contains(&key.as_str())) {
        assert_eq!(&whole[key].0, value, "the example shows another default of {key}");
    }
    let text = fs::read_to_string(EXAMPLE).unwrap();
    for key in whole.keys() {
        let name = key.rsplit('.').next().unwrap();
        let is_named = name == "-" || text.contains(&format!("{name}:")) || text.contains(&format!("{name}_file:"));
        assert!(is_named, "the example does not name {key}");
    }
}

#[test]
fn five_mistakes_are_told_in_one_go_each_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        &folder,
        "wrong.yml",
        "kafka:\n  brokers: kafka-0:9092\n  sesion_timeout: 12s\n\
         ingest:\n  topics:\n    - topic: raw\n      format: syslogd\n\
         detector:\n  commit_interval: 100\n\
         alerter:\n  routes:\n    chat:\n      channel: log\n      severities: [huge]\n\
         archiver:\n  store:\n    kind: s3\n",
    );
    let answer = config("check", &file);
    assert_eq!((answer.code, &*answer.out), (Some(78), ""), "{}", answer.err);
    let lines: Vec<&str> = answer.err.lines().collect();
    let places = [
        "kafka.sesion_timeout: ",
        "ingest.topics[0].format: ",
        "detector.commit_interval: ",
        "alerter.routes.chat.severities: ",
        "archiver.store.bucket: ",
    ];
    assert_eq!(lines.len(), places.len(), "{}", answer.err);
    for place in places {
        let begin = format!("{}: {place}", file.display());
        let found = lines.iter().filter(|line| line.starts_with(&begin)).count();
        assert_eq!(found, 1, "{place} in:\n{}", answer.err);
    }
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_configuration() {
    let answer = config("check", Path::new("/nowhere/tidewatch.yml"));
    assert_eq!(answer.code, Some(78), "{}", answer.err);
    assert!(answer.err.contains("/nowhere/tidewatch.yml"), "{}", answer.err);
}
