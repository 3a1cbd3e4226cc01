//! `kpki acl export`: what a cluster has, in every form, and back again.

#[cfg(feature = "live")]
mod live;

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use kpki::acl::{KafkaVersion, PatternType, RawBinding, ResourceType, kafka_acls};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    kpki::{Kpki, Output},
    root,
};

fn binding(kind: &str, name: &str, principal: &str, operation: &str) -> Value {
    json!({"resource_type": kind, "pattern_type": "LITERAL", "name": name, "principal": principal,
           "host": "*", "operation": operation, "permission": "ALLOW"})
}

fn lines(bindings: &[Value]) -> String {
    bindings.iter().map(|b| format!("{b}\n")).collect()
}

/// Exports `acls.jsonl`.
fn convert(kpki: &Kpki, format: &str, rest: &[&str]) -> Output {
    let start = [
        "acl",
        "export",
        "--observed",
        "acls.jsonl",
        "--format",
        format,
    ];
    kpki.run(&[&start[..], rest].concat())
}

/// The plan of `export.yaml` for a cluster with `acls.jsonl`.
fn planned(kpki: &Kpki) -> Value {
    kpki.ok(&["policy", "check", "export.yaml"]);
    kpki.json(&[
        "acl",
        "plan",
        "export.yaml",
        "--observed",
        "acls.jsonl",
        "--prune",
        "--json",
    ])
}

/// What a script gives to `kafka-acls.sh`, command by command, beside `--connect here`.
fn commands(kpki: &Kpki, script: &str) -> Vec<Vec<String>> {
    let tool = kpki.write(
        "bin/kafka-acls.sh",
        "#!/bin/sh\nprintf '%s\\0' \"$#\" \"$@\" >>commands\n",
    );
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    kpki.write("acls.sh", script);
    kpki.write("commands", "");
    let path = format!(
        "{}:{}",
        kpki.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let ran = Command::new("sh")
        .args(["acls.sh", "--connect", "to here"])
        .current_dir(kpki.dir())
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}\n{script}");
    let given = std::fs::read_to_string(kpki.path("commands")).unwrap();
    let mut words = given.split_terminator('\0').map(str::to_owned);
    let mut all = Vec::new();
    while let Some(count) = words.next() {
        let command: Vec<_> = words.by_ref().take(count.parse().unwrap()).collect();
        assert_eq!(command[..3], ["--connect", "to here", "--add"]);
        all.push(command[3..].to_vec());
    }
    all
}

/// What `AclCommand --add` makes of its arguments.
fn meant(command: &[String]) -> Vec<RawBinding> {
    let (mut principal, mut host, mut permission) = ("", "*", "");
    let (mut operations, mut resources) = (Vec::new(), Vec::new());
    let mut pattern_type = PatternType::Literal;
    let mut words = command.iter();
    while let Some(option) = words.next() {
        let mut value = || words.next().unwrap().as_str();
        match option.as_str() {
            "--allow-principal" | "--deny-principal" => {
                permission = option[2..].split('-').next().unwrap();
                principal = value();
            }
            "--allow-host" | "--deny-host" => host = value(),
            "--operation" => operations.push(value()),
            "--topic" => resources.push((ResourceType::Topic, value())),
            "--group" => resources.push((ResourceType::Group, value())),
            "--transactional-id" => resources.push((ResourceType::TransactionalId, value())),
            "--delegation-token" => resources.push((ResourceType::DelegationToken, value())),
            "--user-principal" => resources.push((ResourceType::User, value())),
            "--cluster" => resources.push((ResourceType::Cluster, "kafka-cluster")),
            "--resource-pattern-type" => pattern_type = value().parse().unwrap(),
            other => panic!("{other}"),
        }
    }
    let mut all = Vec::new();
    for (resource_type, name) in resources {
        for operation in &operations {
            all.push(RawBinding {
                resource_type,
                pattern_type,
                name: name.into(),
                principal: principal.into(),
                host: host.into(),
                operation: operation.parse().unwrap(),
                permission: permission.parse().unwrap(),
            });
        }
    }
    all
}

