use event::{Event, Source, SourcePartition, SourceTopic, Timestamp};
use state::{NoImage, StateStore};

use super::*;
use crate::{Matched, Matcher, SourceCounts};

fn rule(query: &str) -> Arc<Rule> {
    let text = format!("id: a\ntitle: t\nseverity: low\nmessage: m\nquery: '{query}'\n");
    let loaded = ruleset::load([("a.yml", text)]).unwrap_or_else(|errors| panic!("{}", errors[0]));
    Arc::clone(&loaded.rule_set.rules()[0])
}

fn failure(id: &str, second: i64) -> Event {
    Event {
        event_id: id.to_owned(),
        time: Timestamp::from_millis(second * 1000),
        tenant: "acme".to_owned(),
        service: "api".to_owned(),
        security_event: Some("login_failed".to_owned()),
        source_ip: Some("203.0.113.9".to_owned()),
        message: "no such user".to_owned(),
        ..Event::default()
    }
}

/// Each condition as `depth truth condition | what it saw`.
fn told(answer: &Answer, depth: usize, into: &mut Vec<String>) {
    let saw: Vec<String> = answer
        .saw
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("nothing")))
        .collect();
    into.push(format!(
        "{depth} {:?} {} | {}",
        answer.truth,
        answer.condition,
        saw.join(", ")
    ));
    answer.parts.iter().for_each(|part| told(part, depth + 1, into));
}

#[test]
fn every_condition_says_what_it_says_and_what_it_saw() {
    let rule =
        rule("service:security AND NOT user_role:admin AND user | where hour >= 1 OR source_ip in (203.0.113.0/24)");
    let event = failure("e", 5);
    let explained = Explainer::new(&rule)
        .explain(&event.encode(), event.time)
        .expect("it is an event");
    let mut lines = Vec::new();
    told(&explained[0].answer, 0, &mut lines);
    assert_eq!(
        lines,
        [
            "0 Unknown all of | ",
            "1 Yes service \"security\" | service=api, metadata.service=nothing, security_event=login_failed",
            "1 Unknown not | ",
            "2 Unknown field \"user_role\" matches \"admin\" | user_role=nothing",
            "1 Yes word \"user\" | message=no such user, tags=",
            "1 Yes any of | ",
            "2 No hour >= 1 | time=1970-01-01T00:00:05.000Z",
            "2 Yes field \"source_ip\" network 203.0.113.0/24 | source_ip=203.0.113.9",
        ]
    );
}

#[test]
fn a_key_that_is_not_whole_is_none() {
    let rule = rule("login_failed OR x | window 5m | group by source_ip, user_id | count > 1");
    let event = failure("e", 5);
    let explained = Explainer::new(&rule)
        .explain(&event.encode(), event.time)
        .expect("it is an event");
    let key = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    assert_eq!(
        explained[0].key,
        [key("source_ip", Some("203.0.113.9")), key("user_id", None)]
    );
    assert_eq!(explained[0].found, None);
}

/// What the rule holds after these events, which come with these ids at these seconds.
fn view(rule: &Arc<Rule>, events: &[(&str, &str, i64)]) -> (KeyView, Vec<String>) {
    let rules = ruleset::RuleSet::new([Rule::clone(rule)]);
    let one = SourceCounts {
        security: 1,
        audit: 1,
        access: 1,
        facts: 1,
    };
    let mut store = StateStore::open(NoImage);
    let correlator = Correlator::open(&rules, one, &store).expect("nothing fails in memory");
    let mut matcher = Matcher::new(&rules);
    for (offset, (id, security_event, second)) in (0..).zip(events) {
        let mut event = failure(id, *second);
        event.security_event = Some((*security_event).to_owned());
        let partition = SourcePartition {
            topic: SourceTopic::Security,
            partition: 0,
        };
        let mut matched = Matched::default();
        matcher
            .evaluate(&event.encode(), Source { partition, offset }, event.time, &mut matched)
            .expect("it is an event");
        for fact in matched.facts() {
            let at = Source { partition, offset };
            correlator
                .on_fact(fact, at, &mut store)
                .expect("nothing fails in memory");
        }
    }
    let key = Key::new("acme", ["203.0.113.9"]);
    let view = correlator.view(rule, &key, &store).expect("nothing fails in memory");
    let last = events.last().map_or(0, |(_, _, second)| second * 1000);
    let progress = view.progress(rule, Timestamp::from_millis(last));
    (view, progress)
}

#[test]
fn what_is_held_and_what_is_missing() {
    let counting = rule("security_event:login_failed | window 1m | group by source_ip | count > 2");
    let (seen, progress) = view(
        &counting,
        &[("a", "login_failed", 0), ("b", "login_failed", 61), ("c", "x", 62)],
    );
    let held: Vec<_> = seen
        .held
        .iter()
        .map(|held| (held.role.as_str(), held.event_id.as_str()))
        .collect();
    assert_eq!(held, [("counted", "a"), ("counted", "b")]);
    assert_eq!(progress, ["1 of 3: 2 missing"]);
    assert_eq!(seen.episodes, []);
    let three = [
        ("a", "login_failed", 0),
        ("b", "login_failed", 1),
        ("c", "login_failed", 2),
    ];
    let (seen, progress) = view(&counting, &three);
    assert_eq!(progress, ["3 of 3"]);
    assert_eq!(seen.episodes.len(), 1);
    assert_eq!((seen.episodes[0].count, seen.episodes[0].is_closed), (3, false));
    let joining = rule("security_event:login_success | join (security_event:login_failed) on source_ip | within 1m");
    let (seen, _) = view(&joining, &[("a", "login_failed", 0), ("b", "login_success", 1)]);
    let held: Vec<_> = seen
        .held
        .iter()
        .map(|held| (held.role.as_str(), held.event_id.as_str()))
        .collect();
    assert_eq!(held, [("right", "a"), ("left", "b")]);
    let sequence = "sequence (security_event:login_failed | count >= 2) then (security_event:login_success) by source_ip within 1m";
    let (seen, progress) = view(&rule(sequence), &[("a", "login_failed", 0)]);
    assert_eq!(seen.held[0].role, "step 1");
    assert_eq!(progress, ["step 1: 1 of 2: 1 missing", "step 2: 0 of 1: 1 missing"]);
}

/// Each pattern's own form of what is held.
#[test]
fn every_pattern_shows_what_it_holds() {
    for (query, role) in [
        (
            "security_event:login_failed | window 1m | group by source_ip | count > 2",
            "counted",
        ),
        (
            "security_event:login_failed | window 1m | group by source_ip | sum(repeat) > 5",
            "taken",
        ),
        (
            "security_event:login_failed | window 1m | group by source_ip | count_distinct(message) > 5",
            "taken",
        ),
        (
            "security_event:login_failed | without (security_event:x) on source_ip within 1h",
            "waiting",
        ),
        (
            "security_event:login_failed | new value of service by source_ip within 1h",
            "waiting",
        ),
        (
            "security_event:login_failed | join (x) on source_ip | within 1h",
            "left",
        ),
    ] {
        let (seen, _) = view(&rule(query), &[("a", "login_failed", 0)]);
        let roles: Vec<&str> = seen.held.iter().map(|held| held.role.as_str()).collect();
        assert_eq!(roles, [role], "{query}");
    }
}
