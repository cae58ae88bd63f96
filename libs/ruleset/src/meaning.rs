//! The canonical text of what a rule means; its hash names the rule's state.
//!
//! Two rules with the same text fire on the same events at the same moments. State survives an upgrade only if the
//! text of an unchanged rule does not change: `tests/golden/meanings.txt` holds it still. What is added later must
//! leave the text of rules that do not use it as it is.

use std::fmt::{self, Write as _};
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::{
    Aggregate, AggregatePattern, CalendarPart, Comparison, Literal, Order, Pattern, Piece, Predicate, Relation,
    SequencePattern, Test, TextPattern, Timing, Window,
};

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
            lines.push(format!("group_by {}", names(&count.group_by)));
            lines.push(format!("at_least {}", count.threshold.at_least));
        }
        Pattern::Join(join) => {
            lines.push(format!("join {}", predicate(&join.left)));
            lines.push(format!("with {}", predicate(&join.right)));
            lines.push(format!("on {}", pairs(&join.on)));
            lines.push(format!("within {}", millis(join.within)));
            lines.push(format!("order {}", order(join.order)));
        }
        Pattern::Aggregate(aggregate) => lines.extend(aggregate_lines(aggregate)),
        Pattern::Sequence(sequence) => lines.extend(sequence_lines(sequence)),
        Pattern::Absence(absence) => {
            lines.push(format!("absence {}", predicate(&absence.left)));
            lines.push(format!("of {}", predicate(&absence.right)));
            lines.push(format!("on {}", pairs(&absence.on)));
            lines.push(format!("within {}", millis(absence.within)));
            lines.push(format!("order {}", order(absence.order)));
        }
        Pattern::NewValue(news) => {
            lines.push(format!("new_value {}", predicate(&news.filter)));
            lines.push(format!("of {}", text(&news.field)));
            lines.push(format!("group_by {}", names(&news.group_by)));
            lines.push(format!("within {}", millis(news.within)));
        }
    }
    if !matches!(pattern, Pattern::Each(_)) {
        lines.push(format!("keep_alive {}", millis(timing.keep_alive)));
        lines.push(format!("lateness {}", millis(timing.lateness)));
        lines.push(format!("grace {}", millis(timing.grace)));
        if !timing.suppress.is_zero() {
            lines.push(format!("suppress {}", millis(timing.suppress)));
        }
    }
    if asks_the_clock(pattern) {
        lines.push(format!("timezone {}", text(&timing.timezone)));
    }
    lines.join("\n")
}

fn aggregate_lines(pattern: &AggregatePattern) -> Vec<String> {
    let window = match pattern.window {
        Window::Sliding(span) => format!("sliding {}", millis(span)),
        Window::Hopping { span, every } => format!("hopping {} {}", millis(span), millis(every)),
        Window::Session { gap, max } => format!("session {} {}", millis(gap), millis(max)),
    };
    let aggregate = match &pattern.aggregate {
        Aggregate::Count => "count".to_owned(),
        Aggregate::Distinct(fields) => format!("distinct {}", names(fields)),
        Aggregate::Sum(field) => format!("sum {}", text(field)),
        Aggregate::Average(field) => format!("average {}", text(field)),
        Aggregate::Minimum(field) => format!("minimum {}", text(field)),
        Aggregate::Maximum(field) => format!("maximum {}", text(field)),
        Aggregate::Percentile { field, percent } => format!("percentile {} {percent}", text(field)),
        Aggregate::RarestShare(field) => format!("rarest_share {}", text(field)),
    };
    let limits = pattern
        .limits
        .iter()
        .map(|limit| format!("({} {})", sign(limit.comparison), limit.value));
    vec![
        format!("aggregate {}", predicate(&pattern.filter)),
        format!("window {window}"),
        format!("group_by {}", names(&pattern.group_by)),
        format!("of {aggregate}"),
        format!("limits {}", list(limits)),
    ]
}

fn sequence_lines(pattern: &SequencePattern) -> Vec<String> {
    let kind = if pattern.is_ordered { "ordered" } else { "any_order" };
    let mut lines = vec![format!("sequence {kind}")];
    for step in &pattern.steps {
        let (filter, key) = (predicate(&step.filter), names(&step.key));
        lines.push(format!("step {filter} by {key} at_least {}", step.at_least));
    }
    lines.push(format!("within {}", millis(pattern.within)));
    lines
}

/// Whether the rule asks for a part of the time without naming a zone, so that its own matters.
pub(crate) fn asks_the_clock(pattern: &Pattern) -> bool {
    let mut asks = false;
    for side in pattern.sides() {
        side.filter.walk(&mut |condition| asks |= is_of_the_clock(condition));
    }
    asks
}

