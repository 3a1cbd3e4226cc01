//! `kpki doctor`: what is wrong is said, what can be repaired is repaired, and the rest with the command that is said.

mod rotation;
mod told;
mod walk;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use crate::support::{kpki::Kpki, leave_out};

const POLICY: &str = "
cluster: {layout: apache-kafka}
brokers: [{name: kafka1}, {name: kafka2}]
clients: [{name: alice, auth: [tls, scram-sha-512]}, {name: bob, auth: scram-sha-256}]
";

fn cluster() -> Kpki {
    let kpki = Kpki::new();
    kpki.write("p.yaml", POLICY);
    kpki.ok(&["up", "p.yaml"]);
    kpki.ok(&["issue", "--client", "carol"]);
    kpki
}

/// The faults as `CODE NAME`, with ` fixed` behind those that were repaired.
fn faults(kpki: &Kpki, arguments: &[&str], code: i32) -> Vec<String> {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let said = kpki.run(&arguments).expect_code(code).json();
    assert_eq!(said["ok"], code == 0, "{said}");
    let fault = |fault: &serde_json::Value| {
        for field in ["message", "command"] {
            assert!(!fault[field].as_str().unwrap().is_empty(), "{fault}");
        }
        let fixed = if fault["fixed"] == true { " fixed" } else { "" };
        let name = fault["name"].as_str().unwrap_or("-");
        format!("{} {name}{fixed}", fault["code"].as_str().unwrap())
    };
    said["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(fault)
        .collect()
}

#[test]
fn what_kpki_made_is_sound() {
    let kpki = cluster();
    assert!(faults(&kpki, &[], 0).is_empty());
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
    kpki.ok(&["renew", "kafka1", "carol", "--new-key"]);
    assert!(faults(&kpki, &["p.yaml", "--fix"], 0).is_empty());
    let said = kpki.ok(&["doctor"]).stdout;
    assert_eq!(said, "ok  out\n");
    // It says what it is asked and changes nothing: the journal has no line of it.
    let log = kpki.ok(&["log"]).stdout;
    assert!(!log.contains("doctor"), "{log}");
    let none = kpki
        .run(&["doctor", "--out", "nowhere", "--json"])
        .expect_code(1);
    assert_eq!(none.json()["error"]["code"], "ca-missing");
}

/// Two layouts share the key store's name, so that a renewal took the one for the other and made a new password.
#[test]
fn a_renewal_keeps_the_password_under_every_layout() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    for (layout, file) in [
        ("default", "keystore_creds"),
        ("script-sh", "keystore_creds"),
        ("apache-kafka", "kafka_keystore_creds"),
    ] {
        let name = format!("b-{layout}");
        kpki.ok(&["issue", &name, "--layout", layout]);
        let password = || fs::read(kpki.path("out").join(&name).join(file)).unwrap();
        let before = password();
        kpki.ok(&["renew", &name, "--new-key"]);
        assert_eq!(password(), before, "{layout}");
        assert!(faults(&kpki, &[], 0).is_empty(), "{layout}");
    }
}

