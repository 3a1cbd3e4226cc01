//! `kpki store inspect`: stores of every make, and who can read them, each answer judged by who it is about.

mod hostile;
#[cfg(feature = "live")]
mod librdkafka;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{java::judge, keytool::keytool, kpki::Kpki, openssl::openssl, root};

const PASSWORD: &str = "fixture password";

/// Whether Java finds these entries, by the words of `keytool -list`.
fn java_lists(dir: &Path, file: &str, password: &str, entries: &str) -> Option<bool> {
    let arguments = ["-list", "-keystore", file, "-storepass", password];
    Some(keytool(dir, &arguments)?.is_ok_and(|text| text.contains(entries)))
}

/// Whether OpenSSL as it is installed reads all of it.
fn openssl_reads(dir: &Path, file: &str, password: &str) -> Option<bool> {
    let password = format!("pass:{password}");
    let arguments = ["pkcs12", "-in", file, "-nodes", "-passin", &password];
    Some(openssl(dir, &arguments)?.code == Some(0))
}

fn inspect(kpki: &Kpki, file: &str, password: &str) -> Value {
    kpki.write("store.password", password);
    kpki.set_mode("store.password", 0o600);
    kpki.json(&[
        "store",
        "inspect",
        file,
        "--password-file",
        "store.password",
        "--json",
    ])
}

fn made(file: &str) -> PathBuf {
    root().join("tests/suite/store_inspect/made").join(file)
}

/// What `report` has of entries: alias, kind and subject.
fn entries(report: &Value) -> Vec<[&str; 3]> {
    let entries = report["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            ["alias", "kind", "subject"].map(|key| entry[key].as_str().unwrap_or_default())
        })
        .collect()
}

fn readable(report: &Value) -> [bool; 4] {
    ["java8", "java17", "openssl3", "librdkafka"]
        .map(|reader| report["readable"][reader].as_bool().unwrap())
}

const KEY: [&str; 3] = ["fixture", "key", "CN=fixture"];
const CA: [&str; 3] = ["caroot", "trusted", "CN=Fixture CA,O=Example"];

