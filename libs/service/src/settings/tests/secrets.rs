use std::fs;
use std::os::unix::fs::PermissionsExt;

use secrecy::ExposeSecret;

use super::{KEY, Scratch, Sources};

fn secret_file(scratch: &Scratch, content: &str, mode: u32) -> String {
    let path = scratch.path("key");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_secret_comes_from_a_file_without_its_newline() {
    let scratch = Scratch::new("door: {brokers: b}");
    for content in ["from the file", "from the file\n", "from the file\r\n"] {
        let path = secret_file(&scratch, content, 0o600);
        let loaded = scratch.read(&[("TIDEWATCH_DOOR__API_KEY_FILE", &path)]).unwrap();
        assert_eq!(loaded.settings.api_key.expose_secret(), "from the file");
        assert_eq!(loaded.warnings, []);
    }
}

#[test]
fn a_secret_that_others_can_read_is_warned_about() {
    let scratch = Scratch::new("door: {brokers: b}");
    let path = secret_file(&scratch, "from the file", 0o644);
    let loaded = scratch.read(&[("TIDEWATCH_DOOR__API_KEY_FILE", &path)]).unwrap();
    let warning =
        format!("TIDEWATCH_DOOR__API_KEY_FILE (door.api_key_file): {path}: every user of this machine can read it");
    assert_eq!(loaded.warnings[0].to_string(), warning);

    let scratch = Scratch::new("door: {brokers: b, api_key: plain}");
    let loaded = scratch.read(&[]).unwrap();
    assert_eq!(loaded.settings.api_key.expose_secret(), "plain");
    assert_eq!(loaded.warnings.len(), 1);
    assert!(
        loaded.warnings[0]
            .message
            .starts_with("a secret stands in the configuration file")
    );
}

#[test]
fn a_secret_that_is_missing_empty_or_doubled_is_a_problem() {
    let scratch = Scratch::new("door: {brokers: b}");
    let path = secret_file(&scratch, "\n", 0o600);
    let file = ("TIDEWATCH_DOOR__API_KEY_FILE", path.as_str());
    let nowhere = ("TIDEWATCH_DOOR__API_KEY_FILE", "/nowhere/key");
    let file_place = "TIDEWATCH_DOOR__API_KEY_FILE (door.api_key_file)";
    assert_eq!(
        scratch.problems(&[file]),
        [format!("{file_place}: key: the file is empty")]
    );
    assert_eq!(
        scratch.problems(&[nowhere]),
        [format!(
            "{file_place}: /nowhere/key: No such file or directory (os error 2)"
        )]
    );
    assert_eq!(
        scratch.problems(&[KEY, file]),
        ["TIDEWATCH_DOOR__API_KEY (door.api_key): set twice, here and by api_key_file: remove one"]
    );
}

#[test]
fn what_is_in_force_is_shown_with_its_place_and_without_secrets() {
    let scratch = Scratch::new("door: {brokers: 'a:1', body_max: 1536KiB, topics: [x, 'y z']}");
    let loaded = scratch.read(&[KEY, ("TIDEWATCH_DOOR__DRAIN", "40s")]).unwrap();
    let file = scratch.path("tidewatch.yaml").display().to_string();
    let effective = loaded.effective.replace(&file, "FILE");
    assert_eq!(
        effective,
        r#"door:
  brokers: "a:1"  # FILE
  workers: 2  # default
  compress: true  # default
  drain: 40s  # TIDEWATCH_DOOR__DRAIN
  session_timeout: 45s  # default
  body_max: 1536KiB  # FILE
  listen: "0.0.0.0:8080"  # default
  rules: "rules/guide"  # default
  topics: ["x", "y z"]  # FILE
  format: json  # default
  api_key: '***'  # TIDEWATCH_DOOR__API_KEY
"#
    );
}

#[test]
fn no_debug_output_shows_a_secret() {
    let scratch = Scratch::new("door: {brokers: b}");
    let sources = Sources {
        file: None,
        variables: vec![(KEY.0.into(), KEY.1.into())],
    };
    let tree = scratch.load(&[KEY]).unwrap();
    let loaded = scratch.read(&[KEY]).unwrap();
    let shown = format!("{sources:?} {tree:?} {loaded:?}");
    assert!(shown.contains("Sources") && !shown.contains(KEY.1), "{shown}");
}

/// Each is a way in which somebody gives a secret that is not the way to give it.
#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    const SECRET: &str = "hunter2-correct-horse";
    let yaml = [
        "door: hunter2-correct-horse",
        "door: [hunter2-correct-horse]",
        "door: {brokers: b, api_key: [hunter2-correct-horse]}",
        "door: {brokers: b, api_key: {hunter: hunter2-correct-horse}}",
        "door: {brokers: b, api_key_file: hunter2-correct-horse}",
        "door: {brokers: b, api_key_file: 'https://hooks.example/hunter2-correct-horse'}",
        "door: {brokers: b, api_kex: hunter2-correct-horse}",
        "door: {brokers: b, api_key: hunter2-correct-horse, api_key_file: hunter2-correct-horse}",
        "hunter2-correct-horse",
        "- hunter2-correct-horse",
        "door: {brokers: b, api_key: \"hunter2-correct-horse}",
        "door: {brokers: b, api_key: *hunter2-correct-horse}",
        "door: {brokers: b, api_key: %hunter2-correct-horse}",
        "door: {brokers: b, ? {key: hunter2-correct-horse} : 1}",
    ];
    for yaml in yaml {
        let scratch = Scratch::new(yaml);
        let problems = match scratch.load(&[]) {
            Ok(_) => scratch.read(&[]).unwrap_err(),
            Err(problems) => problems,
        };
        assert!(!problems.to_string().contains(SECRET), "{yaml}: {problems}");
    }
    let scratch = Scratch::new("");
    let variables = [
        [("TIDEWATCH_X__DOOR", SECRET)],
        [("TIDEWATCH_DOOR__API_KEY_FILE", SECRET)],
        [("TIDEWATCH_DOOR__API_KEX", SECRET)],
        [("TIDEWATCH_DOOR_API_KEY", SECRET)],
        [("TIDEWATCH_DOOR__API_KEY__FILE", SECRET)],
    ];
    for variables in variables {
        let problems = scratch.problems(&variables);
        assert!(!format!("{problems:?}").contains(SECRET), "{variables:?}: {problems:?}");
    }
}
