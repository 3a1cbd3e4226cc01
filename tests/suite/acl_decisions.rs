//! `kpki acl expand`, `explain` and `test`: what a policy means, and who may do what.

use serde_json::{Value, json};

use crate::support::kpki::Kpki;

const POLICY: &str = "\
cluster: {admin: admin, super_users: [User:breakglass]}
brokers: [{name: kafka1}]
clients:
  - {name: admin}
  - name: orders
    auth: [tls, scram-sha-512]
    roles:
      - produce: {topic: orders, create: true}
      - consume: {topic: {prefix: clicks-}, group: orders}
acls:
  - {principal: User:etl, host: 10.0.0.7, allow: [Read], topic: {prefix: etl-}}
  - {principal: User:etl, deny: [Read], topic: etl-secret}
tests:
  - {principal: User:orders, can: [Write, Describe], topic: orders}
  - {principal: User:etl, host: 10.0.0.7, can: Read, topic: etl-a}
  - {principal: User:etl, host: 10.0.0.7, cannot: Read, topic: etl-secret}
  - {principal: User:kafka1, can: Alter, cluster: true}
";

fn kpki() -> Kpki {
    let kpki = Kpki::new();
    kpki.write("p.yaml", POLICY);
    kpki
}

fn binding(name: &str, pattern: &str, principal: &str, operation: &str) -> Value {
    json!({"resource_type": "TOPIC", "pattern_type": pattern, "name": name, "principal": principal,
           "host": "*", "operation": operation, "permission": "ALLOW"})
}

#[test]
fn expand_prints_one_binding_to_a_line_in_the_interfaces_form() {
    let out = kpki().ok(&["acl", "expand", "p.yaml", "--json"]);
    assert_eq!(
        out.stdout.lines().next(),
        Some(
            r#"{"resource_type":"TOPIC","pattern_type":"LITERAL","name":"orders","principal":"User:orders","host":"*","operation":"WRITE","permission":"ALLOW"}"#
        )
    );
    let lines = out.json_lines();
    assert_eq!(lines.len(), 6);
    assert!(lines.contains(&binding("clicks-", "PREFIXED", "User:orders", "READ")));
    assert_eq!(out.stderr, "");

    let table = kpki().ok(&["acl", "expand", "p.yaml"]).stdout;
    assert_eq!(
        table,
        "\
User:etl
  Allow Read on Topic prefix `etl-` from 10.0.0.7  p.yaml:11:5
  Deny Read on Topic `etl-secret`                  p.yaml:12:5
User:orders
  Allow Write on Topic `orders`         p.yaml:8:9
  Allow Create on Topic `orders`        p.yaml:8:9
  Allow Read on Topic prefix `clicks-`  p.yaml:9:9
  Allow Read on Group `orders`          p.yaml:9:9
"
    );
}

fn explain(kpki: &Kpki, arguments: &[&str]) -> Value {
    let all = [&["acl", "explain"], arguments, &["--json"]].concat();
    let out = kpki.run(&all);
    let answer = out.json();
    // What follows behind `&&` follows only where it is allowed.
    let allowed = answer["decision"] == "ALLOWED";
    out.expect_code(if allowed { 0 } else { 3 });
    answer
}

