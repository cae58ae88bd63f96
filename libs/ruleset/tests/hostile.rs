//! Rule files from an attacker or a tired colleague: the list R01 to R11. Each is refused with file, line and reason, or
//! has a bound. That none is a panic or without an end is also fuzzed (`make fuzz`).

use ruleset::{RuleError, load};

const NAME: &str = "rules/hostile.yml";

/// A rule of which only the query is of interest, in line 5.
fn query(query: &str) -> String {
    format!(
        "id: hostile\ntitle: Hostile\nseverity: high\nmessage: '{{user_id}}'\nquery: '{}'\n",
        query.replace('\'', "''")
    )
}

/// The first rule with one more line, which is line 6.
fn with(line: &str) -> String {
    query("security_event:login_failed") + line + "\n"
}

fn errors(text: &str) -> Vec<RuleError> {
    match load([(NAME, text)]) {
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    }
}

/// Each is refused: the text, the line of the reason and a part of it.
fn refused(cases: &[(&str, String, usize, &str)]) {
    for (what, text, line, says) in cases {
        let errors = errors(text);
        let told = errors
            .iter()
            .any(|error| error.place.file == NAME && error.place.line == *line && error.message.contains(says));
        let listed: Vec<String> = errors.iter().take(5).map(RuleError::to_string).collect();
        assert!(told, "{what}: not `{says}` in line {line}, but {listed:#?}");
    }
}

#[test]
fn r01_yaml_that_explodes_or_says_two_things() {
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(0..20)
            .map(|level| {
                let [this, below] = [level + 1, level].map(|level| {
                    if level == 0 {
                        "a".to_owned()
                    } else {
                        format!("a{level}")
                    }
                });
                format!(
                    "{this}: &{this} [*{below}, *{below}, *{below}, *{below}, *{below}, *{below}, *{below}, *{below}]\n"
                )
            })
            .collect::<String>();
    refused(&[
        ("aliases of aliases", bomb, 5, "larger or deeper"),
        ("ten megabytes", query("x").repeat(120_000), 1, "at most 1048576 bytes"),
        (
            "a tab for indentation",
            "id: a\ntests:\n\t- name: x\n".to_owned(),
            3,
            "tab",
        ),
        ("a key that stands twice", with("id: other"), 6, "a second time"),
        ("`on` is no boolean", with("mode: on"), 6, "is not a mode"),
        (
            "an anchor of another document",
            query("&a x") + "---\n" + "id: *nowhere\n",
            7,
            "unknown anchor",
        ),
    ]);
    // `off` and `no` are words here, as they are written.
    assert!(errors(&with("mode: off")).is_empty());
    assert!(errors(&with("tags: [no, off]")).is_empty());
}

#[test]
fn r02_unknown_words_are_refused_not_passed_over() {
    refused(&[
        ("a key", with("severty: high"), 6, "did you mean `severity`?"),
        (
            "a stage",
            query("a | windw 5m | count > 3"),
            5,
            "did you mean `window`?",
        ),
        ("an operator", query("a | where b lke x"), 5, "lke"),
        ("a sign", query("a | where b == 3"), 5, "did you mean `=`?"),
        ("a severity", query("severity:hihg"), 5, "did you mean `high`?"),
        (
            "a weekday",
            query("a | where weekday = sunnday"),
            5,
            "did you mean `sunday`?",
        ),
        ("a unit", query("a | window 5 minutes | count > 3"), 5, "5"),
    ]);
}