#[test]
fn stores_of_python_go_and_bouncycastle_are_inspected_rightly() {
    let kpki = Kpki::new();
    let unnamed = ["1", "key", "CN=fixture"];
    for (file, expected, encryption, readers) in [
        (
            "python.p12",
            &[KEY][..],
            "PBES2, AES-256-CBC, PBKDF2 with HMAC-SHA-256, 20000 iterations; integrity: HMAC-SHA-256, 2048 iterations",
            [false, true, true, true],
        ),
        (
            "python-java-truststore.p12",
            &[CA],
            "certificates: PBES2, AES-256-CBC, PBKDF2 with HMAC-SHA-256, 20000 iterations; integrity: HMAC-SHA-256, 2048 iterations",
            [false, true, true, false],
        ),
        (
            "go-legacy.p12",
            &[unnamed],
            "keys: PBES1, SHA-1 and 3DES, 2048 iterations; certificates: PBES1, SHA-1 and 40-bit RC2, 2048 iterations; integrity: HMAC-SHA-1, 1 iterations",
            [true, true, false, false],
        ),
        (
            "go-pbmac1.p12",
            &[unnamed],
            "PBES2, AES-256-CBC, PBKDF2 with HMAC-SHA-256, 2048 iterations; integrity: PBMAC1, HMAC-SHA-256, 2048 iterations",
            [false, false, false, false],
        ),
        (
            "go-pbmac1-truststore.p12",
            &[CA],
            "certificates: PBES2, AES-256-CBC, PBKDF2 with HMAC-SHA-256, 2048 iterations; integrity: PBMAC1, HMAC-SHA-256, 2048 iterations",
            [false, false, false, false],
        ),
        (
            "bouncycastle.p12",
            &[KEY, CA],
            "keys: PBES1, SHA-1 and 3DES, 51200 iterations; certificates: PBES1, SHA-1 and 40-bit RC2, 51200 iterations; integrity: HMAC-SHA-1, 102400 iterations",
            [true, true, false, false],
        ),
        (
            "bouncycastle-aes.p12",
            &[KEY, CA],
            "keys: PBES2, AES-256-CBC, PBKDF2 with HMAC-SHA-256, 51200 iterations; certificates: PBES2, AES-128-CBC, PBKDF2 with HMAC-SHA-256, 51200 iterations; integrity: HMAC-SHA-1, 102400 iterations",
            [false, true, true, true],
        ),
    ] {
        let path = made(file);
        let report = inspect(&kpki, path.to_str().unwrap(), PASSWORD);
        assert_eq!(report["type"], "PKCS12");
        assert_eq!(entries(&report), expected, "{file}");
        assert_eq!(report["encryption"], encryption, "{file}");
        assert_eq!(readable(&report), readers, "{file}: {}", report["notes"]);
        if expected[0][1] == "key" {
            let entry = &report["entries"][0];
            assert_eq!(entry["key_matches"], true, "{file}");
            assert_eq!(entry["chain_complete"], true, "{file}");
            assert_eq!(entry["chain"].as_array().unwrap().len(), 2, "{file}");
        }
        let dir = path.parent().unwrap();
        let count = match expected.len() {
            1 => "contains 1 entry",
            _ => "contains 2 entries",
        };
        if let Some(java) = java_lists(dir, file, PASSWORD, count) {
            assert_eq!(java, readers[1], "{file}, Java");
        }
        if let Some(openssl) = openssl_reads(dir, file, PASSWORD) {
            assert_eq!(openssl, readers[2], "{file}, OpenSSL");
        }
        kpki.write("store.password", "not the password");
        let wrong = kpki.run(&[
            "store",
            "inspect",
            path.to_str().unwrap(),
            "--password-file",
            "store.password",
        ]);
        assert!(
            wrong
                .stderr
                .contains("the password does not open the store"),
            "{file}: {wrong:?}"
        );
    }
}

#[test]
fn a_key_under_a_password_of_its_own_is_for_java_alone() {
    let kpki = Kpki::new();
    let file = made("own-key-password.p12");
    let file = file.to_str().unwrap();
    let report = inspect(&kpki, file, PASSWORD);
    assert_eq!(report["entries"][0]["locked"], true);
    assert_eq!(readable(&report), [false, true, false, false]);
    kpki.write("key.password", "key password");
    let passwords = [
        "--password-file",
        "store.password",
        "--key-password-file",
        "key.password",
        "--json",
    ];
    let report = kpki.json(&[&["store", "inspect", file][..], &passwords].concat());
    assert_eq!(report["entries"][0]["key_matches"], true);
    assert_eq!(readable(&report), [false, true, false, false]);
    assert!(report["notes"].to_string().contains("ssl.key.password"));
    let dir = made("");
    if let Some(openssl) = openssl_reads(&dir, "own-key-password.p12", PASSWORD) {
        assert!(!openssl);
    }
}

