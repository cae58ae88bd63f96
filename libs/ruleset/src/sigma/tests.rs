use crate::{Pattern, Rule, RuleSet, load};

/// The rule of one file.
fn rules(text: &str) -> RuleSet {
    let loaded = load([("r.yml", text)]);
    loaded.unwrap_or_else(|errors| panic!("{text}\n{}", errors[0])).rule_set
}

fn only(text: &str) -> Rule {
    let rules = rules(text);
    assert_eq!(rules.rules().len(), 1, "{text}");
    (*rules.rules()[0]).clone()
}

/// Every error as `file:line:column: message`.
fn errors(files: &[(&str, &str)]) -> Vec<String> {
    let errors = load(files.iter().copied()).expect_err("it is refused");
    let told = |error: &crate::RuleError| {
        let crate::Place { file, line, column, .. } = &error.place;
        format!("{file}:{line}:{column}: {}", error.message)
    };
    errors.iter().map(told).collect()
}

fn warnings(text: &str) -> Vec<String> {
    let loaded = load([("r.yml", text)]).unwrap_or_else(|errors| panic!("{text}\n{}", errors[0]));
    let told = |warning: &crate::RuleWarning| {
        let crate::Place { line, column, .. } = &warning.place;
        format!("{line}:{column}: {}", warning.message)
    };
    loaded.warnings.iter().map(told).collect()
}

const HEAD: &str = "title: A rule\nid: a-rule\nlogsource: {product: tidewatch}\nlevel: high\n";

/// A rule with this detection, which begins in line 6.
fn with(detection: &str) -> String {
    let lines: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    format!("{HEAD}detection:\n{lines}")
}

#[test]
fn the_head_of_a_document_is_that_of_the_rule() {
    let rule = only(&with("s: {a: b}\ncondition: s"));
    assert_eq!((rule.id.as_str(), rule.title.as_str()), ("a-rule", "A rule"));
    assert_eq!(rule.severity, event::Severity::High);
    assert!(matches!(rule.pattern, Pattern::Each(_)) && rule.generates);
    let text = "title: A Rule, with {braces}\nlogsource: {product: tidewatch}\nlevel: informational\nfields: [User, c-ip]\n\
                tags: attack.t1110\nauthor: x\nmy_own_key: {a: [1]}\ndetection: {s: {a: b}, condition: s}\n";
    let rule = only(text);
    assert_eq!(
        (rule.id.as_str(), rule.severity),
        ("a_rule_with_braces", event::Severity::Low)
    );
    assert_eq!(rule.tags, ["attack.t1110"]);
    let message = rule.message.render(|field| Some(format!("<{field}>")));
    assert_eq!(message, "A Rule, with {braces}: User <User>, c-ip <source_ip>");
    let expected = "1:8: there is no `id`: `a_rule_with_braces` is derived from the title, and changes with it";
    assert_eq!(warnings(text), [expected]);
    assert_eq!(only(&text.replace("tags:", "name: my_rule\ntags:")).id, "my_rule");
}