#[test]
fn r03_and_r04_regular_expressions_have_a_budget() {
    let of = |regex: &str| query(&format!("a | where b ~ \"{regex}\""));
    let many = |count: usize| vec!["b ~ \"c\""; count].join(" OR ");
    let rules = |count: usize| -> String {
        let rule = |number: usize| {
            let regexes = vec![format!("b ~ \"c{number}\""); 20].join(" OR ");
            query(&format!("a{number} | where {regexes}")).replace("id: hostile", &format!("id: r{number}")) + "---\n"
        };
        (0..count).map(rule).collect()
    };
    refused(&[
        ("repeats of repeats", of("(a{1000}){1000}"), 5, "needs more than"),
        ("classes of Unicode", of("(\\\\pL{500}){10}"), 5, "needs more than"),
        ("a very long one", of(&"a".repeat(5_000)), 5, "at most 4096 bytes"),
        ("a back-reference", of("(a)\\\\1"), 5, "not a regular expression"),
        ("a look-around", of("(?=a)b"), 5, "not a regular expression"),
        (
            "a deep one",
            of(&("(".repeat(100) + &")".repeat(100))),
            5,
            "not a regular expression",
        ),
        (
            "twenty-one in one rule",
            query(&format!("a | where {}", many(21))),
            5,
            "at most 20 regular expressions",
        ),
        (
            "ten thousand in one file",
            rules(500),
            151,
            "more than 500 regular expressions",
        ),
    ]);
}

#[test]
fn r05_numbers_that_cannot_be_meant() {
    let window = |span: &str| query(&format!("a | window {span} | group by source_ip | count > 3"));
    let groups = |count: usize| -> String {
        let fields: Vec<String> = (0..count).map(|number| format!("f{number}")).collect();
        query(&format!("a | window 5m | group by {} | count > 3", fields.join(", ")))
    };
    refused(&[
        ("no window", window("0s"), 5, "0s"),
        ("a negative one", window("-5m"), 5, "-5m"),
        ("ten years", window("3650d"), 5, "365d"),
        (
            "more than a number holds",
            window("99999999999999999999d"),
            5,
            "99999999999999999999d",
        ),
        ("no unit", window("5"), 5, "5"),
        (
            "a threshold that is always met",
            query("a | window 5m | count >= 0"),
            5,
            "count",
        ),
        (
            "one that nobody meets",
            query("a | window 5m | count > 99999999999"),
            5,
            "100000",
        ),
        ("twelve fields of a group", groups(12), 5, "at most 8 fields"),
        (
            "no field of a group",
            query("a | window 5m | group by | count > 3"),
            5,
            "a field of the group",
        ),
    ]);
}

#[test]
fn r06_two_rules_of_one_id_name_both_files() {
    let errors = load([("one.yml", query("a")), ("two.yml", query("b"))]).expect_err("they have one id");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!((errors[0].place.file.as_str(), errors[0].place.line), ("two.yml", 1));
    assert!(
        errors[0].message.contains("`hostile` is taken by one.yml:1"),
        "{}",
        errors[0]
    );
}

#[test]
fn r07_a_rule_that_takes_everything() {
    refused(&[
        (
            "all severities",
            query("severity:[low TO critical]"),
            5,
            "nearly every event",
        ),
        ("what every event has", query("event_id:*"), 5, "nearly every event"),
        (
            "what hardly any event is",
            query("NOT repeat:>1000"),
            5,
            "nearly every event",
        ),
    ]);
    // Meant so, or counted.
    assert!(errors(&(query("event_id:*") + "lint_off: {matches-everything: a test of the pager}\n")).is_empty());
    assert!(errors(&query("event_id:* | window 1m | group by source_ip | count > 1000")).is_empty());
}

#[test]
fn r08_a_message_runs_nothing_and_reads_nothing() {
    let message = |text: &str| query("a").replace("'{user_id}'", &serde_json::to_string(text).expect("text is JSON"));
    for inert in [
        "<!channel> <@U1> {user_id}",
        "${{HOME}} $(id) {user_id}",
        "{{% for x in y %}} {user_id}",
        "!include /etc/passwd {user_id}",
    ] {
        let loaded = load([(NAME, message(inert))]).unwrap_or_else(|errors| panic!("{inert}: {}", errors[0]));
        let rendered = loaded.rule_set.rules()[0].message.render(|_| Some("alice".to_owned()));
        let expected = inert
            .replace("{user_id}", "alice")
            .replace("{{", "{")
            .replace("}}", "}");
        assert_eq!(rendered, expected);
    }
    // What the event says is not read as a template again.
    let loaded = load([(NAME, message("from {user_id}"))]).expect("it is a rule");
    let rendered = loaded.rule_set.rules()[0]
        .message
        .render(|_| Some("{source_ip} ${HOME}".to_owned()));
    assert_eq!(rendered, "from {source_ip} ${HOME}");
    refused(&[
        ("a loop", message("{% for x in y %}"), 4, "not a field name"),
        ("an open brace", message("{user_id"), 4, "never closed"),
        ("a call", message("{user_id.upper()}"), 4, "not a field name"),
        (
            "a tag of YAML",
            query("a").replace("title: Hostile", "title: !!python/object:os.system id"),
            2,
            "YAML",
        ),
    ]);
}

