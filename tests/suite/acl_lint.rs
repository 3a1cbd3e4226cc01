//! `kpki acl lint`: what is written and hardly meant.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::kpki::Kpki;

/// The codes and the lines of what is found, and the exit code without and with `--strict`.
fn lint(kpki: &Kpki, file: &str, more: &[&str]) -> Vec<(String, String)> {
    let arguments = [&["acl", "lint", file, "--json"], more].concat();
    let out = kpki.run(&arguments);
    let found = out.json()["findings"].as_array().unwrap().clone();
    let errors = found.iter().any(|f| f["severity"] == "error");
    assert_eq!(out.code, Some(if errors { 3 } else { 0 }), "{found:#?}");
    let strict = kpki.run(&[&arguments[..], &["--strict"]].concat());
    assert_eq!(strict.code, Some(if found.is_empty() { 0 } else { 3 }));
    let text = |f: &Value, key: &str| f[key].as_str().unwrap().to_owned();
    for finding in &found {
        let keys: BTreeSet<&str> = finding
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            BTreeSet::from(["code", "severity", "message", "hint", "source"])
        );
        assert!(!text(finding, "hint").is_empty() && !text(finding, "message").is_empty());
    }
    found
        .iter()
        .map(|f| (text(f, "code"), text(f, "source")))
        .collect()
}

fn policy(text: &str) -> Vec<(String, String)> {
    let kpki = Kpki::new();
    kpki.write("p.yaml", text);
    lint(&kpki, "p.yaml", &[])
}

fn found(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(code, source)| ((*code).to_owned(), (*source).to_owned()))
        .collect()
}

const CLIENTS: &str =
    "cluster: {admin: admin}\nclients: [{name: admin}, {name: a}, {name: b}]\nacls:\n";

fn acls(lines: &str) -> Vec<(String, String)> {
    policy(&format!("{CLIENTS}  {}", lines.trim_start()))
}

#[test]
fn the_example_policy_is_clean() {
    let kpki = Kpki::new();
    let text =
        std::fs::read_to_string(crate::support::root().join("policies/quickstart.yaml")).unwrap();
    kpki.write("p.yaml", &text);
    assert_eq!(lint(&kpki, "p.yaml", &[]), []);
    let clean = kpki.ok(&["acl", "lint", "p.yaml", "--strict"]);
    assert_eq!(clean.stdout, "clean  p.yaml: 7 bindings\n");
}

#[test]
fn bindings_without_effect_are_found() {
    assert_eq!(
        acls(
            "\
  - {principal: User:a, allow: Read, topic: t}
  - {principal: User:a, allow: Read, topic: t}
  - {principal: User:b, allow: Read, topic: {prefix: x-}}
  - {principal: User:b, allow: Read, topic: x-1}
  - {principal: User:b, host: 10.0.0.1, allow: Describe, topic: {prefix: x-y-}}
"
        ),
        found(&[
            ("duplicate", "p.yaml:5:5"),
            ("shadowed", "p.yaml:7:5"),
            ("shadowed", "p.yaml:8:5")
        ])
    );
    // Everyone's right covers each one's, and All covers the rest.
    assert_eq!(
        acls(
            "\
  - {principal: User:*, allow: Read, topic: t}
  - {principal: User:a, allow: Read, topic: t}
  - {principal: User:b, allow: All, group: g}
  - {principal: User:b, allow: [Read, Delete], group: g}
"
        ),
        found(&[("shadowed", "p.yaml:5:5"), ("shadowed", "p.yaml:7:5")])
    );
    // As Kafka's tools write it, and as the documentation does.
    assert_eq!(
        acls("  - {principal: User:a, allow: [Read, Describe], topic: t}\n"),
        []
    );
    // Neither a prefix nor another name covers the wildcard; a wildcard covers both.
    assert_eq!(
        acls(
            "\
  - {principal: User:a, allow: Read, topic: '*'}
  - {principal: User:a, allow: Read, topic: {prefix: x}}
  - {principal: User:b, host: 10.0.0.1, allow: Read, topic: t}
  - {principal: User:b, host: 10.0.0.2, allow: Read, topic: t}
"
        ),
        found(&[("shadowed", "p.yaml:5:5")])
    );
    // A role is shadowed as a whole or not at all; two roles may overlap.
    assert_eq!(
        policy(
            "\
cluster: {admin: admin}
clients:
  - {name: admin}
  - name: a
    roles:
      - consume: {topic: t, group: a}
      - consume: {topic: u, group: a}
      - consume: {topic: t, group: a}
      - produce: {topic: {prefix: x-}}
      - produce: {topic: x-1}
"
        ),
        found(&[("shadowed", "p.yaml:10:9")])
    );
}

