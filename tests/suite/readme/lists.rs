//! The lists in the documents, made from the code.
//!
//! Where one is out of step: `KPKI_UPDATE_DOCS=1 cargo test --locked --test suite lists_in_the_documents`.

use std::{collections::VecDeque, fs};

use kpki::{
    acl::ProblemCode,
    bootstrap::doctor::FaultCode,
    bootstrap::due::DueCode,
    cli::Code,
    code::StableCode,
    config::client_file_name,
    document::FormCode,
    pki::Oddity,
    policy::{self, ClientFormat, LAYOUTS, Layout, PolicyCode, lint},
    probe::Fault,
};
use serde_json::Value;

use super::{documents, leaves};
use crate::support::{kpki::Kpki, root};

/// A table with a row for each of these.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let row = |cells: [String; N]| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
    let mut text = row(head.map(str::to_owned)) + &"|---".repeat(N) + "|\n";
    for cells in rows {
        text += &row(cells.map(|cell| cell.replace('|', "\\|")));
    }
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn codes(codes: impl IntoIterator<Item = StableCode>) -> String {
    let rows = codes.into_iter();
    table(
        ["code", "what it is"],
        rows.map(|c| [code(c.name()), c.about().to_owned()]),
    )
}

fn commands() -> String {
    let rows = leaves(&Kpki::new()).into_iter().map(|(_, help)| {
        let about = help.split("\n\n").next().unwrap();
        let usage = help.split("\nUsage: ").nth(1).unwrap().lines().next();
        let usage = usage.unwrap().replace(" [OPTIONS]", "");
        [code(&usage), about.to_owned()]
    });
    table(["command", "what it does"], rows)
}

fn formats() -> String {
    let names = Layout::DEFAULT.files("NAME");
    let rows = ClientFormat::ALL.iter().map(|format| {
        let file = client_file_name(*format, &names);
        let (_, readers) = format.about().split_once(": ").unwrap();
        [code(format.name()), code(file), readers.to_owned()]
    });
    table(["format", "file", "for"], rows)
}

fn layouts() -> String {
    let rows = LAYOUTS.iter().map(|layout| {
        let names = layout.files("NAME");
        let passwords = [
            Some(names.password),
            names.key_password,
            names.truststore_password,
        ];
        let passwords: Vec<String> = passwords.iter().flatten().map(|name| code(name)).collect();
        [
            code(layout.name),
            layout.about.to_owned(),
            layout
                .install_dir
                .map_or("where it was written".to_owned(), code),
            format!("`{}` `{}`", names.keystore, names.truststore),
            passwords.join(" "),
            code(&names.client_properties),
        ]
    });
    let head = [
        "layout",
        "for",
        "mounted at",
        "stores",
        "passwords",
        "Java client",
    ];
    table(head, rows)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The types that a schema's value refers to.
fn references(value: &Value, found: &mut VecDeque<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str) {
                found.push_back(name.trim_start_matches("#/$defs/").to_owned());
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// What a type's keys or words are; nothing for one that has neither.
fn keys_of(schema: &Value) -> Option<String> {
    if let Some(properties) = schema["properties"].as_object() {
        let rows = properties.iter();
        let rows = rows.map(|(key, value)| [code(key), text(&value["description"])]);
        return Some(table(["key", "what it is"], rows));
    }
    let words = schema["oneOf"].as_array()?.iter();
    let words: Vec<_> = words
        .filter_map(|word| Some([code(word["const"].as_str()?), text(&word["description"])]))
        .collect();
    (!words.is_empty()).then(|| table(["word", "what it means"], words))
}

/// Types that have a list of their own.
const LISTED: [&str; 3] = ["role", "role_word", "format"];

fn keys() -> String {
    let schema = policy::json_schema();
    let mut made = format!("### policy\n\n{}", keys_of(&schema).unwrap());
    let mut seen = Vec::new();
    let mut next = VecDeque::new();
    references(&schema["properties"], &mut next);
    while let Some(name) = next.pop_front() {
        if seen.contains(&name) {
            continue;
        }
        let schema = &schema["$defs"][&name];
        let listed = LISTED.contains(&&*name);
        if let (false, Some(table)) = (listed, keys_of(schema)) {
            let about = text(&schema["description"]);
            made += &format!("\n### {name}\n\n{about}\n\n{table}");
        }
        references(schema, &mut next);
        seen.push(name);
    }
    made
}

fn roles() -> String {
    let schema = policy::json_schema();
    let roles = schema["$defs"]["role"]["properties"].as_object().unwrap();
    let rows = roles.iter().map(|(name, role)| {
        let mut arguments = VecDeque::new();
        references(role, &mut arguments);
        let arguments = schema["$defs"][&arguments[0]]["properties"].as_object();
        let arguments: Vec<String> = arguments
            .into_iter()
            .flatten()
            .map(|(a, _)| code(a))
            .collect();
        [code(name), text(&role["description"]), arguments.join(" ")]
    });
    table(["role", "for", "arguments"], rows)
}

/// The first sentence that each room says of itself.
fn rooms() -> String {
    let mut rooms = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(text) = fs::read_to_string(path.join("mod.rs")) {
            let about: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("//! ")).collect();
            let name = path.file_name().unwrap().to_str().unwrap();
            rooms.push([
                code(name),
                about.join(" ").replace("[`", "`").replace("`]", "`"),
            ]);
        }
    }
    rooms.sort();
    table(["room", "its job"], rooms)
}

