//! What the documents and the comments in the code point at is there.

use std::fs;

use super::documents;
use crate::support::{root, rust_files};

/// The anchors that a document's headings get.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let plain = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = plain
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut links = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let text = fs::read_to_string(&target);
            let text = text.unwrap_or_else(|_| panic!("{}: {link} is not there", path.display()));
            let known = anchor.is_empty() || anchors(&text).iter().any(|a| a == anchor);
            assert!(known, "{}: {link} has no such heading", path.display());
            links += 1;
        }
    }
    assert!(links > 15, "{links}");
}

/// Comments name files by their path in the repository, documents also without `docs/`.
#[test]
fn every_file_that_a_comment_names_is_there() {
    let mut named = 0;
    let directories = ["src", "tests", "benches"];
    for path in directories.iter().flat_map(|d| rust_files(&root().join(d))) {
        let text = fs::read_to_string(&path).unwrap();
        let comments = text
            .lines()
            .filter(|line| line.trim_start().starts_with("//"));
        let words = comments
            .flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || "/._-".contains(c))));
        for word in words.map(|word| word.trim_end_matches('.')) {
            let (directory, file) = word.split_once('/').unwrap_or(("", word));
            let ours = [&directories[..], &["docs", "policies"]].concat();
            if file.ends_with(".md") || file.contains('.') && ours.contains(&directory) {
                let places = [root().join(word), root().join("docs").join(word)];
                let there = places.iter().any(|place| place.exists());
                assert!(there, "{}: {word}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 0);
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut named = 0;
    for (path, text) in documents() {
        let spans = text.split('`').skip(1).step_by(2);
        for word in spans.filter(|word| !word.contains(char::is_whitespace)) {
            let ours = ["src/", "tests/", "benches/", "policies/", "docs/", ".ci/"];
            // `x` stands for a format that somebody adds.
            if ours.iter().any(|start| word.starts_with(start)) && word != "src/config/x.rs" {
                assert!(root().join(word).exists(), "{}: {word}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md"))
        .unwrap()
        .lines()
        .count();
    assert!(lines <= 150, "{lines}");
}
