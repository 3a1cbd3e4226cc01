//! docs/security.md says nothing that no test holds.

use std::{collections::BTreeSet, fs};

use crate::support::{root, rust_files};

/// The names of all tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in ["src", "tests"]
        .iter()
        .flat_map(|d| rust_files(&root().join(d)))
    {
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
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
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
