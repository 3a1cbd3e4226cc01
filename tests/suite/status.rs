//! `kpki status`: what has to be done now, and that doing just that is enough; and what a monitoring system is told.

use std::{collections::BTreeSet, fs};

use saphyr_parser::{Event, Parser};
use serde_json::{Value, json};

use crate::{
    probe::serve_kafka1,
    support::{kpki::Kpki, ports, root},
};

/// Lets a certificate of this name have ended yesterday.
fn end(kpki: &Kpki, name: &str) {
    let path = kpki.path("out/ca/inventory.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["name"] == name {
            let then = time::OffsetDateTime::now_utc() - time::Duration::DAY;
            let format = &time::format_description::well_known::Rfc3339;
            record["not_after"] = then.truncate_to_second().format(format).unwrap().into();
        }
        format!("{record}\n")
    });
    fs::write(&path, lines.collect::<String>()).unwrap();
}

/// Code, name and command of all that is due.
fn due(status: &Value) -> Vec<[&str; 3]> {
    let due = status["due"].as_array().unwrap().iter();
    due.map(|due| ["code", "name", "command"].map(|key| due[key].as_str().unwrap()))
        .collect()
}

#[test]
fn what_ends_is_said_most_urgent_first_and_the_commands_are_enough() {
    let kpki = Kpki::new();
    let none = kpki.run(&["status", "--json"]).expect_code(1).json();
    assert_eq!(none["error"]["code"], "ca-missing");
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki.ok(&["issue", "--client", "alice", "--days", "90"]);
    let fine = kpki.json(&["status", "--json"]);
    assert_eq!(fine, json!({"ok": true, "due": []}));
    let said = kpki.ok(&["status"]).stdout;
    assert!(
        said.starts_with(
            "nothing to do  3 certificates in use; the first to expire is alice, on 2"
        ),
        "{said}"
    );

    kpki.ok(&["issue", "--client", "bob", "--days", "20"]);
    kpki.ok(&["issue", "--client", "carol", "--days", "10"]);
    end(&kpki, "kafka1");
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert_eq!(status["ok"], false);
    let expected = ["kafka1", "carol", "bob"].map(|name| ["expires", name, ""]);
    let found = due(&status)
        .into_iter()
        .map(|[code, name, _]| [code, name, ""]);
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let by = status["due"][1]["by"].as_str().unwrap();
    assert!(by.ends_with('Z'), "{by}");
    let said = kpki.run(&["status"]).expect_code(3).stdout;
    let mut lines = said.lines();
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("expires  kafka1: the certificate of the broker expired on "),
        "{first}"
    );
    assert!(first.ends_with(", 1 day ago"), "{first}");
    assert_eq!(lines.next(), Some("    kpki renew kafka1"));

    for [_, _, command] in due(&status) {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        kpki.ok(&words);
    }
    kpki.ok(&["status"]);

    // Whose directory is gone is nobody's any more once the certificate has ended; the key may be elsewhere until then.
    kpki.ok(&["issue", "--client", "dave", "--days", "10"]);
    fs::remove_dir_all(kpki.path("out/dave")).unwrap();
    let gone = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert_eq!(
        due(&gone),
        [[
            "expires",
            "dave",
            "kpki sign dave.csr --name dave --client --host dave > dave.crt"
        ]]
    );
    end(&kpki, "dave");
    kpki.ok(&["status"]);

    // The CA, long before it ends: replacing it takes a while.
    kpki.ok(&["--out", "short", "init-ca", "--days", "20"]);
    // It ends with its CA, and so would the next one.
    kpki.ok(&["--out", "short", "issue", "--client", "erin"]);
    let ca = kpki
        .run(&["--out", "short", "status", "--json"])
        .expect_code(3)
        .json();
    assert_eq!(
        due(&ca),
        [["expires", "ca", "kpki --out short rotate-ca start"]]
    );
}

