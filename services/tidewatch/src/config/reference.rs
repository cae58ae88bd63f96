//! `tidewatch config reference`: every key of every section, as Markdown. It is `docs/configuration.md`.

use service::settings::{DURATION_UNITS, Form, KeyDescription, SIZE_UNITS, describe};

use super::example::written;
use super::read;
use crate::output::wrapped;
use crate::services::Service;

/// What a key may take, and how it is written.
pub(super) struct Type {
    /// What descriptions of keys begin with.
    pub(super) name: &'static str,
    pub(super) written: &'static str,
    /// As the file would write it.
    pub(super) in_file: &'static [&'static str],
    /// As a variable holds it.
    pub(super) in_variable: &'static str,
}

/// Every type, in the order in which the page explains them. A test reads each example as its type.
pub(super) const TYPES: [Type; 10] = [
    Type {
        name: "text",
        written: "in quotes where YAML would take it for something else",
        in_file: &["node-1", "\"0\""],
        in_variable: "node-1",
    },
    Type {
        name: "integer",
        written: "a whole number, without quotes",
        in_file: &["4096"],
        in_variable: "4096",
    },
    Type {
        name: "true or false",
        written: "without quotes",
        in_file: &["true"],
        in_variable: "true",
    },
    Type {
        name: "duration",
        written: "a whole number and a unit",
        in_file: &["100ms", "30s", "7d"],
        in_variable: "30s",
    },
    Type {
        name: "size",
        written: "a whole number and a unit",
        in_file: &["512B", "64KiB", "10MiB"],
        in_variable: "64KiB",
    },
    Type {
        name: "address and port",
        written: "where to listen, as an IP address",
        in_file: &["0.0.0.0:8080", "\"[::1]:8080\""],
        in_variable: "[::1]:8080",
    },
    Type {
        name: "path",
        written: "of a file or a directory",
        in_file: &["/etc/tidewatch/rules"],
        in_variable: "/etc/tidewatch/rules",
    },
    Type {
        name: "list of",
        written: "in a variable with commas and no brackets",
        in_file: &["[high, critical]"],
        in_variable: "high,critical",
    },
    Type {
        name: "one of",
        written: "one of the words that are named",
        in_file: &["json"],
        in_variable: "json",
    },
    Type {
        name: "secret",
        written: "not here, but in a file or a variable: see below",
        in_file: &[],
        in_variable: "",
    },
];

/// The page.
pub(super) fn of_all() -> String {
    let keys = describe(|root| read(root, &Service::ALL));
    let mut page = introduction();
    page += &sections(&keys);
    keys.iter().for_each(|key| page += &entry(key));
    page
}

fn introduction() -> String {
    let mut page = "# Configuration\n\n".to_owned();
    paragraph(
        &mut page,
        "Every key that Tidewatch reads. The page is printed by `tidewatch config reference`; `make reference` writes it \
         and the examples anew, and a test fails when they are not what the code says. An example with every key: \
         `tidewatch config example` for all services in one file (`deploy/tidewatch.example.yml`), `tidewatch config \
         example alerter` for one (`deploy/config/alerter.yml`).",
    );
    page += "## Where settings come from\n\n";
    page += "1. the default that is part of the program\n\
             2. the file: YAML, named by `--config FILE` or `TIDEWATCH_CONFIG`\n\
             3. variables of the environment: `kafka.session_timeout` is `TIDEWATCH_KAFKA__SESSION_TIMEOUT`\n\n";
    paragraph(
        &mut page,
        "The later wins, key by key. In the name of a variable two underscores stand between levels; an empty variable is \
         none. One file can serve all services, or each has its own: a service reads the sections that the table below \
         names, and leaves those of other services alone. A key that nobody knows is a mistake.",
    );
    paragraph(
        &mut page,
        "`tidewatch config check FILE` names all mistakes, each with its place, and exits with 78 if there is one; a \
         service does the same when it starts. `tidewatch config show FILE` prints what is in force and where each \
         setting comes from, without secrets. Both look at what all services read; `--service alerter` looks at what one \
         of them does.",
    );
    page += &values();
    page += "## Secrets\n\n";
    paragraph(
        &mut page,
        "A secret `password` stands in a file of its own, which the key `password_file` names (a newline at its end is \
         not part of it), or in the variable of `password`; not in both. In the configuration file itself it is taken \
         with a warning, for that file is shown around. A file that every user of the machine can read is warned about. \
         Neither `config show` nor any message or log line has the value of a secret.",
    );
    page += "## Names and lists\n\n";
    paragraph(
        &mut page,
        "`NAME` in a path is a name of yours: there may be any number of such sections. A variable's name is read in small \
         letters, so that it can set keys of a section whose name has small letters, digits and single underscores only. \
         `[0]` in a path is an item of a list of sections: only the file can hold these, and no variable sets their \
         keys.",
    );
    page
}

