use std::time::Duration;

use event::{SemanticHash, Severity};
use ruleset::{
    CountPattern, JoinPattern, Message, MessagePart, Mode, Order, Pattern, Predicate, Rule, RuleSet, Test, TextPattern,
    Threshold, Timing,
};

const MINUTE: Duration = Duration::from_secs(60);

/// The rules of the simulation: a count by address, a count by user with a long keep-alive, a join, and a stateless one.
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
    ])
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