/// The short command made a certificate without them.
#[test]
fn a_request_is_signed_again_for_the_hosts_that_are_recorded() {
    let kpki = Kpki::with_open_ca();
    kpki.ok(&["issue", "--client", "far", "--csr-only", "--out", "there"]);
    let sign = ["sign", "there/far/far.csr", "--client", "--days", "5"];
    kpki.ok(&[&sign[..], &["--host", "far", "--host", "10.0.0.1"]].concat());
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    let command = "kpki sign far.csr --name far --client --host far --host 10.0.0.1 > far.crt";
    assert_eq!(due(&status), [["expires", "far", command]]);
    let said = kpki.ok(&["sign", "there/far/far.csr"]).stderr;
    let lost = "the certificate of the client far will no longer name far and 10.0.0.1";
    assert!(said.contains(lost), "{said}");
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: far, key: external, hosts: [far]}]\n",
    );
    let said = kpki.ok(&["up", "policy.yaml"]).stderr;
    assert!(
        said.contains("hosts change from none to DNS:far:"),
        "{said}"
    );
}

#[test]
fn a_revocation_list_that_ends_or_lacks_something_is_due() {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice", "bob"]);
    kpki.ok(&["revoke", "alice"]);
    // What is revoked is nobody's to renew, and the list has it.
    kpki.ok(&["status"]);
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let said = kpki.ok(&["revoke", "-q", "bob"]).stderr;
    assert!(
        said.contains("warning: out/ca/crl.pem still lacks this, although it is recorded: ")
            && said.ends_with(" until you run\n    kpki crl\n"),
        "{said}"
    );
    let due = || kpki.run(&["status", "--json"]).expect_code(3).json()["due"].take();
    let lacks = due();
    assert_eq!(
        (&lacks[0]["code"], &lacks[0]["command"]),
        (&json!("crl"), &json!("kpki crl"))
    );
    assert_eq!(lacks[0]["by"], Value::Null);
    kpki.env("KPKI_CA_PASSPHRASE", "a passphrase of the tests");
    kpki.ok(&["crl"]);
    kpki.ok(&["status"]);
    // A clock that has gone on: a list that was good for a day.
    kpki.ok(&["crl", "--days", "1"]);
    kpki.ok(&["status"]);
}

#[test]
fn more_than_a_screen_is_counted() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let names: Vec<String> = (0..14).map(|n| format!("c{n}")).collect();
    let mut arguments = vec!["issue", "--client", "--days", "5"];
    arguments.extend(names.iter().map(String::as_str));
    kpki.ok(&arguments);
    let said = kpki.run(&["status"]).expect_code(3).stdout;
    assert_eq!(said.lines().count(), 21, "{said}");
    assert!(
        said.ends_with("and 4 more; --json lists all of them\n"),
        "{said}"
    );
}

#[test]
fn brokers_are_asked_what_they_serve_and_those_that_are_down_are_a_note() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    let policy = format!(
        "cluster: {{name: t, listeners: [{{name: SSL, port: {port}, protocol: SSL, client_auth: required}}], mode: zookeeper, kafka_version: '3.9', zookeeper_connect: ['localhost:1']}}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
"
    );
    kpki.write("policy.yaml", &policy);
    kpki.ok(&["up", "policy.yaml"]);
    let status = || kpki.run(&["status", "policy.yaml", "--json"]);
    let none = status().expect_code(0);
    let unchecked = ["kafka1 on SSL", "ACLs", "SCRAM users"];
    assert_eq!(
        none.json(),
        json!({"ok": true, "due": [], "unchecked": unchecked})
    );
    let said: Vec<&str> = none.stderr.lines().collect();
    let listener = format!(
        "warning: not checked: kafka1 on SSL: localhost:{port}: nothing is listening on this port"
    );
    assert!(said[0].starts_with(&listener), "{}", none.stderr);
    assert_eq!(
        said[1],
        "warning: not checked: ACLs and SCRAM users: no broker answers"
    );

    serve_kafka1(&kpki, port);
    let fine = status().expect_code(0);
    assert!(!fine.stderr.contains("cannot be seen"), "{}", fine.stderr);
    kpki.ok(&["renew", "kafka1"]);
    let behind = status().expect_code(3).json();
    assert_eq!(
        due(&behind),
        [["renewed-not-served", "kafka1", "kpki reload kafka1"]]
    );
    let message = behind["due"][0]["message"].as_str().unwrap();
    assert!(message.contains("out/kafka1"), "{message}");
    // A host less, which no reload brings.
    kpki.write(
        "policy.yaml",
        &policy.replace("[localhost, kafka1]", "[localhost]"),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let behind = status().expect_code(3).json();
    assert_eq!(
        due(&behind),
        [["renewed-not-served", "kafka1", "restart kafka1"]]
    );
}

