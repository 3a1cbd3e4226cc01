//! `kpki init-ca` and `kpki ca export-key`, judged by OpenSSL.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{kpki::Kpki, openssl::openssl, terminal};

fn text(kpki: &Kpki, certificate: &str) -> Option<String> {
    let shown = openssl(kpki.dir(), &["x509", "-in", certificate, "-noout", "-text"])?;
    Some(shown.expect_code(0).stdout)
}

#[test]
fn every_kind_of_key_makes_a_ca_that_openssl_finds_strictly_right() {
    for key in [
        "ecdsa-p256",
        "ecdsa-p384",
        "rsa-2048",
        "rsa-3072",
        "rsa-4096",
    ] {
        let kpki = Kpki::new();
        kpki.ok(&["init-ca", "--key", key]);
        let verify = [
            "verify",
            "-x509_strict",
            "-CAfile",
            "out/ca/ca.crt",
            "out/ca/ca.crt",
        ];
        let Some(verified) = openssl(kpki.dir(), &verify) else {
            return;
        };
        verified.expect_code(0);
        kpki.ok(&[
            "issue",
            "kafka1",
            "--key",
            if key == "rsa-4096" { "ecdsa-p256" } else { key },
        ]);
        let verify = [
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-CAfile",
            "out/ca/ca.crt",
            "out/kafka1/kafka1.crt",
        ];
        openssl(kpki.dir(), &verify).unwrap().expect_code(0);
    }
}

#[test]
fn the_certificate_says_what_a_ca_must() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Kafka CA,O=Example\\, Inc.,C=DE"]);
    let Some(text) = text(&kpki, "out/ca/ca.crt") else {
        return;
    };
    for expected in [
        "Subject: C = DE, O = \"Example, Inc.\", CN = Kafka CA G1",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign",
        "X509v3 Subject Key Identifier",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

#[test]
fn files_have_their_final_modes_and_the_key_is_sealed() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let mode = |path: &str| fs::metadata(kpki.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("out"), 0o700);
    assert_eq!(mode("out/ca"), 0o700);
    assert_eq!(mode("out/ca/ca.key"), 0o600);
    assert_eq!(mode("out/ca/inventory.jsonl"), 0o600);
    let key = fs::read_to_string(kpki.path("out/ca/ca.key")).unwrap();
    assert!(key.contains("argon2id m=65536 t=3 p=4"), "{key}");
    assert_eq!(
        fs::read_to_string(kpki.path("out/.gitignore")).unwrap(),
        "*\n!.gitignore\n"
    );
}

#[test]
fn an_intermediate_signs_and_the_root_is_sealed_apart() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--intermediate"]);
    kpki.ok(&["issue", "kafka1"]);
    assert!(kpki.path("out/ca/root.key").exists());
    // Nothing every day needs the root's key.
    fs::remove_file(kpki.path("out/ca/root.key")).unwrap();
    kpki.ok(&["issue", "--client", "alice"]);
    let Some(root) = text(&kpki, "out/ca/ca.crt") else {
        return;
    };
    assert!(root.contains("CA:TRUE, pathlen:1"), "{root}");
    for leaf in ["out/kafka1/kafka1.crt", "out/alice/alice.crt"] {
        let verify = [
            "verify",
            "-x509_strict",
            "-CAfile",
            "out/ca/ca.crt",
            "-untrusted",
            leaf,
            leaf,
        ];
        openssl(kpki.dir(), &verify).unwrap().expect_code(0);
        let alone = ["verify", "-CAfile", "out/ca/ca.crt", leaf];
        assert_ne!(
            openssl(kpki.dir(), &alone).unwrap().code,
            Some(0),
            "the leaf hangs on the intermediate"
        );
    }
}

