//! The clippy file nearest to a crate replaces the root's. So that no ban is lost on the way, each file must repeat it.

use std::collections::BTreeSet;

/// The entries and settings of a clippy file, one a line.
fn bans(file: &str) -> BTreeSet<String> {
    let text = layering::read(file);
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with('#') && (line.starts_with('{') || line.contains(" = ")))
        .map(str::to_owned)
        .collect()
}

fn assert_repeats_the_root(file: &str, but: &[&str]) {
    let root = bans("clippy.toml");
    assert!(root.len() > 5, "the root's clippy.toml was misread");
    let is_excepted = |ban: &String| but.iter().any(|path| ban.contains(&format!("\"{path}\"")));
    let lost: Vec<String> = root
        .difference(&bans(file))
        .filter(|ban| !is_excepted(ban))
        .cloned()
        .collect();
    assert!(
        lost.is_empty(),
        "{file} loses bans of the root's clippy.toml:\n{}",
        lost.join("\n")
    );
}

#[test]
fn every_pure_crate_repeats_the_root_and_bans_the_clock() {
    let shared = bans("libs/pure.clippy.toml");
    for name in layering::PURE {
        let file = format!("libs/{name}/clippy.toml");
        assert!(
            layering::root().join(&file).is_file(),
            "{file} is missing: link it to ../pure.clippy.toml"
        );
        assert_repeats_the_root(&file, &[]);
        assert!(
            bans(&file).is_superset(&shared),
            "{file} bans less than libs/pure.clippy.toml"
        );
    }
    for path in [
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "std::env::var",
        "std::collections::HashMap",
    ] {
        let banned = shared.iter().any(|ban| ban.contains(&format!("\"{path}\"")));
        assert!(banned, "libs/pure.clippy.toml does not ban {path}");
    }
}

#[test]
fn tests_repeat_the_root_but_read_the_environment() {
    assert_repeats_the_root("tests/clippy.toml", &["std::env::var", "std::env::var_os"]);
}

#[test]
fn every_other_clippy_file_repeats_the_root() {
    for file in layering::files() {
        if file.ends_with("clippy.toml") && file != "tests/clippy.toml" {
            assert_repeats_the_root(&file, &[]);
        }
    }
}

#[test]
fn every_ban_has_a_reason() {
    for file in layering::files()
        .into_iter()
        .filter(|file| file.ends_with("clippy.toml"))
    {
        for ban in bans(&file).iter().filter(|ban| ban.contains("path = ")) {
            assert!(ban.contains("reason = \""), "{file}: a ban without a reason: {ban}");
        }
    }
}
