//! Rule files: YAML documents, each one rule with its tests.

mod keys;
mod reader;
mod rule;
mod schema;
mod tag;
mod test_section;
mod yaml;

use std::collections::BTreeMap;

use event::SemanticHash;

use crate::chains;
use crate::error::{Fault, Source};
use crate::{Place, Rule, RuleError, RuleSet, RuleWarning, sigma};
pub(crate) use reader::{Reader, TOLD_MAX};
pub(crate) use rule::Located;
pub(crate) use yaml::{Content, Node, documents};

pub use schema::schema;
pub use yaml::FILE_BYTES_MAX;

/// The rules of one file, in its order.
#[derive(Debug)]
pub struct RuleFile {
    /// The rules.
    pub rules: Vec<Rule>,
    /// What is likely a mistake.
    pub warnings: Vec<RuleWarning>,
}

/// The rules of all files.
#[derive(Debug)]
pub struct Loaded {
    /// The rules. May be none: a detector that would run none has to say so.
    pub rule_set: RuleSet,
    /// What is likely a mistake.
    pub warnings: Vec<RuleWarning>,
}

/// What is to be said of rule files.
#[derive(Debug)]
pub struct Checked {
    /// How many rules could be read.
    pub rules: usize,
    /// What is wrong.
    pub errors: Vec<RuleError>,
    /// What is likely a mistake.
    pub warnings: Vec<RuleWarning>,
}

/// Reads a rule file: one rule, or several documents separated by `---`.
///
/// # Errors
/// Everything that is wrong with it, as far as it can be read; a fault of the YAML itself hides the rest.
pub fn parse(file: &str, text: &str) -> Result<RuleFile, Vec<RuleError>> {
    let Loading {
        located,
        errors,
        warnings,
        ..
    } = Loading::of([(file, text)]);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(RuleFile {
        rules: located.into_iter().map(|located| located.rule).collect(),
        warnings,
    })
}

/// Reads rule files, as they are on disk, into one set. The names are for messages to people.
///
/// # Errors
/// Everything that is wrong with all of them; also two rules of the same id, and two that mean the same: their state
/// would be the same; and what is wrong with rules that read alerts of others.
pub fn load<N: AsRef<str>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, T)>) -> Result<Loaded, Vec<RuleError>> {
    let Loading {
        located,
        errors,
        warnings,
        ..
    } = Loading::of_all(files);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Loaded {
        rule_set: RuleSet::new(located.into_iter().map(|located| located.rule)),
        warnings,
    })
}

/// Reads rule files as [`load`] does, and says everything there is to say of them, whether or not it is an error.
pub fn check<N: AsRef<str>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, T)>) -> Checked {
    let Loading {
        located,
        errors,
        warnings,
        ..
    } = Loading::of_all(files);
    Checked {
        rules: located.len(),
        errors,
        warnings,
    }
}

/// What has been read of some files.
#[derive(Default)]
struct Loading {
    located: Vec<Located>,
    errors: Vec<RuleError>,
    warnings: Vec<RuleWarning>,
    /// How many regular expressions the rules have.
    regexes: usize,
}

/// The most regular expressions of a rule set: the worst take a megabyte and 20 ms to compile, each.
const REGEX_COUNT_MAX: usize = 500;

