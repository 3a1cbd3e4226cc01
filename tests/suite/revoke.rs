//! Revocation: what is recorded, what it keeps from happening, and the list that others read.

use std::{fs, process::Stdio, thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::support::{java::judge, kpki::Kpki, openssl::openssl};

/// A CA, the broker kafka1 and the clients alice and bob.
fn cluster() -> Kpki {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki.ok(&["issue", "--client", "alice", "bob"]);
    kpki
}

/// The lines of the inventory that are no certificates.
fn events(kpki: &Kpki) -> Vec<Value> {
    let mut lines = kpki.inventory();
    lines.retain(|line| line["v"] == 2);
    lines
}

fn revoked(kpki: &Kpki) -> Vec<String> {
    let listed = kpki.json(&["list", "--revoked", "--json"]);
    let listed = listed.as_array().unwrap().iter();
    listed
        .map(|c| c["name"].as_str().unwrap().to_owned())
        .collect()
}

fn error(kpki: &Kpki, arguments: &[&str], code: i32) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    kpki.run(&arguments).expect_code(code).json()["error"].clone()
}

#[test]
fn a_revocation_is_on_record_and_on_the_list_and_refuses_renewal() {
    let kpki = cluster();
    let said = kpki.json(&["revoke", "alice", "--reason", "keyCompromise", "--json"]);
    let serial = said["revoked"][0]["serial"].clone();
    assert_eq!(said["revoked"][0]["reason"], "keyCompromise");
    assert_eq!(
        (&said["crl"]["number"], &said["crl"]["revoked"]),
        (&json!(1), &json!(1))
    );
    let events = events(&kpki);
    assert_eq!(events[0]["event"], "revoked");
    assert_eq!(
        (&events[0]["serial"], &events[0]["name"]),
        (&serial, &json!("alice"))
    );
    assert_eq!(
        (&events[1]["event"], &events[1]["number"]),
        (&json!("crl"), &json!(1))
    );
    assert_eq!(revoked(&kpki), ["alice"]);

    let before = fs::read(kpki.path("out/ca/inventory.jsonl")).unwrap();
    let refused = error(&kpki, &["renew", "alice"], 1);
    assert_eq!(refused["code"], "revoked");
    assert!(
        refused["hint"]
            .as_str()
            .unwrap()
            .contains("kpki renew alice --new-key")
    );
    assert_eq!(
        error(&kpki, &["issue", "--client", "alice"], 1)["code"],
        "identity-exists"
    );
    fs::rename(kpki.path("out/alice"), kpki.path("alice")).unwrap();
    assert_eq!(
        error(&kpki, &["issue", "--client", "alice"], 1)["code"],
        "revoked"
    );
    assert_eq!(
        fs::read(kpki.path("out/ca/inventory.jsonl")).unwrap(),
        before
    );
    fs::rename(kpki.path("alice"), kpki.path("out/alice")).unwrap();

    // Of everyone, it is left out.
    let all = kpki.json(&["renew", "--all", "--new-key", "--json"]);
    let all = all.as_array().unwrap().iter();
    let names: Vec<&str> = all.map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bob", "kafka1"]);

    // Who asks for it by name gets a new key.
    let key = fs::read(kpki.path("out/alice/alice.key")).unwrap();
    kpki.ok(&["renew", "alice", "--new-key"]);
    assert_ne!(fs::read(kpki.path("out/alice/alice.key")).unwrap(), key);
    kpki.ok(&["renew", "alice"]);
    // The old one stays revoked.
    assert_eq!(revoked(&kpki), ["alice"]);
    kpki.ok(&["revoke", "bob"]);
    fs::remove_dir_all(kpki.path("out/bob")).unwrap();
    kpki.ok(&["issue", "--client", "bob", "--new-key"]);
}