#[test]
fn explain_names_the_binding_and_its_line() {
    let kpki = kpki();
    let ask = |rest: &[&str]| explain(&kpki, &[&["p.yaml"], rest].concat());
    let principal = |p: &'static str, o: &'static str| ["--principal", p, "--operation", o];
    assert_eq!(
        ask(&[
            &principal("User:orders", "DESCRIBE")[..],
            &["--topic", "orders"]
        ]
        .concat()),
        json!({"decision": "ALLOWED", "reason": "allow", "source": "p.yaml:8:9",
               "acl": binding("orders", "LITERAL", "User:orders", "WRITE")})
    );
    let denied = ask(&[
        &principal("User:etl", "read")[..],
        &["--topic", "etl-secret", "--host", "10.0.0.7"],
    ]
    .concat());
    assert_eq!(denied["decision"], "DENIED");
    assert_eq!(denied["reason"], "deny");
    assert_eq!(denied["source"], "p.yaml:12:5");
    for (who, what, resource, decision, reason) in [
        (
            "User:kafka1",
            "ClusterAction",
            vec!["--cluster"],
            "ALLOWED",
            "super_user",
        ),
        (
            "User:admin",
            "Alter",
            vec!["--cluster", "kafka-cluster"],
            "ALLOWED",
            "super_user",
        ),
        (
            "User:breakglass",
            "Delete",
            vec!["--topic", "orders"],
            "ALLOWED",
            "super_user",
        ),
        (
            "User:orders",
            "Delete",
            vec!["--topic", "orders"],
            "DENIED",
            "no_match",
        ),
        (
            "User:orders",
            "Read",
            vec!["--group", "other"],
            "DENIED",
            "no_acl",
        ),
        (
            "User:orders",
            "Write",
            vec!["--transactional-id", "t"],
            "DENIED",
            "no_acl",
        ),
        (
            "User:orders",
            "Describe",
            vec!["--delegation-token", "t"],
            "DENIED",
            "no_acl",
        ),
        (
            "User:orders",
            "CreateTokens",
            vec!["--user", "User:b"],
            "DENIED",
            "no_acl",
        ),
        // The host counts.
        (
            "User:etl",
            "Read",
            vec!["--topic", "etl-a"],
            "DENIED",
            "no_match",
        ),
    ] {
        let answer = ask(&[&principal(who, what)[..], &resource].concat());
        let expected = json!({"decision": decision, "reason": reason, "acl": null, "source": null});
        assert_eq!(answer, expected, "{who} {what} {resource:?}");
    }
    let open = ask(&[
        &principal("User:orders", "Read")[..],
        &["--group", "other", "--allow-everyone"],
    ]
    .concat());
    assert_eq!(
        open,
        json!({"decision": "ALLOWED", "reason": "no_acl", "acl": null, "source": null})
    );
}

