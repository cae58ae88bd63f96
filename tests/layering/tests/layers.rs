//! Think about the layers before changing a table of this file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A crate may depend on crates of strictly lower layers only, for its tests too.
const LAYERS: [(&str, u8); 22] = [
    ("event", 0),
    ("formats", 1),
    ("state", 1),
    ("ruleset", 2),
    ("broker", 2),
    ("detection", 3),
    ("alerting", 3),
    ("archive", 3),
    ("kafka", 4),
    ("rocks", 4),
    ("objects", 4),
    ("service", 4),
    ("ingest", 5),
    ("detector", 5),
    ("alerter", 5),
    ("archiver", 5),
    ("tidewatch", 6),
    ("conformance", 6),
    ("e2e", 6),
    ("faults", 7),
    ("layering", 6),
    ("sim", 6),
];

/// What no pure crate links, however deep: schedulers, sockets, clocks, randomness, the clients of the adapters.
const IMPURE: [&str; 21] = [
    "async-std",
    "aws-sdk-s3",
    "axum",
    "chrono",
    "crossbeam-channel",
    "futures-executor",
    "getrandom",
    "hyper",
    "mio",
    "num_cpus",
    "parking_lot",
    "rand",
    "rayon",
    "rdkafka",
    "reqwest",
    "rocksdb",
    "signal-hook",
    "socket2",
    "tempfile",
    "time",
    "tokio",
];

/// Clients that are named in one adapter, so that a change of client is a change of one crate. The tests of real
/// brokers may name Kafka's, to look at a topic past our own adapter.
const ONLY: [(&str, &[&str]); 6] = [
    ("rdkafka", &["kafka", "e2e", "faults"]),
    ("rdkafka-sys", &["kafka", "e2e", "faults"]),
    ("rocksdb", &["rocks"]),
    ("aws-sdk-s3", &["objects"]),
    ("aws-config", &["objects"]),
    ("aws-smithy-http-client", &["objects"]),
];

/// One direct dependency of a crate; `kind` is `normal`, `dev` or `build`.
struct Dependency {
    name: String,
    kind: String,
}

struct Workspace {
    /// Direct dependencies of our crates, by crate.
    crates: BTreeMap<String, Vec<Dependency>>,
    /// Package id to package, of everything that is resolved.
    packages: BTreeMap<String, Value>,
    /// Package id to the ids it links, build scripts left out.
    links: BTreeMap<String, Vec<String>>,
    /// Package id to the ids its build script links.
    builds_with: BTreeMap<String, Vec<String>>,
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

impl Workspace {
    fn load() -> Self {
        let metadata: Value = serde_json::from_str(&layering::cargo_metadata()).expect("cargo prints JSON");
        let members: BTreeSet<&str> = list(&metadata, "workspace_members")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut workspace = Self {
            crates: BTreeMap::new(),
            packages: BTreeMap::new(),
            links: BTreeMap::new(),
            builds_with: BTreeMap::new(),
        };
        for package in list(&metadata, "packages") {
            if members.contains(text(package, "id")) {
                let dependencies = list(package, "dependencies").iter().map(|dependency| Dependency {
                    name: text(dependency, "name").to_owned(),
                    kind: dependency["kind"].as_str().unwrap_or("normal").to_owned(),
                });
                workspace
                    .crates
                    .insert(text(package, "name").to_owned(), dependencies.collect());
            }
            workspace
                .packages
                .insert(text(package, "id").to_owned(), package.clone());
        }
        for node in list(&metadata["resolve"], "nodes") {
            let of_kind = |wanted: Option<&str>| {
                let has_kind = |dep: &&Value| {
                    list(dep, "dep_kinds")
                        .iter()
                        .any(|kind| kind["kind"].as_str() == wanted)
                };
                list(node, "deps")
                    .iter()
                    .filter(has_kind)
                    .map(|dep| text(dep, "pkg").to_owned())
                    .collect()
            };
            workspace.links.insert(text(node, "id").to_owned(), of_kind(None));
            workspace
                .builds_with
                .insert(text(node, "id").to_owned(), of_kind(Some("build")));
        }
        assert!(
            workspace.crates.len() > 10 && workspace.links.len() > 100,
            "cargo metadata was misread"
        );
        workspace
    }