#[test]
fn an_allow_that_a_deny_beats_is_found() {
    assert_eq!(
        acls(
            "\
  - {principal: User:a, allow: [Read, Delete], topic: t-1}
  - {principal: User:a, deny: Read, topic: {prefix: t-}}
  - {principal: User:b, allow: Write, topic: t-1}
  - {principal: User:*, deny: All, topic: '*', host: 10.0.0.1}
"
        ),
        found(&[("always-denied", "p.yaml:4:5")])
    );
    let kpki = Kpki::new();
    kpki.write("p.yaml", &format!("{CLIENTS}  - {{principal: User:a, allow: Read, topic: t}}\n  - {{principal: User:*, deny: Read, topic: t}}\n"));
    let text = kpki.ok(&["acl", "lint", "p.yaml"]).stdout;
    assert_eq!(
        text,
        "\
warning[always-denied]: allows nothing: Allow User:a Read on Topic `t` from *, because of Deny User:* Read on Topic `t` from * (p.yaml:5:5); only the Describe that it implies remains
  --> p.yaml:4:5
  hint: remove it, or deny less: a DENY always overrides an ALLOW

0 errors, 1 warning
"
    );
}

#[test]
fn what_remains_of_a_denied_right_is_said_only_if_it_does() {
    let rest = "; only the Describe that it implies remains";
    for (denials, remains) in [
        ("  - {principal: User:a, deny: Read, topic: t}", true),
        (
            "  - {principal: User:a, deny: [Read, Describe], topic: t}",
            false,
        ),
        (
            "  - {principal: User:a, deny: Read, topic: t}\n  - {principal: User:*, deny: Describe, topic: {prefix: t}}",
            false,
        ),
        (
            "  - {principal: User:a, deny: Read, topic: t}\n  - {principal: User:a, deny: All, topic: '*'}",
            false,
        ),
        // Denied from one address only.
        (
            "  - {principal: User:a, deny: Read, topic: t}\n  - {principal: User:a, host: 10.0.0.1, deny: All, topic: '*'}",
            true,
        ),
    ] {
        let kpki = Kpki::new();
        kpki.write(
            "p.yaml",
            &format!("{CLIENTS}  - {{principal: User:a, allow: Read, topic: t}}\n{denials}\n"),
        );
        let text = kpki.ok(&["acl", "lint", "p.yaml"]).stdout;
        assert!(text.contains("warning[always-denied]"), "{denials}: {text}");
        assert_eq!(text.contains(rest), remains, "{denials}: {text}");
        let explain = [
            "acl",
            "explain",
            "p.yaml",
            "--principal",
            "User:a",
            "--operation",
            "Describe",
            "--topic",
            "t",
        ];
        let decision = kpki.run(&explain).stdout;
        assert_eq!(decision.contains("ALLOWED"), remains, "{decision}");
    }
}

