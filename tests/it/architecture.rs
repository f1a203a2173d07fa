//! Who imports whom: the workspace's crates are wired exactly as ARCHITECTURE.md says.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

type Imports = BTreeMap<String, BTreeSet<String>>;

/// What every crate of the workspace depends on, for building or testing.
fn imports() -> Imports {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let asked = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let metadata: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |package: &Value| package["name"].as_str().unwrap().to_owned();
    let wired = packages.iter().map(|package| {
        let dependencies = package["dependencies"].as_array().unwrap();
        (name(package), dependencies.iter().map(name).collect())
    });
    wired.collect()
}

/// What the document allows: code spans of the form `crate → crate, crate`.
fn allowed() -> Imports {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("## Who may import whom").expect("the section is there");
    let section = section.split("\n## ").next().unwrap();
    let rules = section.split('`').filter_map(|span| span.split_once('→'));
    let own = |name: &str| format!("ticketflow-{}", name.trim());
    rules.map(|(from, to)| (own(from), to.split(',').map(own).collect())).collect()
}

#[test]
fn crates_import_each_other_exactly_as_the_architecture_says() {
    let allowed = allowed();
    for (name, imports) in imports() {
        let ours: BTreeSet<_> = imports.into_iter().filter(|name| name.starts_with("ticketflow")).collect();
        assert!(!ours.contains("ticketflow"), "{name} imports the binary");
        // The binary may import all, and no rule names the engine, which may import none.
        if name != "ticketflow" {
            assert_eq!(ours, allowed.get(&name).cloned().unwrap_or_default(), "imports of {name}");
        }
    }
}

#[test]
fn web_framework_arguments_and_exporter_stay_at_the_edge() {
    let imports = imports();
    let importers = |of: &str| -> Vec<&str> {
        imports.iter().filter(|(_, all)| all.contains(of)).map(|(name, _)| name.as_str()).collect()
    };
    // The binary's benchmark compares the API with the least that a service on the same framework could do; the fake model
    // is a server of its own.
    assert_eq!(importers("axum"), ["ticketflow", "ticketflow-api", "ticketflow-fake-llm"]);
    assert_eq!(importers("clap"), ["ticketflow"]);
    assert_eq!(importers("async-openai"), ["ticketflow-steps"]);
    assert_eq!(importers("metrics-exporter-prometheus"), ["ticketflow", "ticketflow-api"]);
}

#[test]
fn one_module_names_the_protocols_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps/src");
    let mut naming: Vec<String> = sources(&root)
        .into_iter()
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("async_openai"))
        .map(|path| path.parent().unwrap().strip_prefix(&root).unwrap().display().to_string())
        .collect();
    naming.sort();
    naming.dedup();
    assert_eq!(naming, ["provider/openai"]);
}

fn sources(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = directories.iter().flat_map(|directory| sources(directory));
    files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")).chain(below).collect()
}
