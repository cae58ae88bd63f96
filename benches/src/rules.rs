//! Rules that both engines can say, from one description; and the guide's, which only we can.

use std::fmt::Write as _;

use crate::Random;
use crate::events::{ARGUMENTS, PROGRAMS, USERS};

/// A rule: all of its tests hold.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its title, by which verdicts are compared.
    pub title: String,
    tests: Vec<Test>,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// With `*` and `?`, without regard to case.
    Is(&'static str, String),
    IsAnyOf(&'static str, Vec<String>),
    IsNot(&'static str, String),
    AtLeast(&'static str, usize),
}

use Test::{AtLeast, Is, IsAnyOf, IsNot};

/// The files of the guide's six rules.
pub fn guide() -> Vec<(String, String)> {
    let files = [
        include_str!("../../rules/guide/account_takeover.yml"),
        include_str!("../../rules/guide/admin_off_hours.yml"),
        include_str!("../../rules/guide/api_abuse.yml"),
        include_str!("../../rules/guide/brute_force.yml"),
        include_str!("../../rules/guide/impossible_travel.yml"),
        include_str!("../../rules/guide/privilege_escalation.yml"),
    ];
    (0..)
        .zip(files)
        .map(|(at, text)| (format!("{at}.yml"), text.to_owned()))
        .collect()
}

/// Filters like those of the guide's six rules, as far as Sigma has words for them.
pub fn six() -> Vec<Spec> {
    let kind = |kind: &str| Is("security_event", kind.to_owned());
    let rules = [
        vec![kind("login_failed"), Is("source_ip", "203.0.7.*".to_owned())],
        vec![kind("login_success"), Is("message", "*new_device_login*".to_owned())],
        vec![kind("role_changed"), Is("metadata.new_role", "admin".to_owned())],
        vec![kind("rate_limit_exceeded"), IsNot("user_agent", "Mozilla*".to_owned())],
        vec![kind("impossible_travel")],
        vec![Is("severity", "high".to_owned()), Is("user_role", "admin".to_owned())],
    ];
    numbered(rules)
}

/// So many rules on what a process does, as varied as Sigma's: mostly parts of texts, some equality, some numbers.
pub fn varied(count: usize) -> Vec<Spec> {
    let mut random = Random::new(42);
    let mut rules: Vec<Vec<Test>> = Vec::new();
    while rules.len() < count {
        let rule = one(&mut random);
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    numbered(rules)
}

fn one(random: &mut Random) -> Vec<Test> {
    let field = ["metadata.Image", "metadata.ParentImage"][random.below(2)];
    let program = random.one_of(&PROGRAMS).to_owned();
    let number = random.below(10_000);
    // Most of what a rule seeks is in no event.
    let argument = match random.below(4) {
        0 => random.one_of(&ARGUMENTS).to_owned(),
        _ => format!("-option{number}"),
    };
    let user = match random.below(3) {
        0 => random.one_of(&USERS).to_owned(),
        _ => format!("CORP\\user{number}"),
    };
    let line = "metadata.CommandLine";
    match random.below(10) {
        0..4 => vec![
            Is(field, format!("*\\{program}.exe")),
            Is(line, format!("*{argument}*")),
        ],
        4 => vec![
            Is("metadata.OriginalFileName", format!("{program}.exe")),
            IsAnyOf(
                line,
                vec![
                    format!("*{argument}*"),
                    format!("*-other{number}*"),
                    format!("* -{number}"),
                ],
            ),
        ],
        5 => vec![
            Is("metadata.User", user),
            Is("metadata.IntegrityLevel", "System".to_owned()),
        ],
        6 => vec![
            Is(field, format!("C:\\Windows\\*\\{program}.exe")),
            Is(line, format!("*{argument}*")),
            IsNot("metadata.User", "NT AUTHORITY*".to_owned()),
        ],
        7 => vec![Is("metadata.Hashes", format!("*IMPHASH={number:08x}*"))],
        8 => vec![
            Is("metadata.Computer", format!("ws-{:04}.*", number / 2)),
            Is("metadata.User", user),
            AtLeast("metadata.ProcessId", 4000 + number),
        ],
        _ => vec![
            Is("metadata.CurrentDirectory", "C:\\Users\\*".to_owned()),
            Is(line, format!("*{argument}*")),
        ],
    }
}

fn numbered(rules: impl IntoIterator<Item = Vec<Test>>) -> Vec<Spec> {
    let spec = |(at, tests)| Spec {
        title: format!("rule {at:04}"),
        tests,
    };
    (0..).zip(rules).map(spec).collect()
}

/// The rules as our files.
pub fn queries(specs: &[Spec]) -> Vec<(String, String)> {
    let file = |(at, spec): (usize, &Spec)| {
        let query = serde_json::to_string(&spec.query()).expect("text is JSON");
        let text = format!(
            "id: rule-{at}\ntitle: {}\nseverity: high\nmessage: \"{{user_id}}\"\nquery: {query}\n",
            spec.title
        );
        (format!("rule-{at}.yml"), text)
    };
    specs.iter().enumerate().map(file).collect()
}

/// The rules in Sigma.
pub fn sigma(specs: &[Spec]) -> Vec<String> {
    specs.iter().map(Spec::sigma).collect()
}

impl Spec {
    fn query(&self) -> String {
        let filter = |test: &Test| match test {
            Is(field, value) => Some(format!("{field}:\"{value}\"")),
            IsAnyOf(field, values) => {
                let each: Vec<String> = values.iter().map(|value| format!("{field}:\"{value}\"")).collect();
                Some(format!("({})", each.join(" OR ")))
            }
            IsNot(field, value) => Some(format!("NOT {field}:\"{value}\"")),
            AtLeast(..) => None,
        };
        let mut query = self.tests.iter().filter_map(filter).collect::<Vec<_>>().join(" AND ");
        for test in &self.tests {
            if let AtLeast(field, number) = test {
                write!(query, " | where {field} >= {number}").expect("a text takes all");
            }
        }
        query
    }

    fn sigma(&self) -> String {
        let mut text = format!("title: {}\nlogsource:\n    category: test\ndetection:\n", self.title);
        // There, a backslash takes the meaning from a wildcard.
        let quoted = |value: &String| format!("'{}'", value.replace("\\*", "\\\\*"));
        let mut condition = Vec::new();
        for (at, test) in self.tests.iter().enumerate() {
            let (is_denied, item) = match test {
                Is(field, value) => (false, format!("{field}: {}", quoted(value))),
                IsAnyOf(field, values) => {
                    let each: Vec<String> = values.iter().map(quoted).collect();
                    (false, format!("{field}: [{}]", each.join(", ")))
                }
                IsNot(field, value) => (true, format!("{field}: {}", quoted(value))),
                AtLeast(field, number) => (false, format!("{field}|gte: {number}")),
            };
            writeln!(text, "    s{at}:\n        {item}").expect("a text takes all");
            condition.push(format!("{}s{at}", if is_denied { "not " } else { "" }));
        }
        writeln!(text, "    condition: {}", condition.join(" and ")).expect("a text takes all");
        text
    }
}