#[test]
fn up_leaves_whoever_is_revoked_alone_and_says_so() {
    let kpki = Kpki::new();
    let policy = "brokers: [{name: kafka1}]\nclients: [{name: alice, auth: [tls, scram-sha-512]}, {name: bob}]\n";
    kpki.write("policy.yaml", policy);
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["revoke", "alice", "--reason", "privilegeWithdrawn"]);
    let certificate = fs::read(kpki.path("out/alice/alice.crt")).unwrap();
    // What would have it signed anew otherwise.
    kpki.write(
        "policy.yaml",
        &policy.replace("alice", "alice, hosts: [a.example.com]"),
    );
    let up = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        up.stderr.contains("the certificate of alice was revoked"),
        "{}",
        up.stderr
    );
    assert_eq!(
        fs::read(kpki.path("out/alice/alice.crt")).unwrap(),
        certificate
    );
    fs::remove_dir_all(kpki.path("out/alice")).unwrap();
    let up = kpki.json(&["up", "policy.yaml", "--json"]);
    assert_eq!(up["identities"][0]["revoked"], "privilegeWithdrawn");
    assert!(!kpki.path("out/alice").exists());
    // Nor does the broker's disk get a password of hers.
    let args = fs::read_to_string(kpki.path("out/kafka1/format-storage.args")).unwrap();
    assert!(!args.contains("alice"), "{args}");
    let up = kpki.json(&["up", "policy.yaml", "--json"]);
    assert_eq!(up["changes"], json!([]));
}

#[test]
fn a_name_means_what_has_not_ended_and_a_key_all_its_certificates() {
    let kpki = cluster();
    kpki.ok(&["renew", "alice"]);
    kpki.ok(&["renew", "bob"]);
    let of = |name: &str, listed: &Value| -> Vec<String> {
        let listed = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["name"] == name);
        listed
            .map(|c| c["serial"].as_str().unwrap().to_owned())
            .collect()
    };
    let listed = kpki.json(&["list", "--json"]);
    kpki.ok(&["revoke", "alice", "--reason", "superseded"]);
    assert_eq!(revoked(&kpki), ["alice", "alice"]);
    // As OpenSSL and Java print it.
    let bobs = of("bob", &listed);
    let printed = bobs[0].to_uppercase();
    kpki.ok(&["revoke", &printed, "--reason", "superseded"]);
    assert_eq!(revoked(&kpki).len(), 3);
    kpki.ok(&["renew", "bob"]);
    // A renewal keeps the key, and so the thief can use all of them.
    kpki.ok(&["revoke", &bobs[1], "--reason", "keyCompromise"]);
    assert_eq!(revoked(&kpki).iter().filter(|n| *n == "bob").count(), 3);
    let again = kpki.json(&["revoke", "bob", "--json"]);
    assert_eq!(again["revoked"], json!([]));
    // The last one, and what has not ended of the others.
    assert_eq!(again["unchanged"].as_array().unwrap().len(), 3);
}

#[test]
fn a_hold_ends_and_nothing_else_does() {
    let kpki = cluster();
    kpki.ok(&["revoke", "alice", "--reason", "certificateHold"]);
    let refused = error(&kpki, &["renew", "alice", "--new-key"], 1);
    assert!(
        refused["hint"].as_str().unwrap().contains("removeFromCRL"),
        "{refused}"
    );
    let back = kpki.json(&["revoke", "alice", "--reason", "removeFromCRL", "--json"]);
    assert_eq!(back["crl"]["revoked"], 0);
    assert_eq!(revoked(&kpki), Vec::<String>::new());
    kpki.ok(&["renew", "alice"]);
    kpki.ok(&["revoke", "bob", "--reason", "superseded"]);
    let refused = error(&kpki, &["revoke", "bob", "--reason", "removeFromCRL"], 1);
    assert_eq!(refused["code"], "not-held");
    kpki.ok(&["revoke", "alice", "--reason", "certificateHold"]);
    kpki.ok(&["revoke", "alice", "--reason", "cessationOfOperation"]);
    let refused = error(&kpki, &["revoke", "alice", "--reason", "removeFromCRL"], 1);
    assert_eq!(refused["code"], "not-held");
}

#[test]
fn whatever_cannot_be_revoked_is_said_and_nothing_is() {
    let kpki = cluster();
    let before = fs::read(kpki.path("out/ca/inventory.jsonl")).unwrap();
    let unknown = error(&kpki, &["revoke", "alice", "carol", "4a"], 1);
    assert_eq!(unknown["all"].as_array().unwrap().len(), 2, "{unknown}");
    assert_eq!(unknown["code"], "certificate-unknown");
    assert_eq!(error(&kpki, &["revoke", "ca"], 1)["code"], "ca-not-revoked");
    kpki.run(&["revoke", "alice", "--reason", "stolen"])
        .expect_code(2);
    assert_eq!(
        fs::read(kpki.path("out/ca/inventory.jsonl")).unwrap(),
        before
    );
}

