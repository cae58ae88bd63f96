use super::{Cursor, field_name};
use crate::error::{Fault, quoted};

/// The most fields that a group or a join has.
pub(crate) const KEY_FIELDS_MAX: usize = 8;

/// The fields of one part of a key: its name on the left, on the right, or in each step.
type Names = Vec<String>;

/// `a, b`: fields, each once. `of` is what they are the fields of.
pub(crate) fn names(cursor: &mut Cursor, of: &str) -> Result<Vec<String>, Fault> {
    let entries = entries(cursor, of, 1)?;
    Ok(entries.into_iter().flatten().collect())
}

/// `a, b = c`: one name is the field of both sides, two are the filter's and the other events'.
pub(crate) fn pairs(cursor: &mut Cursor, of: &str) -> Result<Vec<(String, String)>, Fault> {
    let entries = entries(cursor, of, 2)?;
    let pair = |mut names: Names| {
        let right = names.pop().unwrap_or_default();
        (names.pop().unwrap_or_else(|| right.clone()), right)
    };
    Ok(entries.into_iter().map(pair).collect())
}

/// `a, b = c = d`: one name is the field of all steps, else there is one for each. The key of each step.
pub(crate) fn step_keys(cursor: &mut Cursor, of: &str, steps: usize) -> Result<Vec<Names>, Fault> {
    let entries = entries(cursor, of, steps)?;
    let key = |step: usize| {
        let part = |names: &Names| names.get(step).or(names.first()).cloned();
        entries.iter().filter_map(part).collect()
    };
    Ok((0..steps).map(key).collect())
}

/// Entries, each of one name or of as many as there are sides.
fn entries(cursor: &mut Cursor, of: &str, sides: usize) -> Result<Vec<Names>, Fault> {
    let mut entries: Vec<Names> = Vec::new();
    loop {
        let at = cursor.here();
        let entry = entry(cursor, of, sides)?;
        if entries.contains(&entry) {
            let shown = quoted(&entry.join(" = "));
            return Err(Fault::new(at, format!("{shown} is already in {of}")));
        }
        entries.push(entry);
        if entries.len() > KEY_FIELDS_MAX {
            return Err(Fault::new(at, format!("{of} has at most {KEY_FIELDS_MAX} fields")));
        }
        if !cursor.comma() {
            return Ok(entries);
        }
    }
}

fn entry(cursor: &mut Cursor, of: &str, sides: usize) -> Result<Names, Fault> {
    let begins = cursor.here();
    let mut names = Vec::new();
    loop {
        let (name, at) = cursor.word(&format!("a field of {of}"))?;
        names.push(field_name(name, &at)?);
        if sides == 1 || !cursor.equals() {
            break;
        }
    }
    if names.len() != 1 && names.len() != sides {
        let message = format!(
            "{} names stand here and there are {sides} sides: write one name, or one for each",
            names.len()
        );
        return Err(Fault::new(begins, message));
    }
    // The same name on all sides is written once.
    if names.iter().all(|name| *name == names[0]) {
        names.truncate(1);
    }
    Ok(names)
}
