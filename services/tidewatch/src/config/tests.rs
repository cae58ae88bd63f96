//! What descriptions of keys must say, so that the reference and the examples can be made of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use service::settings::{self, Form, KeyDescription, Reader, Sources, Tree, describe};

use super::read;
use super::reference::{TYPES, Type};
use crate::services::Service;

fn keys() -> Vec<KeyDescription> {
    let keys = describe(|root| read(root, &Service::ALL));
    assert!(keys.len() > 80, "the settings were misread: {}", keys.len());
    keys
}

#[test]
fn every_key_says_what_it_is_for_and_what_to_write() {
    let mut wrong = Vec::new();
    for key in keys() {
        let is_key = matches!(key.form, Form::Key | Form::Secret);
        if key.purpose.is_empty() && !["NAME", "-"].contains(&key.name.as_str()) {
            wrong.push(format!("{} has no purpose", key.path));
        }
        if is_key && key.example.is_none() && key.default.is_none() {
            wrong.push(format!("{} has neither a default nor an example", key.path));
        }
        if key.purpose.ends_with('.') || key.purpose.starts_with(' ') {
            wrong.push(format!("{}: {:?} is no clause", key.path, key.purpose));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_is_explained_and_no_other() {
    let kinds: Vec<String> = keys()
        .into_iter()
        .filter(|key| matches!(key.form, Form::Key | Form::Secret))
        .map(|key| key.kind)
        .collect();
    for kind in &kinds {
        let explained = TYPES.iter().filter(|known| kind.starts_with(known.name)).count();
        assert_eq!(explained, 1, "{kind} is not explained, or twice");
    }
    for known in &TYPES {
        assert!(
            kinds.iter().any(|kind| kind.starts_with(known.name)),
            "no key is {}",
            known.name
        );
    }
}

/// Reads one key `x` as the type, and what came of it.
fn read_as(name: &str, reader: &mut Reader<'_>) -> Option<String> {
    match name {
        "text" => reader.text("x", "").optional(),
        "integer" => reader.integer::<u32>("x", "").optional().map(|value| value.to_string()),
        "true or false" => reader.boolean("x", "").optional().map(|value| value.to_string()),
        "duration" => reader.duration("x", "").optional().map(|value| format!("{value:?}")),
        "size" => reader.bytes("x", "").optional().map(|value| value.to_string()),
        "address and port" => reader.address("x", "").optional().map(|value| value.to_string()),
        "path" => reader.path("x", "").optional().map(|value| value.display().to_string()),
        "list of" => reader.list("x", "").optional().map(|value| value.join(" and ")),
        "one of" => reader
            .choice("x", "", &[("json", "json")])
            .optional()
            .map(str::to_owned),
        other => panic!("nobody reads {other}"),
    }
}

/// What is read of a file with this text and of these variables.
fn read_of(name: &str, text: &str, variables: &[(&str, &str)]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidewatch.yml");
    std::fs::write(&file, text).unwrap();
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let tree = Tree::load(&Sources {
        file: Some(file),
        variables: variables.collect(),
    });
    let read = settings::read(&tree.unwrap(), |root| {
        root.section("a", "", |reader| read_as(name, reader))
    });
    read.unwrap_or_else(|problems| panic!("{name}: {problems}")).settings
}

#[test]
fn values_are_written_as_the_reference_says() {
    for Type {
        name,
        in_file,
        in_variable,
        ..
    } in TYPES.iter().filter(|known| known.name != "secret")
    {
        let of_variable = read_of(name, "", &[("TIDEWATCH_A__X", in_variable)]);
        let of_file: Vec<Option<String>> = in_file
            .iter()
            .map(|value| read_of(name, &format!("a:\n  x: {value}\n"), &[]))
            .collect();
        assert!(of_file.iter().all(Option::is_some), "{name}: {of_file:?}");
        assert!(
            of_file.contains(&of_variable),
            "{name}: {of_file:?} and {of_variable:?}"
        );
    }
}

/// `only_with` is text for people; that it names a key and a value that there is, this looks after.
#[test]
fn conditions_name_a_key_beside_and_one_of_its_values() {
    let keys = keys();
    let conditions = keys.iter().filter_map(|key| Some((key, key.only_with?)));
    assert!(conditions.clone().count() > 5, "the conditions were misread");
    for (key, condition) in conditions {
        let (name, value) = condition.split_once(": ").unwrap();
        let path = format!("{}{name}", key.path.strip_suffix(&key.name).unwrap());
        let decides = keys.iter().find(|other| other.path == path).unwrap();
        let words = decides.kind.strip_prefix("one of ").unwrap();
        assert!(words.split(", ").any(|word| word == value), "{}: {condition}", key.path);
    }
}
