//! docs/SECURITY.md says nothing that no test holds.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::support::root;

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The names of all tests.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for dir in ["src", "tests"] {
        sources(&root().join(dir), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let mut test = false;
        for line in text.lines().map(str::trim) {
            if line == "#[test]" {
                test = true;
            } else if let Some(rest) = line.strip_prefix("fn ") {
                // proptest's own macro has its #[test] as well.
                if test {
                    names.extend(rest.split('(').next().map(str::to_owned));
                }
                test = false;
            }
        }
    }
    names
}

#[test]
fn every_sentence_of_the_security_document_names_the_test_that_holds_it() {
    let text = fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let tests = tests();
    assert!(tests.len() > 300, "{}", tests.len());
    let claims = text
        .split_once("<!-- claims -->")
        .unwrap()
        .1
        .split_once("<!-- end of claims -->")
        .unwrap()
        .0;
    let mut seen = 0;
    // A claim is an item of a list; what holds it stands in parentheses at its end.
    for claim in claims.split("\n- ").skip(1) {
        let claim = claim.split("\n\n").next().unwrap();
        let held = claim
            .trim_end()
            .trim_end_matches('.')
            .strip_suffix(')')
            .and_then(|c| c.rsplit_once('('))
            .unwrap_or_else(|| panic!("no test is named: {claim}"))
            .1;
        let names: Vec<&str> = held.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test is named: {claim}");
        for name in names {
            assert!(
                tests.contains(name),
                "there is no test `{name}`, which is said to hold: {claim}"
            );
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}