#[test]
fn a_denial_comes_with_what_to_write() {
    let kpki = kpki();
    let ask = |who: &str, what: &str, resource: &[&str]| {
        let start = [
            "acl",
            "explain",
            "p.yaml",
            "--principal",
            who,
            "--operation",
            what,
        ];
        let out = kpki.run(&[&start[..], resource].concat()).expect_code(3);
        (out.stdout, out.stderr)
    };
    let (said, hint) = ask("User:orders", "Read", &["--topic", "orders"]);
    assert_eq!(
        said,
        "DENIED  User:orders Read on Topic `orders`\n  there are ACLs on this resource, but none of them allows it\n"
    );
    // What is suggested is a policy in which it is allowed.
    for (start, line) in [
        ("    roles:\n", "- consume: "),
        ("acls:\n", "- {principal: "),
    ] {
        let line = hint
            .lines()
            .find(|l| l.trim().starts_with(line))
            .unwrap()
            .trim();
        let indent = if start == "acls:\n" { "  " } else { "      " };
        kpki.write(
            "q.yaml",
            &POLICY.replacen(start, &format!("{start}{indent}{line}\n"), 1),
        );
        let rest = [
            "--principal",
            "User:orders",
            "--operation",
            "Read",
            "--topic",
            "orders",
        ];
        let answer = explain(&kpki, &[&["q.yaml"], &rest[..]].concat());
        assert_eq!(answer["decision"], "ALLOWED", "{line}");
    }
    let (_, hint) = ask("User:o #1", "Alter", &["--cluster"]);
    assert!(
        hint.contains(r#"- {principal: "User:o #1", allow: [Alter], cluster: true}"#),
        "{hint}"
    );
    let (said, hint) = ask("User:etl", "Read", &["--topic", "etl-secret"]);
    assert!(
        said.contains("by Deny User:etl Read on Topic `etl-secret` from *\n  p.yaml:12:5"),
        "{said}"
    );
    assert!(hint.contains("a Deny wins over every Allow"), "{hint}");
}

#[test]
fn an_export_is_told_from_a_policy_and_its_lines_are_the_sources() {
    let kpki = kpki();
    let lines = kpki.ok(&["acl", "expand", "p.yaml", "--json"]).stdout;
    kpki.write("acls.jsonl", &format!("\n{lines}"));
    kpki.write("dump", &lines);
    let rest = [
        "--principal",
        "User:orders",
        "--operation",
        "Write",
        "--topic",
        "orders",
    ];
    for (file, source) in [("acls.jsonl", "acls.jsonl:2:1"), ("dump", "dump:1:1")] {
        assert_eq!(
            explain(&kpki, &[&[file], &rest[..]].concat())["source"],
            source
        );
    }
    let start = ["acl", "explain", "-", "--json"];
    let piped = kpki
        .run_with_input(&[&start[..], &rest].concat(), &lines)
        .expect_code(0);
    assert_eq!(piped.json()["source"], "standard input:1:1");
    let piped = kpki
        .run_with_input(&[&start[..], &rest].concat(), POLICY)
        .expect_code(0);
    assert_eq!(piped.json()["source"], "standard input:8:9");

    // An export knows no super users but those that are given.
    let admin = [
        "acls.jsonl",
        "--principal",
        "User:admin",
        "--operation",
        "Alter",
        "--cluster",
    ];
    assert_eq!(explain(&kpki, &admin)["decision"], "DENIED");
    let given = [&admin[..], &["--super-users", " User:x; User:admin "]].concat();
    assert_eq!(explain(&kpki, &given)["reason"], "super_user");

    // Ranges of hosts are matched from 4.4 on.
    kpki.write("range.jsonl", r#"{"resource_type":"TOPIC","pattern_type":"LITERAL","name":"t","principal":"User:a","host":"10.0.0.0/8","operation":"READ","permission":"ALLOW"}"#);
    let range = [
        "range.jsonl",
        "--principal",
        "User:a",
        "--operation",
        "Read",
        "--topic",
        "t",
        "--host",
        "10.1.2.3",
    ];
    assert_eq!(explain(&kpki, &range)["decision"], "DENIED");
    let new = [&range[..], &["--kafka-version", "4.4"]].concat();
    assert_eq!(explain(&kpki, &new)["decision"], "ALLOWED");

    kpki.write("bad.jsonl", "{\"resource_type\":\"TOPICS\"}");
    let bad = kpki.run(&[
        "acl",
        "explain",
        "bad.jsonl",
        "--principal",
        "User:a",
        "--operation",
        "Read",
        "--topic",
        "t",
        "--json",
    ]);
    let error = bad.expect_code(2).json();
    assert_eq!(error["error"]["code"], "export-malformed");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("bad.jsonl:1: not an ACL binding: unknown resource type `TOPICS`"),
        "{message}"
    );
}

#[test]
fn requests_are_answered_in_their_order_each_on_its_line() {
    let kpki = kpki();
    let request = |who: &str, topic: &str| json!({"principal": who, "host": "10.0.0.1", "operation": "WRITE", "resource_type": "TOPIC", "name": topic});
    let mut requests = String::new();
    for n in 0..40_000 {
        let who = if n % 3 == 0 {
            "User:orders"
        } else {
            "User:other"
        };
        requests.push_str(&format!("{}\n", request(who, "orders")));
    }
    kpki.write("requests.jsonl", &requests);
    let arguments = ["acl", "explain", "p.yaml", "--requests", "requests.jsonl"];
    let answers = kpki.ok(&arguments).json_lines();
    assert_eq!(answers.len(), 40_000);
    for (n, answer) in answers.iter().enumerate() {
        let expected = if n % 3 == 0 { "ALLOWED" } else { "DENIED" };
        assert_eq!(answer["decision"], expected, "line {n}");
    }
    assert_eq!(answers[0]["source"], "p.yaml:8:9");

    // A line that asks nothing is answered in its place.
    let lines = format!(
        "{}\nnonsense\n{}\n{}",
        request("User:orders", "orders"),
        request("User:*", "orders"),
        request("User:orders", "x")
    );
    let arguments = ["acl", "explain", "p.yaml", "--requests", "-"];
    let out = kpki.run_with_input(&arguments, &lines).expect_code(1);
    assert!(
        out.stderr.contains("2 requests could not be decided"),
        "{}",
        out.stderr
    );
    let answers = out.json_lines();
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0]["decision"], "ALLOWED");
    assert_eq!(answers[1]["error"]["code"], "request-malformed");
    assert!(
        answers[1]["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("-:2: ")
    );
    assert_eq!(answers[2]["error"]["code"], "request-malformed");
    assert_eq!(answers[3]["decision"], "DENIED");
}