#[test]
fn name_constraints_bind_kpki_and_everyone_else() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--name-constraint", "example.com"]);
    let refused = kpki
        .run(&["issue", "kafka1", "--host", "kafka1.example.org"])
        .expect_code(1);
    assert!(
        refused
            .stderr
            .contains("`kafka1.example.org` is outside the CA's name constraints (example.com)"),
        "{}",
        refused.stderr
    );
    assert!(!kpki.path("out/kafka1").exists());
    kpki.ok(&["issue", "kafka1", "--host", "kafka1.example.com"]);
    let verify = [
        "verify",
        "-x509_strict",
        "-CAfile",
        "out/ca/ca.crt",
        "out/kafka1/kafka1.crt",
    ];
    let Some(verified) = openssl(kpki.dir(), &verify) else {
        return;
    };
    verified.expect_code(0);
}

#[test]
fn serials_are_random_and_at_least_128_bits() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "a", "b", "c"]);
    let records = kpki.certificates();
    assert_eq!(records.len(), 4);
    let mut lens = records.iter().map(|r| r["serial"].as_str().unwrap().len());
    assert!(lens.all(|len| len == 40), "{records:?}");
}

#[test]
fn an_existing_ca_stays_and_the_message_says_what_to_use() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let before = fs::read(kpki.path("out/ca/ca.key")).unwrap();
    let again = kpki.run(&["init-ca"]).expect_code(1);
    assert!(
        again
            .stderr
            .contains("error: a CA already exists in out/ca\nhint: kpki issue NAME uses it"),
        "{}",
        again.stderr
    );
    assert_eq!(fs::read(kpki.path("out/ca/ca.key")).unwrap(), before);
}

#[test]
fn the_passphrase_may_come_from_a_file_and_never_from_an_argument() {
    let mut kpki = Kpki::new();
    kpki.write("pass", "from a file\n");
    fs::set_permissions(kpki.path("pass"), fs::Permissions::from_mode(0o600)).unwrap();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let missing = kpki.run(&["init-ca"]).expect_code(1);
    for way in [
        "--ca-passphrase-file",
        "KPKI_CA_PASSPHRASE_FILE",
        "KPKI_CA_PASSPHRASE",
        "terminal",
    ] {
        assert!(missing.stderr.contains(way), "{}", missing.stderr);
    }
    assert!(!kpki.path("out").exists());
    kpki.ok(&["init-ca", "--ca-passphrase-file", "pass"]);
    kpki.env("KPKI_CA_PASSPHRASE_FILE", "pass");
    kpki.ok(&["issue", "kafka1"]);
    kpki.without_env("KPKI_CA_PASSPHRASE_FILE")
        .env("KPKI_CA_PASSPHRASE", "from a file");
    kpki.ok(&["issue", "kafka2"]);
    let help = kpki.ok(&["init-ca", "--help"]).stdout;
    assert!(!help.contains("--passphrase "), "{help}");
}

#[test]
fn without_a_passphrase_only_by_explicit_wish_and_with_a_warning() {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let made = kpki.ok(&["init-ca", "--no-passphrase"]);
    assert!(
        made.stderr
            .contains("warning: the CA key will be written without a passphrase"),
        "{}",
        made.stderr
    );
    kpki.ok(&["issue", "kafka1"]);
}

#[test]
fn a_wrong_passphrase_a_cut_and_a_changed_key_file_are_told_apart() {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let path = kpki.path("out/ca/ca.key");
    let key = fs::read_to_string(&path).unwrap();

    kpki.env("KPKI_CA_PASSPHRASE", "another");
    let wrong = kpki.run(&["issue", "kafka1"]).expect_code(1);
    assert!(
        wrong.stderr.contains(
            "out/ca/ca.key: wrong passphrase, or the file was altered\nhint: give the passphrase"
        ),
        "{}",
        wrong.stderr
    );

    for damaged in [
        &key[..key.len() / 2],
        "",
        &key.replacen("key: ", "key: A", 1),
    ] {
        fs::write(&path, damaged).unwrap();
        let seen = kpki.run(&["issue", "kafka1"]).expect_code(1);
        assert!(
            seen.stderr.contains("truncated or was altered"),
            "{}",
            seen.stderr
        );
        assert!(
            seen.stderr.contains("hint: take it from a backup"),
            "{}",
            seen.stderr
        );
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            damaged,
            "it is never rewritten"
        );
    }
    fs::write(&path, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let foreign = kpki.run(&["issue", "kafka1"]).expect_code(1);
    assert!(
        foreign.stderr.contains("not a sealed kpki key"),
        "{}",
        foreign.stderr
    );
    assert!(!kpki.path("out/kafka1").exists());
}

