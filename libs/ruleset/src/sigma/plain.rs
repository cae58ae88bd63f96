//! A rule with `detection`.

use std::ops::Range;

use event::Severity;

use super::compiler::Compiler;
use super::document::Head;
use super::mapping::Logsource;
use super::placeholders::Placeholders;
use super::reader::{Reader, begin};
use super::{HasRegexes, detection, events};
use crate::query::all_of;
use crate::rule_file::{Located, Node};
use crate::{Mode, Pattern, Predicate, Rule, Timing};

/// The severity of a rule that does not say.
pub(super) const SEVERITY_DEFAULT: Severity = Severity::Medium;

/// A rule with `detection`, as it was read.
pub(super) struct Plain {
    pub(super) head: Head,
    pub(super) logsource: Logsource,
    pub(super) filter: Predicate,
    regexes: usize,
    at: Range<usize>,
}

/// Reads a rule. `None` if the reader has kept an error.
pub(super) fn read(reader: &mut Reader, file: usize, node: Node, placeholders: &Placeholders) -> Option<Plain> {
    let before = reader.errors.len();
    let mut entries = reader.any_mapping(node, "a rule")?;
    let head = Head::read(reader, file, &mut entries);
    let source = reader
        .require(&mut entries, "logsource")
        .and_then(|node| events(reader, node));
    let written = reader.require(&mut entries, "detection")?;
    let at = begin(&written.at);
    let written = reader.any_mapping(written, "detection")?;
    let mapping = head.as_ref()?.mapping();
    let mut compiler = Compiler::new(mapping, placeholders);
    let detected = detection::detection(reader, written, &mut compiler)?;
    let (logsource, events) = source?;
    (reader.errors.len() == before).then_some(())?;
    Some(Plain {
        head: head?,
        logsource,
        filter: all_of([events, detected]),
        regexes: compiler.regexes,
        at,
    })
}

impl HasRegexes for Plain {
    fn regexes(&self) -> usize {
        self.regexes
    }
}

impl Plain {
    /// As a rule by itself: an alert for every event.
    pub(super) fn located(self, readers: &[Reader]) -> Located {
        let mapping = self.head.mapping();
        let fields: Vec<_> = self
            .head
            .fields
            .iter()
            .map(|field| (field.clone(), mapping.key(field)))
            .collect();
        let pattern = Pattern::Each(self.filter);
        let reader = &readers[self.head.file];
        let message = self.head.message(&fields);
        let severity = self.head.severity.unwrap_or(SEVERITY_DEFAULT);
        located(reader, self.head, severity, message, pattern, &self.at, self.regexes)
    }
}

/// The rule of a document.
pub(super) fn located(
    reader: &Reader,
    head: Head,
    severity: Severity,
    message: crate::Message,
    pattern: Pattern,
    at: &Range<usize>,
    regexes: usize,
) -> Located {
    let mut rule = Rule {
        id: head.id,
        title: head.title,
        description: head.description,
        severity,
        tags: head.tags,
        mode: Mode::Live,
        message,
        timing: Timing::default_of(&pattern),
        pattern,
        hash: event::SemanticHash::new(""),
        file: reader.source.file.to_owned(),
        runbook: None,
        references: head.references,
        generates: true,
        tests: Vec::new(),
    };
    rule.hash = event::SemanticHash::new(&rule.meaning());
    Located {
        warnings: Vec::new(),
        off: Vec::new(),
        rule,
        id: reader.source.place(&head.id_at),
        query: reader.source.place(at),
        regexes,
    }
}