#[test]
fn what_can_be_made_again_without_the_ca_key_is_repaired() {
    let kpki = cluster();
    let out = kpki.path("out");
    let write = |file: &str, text: &str| fs::write(out.join(file), text).unwrap();
    let other = |of: &str, to: &str| {
        fs::copy(out.join(of), out.join(to)).unwrap();
    };
    type Damage<'a> = &'a dyn Fn();
    let damages: [(Damage<'_>, &str); 12] = [
        (&|| write("kafka1/kafka1.keystore.jks", "x"), "store kafka1"),
        (
            &|| other("kafka2/kafka2.keystore.jks", "kafka1/kafka1.keystore.jks"),
            "store kafka1",
        ),
        (
            &|| fs::remove_file(out.join("kafka1/kafka1.keystore.jks")).unwrap(),
            "store kafka1",
        ),
        (
            &|| other("kafka2/kafka2.pem", "kafka1/kafka1.pem"),
            "store kafka1",
        ),
        (&|| write("alice/alice.pem", ""), "store alice"),
        (&|| write("bob/kafka.truststore.jks", "x"), "truststore bob"),
        (&|| write("carol/ca.crt", "x"), "truststore carol"),
        (
            &|| fs::remove_file(out.join("kafka2/ca.crt")).unwrap(),
            "truststore kafka2",
        ),
        (
            &|| write("kafka1/kafka_ssl_key_creds", "another"),
            "password kafka1",
        ),
        (
            &|| kpki.set_mode("out/kafka1/kafka1.key", 0o644),
            "mode kafka1",
        ),
        (&|| kpki.set_mode("out/ca/ca.key", 0o640), "mode -"),
        (
            &|| fs::create_dir(out.join(".new-abc")).unwrap(),
            "leftover -",
        ),
    ];
    for (damage, expected) in damages {
        damage();
        assert_eq!(faults(&kpki, &[], 3), [expected]);
        assert_eq!(faults(&kpki, &[], 3), [expected], "nothing was changed");
        let fixed = format!("{expected} fixed");
        assert_eq!(faults(&kpki, &["--fix"], 0), [fixed]);
        assert!(faults(&kpki, &["p.yaml"], 0).is_empty(), "{expected}");
    }
    write("ca/truststore.p12", "x");
    assert_eq!(faults(&kpki, &["--fix"], 0), ["truststore - fixed"]);
    let log = kpki.json(&["log", "--json"]);
    let last = log.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["command"], "doctor --fix");
}

#[test]
fn what_needs_the_ca_key_or_a_decision_is_said_with_its_command() {
    let kpki = cluster();
    let out = kpki.path("out");
    let keep = |name: &str| {
        let there = format!("cp -a '{0}/{name}' '{0}/.{name}.kept'", out.display());
        sh(&there);
    };
    let back = |name: &str| {
        sh(&format!(
            "cd '{}' && rm -rf {name} && mv .{name}.kept {name}",
            out.display()
        ))
    };
    let said = |command: &str| {
        let said = kpki.run(&["doctor", "--json"]).expect_code(3).json();
        let commands = said["faults"].as_array().unwrap().clone();
        assert!(commands.iter().any(|f| f["command"] == command), "{said}");
    };
    // A certificate that was not signed last, a key of somebody else's, none at all.
    keep("kafka1");
    for (from, to, expected) in [
        (
            "kafka2/kafka2.crt",
            "kafka1/kafka1.crt",
            "certificate kafka1",
        ),
        ("kafka2/kafka2.key", "kafka1/kafka1.key", "key kafka1"),
    ] {
        fs::copy(out.join(from), out.join(to)).unwrap();
        assert_eq!(faults(&kpki, &["--fix"], 3), [expected]);
        said("kpki renew kafka1");
        kpki.ok(&["renew", "kafka1"]);
        assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
    }
    fs::remove_file(out.join("kafka1/kafka1.crt")).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["certificate kafka1"]);
    // An older state of the whole directory, as from a copy.
    back("kafka1");
    assert!(faults(&kpki, &["--fix"], 3).contains(&"certificate kafka1".to_owned()));
    kpki.ok(&["renew", "kafka1"]);
    // The owner's edits, and a password that stands in no other file.
    kpki.write("out/kafka1/server.properties", "x=y\n");
    assert_eq!(faults(&kpki, &["--fix"], 3), ["edited kafka1"]);
    said("kpki up POLICY --overwrite kafka1/server.properties");
    kpki.run(&["up", "p.yaml"]).expect_code(1);
    kpki.ok(&["up", "p.yaml", "--overwrite", "kafka1/server.properties"]);
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
    fs::remove_file(out.join("kafka1/server.properties")).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["missing kafka1"]);
    kpki.ok(&["up", "p.yaml"]);
    kpki.write("out/carol/keystore_creds", "chosen-by-carol\n");
    assert_eq!(faults(&kpki, &["--fix"], 3), ["password carol"]);
    sh(&format!("rm -r '{}/carol'", out.display()));
    // A policy that asks for more.
    let more = POLICY.replace("{name: bob,", "{name: eve}, {name: bob,");
    kpki.write("more.yaml", &more);
    assert!(
        faults(&kpki, &[], 0).is_empty(),
        "a directory that was moved to its machine"
    );
    let wanted = faults(&kpki, &["more.yaml"], 3);
    assert!(wanted.contains(&"policy eve".to_owned()), "{wanted:?}");
}

