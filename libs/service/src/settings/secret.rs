//! Keys whose value nobody may see.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use secrecy::SecretString;

use super::kind::quoted;
use super::problem::Origin;
use super::reader::Reader;
use super::report::{Entry, Form, Shown};
use super::tree::{Node, variable_of};

/// The largest secret: a chain of certificates fits in many times over.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A secret that has been named; whether it may be missing ends the sentence.
///
/// It stands in a file of its own, which the key `…_file` names, or in the variable of the key.
/// Written into the configuration file it is accepted with a warning: that file is shown around.
/// No message, log line or listing has ever its value.
#[must_use = "a secret is read by `required` or `optional`"]
pub struct Secret<'r, 'a> {
    reader: &'r mut Reader<'a>,
    name: String,
    purpose: &'static str,
}

impl<'r, 'a> Secret<'r, 'a> {
    pub(super) fn new(reader: &'r mut Reader<'a>, name: &str, purpose: &'static str) -> Self {
        let name = name.to_owned();
        Self { reader, name, purpose }
    }

    /// The secret; it is a mistake to give none.
    pub fn required(self) -> SecretString {
        self.read(true).unwrap_or_default()
    }

    /// The secret, if one is given.
    pub fn optional(self) -> Option<SecretString> {
        self.read(false)
    }

    fn read(mut self, required: bool) -> Option<SecretString> {
        let file_key = format!("{}_file", self.name);
        let direct = self.reader.ask(&self.name);
        let file = self.reader.ask(&file_key);
        let (origin, secret) = match (direct, file) {
            (Some(_), Some(_)) => {
                let message = format!("set twice, here and by {file_key}: remove one");
                self.reader.problem(&self.name, message);
                (Origin::Default, None)
            }
            (Some(node), None) => (node.origin.clone(), self.direct(node)),
            (None, Some(node)) => (node.origin.clone(), self.out_of_file(&file_key, node)),
            (None, None) => {
                if required {
                    self.reader.missing(&self.name, Some(&file_key));
                }
                (Origin::Default, None)
            }
        };
        let shown = if secret.is_some() { Shown::Secret } else { Shown::Unset };
        let kind = format!("secret; or {file_key}, the path of a file that holds it");
        let file = self.reader.path_of(&self.name).replace('.', "_").to_lowercase();
        self.reader.book.entries.push(Entry {
            example: Some(quoted(&format!("/run/secrets/{file}"))),
            required,
            origin,
            ..self
                .reader
                .entry(self.name, Form::Secret, self.purpose.into(), kind, shown)
        });
        secret
    }

    fn direct(&mut self, node: &Node) -> Option<SecretString> {
        let Some(value) = node.written.text() else {
            self.reader.problem(&self.name, "expected a secret as text");
            return None;
        };
        if value.is_empty() {
            self.reader.problem(&self.name, "the secret is empty");
            return None;
        }
        if !node.origin.is_variable() {
            let variable = variable_of(&self.reader.path_of(&self.name));
            let message = format!(
                "a secret stands in the configuration file; move it to a file that {}_file names, or to {variable}",
                self.name
            );
            self.reader.warning(&self.name, message);
        }
        Some(SecretString::from(value))
    }

    fn out_of_file(&mut self, file_key: &str, node: &Node) -> Option<SecretString> {
        let Some(path) = node.written.text() else {
            self.reader
                .problem(file_key, "expected the path of a file that holds the secret");
            return None;
        };
        match read_secret(Path::new(path)) {
            Err(error) => {
                // Whoever writes the secret itself into the key of its file must not find it in a log.
                let is_a_path = ["/", "./", "../"].iter().any(|start| path.starts_with(start));
                let shown = if is_a_path { path } else { "a path that is not shown" };
                self.reader.problem(file_key, format!("{shown}: {error}"));
                None
            }
            Ok((secret, world_readable)) => {
                if world_readable {
                    let message = format!("{path}: every user of this machine can read it");
                    self.reader.warning(file_key, message);
                }
                Some(secret)
            }
        }
    }
}

/// The content without its last newline, and whether everybody may read it.
fn read_secret(path: &Path) -> io::Result<(SecretString, bool)> {
    let file = File::open(path)?;
    let world_readable = readable_by_all(&file)?;
    let mut text = String::new();
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(io::Error::other(format!("larger than {SECRET_BYTES_MAX} bytes")));
    }
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(io::Error::other("the file is empty"));
    }
    Ok((SecretString::from(secret), world_readable))
}

#[cfg(unix)]
fn readable_by_all(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_all(_: &File) -> io::Result<bool> {
    Ok(false)
}