#[test]
fn the_lines_are_sorted_each_once_and_of_the_principals_that_are_asked_for() {
    let kpki = Kpki::new();
    let [a, b, c] = [
        binding("TOPIC", "a", "User:b", "READ"),
        binding("TOPIC", "b", "User:a", "READ"),
        binding("GROUP", "g", "User:c", "READ"),
    ];
    kpki.write(
        "acls.jsonl",
        &lines(&[c.clone(), b.clone(), a.clone(), b.clone()]),
    );
    let all = convert(&kpki, "jsonl", &[]).expect_code(0);
    assert_eq!(all.json_lines(), [a.clone(), b.clone(), c.clone()]);
    assert_eq!(all.stderr, "3 bindings of 3 principals from acls.jsonl\n");
    // --json makes no difference to what is JSON anyway.
    let json = convert(&kpki, "jsonl", &["--json", "-q"]).expect_code(0);
    assert_eq!((json.stdout, &*json.stderr), (all.stdout, ""));
    let two = convert(
        &kpki,
        "jsonl",
        &["--principal", "User:c", "--principal", "User:b"],
    );
    assert_eq!(two.expect_code(0).json_lines(), [a, c]);
    let piped = kpki.run_with_input(&["acl", "export", "--observed", "-"], &lines(&[b]));
    assert_eq!(piped.expect_code(0).json_lines().len(), 1);
}

