//! What is bounded, and what stays exact beyond the bound.

use event::Event;

use crate::driver::{BRUTE_FORCE, Engine, HOUR, MINUTE, SECOND, event, failures};

/// The greatest length of a stored value of a rule.
fn stored(engine: &Engine) -> usize {
    let values = engine.store.in_memory().filter(|(key, _)| key.len() > 1);
    values.map(|(_, value)| value.len()).max().unwrap_or(0)
}

#[test]
fn a_flood_is_counted_exactly_and_held_within_bounds() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let flood: Vec<_> = failures((0..5000).map(|n| n * 100));
    let mut greatest = 0;
    for batch in flood.chunks(250) {
        engine.send(batch.iter().cloned());
        greatest = greatest.max(stored(&engine));
    }
    engine.tick(HOUR);
    let words = engine.last_words();
    assert_eq!(words.len(), 1);
    let alert = &words[0];
    assert_eq!(
        (alert.count, alert.events.len(), alert.events_omitted),
        (5000, 1000, 4000)
    );
    assert_eq!(alert.first_event_at.as_millis(), 0);
    assert_eq!(alert.last_event_at.as_millis(), 499_900);
    assert!(greatest < 100_000, "{greatest} bytes for one key");
}

#[test]
fn weights_that_are_omitted_are_counted_too() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send(
        failures((0..2000).map(|n| n * 100))
            .into_iter()
            .map(|event| Event { repeat: 3, ..event }),
    );
    engine.tick(HOUR);
    let alert = &engine.last_words()[0];
    assert_eq!((alert.count, alert.events_omitted), (6000, 1000));
}

/// A log with whole seconds, or one without times, puts a flood into one moment.
#[test]
fn a_flood_within_one_moment_is_held_within_bounds() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send((0..5000).map(|n| event(&format!("e-{n}"), "login_failed", 0)));
    engine.tick(HOUR);
    let alert = &engine.last_words()[0];
    assert_eq!(
        (alert.count, alert.events.len(), alert.events_omitted),
        (5000, 1000, 4000)
    );
    assert!(stored(&engine) < 100_000, "{} bytes for one key", stored(&engine));
}

#[test]
fn what_is_omitted_does_not_change_where_an_episode_begins_and_ends() {
    let flood = || failures((0..3000).map(|n| 10 * MINUTE + n * 100));
    let spans = |others: Vec<i64>| {
        let mut engine = Engine::new(&[BRUTE_FORCE]);
        engine.send(flood());
        engine.send(failures(others));
        engine.tick(2 * HOUR);
        let words = engine.last_words();
        let span = |alert: &event::Alert| (alert.first_event_at.as_millis(), alert.last_event_at.as_millis());
        assert_eq!(words.len(), 1);
        (span(&words[0]), words[0].count)
    };
    let (first, last) = (10 * MINUTE, 10 * MINUTE + 2999 * 100);
    // Eleven in five minutes: ten before the flood and its first, but not ten that are a millisecond older.
    assert_eq!(
        spans((0..10).map(|n| 5 * MINUTE + n).collect()),
        ((5 * MINUTE, last), 3010)
    );
    assert_eq!(
        spans((0..10).map(|n| 5 * MINUTE - 1 + n).collect()),
        ((first, last), 3000)
    );
    // The last ten of the flood and one that comes five minutes after the first of them, or a millisecond more.
    let tenth_last = last - 900;
    assert_eq!(
        spans(vec![tenth_last + 5 * MINUTE]),
        ((first, tenth_last + 5 * MINUTE), 3001)
    );
    assert_eq!(spans(vec![tenth_last + 5 * MINUTE + 1]), ((first, last), 3000));
    // Within the flood, where nothing is held.
    assert_eq!(spans(vec![first + 150_050]), ((first, last), 3001));
}

