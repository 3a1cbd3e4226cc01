//! What comes after the first day, with a CA that was brought.

use std::fs;

use crate::support::kpki::Kpki;

use super::{IMPORT, company::Company, verify};

const POLICY: &str = "
brokers: [{name: kafka1}]
clients: [{name: alice}]
";

/// Everything that is done with a CA, shortly.
fn live(kpki: &Kpki, signer: &str) {
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    let issuers = |name: &str| {
        let all = kpki.json(&["list", "--json"]);
        let all: Vec<_> = all
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["name"] == name)
            .cloned()
            .collect();
        all.iter()
            .map(|c| c["issuer"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(issuers("kafka1"), [signer]);
    let listed = kpki.json(&["list", "--json"]);
    let valid = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["status"] == "valid")
        .count();
    assert_eq!(valid, listed.as_array().unwrap().len(), "{listed}");
    kpki.ok(&["renew", "kafka1"]);
    kpki.ok(&["issue", "--client", "bob"]);
    let leaf = kpki::pki::LeafSpec {
        name: "far".parse().unwrap(),
        kind: kpki::pki::Kind::Client,
        hosts: Vec::new(),
        key: kpki::pki::KeyAlgorithm::EcdsaP256,
        days: 1,
    };
    let request = leaf.request(&leaf.key.generate().unwrap()).unwrap();
    fs::write(kpki.path("far.csr"), &*request).unwrap();
    kpki.ok(&["sign", "far.csr", "--client", "--out-file", "far.crt"]);
    assert_eq!(
        super::subjects(kpki, "far.crt").len(),
        super::subjects(kpki, "out/alice/alice.crt").len()
    );
    kpki.ok(&["revoke", "bob", "--reason", "superseded"]);
    kpki.ok(&["crl"]);
    // OpenSSL finds the list to be of that very CA, and takes it.
    fs::write(
        kpki.path("all.pem"),
        [
            fs::read(kpki.path("out/ca/ca.crt")).unwrap(),
            fs::read(kpki.path("out/ca/crl.pem")).unwrap(),
        ]
        .concat(),
    )
    .unwrap();
    let check = |name: &str| {
        let leaf = format!("out/{name}/{name}.crt");
        let arguments = [
            "verify",
            "-crl_check",
            "-CAfile",
            "all.pem",
            "-untrusted",
            &leaf,
            &leaf,
        ];
        crate::support::openssl::openssl(kpki.dir(), &arguments).unwrap()
    };
    check("alice").expect_code(0);
    let revoked = check("bob");
    assert!(
        revoked.stderr.contains("certificate revoked"),
        "{}",
        revoked.stderr
    );
    kpki.ok(&["doctor", "policy.yaml"]);
    let status = kpki.run(&["status", "--json"]).json();
    assert!(status["due"].as_array().unwrap().is_empty(), "{status}");

    let mut away = Kpki::new();
    away.env("KPKI_BACKUP_PASSPHRASE", "another passphrase");
    let backup = kpki.path("backup").display().to_string();
    let made = kpki
        .command(&["backup", &backup])
        .env("KPKI_BACKUP_PASSPHRASE", "another passphrase")
        .status();
    assert!(made.unwrap().success());
    away.ok(&["restore", &backup]);
    away.ok(&["issue", "--client", "carol"]);
    verify(&away, "carol", "sslclient");

    kpki.ok(&["rotate-ca", "start", "--subject", "CN=Next CA,O=Example"]);
    for step in ["next", "next", "finish"] {
        kpki.ok(&["rotate-ca", step, "--force"]);
        verify(kpki, "kafka1", "sslserver");
    }
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    kpki.ok(&["crl"]);
    let doctor = kpki.run(&["doctor", "policy.yaml"]).expect_code(3);
    assert!(
        doctor.stdout.contains("the certificate of far"),
        "{doctor:?}"
    );
    kpki.ok(&["sign", "far.csr", "--client", "--out-file", "far.crt"]);
    kpki.ok(&["doctor", "policy.yaml"]);
    assert_ne!(issuers("kafka1").last().unwrap(), signer);
}

#[test]
fn an_imported_ca_lives_like_any_other() {
    let kpki = Kpki::new();
    let Some(_company) = Company::new(&kpki) else {
        return;
    };
    kpki.ok(&IMPORT);
    live(&kpki, "CN=Issuing CA,DC=example,DC=com");
    assert_eq!(
        super::subjects(&kpki, "out/ca/ca.crt"),
        ["CN=Next CA G2,O=Example"]
    );
}

#[test]
fn a_ca_below_a_company_lives_like_any_other() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    let request = [
        "init-ca",
        "--no-passphrase",
        "--request",
        "--key",
        "rsa-2048",
        "--out-file",
        "kafka.csr",
    ];
    kpki.ok(&request);
    let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
    company.sign("kafka.csr", "kafka.crt", "root", extensions);
    company.join("answer.pem", &["kafka", "root"]);
    kpki.ok(&["init-ca", "--install-cert", "answer.pem"]);
    live(&kpki, "CN=Kafka CA");
}

#[test]
fn an_imported_root_signs_itself() {
    let kpki = Kpki::new();
    let Some(_company) = Company::new(&kpki) else {
        return;
    };
    kpki.ok(&[
        "init-ca",
        "--no-passphrase",
        "--import-cert",
        "root.crt",
        "--import-key",
        "root.key",
    ]);
    assert!(!kpki.path("out/ca/intermediate.crt").exists());
    live(&kpki, "CN=Example Root,DC=example,DC=com");
}