#[test]
fn principals_that_nobody_is_are_found() {
    assert_eq!(
        acls(
            "\
  - {principal: User:aa-typo, allow: Read, topic: t}
  - {principal: User:*, allow: Read, topic: u}
  - {principal: Robot:x, allow: Read, topic: v}
"
        ),
        found(&[
            ("unknown-principal", "p.yaml:4:5"),
            ("custom-principal-type", "p.yaml:6:5")
        ])
    );
    let kpki = Kpki::new();
    kpki.write("p.yaml", "clients: [{name: orders-service}]\nacls: [{principal: User:order-service, allow: Read, topic: t}]\n");
    let text = kpki.ok(&["acl", "lint", "p.yaml"]).stdout;
    assert!(
        text.contains("did you mean `User:orders-service`?"),
        "{text}"
    );
    // Known to the cluster alone, and said so.
    let managed = "  - {principal: User:legacy, allow: Read, topic: t}\nmanage: {principals: [User:legacy, User:a, User:b]}\n";
    assert_eq!(acls(managed), []);
    // Declared elsewhere.
    assert_eq!(
        policy("acls: [{principal: User:x, allow: Read, topic: t}]\n"),
        []
    );
    // What manage leaves out stays for ever.
    let outside =
        "  - {principal: User:a, allow: Read, topic: t}\nmanage: {principals: [User:b]}\n";
    assert_eq!(acls(outside), found(&[("outside-manage", "p.yaml:4:5")]));
}

#[test]
fn prefixes_that_reach_what_is_anothers_are_found() {
    let kpki = Kpki::new();
    kpki.write(
        "p.yaml",
        "\
cluster: {admin: admin}
clients:
  - {name: admin}
  - {name: a, roles: [{produce: {topic: {prefix: team-}}}]}
  - {name: b, roles: [{produce: {topic: {prefix: app}}}]}
  - {name: c, roles: [{produce: {topic: [apple, app-1]}}]}
include: [{files: x.yaml, scope: {prefix: team-x-}}]
",
    );
    kpki.write(
        "x.yaml",
        "clients: [{name: team-x-x, roles: [{produce: {topic: {prefix: team-x-}}}]}]\n",
    );
    assert_eq!(
        lint(&kpki, "p.yaml", &[]),
        found(&[
            ("prefix-swallows-scope", "p.yaml:4:23"),
            ("prefix-open-ended", "p.yaml:5:23")
        ])
    );
}

#[test]
fn a_scope_whose_clients_have_no_rights_yet_is_one_that_a_prefix_can_swallow() {
    let kpki = Kpki::new();
    kpki.write(
        "p.yaml",
        "\
cluster: {admin: admin}
clients: [{name: admin}]
include:
  - {files: t.yaml, scope: {prefix: team-a-}}
  - {files: u.yaml, scope: {prefix: team-}}
",
    );
    kpki.write(
        "u.yaml",
        "\
clients:
  - {name: team-b, roles: [{produce: {topic: {prefix: team-}}}]}
acls:
  - {principal: User:team-a-x, allow: All, topic: {prefix: team-a}}
",
    );
    let both = found(&[
        ("prefix-swallows-scope", "u.yaml:2:28"),
        ("prefix-swallows-scope", "u.yaml:4:5"),
    ]);
    for roles in ["[]", "[{produce: {topic: team-a-x}}]"] {
        let clients = format!("clients: [{{name: team-a-x, roles: {roles}}}]\n");
        kpki.write("t.yaml", &clients);
        let found = lint(&kpki, "p.yaml", &[]);
        let swallowed = found
            .into_iter()
            .filter(|(code, _)| code.starts_with("prefix-"));
        assert_eq!(swallowed.collect::<Vec<_>>(), both, "{roles}");
    }
}

#[test]
fn rights_without_an_end_are_found() {
    assert_eq!(
        acls(
            "\
  - {principal: User:a, allow: All, topic: '*'}
  - {principal: User:b, allow: All, cluster: true}
  - {principal: User:*, allow: Write, topic: t}
  - {principal: User:*, allow: Alter, cluster: true}
"
        ),
        found(&[
            ("all-on-everything", "p.yaml:4:5"),
            ("all-on-everything", "p.yaml:5:5"),
            ("open-to-everyone", "p.yaml:6:5"),
            ("open-to-everyone", "p.yaml:7:5"),
        ])
    );
}

