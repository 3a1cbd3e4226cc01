//! Texts that nobody meant as a policy: none may make the reader panic, or take long.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use kpki::{
    document::{FormCode, Severity, render},
    policy::parse,
};
use proptest::prelude::*;

/// What reading may take at most, whatever the text is; unoptimised, and beside other tests, a multiple of it.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 1 });

/// Reads a text and checks what holds for every answer.
fn read(text: &str) {
    let started = Instant::now();
    let included = text.to_owned();
    let include = |pattern: &str| Ok(vec![(format!("{pattern}.yaml"), included.clone())]);
    let answer = parse("p.yaml", text, &include);
    let taken = started.elapsed();
    let head: String = text.chars().take(200).collect();
    assert!(taken < LIMIT, "{taken:?} for {head}");
    let Err(diagnostics) = answer else { return };
    assert!(!diagnostics.is_empty(), "refused without a reason: {head}");
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = body.split('\n').collect();
    for diagnostic in &diagnostics {
        assert_eq!(diagnostic.severity, Severity::Error);
        assert_ne!(
            diagnostic.code,
            FormCode::WrongShape,
            "schema and types disagree: {diagnostic:?}"
        );
        let label = &diagnostic.at;
        assert!(label.quote.get(label.range.clone()).is_some());
        if &*label.source.file == "p.yaml" {
            let line = lines[label.source.line - 1];
            assert!(label.source.column <= line.chars().count() + 1);
            // The place that is marked is the place that is named.
            let marked = &label.quote[label.range.clone()];
            let there: String = line.chars().skip(label.source.column - 1).collect();
            assert!(
                there.starts_with(marked.trim_end_matches('…')),
                "{marked:?} {there:?}"
            );
        }
    }
    let some = &diagnostics[..diagnostics.len().min(20)];
    assert!(!render(some, true).is_empty());
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("policies")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// A policy that has nearly every key there is.
const RICH: &str = r#"
cluster: {name: x, admin: a, super_users: [User:b], owner: "1:2", bind_address: 127.0.0.1}
ca: {subject: "CN=é,O=x", key: rsa-2048, valid_days: 100, leaf_valid_days: 50, renew_before_days: 5}
brokers: [{name: k, hosts: &h [localhost, 10.0.0.1], port_offset: 1}, {name: l, id: 7, hosts: *h, port_offset: 100}]
clients:
  - name: a
    auth: [tls, scram-sha-256]
    iterations: 4096
    roles:
      - monitor
      - produce: {topic: [a, {prefix: b}], transactional_id: c, create: true}
      - connect: {group_id: g, config_topic: c, offset_topic: o, status_topic: s, sinks: [{name: n, topic: t}], sources: "*"}
      - mirror_source: {topics: t, groups: g}
users: [{name: u, auth: scram-sha-512}]
acls:
  - {principal: User:*, host: 10.0.0.1, deny: [All, Read], topic: "*"}
  - {principal: User:e, allow: Describe, cluster: true}
manage: {principals: [User:a, {prefix: "User:t"}]}
tests: [{principal: User:a, can: Read, topic: a}]
"#;

/// A change to a text, at a place given as a fraction of its length.
#[derive(Debug, Clone)]
enum Edit {
    DropCharacters(f64, usize),
    Insert(f64, String),
    DropLine(f64),
    DoubleLine(f64),
    SwapLines(f64),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = 0.0..1.0f64;
    prop_oneof![
        (place.clone(), 1..6usize).prop_map(|(at, n)| Edit::DropCharacters(at, n)),
        (
            place.clone(),
            "[\\[\\]{}:,&*!|>'\"#%@`\\-? \t\n\r\u{feff}é0-9a-f]{1,4}"
        )
            .prop_map(|(at, text)| Edit::Insert(at, text)),
        (place.clone(), "\\PC{1,3}").prop_map(|(at, text)| Edit::Insert(at, text)),
        place.clone().prop_map(Edit::DropLine),
        place.clone().prop_map(Edit::DoubleLine),
        place.prop_map(Edit::SwapLines),
    ]
}

fn apply(text: &str, edit: &Edit) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let at = |fraction: f64, len: usize| (fraction * len as f64) as usize;
    let mut characters: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.split('\n').collect();
    match edit {
        Edit::DropCharacters(place, n) => {
            let start = at(*place, characters.len());
            let end = (start + n).min(characters.len());
            characters.drain(start..end);
            characters.into_iter().collect()
        }
        Edit::Insert(place, new) => {
            let start = at(*place, characters.len());
            characters.splice(start..start, new.chars());
            characters.into_iter().collect()
        }
        Edit::DropLine(place) => {
            lines.remove(at(*place, lines.len()));
            lines.join("\n")
        }
        Edit::DoubleLine(place) => {
            let line = at(*place, lines.len());
            lines.insert(line, lines[line]);
            lines.join("\n")
        }
        Edit::SwapLines(place) => {
            let line = at(*place, lines.len());
            let other = lines.len() - 1 - line;
            lines.swap(line, other);
            lines.join("\n")
        }
    }
}