/// What Java says of passwords and PEM files, through Kafka's own classes.
#[test]
fn what_java_refuses_is_said_to_be_refused() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    let other = "p\u{e4}ssw\u{f6}rd";
    let password = format!("pass:{other}");
    let export = [
        "pkcs12",
        "-export",
        "-in",
        "out/kafka1/kafka1.pem",
        "-out",
        "a.p12",
        "-passout",
        &password,
    ];
    let Some(done) = openssl(kpki.dir(), &export) else {
        return;
    };
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(
        readable(&inspect(&kpki, "a.p12", other)),
        [false, false, true, true]
    );
    assert!(
        judge
            .keystore(&kpki.path("a.p12"), Some(other), "PKCS12")
            .is_err()
    );
    // In JKS, Java takes any.
    kpki.ok(&[
        "store",
        "convert",
        "a.p12",
        "--to",
        "jks",
        "--out-file",
        "a.jks",
        "--password-file",
        "store.password",
    ]);
    assert_eq!(readable(&inspect(&kpki, "a.jks", other))[..2], [true, true]);
    let found = judge
        .keystore(&kpki.path("a.jks"), Some(other), "JKS")
        .unwrap();
    assert!(found[0].key_algorithm.is_some());
    // Two keys in one PEM file.
    let text = std::fs::read_to_string(kpki.path("out/kafka1/kafka1.pem")).unwrap();
    let key = std::fs::read_to_string(kpki.path("out/kafka1/kafka1.key")).unwrap();
    let sec1 = openssl(kpki.dir(), &["ec", "-in", "out/kafka1/kafka1.key"])
        .unwrap()
        .stdout;
    let rest = text.split_once("-----END PRIVATE KEY-----").unwrap().1;
    let ca = kpki.path("out/ca/ca.crt");
    for (file, text, expected) in [
        ("one.pem", text.clone(), true),
        ("two.pem", text.clone() + &key, false),
        ("sec1.pem", sec1 + rest, false),
    ] {
        let path = kpki.write(file, &text);
        let report = kpki.json(&["store", "inspect", file, "--json"]);
        assert_eq!(report["readable"]["java17"], expected, "{file}");
        let stores = [
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", path.to_str().unwrap()),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", ca.to_str().unwrap()),
        ];
        let session = judge.handshake(&stores, &stores, "localhost");
        assert_eq!(session.is_ok(), expected, "{file}: {session:?}");
    }
}

const GENERATE: &[&str] = &[
    "-genkeypair",
    "-keyalg",
    "EC",
    "-groupname",
    "secp256r1",
    "-dname",
    "CN=app,O=Example",
    "-validity",
    "400",
];

#[test]
fn stores_of_keytool_are_inspected_rightly() {
    let kpki = Kpki::new();
    let dir = kpki.dir();
    let fixture_ca = made("ca.pem");
    let fixture_ca = fixture_ca.to_str().unwrap();
    // The second of each is what Java 8 writes.
    for (file, kind, more, encryption, readers) in [
        (
            "new.p12",
            "PKCS12",
            &[][..],
            "PBES2, AES-256-CBC",
            [false, true, true, true],
        ),
        (
            "old.p12",
            "PKCS12",
            &["-J-Dkeystore.pkcs12.legacy"],
            "40-bit RC2",
            [true, true, false, false],
        ),
        (
            "a.jks",
            "JKS",
            &[],
            "Sun's key protector of JKS",
            [true, true, false, false],
        ),
        (
            "a.jceks",
            "JCEKS",
            &[],
            "PBEWithMD5AndTripleDES",
            [true, true, false, false],
        ),
    ] {
        let store = [
            "-keystore",
            file,
            "-storetype",
            kind,
            "-storepass",
            PASSWORD,
        ];
        let key = [GENERATE, &["-alias", "App"], more, &store].concat();
        let Some(done) = keytool(dir, &key) else {
            return;
        };
        done.unwrap();
        let import = [
            "-importcert",
            "-noprompt",
            "-alias",
            "CARoot",
            "-file",
            fixture_ca,
        ];
        keytool(dir, &[&import, more, &store[..]].concat())
            .unwrap()
            .unwrap();
        let report = inspect(&kpki, file, PASSWORD);
        assert_eq!(report["type"], kind);
        assert_eq!(
            entries(&report),
            [["app", "key", "CN=app,O=Example"], CA],
            "{file}"
        );
        assert_eq!(report["entries"][0]["key_matches"], true, "{file}");
        assert!(
            report["encryption"].as_str().unwrap().contains(encryption),
            "{file}: {report:#}"
        );
        assert_eq!(readable(&report), readers, "{file}: {}", report["notes"]);
        if let Some(openssl) = openssl_reads(dir, file, PASSWORD) {
            assert_eq!(openssl, readers[2], "{file}");
        }
        // Without the password: what anybody sees.
        let bare = kpki.json(&["store", "inspect", file, "--json"]);
        let shown: Vec<_> = entries(&bare)
            .iter()
            .map(|entry| entry[0].to_owned())
            .collect();
        match kind {
            "PKCS12" => assert_eq!(shown, ["app"], "{file}"),
            _ => assert_eq!(shown, ["app", "caroot"], "{file}"),
        }
        assert!(
            bare["notes"]
                .to_string()
                .contains("the store's password was not given"),
            "{bare:#}"
        );
        let wrong = kpki.write("wrong", "not the password");
        let wrong = kpki.run(&[
            "store",
            "inspect",
            file,
            "--password-file",
            wrong.to_str().unwrap(),
        ]);
        assert_eq!(wrong.code, Some(1), "{wrong:?}");
        assert!(
            wrong
                .stderr
                .contains(&format!("{file}: the password does not open the store")),
            "{wrong:?}"
        );
    }
}