#[test]
fn a_chosen_quorum_of_an_even_number_is_found() {
    let nodes = |controllers: &[&str]| {
        let each = controllers
            .iter()
            .map(|name| format!("  - {{name: {name}, roles: [controller]}}\n"));
        policy(&format!(
            "cluster: {{admin: a}}\nclients: [{{name: a}}]\nbrokers:\n  - {{name: kafka1, roles: [broker]}}\n{}",
            each.collect::<String>()
        ))
    };
    assert_eq!(
        nodes(&["c1", "c2"]),
        found(&[("even-controllers", "p.yaml:5:5")])
    );
    assert_eq!(nodes(&["c1"]), []);
    assert_eq!(nodes(&["c1", "c2", "c3"]), []);
    let unsaid =
        "cluster: {admin: a}\nclients: [{name: a}]\nbrokers: [{name: kafka1}, {name: kafka2}]\n";
    assert_eq!(policy(unsaid), []);
}

#[test]
fn super_users_and_nobodies_are_found() {
    assert_eq!(
        policy(
            "\
cluster:
  admin: admin
  super_users: [User:x, User:ANONYMOUS]
  allow_everyone_if_no_acl_found: true
clients: [{name: admin}]
acls:
  - {principal: User:admin, allow: Read, topic: t}
  - {principal: User:x, deny: Read, topic: t}
  - {principal: User:*, deny: Read, group: '*'}
"
        ),
        found(&[
            ("anonymous-super-user", "p.yaml:3:25"),
            ("allow-everyone", "p.yaml:4:35"),
            ("super-user-acl", "p.yaml:7:5"),
            ("super-user-acl", "p.yaml:8:5"),
            ("deny-wildcard-gap", "p.yaml:9:5"),
        ])
    );
    assert_eq!(
        acls("  - {principal: User:ANONYMOUS, allow: Read, topic: t}\n"),
        found(&[("anonymous-allowed", "p.yaml:4:5")])
    );
    let brokers = "brokers: [{name: k1}]\nclients: [{name: a}]\n";
    assert_eq!(policy(brokers), found(&[("no-admin", "p.yaml:1:1")]));
    let admin = "brokers: [{name: k1}]\nclients: [{name: a, roles: [admin]}]\n";
    assert_eq!(policy(admin), []);
}

#[test]
fn what_crosses_the_network_for_all_to_read_is_found() {
    let listeners = |more: &str| {
        format!(
            "\
cluster:
  admin: admin
  listeners:
    - {{name: SSL, port: 9093, protocol: SSL}}
    - {{name: PLAIN, port: 9092, protocol: PLAINTEXT}}
    - {{name: SASL, port: 9094, protocol: SASL_PLAINTEXT, mechanisms: [SCRAM-SHA-512]}}
{more}
clients: [{{name: admin}}]
brokers: [{{name: k1, id: 1}}, {{name: k2, id: 2}}, {{name: k3, id: 3}}]
"
        )
    };
    let both = [
        ("plaintext-listener", "p.yaml:5:7"),
        ("sasl-plaintext-listener", "p.yaml:6:7"),
    ];
    assert_eq!(
        policy(&listeners("  inter_broker_listener: SSL")),
        found(&both)
    );
    let between = [&both[..], &[("plaintext-between-brokers", "p.yaml:7:26")]].concat();
    let by_password = listeners("  inter_broker_listener: SASL");
    assert_eq!(policy(&by_password), found(&between));

    // An error, unless nobody else can listen in.
    for (address, severity) in [
        ("10.0.0.1", "error"),
        ("127.0.0.1", "warning"),
        ("::1", "warning"),
        ("localhost", "warning"),
    ] {
        let kpki = Kpki::new();
        kpki.write(
            "p.yaml",
            &listeners(&format!("  bind_address: '{address}'")),
        );
        let out = kpki.run(&["acl", "lint", "p.yaml", "--json"]).json();
        for finding in out["findings"].as_array().unwrap() {
            assert_eq!(finding["severity"], severity, "{address}: {finding}");
        }
    }
}

