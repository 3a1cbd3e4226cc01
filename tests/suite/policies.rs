//! Policies as people write them: examples, mistakes, and texts that are no policy at all.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use kpki::{
    code::StableCode,
    document::{FormCode, render},
    policy::{IncludedFiles, PolicyCode, ValidatedPolicy, parse},
};

use crate::support::kpki::Kpki;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn nothing_included(pattern: &str) -> IncludedFiles {
    Err(format!("nothing is called {pattern}"))
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join("policies").join(name)).unwrap()
}

fn valid(name: &str, text: &str) -> ValidatedPolicy {
    parse(name, text, &nothing_included).unwrap_or_else(|d| panic!("{}", render(&d, false)))
}

/// The files of a pattern, beside the policy and named as the policy names them.
fn beside(directory: &Path, pattern: &str) -> IncludedFiles {
    let whole = directory.join(pattern);
    let paths = glob::glob(whole.to_str().unwrap()).map_err(|e| e.msg.to_owned())?;
    let read = |path: PathBuf| {
        let name = path.strip_prefix(directory).unwrap().to_str().unwrap();
        (name.to_owned(), fs::read_to_string(&path).unwrap())
    };
    Ok(paths.map(|path| read(path.unwrap())).collect())
}

#[test]
fn the_example_policies_are_valid() {
    for name in ["quickstart.yaml", "script-sh.yaml"] {
        let policy = valid(name, &example(name));
        assert_eq!(policy.brokers.len(), 3, "{name}");
    }
}

/// Each file has the diagnostics that its snapshot shows.
/// After a change of wording: `INSTA_UPDATE=always cargo test --test suite mistakes`, and read the difference.
#[test]
fn mistakes_are_explained() {
    let directory = root().join("tests/policies/broken");
    let mut names = BTreeSet::new();
    let mut codes = BTreeSet::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let diagnostics = parse(name, &text, &|pattern| beside(&directory, pattern))
            .expect_err(&format!("{name} should be wrong"));
        codes.extend(diagnostics.iter().map(|d| d.code));
        let stem = path.file_stem().unwrap().to_str().unwrap();
        insta::with_settings!({
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(stem, render(&diagnostics, false));
        });
        names.insert(format!("{stem}.snap"));
    }
    assert!(names.len() >= 60);
    let known = [FormCode::CODES, PolicyCode::CODES].concat();
    // Schema and types agree, for which there is a test.
    let seen = |code: &StableCode| codes.contains(code) || *code == FormCode::WrongShape;
    let unseen: Vec<_> = known.iter().filter(|code| !seen(code)).collect();
    assert!(
        unseen.is_empty(),
        "no policy is wrong in these ways: {unseen:?}"
    );
    let snapshots: BTreeSet<String> = fs::read_dir(root().join("tests/suite/snapshots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(
        names, snapshots,
        "a snapshot without its policy, or the other way round"
    );
}

#[test]
fn a_nul_character_is_not_the_end_of_the_text() {
    for text in [
        "clients: [{name: \"a\0b\"}]",
        "clients: [{name: a}]\n\0acls: x",
        "clients: [{name: a}] # \0",
    ] {
        let found = parse("p.yaml", text, &nothing_included).unwrap_err();
        let said = render(&found, false);
        assert!(said.contains("a NUL character in the file"), "{said}");
        assert!(said.contains("hint: remove it"), "{said}");
    }
}

/// Besides 1201 faults, 100 may only follow from the version that cannot be read.
#[test]
fn the_errors_that_are_not_shown_are_counted() {
    let acl = |name: &str, host: &str| {
        format!("  - {{principal: User:a, allow: Read, topic: {name}, host: {host}}}\n")
    };
    let text = format!(
        "cluster: {{kafka_version: 4.3}}\nacls:\n{}{}",
        acl("'a*'", "'*'").repeat(1200),
        acl("t", "10.0.0.0/8").repeat(100)
    );
    let found = parse("p.yaml", &text, &nothing_included).unwrap_err();
    assert_eq!(found.len(), 1000);
    let hint = found.last().unwrap().hint.as_deref().unwrap();
    assert!(hint.ends_with("; 201 more are not shown"), "{hint}");
    let kpki = Kpki::new();
    kpki.write("p.yaml", &text);
    let said = kpki.run(&["policy", "check", "p.yaml"]).expect_code(2);
    let last = said.stderr.lines().last().unwrap();
    assert!(last.contains("at least 1000 errors"), "{last}");
}

#[test]
fn the_schemas_for_editors_are_those_that_kpki_checks_against() {
    for (name, schema) in [
        ("policy.schema.json", kpki::policy::json_schema()),
        ("included.schema.json", kpki::policy::included_json_schema()),
    ] {
        let path = root().join("policies").join(name);
        let wanted = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("KPKI_UPDATE_SCHEMA").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "policies/{name} is out of step; write it anew with\n    KPKI_UPDATE_SCHEMA=1 cargo test --test suite schemas_for_editors"
        );
    }
}
