#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Form, Loaded, Origin, Problems, Reader, Sources, Tree, describe, read};

mod secrets;
mod sections;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Json,
    Text,
}

/// Every kind of key once, as a service would read it.
#[derive(Debug)]
struct Sample {
    brokers: String,
    workers: u16,
    compress: bool,
    drain: Duration,
    session_timeout: Duration,
    body_max: u64,
    listen: std::net::SocketAddr,
    rules: PathBuf,
    topics: Vec<String>,
    format: Format,
    api_key: SecretString,
}

impl Sample {
    fn read(reader: &mut Reader<'_>) -> Self {
        let sample = Self {
            brokers: reader.text("brokers", "brokers to start from").required(),
            workers: reader.integer("workers", "worker threads").range(1..=64).default(2_u16),
            compress: reader.boolean("compress", "compress batches").default(true),
            drain: reader
                .duration("drain", "how long a stop may take")
                .range(Duration::from_secs(1)..=Duration::from_hours(1))
                .default(Duration::from_secs(10)),
            session_timeout: reader
                .duration("session_timeout", "when the group gives a member up")
                .default(Duration::from_secs(45)),
            body_max: reader.bytes("body_max", "largest body").default(10_u64 << 20),
            listen: reader
                .address("listen", "where the door listens")
                .default(([0, 0, 0, 0], 8080)),
            rules: reader.path("rules", "directory of rules").default("rules/guide"),
            topics: reader.list("topics", "topics to read").default(Vec::new()),
            format: reader
                .choice(
                    "format",
                    "form of the log",
                    &[("json", Format::Json), ("text", Format::Text)],
                )
                .default(Format::Json),
            api_key: reader.secret("api_key", "key of the door").required(),
        };
        let holds = sample.drain < sample.session_timeout;
        reader.require(
            holds,
            &["drain", "session_timeout"],
            "must be less than session_timeout",
        );
        sample
    }
}

/// A configuration file beside nothing else, named without its directory in what a test compares.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new(yaml: &str) -> Self {
        let scratch = Self(tempfile::tempdir().unwrap());
        fs::write(scratch.path("tidewatch.yaml"), yaml).unwrap();
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Tree, Problems> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Tree::load(&Sources {
            file: Some(self.path("tidewatch.yaml")),
            variables: variables.collect(),
        })
    }

    fn read(&self, variables: &[(&str, &str)]) -> Result<Loaded<Sample>, Problems> {
        let tree = self.load(variables)?;
        read(&tree, |reader| reader.section("door", "the door", Sample::read))
    }

    fn problems(&self, variables: &[(&str, &str)]) -> Vec<String> {
        self.short(&self.read(variables).unwrap_err())
    }

    fn short(&self, problems: &Problems) -> Vec<String> {
        let directory = format!("{}/", self.0.path().display());
        problems
            .to_string()
            .lines()
            .map(|line| line.replace(&directory, ""))
            .collect()
    }
}

const KEY: (&str, &str) = ("TIDEWATCH_DOOR__API_KEY", "s3cret-of-the-door");

#[test]
fn the_file_wins_over_defaults_and_the_environment_over_the_file() {
    let scratch = Scratch::new(
        "door: {brokers: 'a:1', workers: 3, compress: false, drain: 5s, body_max: 1 GiB, \
         listen: '[::1]:80', rules: /rules, topics: [x, y], format: text}",
    );
    let variables = [
        KEY,
        ("TIDEWATCH_DOOR__WORKERS", "5"),
        ("TIDEWATCH_DOOR__COMPRESS", "true"),
        ("TIDEWATCH_DOOR__TOPICS", "p, q,"),
        ("TIDEWATCH_DOOR__BROKERS", ""),
        ("HOME", "/root"),
    ];
    let settings = scratch.read(&variables).unwrap().settings;
    assert_eq!(settings.brokers, "a:1", "an empty variable is none");
    assert_eq!(settings.workers, 5);
    assert!(settings.compress);
    assert_eq!(settings.drain, Duration::from_secs(5));
    assert_eq!(settings.session_timeout, Duration::from_secs(45));
    assert_eq!(settings.body_max, 1 << 30);
    assert_eq!(settings.listen.to_string(), "[::1]:80");
    assert_eq!(settings.rules, Path::new("/rules"));
    assert_eq!(settings.topics, ["p", "q"]);
    assert_eq!(settings.format, Format::Text);
    assert_eq!(settings.api_key.expose_secret(), KEY.1);
}