fn values() -> String {
    let mut page =
        "## How values are written\n\n| type | written | in the file | in a variable |\n|---|---|---|---|\n".to_owned();
    for kind in &TYPES {
        let in_file: Vec<String> = kind.in_file.iter().map(|value| format!("`{value}`")).collect();
        let in_variable = if kind.in_variable.is_empty() {
            String::new()
        } else {
            format!("`{}`", kind.in_variable)
        };
        let more = if kind.name.ends_with(" of") { " …" } else { "" };
        page += &format!(
            "| {}{more} | {} | {} | {in_variable} |\n",
            kind.name,
            kind.written,
            in_file.join(", ")
        );
    }
    let names = |units: &[(&str, u64)]| {
        units
            .iter()
            .rev()
            .map(|(name, _)| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    page.push('\n');
    paragraph(
        &mut page,
        &format!(
            "Units of durations are {}: milliseconds to days. Units of sizes are {}: a `KiB` is 1024 bytes. One number \
             and one unit: `90s`, not `1m30s`.",
            names(&DURATION_UNITS),
            names(&SIZE_UNITS)
        ),
    );
    page
}

fn paragraph(page: &mut String, text: &str) {
    *page += &wrapped("", text);
    page.push('\n');
}

/// Which sections there are, and who reads them.
fn sections(keys: &[KeyDescription]) -> String {
    let mut table = "## Sections\n\n| section | read by | what it is |\n|---|---|---|\n".to_owned();
    for section in keys.iter().filter(|key| key.depth == 0) {
        let readers: Vec<&str> = Service::ALL
            .into_iter()
            .filter(|service| {
                let read = describe(|root| read(root, std::slice::from_ref(service)));
                read.iter().any(|key| key.path == section.path)
            })
            .map(Service::name)
            .collect();
        let readers = if readers.len() == Service::ALL.len() {
            "every service".to_owned()
        } else {
            readers.join(", ")
        };
        let name = &section.path;
        table += &format!("| [`{name}`](#{name}) | {readers} | {} |\n", section.purpose);
    }
    table
}

fn entry(key: &KeyDescription) -> String {
    let level = if key.depth == 0 { "##" } else { "###" };
    let title = if key.depth == 0 {
        key.path.clone()
    } else {
        format!("`{}`", key.path)
    };
    let mut text = format!("\n{level} {title}\n\n");
    let purpose = wrapped("", &key.purpose.replace('*', "\\*"));
    if !purpose.is_empty() {
        text += &format!("{purpose}\n");
    }
    let facts = match key.form {
        Form::Key | Form::Secret => facts(key),
        Form::Section => Vec::new(),
        Form::OptionalSection => vec!["a section that may be left out".to_owned()],
        Form::NamedSections => vec!["sections with names of yours".to_owned()],
        Form::SectionList => vec!["a list of sections".to_owned()],
    };
    facts.iter().for_each(|fact| text += &wrapped_fact(fact));
    if let (Form::NamedSections | Form::SectionList, Some(example)) = (key.form, &key.example) {
        text += &format!("\n```yaml\n{}:\n", key.name);
        example
            .lines()
            .for_each(|line| text += &format!("  {}\n", uncommented(line)));
        text += "```\n";
    }
    text
}

fn facts(key: &KeyDescription) -> Vec<String> {
    let mut facts = vec![key.kind.clone()];
    facts.extend(key.only_with.map(|condition| format!("counts only with `{condition}`")));
    facts.push(match (&key.depends, &key.default) {
        _ if key.required => "**required**".to_owned(),
        (Some(depends), _) => format!("default: {depends}"),
        (None, Some(default)) => format!("default: `{default}`"),
        (None, None) => "default: none".to_owned(),
    });
    facts.push(format!("example: `{}`", written(key)));
    facts.push(match (&key.variable, key.form) {
        (None, _) => "no variable: it stands in a list".to_owned(),
        (Some(name), Form::Secret) => format!("variable: `{name}`; for the path of the file `{name}_FILE`"),
        (Some(name), _) => format!("variable: `{name}`"),
    });
    facts
}

/// An item of a list, whose later lines stand below its first.
fn wrapped_fact(fact: &str) -> String {
    let lines = wrapped("  ", fact);
    format!("- {}", lines.trim_start_matches(' '))
}

/// A line of an example, with what it leaves out.
fn uncommented(line: &str) -> String {
    let text = line.trim_start();
    let indent = &line[..line.len() - text.len()];
    let shown = text
        .strip_prefix('#')
        .filter(|rest| !rest.starts_with(' '))
        .unwrap_or(text);
    format!("{indent}{shown}")
}