#[test]
fn r10_a_file_that_was_cut_or_written_elsewhere() {
    let whole = query("security_event:login_failed");
    let with_bom = format!("\u{feff}{}", whole.replace('\n', "\r\n"));
    assert!(errors(&with_bom).is_empty(), "{:#?}", errors(&with_bom));
    // Cut anywhere before the end of its last key, it is no rule that could be taken for the whole.
    let last = whole.find("query: ").expect("it is there");
    for cut in (1..last).filter(|cut| whole.is_char_boundary(*cut)) {
        assert!(!errors(&whole[..cut]).is_empty(), "{}", &whole[..cut]);
    }
    refused(&[
        ("cut within the quotes", whole[..whole.len() - 5].to_owned(), 5, "YAML"),
        ("nothing", String::new(), 1, "holds no rule"),
        (
            "a control character",
            whole.replace("Hostile", "Host\u{7}ile"),
            2,
            "YAML",
        ),
    ]);
}

#[test]
fn r11_no_rules_are_no_mistake_of_a_file_and_are_seen_by_who_loads() {
    let loaded = load(Vec::<(String, String)>::new()).expect("nothing is wrong with no files");
    assert!(loaded.rule_set.rules().is_empty());
}

/// A Sigma rule of which only the detection is of interest, from line 5 on.
fn sigma(detection: &str) -> String {
    format!("title: Hostile\nid: hostile\nlogsource: {{product: linux}}\ndetection:\n{detection}")
}

#[test]
fn sigma_files_are_held_to_the_same() {
    let of = |selection: &str| sigma(&format!("  sel:\n    {selection}\n  condition: sel\n"));
    let both = sigma("  sel:\n    a|contians: b\n  condition: sel and not fliter\n");
    let correlation = |lines: &str| {
        let correlation = "type: event_count\n  rules: [hostile]\n  group-by: [user]\n";
        format!(
            "{}---\ntitle: Many\nid: many\ncorrelation:\n  {correlation}{lines}\n",
            of("a: b")
        )
    };
    refused(&[
        (
            "R01 a key that stands twice",
            sigma("  sel: {a: b}\n  sel: {a: c}\n  condition: sel\n"),
            6,
            "a second time",
        ),
        ("R02 a modifier", both.clone(), 6, "did you mean `contains`?"),
        ("R02 a selection, in the same breath", both, 7, "fliter"),
        ("R02 a modifier of another", of("a|re|contains: b"), 6, "contains"),
        (
            "R02 a type",
            correlation("  timespan: 5m\n  condition: {gte: 3}").replace("event_count", "event_cuont"),
            12,
            "event_cuont",
        ),
        (
            "R02 a comparison",
            correlation("  timespan: 5m\n  condition: {gtee: 3}"),
            16,
            "gtee",
        ),
        (
            "R02 a rule that is not there",
            correlation("  timespan: 5m\n  condition: {gte: 3}").replace("[hostile]", "[hostle]"),
            13,
            "hostle",
        ),
        (
            "R02 a placeholder that is not there",
            of("a|expand: '%admins%'"),
            6,
            "admins",
        ),
        (
            "R03 repeats of repeats",
            of("a|re: '(a{1000}){1000}'"),
            6,
            "needs more than",
        ),
        ("R03 a look-around", of("a|re: '(?=a)b'"), 6, "not a regular expression"),
        (
            "R05 ten years",
            correlation("  timespan: 3650d\n  condition: {gte: 3}"),
            15,
            "365d",
        ),
        (
            "R05 no window",
            correlation("  timespan: 0s\n  condition: {gte: 3}"),
            15,
            "0s",
        ),
        ("R10 cut short", sigma("  sel:\n    a: b\n"), 5, "condition"),
    ]);
}
