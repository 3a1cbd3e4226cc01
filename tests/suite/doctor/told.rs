//! Parts of a CA or of an identity that are lost, and whether what is said about them mends it.

use std::fs;

use serde_json::Value;

use super::{faults, sh};
use crate::support::kpki::Kpki;

fn said(kpki: &Kpki) -> Vec<Value> {
    let said = kpki.run(&["doctor", "--json"]).expect_code(3).json();
    said["faults"].as_array().unwrap().clone()
}

/// Runs a command that was said, with this program.
fn follow(kpki: &Kpki, command: &str) {
    for part in command.split(" && ") {
        let words: Vec<&str> = part.split(' ').collect();
        match words.split_first() {
            Some((&"kpki", arguments)) => drop(kpki.ok(arguments)),
            _ => sh(&format!("cd '{}' && {part}", kpki.dir().display())),
        }
    }
}

/// `doctor --fix` encoded every truststore with a changed password, which stood in no client's configuration.
#[test]
fn a_changed_truststore_password_is_restored_and_not_spread() {
    let kpki = Kpki::with_open_ca();
    kpki.ok(&["issue", "--client", "alice"]);
    let file = kpki.path("out/ca/truststore.password");
    let store = || fs::read(kpki.path("out/alice/alice.truststore.p12")).unwrap();
    let (right, before) = (fs::read(&file).unwrap(), store());
    for wrong in ["xxxxxxxxx\n", "x\n", "p\u{e4}sswort\n"] {
        fs::write(&file, wrong).unwrap();
        fs::write(kpki.path("out/alice/alice.pem"), "x").unwrap();
        assert_eq!(faults(&kpki, &[], 3), ["ca -", "store alice"], "{wrong:?}");
        let first = said(&kpki).remove(0);
        let message = first["message"].as_str().unwrap();
        assert!(message.contains("out/ca/truststore.password"), "{message}");
        assert_eq!(first["command"], "kpki doctor --fix");
        assert_eq!(
            faults(&kpki, &["--fix"], 0),
            ["ca - fixed", "store alice fixed"]
        );
        assert_eq!(fs::read(&file).unwrap(), right);
        assert_eq!(store(), before);
    }
    for command in [&["renew", "alice"][..], &["issue", "kafka1"]] {
        fs::write(&file, "xxxxxxxxx\n").unwrap();
        let said = kpki.ok(command).stderr;
        let restored = "warning: out/ca/truststore.password did not open the truststores; it was restored from out/alice/client.properties";
        assert!(said.contains(restored), "{said}");
        assert_eq!(fs::read(&file).unwrap(), right);
    }
    assert!(faults(&kpki, &[], 0).is_empty());
}

#[test]
fn a_changed_truststore_password_that_stands_nowhere_else_is_not_used() {
    let kpki = Kpki::with_open_ca();
    kpki.ok(&["issue", "--client", "alice"]);
    kpki.ok(&["backup", "b"]);
    kpki.ok(&["issue", "--client", "bob"]);
    for name in ["alice", "bob"] {
        fs::remove_file(kpki.path(format!("out/{name}/client.properties"))).unwrap();
    }
    kpki.write("out/ca/truststore.password", "xxxxxxxxx\n");
    let before = fs::read(kpki.path("out/bob/bob.truststore.p12")).unwrap();
    let found = faults(&kpki, &["--fix"], 3);
    assert_eq!(found, ["ca -", "missing alice", "missing bob"]);
    let after = fs::read(kpki.path("out/bob/bob.truststore.p12")).unwrap();
    assert_eq!(after, before);
    let refused = kpki.run(&["issue", "kafka1", "--json"]).expect_code(1);
    assert_eq!(refused.json()["error"]["code"], "ca-damaged");
    assert!(
        refused
            .stderr
            .contains("out/ca/truststore.password is not the password of the truststores"),
        "{refused:?}"
    );
    assert!(!kpki.path("out/kafka1").exists());
    let command = said(&kpki)[0]["command"].as_str().unwrap().to_owned();
    follow(&kpki, &command.replace("FILE", "b"));
    assert_eq!(faults(&kpki, &[], 3), ["missing alice", "missing bob"]);
    kpki.ok(&["issue", "kafka1"]);
}