proptest! {
    #[test]
    fn slips_in_good_policies_are_survived(
        start in prop_oneof![
            Just(example("quickstart.yaml")),
            Just(example("script-sh.yaml")),
            Just(RICH.to_owned()),
        ],
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        read(&edits.iter().fold(start, |text, edit| apply(&text, edit)));
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        read(&text);
    }

    #[test]
    fn whatever_looks_like_yaml_is_survived(
        text in "([\\[\\]{}:,&*!|>'\"#%@\\-? \t\n\r]|name|- |: |brokers:\n|clients:\n|&a |\\*a|<<|---\n|\\.\\.\\.|~|1e3|é|\u{feff}){0,80}"
    ) {
        read(&text);
    }
}

#[test]
fn the_rich_policy_is_valid_before_anything_is_changed() {
    let answer = parse("p.yaml", RICH, &|_| Ok(Vec::new()));
    assert!(answer.is_ok(), "{}", render(&answer.unwrap_err(), false));
}

#[test]
fn deep_wide_and_self_referring_texts_end_soon() {
    let bomb: String = (0..40)
        .map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9)))
        .collect::<String>()
        .replace("*a-1", "x");
    let thousands = 20_000;
    for text in [
        bomb,
        "[".repeat(thousands),
        "{".repeat(thousands),
        "{a: ".repeat(thousands),
        "- ".repeat(thousands),
        "? ".repeat(thousands),
        "a: ".repeat(thousands),
        "!a ".repeat(thousands),
        "&a ".repeat(thousands),
        "\"".repeat(thousands),
        "'a' ".repeat(thousands),
        "#".repeat(thousands),
        "\n".repeat(thousands),
        "a\n".repeat(thousands),
        " \n".repeat(thousands),
        "---\n".repeat(thousands),
        "%".repeat(thousands),
        "a: |\n ".repeat(thousands),
        "- a\n".repeat(thousands),
        (0..thousands).map(|n| format!("k{n}: v\n")).collect(),
        (0..thousands).map(|n| format!("k{n}: &a{n} v\n")).collect(),
        format!("brokers: [{}]", "{name: é}, ".repeat(thousands)),
        format!("clients: [{}]", "{nam: x}, ".repeat(thousands)),
        format!(
            "acls: [{}]",
            "{principal: User:x, allow: Read, topic: y}, ".repeat(20_000)
        ),
        format!("include: [{}]", "x, ".repeat(thousands)),
        "x".repeat(5 << 20),
        format!(
            "a: &a {}\nclients: [{}]",
            "x".repeat(1 << 20),
            "*a, ".repeat(1000)
        ),
        format!("clients: [{{name: {}}}]", "x".repeat(1 << 20)),
        "brokers:\n".to_owned() + &"  - name: kafka\n".repeat(30_000),
    ] {
        read(&text);
    }
}

#[test]
fn a_thousand_brokers_and_clients_are_read_at_once() {
    let mut text = String::from("brokers:\n");
    for n in 0..1000 {
        text += &format!(
            "  - {{name: b{n}, hosts: [b{n}.example.com, 10.0.{}.{}]}}\n",
            n / 250,
            n % 250 + 1
        );
    }
    text += "clients:\n";
    for n in 0..1000 {
        text += &format!(
            "  - name: c{n}\n    auth: [tls, scram-sha-512]\n    roles:\n      - produce: {{topic: t{n}}}\n      - consume: {{topic: [a, b], group: g{n}}}\n"
        );
    }
    let started = Instant::now();
    let policy = parse("p", &text, &|_| Ok(Vec::new())).unwrap();
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    assert_eq!(policy.bindings.len(), 4000);
}
