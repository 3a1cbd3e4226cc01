//! CAs of somebody else's making, imported or below a company's root, judged by OpenSSL, keytool and Java's TLS.

pub mod company;
mod forms;
mod hostile;
mod later;
mod refused;
mod rotation;

use std::{fs, process::Command};

use crate::support::{java::judge, kpki::Kpki, openssl::openssl};
use company::Company;

pub const IMPORT: [&str; 6] = [
    "init-ca",
    "--no-passphrase",
    "--import-cert",
    "chain.pem",
    "--import-key",
    "issuing.key",
];

fn subjects(kpki: &Kpki, file: &str) -> Vec<String> {
    let pem = fs::read(kpki.path(file)).unwrap();
    let ders = kpki::keystore::pem::parse_certificates(&pem).unwrap();
    let certificates = ders
        .iter()
        .map(|der| kpki::pki::Certificate::from_der(der).unwrap());
    certificates.map(|c| c.subject.to_string()).collect()
}

/// OpenSSL finds the chain of an identity good to the letter.
fn verify(kpki: &Kpki, name: &str, purpose: &str) {
    let (ca, leaf) = (
        format!("out/{name}/ca.crt"),
        format!("out/{name}/{name}.crt"),
    );
    let arguments = [
        "verify",
        "-x509_strict",
        "-check_ss_sig",
        "-purpose",
        purpose,
        "-CAfile",
        &ca,
        "-untrusted",
        &leaf,
        &leaf,
    ];
    openssl(kpki.dir(), &arguments).unwrap().expect_code(0);
}

fn password(kpki: &Kpki, name: &str) -> String {
    let file = kpki.path(format!("out/{name}/keystore_creds"));
    fs::read_to_string(file).unwrap().trim_end().to_owned()
}

fn property(kpki: &Kpki, file: &str, key: &str) -> String {
    let text = fs::read_to_string(kpki.path(file)).unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap().to_owned()
}

#[test]
fn a_chain_of_four_is_in_every_output() {
    let kpki = Kpki::new();
    let Some(_company) = Company::new(&kpki) else {
        return;
    };
    let before = fs::read(kpki.path("issuing.key")).unwrap();
    let imported = kpki.json(&[
        "init-ca",
        "--import-cert",
        "chain.pem",
        "--import-key",
        "issuing.key",
        "--json",
    ]);
    assert_eq!(imported["subject"], "CN=Issuing CA,DC=example,DC=com");
    assert_eq!(
        imported["chain"],
        serde_json::json!([
            "CN=Issuing CA,DC=example,DC=com",
            "CN=Policy CA,OU=Policy,OU=PKI,O=Example",
            "CN=Example Root,DC=example,DC=com"
        ])
    );
    assert_eq!(fs::read(kpki.path("issuing.key")).unwrap(), before);
    let sealed = fs::read_to_string(kpki.path("out/ca/ca.key")).unwrap();
    assert!(
        sealed.starts_with("kpki sealed key v1\nkdf: argon2id m=65536"),
        "{sealed}"
    );
    assert!(kpki.path("out/ca/journal.jsonl").exists());

    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    kpki.ok(&["issue", "--client", "alice"]);
    for (name, purpose) in [("kafka1", "sslserver"), ("alice", "sslclient")] {
        verify(&kpki, name, purpose);
        let chain = [
            format!("CN={name}"),
            "CN=Issuing CA,DC=example,DC=com".to_owned(),
            "CN=Policy CA,OU=Policy,OU=PKI,O=Example".to_owned(),
        ];
        assert_eq!(subjects(&kpki, &format!("out/{name}/{name}.crt")), chain);
        assert_eq!(subjects(&kpki, &format!("out/{name}/{name}.pem")), chain);
        assert_eq!(
            subjects(&kpki, &format!("out/{name}/ca.crt")),
            ["CN=Example Root,DC=example,DC=com"]
        );
        let listed = Command::new("keytool")
            .args([
                "-J-Duser.language=en",
                "-list",
                "-v",
                "-storepass",
                &password(&kpki, name),
                "-keystore",
            ])
            .arg(kpki.path(format!("out/{name}/{name}.keystore.p12")))
            .output();
        let Ok(listed) = listed else { continue };
        let text = String::from_utf8_lossy(&listed.stdout);
        assert!(text.contains("Certificate chain length: 3"), "{text}");
        assert!(text.contains("Your keystore contains 1 entry"), "{text}");
    }
    let Some(judge) = judge() else { return };
    let paths = ["kafka1.keystore.p12", "kafka1.truststore.p12"]
        .map(|f| kpki.path(format!("out/kafka1/{f}")));
    let [key_store, trust_store] = paths.map(|path| path.display().to_string());
    let password = password(&kpki, "kafka1");
    let trust = property(
        &kpki,
        "out/alice/client.properties",
        "ssl.truststore.password",
    );
    let stores = [
        ("ssl.keystore.location", key_store.as_str()),
        ("ssl.keystore.type", "PKCS12"),
        ("ssl.keystore.password", &password),
        ("ssl.key.password", &password),
        ("ssl.truststore.location", &trust_store),
        ("ssl.truststore.type", "PKCS12"),
        ("ssl.truststore.password", &trust),
    ];
    let server = [&stores[..], &[("ssl.client.auth", "required")]].concat();
    let session = judge.handshake(&server, &stores, "localhost").unwrap();
    assert_eq!(session.client_subject.as_deref(), Some("CN=kafka1"));
}

