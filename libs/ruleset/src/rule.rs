use std::sync::Arc;
use std::time::Duration;

use event::{SemanticHash, Severity};

use crate::meaning::meaning;
use crate::{Message, Predicate, RuleTest};

/// A validated rule: the one typed form that every rule language compiles to. The engine knows no syntax.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique within the set; stable over edits.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// What it finds and why that matters.
    pub description: String,
    /// The severity of its alerts.
    pub severity: Severity,
    /// ATT&CK and other tags.
    pub tags: Vec<String>,
    /// Whether it runs, and whether its alerts go out.
    pub mode: Mode,
    /// The text of its alerts.
    pub message: Message,
    /// When it fires.
    pub pattern: Pattern,
    /// How long it waits and how late an event may be.
    pub timing: Timing,
    /// A hash over `pattern` and `timing` alone: editing a title or a message does not change it.
    pub hash: SemanticHash,
    /// The file it was read from, for messages to its author.
    pub file: String,
    /// What to do when it fires: a link or a sentence.
    pub runbook: Option<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// The tests in its file.
    pub tests: Vec<RuleTest>,
}

/// Whether a rule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does not.
    Off,
    /// It runs and is counted, but its alerts go nowhere.
    Test,
    /// It runs.
    Live,
}

/// When a rule fires.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// On every event that passes: stateless.
    Each(Predicate),
    /// When the events of one group within one window are as many as `threshold` says.
    Count(CountPattern),
    /// When events of two kinds, equal in some fields, lie within a span.
    Join(JoinPattern),
}

/// The events of one group within a sliding, closed window `[t - window, t]`, counted.
#[derive(Clone, Debug, PartialEq)]
pub struct CountPattern {
    /// Which events count.
    pub filter: Predicate,
    /// How long the window is. Positive.
    pub window: Duration,
    /// What makes a group: field names. Empty: all events of a tenant are one group.
    pub group_by: Vec<String>,
    /// How many are enough.
    pub threshold: Threshold,
}

/// A monotone threshold: more events can only confirm it, so it may fire as soon as it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// It is true from this count on: 11 for `count > 10`. At least 1.
    pub at_least: u64,
}

/// Events of a left and a right kind whose `on` fields have equal values and whose times are at most `within` apart.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinPattern {
    /// The kind that is alerted on.
    pub left: Predicate,
    /// The kind that must be near.
    pub right: Predicate,
    /// Pairs of field names: left, right. Never empty.
    pub on: Vec<(String, String)>,
    /// The greatest distance in time. Positive.
    pub within: Duration,
    /// Which must come first.
    pub order: Order,
}

/// Which side of a join must come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Either.
    Any,
    /// The right side (`join (…) before`).
    RightFirst,
    /// The left side (`join (…) after`, `join (…) then`).
    LeftFirst,
}

/// The time knobs of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a predicate that fires at the watermark waits. Default: the window, at most 10 minutes.
    pub grace: Duration,
    /// How old a fact may be, against the watermark, and still count. Default 1 hour, at most 24 hours.
    pub lateness: Duration,
    /// How long after its last true moment an episode still goes on. Default: the window.
    pub keep_alive: Duration,
    /// The zone of `hour` and `weekday`; an IANA name. Default UTC.
    pub timezone: String,
}

impl Rule {
    /// What the rule groups by, as people name it: the group fields, or the left names of a join. Empty for stateless rules.
    pub fn key_fields(&self) -> Vec<&str> {
        match &self.pattern {
            Pattern::Each(_) => Vec::new(),
            Pattern::Count(count) => count.group_by.iter().map(String::as_str).collect(),
            Pattern::Join(join) => join.on.iter().map(|(left, _)| left.as_str()).collect(),
        }
    }

    /// The canonical text of what it means. [`Rule::hash`] is its hash.
    pub fn meaning(&self) -> String {
        meaning(&self.pattern, &self.timing)
    }

    /// Whether correlate has to keep state for it.
    pub fn is_stateful(&self) -> bool {
        !matches!(self.pattern, Pattern::Each(_))
    }
}

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Arc<Rule>>,
}

impl RuleSet {
    /// These rules, in the order of their ids.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Self { rules }
    }

    /// The rules, in the order of their ids.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rule of that meaning. Of two that mean the same, the one whose id comes first.
    pub fn by_hash(&self, hash: SemanticHash) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.hash == hash)
    }

    /// A hash over the ids and meanings of all rules, whatever order they were loaded in.
    pub fn hash(&self) -> SemanticHash {
        let lines: Vec<_> = self
            .rules
            .iter()
            .map(|rule| format!("{} {}", rule.id, rule.hash))
            .collect();
        SemanticHash::new(&lines.join("\n"))
    }
}