#[test]
fn a_directory_in_the_place_of_a_file_of_the_ca_is_said() {
    let kpki = Kpki::with_open_ca();
    for file in ["crl.pem", "truststore.p12", "ca.crt"] {
        let path = kpki.path("out/ca").join(file);
        let kept = fs::rename(&path, kpki.path("kept")).is_ok();
        fs::create_dir(&path).unwrap();
        assert_eq!(faults(&kpki, &["--fix"], 3), ["owner -"], "{file}");
        let command = said(&kpki)[0]["command"].as_str().unwrap().to_owned();
        assert_eq!(command, format!("mv out/ca/{file} out/ca/{file}.old"));
        fs::remove_dir(&path).unwrap();
        if kept {
            fs::rename(kpki.path("kept"), &path).unwrap();
        }
    }
    assert!(faults(&kpki, &[], 0).is_empty());
}

/// `kpki restore FILE`, which was said, refuses a backup that is older than the inventory.
#[test]
fn a_lost_ca_key_is_taken_from_an_older_backup_as_said() {
    let kpki = Kpki::with_open_ca();
    kpki.ok(&["backup", "b"]);
    kpki.ok(&["issue", "kafka1"]);
    fs::remove_file(kpki.path("out/ca/ca.key")).unwrap();
    let refused = kpki.run(&["restore", "b", "--json"]).expect_code(1).json();
    assert_eq!(refused["error"]["code"], "backup-older");
    let hint = refused["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("kpki restore FILE --out elsewhere"), "{hint}");
    assert!(hint.contains("cp -p elsewhere/ca/ca.key"), "{hint}");
    assert_eq!(faults(&kpki, &[], 3), ["ca -"]);
    let command = said(&kpki)[0]["command"].as_str().unwrap().to_owned();
    follow(&kpki, &command.replace("FILE", "b"));
    assert!(faults(&kpki, &[], 0).is_empty());
    kpki.ok(&["renew", "kafka1"]);
}

#[test]
fn an_emptied_directory_is_made_again_as_said() {
    let kpki = Kpki::with_open_ca();
    kpki.ok(&[
        "issue",
        "kafka1",
        "--host",
        "10.0.0.1",
        "--layout",
        "script-sh",
    ]);
    kpki.ok(&["issue", "--client", "alice"]);
    let empty = |name: &str| sh(&format!("rm '{}'/*", kpki.path("out").join(name).display()));
    empty("kafka1");
    let refused = kpki.run(&["renew", "kafka1"]).expect_code(1).stderr;
    assert!(
        refused.contains("kpki up POLICY, or kpki issue NAME if no policy describes it"),
        "{refused}"
    );
    let first = said(&kpki).remove(0);
    assert_eq!(first["command"], "kpki up POLICY");
    let issue = first["without_policy"].as_str().unwrap();
    assert_eq!(
        issue,
        "mv out/kafka1 out/.kafka1.old && kpki issue kafka1 --host 10.0.0.1 --layout script-sh"
    );
    follow(&kpki, issue);
    assert!(faults(&kpki, &[], 0).is_empty());
    // A single file that only its issue writes.
    fs::remove_file(kpki.path("out/alice/client.properties")).unwrap();
    assert_eq!(faults(&kpki, &[], 3), ["missing alice"]);
    let first = said(&kpki).remove(0);
    follow(&kpki, first["without_policy"].as_str().unwrap());
    assert!(faults(&kpki, &[], 0).is_empty());
    // One that a policy describes.
    kpki.write("p.yaml", "brokers: [{name: b1}]\n");
    kpki.ok(&["up", "p.yaml"]);
    empty("b1");
    let said = kpki.run(&["doctor", "p.yaml", "--json"]).expect_code(3);
    let first = said.json()["faults"][0].clone();
    assert_eq!(first["command"], "kpki up p.yaml");
    assert_eq!(first["without_policy"], Value::Null);
    follow(&kpki, "kpki up p.yaml");
    assert!(faults(&kpki, &[], 0).is_empty());
}

/// They were called wrong: not the right key, or without the right content.
#[test]
fn files_that_were_deleted_are_called_missing() {
    for file in [
        "kafka1.keystore.p12",
        "kafka1.truststore.p12",
        "kafka1.key",
        "kafka1.crt",
        "kafka1.pem",
        "ca.crt",
        "keystore_creds",
    ] {
        let kpki = Kpki::with_open_ca();
        kpki.ok(&["issue", "kafka1"]);
        let path = format!("out/kafka1/{file}");
        fs::remove_file(kpki.path(&path)).unwrap();
        let said = said(&kpki);
        let messages: Vec<&Value> = said.iter().map(|fault| &fault["message"]).collect();
        assert_eq!(messages, [&*format!("{path} is missing")]);
    }
}
