use std::time::Duration;

use event::{SemanticHash, Severity};
use ruleset::{
    AbsencePattern, CountPattern, JoinPattern, Message, MessagePart, Mode, Order, Pattern, Predicate, Rule, RuleSet,
    Test, TextPattern, Threshold, Timing,
};

const MINUTE: Duration = Duration::from_secs(60);

/// How late an event of the simulation may be, and so an alert that opens because of it.
const LATE_MAX: Duration = MINUTE.saturating_mul(20);

/// The rules of the simulation: a count by address, a count by user with a long keep-alive, a join, and a stateless one;
/// and rules that read their alerts, under other keys and up to the second level.
pub fn rules() -> RuleSet {
    let count = |group: &str, at_least, window| {
        Pattern::Count(CountPattern {
            filter: named("login_failed"),
            window,
            group_by: vec![group.to_owned()],
            threshold: Threshold { at_least },
        })
    };
    let join = Pattern::Join(JoinPattern {
        left: named("login_success"),
        right: named("password_reset"),
        on: vec![("user_id".to_owned(), "user_id".to_owned())],
        within: 60 * MINUTE,
        order: Order::Any,
    });
    RuleSet::new([
        rule("brute-force", count("source_ip", 4, 5 * MINUTE), 5 * MINUTE),
        rule("guessing", count("user_id", 3, 10 * MINUTE), 30 * MINUTE),
        rule("takeover", join, 60 * MINUTE),
        rule("role", Pattern::Each(named("role_changed")), Duration::ZERO),
        chain("campaign", alerts(&["brute-force"], &[], 120 * MINUTE), 120 * MINUTE),
        chain(
            "trouble",
            alerts(&["takeover", "role"], &["user_id"], 180 * MINUTE),
            60 * MINUTE,
        ),
        chain(
            "siege",
            alerts(&["campaign", "trouble", "page"], &[], 360 * MINUTE),
            60 * MINUTE,
        ),
        chain(
            "page",
            Pattern::Each(Predicate::All(vec![opening("guessing"), user("u-1")])),
            Duration::ZERO,
        ),
        chain("unanswered", unanswered(), 30 * MINUTE),
    ])
}

/// Two alerts of these rules.
fn alerts(rules: &[&str], group_by: &[&str], window: Duration) -> Pattern {
    Pattern::Count(CountPattern {
        filter: Predicate::Any(rules.iter().map(|id| opening(id)).collect()),
        window,
        group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
        threshold: Threshold { at_least: 2 },
    })
}

/// An alert after which the user does not log in: decided by the watermarks of events and of alerts.
fn unanswered() -> Pattern {
    Pattern::Absence(AbsencePattern {
        left: opening("guessing"),
        right: named("login_success"),
        on: vec![("user_id".to_owned(), "user_id".to_owned())],
        within: 30 * MINUTE,
        order: Order::LeftFirst,
    })
}

fn opening(rule: &str) -> Predicate {
    Predicate::Alert(rule.to_owned())
}

fn user(id: &str) -> Predicate {
    let test = Test::Matches(TextPattern::glob(id));
    Predicate::Field {
        name: "user_id".to_owned(),
        test,
    }
}

/// A rule that takes what it reads no later than that can be: what comes later is set aside, and found.
fn chain(id: &str, pattern: Pattern, keep_alive: Duration) -> Rule {
    let mut rule = rule(id, pattern, keep_alive);
    (rule.timing.lateness, rule.timing.grace) = (LATE_MAX, LATE_MAX);
    rule
}

fn named(name: &str) -> Predicate {
    let test = Test::Matches(TextPattern::glob(name));
    Predicate::Field {
        name: "security_event".to_owned(),
        test,
    }
}

fn rule(id: &str, pattern: Pattern, keep_alive: Duration) -> Rule {
    Rule {
        id: id.to_owned(),
        title: id.to_owned(),
        description: String::new(),
        severity: Severity::High,
        tags: Vec::new(),
        mode: Mode::Live,
        message: Message {
            parts: vec![MessagePart::Field("user_id".to_owned())],
        },
        pattern,
        timing: Timing {
            grace: Duration::ZERO,
            lateness: 60 * MINUTE,
            keep_alive,
            suppress: Duration::ZERO,
            timezone: "UTC".to_owned(),
        },
        hash: SemanticHash::new(id),
        file: String::new(),
        references: Vec::new(),
        generates: true,
        runbook: None,
        tests: Vec::new(),
    }
}