#[test]
fn five_mistakes_are_five_problems_each_with_its_place() {
    let scratch = Scratch::new("door:\n  brokerz: 'a:1'\n  workers: 100\n  drain: 30\n  format: xml\nextra: 1\n");
    assert_eq!(
        scratch.problems(&[KEY]),
        [
            "tidewatch.yaml: door.workers: must be from 1 to 64, found 100",
            "tidewatch.yaml: door.drain: expected a duration with its unit (ms, s, m, h, d), as 30s, found 30",
            "tidewatch.yaml: door.format: expected one of json, text, found the text \"xml\"",
            "tidewatch.yaml: door.brokerz: unknown key, did you mean brokers?",
            "tidewatch.yaml: extra: unknown key",
        ]
    );
}

#[test]
fn a_mistake_in_a_variable_is_reported_at_the_variable() {
    let scratch = Scratch::new("door: {brokers: 'a:1'}");
    let variables = [
        KEY,
        ("TIDEWATCH_DOOR__COMPRESS", "yes"),
        ("TIDEWATCH_DOOR__LISTEN", "8080"),
        ("TIDEWATCH_DOOR__WORKER", "2"),
    ];
    assert_eq!(
        scratch.problems(&variables),
        [
            "TIDEWATCH_DOOR__COMPRESS (door.compress): expected true or false, found \"yes\"",
            "TIDEWATCH_DOOR__LISTEN (door.listen): expected an address and port, as 0.0.0.0:9090 or [::]:9090, found \"8080\"",
            "TIDEWATCH_DOOR__WORKER (door.worker): unknown key, did you mean workers?",
        ]
    );
}

#[test]
fn types_are_not_guessed() {
    let cases = [
        ("brokers: 9092", "expected text in quotes, found 9092"),
        ("brokers: ''", "expected text, found the text \"\""),
        ("brokers:", "expected text, found nothing"),
        ("workers: '5'", "expected a whole number, found the text \"5\""),
        ("workers: 2.5", "expected a whole number, found 2.5"),
        ("workers: -1", "expected a whole number from 0 to 65535, found -1"),
        ("workers: 70000", "expected a whole number from 0 to 65535, found 70000"),
        ("compress: 'yes'", "expected true or false, found the text \"yes\""),
        ("drain: 500ms", "must be from 1s to 1h, found the text \"500ms\""),
        (
            "drain: 5 minutes",
            "expected a duration with its unit (ms, s, m, h, d), as 30s, found the text \"5 minutes\"",
        ),
        (
            "drain: 1h30m",
            "expected a duration with its unit (ms, s, m, h, d), as 30s, found the text \"1h30m\"",
        ),
        (
            "body_max: 64MB",
            "expected a size with its unit (B, KiB, MiB, GiB, TiB), as 64MiB, found the text \"64MB\"",
        ),
        (
            "body_max: 99999999TiB",
            "expected a size with its unit (B, KiB, MiB, GiB, TiB), as 64MiB, found the text \"99999999TiB\"",
        ),
        ("topics: x", "expected a list of texts, found the text \"x\""),
        ("topics: [x, 1]", "expected a list of texts, found a list"),
        ("rules: {a: 1}", "expected a path, found a section"),
        (
            "listen: localhost:80",
            "expected an address and port, as 0.0.0.0:9090 or [::]:9090, found the text \"localhost:80\"",
        ),
        (
            "format: \"\\e[2J\"",
            "expected one of json, text, found the text \"\\u{1b}[2J\"",
        ),
    ];
    for (line, message) in cases {
        let scratch = Scratch::new(&format!("door:\n  {line}"));
        // The required key comes from the environment unless the case is about it.
        let brokers = (
            "TIDEWATCH_DOOR__BROKERS",
            if line.starts_with("brokers") { "" } else { "b" },
        );
        let name = line.split(':').next().unwrap();
        let expected = format!("tidewatch.yaml: door.{name}: {message}");
        assert_eq!(scratch.problems(&[KEY, brokers]), [expected]);
    }
}