/// A detection, and what is said of it.
const REFUSED: &[(&str, &str)] = &[
    (
        "s: {a|contain: b}\ncondition: s",
        "6:11: unknown modifier `contain`: did you mean `contains`?",
    ),
    (
        "s: {a|re|cidr: b}\ncondition: s",
        "6:14: `cidr` does not combine with `re` before it",
    ),
    (
        "s: {a|i: b}\ncondition: s",
        "6:11: `i` is a flag of a regular expression: it stands behind `re`",
    ),
    (
        "s: {a: b}\ncondition: s and",
        "7:21: the name of a selection is missing here",
    ),
    (
        "s: {a: b}\ncondition: s and (s",
        "7:22: this parenthesis is never closed",
    ),
    (
        "s: {a: b}\ncondition: s nad s",
        "7:18: `and`, `or` or the end of the condition is expected here, not `nad`",
    ),
    (
        "sel: {a: b}\ncondition: sal",
        "7:16: there is no selection `sal`: did you mean `sel`?",
    ),
    (
        "s: {a: b}\ncondition: 2 of them",
        "7:16: `1 of` or `all of`: `2` is neither",
    ),
    ("s: {a: b}\ncondition: 1 of x*", "7:21: no selection is named like `x*`"),
    ("s: {a: b}", "6:5: `condition` is missing"),
    (
        "s: {a|expand: '%x%'}\ncondition: s",
        "6:19: there is no placeholder `x`: a document with `placeholders:` gives it a list of values",
    ),
    (
        "s: {a|re: '('}\ncondition: s",
        "6:15: this is not a regular expression: unclosed group",
    ),
    (
        "s: {a|cidr: 10.0.0.0/40}\ncondition: s",
        "6:17: `10.0.0.0/40` is not a network such as 10.0.0.0/8 or fd00::/8",
    ),
    (
        "s: {a|exists: x}\ncondition: s",
        "6:19: `exists` is true or false, not text",
    ),
    ("s: {a|gt: x}\ncondition: s", "6:15: `x` is not a number"),
    (
        "s: {a|hour: 24}\ncondition: s",
        "6:17: `24` is not a whole number from 0 to 23",
    ),
    (
        "s: {a|contains: null}\ncondition: s",
        "6:21: null is the absence of the field, and takes no modifier",
    ),
    (
        "s: {a|base64: 'x*'}\ncondition: s",
        "6:19: a value with wildcards has no `base64`: a plain star is written `\\*`",
    ),
    (
        "s: {a: {b: c}}\ncondition: s",
        "6:12: a value is text, a number, true or false, not a mapping",
    ),
    ("s: {a: []}\ncondition: s", "6:12: `a` has no values"),
    ("s: {}\ncondition: s", "6:8: `s` selects nothing"),
];

#[test]
fn what_cannot_be_understood_is_refused_at_its_place() {
    let cases = REFUSED;
    let told = |(detection, _): &(&str, &str)| errors(&[("r.yml", &with(detection))]).join("\n");
    let expected: Vec<_> = cases.iter().map(|(_, expected)| format!("r.yml:{expected}")).collect();
    assert_eq!(cases.iter().map(told).collect::<Vec<_>>(), expected);
    let counted = errors(&[(
        "r.yml",
        &with("s: {a: b}\ntimeframe: 5m\ncondition: s | count() by a > 5"),
    )]);
    assert!(
        counted[0].starts_with("r.yml:7:5: `timeframe` is of Sigma 1: write a second document"),
        "{counted:?}"
    );
    let counted = errors(&[("r.yml", &with("s: {a: b}\ncondition: s | count() by a > 5"))]);
    assert!(
        counted[0].starts_with("r.yml:7:18: aggregations in a condition are of Sigma 1"),
        "{counted:?}"
    );
}

/// Base rules for correlations.
const BASE: &str = "\
title: Failed
name: failed
logsource: {product: tidewatch}
level: low
detection: {s: {action: failed}, condition: s}
---
title: Succeeded
name: succeeded
logsource: {product: tidewatch}
detection: {s: {action: succeeded}, condition: s}
---
title: Reset
name: reset
logsource: {product: tidewatch}
detection: {s: {action: reset}, condition: s}
";

/// A correlation over the base rules.
fn over(correlation: &str) -> String {
    let lines: String = correlation.lines().map(|line| format!("    {line}\n")).collect();
    format!("{BASE}---\ntitle: Joined\nid: joined\ncorrelation:\n{lines}")
}

/// The meaning of the rule `joined`, but for its timing and for what the base rules are.
fn meaning(correlation: &str) -> String {
    let rules = rules(&over(correlation));
    let rule = rules
        .rules()
        .iter()
        .find(|rule| rule.id == "joined")
        .expect("it is there");
    let mut meaning = rule.meaning();
    for name in ["failed", "succeeded", "reset"] {
        let base = format!("(all (field \"tenant\" exists) (field \"action\" matches \"{name}\"))");
        meaning = meaning.replace(&base, &format!("<{name}>"));
    }
    let lines = meaning.lines().skip(1);
    let lines = lines.filter(|line| {
        !["keep_alive", "lateness", "grace"]
            .iter()
            .any(|knob| line.starts_with(knob))
    });
    lines.collect::<Vec<_>>().join("; ")
}

