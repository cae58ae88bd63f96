//! `tidewatch config` as people use it: what it prints is what stands in the repository, and is right; a wrong file is
//! answered with all its mistakes, and with no secret.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What is in the repository and printed by the program: the command, and the file.
const GENERATED: [(&[&str], &str); 6] = [
    (&["reference"], "docs/configuration.md"),
    (&["example"], "deploy/tidewatch.example.yml"),
    (&["example", "ingest"], "deploy/config/ingest.yml"),
    (&["example", "detector"], "deploy/config/detector.yml"),
    (&["example", "alerter"], "deploy/config/alerter.yml"),
    (&["example", "archiver"], "deploy/config/archiver.yml"),
];

/// The secrets that the examples name by their files.
const SECRETS: [(&str, &str); 10] = [
    ("kafka_sasl_password", "correct horse battery staple"),
    ("web_shop_key", "5f0c2b7a9d3e4c1f8a6b"),
    ("ingest_api_keys_name_secret", "b6a8f1c4e3d9a7b2c0f5"),
    ("slack_url", "https://hooks.slack.com/services/T/B/X"),
    ("routing_key", "R0UT1NG"),
    ("soar_url", "https://soar.example/hook"),
    ("soar_signing_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("alerter_routes_name_url", "https://soar.example/hook"),
    ("alerter_routes_name_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("archiver_store_secret_access_key", "not a secret of anybody"),
];

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

/// `tidewatch config …` with these variables and none of whoever runs the tests.
fn config_with(arguments: &[&str], variables: &[(String, String)]) -> Answer {
    let mut process = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
    let process = process.env_clear().envs(variables.iter().cloned());
    let output = process.arg("config").args(arguments).output().unwrap();
    Answer {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn config(arguments: &[&str]) -> Answer {
    config_with(arguments, &[])
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn write_secrets(folder: &TempDir) {
    for (name, secret) in SECRETS {
        write(folder, name, secret);
    }
}

/// An example with everything that it leaves out, and the secrets that it names.
fn uncommented(folder: &TempDir, example: &str) -> String {
    write_secrets(folder);
    let uncommented = |line: &str| {
        let text = line.trim_start();
        let (indent, rest) = (line.len() - text.len(), text.strip_prefix('#'));
        match rest.filter(|rest| !rest.is_empty() && !rest.starts_with(' ')) {
            Some(rest) => format!("{}{rest}\n", &line[..indent]),
            None => format!("{line}\n"),
        }
    };
    let text: String = example.lines().map(uncommented).collect();
    assert!(text.len() + 20 < example.len(), "nothing is left out of the example");
    write(
        folder,
        "tidewatch.yml",
        &text.replace("/run/secrets", folder.path().to_str().unwrap()),
    )
}

/// What `config show` prints of each key: its value, and where it comes from.
fn shown(arguments: &[&str], variables: &[(String, String)]) -> BTreeMap<String, (String, String)> {
    let answer = config_with(&[&["show"], arguments].concat(), variables);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    let (mut above, mut keys) = (Vec::<String>::new(), BTreeMap::new());
    for line in answer.out.lines() {
        let text = line.trim_start();
        above.truncate((line.len() - text.len()) / 2);
        let (name, rest) = text.trim_start_matches("# ").split_once(':').unwrap_or((text, ""));
        let (value, origin) = rest.rsplit_once("  # ").unwrap_or((rest, ""));
        above.push(name.to_owned());
        keys.insert(above.join("."), (value.trim().to_owned(), origin.to_owned()));
    }
    assert!(keys.len() > 20, "the settings were misread: {}", answer.out);
    keys
}

/// A key of the reference page.
struct Described {
    path: String,
    /// As it would be written: the name, which for a secret is that of its file, and the value.
    example: (String, String),
    variable: Option<String>,
}

/// The keys of the reference page, read as a person reads it.
fn described() -> Vec<Described> {
    let page = config(&["reference"]).out;
    let mut keys = Vec::new();
    for part in page.split("\n### `").skip(1) {
        let (path, rest) = part.split_once('`').unwrap();
        let fact = |name: &str| {
            let (_, rest) = rest.split_once(&format!("\n- {name}: `"))?;
            Some(rest.split_once('`').unwrap().0.to_owned())
        };
        // A section has no example of this form.
        if let Some(example) = fact("example") {
            let (name, value) = example.split_once(": ").unwrap();
            keys.push(Described {
                path: path.to_owned(),
                example: (name.to_owned(), value.to_owned()),
                variable: fact("variable"),
            });
        }
    }
    assert!(keys.len() > 70, "the reference was misread: {}", keys.len());
    keys
}

#[test]
fn what_is_generated_is_what_the_code_says() {
    for (arguments, file) in GENERATED {
        let answer = config(arguments);
        assert_eq!(answer.code, Some(0), "{}", answer.err);
        let written = fs::read_to_string(format!("{ROOT}/{file}")).unwrap_or_default();
        assert!(
            answer.out == written,
            "{file} is not what `tidewatch config {}` prints: run `make reference`",
            arguments.join(" ")
        );
    }
}

#[test]
fn every_example_is_right_as_it_is() {
    for (arguments, _) in &GENERATED[1..] {
        let folder = tempfile::tempdir().unwrap();
        let text = config(arguments).out;
        let file = write(&folder, "tidewatch.yml", &text);
        let service: Vec<&str> = arguments[1..]
            .iter()
            .flat_map(|service| ["--service", service])
            .collect();
        let arguments = [&[file.as_str()], &service[..]].concat();
        let answer = config(&[&["check"], &arguments[..]].concat());
        assert_eq!(answer.code, Some(0), "{arguments:?}: {}", answer.err);
        let has_doors = text.contains("\n  #api_keys:\n");
        let warnings: Vec<&str> = answer.err.lines().collect();
        assert_eq!(warnings.len(), usize::from(has_doors), "{arguments:?}: {warnings:?}");
        let expected = "ingest.api_keys: there is none: the HTTP door refuses every request";
        assert!(
            warnings.iter().all(|warning| warning.ends_with(expected)),
            "{warnings:?}"
        );
        // What it sets counts, and is not passed over as a key of another kind of store would be.
        let is_set = |line: &&str| !line.trim_start().starts_with('#') && line.contains(": ");
        let in_force = shown(&arguments, &[]);
        let in_force = in_force.values().filter(|(_, origin)| *origin == file);
        assert_eq!(in_force.count(), text.lines().filter(is_set).count(), "{text}");
    }
}

#[test]
fn every_example_is_right_with_all_that_it_leaves_out() {
    for (arguments, _) in &GENERATED[1..] {
        let folder = tempfile::tempdir().unwrap();
        let file = uncommented(&folder, &config(arguments).out);
        let service: Vec<&str> = arguments[1..]
            .iter()
            .flat_map(|service| ["--service", service])
            .collect();
        let answer = config(&[&["check", &file], &service[..]].concat());
        assert_eq!((answer.code, &*answer.err), (Some(0), ""), "{arguments:?}");
        assert!(answer.out.starts_with("the configuration is right"), "{}", answer.out);
    }
}

#[test]
fn the_example_has_every_key_of_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let file = uncommented(&folder, &config(&["example"]).out);
    let directory = [("TIDEWATCH_ARCHIVER__STORE__KIND".to_owned(), "directory".to_owned())];
    let mut keys = shown(&[&file], &[]);
    keys.extend(shown(&[&file], &directory));
    for Described { path, .. } in described() {
        let path = path.replace("[0]", ".-");
        let (value, origin) = keys
            .get(&path)
            .unwrap_or_else(|| panic!("{path} is not in the example"));
        // In the file, or set by the variable of this test.
        let is_written = *origin == file || origin == &directory[0].0;
        assert!(is_written, "{path}: {value} from {origin}");
    }
}

/// Each variable, with the example as its value, sets its key.
#[test]
fn every_key_can_be_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    write_secrets(&folder);
    // The fallback of the route that the variables make.
    let file = write(&folder, "tidewatch.yml", "alerter: {routes: {chat: {channel: log}}}");
    let mut variables = Vec::new();
    let mut expected = Vec::new();
    for key in described() {
        let Some(variable) = key.variable else {
            assert!(key.path.contains("[0]"), "{} has no variable", key.path);
            continue;
        };
        let (name, value) = key.example;
        let leaf = key.path.rsplit('.').next().unwrap();
        let file = if name == leaf { "" } else { "_FILE" };
        let plain = value.trim_matches(['[', ']']).replace('"', "");
        let plain = plain.replace("/run/secrets", folder.path().to_str().unwrap());
        // The name of a section is read in small letters; an empty variable would be none.
        let path = key.path.replace("NAME", "name");
        expected.push((path, format!("{variable}{file}")));
        variables.push((format!("{variable}{file}"), plain));
    }
    let mut keys = shown(&[&file], &variables);
    let kind = "TIDEWATCH_ARCHIVER__STORE__KIND";
    let is_kind = |(name, _): &&mut (String, String)| name == kind;
    variables.iter_mut().find(is_kind).unwrap().1 = "directory".to_owned();
    keys.extend(shown(&[&file], &variables));
    for (path, variable) in expected {
        assert_eq!(keys.get(&path).map(|(_, origin)| origin), Some(&variable), "{path}");
    }
}

/// Files below a folder whose names end so.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| path.to_str().unwrap().ends_with(ending)) {
            found.push(path);
        }
    }
    found
}