#[test]
fn without_a_passphrase_it_is_on_record_and_the_list_is_due() {
    let mut kpki = cluster();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let said = kpki.ok(&["revoke", "alice"]);
    assert!(
        said.stderr.contains("out/ca/crl.pem still lacks this")
            && said.stderr.ends_with("\n    kpki crl\n"),
        "{}",
        said.stderr
    );
    assert_eq!(revoked(&kpki), ["alice"]);
    assert!(!kpki.path("out/ca/crl.pem").exists());
    kpki.env("KPKI_CA_PASSPHRASE", "not the one");
    // It was asked for, in vain, and what was done is said.
    kpki.run(&["revoke", "bob"]).expect_code(4);
    assert_eq!(revoked(&kpki), ["alice", "bob"]);
    kpki.env("KPKI_CA_PASSPHRASE", "a passphrase of the tests");
    let crl = kpki.json(&["crl", "--json"]);
    assert_eq!((&crl["number"], &crl["revoked"]), (&json!(1), &json!(2)));
}

#[test]
fn openssl_and_java_read_the_list_and_refuse_who_is_on_it() {
    for arguments in [vec!["init-ca"], vec!["init-ca", "--intermediate"]] {
        let kpki = Kpki::new();
        kpki.ok(&arguments);
        kpki.ok(&["issue", "--client", "alice", "bob"]);
        kpki.ok(&["revoke", "alice", "--reason", "keyCompromise"]);
        let wrote = kpki.json(&[
            "crl",
            "--der",
            "--out-file",
            "kafka.crl",
            "--days",
            "7",
            "--json",
        ]);
        assert_eq!(wrote["number"], 2);
        let crl = [
            "crl",
            "-in",
            "kafka.crl",
            "-inform",
            "DER",
            "-noout",
            "-text",
        ];
        let Some(text) = openssl(kpki.dir(), &crl) else {
            return;
        };
        for part in [
            "X509v3 CRL Number: \n                2",
            "Key Compromise",
            "X509v3 Authority Key Identifier",
        ] {
            assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
        }
        let behind = ["out/ca/intermediate.crt", "out/ca/ca.crt"].map(|file| kpki.path(file));
        let signer = behind
            .iter()
            .find(|file| file.exists())
            .unwrap()
            .display()
            .to_string();
        let signed = ["crl", "-in", "out/ca/crl.pem", "-noout", "-CAfile", &signer];
        let signed = openssl(kpki.dir(), &signed).unwrap();
        assert!(signed.stderr.contains("verify OK"), "{}", signed.stderr);
        for (name, code) in [("alice", 2), ("bob", 0)] {
            let certificate = format!("out/{name}/{name}.crt");
            let verify = [
                "verify",
                "-crl_check",
                "-x509_strict",
                "-CRLfile",
                "out/ca/crl.pem",
                "-CAfile",
                "out/ca/ca.crt",
                "-untrusted",
                &certificate,
                &certificate,
            ];
            let verified = openssl(kpki.dir(), &verify).unwrap();
            assert_eq!(
                verified.code,
                Some(code),
                "{}{}",
                verified.stdout,
                verified.stderr
            );
        }
        let Some(judge) = judge() else { return };
        for (name, good) in [("alice", false), ("bob", true)] {
            let chain = kpki.path(format!("out/{name}/{name}.crt"));
            let judged =
                judge.crl_check(&chain, &kpki.path("out/ca/ca.crt"), &kpki.path("kafka.crl"));
            assert_eq!(judged.is_ok(), good, "{name}: {judged:?}");
        }
    }
}

