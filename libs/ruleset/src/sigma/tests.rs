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

#[test]
fn what_cannot_be_understood_is_refused_at_its_place() {
    let cases = [
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