/// Whether the words, as `kafka`, `tls`, are those of a key or of a section that it stands in.
fn is_key(words: &[&str], keys: &[Described]) -> bool {
    keys.iter().any(|key| {
        let (section, leaf) = key.path.rsplit_once('.').unwrap();
        let known: Vec<&str> = section.split('.').chain([leaf]).collect();
        let names = |(word, known): (&&str, &&str)| {
            *known == "NAME"
                || word == known
                || known.strip_suffix("[0]") == Some(word)
                || (*known == leaf && **word == key.example.0)
        };
        words.len() <= known.len() && words.iter().zip(&known).all(names)
    })
}

/// The keys that a text names: `kafka.tls` in Markdown, `TIDEWATCH_KAFKA__TLS` anywhere.
fn keys_in(text: &str) -> Vec<String> {
    const SECTIONS: [&str; 7] = [
        "telemetry",
        "process",
        "kafka",
        "ingest",
        "detector",
        "alerter",
        "archiver",
    ];
    let is_plain = |word: &&str| {
        word.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._[]".contains(letter))
    };
    let codes = text.split('`').skip(1).step_by(2).filter(is_plain);
    let in_code = codes.filter(|word| word.contains('.') && SECTIONS.contains(&word.split('.').next().unwrap()));
    let variables = text.split("TIDEWATCH_").skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'));
        let name = &rest[..end.unwrap_or(rest.len())];
        (name.contains("__") && !name.ends_with('_')).then(|| name.to_lowercase().replace("__", "."))
    });
    in_code.map(str::to_owned).chain(variables).collect()
}

