//! A real step-ca.

use std::fs;

use super::{contains, error, verify};
use crate::support::kpki::Kpki;
use crate::support::step_ca::{PASSWORD, StepCa};

/// A broker, and clients with and without hosts, one with a name that no host can have.
fn policy(issuer: &str, more: &str) -> String {
    format!(
        "cluster: {{admin: admin}}
ca:
  issuer:
    {issuer}
{more}
brokers:
  - {{name: kafka1, hosts: [kafka1, kafka1.example.com, 10.0.0.11]}}
  - {{name: kafka2, key: rsa-2048}}
clients:
  - {{name: admin}}
  - {{name: orders_service}}
  - {{name: audit, hosts: []}}
  - {{name: password-only, auth: scram-sha-512}}
"
    )
}

fn kpki(ca: &StepCa) -> (Kpki, String) {
    let mut kpki = Kpki::new();
    // Nothing of a CA's own is asked for.
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let file = kpki.write("secrets/password", &format!("{PASSWORD}\n"));
    kpki.set_mode("secrets/password", 0o600);
    let text = policy(&ca.policy("kpki", &file), "");
    kpki.write("policy.yaml", &text);
    (kpki, text)
}

#[test]
fn step_ca_signs_for_a_policy_and_for_single_commands() {
    let directory = tempfile::tempdir().unwrap();
    let Some(ca) = StepCa::start(directory.path()) else {
        return;
    };
    let (kpki, text) = kpki(&ca);
    let dry = kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"]);
    dry.expect_code(3);
    assert!(!kpki.path("out").exists());
    let out = kpki.ok(&["up", "policy.yaml"]);
    assert!(out.stdout.contains("Step Root"), "{}", out.stdout);
    assert!(!kpki.path("out/ca/ca.key").exists());
    let trusted = fs::read(kpki.path("out/ca/ca.crt")).unwrap();
    assert_eq!(
        String::from_utf8(trusted)
            .unwrap()
            .replace("\r\n", "\n")
            .trim(),
        fs::read_to_string(&ca.root)
            .unwrap()
            .replace("\r\n", "\n")
            .trim()
    );
    for (name, purpose) in [
        ("kafka1", "sslserver"),
        ("kafka1", "sslclient"),
        ("kafka2", "sslserver"),
        ("admin", "sslclient"),
        ("orders_service", "sslclient"),
        ("audit", "sslclient"),
    ] {
        if verify(&kpki, name, purpose).is_none() {
            return;
        }
    }
    // What is there stays, whatever step-ca added to what was asked for.
    kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"])
        .expect_code(0);
    // No password is needed where nothing is signed, and nowhere does it stand.
    fs::rename(kpki.path("secrets/password"), kpki.path("secrets/away")).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    let (code, said) = error(&kpki, &["renew", "kafka1"]);
    assert_eq!(code, "passphrase-unreadable", "{said}");
    fs::rename(kpki.path("secrets/away"), kpki.path("secrets/password")).unwrap();
    let found = contains(&kpki.path("out"), PASSWORD.as_bytes());
    assert!(!found, "the password stands in the output directory");
    // Commands without a policy.
    kpki.ok(&["issue", "--client", "reports"]);
    verify(&kpki, "reports", "sslclient");
    let before = fs::read(kpki.path("out/audit/audit.crt")).unwrap();
    kpki.ok(&["renew", "audit", "kafka1"]);
    assert_ne!(fs::read(kpki.path("out/audit/audit.crt")).unwrap(), before);
    kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"])
        .expect_code(0);
    // There is no key to give away.
    let (code, _) = error(&kpki, &["ca", "export-key", "--out-file", "key.pem"]);
    assert_eq!(code, "key-elsewhere");
    // What the policy says of step-ca may change; who signs may not.
    kpki.write(
        "policy.yaml",
        &text.replace("provisioner: kpki", "provisioner: somebody"),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let (code, said) = error(&kpki, &["renew", "kafka1"]);
    assert_eq!(code, "issuer-refused", "{said}");
    assert!(
        said.contains("kafka1 (403)") && said.contains("leaf_valid_days"),
        "{said}"
    );
}

#[test]
fn what_keeps_step_ca_from_signing_is_said_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let Some(ca) = StepCa::start(directory.path()) else {
        return;
    };
    let (kpki, text) = kpki(&ca);
    let up = |policy: &str| {
        kpki.write("policy.yaml", policy);
        error(&kpki, &["up", "policy.yaml"])
    };
    let said = |policy: &str, code: &str, words: &[&str]| {
        let (found, said) = up(policy);
        assert_eq!(found, code, "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!said.contains(PASSWORD));
        assert!(
            !kpki.path("out/ca").exists() || code == "issuer-refused",
            "{said}"
        );
    };
    said(
        &text.replace("provisioner: kpki", "provisioner: nobody"),
        "issuer-settings",
        &["no provisioner nobody", "somebody, kpki"],
    );
    said(
        &text.replace(&ca.fingerprint, &"0a".repeat(32)),
        "issuer-settings",
        &["no root with the fingerprint"],
    );
    let other = text.replace("https://127.0.0.1", "https://localhost");
    said(&other, "issuer-untrusted", &["dnsNames"]);
    kpki.write("secrets/password", "another");
    said(&text, "issuer-forbidden", &["password does not decrypt"]);
    kpki.write("secrets/password", PASSWORD);
    let long = text.replace("brokers:", "  leaf_valid_days: 3000\nbrokers:");
    said(&long, "issuer-refused", &["leaf_valid_days"]);
    drop(ca);
    kpki.write("policy.yaml", &text);
    let (code, hint) = error(&kpki, &["up", "policy.yaml"]);
    assert_eq!(code, "issuer-unreachable", "{hint}");
}