fn is_of_the_clock(condition: &Predicate) -> bool {
    match condition {
        Predicate::Hour(_, _, zone) | Predicate::Weekday(_, _, zone) => zone.is_none(),
        Predicate::Field { test, .. } | Predicate::Anywhere(test) => is_calendar(test),
        Predicate::All(_)
        | Predicate::Any(_)
        | Predicate::Not(_)
        | Predicate::Unless(_)
        | Predicate::Service(_)
        | Predicate::Word(_)
        | Predicate::Alert(_) => false,
    }
}

fn is_calendar(test: &Test) -> bool {
    match test {
        Test::Calendar(..) => true,
        Test::Every(tests) => tests.iter().any(is_calendar),
        Test::Exists
        | Test::Matches(_)
        | Test::Compare(..)
        | Test::In(_)
        | Test::Regex(_)
        | Test::Network(_)
        | Test::Relates(..) => false,
    }
}

/// As its meaning is written.
impl fmt::Display for Predicate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&predicate(self))
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
        Predicate::Unless(inner) => write_parts(out, "unless", std::slice::from_ref(inner)),
        Predicate::Field { name, test } => push(out, format_args!("(field {} {})", text(name), written(test))),
        Predicate::Anywhere(test) => push(out, format_args!("(anywhere {})", written(test))),
        Predicate::Service(pattern) => push(out, format_args!("(service {})", pattern_text(pattern))),
        Predicate::Word(word) => push(out, format_args!("(word {})", text(word))),
        Predicate::Hour(operator, hour, zone) => {
            push(
                out,
                format_args!("(hour{} {} {hour})", in_zone(zone.as_ref()), sign(*operator)),
            );
        }
        Predicate::Weekday(operator, day, zone) => {
            push(
                out,
                format_args!("(weekday{} {} {day})", in_zone(zone.as_ref()), sign(*operator)),
            );
        }
        Predicate::Alert(id) => push(out, format_args!("(alert {})", text(id))),
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

fn in_zone(zone: Option<&TimeZone>) -> String {
    let written = |zone: &TimeZone| format!(" in {}", text(zone.iana_name().unwrap_or("UTC")));
    zone.map(written).unwrap_or_default()
}

fn push(out: &mut String, written: std::fmt::Arguments) {
    out.write_fmt(written).expect("writing to a String cannot fail");
}

fn written(test: &Test) -> String {
    match test {
        Test::Exists => "exists".to_owned(),
        Test::Matches(pattern) => format!("matches {}", pattern_text(pattern)),
        Test::Compare(operator, value) => format!("{} {}", sign(*operator), literal(value)),
        Test::In(values) => format!("in {}", list(values.iter().map(literal))),
        Test::Every(tests) => format!(
            "every {}",
            list(tests.iter().map(|test| format!("({})", written(test))))
        ),
        Test::Regex(pattern) => format!("regex {}", text(pattern.0.as_str())),
        Test::Network(network) => format!("network {network}"),
        Test::Relates(relation, field) => format!("relates {} {}", related(*relation), text(field)),
        Test::Calendar(part, operator, value) => format!("calendar {} {} {value}", part_name(*part), sign(*operator)),
    }
}

fn related(relation: Relation) -> &'static str {
    match relation {
        Relation::Compares(comparison) => sign(comparison),
        Relation::Contains => "contains",
        Relation::StartsWith => "starts_with",
        Relation::EndsWith => "ends_with",
    }
}

fn part_name(part: CalendarPart) -> &'static str {
    match part {
        CalendarPart::Minute => "minute",
        CalendarPart::Hour => "hour",
        CalendarPart::Day => "day",
        CalendarPart::Week => "week",
        CalendarPart::Month => "month",
        CalendarPart::Year => "year",
    }
}

/// A pattern as it is written with `*` and `?`; piece by piece where that could be read in two ways.
fn pattern_text(pattern: &TextPattern) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(part) => text(part),
        Piece::Many => "*".to_owned(),
        Piece::One => "?".to_owned(),
    };
    let written = match pattern.source() {
        Some(source) => text(&source),
        None => list(pattern.pieces().iter().map(piece)),
    };
    if pattern.is_cased() {
        format!("cased {written}")
    } else {
        written
    }
}

fn names(fields: &[String]) -> String {
    list(fields.iter().map(|field| text(field)))
}

fn pairs(on: &[(String, String)]) -> String {
    list(
        on.iter()
            .map(|(left, right)| format!("({} {})", text(left), text(right))),
    )
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
