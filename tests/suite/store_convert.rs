//! `kpki store convert`: what goes in comes out, whoever reads it.

use crate::support::{
    keytool::{entries, keytool},
    kpki::Kpki,
    openssl::openssl,
};

const PASSWORD: &str = "a password of the tests";

/// A JKS store of keytool's with two keys and two trusted certificates. `None`: there is no keytool.
fn with_jks() -> Option<Kpki> {
    let kpki = Kpki::new();
    kpki.write("password", PASSWORD);
    kpki.set_mode("password", 0o600);
    for alias in ["first", "Second"] {
        let dname = format!("CN={alias},O=Example");
        generate(&kpki, "a.jks", alias, &dname, &[])?;
    }
    kpki.ok(&["init-ca", "--subject", "CN=Some CA"]);
    for (alias, ca) in [("ca-root", "out/ca/ca.crt"), ("über ca", "out/ca/ca.crt")] {
        let import = ["-importcert", "-noprompt", "-alias", alias, "-file", ca];
        let store = [
            "-keystore",
            "a.jks",
            "-storetype",
            "JKS",
            "-storepass",
            PASSWORD,
        ];
        keytool(kpki.dir(), &[import, store].concat())?.unwrap();
    }
    Some(kpki)
}

fn generate(kpki: &Kpki, file: &str, alias: &str, dname: &str, more: &[&str]) -> Option<()> {
    let key = [
        "-genkeypair",
        "-keyalg",
        "EC",
        "-groupname",
        "secp256r1",
        "-alias",
        alias,
        "-dname",
        dname,
    ];
    let store = [
        "-keystore",
        file,
        "-storetype",
        "JKS",
        "-storepass",
        PASSWORD,
    ];
    keytool(kpki.dir(), &[&key, &store[..], more].concat())?.unwrap();
    Some(())
}

fn convert(kpki: &Kpki, from: &str, to: &str, file: &str) {
    let passwords = ["--password-file", "password", "--json"];
    let convert = ["store", "convert", from, "--to", to, "--out-file", file];
    let done = kpki.ok(&[&convert[..], &passwords].concat());
    assert!(done.stderr.ends_with(": 4 entries\n"), "{}", done.stderr);
    let done = done.json();
    assert_eq!(done["aliases"].as_array().unwrap().len(), 4, "{done}");
}

