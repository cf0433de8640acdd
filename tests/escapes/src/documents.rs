//! What documents say of the repository, held against it: that the files are there that `SECURITY.md`
//! names, and that `docs/dependencies.md` is about the dependencies of now.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn what_security_names_is_there() {
    let text = text("SECURITY.md");
    let places = ["docs/", "host/", "runtime/", "tests/"];
    let is_path = |word: &&str| {
        places.iter().any(|place| word.starts_with(place)) && !word.contains(['{', '*', ' '])
    };
    let gone: Vec<&str> =
        quoted(&text).filter(is_path).filter(|path| !root().join(path).exists()).collect();
    assert!(gone.is_empty(), "SECURITY.md names {gone:?}");
}

/// Names and versions of `Cargo.lock`.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let lock: Table = text("Cargo.lock").parse().unwrap();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let field = |name: &str| package[name].as_str().unwrap().to_owned();
        versions.entry(field("name")).or_default().insert(field("version"));
    }
    versions
}

/// Names and versions of the rows.
fn rows(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, name, version, count, ..] = cells[..]
            && count.parse::<u32>().is_ok()
        {
            rows.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    rows
}

#[test]
fn every_row_is_about_the_versions_of_now() {
    let (rows, locked) = (rows(&text("docs/dependencies.md")), locked());
    assert!(rows.len() > 20, "the table of docs/dependencies.md is not read");
    for (name, versions) in rows {
        assert_eq!(locked.get(&name), Some(&versions), "{name}: look at it again");
    }
}

#[test]
fn every_dependency_that_is_named_has_a_row_or_is_listed() {
    let text = text("docs/dependencies.md");
    let known: BTreeSet<&str> = quoted(&text).collect();
    let rows = rows(&text);
    let workspace: Table = self::text("Cargo.toml").parse().unwrap();
    let dependencies = workspace["workspace"]["dependencies"].as_table().unwrap();
    let own = |value: &Value| value.get("path").is_some();
    let named = dependencies.iter().filter(|(_, value)| !own(value)).map(|(name, _)| name);
    let missing: Vec<&String> =
        named.filter(|name| !rows.contains_key(*name) && !known.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/dependencies.md does not know {missing:?}");
}
