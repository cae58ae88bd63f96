//! `tidewatch config example`: a configuration to begin with, in which every key stands.
//!
//! What must be written is there with an example; all else is left out behind a `#` without a space after it. A test
//! takes each away and has the whole accepted.

use service::settings::{Form, KeyDescription, describe};

use super::read;
use crate::output::wrapped;
use crate::services::Service;

/// What a name that the operator chooses, and an item of a list, are called in a description.
const PLACEHOLDERS: [&str; 2] = ["NAME", "-"];

/// The example of one service, or of all in one file.
pub(super) fn of(service: Option<Service>) -> String {
    let keys = match &service {
        Some(service) => describe(|root| read(root, std::slice::from_ref(service))),
        None => describe(|root| read(root, &Service::ALL)),
    };
    let mut example = Example {
        text: head(service),
        keys: &keys,
        left_out: None,
    };
    for at in 0..keys.len() {
        example.entry(at);
    }
    example.text
}

fn head(service: Option<Service>) -> String {
    let (first, command) = match service {
        Some(service) => (
            format!("Every key that Tidewatch's {} reads.", service.name()),
            format!("tidewatch config example {}", service.name()),
        ),
        None => (
            "Every key of Tidewatch. One file serves all services: each reads its own section and the first three, and \
             leaves the others alone."
                .to_owned(),
            "tidewatch config example".to_owned(),
        ),
    };
    let rest = [
        "What begins with # and no space is left out here: remove the # to set it. The value is the default, unless the \
         line above says which that is.",
        "Every key can be the variable that stands above it; variables win over this file. Secrets stand in files of \
         their own, or in variables: never here.",
        "`tidewatch config check FILE` says what is wrong, `tidewatch config show FILE` what is in force and where it \
         comes from. All of it is explained in docs/configuration.md.",
    ];
    let mut text = wrapped("# ", &first);
    text += "#\n";
    rest.iter().for_each(|line| text += &wrapped("# ", line));
    text += "#\n";
    text += &wrapped("# ", &format!("Printed by `{command}`."));
    text
}

struct Example<'a> {
    text: String,
    keys: &'a [KeyDescription],
    /// The depth of the section that is left out with all that stands in it.
    left_out: Option<usize>,
}

impl Example<'_> {
    fn entry(&mut self, at: usize) {
        let key = &self.keys[at];
        let is_first = at
            .checked_sub(1)
            .is_some_and(|before| self.keys[before].depth < key.depth);
        if !is_first {
            self.text.push('\n');
        }
        if self.left_out.is_some_and(|depth| key.depth <= depth) {
            self.left_out = None;
        }
        let is_left_out = self.left_out.is_some() || !self.must_stand(key);
        let indent = "  ".repeat(key.depth);
        self.text += &wrapped(&format!("{indent}# "), &key.purpose);
        if PLACEHOLDERS.contains(&key.name.as_str()) {
            self.text += &format!("{indent}# all keys of one\n");
        }
        let mark = if is_left_out { "#" } else { "" };
        match key.form {
            Form::Key | Form::Secret => {
                self.text += &wrapped(&format!("{indent}# "), &facts(key));
                self.text += &format!("{indent}{mark}{}\n", written(key));
            }
            Form::Section | Form::OptionalSection | Form::NamedSections | Form::SectionList => {
                if is_left_out && self.left_out.is_none() {
                    self.left_out = Some(key.depth);
                }
                let colon = if key.name == "-" { "" } else { ":" };
                self.text += &format!("{indent}{mark}{}{colon}\n", key.name);
                for line in key.example.iter().flat_map(|example| example.lines()) {
                    self.text += &format!("{indent}  {line}\n");
                }
            }
        }
    }

    /// Whether it is written rather than left out, if the section is that it stands in.
    fn must_stand(&self, key: &KeyDescription) -> bool {
        match key.form {
            Form::Key | Form::Secret => key.required && self.counts(key),
            Form::Section => !PLACEHOLDERS.contains(&key.name.as_str()),
            Form::OptionalSection => false,
            Form::NamedSections | Form::SectionList => {
                let example = key.example.as_deref().unwrap_or_default();
                example.lines().any(|line| !line.trim_start().starts_with('#'))
            }
        }
    }

    /// Whether the default of the key that decides on this one lets it count.
    fn counts(&self, key: &KeyDescription) -> bool {
        let Some((name, value)) = key.only_with.and_then(|condition| condition.split_once(": ")) else {
            return true;
        };
        let section = key.path.strip_suffix(&key.name).unwrap_or_default();
        let decides = self.keys.iter().find(|other| other.path == format!("{section}{name}"));
        decides.and_then(|other| other.default.as_deref()) == Some(value)
    }
}

/// What it takes, what holds without it, and its variable, in one line.
fn facts(key: &KeyDescription) -> String {
    let kind = match key.form {
        Form::Secret => "secret, in a file of its own or in the variable",
        Form::Key | Form::Section | Form::OptionalSection | Form::NamedSections | Form::SectionList => &key.kind,
    };
    let mut facts = vec![kind.to_owned()];
    if key.required {
        facts.push("required".to_owned());
    }
    facts.extend(key.only_with.map(|condition| format!("only with {condition}")));
    match (&key.depends, &key.default, &key.example) {
        (Some(depends), _, _) => facts.push(format!("default: {depends}")),
        (None, Some(default), Some(_)) => facts.push(format!("default: {default}")),
        (None, None, _) if !key.required => facts.push("no default".to_owned()),
        (None, _, _) => {}
    }
    facts.extend(key.variable.clone());
    facts.join("; ")
}

/// The key with its example, or else its default, as the file would write it.
pub(super) fn written(key: &KeyDescription) -> String {
    let file = if key.form == Form::Secret { "_file" } else { "" };
    let value = key.example.as_ref().or(key.default.as_ref());
    let value = value.unwrap_or_else(|| panic!("{} has neither a default nor an example", key.path));
    format!("{}{file}: {value}", key.name)
}