#[test]
fn a_request_waits_until_its_answer_is_installed() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    let request = [
        "init-ca",
        "--request",
        "--subject",
        "CN=Kafka CA,O=Example",
        "--out-file",
        "kafka.csr",
    ];
    kpki.ok(&request);
    let text = fs::read_to_string(kpki.path("kafka.csr")).unwrap();
    let shown = company.openssl(&["req", "-in", "kafka.csr", "-noout", "-verify", "-text"]);
    for expected in [
        "O = Example, CN = Kafka CA",
        "CA:TRUE",
        "Certificate Sign, CRL Sign",
    ] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
    let key = fs::read(kpki.path("out/ca/request.key")).unwrap();
    assert!(key.starts_with(b"kpki sealed key v1\nkdf: argon2id"));
    assert_eq!(kpki.mode("out/ca/request.key"), 0o600);

    // Again: the same, and nothing else.
    assert_eq!(kpki.ok(&["init-ca", "--request"]).stdout, text);
    kpki.ok(&request);
    let json = kpki.json(&["init-ca", "--request", "--json"]);
    assert_eq!(
        (&json["state"], &json["request"]),
        (&"waiting".into(), &text.as_str().into())
    );
    let other = kpki
        .run(&["init-ca", "--request", "--subject", "CN=Other", "--json"])
        .expect_code(1);
    assert_eq!(other.json()["error"]["code"], "ca-waits");
    kpki.write("policy.yaml", "brokers: [{name: kafka1}]\n");
    for command in [
        &["init-ca"][..],
        &[
            "init-ca",
            "--import-key",
            "issuing.key",
            "--import-cert",
            "chain.pem",
        ],
        &["issue", "kafka1"],
        &["up", "policy.yaml"],
        &["up", "policy.yaml", "--dry-run"],
        &["list"],
        &["status"],
        &["crl"],
        &["rotate-ca", "start"],
        &["renew", "--all"],
    ] {
        let refused = kpki
            .run(&[&["--json"], command].concat())
            .expect_code(1)
            .json();
        assert_eq!(
            refused["error"]["code"], "ca-waits",
            "{command:?}: {refused}"
        );
        let hint = refused["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("kpki init-ca --install-cert FILE"), "{hint}");
    }
    let doctor = kpki.run(&["doctor", "--json"]).expect_code(3).json();
    assert_eq!(
        doctor["faults"][0]["command"],
        "kpki init-ca --install-cert FILE"
    );

    company.sign("kafka.csr", "kafka.crt", "policy", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
    // The root is missing, and is asked for.
    company.join("answer.pem", &["kafka", "policy"]);
    let missing = kpki
        .run(&["init-ca", "--install-cert", "answer.pem"])
        .expect_code(1);
    assert!(
        missing.stderr.contains(
            "the certificate of its issuer `CN=Example Root,DC=example,DC=com` is missing"
        ),
        "{}",
        missing.stderr
    );
    assert!(
        missing.stderr.contains("append them to the file"),
        "{}",
        missing.stderr
    );
    let others = kpki
        .run(&["init-ca", "--install-cert", "chain.pem", "--json"])
        .expect_code(1);
    assert_eq!(others.json()["error"]["code"], "ca-refused");
    assert_eq!(fs::read(kpki.path("out/ca/request.key")).unwrap(), key);

    company.join("answer.pem", &["root", "kafka", "policy"]);
    let installed = kpki.json(&["init-ca", "--install-cert", "answer.pem", "--json"]);
    assert_eq!(installed["subject"], "CN=Kafka CA,O=Example");
    assert_eq!(fs::read(kpki.path("out/ca/ca.key")).unwrap(), key);
    assert!(!kpki.path("out/ca/request.key").exists() && !kpki.path("out/ca/request.csr").exists());
    let again = kpki
        .run(&["init-ca", "--install-cert", "answer.pem", "--json"])
        .expect_code(1);
    assert_eq!(again.json()["error"]["code"], "ca-exists");
    kpki.ok(&["up", "policy.yaml"]);
    verify(&kpki, "kafka1", "sslserver");
    assert_eq!(
        subjects(&kpki, "out/kafka1/kafka1.crt"),
        [
            "CN=kafka1",
            "CN=Kafka CA,O=Example",
            "CN=Policy CA,OU=Policy,OU=PKI,O=Example"
        ]
    );
    kpki.ok(&["doctor", "policy.yaml"]);
}

/// The algorithm was ignored, and the old request printed.
#[test]
fn a_pending_request_is_not_given_out_for_another_key_or_subject() {
    let kpki = Kpki::new();
    let request = ["init-ca", "--request", "--no-passphrase"];
    let first = kpki.ok(&request).stdout;
    for (option, value) in [
        ("--key", "rsa-2048"),
        ("--key", "ecdsa-p384"),
        ("--subject", "CN=Another"),
    ] {
        let said = kpki.run(&[&request[..], &[option, value, "--json"]].concat());
        let error = said.expect_code(1).json()["error"].clone();
        assert_eq!(error["code"], "ca-waits", "{value}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("instead of {value}")),
            "{message}"
        );
        assert!(error["hint"].as_str().unwrap().contains("mv out/ca"));
    }
    for same in [&["--key", "ecdsa-p256"][..], &["--subject", "CN=Kafka CA"]] {
        assert_eq!(kpki.ok(&[&request[..], same].concat()).stdout, first);
    }
}

#[test]
fn an_answer_without_a_certificate_is_refused_with_a_hint() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--request", "--no-passphrase"]);
    kpki.write("answer.pem", "x\n");
    let install = ["init-ca", "--install-cert", "answer.pem", "--json"];
    let error = kpki.run(&install).expect_code(1).json();
    assert!(error["error"]["hint"].is_string(), "{error}");
}
