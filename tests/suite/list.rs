//! `kpki list`: what the inventory says of every certificate.

use serde_json::{Value, json};

use crate::support::kpki::Kpki;

/// The names and states of what is listed.
fn states(listed: &Value) -> Vec<(&str, &str)> {
    let listed = listed.as_array().unwrap().iter();
    listed
        .map(|c| (c["name"].as_str().unwrap(), c["status"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_certificate_is_listed_with_what_became_of_it() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Test CA", "--days", "3650"]);
    kpki.ok(&["issue", "kafka1", "--host", "10.0.0.1"]);
    kpki.ok(&["issue", "--client", "alice", "--days", "30"]);
    kpki.ok(&["renew", "alice"]);
    let listed = kpki.json(&["list", "--json"]);
    assert_eq!(
        states(&listed),
        [
            ("ca", "valid"),
            ("kafka1", "valid"),
            ("alice", "replaced"),
            ("alice", "valid")
        ]
    );
    let line = std::fs::read_to_string(kpki.path("out/ca/inventory.jsonl")).unwrap();
    let record: Value = serde_json::from_str(line.lines().nth(1).unwrap()).unwrap();
    let field = |name: &str| record[name].clone();
    assert_eq!(
        listed[1],
        json!({
            "name": "kafka1",
            "kind": "broker",
            "serial": field("serial"),
            "subject": "CN=kafka1",
            "sans": ["DNS:kafka1", "IP:10.0.0.1"],
            "not_before": field("not_before"),
            "not_after": field("not_after"),
            "status": "valid",
            "issuer": "CN=Test CA G1",
        })
    );
    let table = kpki.ok(&["list"]).stdout;
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.contains("DNS:kafka1 IP:10.0.0.1"), "{table}");
}

#[test]
fn what_ends_soon_is_the_answer_no_unless_it_was_replaced() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki.ok(&["issue", "--client", "alice", "bob", "--days", "30"]);
    kpki.ok(&["renew", "alice", "--days", "90"]);
    let ending = kpki.run(&["list", "--expiring", "30", "--json"]);
    let ending = ending.expect_code(3).json();
    assert_eq!(states(&ending), [("bob", "valid")]);
    let ending = kpki.run(&["list", "--expiring", "90", "--json"]);
    let ending = ending.expect_code(3).json();
    assert_eq!(states(&ending), [("bob", "valid"), ("alice", "valid")]);
    assert_eq!(
        kpki.json(&["list", "--expiring", "20", "--json"]),
        json!([])
    );
    let none = kpki.ok(&["list", "--expiring", "20"]).stdout;
    assert_eq!(none, "no certificate expires within 20 days\n");
}

#[test]
fn what_has_ended_and_was_not_replaced_ends_soon_as_well() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice"]);
    let inventory = kpki.path("out/ca/inventory.jsonl");
    let text = std::fs::read_to_string(&inventory).unwrap();
    let (ca, alice) = text.split_once('\n').unwrap();
    let mut alice: Value = serde_json::from_str(alice).unwrap();
    alice["not_after"] = json!("2020-01-01T00:00:00Z");
    std::fs::write(&inventory, format!("{ca}\n{alice}\n")).unwrap();
    let ended = kpki.run(&["list", "--expiring", "0", "--json"]);
    assert_eq!(states(&ended.expect_code(3).json()), [("alice", "expired")]);
}

#[test]
fn without_a_ca_there_is_no_list() {
    let kpki = Kpki::new();
    let error = kpki.run(&["list", "--json"]).expect_code(1).json();
    assert_eq!(error["error"]["code"], "ca-missing");
}