#[test]
fn what_is_required_says_how_to_set_it() {
    let expected = [
        "door.brokers: required and not set; set it here or in TIDEWATCH_DOOR__BROKERS",
        "door.api_key: required and not set; set it here, by api_key_file or in TIDEWATCH_DOOR__API_KEY",
    ];
    let in_file = expected.map(|line| format!("tidewatch.yaml: {line}"));
    assert_eq!(Scratch::new("").problems(&[]), in_file);
    assert_eq!(Scratch::new("door:").problems(&[]), in_file);
    // A section that only a variable opened is still missing its keys in the file.
    assert_eq!(Scratch::new("").problems(&[("TIDEWATCH_DOOR__WORKERS", "2")]), in_file);

    let tree = Tree::load(&Sources::default()).unwrap();
    let problems = read(&tree, |reader| reader.section("door", "", Sample::read)).unwrap_err();
    assert_eq!(problems.to_string().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn keys_are_compared_only_when_both_are_right() {
    let wrong = "tidewatch.yaml: door.drain: must be less than session_timeout";
    let compared = Scratch::new("door: {brokers: b, drain: 1m}");
    assert_eq!(compared.problems(&[KEY]), [wrong]);
    let by_the_other = Scratch::new("door: {brokers: b, session_timeout: 9s}");
    assert_eq!(
        by_the_other.problems(&[KEY]),
        ["tidewatch.yaml: door.session_timeout: must be less than session_timeout"]
    );
    let unreadable = Scratch::new("door: {brokers: b, drain: 1m, session_timeout: 9}");
    let problems = unreadable.problems(&[KEY]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("expected a duration"), "{problems:?}");
}

#[test]
fn something_else_in_the_place_of_a_section_is_one_mistake() {
    let scratch = Scratch::new("door: open");
    let expected = ["tidewatch.yaml: door: expected a section, found a text"];
    assert_eq!(scratch.problems(&[]), expected);
    assert_eq!(scratch.problems(&[KEY]), expected);
}

#[test]
fn one_underscore_where_two_belong_is_found_and_other_variables_are_left_alone() {
    let scratch = Scratch::new("door: {brokers: b}");
    let variables = [
        KEY,
        ("TIDEWATCH_DOOR_WORKERS", "5"),
        // Kubernetes sets such a variable for a service named tidewatch-door.
        ("TIDEWATCH_DOOR_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("TIDEWATCH_TEST_KAFKA", "127.0.0.1:9092"),
    ];
    assert_eq!(
        scratch.problems(&variables),
        [
            "TIDEWATCH_DOOR_WORKERS (door.workers): not read: two underscores stand between levels, TIDEWATCH_DOOR__WORKERS"
        ]
    );
    assert!(scratch.read(&[variables[0], variables[2], variables[3]]).is_ok());
}

#[test]
fn a_variable_that_is_not_utf8_is_a_problem() {
    let value = OsString::from_vec(vec![0xff, 0xfe]);
    let tree = Tree::load(&Sources {
        file: None,
        variables: vec![("TIDEWATCH_DOOR__BROKERS".into(), value)],
    });
    let read = read(&tree.unwrap(), |reader| {
        reader.section("door", "", |reader| reader.text("brokers", "").optional())
    });
    assert_eq!(
        read.unwrap_err().to_string(),
        "TIDEWATCH_DOOR__BROKERS (door.brokers): the value is not UTF-8"
    );
}

#[test]
fn a_file_that_cannot_be_understood_is_refused_whole() {
    let cases = [
        ("door: [", "not a YAML table: "),
        ("- a\n- b", "not a YAML table: "),
        ("door: {workers: 1, workers: 2}", "not a YAML table: "),
        ("a: 1\n---\nb: 2", "not a YAML table: "),
    ];
    for (yaml, message) in cases {
        let scratch = Scratch::new(yaml);
        let problems = scratch.short(&scratch.load(&[]).unwrap_err());
        let expected = format!("tidewatch.yaml: {message}");
        assert_eq!(problems.len(), 1, "{yaml}: {problems:?}");
        assert!(problems[0].starts_with(&expected), "{yaml}: {problems:?}");
    }
    let scratch = Scratch::new("");
    fs::remove_file(scratch.path("tidewatch.yaml")).unwrap();
    let problems = scratch.short(&scratch.load(&[]).unwrap_err());
    assert_eq!(
        problems,
        ["tidewatch.yaml: cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
#[should_panic(expected = "the default of workers must be from 1 to 8")]
fn a_default_outside_its_range_is_a_defect() {
    describe(|reader| reader.integer::<u8>("workers", "").range(1..=8).default(9));
}

#[test]
#[should_panic(expected = "a key is read in one place: workers")]
fn a_key_that_is_read_twice_is_a_defect() {
    describe(|reader| {
        reader.integer::<u8>("workers", "").default(1);
        reader.integer::<u8>("workers", "").default(2);
    });
}

#[test]
fn a_problem_is_at_its_source() {
    let scratch = Scratch::new("door: {brokers: b}");
    let tree = scratch.load(&[]).unwrap();
    let problems = read(&tree, |reader| {
        reader.section("door", "", |reader| {
            reader.text("brokers", "").required();
            reader.problem("brokers", "is a planted problem");
        });
    });
    let problem = &problems.unwrap_err().0[0];
    let file = scratch.path("tidewatch.yaml").to_string_lossy().into();
    assert_eq!(problem.origin, Origin::File(file));
    assert_eq!(problem.path, "door.brokers");
}
