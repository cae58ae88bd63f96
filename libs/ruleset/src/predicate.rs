use regex::Regex;

/// A condition on one event.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Every one holds. `All([])` always holds.
    All(Vec<Predicate>),
    /// At least one holds.
    Any(Vec<Predicate>),
    /// It is known not to hold.
    Not(Box<Predicate>),
    /// A field has a value that fits.
    Field {
        /// The field, as [`event::Event::field`] resolves it.
        name: String,
        /// What fits.
        test: Test,
    },
    /// `service:x`: the event's service or its `metadata.service` fits; and for `security` any event that carries a
    /// `security_event`.
    Service(TextPattern),
    /// A bare word or a quoted phrase: a tag of the event, or a term in its message; without regard to case. The words
    /// of a phrase stand in the message in that order, next to each other.
    Word(String),
    /// The hour of the effective time in the rule's zone, 0 to 23.
    Hour(Comparison, i64),
    /// The ISO weekday of the effective time in the rule's zone, Monday 1 to Sunday 7.
    Weekday(Comparison, i64),
}

/// What fits a field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is there.
    Exists,
    /// Its text fits, without regard to case (`field:value`).
    Matches(TextPattern),
    /// It compares so with a literal (`where field > 5`). Equality of texts regards case.
    Compare(Comparison, Literal),
    /// It equals one of these.
    In(Vec<Literal>),
    /// Its text contains a match.
    Regex(Pattern),
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value written in a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number; compares with numbers and with texts that are written as one.
    Number(f64),
    /// True or false.
    Bool(bool),
}

/// Text with `*` (any characters) and `?` (any one character), compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPattern {
    /// As it was written.
    pub source: String,
}

/// A compiled regular expression, equal to another if it was written the same.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Comparison {
    /// Whether `left` compares with `right` so, given how they are ordered.
    pub fn accepts(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}
