//! The lists of what is revoked while the CA is replaced, and below an intermediate, as OpenSSL and Go read them.

use std::fs;

use serde_json::{Value, json};

use kpki::{keystore::pem::parse_certificates, pki::Certificate};

use crate::support::{
    clock::{DAY, move_by},
    go,
    kpki::Kpki,
    openssl::openssl,
};

const POLICY: &str = "
ca: {crl_url: 'http://pki.example.com/kafka.crl'}
brokers: [{name: kafka1}]
clients: [{name: alice}, {name: bob}]
";

/// Every list of a PEM file: who signed it, and how many are on it.
const JUDGE: &str = r#"package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	var cas []*x509.Certificate
	for _, file := range os.Args[2:] {
		rest, _ := os.ReadFile(file)
		for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
			ca, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				panic(err)
			}
			cas = append(cas, ca)
		}
	}
	rest, _ := os.ReadFile(os.Args[1])
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			panic(err)
		}
		signed := "nobody"
		for _, ca := range cas {
			if list.CheckSignatureFrom(ca) == nil {
				signed = ca.Subject.CommonName
			}
		}
		fmt.Println(signed, len(list.RevokedCertificateEntries))
	}
}
"#;

/// What OpenSSL says of a chain under all lists, as an exit code.
fn verify(kpki: &Kpki, leaf: &str, ca: &str) -> Option<i32> {
    let verify = [
        "verify",
        "-crl_check_all",
        "-x509_strict",
        "-CRLfile",
        "out/ca/crl.pem",
        "-CAfile",
        ca,
        "-untrusted",
        leaf,
        leaf,
    ];
    openssl(kpki.dir(), &verify)?.code
}

/// Where a certificate says that its list is.
fn list_of(kpki: &Kpki, name: &str) -> Vec<String> {
    let pem = fs::read(kpki.path(format!("out/{name}/{name}.crt"))).unwrap();
    let ders = parse_certificates(&pem).unwrap();
    Certificate::from_der(&ders[0]).unwrap().crl_urls
}

/// Who signed a list in DER.
fn issuer_of(kpki: &Kpki, file: &str) -> String {
    let crl = ["crl", "-inform", "DER", "-in", file, "-noout", "-issuer"];
    openssl(kpki.dir(), &crl).unwrap().expect_code(0).stdout
}

fn is_sound(kpki: &Kpki) {
    kpki.ok(&["doctor", "policy.yaml"]);
}

/// The old CA's list was not written any more, so that whoever checks lists refused everybody whose certificate is its.
#[test]
fn while_two_cas_are_trusted_each_has_its_list() {
    let kpki = Kpki::new();
    if openssl(kpki.dir(), &["version"]).is_none() {
        return;
    }
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    fs::create_dir(kpki.path("www")).unwrap();
    let publish = || kpki.json(&["crl", "--der", "--out-file", "www/kafka.crl", "--json"]);
    publish();
    for name in ["alice", "bob"] {
        let old = kpki.path(format!("{name}.old"));
        fs::copy(kpki.path(format!("out/{name}/{name}.crt")), old).unwrap();
    }
    let own = "http://pki.example.com/kafka-g2.crl";
    let says = |document: Value, publish: bool| {
        let next = document["next"].as_str().unwrap();
        assert_eq!(next.contains(own), publish, "{next}");
    };
    says(kpki.json(&["rotate-ca", "start", "--json"]), true);
    says(kpki.json(&["rotate-ca", "status", "--json"]), true);
    // Both are there before the new CA signs anything.
    let go = |expected: &str| {
        let cas = ["out/ca/crl.pem", "out/alice/ca.crt"];
        if let Some(said) = go::run(kpki.dir(), JUDGE, &cas) {
            assert_eq!(said.expect_code(0).stdout, expected);
        }
    };
    go("Kafka CA G1 0\nKafka CA G2 0\n");
    is_sound(&kpki);
    says(
        kpki.json(&["rotate-ca", "next", "--force", "--json"]),
        false,
    );
    is_sound(&kpki);
    for name in ["kafka1", "alice", "bob"] {
        assert_eq!(list_of(&kpki, name), [own]);
        assert_eq!(
            verify(&kpki, &format!("out/{name}/{name}.crt"), "out/bob/ca.crt"),
            Some(0)
        );
    }
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);

    // Both certificates of hers; his are good, the old one as well.
    kpki.ok(&["revoke", "alice", "--reason", "keyCompromise"]);
    go("Kafka CA G2 1\nKafka CA G1 1\n");
    for (leaf, code) in [
        ("alice.old", 2),
        ("out/alice/alice.crt", 2),
        ("bob.old", 0),
        ("out/bob/bob.crt", 0),
    ] {
        assert_eq!(
            verify(&kpki, leaf, "out/kafka1/ca.crt"),
            Some(code),
            "{leaf}"
        );
    }
    // The file beside the named one is looked at as well, before anything is signed.
    kpki.write("www/kafka-g2.crl", "somebody's notes");
    let refused = kpki.run(&["crl", "--der", "--out-file", "www/kafka.crl", "--json"]);
    assert_eq!(
        refused.expect_code(1).json()["error"]["code"],
        "file-exists"
    );
    let kept = fs::read_to_string(kpki.path("www/kafka-g2.crl")).unwrap();
    assert_eq!(kept, "somebody's notes");
    fs::remove_file(kpki.path("www/kafka-g2.crl")).unwrap();
    let said = publish();
    assert_eq!(said["files"].as_array().unwrap().len(), 3, "{said}");
    assert_eq!(said["issuer"], "CN=Kafka CA G2");
    assert_eq!(said["lists"][1]["issuer"], "CN=Kafka CA G1");
    // Each CA counts its own.
    assert_eq!(
        (&said["number"], &said["lists"][1]["number"]),
        (&json!(4), &json!(5))
    );
    // Each is where the certificates of its CA say.
    assert!(issuer_of(&kpki, "www/kafka.crl").contains("G1"));
    assert!(issuer_of(&kpki, "www/kafka-g2.crl").contains("G2"));

    // A list that lacks a CA is as bad as none.
    let whole = fs::read_to_string(kpki.path("out/ca/crl.pem")).unwrap();
    let end = whole.find("-----END X509 CRL-----\n").unwrap() + 23;
    fs::write(kpki.path("out/ca/crl.pem"), &whole[..end]).unwrap();
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    let due = status["due"].as_array().unwrap();
    let crl = due.iter().find(|due| due["code"] == "crl").unwrap();
    assert!(
        crl["message"]
            .as_str()
            .unwrap()
            .contains("lacks the CRL of CN=Kafka CA G1"),
        "{crl}"
    );
    kpki.run(&["doctor"]).expect_code(3);
    kpki.ok(&["crl"]);
    is_sound(&kpki);

    kpki.ok(&["rotate-ca", "next", "--force"]);
    kpki.ok(&["rotate-ca", "finish", "--force"]);
    is_sound(&kpki);
    publish();
    go("Kafka CA G2 1\n");
    // Whoever reads the first file finds the list of the CA that signs, as before.
    for file in ["www/kafka.crl", "www/kafka-g2.crl"] {
        assert!(issuer_of(&kpki, file).contains("G2"), "{file}");
    }
    kpki.ok(&["renew", "bob"]);
    assert_eq!(list_of(&kpki, "bob"), [own]);
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    is_sound(&kpki);
}

