//! What no compiler looks at: lints switched on, short files, no tests that cannot fail, no paths of one machine.

/// Lines a source file may have; long tests go to a file of their own, which may be longer.
const FILE_LINES_MAX: usize = 500;

fn rust_files() -> Vec<String> {
    let files: Vec<String> = layering::files()
        .into_iter()
        .filter(|file| file.ends_with(".rs"))
        .collect();
    assert!(files.len() > 20, "git listed hardly any Rust file");
    files
}

/// Runs `check` on each line of the files and fails with all places where it gives a complaint.
fn check_lines(files: impl IntoIterator<Item = String>, check: impl Fn(&str) -> Option<String>) {
    let mut wrong = Vec::new();
    for file in files {
        for (index, line) in layering::read(&file).lines().enumerate() {
            if let Some(complaint) = check(line) {
                wrong.push(format!("{file}:{}: {complaint}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The manifests of the workspace's crates. `fuzz` and `benches` are workspaces of their own: a nightly compiler builds
/// the one, and what the other needs is none of the product's.
fn manifests() -> impl Iterator<Item = String> {
    let manifests = layering::files()
        .into_iter()
        .filter(|file| file.ends_with("/Cargo.toml"));
    manifests.filter(|file| !["fuzz/", "benches/"].iter().any(|own| file.starts_with(own)))
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let manifests = manifests();
    let without: Vec<String> = manifests
        .filter(|file| !layering::read(file).contains("\n[lints]\nworkspace = true\n"))
        .collect();
    assert!(without.is_empty(), "without [lints] workspace = true: {without:?}");
}

/// Features that one crate adds, each with the reason why the others must not have them.
const FEATURES_OF_ONE_CRATE: [(&str, &str); 1] = [
    // Reads /proc through a `-sys` crate, and the simulation, which counts too, links none.
    (
        "libs/service/Cargo.toml",
        "prometheus = { workspace = true, features = [\"process\"] }",
    ),
];

#[test]
fn versions_of_dependencies_stand_in_the_root_only() {
    let mut wrong = Vec::new();
    for file in manifests() {
        let text = layering::read(&file);
        let mut in_dependencies = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies
                && line.contains('=')
                && !line.starts_with('#')
                && (!line.contains("workspace = true") || line.contains("features"))
                && !FEATURES_OF_ONE_CRATE.contains(&(file.as_str(), line))
            {
                wrong.push(format!("{file}: {line}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "a second version or feature set may compile RocksDB twice:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn source_files_are_short() {
    let is_source = |file: &String| file.starts_with("libs/") || file.starts_with("services/");
    let is_test = |file: &String| file.ends_with("/tests.rs") || file.contains("/tests/") || file.contains("/benches/");
    let mut wrong = Vec::new();
    for file in rust_files()
        .into_iter()
        .filter(|file| is_source(file) && !is_test(file))
    {
        let lines = layering::read(&file).lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{file} has {lines} lines, at most {FILE_LINES_MAX}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    // In two parts, so that this file does not find itself.
    let banned = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
    ];
    // A process that a test starts is a test itself; it runs, but not by itself.
    let child = "= \"the other tests start it as their child\"]";
    check_lines(rust_files(), |line| {
        let found = banned
            .iter()
            .find(|banned| line.contains(**banned) && !line.ends_with(child))?;
        Some(format!("{found} is not allowed"))
    });
}

/// `matches!` as a statement of its own computes an answer and drops it: an assertion that was forgotten.
#[test]
fn no_statement_is_a_bare_comparison() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        let text = layering::read(&file);
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let code = line.trim_start();
            if !code.starts_with(concat!("matches", "!(")) {
                continue;
            }
            let indent = &line[..line.len() - code.len()];
            let is_end = |line: &str| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with(')'));
            let end = if code.ends_with('(') {
                lines.by_ref().map(|(_, line)| line).find(|line| is_end(line))
            } else {
                Some(line)
            };
            if end.is_some_and(|end| end.ends_with(';')) {
                wrong.push(format!("{file}:{}: {code}", index + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "put it into an assert!:\n{}", wrong.join("\n"));
}

/// Log lines and rules name such places because attackers do; programs, scripts and documents must not.
const SPEAKS_OF_ATTACKS: [&str; 3] = ["rules/", "services/tidewatch/sample/", "libs/formats/"];

#[test]
fn no_file_names_a_place_of_one_machine() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let is_text = |file: &String| {
        let by_ending = [
            ".rs",
            ".toml",
            ".sh",
            ".md",
            ".yml",
            ".yaml",
            ".json",
            "Makefile",
            "Dockerfile",
            ".ci/run",
        ];
        by_ending.iter().any(|ending| file.ends_with(ending))
    };
    let is_data = |file: &String| SPEAKS_OF_ATTACKS.iter().any(|prefix| file.starts_with(prefix));
    let files = layering::files()
        .into_iter()
        .filter(|file| is_text(file) && !is_data(file));
    check_lines(files, |line| {
        places
            .iter()
            .find(|place| line.contains(**place))
            .map(|place| format!("names {place}"))
    });
}

/// Whether `word`, as `libs/x/src/y.rs` or `libs/x/src/y.rs::function`, is in the repository.
fn is_there(word: &str) -> bool {
    let (path, function) = match word.split_once("::") {
        Some((path, function)) => (path, Some(function)),
        None => (word, None),
    };
    if !layering::root().join(path).exists() {
        return false;
    }
    let declared = |name: &str| {
        let text = layering::read(path);
        [format!("fn {name}("), format!("fn {name}<")]
            .iter()
            .any(|start| text.contains(start))
    };
    function.is_none_or(declared)
}

/// A document that names a file or function which is gone sends its reader nowhere.
#[test]
fn documents_name_files_and_functions_that_exist() {
    let folders = ["libs/", "services/", "tests/", "deploy/", "docs/", "rules/", "benches/"];
    let is_pattern = |word: &str| word.contains(['*', '<', '…', ' ', '{']);
    let mut wrong = Vec::new();
    for file in layering::files().into_iter().filter(|file| file.ends_with(".md")) {
        for word in layering::read(&file).split('`').skip(1).step_by(2) {
            let names_file = folders.iter().any(|folder| word.starts_with(folder)) && !is_pattern(word);
            if names_file && !is_there(word) {
                wrong.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the repository:\n{}", wrong.join("\n"));
}