/// The head of an episode is longer than the evidence if the threshold is.
#[test]
fn what_is_omitted_does_not_change_where_an_episode_of_a_high_threshold_begins() {
    let mut engine = Engine::new(&["security_event:login_failed | window 20s | group by source_ip | count >= 1500"]);
    engine.send(failures((0..6000).map(|n| MINUTE + n * 10)));
    // In the window of the first moment of truth, 15 s into the flood.
    engine.send(failures([MINUTE - 1]));
    engine.tick(2 * HOUR);
    let words = engine.last_words();
    let alert = &words[0];
    assert_eq!((words.len(), alert.count, alert.events_omitted), (1, 6001, 5001));
    assert_eq!(alert.first_event_at.as_millis(), MINUTE - 1);
}

#[test]
fn two_floods_that_become_one_are_counted_exactly() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let repeated = |times: Vec<i64>| failures(times).into_iter().map(|event| Event { repeat: 2, ..event });
    engine.send(repeated((0..2000).map(|n| n * 10).collect()));
    engine.send(repeated((0..3000).map(|n| 10 * MINUTE + n * 10).collect()));
    engine.send(repeated((0..6).map(|n| 5 * MINUTE + n * 10).collect()));
    engine.tick(2 * HOUR);
    let words = engine.last_words();
    let alert = &words[0];
    assert_eq!((words.len(), alert.count), (1, 2 * 5006));
    assert_eq!(alert.events.len() as u64 + alert.events_omitted, 5006);
}

#[test]
fn an_episode_that_goes_on_for_a_day_holds_no_more_than_one_of_an_hour() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    for hour in 0..24 {
        engine.send(failures((0..360).map(|n| hour * HOUR + n * 10 * SECOND)));
        engine.tick((hour + 1) * HOUR);
    }
    assert!(stored(&engine) < 100_000, "{} bytes for one key", stored(&engine));
    engine.tick(26 * HOUR);
    let words = engine.last_words();
    assert_eq!((words.len(), words[0].count), (1, 24 * 360));
}

#[test]
fn what_lies_below_the_threshold_is_held_only_as_long_as_it_may_matter() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    for minute in 0..2000 {
        engine.send(failures([minute * MINUTE]));
        engine.tick(minute * MINUTE);
    }
    assert_eq!(engine.told(), []);
    // One a minute for the lateness of an hour, and the window.
    assert!(stored(&engine) < 67 * 100, "{} bytes for one key", stored(&engine));
}

const TAKEOVER: &str = "security_event:login_success | join (security_event:password_reset) on user_id | within 24h";

#[test]
fn a_side_of_a_join_is_bounded_and_what_it_forgets_is_counted() {
    let mut engine = Engine::new(&[TAKEOVER]);
    engine.send([event("reset", "password_reset", 0)]);
    for batch in 0..6_i64 {
        let login = |n: i64| {
            event(
                &format!("in-{batch}-{n}"),
                "login_success",
                1 + (batch * 500 + n) * SECOND,
            )
        };
        engine.send((0..500).map(login));
    }
    assert_eq!(engine.tally.forgotten, 2000);
    assert!(stored(&engine) < 200_000, "{} bytes for one key", stored(&engine));
    engine.tick(100 * HOUR);
    let words = engine.last_words();
    assert_eq!(words.len(), 1);
    let alert = &words[0];
    assert_eq!(
        (alert.count, alert.events_omitted, alert.events.len()),
        (3001, 2001, 1000)
    );
    assert_eq!(
        (alert.first_event_at.as_millis(), alert.last_event_at.as_millis()),
        (0, 1 + 2999 * SECOND)
    );
}

#[test]
fn a_right_side_that_is_forgotten_takes_nothing_from_the_count() {
    let mut engine = Engine::new(&[TAKEOVER]);
    engine.send([event("early", "password_reset", 0), event("login", "login_success", 1)]);
    engine.send((0..3000).map(|n| event(&format!("reset-{n}"), "password_reset", 100 + n)));
    engine.tick(100 * HOUR);
    let words = engine.last_words();
    assert_eq!(
        (words.len(), words[0].count),
        (1, 2),
        "the login and the reset nearest to it"
    );
    assert_eq!(engine.tally.forgotten, 2001);
}