#[test]
fn secret_keys_beside_others_do_not_hide_them() {
    let kpki = Kpki::new();
    for (file, kind) in [("s.jceks", "JCEKS"), ("s.p12", "PKCS12")] {
        let store = [
            "-keystore",
            file,
            "-storetype",
            kind,
            "-storepass",
            PASSWORD,
        ];
        let secret = [
            "-genseckey",
            "-alias",
            "hidden",
            "-keyalg",
            "AES",
            "-keysize",
            "256",
        ];
        let Some(done) = keytool(kpki.dir(), &[&secret, &store[..]].concat()) else {
            return;
        };
        done.unwrap();
        for alias in ["a", "b"] {
            keytool(kpki.dir(), &[GENERATE, &["-alias", alias], &store].concat())
                .unwrap()
                .unwrap();
        }
        let report = inspect(&kpki, file, PASSWORD);
        let mut found: Vec<_> = entries(&report)
            .iter()
            .map(|e| (e[0].to_owned(), e[1].to_owned()))
            .collect();
        found.sort();
        let expected = [("a", "key"), ("b", "key"), ("hidden", "secret")];
        assert_eq!(
            found,
            expected.map(|(a, b)| (a.to_owned(), b.to_owned())),
            "{file}"
        );
    }
}

#[test]
fn a_truststore_of_openssl_is_said_to_be_empty_for_java() {
    let kpki = Kpki::new();
    let ca = made("ca.pem");
    let export = [
        "pkcs12",
        "-export",
        "-nokeys",
        "-in",
        ca.to_str().unwrap(),
        "-out",
        "t.p12",
        "-passout",
        "pass:fixture password",
    ];
    let Some(done) = openssl(kpki.dir(), &export) else {
        return;
    };
    assert_eq!(done.code, Some(0), "{done:?}");
    let report = inspect(&kpki, "t.p12", PASSWORD);
    assert_eq!(
        entries(&report),
        [["", "certificate", "CN=Fixture CA,O=Example"]]
    );
    assert_eq!(readable(&report), [false, false, true, false]);
    assert!(
        report["notes"]
            .to_string()
            .contains("2.16.840.1.113894.746875.1.1"),
        "{report:#}"
    );
    if let Some(java) = java_lists(kpki.dir(), "t.p12", PASSWORD, "contains 0 entries") {
        assert!(java);
    }
}

/// Found by a tester: it looked empty.
#[test]
fn a_truststore_that_could_not_be_read_is_not_shown_as_empty() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let store = "out/ca/truststore.p12";
    let list = ["trust", "list", store];
    let refused = kpki.run(&[&list[..], &["--json"]].concat()).expect_code(1);
    assert_eq!(refused.json()["error"]["code"], "password-missing");
    let shown = kpki.ok(&["store", "inspect", store]).stdout;
    assert!(shown.contains("its entries are encrypted"), "{shown}");
    kpki.ok(&[
        &list[..],
        &["--password-file", "out/ca/truststore.password"],
    ]
    .concat());
}