fn made(list: &str) -> String {
    match list {
        "codes" => table(
            ["code", "what it is"],
            Code::ALL
                .iter()
                .map(|c| [code(c.name()), c.about().to_owned()]),
        ),
        "commands" => commands(),
        "due" => codes(DueCode::CODES.to_vec()),
        "diagnostics" => {
            let all = [FormCode::CODES, PolicyCode::CODES, ProblemCode::CODES];
            codes(all.concat())
        }
        "faults" => codes(FaultCode::CODES.iter().copied()),
        "formats" => formats(),
        "keys" => keys(),
        "layouts" => layouts(),
        "lints" => codes(lint::codes()),
        "oddities" => codes(Oddity::CODES.iter().copied()),
        "roles" => roles(),
        "rooms" => rooms(),
        "verify" => table(
            ["code", "what it means", "what to do"],
            Fault::ALL
                .iter()
                .map(|f| [code(f.name()), f.about().to_owned(), f.advice().to_owned()]),
        ),
        other => panic!("nothing makes the list {other}"),
    }
}

#[test]
fn the_lists_in_the_documents_are_made_from_the_code() {
    let mut lists = 0;
    for (path, text) in documents() {
        let mut parts = text.split("<!-- made: ");
        let mut wanted = parts.next().unwrap().to_owned();
        for part in parts {
            let (list, rest) = part.split_once(" -->\n").unwrap();
            let (_, after) = rest.split_once("<!-- end -->").unwrap();
            let made = made(list);
            wanted += &format!("<!-- made: {list} -->\n\n{made}\n<!-- end -->{after}");
            lists += 1;
        }
        if std::env::var_os("KPKI_UPDATE_DOCS").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap();
        assert!(
            found == wanted,
            "{} is out of step with the code; write it anew with\n    KPKI_UPDATE_DOCS=1 cargo test --locked --test suite lists_in_the_documents",
            path.display()
        );
    }
    assert!(lists > 8, "{lists}");
}

/// Every file that kpki writes is in the document about files.
#[test]
fn every_file_that_is_written_is_explained() {
    let explained = fs::read_to_string(root().join("docs/files.md")).unwrap();
    let kpki = Kpki::new();
    let formats: Vec<&str> = ClientFormat::ALL.iter().map(|f| f.name()).collect();
    kpki.write(
        "policy.yaml",
        &format!(
            "brokers: [{{name: kafka1}}]\nclients: [{{name: alice, auth: [tls, scram-sha-512], formats: [{}]}}]\n",
            formats.join(", ")
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let mut files = Vec::new();
    for directory in ["", "ca", "kafka1", "alice"] {
        for entry in fs::read_dir(kpki.path("out").join(directory)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                files.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    assert!(files.len() > 25, "{files:?}");
    for file in files.iter().filter(|f| *f != ".lock") {
        let plain = file
            .replace("-scram-sha-512", "")
            .replace("alice.", "kafka1.");
        let parts = plain.strip_prefix("kafka1").unwrap_or(&plain);
        assert!(explained.contains(parts), "{file} is not in docs/files.md");
    }
}

#[test]
fn every_crate_is_in_the_list_of_dependencies() {
    let cargo = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let security = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let listed = security.split("## Dependencies").nth(1).unwrap();
    let listed = listed.split("\n## ").next().unwrap();
    let mut listed: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .filter(|name| *name != "crate")
        .collect();
    let mut used: Vec<&str> = ["\n[dependencies]\n", "\n[dev-dependencies]\n"]
        .iter()
        .filter_map(|head| cargo.split(head).nth(1))
        .flat_map(|part| part.split("\n\n").next().unwrap().lines())
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .collect();
    used.sort_unstable();
    used.dedup();
    listed.sort_unstable();
    assert_eq!(listed, used);
}