#[test]
fn explain_refuses_what_makes_no_sense() {
    let kpki = kpki();
    for (arguments, code) in [
        (
            &[
                "--principal",
                "orders",
                "--operation",
                "Read",
                "--topic",
                "t",
            ][..],
            "request-impossible",
        ),
        (
            &[
                "--principal",
                "User:*",
                "--operation",
                "Read",
                "--topic",
                "t",
            ],
            "request-impossible",
        ),
        (
            &[
                "--principal",
                "User:a",
                "--operation",
                "Read",
                "--topic",
                "t",
                "--host",
                "localhost",
            ],
            "request-impossible",
        ),
        (&["--principal", "User:a", "--operation", "Read"], "usage"),
        (
            &[
                "--principal",
                "User:a",
                "--operation",
                "Reed",
                "--topic",
                "t",
            ],
            "usage",
        ),
        (
            &[
                "--principal",
                "User:a",
                "--operation",
                "Read",
                "--topic",
                "t",
                "--group",
                "g",
            ],
            "usage",
        ),
        (
            &[
                "--principal",
                "User:a",
                "--operation",
                "Read",
                "--cluster",
                "other",
            ],
            "usage",
        ),
        (&["--topic", "t"], "usage"),
        (
            &[
                "--principal",
                "User:a",
                "--operation",
                "Read",
                "--topic",
                "t",
                "--super-users",
                "admin",
            ],
            "bad-super-users",
        ),
    ] {
        let all = [&["acl", "explain", "p.yaml", "--json"], arguments].concat();
        let error = kpki.run(&all).expect_code(2).json();
        assert_eq!(error["error"]["code"], code, "{arguments:?}");
    }
    let missing = kpki.run(&["acl", "explain", "p.yaml", "--requests", "none.jsonl"]);
    assert!(
        missing
            .expect_code(1)
            .stderr
            .contains("cannot read the requests none.jsonl")
    );
}

#[test]
fn tests_of_a_policy_pass_or_say_what_decided() {
    let kpki = kpki();
    let passed = kpki.ok(&["acl", "test", "p.yaml"]);
    assert_eq!(passed.stdout, "passed  5 requests of the policy's tests\n");
    assert_eq!(
        kpki.json(&["acl", "test", "p.yaml", "--json"]),
        json!({"ok": true, "passed": 5, "failed": []})
    );

    let more = "\
  - {principal: User:orders, cannot: Write, topic: orders}
  - {principal: User:orders, can: Read, topic: [clicks-a, orders]}
";
    kpki.write("p.yaml", &format!("{POLICY}  {more}"));
    let failed = kpki.run(&["acl", "test", "p.yaml"]).expect_code(3);
    assert_eq!(
        failed.stdout,
        "\
failed  p.yaml:18:5
        User:orders Write on Topic `orders` should be denied and is allowed: by Allow User:orders Write on Topic `orders` from * (p.yaml:8:9)
failed  p.yaml:19:5
        User:orders Read on Topic `orders` should be allowed and is denied: there are ACLs on this resource, but none of them allows it

failed  2 of 8 requests of the policy's tests
"
    );
    let json = kpki
        .run(&["acl", "test", "p.yaml", "--json"])
        .expect_code(3)
        .json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["passed"], 6);
    assert_eq!(
        json["failed"][0],
        json!({
            "source": "p.yaml:18:5",
            "request": {"principal": "User:orders", "host": "0.0.0.0", "operation": "WRITE", "resource_type": "TOPIC", "name": "orders"},
            "expected": "DENIED", "decision": "ALLOWED", "reason": "allow",
            "acl": binding("orders", "LITERAL", "User:orders", "WRITE"), "acl_source": "p.yaml:8:9",
        })
    );
    assert_eq!(json["failed"][1]["acl"], Value::Null);

    kpki.write("none.yaml", "clients: [{name: a}]\n");
    let none = kpki.ok(&["acl", "test", "none.yaml"]);
    assert!(none.stdout.contains("no tests"), "{}", none.stdout);
}

#[test]
fn an_invalid_policy_is_no_answer() {
    let kpki = Kpki::new();
    kpki.write("p.yaml", "clients: [{nam: a}]\nacls: [{principal: a}]\n");
    for verb in ["expand", "test", "lint"] {
        let error = kpki
            .run(&["acl", verb, "p.yaml", "--json"])
            .expect_code(2)
            .json();
        assert_eq!(error["error"]["code"], "invalid-policy", "{verb}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn decisions_that_are_cut_short_fail() {
    let kpki = kpki();
    let request = json!({"principal": "User:a", "host": "10.0.0.1", "operation": "READ", "resource_type": "TOPIC", "name": "t"});
    kpki.write("requests.jsonl", &request.to_string());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = kpki
        .command(&["acl", "explain", "p.yaml", "--requests", "requests.jsonl"])
        .stdout(full.unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("standard output cannot be written"), "{said}");
}
