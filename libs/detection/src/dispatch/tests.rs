#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{Event, Severity, Timestamp};
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::extract::Extractor;
use crate::oracle::{conditions, random};
use crate::predicate::{Condition, Truth};

/// Conditions as a matcher has them.
struct Prepared {
    conditions: Vec<Condition>,
    slots: Slots,
    dispatch: Dispatch,
    extractor: Extractor,
}

impl Prepared {
    fn new(filters: &[Predicate]) -> Self {
        let mut slots = Slots::default();
        let prepare = |filter| Condition::new(filter, &TimeZone::UTC, &mut slots);
        let conditions = filters.iter().map(prepare).collect();
        let dispatch = Dispatch::new(filters.iter(), &mut slots);
        let extractor = Extractor::new(&mut slots);
        Self {
            conditions,
            slots,
            dispatch,
            extractor,
        }
    }

    fn dispatched(&self, subject: &Subject<'_>) -> Vec<usize> {
        let mut candidates = Candidates::default();
        self.dispatch.candidates(subject, &mut candidates);
        candidates.iter().collect()
    }

    fn met(&self, subject: &Subject<'_>, asked: impl Iterator<Item = usize>) -> Vec<usize> {
        asked
            .filter(|number| self.conditions[*number].ask(subject) == Truth::Yes)
            .collect()
    }
}

fn equals(name: &str, value: &str) -> Predicate {
    Predicate::Field {
        name: name.to_owned(),
        test: Test::Matches(TextPattern::exact(value)),
    }
}

fn dispatched(filters: &[Predicate], change: impl Fn(&mut Event)) -> Vec<usize> {
    let mut event = Event::default();
    change(&mut event);
    let prepared = Prepared::new(filters);
    prepared.dispatched(&Subject::of_event(&event, event.time, &prepared.slots))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// From the bytes, and of what is dispatched; or from the decoded event, and of all: the same conditions are met.
    #[test]
    fn dispatched_from_bytes_is_a_full_scan_of_the_event(
        filters in vec(conditions::condition(), 1..8),
        event in random::event(),
        metadata in random::metadata().prop_filter("a tree has each name once", random::Json::is_canonical),
        turned in 0_usize..40,
    ) {
        let record = random::record(&event, &metadata, turned, false);
        let decoded = Event::decode(&record).unwrap();
        let prepared = Prepared::new(&filters);
        let reading = prepared.extractor.read(&record, Timestamp::MAX, Vec::new()).unwrap();
        let of_bytes = prepared.met(&reading.subject, prepared.dispatched(&reading.subject).into_iter());
        let of_event = Subject::of_event(&decoded, decoded.time, &prepared.slots);
        let of_all = prepared.met(&of_event, 0..filters.len());
        prop_assert_eq!(of_bytes, of_all, "{:#?} {}", filters, String::from_utf8_lossy(&record));
    }
}

/// A thousand rules that differ in what they want are not a thousand questions.
#[test]
fn what_equals_something_is_asked_of_events_that_do() {
    let of_kind = |kind: usize| {
        let kind = equals("security_event", &format!("kind_{kind}"));
        Predicate::All(vec![Predicate::Service(TextPattern::exact("security")), kind])
    };
    let filters: Vec<Predicate> = (0..1000).map(of_kind).collect();
    let asked = |kind: &str| dispatched(&filters, |event| event.security_event = Some(kind.to_owned()));
    assert_eq!(asked("kind_7"), [7]);
    assert_eq!(asked("KIND_999"), [999]);
    assert_eq!(asked("kind_1000"), [0; 0]);
}

#[test]
fn the_rarest_part_is_the_witness() {
    let numbered = |literal| Predicate::Field {
        name: "code".to_owned(),
        test: Test::Compare(Comparison::Equal, literal),
    };
    let exists = Predicate::Field {
        name: "user_role".to_owned(),
        test: Test::Exists,
    };
    let never = || Predicate::Any(Vec::new());
    let filters = [
        Predicate::All(vec![equals("severity", "high"), equals("user_role", "admin")]),
        Predicate::All(vec![exists.clone(), equals("severity", "high")]),
        Predicate::Any(vec![equals("user_role", "admin"), equals("user_id", "root")]),
        Predicate::Any(vec![equals("user_role", "admin"), Predicate::Not(Box::new(never()))]),
        numbered(Literal::Number(7.0)),
        numbered(Literal::Bool(true)),
        Predicate::All(vec![exists, never()]),
        Predicate::Alert("other".to_owned()),
    ];
    type Case = (fn(&mut Event), &'static [usize]);
    let cases: [Case; 7] = [
        (|_| {}, &[3]),
        (|event| event.severity = Severity::High, &[1, 3]),
        (|event| event.user_role = Some("ADMIN".to_owned()), &[0, 2, 3]),
        (|event| event.user_role = Some("user".to_owned()), &[3]),
        (|event| event.user_id = Some("root".to_owned()), &[2, 3]),
        (
            |event| drop(event.metadata.insert("code".to_owned(), " 7".into())),
            &[3, 4],
        ),
        (
            |event| drop(event.metadata.insert("code".to_owned(), vec![false, true].into())),
            &[3, 5],
        ),
    ];
    for (change, expected) in cases {
        let mut event = Event::default();
        change(&mut event);
        assert_eq!(dispatched(&filters, change), expected, "{event:?}");
    }
}

#[test]
fn candidates_beyond_one_word_come_in_order() {
    let filters: Vec<Predicate> = (0..130).map(|_| equals("service", "app")).collect();
    assert_eq!(
        dispatched(&filters, |event| event.service = "App".to_owned()),
        Vec::from_iter(0..130)
    );
}