/// Documents and what is deployed name no key that is gone.
#[test]
fn what_names_a_key_names_one_that_there_is() {
    // Not keys: a topic; and values of the chart, which its own test checks.
    const OTHERS: [&str; 1] = ["detector.changelog"];
    let keys = described();
    let root = Path::new(ROOT);
    let mut all = files(&root.join("docs"), &[".md"]);
    all.extend(files(
        &root.join("deploy"),
        &[".yml", ".yaml", ".sh", ".env", ".md", ".py", "Dockerfile"],
    ));
    all.extend(["README.md", "ARCHITECTURE.md", "docker-compose.yml"].map(|name| root.join(name)));
    all.retain(|file| !file.ends_with("docs/kubernetes.md"));
    let mut named = 0;
    let mut wrong = Vec::new();
    for file in all {
        for key in keys_in(&fs::read_to_string(&file).unwrap()) {
            named += 1;
            if !is_key(&key.split('.').collect::<Vec<_>>(), &keys) && !OTHERS.contains(&key.as_str()) {
                wrong.push(format!("{}: {key}", file.display()));
            }
        }
    }
    assert!(named > 300, "the files were misread: {named}");
    assert!(wrong.is_empty(), "no such key:\n{}", wrong.join("\n"));
}

#[test]
fn a_name_of_no_key_is_found() {
    let keys = described();
    for (text, is_right) in [
        ("`kafka.tls.ca_file`", true),
        ("`kafka.tls`", true),
        ("`kafka.tls.ca_fil`", false),
        ("`alerter.routes.pager.fallback`", true),
        ("`alerter.routes.pager.fallbck`", false),
        ("`ingest.topics[0].zone` and `ingest.topics`", true),
        ("TIDEWATCH_KAFKA__SASL__PASSWORD_FILE=x", true),
        ("TIDEWATCH_KAFKA__SASL__USER_FILE=x", false),
        ("${TIDEWATCH_KAFKA__BROKER}", false),
    ] {
        let named = keys_in(text);
        assert!(!named.is_empty(), "{text}");
        let all_right = named
            .iter()
            .all(|key| is_key(&key.split('.').collect::<Vec<_>>(), &keys));
        assert_eq!(all_right, is_right, "{text}: {named:?}");
    }
}

#[test]
fn a_service_is_looked_at_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let text = "kafka: {brokers: 'kafka-0:9092'}\nalerter: {routes: {all: {channel: log}}}\n";
    let file = write(&folder, "alerter.yml", text);
    for command in ["check", "show"] {
        let alone = config(&[command, "--service", "alerter", &file]);
        assert_eq!((alone.code, &*alone.err), (Some(0), ""), "{command}");
        assert!(!alone.out.contains("archiver"), "{}", alone.out);
        let all = config(&[command, &file]);
        let lines: Vec<&str> = all.err.lines().collect();
        assert_eq!((all.code, &*all.out, lines.len()), (Some(78), "", 2), "{lines:?}");
        assert!(
            lines[0].contains("archiver.store.bucket: required and not set"),
            "{lines:?}"
        );
        let hint = "hint: nothing is written of archiver; `--service NAME` looks at what one service reads";
        assert_eq!(lines[1], hint);
        let two = config(&[command, "--service", "alerter", "--service", "archiver", &file]);
        assert_eq!((two.code, two.err.lines().count()), (Some(78), 1), "{}", two.err);
    }
    let unknown = config(&["check", "--service", "alert", &file]);
    assert_eq!(unknown.code, Some(64), "{}", unknown.err);
}