#[test]
fn aliases_keys_and_chains_go_through_every_format_and_back() {
    let Some(kpki) = with_jks() else { return };
    let expected = [
        ("ca-root", "trustedCertEntry"),
        ("first", "PrivateKeyEntry"),
        ("second", "PrivateKeyEntry"),
        ("über ca", "trustedCertEntry"),
    ]
    .map(|(alias, kind)| (alias.to_owned(), kind.to_owned()));
    let before = std::fs::read(kpki.path("a.jks")).unwrap();
    convert(&kpki, "a.jks", "pkcs12", "b.p12");
    convert(&kpki, "b.p12", "pem", "c.pem");
    convert(&kpki, "c.pem", "jks", "d.jks");
    convert(&kpki, "d.jks", "jks", "e.jks");
    assert_eq!(std::fs::read(kpki.path("a.jks")).unwrap(), before);
    for file in ["b.p12", "d.jks", "e.jks"] {
        assert_eq!(entries(kpki.dir(), file, PASSWORD), expected, "{file}");
        assert_eq!(kpki.mode(file), 0o600);
        // Taking a key out opens it, which listing does not.
        for alias in ["first", "second"] {
            let copy = format!("{file}-{alias}.p12");
            let import = [
                "-importkeystore",
                "-srckeystore",
                file,
                "-srcalias",
                alias,
                "-srcstorepass",
                PASSWORD,
            ];
            let into = [
                "-destkeystore",
                &copy,
                "-deststoretype",
                "PKCS12",
                "-deststorepass",
                PASSWORD,
            ];
            keytool(kpki.dir(), &[&import[..], &into].concat())
                .unwrap()
                .unwrap();
            let inspect = [
                "store",
                "inspect",
                &copy,
                "--password-file",
                "password",
                "--json",
            ];
            let report = kpki.json(&inspect);
            assert_eq!(report["entries"][0]["key_matches"], true, "{file} {alias}");
        }
    }
    assert_eq!(kpki.mode("c.pem"), 0o600);
    // Nothing is written over, and nothing beside it is left.
    let again = [
        "store",
        "convert",
        "a.jks",
        "--to",
        "pem",
        "--out-file",
        "c.pem",
        "--password-file",
        "password",
    ];
    let refused = kpki.run(&again).expect_code(1);
    assert!(
        refused.stderr.contains("c.pem already exists"),
        "{}",
        refused.stderr
    );
    let left = std::fs::read_dir(kpki.dir()).unwrap();
    let left = left.filter(|file| {
        file.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".kpki")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn a_key_under_a_password_of_its_own_needs_that_one() {
    let kpki = Kpki::new();
    kpki.write("password", PASSWORD);
    kpki.write("key-password", "another password");
    let own = ["-keypass", "another password"];
    if generate(&kpki, "a.jks", "app", "CN=app", &own).is_none() {
        return;
    }
    let report = kpki.json(&[
        "store",
        "inspect",
        "a.jks",
        "--password-file",
        "password",
        "--json",
    ]);
    assert_eq!(report["entries"][0]["locked"], true);
    assert!(
        report["notes"].to_string().contains("ssl.key.password"),
        "{report:#}"
    );
    let convert = [
        "store",
        "convert",
        "a.jks",
        "--to",
        "pkcs12",
        "--out-file",
        "b.p12",
        "--password-file",
        "password",
    ];
    let refused = kpki.run(&convert).expect_code(1);
    assert!(
        refused
            .stderr
            .contains("hint: give the key's own password with --key-password-file"),
        "{}",
        refused.stderr
    );
    assert!(!kpki.path("b.p12").exists());
    kpki.ok(&[&convert[..], &["--key-password-file", "key-password"]].concat());
    // Both are the store's now, as PKCS12 has it.
    let text = openssl(
        kpki.dir(),
        &[
            "pkcs12",
            "-in",
            "b.p12",
            "-nodes",
            "-passin",
            &format!("pass:{PASSWORD}"),
        ],
    );
    assert!(text.unwrap().stdout.contains("BEGIN PRIVATE KEY"));
}

#[test]
fn a_pem_file_of_kpkis_becomes_a_store_with_the_alias_that_is_given() {
    let kpki = Kpki::new();
    kpki.write("password", PASSWORD);
    kpki.ok(&["init-ca", "--subject", "CN=Some CA", "--intermediate"]);
    kpki.ok(&["issue", "kafka1", "kafka2"]);
    for (to, file) in [("pkcs12", "k.p12"), ("jks", "k.jks")] {
        let convert = [
            "store",
            "convert",
            "out/kafka1/kafka1.pem",
            "--to",
            to,
            "--out-file",
            file,
        ];
        let refused = kpki.run(&convert).expect_code(1);
        assert!(
            refused.stderr.contains("the new store needs a password"),
            "{}",
            refused.stderr
        );
        kpki.ok(&[
            &convert[..],
            &["--alias", "Kafka1", "--out-password-file", "password"],
        ]
        .concat());
        let report = kpki.json(&[
            "store",
            "inspect",
            file,
            "--password-file",
            "password",
            "--json",
        ]);
        assert_eq!(report["entries"][0]["alias"], "kafka1");
        assert_eq!(report["entries"][0]["chain"].as_array().unwrap().len(), 2);
    }
    // The key of one with the certificate of the other.
    let read = |file: &str| std::fs::read_to_string(kpki.path(file)).unwrap();
    kpki.write(
        "mixed.pem",
        &(read("out/kafka1/kafka1.key") + &read("out/kafka2/kafka2.crt")),
    );
    let mixed = [
        "store",
        "convert",
        "mixed.pem",
        "--to",
        "jks",
        "--out-file",
        "m.jks",
        "--out-password-file",
        "password",
    ];
    let refused = kpki.run(&mixed).expect_code(1);
    assert!(
        refused
            .stderr
            .contains("does not match the certificate of `CN=kafka2`"),
        "{}",
        refused.stderr
    );
    assert!(!kpki.path("m.jks").exists());
}

/// What "my truststore is empty" needs.
#[test]
fn a_truststore_of_openssl_becomes_one_that_java_reads() {
    let kpki = Kpki::new();
    kpki.write("password", PASSWORD);
    kpki.ok(&["init-ca", "--subject", "CN=Some CA,O=Example"]);
    let export = [
        "pkcs12",
        "-export",
        "-nokeys",
        "-in",
        "out/ca/ca.crt",
        "-out",
        "t.p12",
        "-passout",
    ];
    let password = format!("pass:{PASSWORD}");
    let Some(done) = openssl(kpki.dir(), &[&export[..], &[&password]].concat()) else {
        return;
    };
    assert_eq!(done.code, Some(0), "{done:?}");
    kpki.ok(&[
        "store",
        "convert",
        "t.p12",
        "--to",
        "pkcs12",
        "--out-file",
        "u.p12",
        "--password-file",
        "password",
    ]);
    assert_eq!(kpki.mode("u.p12"), 0o644);
    if keytool(kpki.dir(), &["-help"]).is_some() {
        let expected = [("some-ca-g1".to_owned(), "trustedCertEntry".to_owned())];
        assert_eq!(entries(kpki.dir(), "u.p12", PASSWORD), expected);
    }
}