#[test]
fn the_list_of_a_root_is_made_while_its_key_is_here_and_kept_afterwards() {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca", "--intermediate"]);
    kpki.ok(&["issue", "--client", "alice", "bob"]);
    kpki.ok(&["revoke", "alice"]);
    let check = |expected| {
        for (leaf, code) in [("out/alice/alice.crt", 2), ("out/bob/bob.crt", 0)] {
            if let Some(said) = verify(&kpki, leaf, "out/ca/ca.crt") {
                assert_eq!(said, code, "{leaf}");
            }
        }
        let cas = ["out/ca/crl.pem", "out/ca/ca.crt", "out/ca/intermediate.crt"];
        if let Some(said) = go::run(kpki.dir(), JUDGE, &cas) {
            assert_eq!(said.expect_code(0).stdout, expected);
        }
    };
    check("Kafka CA G1 Intermediate 1\nKafka CA G1 0\n");
    let key = kpki.path("out/ca/root.key");
    fs::rename(&key, kpki.path("away")).unwrap();
    kpki.ok(&["crl"]);
    check("Kafka CA G1 Intermediate 1\nKafka CA G1 0\n");
    kpki.ok(&["status"]);
    // It ends after a year, and nothing but its key makes another.
    if !move_by(&mut kpki, 300 * DAY) {
        return;
    }
    kpki.ok(&["crl"]);
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    let due = status["due"].as_array().unwrap();
    let crl = due.iter().find(|due| due["code"] == "crl").unwrap();
    assert!(
        crl["message"]
            .as_str()
            .unwrap()
            .contains("put root.key back"),
        "{crl}"
    );
    fs::rename(kpki.path("away"), &key).unwrap();
    kpki.ok(&["crl"]);
    let status = kpki.run(&["status", "--json"]).json();
    let due = status["due"].as_array().unwrap();
    assert!(due.iter().all(|due| due["code"] != "crl"), "{status}");
}

/// Found by a tester: whoever checks whole chains refused everybody, and nothing said why.
#[test]
fn a_root_whose_key_was_taken_away_at_once_lacks_its_list() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--intermediate"]);
    let key = kpki.path("out/ca/root.key");
    fs::rename(&key, kpki.path("away")).unwrap();
    kpki.ok(&["issue", "--client", "alice", "bob"]);
    kpki.ok(&["status"]);
    for command in [&["revoke", "alice"][..], &["crl"]] {
        let said = kpki.ok(command).stderr;
        assert!(
            said.contains("lacks the CRL of CN=Kafka CA G1,") && said.contains("root.key back"),
            "{said}"
        );
    }
    for (of, list) in [("status", "due"), ("doctor", "faults")] {
        let said = kpki.run(&[of, "--json"]).expect_code(3).json();
        let crl = &said[list][0];
        assert_eq!(
            (&crl["code"], &crl["command"]),
            (&json!("crl"), &json!("kpki crl"))
        );
        let message = crl["message"].as_str().unwrap();
        assert!(
            message.contains("root.key back and run kpki crl"),
            "{message}"
        );
    }
    fs::rename(kpki.path("away"), &key).unwrap();
    kpki.ok(&["crl"]);
    fs::rename(&key, kpki.path("away")).unwrap();
    assert!(!kpki.ok(&["crl"]).stderr.contains("lacks"));
    kpki.ok(&["status"]);
    kpki.ok(&["doctor"]);
    for (leaf, code) in [("out/alice/alice.crt", 2), ("out/bob/bob.crt", 0)] {
        if let Some(said) = verify(&kpki, leaf, "out/ca/ca.crt") {
            assert_eq!(said, code, "{leaf}");
        }
    }
}