/// Each metric's name with its samples.
fn samples(text: &str) -> Vec<(String, String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            for kind in ["HELP", "TYPE"] {
                assert!(text.contains(&format!("# {kind} {name} ")), "{line}");
            }
            (name.to_owned(), labels.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn metrics_say_the_same_and_the_alert_rules_speak_of_them() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki.ok(&["issue", "--client", "alice", "--days", "10"]);
    kpki.write("kpki.prom", "stale");
    kpki.run(&["status", "-q", "--metrics", "kpki.prom"])
        .expect_code(3);
    assert_eq!(kpki.mode("kpki.prom"), 0o644);
    let text = fs::read_to_string(kpki.path("kpki.prom")).unwrap();
    assert!(text.ends_with('\n'));
    let samples = samples(&text);
    let value = |name: &str, label: &str| {
        let found = samples
            .iter()
            .find(|(n, labels, _)| n == name && labels.contains(label));
        found.unwrap_or_else(|| panic!("{name} {label}: {text}")).2
    };
    let now = time::OffsetDateTime::now_utc().unix_timestamp() as f64;
    let left = value(
        "kpki_certificate_expiry_timestamp_seconds",
        "name=\"alice\",kind=\"client\"",
    ) - now;
    assert!((9.0 * 86400.0..=10.0 * 86400.0).contains(&left), "{left}");
    assert!(value("kpki_certificate_expiry_timestamp_seconds", "kind=\"ca\"") > now);
    assert_eq!(value("kpki_due", "code=\"expires\""), 1.0);
    assert_eq!(value("kpki_due", "code=\"drift\""), 0.0);
    assert!((now - value("kpki_last_run_timestamp_seconds", "")).abs() < 60.0);
    let left_over = fs::read_dir(kpki.dir()).unwrap().filter(|e| {
        let name = e.as_ref().unwrap().file_name().into_string().unwrap();
        name.contains("prom") && name != "kpki.prom"
    });
    assert_eq!(left_over.count(), 0);
    kpki.run(&["status", "--metrics", "no/such/directory.prom"])
        .expect_code(1);
    for file in ["kpki.txt", "kpki.prom.tmp", "/dev/stdout", "-"] {
        let refused = kpki.run(&["status", "--metrics", file]);
        let said = refused.expect_code(2).stderr;
        assert!(said.contains("must end in .prom"), "{said}");
    }

    // The rules are YAML, each with what Prometheus wants of it, and of metrics and codes that there are.
    let rules = fs::read_to_string(root().join("docs/alerts.yaml")).unwrap();
    let events = Parser::new_from_str(&rules).map(|event| event.unwrap().0);
    let scalars: Vec<String> = events
        .filter_map(|event| match event {
            Event::Scalar(text, ..) => Some(text.into_owned()),
            _ => None,
        })
        .collect();
    let after = |key: &str| -> Vec<&String> {
        let pairs = scalars.windows(2).filter(|pair| pair[0] == key);
        pairs.map(|pair| &pair[1]).collect()
    };
    let names: BTreeSet<&str> = samples.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(after("alert").len() >= 7);
    for key in ["expr", "severity", "summary", "description"] {
        assert_eq!(after(key).len(), after("alert").len(), "{key}");
    }
    let mut spoken = BTreeSet::new();
    for expr in after("expr") {
        let words = expr.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in words.filter(|word| word.starts_with("kpki_")) {
            assert!(names.contains(word), "{expr}");
            spoken.insert(word);
        }
        if let Some((_, code)) = expr.split_once("code=\"") {
            let code = code.split('"').next().unwrap();
            assert!(
                text.contains(&format!("kpki_due{{code=\"{code}\"}}")),
                "{expr}"
            );
        }
    }
    assert!(spoken.len() >= 3, "{spoken:?}");
    let explained = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for name in names {
        assert!(explained.contains(&format!("| `{name}` |")), "{name}");
    }
}
