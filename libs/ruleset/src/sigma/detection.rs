//! `detection:` and `filter:`: selections and the condition that joins them.

use super::compiler::Compiler;
use super::condition::{Selections, condition};
use super::reader::{Entries, Reader, items};
use crate::Predicate;
use crate::error::{Fault, Given, quoted};
use crate::query::any_of;
use crate::rule_file::Node;

/// The most conditions of one detection.
const CONDITIONS_MAX: usize = 100;

/// Reads the selections and the condition in `entries`. `None` if the reader has kept an error.
pub(super) fn detection(reader: &mut Reader, mut entries: Entries, compiler: &mut Compiler) -> Option<Predicate> {
    let before = reader.errors.len();
    let node = reader.require(&mut entries, "condition");
    let conditions = node.and_then(|node| conditions(reader, node));
    let mut selections = Selections::new();
    for (name, node) in entries.rest() {
        if name.value == "timeframe" {
            let message = "`timeframe` is of Sigma 1: write a second document with `correlation:` and its `timespan`";
            reader.refuse(&Fault::new(name.at, message));
            continue;
        }
        // One that cannot be read stands for nothing, so that the conditions are read all the same.
        let predicate = compiler.selection(reader, &name.value, node);
        selections.add(name, predicate.unwrap_or(Predicate::Any(Vec::new())));
    }
    let mut read = Vec::new();
    for written in conditions? {
        let one = condition(&written.value, &mut selections).map_err(|fault| reader.within(&written, &fault));
        read.extend(reader.keep(one));
    }
    if reader.errors.len() > before {
        return None;
    }
    for name in selections.unused() {
        let message = format!("no condition asks for the selection {}", quoted(&name.value));
        reader.warn(&Fault::new(name.at.clone(), message));
    }
    Some(any_of(read))
}

/// One condition, or a list of them, any of which may hold.
fn conditions(reader: &mut Reader, node: Node) -> Option<Vec<Given<String>>> {
    let at = node.at.clone();
    let nodes = items(node);
    if nodes.is_empty() || nodes.len() > CONDITIONS_MAX {
        let message = format!("a detection has 1 to {CONDITIONS_MAX} conditions");
        reader.refuse(&Fault::new(at, message));
        return None;
    }
    let mut read = Vec::new();
    for node in nodes {
        read.push(reader.text(&node, "condition", usize::MAX)?);
    }
    Some(read)
}