#[test]
fn one_that_has_ended_stays_until_a_list_was_made_after_its_end() {
    let kpki = cluster();
    kpki.ok(&["revoke", "alice", "bob"]);
    let inventory = kpki.path("out/ca/inventory.jsonl");
    let text = fs::read_to_string(&inventory).unwrap();
    // Alice's certificate ended long ago: the first list from now on is the last one with it.
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if line["v"] == 1 && line["name"] == "alice" {
            line["not_after"] = json!("2026-01-01T00:00:00Z");
        }
        if line["v"] == 2 {
            line["at"] = json!("2025-06-01T00:00:00Z");
        }
        format!("{line}\n")
    });
    let lines: String = lines.collect();
    fs::write(&inventory, lines).unwrap();
    assert_eq!(kpki.json(&["crl", "--json"])["revoked"], 2);
    let next = kpki.json(&["crl", "--json"]);
    assert_eq!((&next["revoked"], &next["number"]), (&json!(1), &json!(3)));
    assert_eq!(revoked(&kpki), ["alice", "bob"]);
}

/// What must hold at every instant: numbers of lists never come twice, and the list that is there can be read.
fn check(kpki: &Kpki, lists: &mut u64) {
    let lines = kpki.inventory();
    let numbers: Vec<u64> = lines.iter().filter_map(|l| l["number"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    *lists = numbers.last().copied().unwrap_or(0);
    if let Ok(pem) = fs::read_to_string(kpki.path("out/ca/crl.pem")) {
        assert!(
            pem.starts_with("-----BEGIN X509 CRL-----\n")
                && pem.ends_with("-----END X509 CRL-----\n")
        );
    }
}

#[test]
fn a_revocation_that_was_told_is_never_lost() {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    kpki.ok(&["init-ca", "--no-passphrase"]);
    let names: Vec<String> = (0..60).map(|n| format!("client{n}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    kpki.ok(&[&["issue", "--client"], &all[..]].concat());
    let (mut told, mut lists, mut killed) = (0, 0, 0);
    for (round, name) in names.iter().enumerate() {
        let mut child = kpki
            .command(&["-q", "--json", "revoke", name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Most runs take about 20 milliseconds.
        sleep(Duration::from_micros(500 * (round as u64 % 40)));
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        let said = serde_json::from_slice::<Value>(&output.stdout).is_ok();
        killed += u32::from(!output.status.success());
        check(&kpki, &mut lists);
        let is_revoked = revoked(&kpki).contains(name);
        assert!(
            is_revoked || !said,
            "{name} was told to be revoked, and is not"
        );
        told += u32::from(said);
    }
    assert!(killed >= 10, "{killed} killed, {told} told");
    // The next run finishes the work.
    kpki.ok(&[&["revoke"], &all[..]].concat());
    assert_eq!(revoked(&kpki).len(), names.len());
    let crl = kpki.json(&["crl", "--json"]);
    assert_eq!(crl["revoked"], 60);
    assert!(crl["number"].as_u64().unwrap() > lists);
}

/// The next CRL would take back what the current one says, and nobody would notice.
#[test]
fn an_inventory_that_has_lost_a_revocation_makes_no_crl() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice", "bob", "carol"]);
    // That she was reinstated once takes back nothing that came later.
    for reason in ["certificateHold", "removeFromCRL", "keyCompromise"] {
        kpki.ok(&["revoke", "alice", "--reason", reason]);
    }
    kpki.ok(&["revoke", "carol", "--reason", "certificateHold"]);
    let (path, crl) = (
        kpki.path("out/ca/inventory.jsonl"),
        kpki.path("out/ca/crl.pem"),
    );
    let (whole, signed) = (fs::read_to_string(&path).unwrap(), fs::read(&crl).unwrap());
    let without = |is_lost: &dyn Fn(&str) -> bool| {
        let lines = whole.lines().filter(|line| !is_lost(line));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let is_of_alice = |line: &str| line.contains("\"name\":\"alice\"");
    for (edited, lacks) in [
        (
            without(&|line| is_of_alice(line) && line.contains("revoked")),
            "the revocation of ",
        ),
        (
            without(&|line| is_of_alice(line) && line.contains("keyCompromise")),
            "the revocation of ",
        ),
        (without(&is_of_alice), "the revocation of "),
        (
            without(&|line| line.contains("\"number\":4")),
            "the CRL number 4",
        ),
    ] {
        fs::write(&path, &edited).unwrap();
        for command in [
            &["crl"][..],
            &["revoke", "bob"],
            &["renew", "bob"],
            &["issue", "--client", "dave"],
            &["rotate-ca", "start"],
        ] {
            let said = kpki.run(&[command, &["--json"]].concat()).expect_code(1);
            let said = &said.json()["error"];
            assert_eq!(said["code"], "inventory-incomplete");
            let message = said["message"].as_str().unwrap();
            assert!(message.contains(lacks), "{message}");
            assert!(said["hint"].as_str().unwrap().contains("backup"));
        }
        assert_eq!(fs::read(&crl).unwrap(), signed);
        assert_eq!(fs::read_to_string(&path).unwrap(), edited);
        let doctor = kpki.run(&["doctor", "--json"]).expect_code(3).json();
        let fault = &doctor["faults"][0];
        assert_eq!(fault["code"], "inventory", "{doctor}");
        assert_eq!(fault["command"], "kpki restore FILE");
        let due = &kpki.run(&["status", "--json"]).expect_code(3).json()["due"][0];
        assert_eq!(
            (&due["code"], &due["command"]),
            (&json!("crl"), &fault["command"])
        );
    }
    // All of it, and lines that kpki does not write.
    let line = whole.lines().find(|line| is_of_alice(line)).unwrap();
    let strange = format!("{whole}{}\n", line.replace("\"alice\"", "\"../x\""));
    for (edited, says) in [
        (String::new(), "no record of the CA"),
        (format!("{whole}{line}\n"), "two records of the serial"),
        (strange, "the name `../x`"),
    ] {
        fs::write(&path, &edited).unwrap();
        let said = kpki.run(&["doctor", "--json"]).expect_code(3).json();
        let faults = said["faults"].as_array().unwrap().iter();
        let messages: Vec<_> = faults.map(|f| f["message"].as_str().unwrap()).collect();
        assert!(messages.iter().any(|m| m.contains(says)), "{said}");
    }
    // What was on hold may leave the list, and so may what has expired.
    fs::write(&path, &whole).unwrap();
    kpki.ok(&["revoke", "carol", "--reason", "removeFromCRL"]);
    assert_eq!(kpki.json(&["crl", "--json"])["revoked"], 1);
    kpki.ok(&["doctor"]);
}

#[test]
fn a_list_is_written_over_an_earlier_list_and_nothing_else() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice"]);
    kpki.ok(&["crl", "--out-file", "kafka.pem"]);
    kpki.ok(&["crl", "--der", "--out-file", "kafka.crl"]);
    let list = fs::read(kpki.path("kafka.pem")).unwrap();
    let certificate = fs::read(kpki.path("out/ca/ca.crt")).unwrap();
    fs::write(kpki.path("both.pem"), [&list[..], &certificate].concat()).unwrap();
    fs::write(kpki.path("half.pem"), &list[..list.len() / 2]).unwrap();
    kpki.write("empty.pem", "");
    fs::create_dir(kpki.path("directory")).unwrap();
    for file in [
        "out/ca/ca.key",
        "out/ca/inventory.jsonl",
        "out/alice/alice.keystore.p12",
        "out/alice/client.properties",
        "both.pem",
        "half.pem",
    ] {
        let before = fs::read(kpki.path(file)).unwrap();
        for form in [&[][..], &["--der"]] {
            let words = [&["crl", "--json", "--out-file", file], form].concat();
            let said = kpki.run(&words).expect_code(1).json();
            assert_eq!(said["error"]["code"], "file-exists", "{file}");
        }
        assert!(fs::read(kpki.path(file)).unwrap() == before, "{file}");
    }
    kpki.run(&["crl", "--out-file", "directory"]).expect_code(1);
    // Neither waited for nor replaced.
    let made = std::process::Command::new("mkfifo")
        .arg(kpki.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    kpki.run(&["crl", "--out-file", "pipe"]).expect_code(1);
    // As DER, the CA's own list could not be read any more.
    let own = ["crl", "--der", "--json", "--out-file", "out/ca/crl.pem"];
    let said = kpki.run(&own).expect_code(1).json();
    assert_eq!(said["error"]["code"], "file-exists");
    // Nothing was signed for them.
    let next = kpki.json(&["crl", "--json", "--out-file", "kafka.pem"]);
    assert_eq!(next["number"], 3);
    kpki.ok(&["crl", "--der", "--out-file", "kafka.pem"]);
    kpki.ok(&["crl", "--out-file", "kafka.crl"]);
    kpki.ok(&["crl", "--out-file", "empty.pem"]);
}
