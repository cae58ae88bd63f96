use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use event::{SemanticHash, Severity};

use crate::meaning::meaning;
use crate::{Message, Pattern, RuleTest};

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
    /// Whether its alerts go out. One that is there only for the rules that refer to it (Sigma's correlations) is
    /// evaluated and tells nobody.
    pub generates: bool,
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

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Off, Self::Test, Self::Live];

    /// The word used in rule files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// The time knobs of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a predicate that fires at the watermark waits for late events. Default: the window, at most 10 minutes.
    pub grace: Duration,
    /// How old a fact may be, against the watermark, and still count. Default 1 hour, at most 24 hours.
    pub lateness: Duration,
    /// How long after its last true moment an episode still goes on. Default: [`Pattern::default_keep_alive`]. Zero: every
    /// moment at which the rule holds is an episode by itself (`every_match`).
    pub keep_alive: Duration,
    /// How long after its last true moment a new match still belongs to an episode that was closed, without a word to
    /// anybody until that is over too (`suppress`). Zero: no longer than `keep_alive`.
    pub suppress: Duration,
    /// The zone of `hour` and `weekday`; an IANA name. Default UTC.
    pub timezone: String,
}

impl Timing {
    /// The grace of a rule that does not say, at most.
    const GRACE_DEFAULT_MAX: Duration = Duration::from_secs(10 * 60);
    const LATENESS_DEFAULT: Duration = Duration::from_secs(60 * 60);

    /// How far apart two moments of one episode are at most.
    pub fn link(&self) -> Duration {
        self.keep_alive.max(self.suppress)
    }

    /// What holds for a pattern if the rule does not say.
    pub(crate) fn default_of(pattern: &Pattern) -> Self {
        Self {
            grace: pattern.reach().min(Self::GRACE_DEFAULT_MAX),
            lateness: Self::LATENESS_DEFAULT,
            keep_alive: pattern.default_keep_alive(),
            suppress: Duration::ZERO,
            timezone: "UTC".to_owned(),
        }
    }
}

impl Rule {
    pub(crate) const ID_BYTES_MAX: usize = 128;

    /// Whether a text can be the id of a rule.
    pub fn is_id(text: &str) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        (1..=Self::ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
    }

    /// What the rule groups by, as people name it: the group fields, the left names of a join, the names of a sequence's
    /// first step. Empty for stateless rules.
    pub fn key_fields(&self) -> Vec<&str> {
        self.pattern.sides().swap_remove(0).key
    }

    /// How old an entry may be, against the watermark, and still count: the lateness of what more events can only
    /// confirm, the grace of everything else, which is decided by then.
    pub fn lateness(&self) -> Duration {
        if self.pattern.is_monotone() {
            self.timing.lateness
        } else {
            self.timing.grace
        }
    }

    /// The ids of the rules whose alerts it reads, each once.
    pub fn alerts_read(&self) -> BTreeSet<&str> {
        let sides = self.pattern.sides().into_iter();
        sides.flat_map(|side| side.filter.alerts()).collect()
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
    levels: BTreeMap<String, u8>,
}

impl RuleSet {
    /// The highest level: how often alerts of rules may feed rules.
    pub const LEVEL_MAX: u8 = 3;

    /// These rules, in the order of their ids.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        let levels = levels(&rules);
        Self { rules, levels }
    }

    /// The rules, in the order of their ids.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rule of that meaning. Of two that mean the same, the one whose id comes first.
    pub fn by_hash(&self, hash: SemanticHash) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.hash == hash)
    }

    /// The level of the facts that a rule takes at most: 0 if it reads events alone, else one more than the highest of
    /// the rules whose alerts it reads. `None`: it is part of a circle, or above [`RuleSet::LEVEL_MAX`], and so never
    /// evaluated; loading refuses such a set.
    pub fn level(&self, id: &str) -> Option<u8> {
        self.levels.get(id).copied()
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

/// The level of each rule that has one. A rule that is not there has no alerts, so it does not raise a level.
fn levels(rules: &[Arc<Rule>]) -> BTreeMap<String, u8> {
    let known: BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let mut levels = BTreeMap::new();
    for level in 0..=RuleSet::LEVEL_MAX {
        let settled = |levels: &BTreeMap<String, u8>, rule: &Rule| {
            let mut read = rule.alerts_read().into_iter().filter(|id| known.contains(id));
            read.all(|id| levels.contains_key(id))
        };
        let next: Vec<_> = rules
            .iter()
            .filter(|rule| !levels.contains_key(&rule.id) && settled(&levels, rule))
            .collect();
        levels.extend(next.into_iter().map(|rule| (rule.id.clone(), level)));
    }
    levels
}