#[test]
fn a_missing_ca_is_named_with_the_command_that_makes_one() {
    let kpki = Kpki::new();
    let missing = kpki.run(&["issue", "kafka1"]).expect_code(1);
    assert!(
        missing
            .stderr
            .contains("error: there is no CA in out/ca\nhint: kpki init-ca makes one"),
        "{}",
        missing.stderr
    );
    let json = kpki
        .run(&["--json", "issue", "kafka1"])
        .expect_code(1)
        .json();
    assert_eq!(json["error"]["code"], "ca-missing");
}

#[test]
fn the_exported_key_is_the_cas_and_openssl_opens_it() {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.write("password", "export password\n");
    kpki.ok(&[
        "ca",
        "export-key",
        "--out-file",
        "ca.pem",
        "--password-file",
        "password",
    ]);
    let mode = fs::metadata(kpki.path("ca.pem"))
        .unwrap()
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    let public = [
        "pkey",
        "-in",
        "ca.pem",
        "-passin",
        "file:password",
        "-pubout",
    ];
    let Some(of_key) = openssl(kpki.dir(), &public) else {
        return;
    };
    let of_certificate = openssl(
        kpki.dir(),
        &["x509", "-in", "out/ca/ca.crt", "-noout", "-pubkey"],
    )
    .unwrap();
    assert_eq!(
        of_key.expect_code(0).stdout,
        of_certificate.expect_code(0).stdout
    );
    let again = kpki.run(&[
        "ca",
        "export-key",
        "--out-file",
        "ca.pem",
        "--password-file",
        "password",
    ]);
    assert!(
        again
            .expect_code(1)
            .stderr
            .contains("ca.pem already exists")
    );
    kpki.env("KPKI_CA_PASSPHRASE", "another");
    let wrong = kpki.run(&[
        "ca",
        "export-key",
        "--out-file",
        "b.pem",
        "--password-file",
        "password",
    ]);
    assert!(wrong.expect_code(1).stderr.contains("wrong passphrase"));
    assert!(!kpki.path("b.pem").exists());
}

#[test]
fn the_password_of_an_exported_key_is_as_long_as_a_passphrase_and_typed_twice() {
    let mut kpki = Kpki::with_open_ca();
    let export = ["ca", "export-key", "--out-file", "ca.pem"];
    kpki.env("KPKI_EXPORT_PASSWORD", "x");
    let said = kpki.run(&export).expect_code(1).stderr;
    let short = "the passphrase has 1 character; an exported CA key needs 8 or more";
    assert!(said.contains(short), "{said}");
    kpki.env("KPKI_EXPORT_PASSWORD", "");
    let Some(other) = terminal::run(&kpki, 80, &export, "several words\nother words\n") else {
        return;
    };
    let other = other.expect_code(1).stdout;
    assert!(other.contains("the two passphrases differ"), "{other}");
    assert!(!kpki.path("ca.pem").exists());
    let same = terminal::run(&kpki, 80, &export, "several words\nseveral words\n").unwrap();
    same.expect_code(0);
    assert!(kpki.path("ca.pem").exists());
}

#[test]
fn a_ca_without_a_passphrase_has_none_to_store() {
    let kpki = Kpki::new();
    let said = kpki.ok(&["init-ca"]).stdout;
    assert!(said.contains("store the passphrase separately"), "{said}");
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let said = kpki.ok(&["init-ca", "--no-passphrase"]).stdout;
    assert!(!said.contains("passphrase"), "{said}");
    assert!(
        said.contains("ca.key  the signing key: keep a backup"),
        "{said}"
    );
}