const BOTH: &str = "rules: [failed, succeeded]\ngroup-by: [User]\ntimespan: 5m";

#[test]
fn counts_and_computed_values_are_aggregates() {
    let (any, both) = ("(any <failed> <succeeded>)", BOTH);
    let cases = [
        (
            "type: event_count\nrules: [failed]\ngroup-by: [User, source.ip]\ntimespan: 1h\ncondition: {gt: 10}"
                .to_owned(),
            r#"count <failed>; window 3600000; group_by ["User" "source_ip"]; at_least 11"#.to_owned(),
        ),
        (
            format!("type: event_count\n{both}\ncondition: {{gte: 10, lt: 20}}"),
            format!(r#"aggregate {any}; window sliding 300000; group_by ["User"]; of count; limits [(< 20) (>= 10)]"#)
                .replace("[(< 20) (>= 10)]", "[(>= 10) (< 20)]"),
        ),
        (
            format!("type: value_count\n{both}\ncondition: {{field: [c-ip, Port], gte: 3}}"),
            format!(
                r#"aggregate {any}; window sliding 300000; group_by ["User"]; of distinct ["source_ip" "Port"]; limits [(>= 3)]"#
            ),
        ),
        (
            format!("type: value_sum\n{both}\ncondition: {{field: Bytes, gt: 1000000}}"),
            format!(
                r#"aggregate {any}; window sliding 300000; group_by ["User"]; of sum "Bytes"; limits [(> 1000000)]"#
            ),
        ),
        (
            format!("type: value_avg\n{both}\ncondition: {{field: Bytes, lt: 0.5}}"),
            format!(
                r#"aggregate {any}; window sliding 300000; group_by ["User"]; of average "Bytes"; limits [(< 0.5)]"#
            ),
        ),
        (
            format!("type: value_median\n{both}\ncondition: {{field: Bytes, gt: 5}}"),
            format!(
                r#"aggregate {any}; window sliding 300000; group_by ["User"]; of percentile "Bytes" 50; limits [(> 5)]"#
            ),
        ),
        (
            format!("type: value_percentile\n{both}\ncondition: {{field: Bytes, percentile: 95, gt: 5}}"),
            format!(
                r#"aggregate {any}; window sliding 300000; group_by ["User"]; of percentile "Bytes" 95; limits [(> 5)]"#
            ),
        ),
        (
            format!("type: value_percentile\n{both}\ncondition: {{field: Image, lte: 1}}"),
            format!(
                r#"aggregate {any}; window sliding 300000; group_by ["User"]; of rarest_share "Image"; limits [(<= 1)]"#
            ),
        ),
    ];
    for (correlation, expected) in cases {
        assert_eq!(meaning(&correlation), expected, "{correlation}");
    }
}

#[test]
fn temporal_correlations_are_sequences_and_absences() {
    let both = BOTH;
    let cases = [
        (
            format!("type: temporal\n{both}"),
            r#"sequence any_order; step <failed> by ["User"] at_least 1; step <succeeded> by ["User"] at_least 1; within 300000"#
                .to_owned(),
        ),
        (
            "type: temporal_ordered\nrules: [failed, succeeded]\ngroup-by: [who]\ntimespan: 1w\naliases: {who: {failed: User, \
             succeeded: c-ip}}"
                .to_owned(),
            r#"sequence ordered; step <failed> by ["User"] at_least 1; step <succeeded> by ["source_ip"] at_least 1; within 604800000"#
                .to_owned(),
        ),
        (
            "type: temporal\ntimespan: 5m\ncondition: failed and (succeeded or reset)".to_owned(),
            "sequence any_order; step <failed> by [] at_least 1; step (any <succeeded> <reset>) by [] at_least 1; within 300000"
                .to_owned(),
        ),
        (
            format!("type: temporal\n{both}\ncondition: failed and not succeeded"),
            r#"absence <failed>; of <succeeded>; on [("User" "User")]; within 300000; order any"#.to_owned(),
        ),
        (
            format!("type: temporal_ordered\n{both}\ncondition: failed and not succeeded"),
            r#"absence <failed>; of <succeeded>; on [("User" "User")]; within 300000; order left_first"#.to_owned(),
        ),
        (
            format!("type: temporal_ordered\n{both}\ncondition: not failed and succeeded"),
            r#"absence <succeeded>; of <failed>; on [("User" "User")]; within 300000; order right_first"#.to_owned(),
        ),
    ];
    for (correlation, expected) in cases {
        assert_eq!(meaning(&correlation), expected, "{correlation}");
    }
}

#[test]
fn rules_of_a_correlation_are_silent_unless_they_are_to_be_heard() {
    let ids = |text: &str| {
        let rules = rules(text);
        let told = |rule: &std::sync::Arc<Rule>| (rule.id.clone(), rule.generates);
        rules.rules().iter().map(told).collect::<Vec<_>>()
    };
    let heard = |id: &str| (id.to_owned(), true);
    let count = "type: event_count\nrules: [failed]\ngroup-by: [User]\ntimespan: 5m\ncondition: {gte: 3}";
    assert_eq!(ids(&over(count)), [heard("joined"), heard("reset"), heard("succeeded")]);
    let wanted = [heard("failed"), heard("joined"), heard("reset"), heard("succeeded")];
    assert_eq!(ids(&over(&format!("{count}\ngenerate: true"))), wanted);
    assert_eq!(
        ids(&format!("{}generate: true\n", over(count))),
        wanted,
        "where other tools write it"
    );
    let chain = format!(
        "{}---\ntitle: Taken over\nid: upper\ncorrelation:\n    type: temporal_ordered\n    rules: [joined, succeeded]\n    \
         group-by: [User]\n    timespan: 1h\n",
        over(count)
    );
    assert_eq!(
        ids(&chain),
        [("joined".to_owned(), false), heard("reset"), heard("upper")]
    );
    let upper = rules(&chain);
    let upper = upper.rules().last().expect("there are three");
    assert_eq!(upper.alerts_read().into_iter().collect::<Vec<_>>(), ["joined"]);
    assert_eq!(
        upper.severity,
        event::Severity::Medium,
        "that of the worst rule it joins"
    );
}

#[test]
fn what_a_correlation_cannot_say_is_refused_at_its_place() {
    let both = "rules: [failed, succeeded]\ngroup-by: [User]\ntimespan: 5m";
    let cases = [
        (
            "type: event_cuont\nrules: [failed]\ntimespan: 5m\ncondition: {gte: 3}".to_owned(),
            "20:11: `event_cuont` is not a type of correlation: did you mean `event_count`?",
        ),
        (
            "type: event_count\nrules: [faled]\ntimespan: 5m\ncondition: {gte: 3}".to_owned(),
            "21:13: there is no rule `faled`: did you mean `failed`?",
        ),
        (
            "type: event_count\nrules: [failed]\ntimespan: 5x\ncondition: {gte: 3}".to_owned(),
            "22:15: `5x` is not a span of time such as 500ms, 90s, 5m, 24h or 1d",
        ),
        (
            "type: event_count\nrules: [failed]\ntimespan: 5m\nwindow: 5m\ncondition: {gte: 3}".to_owned(),
            "23:5: unknown key `window`: it is one of type, rules, group-by, timespan, condition, aliases, generate",
        ),
        (
            "type: event_count\nrules: [failed]\ntimespan: 5m".to_owned(),
            "20:5: `condition` is missing",
        ),
        (
            "type: event_count\nrules: [failed]\ntimespan: 5m\ncondition: {gte: 0}".to_owned(),
            "23:16: this holds for every event",
        ),
        (
            "type: value_sum\nrules: [failed]\ntimespan: 5m\ncondition: {gte: 3}".to_owned(),
            "23:16: this type of correlation has 1 to 1 `field` in its condition",
        ),
        (
            format!("type: temporal\n{both}\ncondition: {{gte: 1}}"),
            "24:16: some of the rules cannot be asked for, only all 2: leave the condition out, or write `a and (b or c)`",
        ),
        (
            format!("type: event_count\n{both}\ncondition: {{gte: 3}}\naliases: {{User: {{failed: a, succeeded: b}}}}"),
            "20:11: events are counted together by fields of one name: aliases that name different fields are for `temporal` and `temporal_ordered`",
        ),
        (
            format!("type: temporal\n{both}\naliases: {{User: {{failed: a}}}}"),
            "24:15: the alias `User` names no field for the rule `succeeded`",
        ),
        (
            "type: temporal\ntimespan: 5m\ncondition: failed and succeeded and not reset".to_owned(),
            "22:16: of what must be absent only `a and not b` can be said: let a correlation of its own find what comes before `and not`, and name that",
        ),
        (
            "type: temporal\nrules: [failed, joined]\ntimespan: 5m".to_owned(),
            "20:5: correlations refer to each other in a circle here, or in a chain of more than 8",
        ),
    ];
    let told = |(correlation, _): &(String, &str)| errors(&[("r.yml", &over(correlation))]).join("\n");
    let expected: Vec<_> = cases.iter().map(|(_, expected)| format!("r.yml:{expected}")).collect();
    assert_eq!(cases.iter().map(told).collect::<Vec<_>>(), expected);
    let never = "type: event_count\nrules: [failed]\ntimespan: 5m\ncondition: {lt: 1}";
    let never = errors(&[("r.yml", &over(never))]);
    assert!(
        never[0].starts_with("r.yml:23:16: this never holds: events are counted where there are any"),
        "{never:?}"
    );
}

#[test]
fn filters_reach_the_rules_they_name_and_placeholders_are_everywhere() {
    let filter = "title: No scanners\nlogsource: {product: tidewatch}\nfilter:\n  rules: [a-rule]\n  selection: \
                  {User|expand: '%scanners%'}\n  condition: not selection\n";
    let values = "placeholders: {scanners: ['scan*', probe]}\n";
    let rule = with("s: {a: b}\ncondition: s");
    let loaded = load([("f.yml", filter), ("r.yml", &rule), ("p.yml", values)]).expect("they load");
    assert_eq!(loaded.warnings, []);
    let meaning = loaded.rule_set.rules()[0].meaning();
    let expected = r#"each (all (field "tenant" exists) (field "a" matches "b") (unless (any (field "User" matches "scan*") (field "User" matches "probe"))))"#;
    assert_eq!(meaning.lines().nth(1), Some(expected));
    let any = filter.replace("[a-rule]", "any");
    assert!(
        load([("f.yml", any.as_str()), ("r.yml", &rule), ("p.yml", values)])
            .is_ok_and(|loaded| loaded.warnings.is_empty())
    );
    let said = |filter: &str| {
        let loaded = load([("f.yml", filter), ("r.yml", &rule), ("p.yml", values)]).expect("they load");
        let told = loaded
            .warnings
            .iter()
            .map(|warning| format!("{}: {}", warning.place.line, warning.message));
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        said(&filter.replace("a-rule", "other")),
        ["4: this filter reaches no rule", "4: there is no rule `other`"]
    );
    assert_eq!(
        said(&filter.replace("tidewatch", "windows")),
        [
            "4: this filter reaches no rule",
            "4: `a-rule` is of product `tidewatch`, and this filter of product `windows`"
        ]
    );
    assert!(
        said(&filter.replace("not selection", "selection"))[0]
            .starts_with("4: without `not` this filter keeps the events")
    );
}