#[test]
fn what_makes_a_policy_invalid_for_brokers_is_a_finding() {
    let kpki = Kpki::new();
    kpki.write("p.yaml", &format!("{CLIENTS}  - {{principal: 'User: a', host: localhost, allow: Read, topic: 'orders-*'}}\n"));
    let found = lint(&kpki, "p.yaml", &[]);
    let codes: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(
        codes,
        ["principal-space", "host-never-matches", "literal-asterisk"]
    );
    // What went wrong is said even with -q, and nothing but JSON with --json.
    let quiet = kpki.run(&["acl", "lint", "p.yaml", "-q"]).expect_code(3);
    assert_eq!(
        quiet.stdout.matches("error[").count(),
        3,
        "{}",
        quiet.stdout
    );
    let json = kpki.run(&["acl", "lint", "p.yaml", "--json"]);
    assert!(!json.stderr.contains("error["), "{}", json.stderr);
    // The version decides.
    let range = |version: &str| {
        policy(&format!(
            "cluster: {{kafka_version: \"{version}\"}}\nacls: [{{principal: User:a, host: 10.0.0.0/8, deny: Read, topic: t}}]\n"
        ))
    };
    assert_eq!(
        range("4.3"),
        found_one("host-range-unsupported", "p.yaml:2:34")
    );
    assert_eq!(range("4.4"), []);
}

fn found_one(code: &str, source: &str) -> Vec<(String, String)> {
    found(&[(code, source)])
}

#[test]
fn an_export_is_looked_at_as_brokers_read_it() {
    let kpki = Kpki::new();
    let line = |change: Value| {
        let mut binding = json!({"resource_type": "TOPIC", "pattern_type": "LITERAL", "name": "t", "principal": "User:a",
                                 "host": "*", "operation": "READ", "permission": "ALLOW"});
        for (key, value) in change.as_object().unwrap() {
            binding[key] = value.clone();
        }
        binding.to_string()
    };
    let lines = [
        (
            json!({"host": "10.0.0.0/8", "permission": "DENY"}),
            "host-range-unsupported",
        ),
        (json!({"host": "localhost"}), "host-never-matches"),
        (json!({"host": "::1"}), "host-not-java-form"),
        (json!({"principal": "User: a"}), "principal-space"),
        (json!({"principal": "user:v"}), "principal-type-case"),
        (json!({"principal": "User:"}), "principal-empty-name"),
        (
            json!({"resource_type": "GROUP", "operation": "WRITE"}),
            "operation-foreign",
        ),
        (
            json!({"resource_type": "CLUSTER", "name": "kafka-cluster"}),
            "operation-foreign",
        ),
        (
            json!({"name": "*", "pattern_type": "PREFIXED"}),
            "prefixed-asterisk",
        ),
        (
            json!({"resource_type": "GROUP", "name": " g"}),
            "name-breaks-authorizer",
        ),
        (
            json!({"resource_type": "GROUP", "name": "#g"}),
            "name-breaks-authorizer",
        ),
        (json!({"name": "orders*"}), "literal-asterisk"),
        (json!({"principal": "User:team-*"}), "principal-asterisk"),
        (json!({"name": "u"}), ""),
        (json!({"name": "u"}), "duplicate"),
        (json!({"name": "v", "operation": "ALL"}), ""),
        (json!({"name": "v"}), "shadowed"),
    ];
    let text: Vec<String> = lines
        .iter()
        .map(|(change, _)| line(change.clone()) + "\n")
        .collect();
    kpki.write("acls.jsonl", &text.concat());
    let expected: Vec<(String, String)> = (1..)
        .zip(&lines)
        .filter(|(_, (_, code))| !code.is_empty())
        .map(|(n, (_, code))| ((*code).to_owned(), format!("acls.jsonl:{n}:1")))
        .collect();
    assert_eq!(lint(&kpki, "acls.jsonl", &[]), expected);

    let messages = kpki.run(&["acl", "lint", "acls.jsonl"]).stdout;
    assert!(
        messages.contains("matches no client to it; this DENY has no effect"),
        "{messages}"
    );
    // In 4.4 the range is one, and with these super users the denial is void.
    kpki.write("one.jsonl", &text[0]);
    assert_eq!(lint(&kpki, "one.jsonl", &["--kafka-version", "4.4"]), []);
    assert_eq!(
        lint(
            &kpki,
            "one.jsonl",
            &[
                "--kafka-version",
                "4.4",
                "--super-users",
                "User:a;User:ANONYMOUS"
            ]
        ),
        found(&[
            ("anonymous-super-user", "one.jsonl:1:1"),
            ("super-user-acl", "one.jsonl:1:1")
        ])
    );
}
