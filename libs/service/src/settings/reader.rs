//! Reading one section of the configuration, key by key.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::key::Key;
use super::kind::{self, Integer};
use super::problem::{Origin, Problem};
use super::report::{Entry, Form, Shown};
use super::secret::Secret;
use super::tree::{Node, Table, Written, variable_of};

/// Reads the keys of one section.
///
/// A service states in one function what it reads; every key is named there once, with its type,
/// its default and a line that says what it is for. A mistake is recorded and reading goes on, so
/// one run finds them all. What is written and never asked for is a mistake as well.
pub struct Reader<'a> {
    pub(super) book: &'a mut Book,
    pub(super) path: String,
    pub(super) origin: Origin,
    pub(super) table: &'a Table,
    pub(super) asked: BTreeSet<String>,
    pub(super) missing: Vec<Missing>,
    pub(super) depth: usize,
    pub(super) only_with: Option<&'static str>,
}

/// A required key that is not set, kept back until it is known whether a misspelt one explains it.
pub(super) struct Missing {
    names: Vec<String>,
    problem: Problem,
}

/// What all the readers of one tree write down.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) entries: Vec<Entry>,
    /// Nothing is read, every optional part is visited: only the entries matter.
    pub(super) describing: bool,
}

impl Book {
    /// How much is written down, to go back to it by `truncate`.
    fn lengths(&self) -> [usize; 3] {
        [self.problems.len(), self.warnings.len(), self.entries.len()]
    }

    fn truncate(&mut self, [problems, warnings, entries]: [usize; 3]) {
        self.problems.truncate(problems);
        self.warnings.truncate(warnings);
        self.entries.truncate(entries);
    }
}

static EMPTY: Table = BTreeMap::new();

/// The name of an entry in a section with free names or in a list, where no real one is at hand.
const ANY_NAME: &str = "NAME";

