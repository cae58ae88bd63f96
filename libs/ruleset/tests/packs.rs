//! The packs: that they load together, that each rule is whole, and that the page about them lists each.
#![allow(clippy::disallowed_methods, reason = "the rules and the documentation are read")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ruleset::{Loaded, load};

/// Folders below `rules/` that are no packs: the guide's rules are as the guide has them, and the canary's is loaded by
/// every detector of itself.
const NO_PACKS: [&str; 2] = ["guide", "canary"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().expect("it has a name").to_string_lossy().into_owned()
}

/// Every rule file of these folders below `rules/`: its place there, and its text.
fn files(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let rules = root().join("rules");
    let folders = entries(&rules).into_iter().filter(|folder| wanted(&name(folder)));
    let paths = folders.flat_map(|folder| entries(&folder));
    paths
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let place = path.strip_prefix(&rules).expect("it lies there");
            (place.display().to_string(), text)
        })
        .collect()
}

fn packs() -> Vec<(String, String)> {
    files(|folder| !NO_PACKS.contains(&folder))
}

fn loaded(files: Vec<(String, String)>) -> Loaded {
    load(files).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

#[test]
fn all_packs_and_the_guide_are_one_rule_set() {
    let loaded = loaded(files(|folder| folder != "canary"));
    assert!(loaded.rule_set.rules().len() > 100, "all of them are found");
}

#[test]
fn nothing_about_a_pack_is_doubtful() {
    let warnings = loaded(packs()).warnings;
    assert!(warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn a_rule_of_a_pack_says_what_why_and_what_to_do() {
    let loaded = loaded(packs());
    for rule in loaded.rule_set.rules() {
        let place = &rule.file;
        let (_, file) = place.split_once('/').expect("it lies in a folder");
        assert_eq!(
            file,
            format!("{}.yml", rule.id),
            "a file is found by the id of its rule"
        );
        assert!(rule.description.len() > 100, "{place}: what it finds, and why");
        assert!(
            !rule.tags.is_empty() && !rule.references.is_empty(),
            "{place}: tags, references"
        );
        assert!(rule.runbook.is_some(), "{place}: what to do");
        let fires = |test: &&ruleset::RuleTest| !test.expect.is_empty();
        assert!(rule.tests.iter().any(|test| fires(&test)), "{place}: no test fires");
        assert!(!rule.tests.iter().all(|test| fires(&test)), "{place}: every test fires");
    }
}

/// The rules that the page lists, as `pack/rule.yml`.
fn listed(page: &str) -> BTreeSet<String> {
    let row = |line: &str| {
        let (_, link) = line.strip_prefix("| [`")?.split_once("](../rules/")?;
        let (place, _) = link.split_once(')')?;
        Some(place.to_owned())
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn the_page_lists_every_rule_with_its_title_and_severity() {
    let page = std::fs::read_to_string(root().join("docs/packs.md")).expect("the page is there");
    let loaded = loaded(packs());
    let there: BTreeSet<String> = loaded.rule_set.rules().iter().map(|rule| rule.file.clone()).collect();
    assert_eq!(listed(&page), there);
    for rule in loaded.rule_set.rules() {
        let row = format!(
            "| [`{}`](../rules/{}) | {} | {} |",
            rule.id,
            rule.file,
            rule.title,
            rule.severity.as_str()
        );
        assert!(page.contains(&row), "not in docs/packs.md as it stands: {row}");
    }
}

/// Words in code of the page that have the form of a rule's id and are none.
#[test]
fn the_page_names_no_rule_that_is_not_there() {
    let page = std::fs::read_to_string(root().join("docs/packs.md")).expect("the page is there");
    let ids: BTreeSet<String> = loaded(packs())
        .rule_set
        .rules()
        .iter()
        .map(|rule| rule.id.clone())
        .collect();
    let section = |title: &str| {
        let (_, rest) = page.split_once(title).expect("the section is there");
        rest.split("\n## ").next().unwrap_or_default().to_owned()
    };
    for title in [
        "## The guide's checklist\n",
        "## The rules of the guide that cannot fire on the guide's own events\n",
    ] {
        let rows = section(title);
        // The last column names rules.
        let named = rows
            .lines()
            .filter_map(|line| line.trim_end_matches(" |").rsplit_once('|'));
        let words = named.flat_map(|(_, rules)| {
            rules
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        for word in words {
            let fits = match word.strip_suffix('*') {
                Some(begin) => ids.iter().any(|id| id.starts_with(begin)),
                None => ids.contains(&word),
            };
            assert!(fits, "`{word}` is no rule");
        }
    }
}
