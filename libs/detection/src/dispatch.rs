//! Which kinds of events may be what a record is: the few conditions that are worth asking.
//!
//! Of each condition one necessary part is known beforehand, its *witness*: fields of which one has to be there, or has to
//! equal something, or the condition is not met. Inverted, the values of an event say which conditions to ask. They say
//! too many rather than too few: what is dispatched is asked, in full, and what is not dispatched cannot be met.
//!
//! [`Dispatch::candidates`] is the one place where this is decided. An index for thousands of rules (automata over the
//! literals of a field, witnesses by measured rarity, the logsource) replaces what is behind it, and nothing else.

use event::FieldValue;
use ruleset::{Comparison, Literal, Predicate, Test, TextPattern};
use rustc_hash::FxBuildHasher;

use crate::operand::with_text;
use crate::predicate::IMPLIED_SERVICE;
use crate::subject::{Slot, Slots, Subject};
use crate::text::{TextMatcher, folded};

#[expect(
    clippy::disallowed_types,
    reason = "it is only ever looked up; its hash is not random, and no producer chooses what is in it"
)]
type Map<K> = std::collections::HashMap<K, Vec<usize>, FxBuildHasher>;

/// The conditions, each by its number, and by what its witness asks for.
#[derive(Debug)]
pub(crate) struct Dispatch {
    /// Those without a witness.
    always: Vec<usize>,
    by_slot: Vec<(Slot, SlotIndex)>,
    count: usize,
}

/// The conditions whose witness asks for a field.
#[derive(Debug, Default)]
struct SlotIndex {
    /// For any value.
    present: Vec<usize>,
    /// For a text, folded.
    texts: Map<Box<str>>,
    /// The bytes of the longest of them.
    longest: usize,
    /// For a number, by its bits.
    numbers: Map<u64>,
}

/// The conditions that are to be asked, in order; and room for folded text. Kept from event to event.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    bits: Vec<u64>,
    folded: String,
}

/// One of several things of which one has to be so.
#[derive(Clone, Debug, PartialEq)]
enum Atom {
    /// A field has a value.
    Present(Slot),
    /// A value of it is this text in some case.
    Text(Slot, Box<str>),
    /// A value of it is this number, or written as it.
    Number(Slot, u64),
}

/// Few events have a field that equals something; many have the field.
const PRESENT: usize = 1000;
/// Half of all events have the same truth value, and a quarter the same severity.
const COMMON: usize = 100;

impl Dispatch {
    /// The conditions that `filters` are, numbered in their order.
    pub(crate) fn new<'a>(filters: impl Iterator<Item = &'a Predicate>, slots: &mut Slots) -> Self {
        let mut always = Vec::new();
        let mut by_slot: Vec<(Slot, SlotIndex)> = Vec::new();
        let mut count = 0;
        for (number, filter) in filters.enumerate() {
            count = number + 1;
            let Some(witness) = witness(filter, slots) else {
                always.push(number);
                continue;
            };
            for atom in witness {
                let slot = atom.slot();
                let at = by_slot.iter().position(|(known, _)| *known == slot).unwrap_or_else(|| {
                    by_slot.push((slot, SlotIndex::default()));
                    by_slot.len() - 1
                });
                by_slot[at].1.add(atom, number);
            }
        }
        Self { always, by_slot, count }
    }

    /// The numbers of the conditions that `subject` may meet: all that it meets, and a few more.
    pub(crate) fn candidates(&self, subject: &Subject<'_>, into: &mut Candidates) {
        into.clear(self.count);
        self.always.iter().for_each(|number| into.insert(*number));
        for (slot, index) in &self.by_slot {
            let Some(value) = subject.value(*slot) else {
                continue;
            };
            index.present.iter().for_each(|number| into.insert(*number));
            for value in value.each() {
                index.look_up(value, into);
            }
        }
    }
}

impl SlotIndex {
    fn add(&mut self, atom: Atom, number: usize) {
        let numbers = match atom {
            Atom::Present(_) => &mut self.present,
            Atom::Text(_, text) => {
                self.longest = self.longest.max(text.len());
                self.texts.entry(text).or_default()
            }
            Atom::Number(_, bits) => self.numbers.entry(bits).or_default(),
        };
        numbers.push(number);
    }

    fn look_up(&self, value: &FieldValue<'_>, into: &mut Candidates) {
        if !self.texts.is_empty() {
            with_text(value, |text| into.fold(text, self.longest));
            if let Some(numbers) = self.texts.get(into.folded.as_str()) {
                numbers.iter().for_each(|number| into.insert(*number));
            }
        }
        if !self.numbers.is_empty()
            && let Some(number) = value.as_number()
            && let Some(numbers) = self.numbers.get(&bits(number))
        {
            numbers.iter().for_each(|number| into.insert(*number));
        }
    }
}