impl<'a> Reader<'a> {
    /// A text; an empty one is refused.
    pub fn text(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, String> {
        self.key(name, purpose, kind::text())
    }

    /// A whole number, of the type that the settings want.
    pub fn integer<T: Integer>(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, T> {
        self.key(name, purpose, kind::integer())
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, bool> {
        self.key(name, purpose, kind::boolean())
    }

    /// A duration with its unit: `100ms`, `30s`, `5m`, `24h`, `90d`.
    pub fn duration(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, Duration> {
        self.key(name, purpose, kind::duration())
    }

    /// A size in bytes with its unit: `512B`, `64KiB`, `10MiB`, `2GiB`.
    pub fn bytes(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, u64> {
        self.key(name, purpose, kind::bytes())
    }

    /// An address to listen on: `0.0.0.0:8080`.
    pub fn address(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, SocketAddr> {
        self.key(name, purpose, kind::address())
    }

    /// A file or directory; whether it exists is found by whoever opens it.
    pub fn path(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, PathBuf> {
        self.key(name, purpose, kind::path())
    }

    /// A list of texts; in a variable separated by commas.
    pub fn list(&mut self, name: &str, purpose: &'static str) -> Key<'_, 'a, Vec<String>> {
        self.key(name, purpose, kind::list())
    }

    /// One of the given words.
    pub fn choice<T: Copy + PartialEq + 'static>(
        &mut self,
        name: &str,
        purpose: &'static str,
        choices: &'static [(&'static str, T)],
    ) -> Key<'_, 'a, T> {
        self.key(name, purpose, kind::choice(choices))
    }

    /// A secret: from the variable of the key, or from the file that the key `…_file` names.
    pub fn secret(&mut self, name: &str, purpose: &'static str) -> Secret<'_, 'a> {
        Secret::new(self, name, purpose)
    }

    /// A section that may be left out when each of its keys may.
    pub fn section<T>(
        &mut self,
        name: &str,
        purpose: impl Into<Cow<'static, str>>,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let purpose = purpose.into();
        let written = self.table.contains_key(name);
        if let Some((origin, table)) = self.section_at(name) {
            return self.descend(name, Form::Section, purpose, origin, table, read);
        }
        let known = self.book.problems.len();
        let value = self.descend(name, Form::Section, purpose, self.origin.clone(), &EMPTY, read);
        if written {
            // Something else stands in its place: that is one mistake, not one for each of its keys.
            self.book.problems.truncate(known);
        }
        value
    }

    /// A section whose presence means something: without it, `None`.
    pub fn optional_section<T>(
        &mut self,
        name: &str,
        purpose: &'static str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<T> {
        let place = self.section_at(name);
        if place.is_none() && !self.book.describing {
            return None;
        }
        let (origin, table) = place.unwrap_or((self.origin.clone(), &EMPTY));
        Some(self.descend(name, Form::OptionalSection, purpose.into(), origin, table, read))
    }

    /// A section of sections, whose names the operator chooses. The example is what may stand in it, as
    /// the file would write it; it shows what is left out as the file does, behind a `#`.
    pub fn named_sections<T>(
        &mut self,
        name: &str,
        purpose: &'static str,
        example: &'static str,
        mut read: impl FnMut(&str, &mut Reader<'_>) -> T,
    ) -> BTreeMap<String, T> {
        let at = self.book.entries.len();
        let sections = self.section(name, purpose, |reader| {
            let names: Vec<String> = if reader.book.describing {
                vec![ANY_NAME.to_owned()]
            } else {
                reader.table.keys().cloned().collect()
            };
            names
                .into_iter()
                .map(|name| {
                    let value = reader.section(&name, "", |inner| read(&name, inner));
                    (name, value)
                })
                .collect()
        });
        let head = &mut self.book.entries[at];
        (head.form, head.example) = (Form::NamedSections, Some(example.to_owned()));
        sections
    }

    /// A list of sections, in the order in which they are written; only a file can hold it. The example is
    /// as that of [`Reader::named_sections`].
    pub fn section_list<T>(
        &mut self,
        name: &str,
        purpose: &'static str,
        example: &'static str,
        mut read: impl FnMut(&mut Reader<'_>) -> T,
    ) -> Vec<T> {
        let items: Vec<(Origin, &'a Table)> = self.section_list_at(name);
        let path = self.path_of(name);
        self.enter(name, Form::SectionList, path.clone(), purpose.into());
        if let Some(head) = self.book.entries.last_mut() {
            head.example = Some(example.to_owned());
        }
        self.depth += 1;
        let values = items
            .into_iter()
            .enumerate()
            .map(|(index, (origin, table))| {
                let path = format!("{path}[{index}]");
                self.enter("-", Form::Section, path.clone(), "".into());
                self.read_inner(path, origin, table, &mut read)
            })
            .collect();
        self.depth -= 1;
        values
    }

    /// Reads keys of this section that count only when a condition holds, as `kind: s3`. When it does not
    /// hold they may be written, right or wrong: whoever tries the other kind does not lose them.
    pub fn only_with<T>(
        &mut self,
        condition: &'static str,
        holds: bool,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let known = (self.missing.len(), self.book.lengths());
        let outer = self.only_with.replace(condition);
        let value = read(self);
        self.only_with = outer;
        if holds || self.book.describing {
            return Some(value);
        }
        self.missing.truncate(known.0);
        self.book.truncate(known.1);
        None
    }

    /// Leaves keys alone that somebody else reads, as the sections of the other services.
    pub fn ignore(&mut self, names: &[&str]) {
        self.asked.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// Records a mistake that concerns several keys together, unless one of them is already known
    /// to be wrong; it is shown at the first of them that is written anywhere.
    ///
    /// # Panics
    /// If a key is named that was not read before.
    pub fn require(&mut self, holds: bool, names: &[&str], message: &str) {
        let asked = names.iter().all(|name| self.asked.contains(*name));
        assert!(
            asked,
            "keys are compared after they are read: {names:?} in {:?}",
            self.path
        );
        let paths: Vec<String> = names.iter().map(|name| self.path_of(name)).collect();
        let missing = self.missing.iter().map(|missing| &missing.problem);
        let mut problems = self.book.problems.iter().chain(missing);
        if holds || self.book.describing || problems.any(|problem| paths.contains(&problem.path)) {
            return;
        }
        let written = names.iter().find(|name| self.table.contains_key(**name));
        if let Some(name) = written.or(names.first()) {
            self.problem(name, message);
        }
    }

    /// Records a mistake in one key.
    pub fn problem(&mut self, name: &str, message: impl Into<String>) {
        let problem = self.at(name, message.into());
        self.book.problems.push(problem);
    }

    /// Records what is allowed and unwise.
    pub fn warning(&mut self, name: &str, message: impl Into<String>) {
        let warning = self.at(name, message.into());
        self.book.warnings.push(warning);
    }

    fn at(&self, name: &str, message: String) -> Problem {
        let node = self.table.get(name);
        Problem {
            origin: node.map_or(&self.origin, |node| &node.origin).clone(),
            path: self.path_of(name),
            message,
        }
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// The node of a key, which is hereby known.
    ///
    /// # Panics
    /// If the key was asked for before: two defaults for one key would contradict each other.
    pub(super) fn ask(&mut self, name: &str) -> Option<&'a Node> {
        let first = self.asked.insert(name.to_owned());
        assert!(first, "a key is read in one place: {}", self.path_of(name));
        self.table.get(name)
    }

    fn section_at(&mut self, name: &str) -> Option<(Origin, &'a Table)> {
        let node = self.ask(name)?;
        if let Written::Table(table) = &node.written {
            return Some((self.origin_of_missing(node), table));
        }
        // All its keys may be commented out.
        if matches!(node.written, Written::Nothing) {
            return Some((node.origin.clone(), &EMPTY));
        }
        // Not what it says: a secret may stand where its section should.
        let found = node.written.form();
        self.problem(name, format!("expected a section, found {found}"));
        None
    }

    fn section_list_at(&mut self, name: &str) -> Vec<(Origin, &'a Table)> {
        let Some(node) = self.ask(name) else {
            let sample = self.book.describing.then(|| (self.origin.clone(), &EMPTY));
            return sample.into_iter().collect();
        };
        let mut tables = Vec::new();
        if let Written::List(items) = &node.written {
            for item in items {
                if let Written::Table(table) = &item.written {
                    tables.push((item.origin.clone(), table));
                }
            }
            if tables.len() == items.len() {
                return tables;
            }
        }
        self.problem(name, "expected a list of sections");
        Vec::new()
    }

    /// A key that is missing from a section is missing from the file, even when the section exists
    /// only because a variable set another of its keys.
    fn origin_of_missing(&self, section: &Node) -> Origin {
        match section.origin {
            Origin::File(_) => section.origin.clone(),
            Origin::Default | Origin::Variable(_) => self.origin.clone(),
        }
    }

    fn descend<T>(
        &mut self,
        name: &str,
        form: Form,
        purpose: Cow<'static, str>,
        origin: Origin,
        table: &Table,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let path = self.path_of(name);
        self.enter(name, form, path.clone(), purpose);
        self.read_inner(path, origin, table, read)
    }

    fn enter(&mut self, name: &str, form: Form, path: String, purpose: Cow<'static, str>) {
        let kind = "section".to_owned();
        self.book.entries.push(Entry {
            path,
            ..self.entry(name.to_owned(), form, purpose, kind, Shown::Section)
        });
    }

    /// What is written down of a key or section of this section, with nothing said of its value.
    pub(super) fn entry(
        &self,
        name: String,
        form: Form,
        purpose: Cow<'static, str>,
        kind: String,
        shown: Shown,
    ) -> Entry {
        Entry {
            path: self.path_of(&name),
            name,
            depth: self.depth,
            form,
            purpose,
            kind,
            default: None,
            depends: None,
            example: None,
            required: false,
            only_with: self.only_with,
            origin: Origin::Default,
            shown,
        }
    }

    fn read_inner<T>(
        &mut self,
        path: String,
        origin: Origin,
        table: &Table,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let mut inner = Reader {
            book: &mut *self.book,
            path,
            origin,
            table,
            asked: BTreeSet::new(),
            missing: Vec::new(),
            depth: self.depth + 1,
            only_with: self.only_with,
        };
        let value = read(&mut inner);
        inner.finish();
        value
    }

    /// Records that a required key is set nowhere, neither itself nor by the key of its file.
    pub(super) fn missing(&mut self, name: &str, file_key: Option<&str>) {
        let variable = variable_of(&self.path_of(name));
        let or = file_key.map_or(String::new(), |key| format!(", by {key}"));
        let message = format!("required and not set; set it here{or} or in {variable}");
        let names = [Some(name), file_key].into_iter().flatten();
        self.missing.push(Missing {
            names: names.map(str::to_owned).collect(),
            problem: self.at(name, message),
        });
    }

    /// Reports what is written and was not asked for, and what was asked for and is not written.
    pub(super) fn finish(&mut self) {
        let unknown: Vec<&String> = self.table.keys().filter(|name| !self.asked.contains(*name)).collect();
        for name in unknown {
            if let Some(meant) = nearest(name, &self.asked) {
                self.missing.retain(|missing| !missing.names.contains(meant));
                let message = format!("unknown key, did you mean {meant}?");
                self.problem(name, message);
            } else {
                self.problem(name, "unknown key");
            }
        }
        let missing = self.missing.drain(..).map(|missing| missing.problem);
        self.book.problems.extend(missing);
    }
}

/// The known key that was probably meant. Beyond a third of the letters it is another word, and a
/// hint would mislead.
fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let distance_max = 1.max(name.chars().count() / 3);
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= distance_max)
        .map(|(_, known)| known)
}