#[test]
fn a_ca_that_is_damaged_is_said_and_left_alone() {
    let mut kpki = cluster();
    let path = kpki.path("out/ca/ca.key");
    let key = fs::read(&path).unwrap();
    kpki.ok(&["init-ca", "--out", "other"]);
    fs::copy(kpki.path("other/ca/ca.key"), &path).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["ca-key -"]);
    // Without the passphrase only its form can be looked at.
    kpki.without_env("KPKI_CA_PASSPHRASE");
    assert!(faults(&kpki, &[], 0).is_empty());
    fs::write(&path, &key[..key.len() / 2]).unwrap();
    assert_eq!(faults(&kpki, &[], 3), ["ca -"]);
    fs::write(&path, &key).unwrap();
    for file in ["ca.crt", "inventory.jsonl"] {
        let path = kpki.path("out/ca").join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, "damaged\n").unwrap();
        assert_eq!(faults(&kpki, &["--fix"], 3), ["ca -"], "{file}");
        fs::write(&path, before).unwrap();
    }
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
}

#[test]
fn a_crl_that_lacks_what_is_revoked_is_said() {
    let kpki = cluster();
    let path = kpki.path("out/ca/crl.pem");
    kpki.ok(&["revoke", "carol", "--reason", "superseded"]);
    let first = fs::read(&path).unwrap();
    assert!(faults(&kpki, &[], 0).is_empty());
    kpki.ok(&["revoke", "alice", "--reason", "keyCompromise"]);
    assert!(faults(&kpki, &[], 0).is_empty());
    fs::write(&path, first).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["crl -"], "an older one");
    fs::remove_file(&path).unwrap();
    assert_eq!(faults(&kpki, &[], 3), ["crl -"], "none");
    kpki.ok(&["init-ca", "--out", "other"]);
    kpki.ok(&["crl", "--out", "other"]);
    fs::copy(kpki.path("other/ca/crl.pem"), &path).unwrap();
    assert_eq!(faults(&kpki, &[], 3), ["crl -"], "another CA's");
    fs::write(&path, "x").unwrap();
    assert_eq!(faults(&kpki, &[], 3), ["crl -"], "damaged");
    kpki.ok(&["crl"]);
    assert!(faults(&kpki, &[], 0).is_empty());
}

#[test]
fn owners_of_directories_lead_the_doctor_nowhere() {
    let kpki = cluster();
    let key = kpki.path("out/kafka1/kafka1.key");
    fs::remove_file(&key).unwrap();
    symlink(kpki.path("out/ca/ca.key"), &key).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["owner kafka1"]);
    assert!(fs::symlink_metadata(&key).unwrap().is_symlink());
    kpki.set_mode("out/kafka2", 0o777);
    let found = faults(&kpki, &[], 3);
    assert_eq!(found, ["owner kafka1", "mode kafka2"]);
    kpki.set_mode("out/kafka2", 0o700);
    fs::remove_file(&key).unwrap();
    if !rustix::process::geteuid().is_root() {
        return leave_out("only root gives directories away");
    }
    kpki.ok(&["renew", "kafka1"]);
    kpki.ok(&["issue", "dave", "--client", "--owner", "1000:1000"]);
    assert!(faults(&kpki, &[], 0).is_empty());
    sh(&format!(
        "chown -R 0:0 '{}'",
        kpki.path("out/dave").display()
    ));
    assert_eq!(faults(&kpki, &[], 3), ["owner dave"]);
    let mode = fs::metadata(kpki.path("out/dave")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
}

