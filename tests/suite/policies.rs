//! Policies as people write them: examples, mistakes, and texts that are no policy at all.

use std::{fs, path::Path};

use kpki::policy::{ValidatedPolicy, parse, render};

type Files = Result<Vec<(String, String)>, String>;

fn nothing_included(pattern: &str) -> Files {
    Err(format!("nothing is called {pattern}"))
}

fn example(name: &str) -> String {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("policies")
            .join(name),
    )
    .unwrap()
}

fn valid(name: &str, text: &str) -> ValidatedPolicy {
    parse(name, text, &nothing_included).unwrap_or_else(|d| panic!("{}", render(&d, false)))
}

#[test]
fn the_example_policies_are_valid() {
    for name in ["quickstart.yaml", "script-sh.yaml"] {
        let policy = valid(name, &example(name));
        println!("{policy:#?}");
        assert_eq!(policy.brokers.len(), 3, "{name}");
    }
}