#[test]
fn pem_files_are_inspected_as_stores() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Some CA"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    let report = kpki.json(&["store", "inspect", "out/kafka1/kafka1.pem", "--json"]);
    assert_eq!(report["type"], "PEM");
    assert_eq!(entries(&report), [["1", "key", "CN=kafka1"]]);
    assert_eq!(report["entries"][0]["key_matches"], true);
    assert_eq!(report["entries"][0]["chain_complete"], false);
    assert_eq!(readable(&report), [true; 4]);
    // A key beside the certificate of another.
    kpki.ok(&["issue", "kafka2", "--host", "localhost"]);
    let read = |file: &str| std::fs::read_to_string(kpki.path(file)).unwrap();
    let mixed = read("out/kafka1/kafka1.key") + &read("out/kafka2/kafka2.crt");
    kpki.write("mixed.pem", &mixed);
    let report = kpki.json(&["store", "inspect", "mixed.pem", "--json"]);
    assert_eq!(report["entries"][0]["key_matches"], false);
    assert!(
        report["notes"][1]
            .as_str()
            .unwrap()
            .contains("every TLS handshake fails"),
        "{report:#}"
    );
    // A key that Kafka does not read.
    let Some(sec1) = openssl(kpki.dir(), &["ec", "-in", "out/kafka1/kafka1.key"]) else {
        return;
    };
    kpki.write("sec1.pem", &(sec1.stdout + &read("out/kafka1/kafka1.crt")));
    let report = kpki.json(&["store", "inspect", "sec1.pem", "--json"]);
    assert_eq!(readable(&report), [false, false, true, true]);
    assert_eq!(report["entries"][0]["key_matches"], true);
    // An encrypted one, with its password and without.
    let encrypt = [
        "pkcs8",
        "-topk8",
        "-in",
        "out/kafka1/kafka1.key",
        "-passout",
        "pass:fixture password",
    ];
    let encrypted = openssl(kpki.dir(), &encrypt).unwrap().stdout;
    kpki.write(
        "encrypted.pem",
        &(encrypted + &read("out/kafka1/kafka1.crt")),
    );
    assert_eq!(
        inspect(&kpki, "encrypted.pem", PASSWORD)["entries"][0]["key_matches"],
        true
    );
    let bare = kpki.json(&["store", "inspect", "encrypted.pem", "--json"]);
    assert_eq!(bare["entries"][0]["locked"], true);
}

#[test]
fn kpkis_own_stores_are_inspected_rightly() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Some CA", "--intermediate"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    let password = std::fs::read_to_string(kpki.path("out/kafka1/keystore_creds")).unwrap();
    let report = inspect(&kpki, "out/kafka1/kafka1.keystore.p12", &password);
    assert_eq!(entries(&report), [["kafka1", "key", "CN=kafka1"]]);
    assert_eq!(readable(&report), [false, true, true, true]);
    assert_eq!(report["entries"][0]["chain"].as_array().unwrap().len(), 2);
    let shown = kpki.ok(&[
        "store",
        "inspect",
        "out/kafka1/kafka1.keystore.p12",
        "--password-file",
        "store.password",
    ]);
    assert!(
        shown.stdout.contains("the key belongs to the certificate"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("Java 17 yes"), "{}", shown.stdout);
}

#[test]
fn a_truncated_store_is_refused_with_a_hint() {
    let kpki = Kpki::with_open_ca();
    let whole = std::fs::read(kpki.path("out/ca/truststore.p12")).unwrap();
    for length in [20, whole.len() / 2, whole.len() - 1] {
        std::fs::write(kpki.path("cut.p12"), &whole[..length]).unwrap();
        let inspect = ["store", "inspect", "cut.p12", "--json"];
        let error = kpki.run(&inspect).expect_code(1).json();
        assert_eq!(error["error"]["code"], "store");
        assert!(error["error"]["hint"].is_string(), "{error}");
    }
}
