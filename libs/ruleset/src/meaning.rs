//! The canonical text of what a rule means; its hash names the rule's state.
//!
//! Two rules with the same text fire on the same events at the same moments. State survives an upgrade only if the
//! text of an unchanged rule does not change: `tests/golden/meanings.txt` holds it still. What is added later must
//! leave the text of rules that do not use it as it is.

use std::fmt::Write as _;
use std::time::Duration;

use crate::{Comparison, Literal, Order, Pattern, Predicate, Test, TextPattern, Timing};

/// The first line of every text; a new number gives every rule new state.
const VERSION: &str = "tidewatch rule meaning 1";

/// The canonical text of a pattern and its timing.
pub(crate) fn meaning(pattern: &Pattern, timing: &Timing) -> String {
    let mut lines = vec![VERSION.to_owned()];
    match pattern {
        Pattern::Each(filter) => lines.push(format!("each {}", predicate(filter))),
        Pattern::Count(count) => {
            lines.push(format!("count {}", predicate(&count.filter)));
            lines.push(format!("window {}", millis(count.window)));
            lines.push(format!(
                "group_by {}",
                list(count.group_by.iter().map(|field| text(field)))
            ));
            lines.push(format!("at_least {}", count.threshold.at_least));
        }
        Pattern::Join(join) => {
            lines.push(format!("join {}", predicate(&join.left)));
            lines.push(format!("with {}", predicate(&join.right)));
            let pairs = join
                .on
                .iter()
                .map(|(left, right)| format!("({} {})", text(left), text(right)));
            lines.push(format!("on {}", list(pairs)));
            lines.push(format!("within {}", millis(join.within)));
            lines.push(format!("order {}", order(join.order)));
        }
    }
    if !matches!(pattern, Pattern::Each(_)) {
        lines.push(format!("keep_alive {}", millis(timing.keep_alive)));
        lines.push(format!("lateness {}", millis(timing.lateness)));
        lines.push(format!("grace {}", millis(timing.grace)));
    }
    if asks_the_clock(pattern) {
        lines.push(format!("timezone {}", text(&timing.timezone)));
    }
    lines.join("\n")
}

/// Whether the rule asks for the hour or the weekday, so that its time zone matters.
pub(crate) fn asks_the_clock(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Each(filter) => clock(filter),
        Pattern::Count(count) => clock(&count.filter),
        Pattern::Join(join) => clock(&join.left) || clock(&join.right),
    }
}

fn clock(condition: &Predicate) -> bool {
    match condition {
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().any(clock),
        Predicate::Not(inner) => clock(inner),
        Predicate::Hour(..) | Predicate::Weekday(..) => true,
        Predicate::Field { .. } | Predicate::Service(_) | Predicate::Word(_) => false,
    }
}

fn predicate(condition: &Predicate) -> String {
    let mut out = String::new();
    write_predicate(&mut out, condition);
    out
}

fn write_predicate(out: &mut String, condition: &Predicate) {
    match condition {
        Predicate::All(parts) => write_parts(out, "all", parts),
        Predicate::Any(parts) => write_parts(out, "any", parts),
        Predicate::Not(inner) => write_parts(out, "not", std::slice::from_ref(inner)),
        Predicate::Field { name, test } => push(out, format_args!("(field {} {})", text(name), written(test))),
        Predicate::Service(TextPattern { source }) => push(out, format_args!("(service {})", text(source))),
        Predicate::Word(word) => push(out, format_args!("(word {})", text(word))),
        Predicate::Hour(operator, hour) => push(out, format_args!("(hour {} {hour})", sign(*operator))),
        Predicate::Weekday(operator, day) => push(out, format_args!("(weekday {} {day})", sign(*operator))),
    }
}

fn write_parts(out: &mut String, name: &str, parts: &[Predicate]) {
    push(out, format_args!("({name}"));
    for part in parts {
        out.push(' ');
        write_predicate(out, part);
    }
    out.push(')');
}

fn push(out: &mut String, written: std::fmt::Arguments) {
    out.write_fmt(written).expect("writing to a String cannot fail");
}

fn written(test: &Test) -> String {
    match test {
        Test::Exists => "exists".to_owned(),
        Test::Matches(TextPattern { source }) => format!("matches {}", text(source)),
        Test::Compare(operator, value) => format!("{} {}", sign(*operator), literal(value)),
        Test::In(values) => format!("in {}", list(values.iter().map(literal))),
        Test::Regex(pattern) => format!("regex {}", text(pattern.0.as_str())),
    }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Text(value) => text(value),
        Literal::Number(value) => format!("{value}"),
        Literal::Bool(value) => format!("{value}"),
    }
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(" "))
}

fn millis(span: Duration) -> u128 {
    span.as_millis()
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn order(order: Order) -> &'static str {
    match order {
        Order::Any => "any",
        Order::RightFirst => "right_first",
        Order::LeftFirst => "left_first",
    }
}
