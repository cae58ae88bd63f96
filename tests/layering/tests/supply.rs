//! Licences and sources of what is linked, after `deny.toml`, on machines without cargo-deny too.

use std::collections::BTreeSet;

use serde_json::Value;

/// The strings of the list `name = [ … ]` of `deny.toml`.
fn denied_list(name: &str) -> BTreeSet<String> {
    let text = layering::read("deny.toml");
    let start = text
        .find(&format!("\n{name} = ["))
        .unwrap_or_else(|| panic!("deny.toml has no list {name}"));
    let body = text[start..]
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .expect("the list ends")
        .0;
    body.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn packages() -> Vec<Value> {
    let metadata: Value = serde_json::from_str(&layering::cargo_metadata()).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("cargo lists packages").clone();
    assert!(packages.len() > 100, "cargo metadata was misread");
    packages
}

/// True if the licence expression (SPDX; older crates write `/` for `OR`) can be met by the allowed licences alone.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = any_of(&words, allowed);
    assert!(rest.is_empty(), "cannot read the licence {expression}");
    met
}

/// `a OR b …`; returns what is left of the words.
fn any_of<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = all_of(words, allowed);
    while rest.first() == Some(&"OR") {
        let (next, after) = all_of(&rest[1..], allowed);
        (met, rest) = (met | next, after);
    }
    (met, rest)
}

/// `a AND b …`, where each is a licence, a licence `WITH` an exception, or an expression in parentheses.
fn all_of<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (met, rest) = match words {
        ["(", inner @ ..] => {
            let (met, rest) = any_of(inner, allowed);
            assert_eq!(rest.first(), Some(&")"), "cannot read the licence {words:?}");
            (met, &rest[1..])
        }
        [licence, "WITH", exception, rest @ ..] => (allowed.contains(&format!("{licence} WITH {exception}")), rest),
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => panic!("a licence is missing"),
    };
    match rest.first() {
        Some(&"AND") => {
            let (next, after) = all_of(&rest[1..], allowed);
            (met && next, after)
        }
        _ => (met, rest),
    }
}

#[test]
fn licence_expressions_are_read() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "ISC".to_owned()]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("MIT AND (GPL-3.0 OR BSD-3-Clause)", false),
        ("GPL-3.0 OR MIT AND BSD-3-Clause", false),
        ("MIT WITH Classpath-exception-2.0", false),
    ] {
        assert_eq!(is_met(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn every_licence_is_allowed() {
    let allowed = denied_list("allow");
    assert!(
        allowed.contains("Apache-2.0"),
        "the list of licences was misread: {allowed:?}"
    );
    let mut wrong = Vec::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_met(licence, &allowed) {
            wrong.push(format!("{} is under {licence}", package["name"]));
        }
    }
    assert!(wrong.is_empty(), "not allowed by deny.toml:\n{}", wrong.join("\n"));
}

#[test]
fn every_crate_comes_from_an_allowed_registry() {
    let allowed = denied_list("allow-registry");
    let mut wrong = Vec::new();
    for package in packages() {
        // Our own crates have no source.
        let Some(source) = package["source"].as_str() else {
            continue;
        };
        if !source
            .strip_prefix("registry+")
            .is_some_and(|registry| allowed.contains(registry))
        {
            wrong.push(format!("{} comes from {source}", package["name"]));
        }
    }
    assert!(wrong.is_empty(), "not allowed by deny.toml:\n{}", wrong.join("\n"));
}