    /// Every package that the crate links, however deep, without itself.
    fn linked_by(&self, name: &str) -> Vec<&Value> {
        let is_ours = |package: &&Value| text(package, "name") == name && package["source"].is_null();
        let start = self
            .packages
            .values()
            .find(is_ours)
            .unwrap_or_else(|| panic!("no crate {name} in the workspace"));
        let mut seen = BTreeSet::new();
        let mut waiting = vec![text(start, "id")];
        while let Some(id) = waiting.pop() {
            if seen.insert(id) {
                waiting.extend(self.links[id].iter().map(String::as_str));
            }
        }
        seen.into_iter()
            .map(|id| &self.packages[id])
            .filter(|package| text(package, "name") != name)
            .collect()
    }
}

fn layer_of(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

#[test]
fn every_crate_is_in_the_table_and_the_table_has_no_other() {
    let found: BTreeSet<String> = Workspace::load().crates.into_keys().collect();
    let known: BTreeSet<String> = LAYERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        found, known,
        "the workspace (left) and the table of layers (right) differ"
    );
}

#[test]
fn crates_depend_on_strictly_lower_layers() {
    let workspace = Workspace::load();
    let mut wrong = Vec::new();
    for (name, dependencies) in &workspace.crates {
        for Dependency { name: used, kind } in dependencies {
            if let (Some(own), Some(other)) = (layer_of(name), layer_of(used))
                && other >= own
            {
                wrong.push(format!(
                    "{name} (layer {own}) must not depend on {used} (layer {other}, {kind})"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_crates_are_those_of_layers_0_to_3() {
    let low: BTreeSet<&str> = LAYERS
        .iter()
        .filter(|(_, layer)| *layer <= 3)
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(low, BTreeSet::from(layering::PURE));
}

#[test]
fn pure_crates_link_nothing_impure() {
    let workspace = Workspace::load();
    let mut wrong = Vec::new();
    for name in layering::PURE {
        for package in workspace.linked_by(name) {
            if IMPURE.contains(&text(package, "name")) {
                wrong.push(format!("{name} must not link {}", text(package, "name")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nsee: cargo tree -e normal -i <crate>",
        wrong.join("\n")
    );
}

#[test]
fn clients_are_named_in_their_adapters_only() {
    let workspace = Workspace::load();
    let mut wrong = Vec::new();
    for (client, allowed) in ONLY {
        for (name, dependencies) in &workspace.crates {
            let names_it = dependencies.iter().any(|dependency| dependency.name == client);
            if names_it && !allowed.contains(&name.as_str()) {
                wrong.push(format!(
                    "{name} must not name {client}: only {} may",
                    allowed.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A simulation that links C has threads, clocks and an allocator that no seed governs, and takes minutes to build.
#[test]
fn the_simulation_links_no_c() {
    let workspace = Workspace::load();
    let linked = workspace.linked_by("sim");
    assert!(
        linked.len() > 10,
        "the simulation links almost nothing: was the graph misread?"
    );
    let compiles_c = |package: &Value| {
        let tools = workspace.builds_with[text(package, "id")]
            .iter()
            .map(|id| text(&workspace.packages[id], "name"));
        let compiler = tools
            .into_iter()
            .find(|name| ["cc", "cmake", "bindgen", "pkg-config"].contains(name));
        compiler.is_some() || package["links"].is_string()
    };
    // Definitions of the kernel's structures, generated once: no C is compiled or linked.
    let definitions = ["linux-raw-sys"];
    let wrong: Vec<&str> = linked
        .into_iter()
        .filter(|package| text(package, "name").ends_with("-sys") || compiles_c(package))
        .map(|package| text(package, "name"))
        .filter(|name| !definitions.contains(name))
        .collect();
    assert!(
        wrong.is_empty(),
        "sim must not link {wrong:?}; see: cargo tree -p sim -e normal -i <crate>"
    );
}

/// Features are the union over the crates that are built together. If one of ours, built by itself, asks for fewer, then
/// `cargo test -p` of it compiles RocksDB, a quarter of an hour, or librdkafka a second time.
#[test]
fn rocksdb_and_librdkafka_are_compiled_once() {
    let all = layering::c_libraries("tidewatch");
    assert!(
        all.iter().any(|library| library.starts_with("librocksdb-sys ")),
        "cargo tree was misread: {all:?}"
    );
    for (name, _) in LAYERS {
        let own = layering::c_libraries(name);
        if own
            .iter()
            .any(|library| library.starts_with("librocksdb-sys ") || library.starts_with("rdkafka-sys "))
        {
            let other: Vec<&String> = own.difference(&all).collect();
            assert!(
                other.is_empty(),
                "{name} by itself has features that tidewatch has not: {other:?}"
            );
        }
    }
}
