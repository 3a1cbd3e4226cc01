//! `kpki renew`: by name, all at once, and those that are due.

use std::fs;

use kpki::pki::Certificate;
use serde_json::{Value, json};

use crate::support::kpki::{Kpki, Output};

fn with(identities: &[&[&str]]) -> Kpki {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    for identity in identities {
        kpki.ok(identity);
    }
    kpki
}

fn leaf(kpki: &Kpki, name: &str) -> Certificate {
    let pem = fs::read(kpki.path(format!("out/{name}/{name}.crt"))).unwrap();
    let der = kpki::keystore::pem::parse_certificates(&pem).unwrap();
    Certificate::from_der(&der[0]).unwrap()
}

/// Has the certificates of a name begin years ago, so that little of their time is left.
fn grow_old(kpki: &Kpki, name: &str) {
    let path = kpki.path("out/ca/inventory.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["name"] == name {
            record["not_before"] = json!("2001-01-01T00:00:00Z");
        }
        format!("{record}\n")
    });
    fs::write(&path, lines.collect::<String>()).unwrap();
}

fn names(said: &Output) -> Vec<String> {
    let records = said.json();
    let names = records.as_array().unwrap().iter();
    names
        .map(|r| r["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_due_is_renewed_and_all_where_all_are_asked_for() {
    let mut kpki = with(&[
        &["issue", "kafka1", "kafka2"],
        &["issue", "--client", "alice"],
        &["issue", "--client", "gone"],
    ]);
    fs::remove_dir_all(kpki.path("out/gone")).unwrap();
    let passphrase = "a passphrase of the tests";
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let said = kpki.ok(&["renew", "--due"]);
    assert!(
        said.stdout.contains("nothing to renew; next is "),
        "{}",
        said.stdout
    );
    assert_eq!(kpki.json(&["--json", "renew", "--due"]), json!([]));
    kpki.env("KPKI_CA_PASSPHRASE", passphrase);
    grow_old(&kpki, "kafka2");
    let before = (leaf(&kpki, "kafka1"), leaf(&kpki, "kafka2"));
    assert_eq!(names(&kpki.ok(&["--json", "renew", "--due"])), ["kafka2"]);
    assert_eq!(leaf(&kpki, "kafka1"), before.0);
    assert_ne!(leaf(&kpki, "kafka2").serial, before.1.serial);
    let all = kpki.ok(&["--json", "renew", "--all", "--new-key", "--days", "30"]);
    assert_eq!(names(&all), ["alice", "kafka1", "kafka2"]);
    let after = leaf(&kpki, "kafka1");
    assert_ne!(after.public_key_info, before.0.public_key_info);
    assert_eq!(after.hosts, before.0.hosts);
    for wrong in [
        &["renew"][..],
        &["renew", "--all", "--due"],
        &["renew", "--all", "kafka1"],
        &["renew", "--due", "--host", "x"],
        &["renew", "kafka1", "kafka2", "--host", "x"],
    ] {
        kpki.run(wrong).expect_code(2);
    }
}

#[test]
fn one_that_is_damaged_holds_up_those_who_were_not_named_with_it() {
    let kpki = with(&[&["issue", "kafka1", "kafka2"]]);
    kpki.write("out/kafka2/kafka2.crt", "not a certificate");
    let before = leaf(&kpki, "kafka1").serial;
    let said = kpki
        .run(&["--json", "renew", "kafka1", "kafka2"])
        .expect_code(1);
    assert_eq!(said.json()["error"]["code"], "identity-damaged");
    assert_eq!(leaf(&kpki, "kafka1").serial, before);
    let said = kpki.run(&["--json", "renew", "--all"]).expect_code(4);
    let document = said.json();
    let message = document["error"]["message"].to_string();
    assert!(message.contains("kafka2.crt is damaged"), "{message}");
    // Machines were only told what was not done.
    assert_eq!(document["renewed"][0]["name"], "kafka1", "{document}");
    assert!(
        said.stderr.contains("renewed  broker kafka1"),
        "{}",
        said.stderr
    );
    assert_ne!(leaf(&kpki, "kafka1").serial, before);
}

#[test]
fn hosts_can_be_added_and_the_brokers_are_told_to_reload() {
    let kpki = with(&[
        &["issue", "kafka1", "--host", "10.0.0.1"],
        &["issue", "--client", "alice"],
    ]);
    let said = kpki.ok(&[
        "renew",
        "kafka1",
        "--host",
        "kafka1.example.com",
        "--host",
        "10.0.0.1",
    ]);
    let hosts: Vec<String> = leaf(&kpki, "kafka1")
        .hosts
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(hosts, ["kafka1", "10.0.0.1", "kafka1.example.com"]);
    assert!(
        said.stdout.contains("\n  kpki reload kafka1\n"),
        "{}",
        said.stdout
    );
    let said = kpki.ok(&["--out", "out", "renew", "--all"]).stdout;
    assert!(
        said.contains("kpki reload kafka1") && said.contains("restart the clients: alice"),
        "{said}"
    );
    // The hosts stay those of the last certificate.
    assert_eq!(leaf(&kpki, "kafka1").hosts.len(), 3);
}

#[test]
fn a_broker_that_will_refuse_its_new_certificate_is_named_before() {
    let kpki = with(&[&["issue", "kafka1", "--host", "old.example.com"]]);
    let old = fs::read(kpki.path("out/kafka1/kafka1.crt")).unwrap();
    // What lies there is of another name, as somebody copied it.
    kpki.ok(&["issue", "kafka2", "--host", "old.example.com"]);
    let other = fs::read(kpki.path("out/kafka2/kafka2.crt")).unwrap();
    fs::write(kpki.path("out/kafka1/kafka1.crt"), other).unwrap();
    let said = kpki.ok(&["renew", "kafka1"]);
    assert!(
        said.stderr
            .contains("has the subject CN=kafka2, but the new one has CN=kafka1"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("will no longer name kafka2"),
        "{}",
        said.stderr
    );
    assert!(
        said.stdout.contains("restart, one after the other: kafka1"),
        "{}",
        said.stdout
    );
    assert_ne!(fs::read(kpki.path("out/kafka1/kafka1.crt")).unwrap(), old);
}

#[test]
fn a_ca_that_ends_with_its_certificates_is_what_has_to_be_replaced() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--days", "30"]);
    kpki.ok(&["issue", "kafka1"]);
    grow_old(&kpki, "kafka1");
    let before = leaf(&kpki, "kafka1").serial;
    let said = kpki.ok(&["renew", "--due"]);
    assert!(
        said.stderr.contains("the CA itself expires on"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("kafka1"), "{}", said.stderr);
    assert_eq!(leaf(&kpki, "kafka1").serial, before);
}

#[test]
fn without_a_name_the_error_says_what_there_is_instead() {
    let kpki = Kpki::new();
    let said = kpki.run(&["renew"]).expect_code(2).stderr;
    assert!(said.contains("--due") && said.contains("--all"), "{said}");
    let error = kpki.run(&["renew", "--json"]).expect_code(2).json();
    assert_eq!(error["error"]["code"], "usage");
}