impl Candidates {
    const WORD: usize = u64::BITS as usize;

    fn clear(&mut self, count: usize) {
        self.bits.clear();
        self.bits.resize(count.div_ceil(Self::WORD), 0);
    }

    fn insert(&mut self, number: usize) {
        self.bits[number / Self::WORD] |= 1 << (number % Self::WORD);
    }

    /// Folds `text`; one that is longer than every text that is sought stays out.
    fn fold(&mut self, text: &str, longest: usize) {
        self.folded.clear();
        if !text.is_ascii() {
            self.folded.extend(folded(text));
        } else if text.len() <= longest {
            self.folded.push_str(text);
            self.folded.make_ascii_lowercase();
        }
    }

    /// The numbers, in order, each once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(word, bits)| {
            let mut rest = *bits;
            std::iter::from_fn(move || {
                let at = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(word * Self::WORD + at)
            })
        })
    }
}

impl Atom {
    fn slot(&self) -> Slot {
        match self {
            Self::Present(slot) | Self::Text(slot, _) | Self::Number(slot, _) => *slot,
        }
    }

    fn text(slot: Slot, text: &str) -> Self {
        Self::Text(slot, folded(text).collect::<String>().into())
    }
}

/// Of the two zeros, one.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

/// What has to be so for `filter` to hold: one of the atoms. `None`: nothing is known to. No atom: it never holds.
fn witness(filter: &Predicate, slots: &mut Slots) -> Option<Vec<Atom>> {
    match filter {
        Predicate::All(parts) => {
            let each: Vec<_> = parts.iter().filter_map(|part| witness(part, slots)).collect();
            each.into_iter().min_by_key(|atoms| cost(atoms, slots))
        }
        Predicate::Any(parts) => {
            let each: Option<Vec<_>> = parts.iter().map(|part| witness(part, slots)).collect();
            Some(each?.concat())
        }
        Predicate::Field { name, test } => Some(witness_of_test(slots.slot(name), test, slots)),
        Predicate::Service(pattern) => Some(witness_of_service(pattern, slots)),
        // No event is an alert.
        Predicate::Alert(_) => Some(Vec::new()),
        Predicate::Not(_)
        | Predicate::Unless(_)
        | Predicate::Anywhere(_)
        | Predicate::Word(_)
        | Predicate::Hour(..)
        | Predicate::Weekday(..) => None,
    }
}

/// A test is passed by a value only, so that the field is there is the least that can be said.
fn witness_of_test(slot: Slot, test: &Test, slots: &Slots) -> Vec<Atom> {
    let equal = |literal: &Literal| match literal {
        Literal::Text(text) => Atom::text(slot, text),
        Literal::Number(number) => Atom::Number(slot, bits(*number)),
        Literal::Bool(value) => Atom::text(slot, &value.to_string()),
    };
    match test {
        Test::Matches(pattern) => vec![match pattern.literal() {
            Some(text) => Atom::text(slot, text),
            None => Atom::Present(slot),
        }],
        Test::Compare(Comparison::Equal, literal) => vec![equal(literal)],
        Test::In(literals) => literals.iter().map(equal).collect(),
        Test::Every(tests) => {
            let each = tests.iter().map(|test| witness_of_test(slot, test, slots));
            each.min_by_key(|atoms| cost(atoms, slots))
                .unwrap_or_else(|| vec![Atom::Present(slot)])
        }
        Test::Exists
        | Test::Compare(..)
        | Test::Regex(_)
        | Test::Network(_)
        | Test::Relates(..)
        | Test::Calendar(..) => vec![Atom::Present(slot)],
    }
}

fn witness_of_service(pattern: &TextPattern, slots: &mut Slots) -> Vec<Atom> {
    let places = ["service", "metadata.service"].map(|name| slots.slot(name));
    let mut atoms: Vec<Atom> = match pattern.literal() {
        Some(text) => places.map(|slot| Atom::text(slot, text)).into(),
        None => places.map(Atom::Present).into(),
    };
    if TextMatcher::new(pattern).fits(IMPLIED_SERVICE) {
        atoms.push(Atom::Present(slots.slot("security_event")));
    }
    atoms
}

/// The more events there are with one of the atoms, the dearer.
fn cost(atoms: &[Atom], slots: &Slots) -> usize {
    let one = |atom: &Atom| match atom {
        Atom::Present(_) => PRESENT,
        Atom::Text(slot, text) if slots.is_common(*slot) || matches!(&**text, "true" | "false") => COMMON,
        Atom::Text(..) | Atom::Number(..) => 1,
    };
    atoms.iter().map(one).sum()
}

#[cfg(test)]
mod tests;