#[test]
fn without_a_file_the_variables_count_and_a_hint_says_that_there_is_none() {
    let empty = config(&["show"]);
    assert_eq!((empty.code, &*empty.out), (Some(78), ""), "{}", empty.err);
    let lines: Vec<&str> = empty.err.lines().collect();
    let expected = "kafka.brokers: required and not set; set it here or in TIDEWATCH_KAFKA__BROKERS";
    assert!(lines.contains(&expected), "{lines:?}");
    assert!(
        lines.contains(&"hint: no file is given; name one, or set TIDEWATCH_CONFIG"),
        "{lines:?}"
    );

    let brokers = ("TIDEWATCH_KAFKA__BROKERS".to_owned(), "kafka-0:9092".to_owned());
    let keys = shown(&["--service", "detector"], std::slice::from_ref(&brokers));
    assert_eq!(keys["kafka.brokers"], ("\"kafka-0:9092\"".to_owned(), brokers.0));
}

/// Inline, by a file and by a variable; as a password, an address, a key and half of a key.
#[test]
fn no_secret_is_shown_however_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = [
        "hunter2-of-kafka-1",
        "hunter2-of-the-shop",
        "hunter2-of-slack-01",
        "hunter2-of-the-store",
    ];
    let [kafka, shop, slack, store] = secrets;
    let in_file = write(
        &folder,
        "slack",
        &format!("https://hooks.slack.com/services/T/B/{slack}\n"),
    );
    let text = format!(
        "kafka: {{brokers: 'kafka-0:9092', sasl: {{user: tidewatch, password: {kafka}}}}}\n\
         ingest: {{api_keys: {{shop: {{secret: {shop}}}}}}}\n\
         alerter: {{routes: {{chat: {{channel: slack, url_file: {in_file}}}}}}}\n\
         archiver: {{store: {{bucket: b, access_key_id: AKIA}}}}\n"
    );
    let file = write(&folder, "tidewatch.yml", &text);
    let variables = [(
        "TIDEWATCH_ARCHIVER__STORE__SECRET_ACCESS_KEY".to_owned(),
        store.to_owned(),
    )];
    let keys = shown(&[&file], &variables);
    let hidden = |path: &str, origin: &str| assert_eq!(keys[path], ("'***'".to_owned(), origin.to_owned()), "{path}");
    hidden("kafka.sasl.password", &file);
    hidden("ingest.api_keys.shop.secret", &file);
    hidden("alerter.routes.chat.url", &file);
    hidden("archiver.store.secret_access_key", &variables[0].0);

    // What is right, and what is wrong beside the secrets or with them.
    let wrong = [
        (text.clone(), 0),
        (text.replace("user:", "usr:"), 78),
        (text.replace("channel: slack", "channel: slak"), 78),
        (text.replace(&format!("{{secret: {shop}}}"), shop), 78),
        (
            text.replace(
                &format!("url_file: {in_file}"),
                &format!("url: 'http://{slack}.example/'"),
            ),
            78,
        ),
        (
            text.replace(
                &format!("url_file: {in_file}"),
                &format!("url_file: 'https://hooks.example/{slack}'"),
            ),
            78,
        ),
        (
            text.replace(
                "bucket: b,",
                &format!("bucket: b, endpoint: 'https://u:{store}@s3.example',"),
            ),
            78,
        ),
        (text.replace("\n", "\n\t"), 78),
        (shop.to_owned(), 78),
    ];
    for (text, code) in wrong {
        let file = write(&folder, "wrong.yml", &text);
        for command in ["check", "show"] {
            let answer = config_with(&[command, &file], &variables);
            assert_eq!(answer.code, Some(code), "{command} of\n{text}{}", answer.err);
            for secret in secrets {
                let told = format!("{}{}", answer.out, answer.err);
                assert!(!told.contains(secret), "{command} of\n{text}\ntells {secret}:\n{told}");
            }
        }
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
    let answer = config(&["check", &file]);
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
        let begin = format!("{file}: {place}");
        let found = lines.iter().filter(|line| line.starts_with(&begin)).count();
        assert_eq!(found, 1, "{place} in:\n{}", answer.err);
    }
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_configuration() {
    let answer = config(&["check", "/nowhere/tidewatch.yml"]);
    assert_eq!(answer.code, Some(78), "{}", answer.err);
    assert!(answer.err.contains("/nowhere/tidewatch.yml"), "{}", answer.err);
}
