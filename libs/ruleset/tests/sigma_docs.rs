//! What `docs/sigma.md` shows.
#![allow(clippy::disallowed_methods, reason = "the documentation is read from its file")]

use std::path::Path;

#[test]
fn every_example_of_the_sigma_page_loads_without_a_warning() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sigma.md");
    let text = std::fs::read_to_string(path).expect("the documentation is there");
    let blocks: Vec<&str> = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|part| part.split("```").next())
        .collect();
    assert_eq!(blocks.len(), 2);
    let files = blocks.iter().map(|block| ("sigma.md", *block));
    let loaded = ruleset::load(files).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(loaded.rule_set.rules().len(), 1);
    assert_eq!(loaded.warnings, []);
}