/// Does what the doctor says about the first fault.
fn obey(kpki: &Kpki, policy: &str) -> String {
    let said = kpki
        .run(&["doctor", policy, "--json"])
        .expect_code(3)
        .json();
    let command = said["faults"][0]["command"].as_str().unwrap().to_owned();
    let program = Path::new(env!("CARGO_BIN_EXE_kpki")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let done = std::process::Command::new("sh")
        .args(["-c", &command])
        .env("PATH", format!("{}:{path}", program.display()))
        .env("KPKI_CA_PASSPHRASE", "a passphrase of the tests")
        .current_dir(kpki.dir())
        .output()
        .unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
    command
}

#[test]
fn a_password_that_no_store_can_have_is_refused_before_anything_is_signed() {
    let kpki = cluster();
    let inventory = || fs::read(kpki.path("out/ca/inventory.jsonl")).unwrap();
    let (signed, file) = (inventory(), "out/kafka1/kafka_keystore_creds");
    for bad in ["bad\n", "with\ttabs\n", "p\u{e4}sswort\n"] {
        kpki.write(file, bad);
        for command in [&["renew", "kafka1"][..], &["up", "p.yaml"]] {
            let said = kpki.run(command).expect_code(1).stderr;
            let names = format!("the stores of kafka1 cannot be made with the password in {file}");
            assert!(said.contains(&names), "{said}");
            assert!(!said.contains(bad.trim()), "{said}");
        }
        assert_eq!(inventory(), signed, "nothing was signed");
        assert_eq!(faults(&kpki, &["--fix"], 3), ["password kafka1"]);
    }
    assert_eq!(
        obey(&kpki, "p.yaml"),
        format!(": > {file} && kpki renew kafka1 && kpki up p.yaml")
    );
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
}

#[test]
fn what_the_doctor_says_about_a_damaged_file_makes_it_whole() {
    let kpki = cluster();
    for (file, expected) in [
        ("kafka1.crt", "certificate kafka1"),
        ("kafka1.key", "key kafka1"),
        ("kafka_keystore_creds", "password kafka1"),
    ] {
        fs::write(kpki.path("out/kafka1").join(file), b"-----BEGIN \xff").unwrap();
        assert_eq!(faults(&kpki, &["--fix"], 3), [expected]);
        obey(&kpki, "p.yaml");
        assert!(faults(&kpki, &["p.yaml"], 0).is_empty(), "{file}");
    }
}

#[test]
fn the_advice_names_the_policy_and_does_not_begin_with_a_backup() {
    let mut kpki = cluster();
    kpki.write("out/kafka1/server.properties", "x=y\n");
    let command = |kpki: &Kpki, arguments: &[&str]| {
        let arguments = [&["doctor", "--json"], arguments].concat();
        let said = kpki.run(&arguments).expect_code(3).json();
        assert_eq!(said["faults"].as_array().unwrap().len(), 1, "{said}");
        said["faults"][0]["command"].as_str().unwrap().to_owned()
    };
    let overwrite = "--overwrite kafka1/server.properties";
    assert_eq!(command(&kpki, &[]), format!("kpki up POLICY {overwrite}"));
    kpki.write("my cluster/p.yaml", POLICY);
    let named = command(&kpki, &["my cluster/p.yaml"]);
    assert_eq!(named, format!("kpki up 'my cluster/p.yaml' {overwrite}"));
    kpki.ok(&["up", "p.yaml", "--overwrite", "kafka1/server.properties"]);
    // Once, although nothing in it can be relied on.
    kpki.set_mode("out", 0o777);
    assert_eq!(command(&kpki, &[]), "chmod go-w out");
    kpki.set_mode("out", 0o700);
    kpki.env("KPKI_CA_PASSPHRASE", "another than the right one");
    assert_eq!(command(&kpki, &[]), "kpki doctor");
}

fn sh(line: &str) {
    let mut shell = std::process::Command::new("sh");
    let status = shell
        .args(["-c", line])
        .current_dir(Path::new("/"))
        .status();
    assert!(status.unwrap().success(), "{line}");
}