impl Loading {
    /// Files that are all there is.
    fn of_all<N: AsRef<str>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        let mut loading = Self::of(files);
        let chains = chains::check(&loading.located, loading.errors.is_empty());
        loading.errors.extend(chains.errors);
        loading.warnings.extend(chains.warnings);
        loading
    }

    fn of<N: AsRef<str>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        let files: Vec<(N, T)> = files.into_iter().collect();
        let mut loading = Self::default();
        let texts = files.iter().map(|(file, text)| (file.as_ref(), text.as_ref()));
        let mut documents: Vec<_> = texts.map(|(file, text)| loading.documents(file, text)).collect();
        // Sigma's documents name each other, and what they say of placeholders holds for all.
        let theirs = sigma::Documents::take(&mut documents);
        for (source, documents) in documents {
            loading.read(source, documents, theirs.placeholders());
        }
        let mut made = theirs.make(REGEX_COUNT_MAX.saturating_sub(loading.regexes), &loading.located);
        loading.located.append(&mut made.located);
        loading.errors.append(&mut made.errors);
        loading.warnings.append(&mut made.warnings);
        loading.sort(&files.iter().map(|(file, _)| file.as_ref()).collect::<Vec<_>>());
        loading.refuse_twins();
        loading
    }

    /// The documents of a file. What is wrong with one leaves those of other files.
    fn documents<'a>(&mut self, file: &'a str, bytes: &'a [u8]) -> (Source<'a>, Vec<Node>) {
        let (text, fault) = match std::str::from_utf8(bytes) {
            Ok(text) => (text.strip_prefix('\u{feff}').unwrap_or(text), None),
            Err(error) => {
                let read = error.valid_up_to();
                let text = std::str::from_utf8(&bytes[..read]).expect("it is valid up to there");
                (text, Some(Fault::new(read..read + 1, not_text(bytes, read))))
            }
        };
        let source = Source { file, text };
        let documents = match fault {
            Some(fault) => Err(fault),
            None => documents(source),
        };
        let some = documents.and_then(|documents| match documents.len() {
            0 => Err(Fault::new(0..1, "this file holds no rule")),
            _ => Ok(documents),
        });
        let kept = some.map_err(|fault| self.errors.push(source.error(&fault)));
        (source, kept.unwrap_or_default())
    }

    fn read(&mut self, source: Source, documents: Vec<Node>, placeholders: &sigma::Placeholders) {
        let mut reader = Reader::new(source);
        self.read_documents(&mut reader, documents, placeholders);
        self.errors.append(&mut reader.errors);
    }

    fn read_documents(&mut self, reader: &mut Reader, documents: Vec<Node>, placeholders: &sigma::Placeholders) {
        for document in documents {
            let at = document.at.start..document.at.start + 1;
            let Some(mut located) = rule::rule(reader, document, placeholders) else {
                if reader.is_full() {
                    return;
                }
                continue;
            };
            self.regexes += located.regexes;
            if self.regexes > REGEX_COUNT_MAX {
                let message = format!("with this rule there are more than {REGEX_COUNT_MAX} regular expressions");
                return reader.refuse(&Fault::new(at, message));
            }
            self.warnings.append(&mut located.warnings);
            self.located.push(located);
        }
    }

    /// Puts what is to be said into the order of files and lines.
    fn sort(&mut self, files: &[&str]) {
        let order = |place: &Place| {
            let file = files.iter().position(|file| *file == place.file);
            (file, place.line, place.column)
        };
        self.errors.sort_by_cached_key(|error| order(&error.place));
        self.warnings.sort_by_cached_key(|warning| order(&warning.place));
    }

    /// Refuses every rule that has the id or the meaning of one before it.
    fn refuse_twins(&mut self) {
        let mut ids: BTreeMap<&str, &Place> = BTreeMap::new();
        let mut meanings: BTreeMap<SemanticHash, &Located> = BTreeMap::new();
        let mut twins = Vec::new();
        for located in &self.located {
            let Located { rule, id, query, .. } = located;
            if let Some(first) = ids.insert(&rule.id, id) {
                let message = format!("the id `{}` is taken by {}:{}", rule.id, first.file, first.line);
                twins.push(RuleError {
                    place: id.clone(),
                    message,
                });
            } else if !rule.is_stateful() {
                // Two that ask of the same events, and have no state to share.
            } else if let Some(first) = meanings.insert(rule.hash, located) {
                let Place { file, line, .. } = &first.query;
                let message = format!(
                    "this rule means the same as `{}` in {file}:{line}: they would share their state",
                    first.rule.id
                );
                twins.push(RuleError {
                    place: query.clone(),
                    message,
                });
            }
        }
        self.errors.append(&mut twins);
    }
}

/// Why bytes are refused that are no UTF-8 from `at` on.
fn not_text(bytes: &[u8], at: usize) -> String {
    let is_wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let hint = if is_wide {
        ": the file is in UTF-16, and rule files are in UTF-8"
    } else {
        ""
    };
    format!("byte {at} of the file is not UTF-8{hint}")
}

#[cfg(test)]
pub(crate) mod tests;