#[test]
fn a_policy_and_the_policy_of_its_acls_mean_the_same() {
    let kpki = Kpki::new();
    for file in std::fs::read_dir(root().join("policies")).unwrap() {
        let file = file.unwrap().path().display().to_string();
        if !file.ends_with(".yaml") {
            continue;
        }
        let expanded = kpki.ok(&["acl", "expand", &file, "--json"]).stdout;
        kpki.write("acls.jsonl", &expanded);
        let export = convert(&kpki, "policy", &[]).expect_code(0);
        kpki.write("export.yaml", &export.stdout);
        let plan = planned(&kpki);
        assert_eq!(
            (&plan["creates"], &plan["deletes"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(plan["unchanged"], expanded.lines().count());
    }
}

#[test]
fn what_a_policy_cannot_say_is_told_and_left_alone() {
    let kpki = Kpki::new();
    let foreign = binding("GROUP", "g", "User:a", "WRITE");
    let mut host = binding("TOPIC", "t", "User:b", "READ");
    host["host"] = json!("::1");
    let fine = binding("TOPIC", "t", "User:a", "READ");
    kpki.write("acls.jsonl", &lines(&[foreign.clone(), host, fine]));
    let export = convert(&kpki, "policy", &[]).expect_code(0);
    assert!(
        export.stderr.contains(
            "warning: left out: Allow User:a Write on Group `g` from *: operation Write does not apply to a Group"
        ),
        "{}",
        export.stderr
    );
    assert!(
        export
            .stdout
            .contains("#   Allow User:b Read on Topic `t` from ::1\n"),
        "{}",
        export.stdout
    );
    kpki.write("export.yaml", &export.stdout);
    let plan = planned(&kpki);
    assert_eq!(plan["deletes"], json!([]));
    assert_eq!(
        (&plan["unchanged"], &plan["left_alone"]),
        (&json!(1), &json!(2))
    );

    let json = convert(&kpki, "policy", &["--json"]).expect_code(0).json();
    assert_eq!(json["text"], export.stdout);
    assert_eq!(json["left_out"].as_array().unwrap().len(), 2);
    assert_eq!(json["left_out"][1]["acl"], foreign);
    assert_eq!(json["left_out"][1]["code"], "operation-foreign");
    assert_eq!(json["left_out"][0]["code"], "host-not-java-form");

    // Ranges are words of a policy from 4.4 on, which is then what it is for.
    let mut range = binding("TOPIC", "t", "User:b", "READ");
    range["host"] = json!("10.0.0.0/8");
    kpki.write("acls.jsonl", &lines(&[range]));
    let left_out = |rest: &[&str]| {
        let json = convert(&kpki, "policy", &[rest, &["--json"]].concat());
        json.expect_code(0).json()["left_out"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(left_out(&[]), 1);
    assert_eq!(left_out(&["--kafka-version", "4.4"]), 0);
    kpki.write("new.yaml", "cluster: {kafka_version: '4.4'}\n");
    assert_eq!(left_out(&["new.yaml"]), 0);
}

/// Kafka takes any name; one that turns the direction of writing, or steers the terminal, must not do so in a file that is
/// reviewed, and has to come back as it was.
#[test]
fn names_that_look_like_others_are_spelled_out_in_every_export() {
    let kpki = Kpki::new();
    let names = ["pay\u{202e}gpj", "x\u{9b}2Ky", "\u{61c}z"];
    let all: Vec<Value> = names
        .iter()
        .map(|name| binding("TOPIC", name, "User:a\u{2066}b", "READ"))
        .collect();
    kpki.write("acls.jsonl", &lines(&all));
    let steers = |text: &str| text.contains(|c| c != '\n' && !kpki::printable::is_printable(c));

    let jsonl = convert(&kpki, "jsonl", &[]).expect_code(0);
    assert!(!steers(&jsonl.stdout), "{}", jsonl.stdout);
    let mut back = jsonl.json_lines();
    back.sort_by_key(Value::to_string);
    let mut sorted = all.clone();
    sorted.sort_by_key(Value::to_string);
    assert_eq!(back, sorted);

    let script = convert(&kpki, "kafka-acls", &[]).expect_code(0);
    assert!(!steers(&script.stdout), "{}", script.stdout);
    let given = commands(&kpki, &script.stdout);
    let meant: BTreeSet<String> = given
        .iter()
        .flat_map(|c| meant(c))
        .map(|b| b.name.to_string())
        .collect();
    // A control character is none for the tool, and is told to be left out.
    assert_eq!(
        meant,
        BTreeSet::from([names[0].to_owned(), names[2].to_owned()])
    );
    assert!(script.stdout.contains("# left out: "), "{}", script.stdout);

    for format in ["policy", "kafka-acls"] {
        let json = convert(&kpki, format, &["--json"]);
        assert!(!steers(&json.stdout), "{}", json.stdout);
    }
    // So it is in what is saved for review.
    kpki.write("p.yaml", "cluster: {admin: admin}\nclients: [{name: admin}]\nmanage: {principals: [{prefix: 'User:a'}]}\n");
    kpki.ok(&[
        "acl",
        "plan",
        "p.yaml",
        "--observed",
        "acls.jsonl",
        "--prune",
        "--save",
        "p.plan",
    ]);
    let plan = std::fs::read_to_string(kpki.path("p.plan")).unwrap();
    assert!(plan.contains("gpj") && !steers(&plan), "{plan}");
}

#[test]
fn what_cannot_be_exported_is_an_error() {
    let kpki = Kpki::new();
    kpki.write(
        "acls.jsonl",
        &lines(&[binding("TOPIC", "t", "User:a", "READ")]),
    );
    let code = |output: Output, exit| output.expect_code(exit).json()["error"]["code"].clone();
    let none = kpki.run(&["acl", "export", "--json"]);
    assert_eq!(code(none, 2), "no-cluster");
    let both = ["--command-config", "c.properties"];
    assert_eq!(
        code(
            convert(&kpki, "jsonl", &[&both[..], &["--json"]].concat()),
            2
        ),
        "usage"
    );
    let untyped = convert(&kpki, "jsonl", &["--principal", "alice"]).expect_code(2);
    assert!(
        untyped.stderr.contains("write User:alice"),
        "{}",
        untyped.stderr
    );
    let old = convert(&kpki, "policy", &["--kafka-version", "1.1", "--json"]);
    assert_eq!(code(old, 1), "export-no-policy");
    let twice = ["acl", "export", "-", "--observed", "-", "--json"];
    assert_eq!(code(kpki.run(&twice), 2), "usage");
    kpki.write("acls.jsonl", "{}\n");
    assert_eq!(
        code(convert(&kpki, "policy", &["--json"]), 2),
        "export-malformed"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_export_that_is_cut_short_fails() {
    let kpki = Kpki::new();
    kpki.write(
        "acls.jsonl",
        &lines(&[binding("TOPIC", "t", "User:a", "READ")]),
    );
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = kpki
        .command(&["acl", "export", "--observed", "acls.jsonl"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the export cannot be written"), "{said}");
}

fn word() -> impl Strategy<Value = String> {
    let nasty = [
        "*", "-x", "--topic", "a b", "it's", "\"", "$HOME", "`id`", "$(id)", "\\", "a\\", "!", "~",
        "#x", "a;b", "&", "|", ">x", "{a,b}", "[a]", "?", "ü", "日本", "a\nb", " a", "a ", "",
        "%s", "a=b", "-",
    ];
    prop_oneof![
        prop::sample::select(nasty.to_vec()).prop_map(str::to_owned),
        "[ -~]{1,8}",
    ]
}

fn bindings() -> impl Strategy<Value = BTreeSet<RawBinding>> {
    use kpki::acl::{Operation, Permission};
    let one = (
        prop::sample::select(ResourceType::ALL),
        prop::sample::select(PatternType::ALL),
        word(),
        word(),
        prop_oneof![3 => Just("*".to_owned()), 1 => word()],
        prop::sample::select(Operation::ALL),
        prop::sample::select(Permission::ALL),
    );
    let one = one.prop_map(
        |(resource_type, pattern_type, name, who, host, operation, permission)| RawBinding {
            resource_type,
            pattern_type,
            name: if resource_type == ResourceType::Cluster {
                "kafka-cluster".into()
            } else {
                name.into()
            },
            principal: format!("User:{who}").into(),
            host: host.into(),
            operation,
            permission,
        },
    );
    prop::collection::btree_set(one, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_shell_hands_on_what_the_script_means(bindings in bindings()) {
        let script = kafka_acls(&bindings, KafkaVersion::ASSUMED, &["a\ncomment".to_owned()]);
        let given = commands(&Kpki::new(), &script.text);
        let created: BTreeSet<RawBinding> = given.iter().flat_map(|c| meant(c)).collect();
        let left_out: BTreeSet<RawBinding> = script.left_out.iter().map(|l| l.binding.clone()).collect();
        prop_assert!(created.is_disjoint(&left_out));
        prop_assert_eq!(&created | &left_out, bindings);
    }
}

/// The child that receives very large answers is asked in vain where it cannot even start, for want of room for its
/// stacks: then it gives no answer, and its parent asks for smaller ones. An error would end the reading.
#[cfg(feature = "live")]
#[test]
fn a_child_that_cannot_start_answers_nothing() {
    let question = serde_json::json!({
        "settings": [["bootstrap.servers", "localhost:1"], ["no.such.setting", "x"]],
        "about": {"Acls": {
            "resource_type": 1, "pattern_type": 1, "operation": 1, "permission": 1,
            "name": null, "principal": null, "host": null,
        }},
        "timeout_ms": 1000,
    });
    let kpki = Kpki::new();
    let out = kpki.run_with_input(&["receive-acls"], &question.to_string());
    assert_eq!(out.expect_code(1).stdout, "");
    let out = kpki.run_with_input(&["receive-acls"], "{");
    assert_eq!(out.expect_code(1).stdout, "");
    // A cluster that cannot be reached is an error.
    let question = question.to_string().replace("no.such.setting", "client.id");
    let out = kpki.run_with_input(&["receive-acls"], &question);
    assert!(
        out.stdout.starts_with("{\"Err\":{\"code\":"),
        "{}",
        out.stdout
    );
}
