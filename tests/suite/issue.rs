//! `kpki issue` and `kpki renew`, judged by OpenSSL.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, process::Stdio};

use crate::support::{kpki::Kpki, openssl::openssl};

fn with_ca() -> Kpki {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki
}

fn certificate(kpki: &Kpki, name: &str) -> Option<String> {
    let path = format!("out/{name}/{name}.crt");
    Some(
        openssl(kpki.dir(), &["x509", "-in", &path, "-noout", "-text"])?
            .expect_code(0)
            .stdout,
    )
}

#[test]
fn a_broker_gets_every_file_of_the_interface() {
    let kpki = with_ca();
    kpki.ok(&["issue", "kafka1"]);
    let files: BTreeSet<String> = fs::read_dir(kpki.path("out/kafka1"))
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    for file in [
        "kafka1.keystore.p12",
        "kafka1.truststore.p12",
        "kafka1.key",
        "kafka1.crt",
        "ca.crt",
        "kafka1.pem",
        "server.properties",
        "format-storage.args",
    ] {
        assert!(files.contains(file), "{file} is missing in {files:?}");
    }
    for file in &files {
        let mode = fs::metadata(kpki.path("out/kafka1").join(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        let public = file.ends_with(".crt");
        assert_eq!(mode, if public { 0o644 } else { 0o600 }, "{file}");
    }
}

#[test]
fn certificates_say_who_and_what_for() {
    let kpki = with_ca();
    kpki.ok(&[
        "issue",
        "kafka1",
        "--host",
        "kafka1.example.com",
        "--host",
        "10.0.0.1",
        "--host",
        "2001:db8::1",
        "--host",
        "bücher.example",
    ]);
    kpki.ok(&["issue", "--client", "alice", "--key", "rsa-2048"]);
    kpki.ok(&["issue", "kafka2", "--key", "rsa-2048"]);
    let Some(broker) = certificate(&kpki, "kafka1") else {
        return;
    };
    let client = certificate(&kpki, "alice").unwrap();
    for expected in [
        "Subject: CN = kafka1\n",
        "DNS:kafka1, DNS:kafka1.example.com, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, DNS:xn--bcher-kva.example",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "CA:FALSE",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(broker.contains(expected), "no {expected:?} in\n{broker}");
    }
    assert!(
        client.contains("Extended Key Usage: \n                TLS Web Client Authentication\n"),
        "{client}"
    );
    let rsa = certificate(&kpki, "kafka2").unwrap();
    assert!(rsa.contains("Digital Signature, Key Encipherment"), "{rsa}");
    // RFC 5280 §4.2.1.12: keyEncipherment is not consistent with clientAuth alone.
    assert!(
        client.contains("Digital Signature\n") && !client.contains("Key Encipherment"),
        "{client}"
    );
}

#[test]
fn a_client_whose_name_is_no_host_name_stands_in_the_cn_only_and_kpki_says_so() {
    let kpki = with_ca();
    let issued = kpki.ok(&["issue", "--client", "kafka_client"]);
    assert!(
        issued.stdout.contains("it is in the CN but not in the SAN"),
        "{}",
        issued.stdout
    );
    let Some(text) = certificate(&kpki, "kafka_client") else {
        return;
    };
    assert!(
        text.contains("Subject: CN = kafka_client") && !text.contains("Subject Alternative Name"),
        "{text}"
    );
    let broker = kpki.run(&["issue", "kafka_2"]).expect_code(1);
    assert!(
        broker.stderr.contains("hint: give one with --host"),
        "{}",
        broker.stderr
    );
}

#[test]
fn a_leaf_ends_with_its_ca_and_begins_an_hour_ago() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--days", "10"]);
    kpki.ok(&["issue", "kafka1"]);
    let lines = kpki.inventory();
    assert_eq!(lines[0]["not_after"], lines[1]["not_after"]);
    let check = |when: &str| {
        openssl(
            kpki.dir(),
            &[
                "verify",
                "-attime",
                when,
                "-CAfile",
                "out/ca/ca.crt",
                "out/kafka1/kafka1.crt",
            ],
        )
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let Some(half_an_hour_ago) = check(&(now - 1800).to_string()) else {
        return;
    };
    half_an_hour_ago.expect_code(0);
    assert_ne!(check(&(now - 2 * 3600).to_string()).unwrap().code, Some(0));
}

#[test]
fn bad_names_and_hosts_are_refused_with_the_reason_before_anything_is_written() {
    let kpki = with_ca();
    for (arguments, reason) in [
        (vec!["issue", "../evil"], "contains '/'"),
        (
            vec!["issue", ".hidden"],
            "must begin with a letter, a digit or `_`",
        ),
        (vec!["issue", "ca"], "reserved"),
        (vec!["issue", "a b"], "contains ' '"),
        (vec!["issue", "good", "bad,name"], "contains ','"),
        (vec!["issue", ""], "must not be empty"),
        (vec!["issue", "kafka1", "KAFKA1"], "given twice"),
        (
            vec!["issue", "kafka1", "--host", "a_b"],
            "cannot contain underscores",
        ),
        (
            vec!["issue", "kafka1", "--host", "10.0.0.300"],
            "looks like an IPv4 address",
        ),
        (
            vec!["issue", "kafka1", "--host", "123"],
            "TLS clients do not accept a name of digits only",
        ),
        (
            vec!["issue", "kafka1", "--host", "kafka1:9093"],
            "give the port elsewhere",
        ),
        (
            vec!["issue", "a", "b", "--host", "c"],
            "--host can only be used with one NAME",
        ),
        (
            vec!["issue", "kafka1", "--key", "dsa"],
            "unknown key algorithm `dsa`",
        ),
        (
            vec!["issue", "kafka1", "--days", "0"],
            "must be a whole number from 1 to 36500",
        ),
        (
            vec!["issue", "--client", "a", "--format", "xml"],
            "[possible values: java, librdkafka, ",
        ),
        (
            vec!["issue", "kafka1", "--layout", "xml"],
            "[possible values: default, script-sh",
        ),
    ] {
        let refused = kpki.run(&arguments).expect_code(2);
        assert!(
            refused.stderr.contains(reason),
            "{arguments:?} says\n{}",
            refused.stderr
        );
    }
    let left: Vec<_> = fs::read_dir(kpki.path("out"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "only .gitignore and ca: {left:?}");
}

#[test]
fn an_existing_name_is_an_error_that_names_renew_and_renew_keeps_key_and_password() {
    let kpki = with_ca();
    kpki.ok(&["issue", "kafka1", "--host", "10.0.0.1"]);
    let read = |file: &str| fs::read(kpki.path("out/kafka1").join(file)).unwrap();
    let (key, store, creds) = (
        read("kafka1.key"),
        read("kafka1.keystore.p12"),
        read("keystore_creds"),
    );
    let again = kpki.run(&["issue", "kafka1"]).expect_code(1);
    assert!(
        again
            .stderr
            .contains("hint: kpki renew kafka1 replaces its certificate"),
        "{}",
        again.stderr
    );
    let clash = kpki.run(&["issue", "Kafka1"]).expect_code(1);
    assert!(
        clash
            .stderr
            .contains("differs from the existing `kafka1` only by case"),
        "{}",
        clash.stderr
    );
    assert_eq!(read("kafka1.keystore.p12"), store);

    let renewed = kpki.json(&["--json", "renew", "kafka1"]);
    assert_eq!(
        renewed[0]["sans"],
        serde_json::json!(["DNS:kafka1", "IP:10.0.0.1"])
    );
    assert_eq!(
        (read("kafka1.key"), read("keystore_creds")),
        (key.clone(), creds.clone())
    );
    assert_ne!(read("kafka1.keystore.p12"), store);
    kpki.ok(&["renew", "kafka1", "--new-key", "--days", "30"]);
    assert_ne!(read("kafka1.key"), key);
    assert_eq!(read("keystore_creds"), creds);
    let unknown = kpki.run(&["renew", "nobody"]).expect_code(1);
    assert!(
        unknown.stderr.contains("there is no identity `nobody`"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn sixteen_at_once_end_with_sixteen_identities_and_distinct_serials() {
    let kpki = with_ca();
    let children: Vec<_> = (0..16)
        .map(|n| {
            let name = format!("kafka{n}");
            kpki.command(&["issue", &name])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(kpki.certificates().len(), 17);
    for n in 0..16 {
        assert!(
            kpki.path(format!("out/kafka{n}/kafka{n}.keystore.p12"))
                .exists()
        );
    }
}

#[test]
fn the_truststore_is_the_same_bytes_for_every_identity() {
    let kpki = with_ca();
    kpki.ok(&["issue", "a", "b"]);
    kpki.ok(&["issue", "--client", "c"]);
    kpki.ok(&["issue", "d", "--layout", "script-sh"]);
    let read = |path: &str| fs::read(kpki.path(path)).unwrap();
    let first = read("out/a/a.truststore.p12");
    assert_eq!(first, read("out/b/b.truststore.p12"));
    assert_eq!(first, read("out/c/c.truststore.p12"));
    assert_eq!(first, read("out/d/d.truststore.jks"));
}

#[test]
fn a_client_finds_the_brokers_of_its_ca_and_gets_the_formats_it_asks_for() {
    let kpki = with_ca();
    kpki.ok(&["issue", "kafka1", "kafka2"]);
    kpki.ok(&[
        "issue",
        "--client",
        "alice",
        "--format",
        "java",
        "--format",
        "librdkafka",
        "--format",
        "spring",
        "--format",
        "quarkus",
    ]);
    for file in [
        "client.properties",
        "librdkafka.conf",
        "spring.yaml",
        "quarkus.properties",
    ] {
        let text = fs::read_to_string(kpki.path("out/alice").join(file)).unwrap();
        assert!(text.contains("kafka1:9093,kafka2:9093"), "{file}:\n{text}");
    }
    // What comes next names a file that is there.
    let next = |name: &str, format: &str| {
        let said = kpki.ok(&["issue", "--client", name, "--format", format]);
        said.stdout.split("next: ").nth(1).unwrap().to_owned()
    };
    let java = "Kafka's tools take out/bob/client.properties with --command-config\n";
    assert_eq!(next("bob", "json,java"), java);
    let json = "out/carol/connection.json contains the connection settings\n";
    assert_eq!(next("carol", "json"), json);
    assert!(kpki.path("out/carol/connection.json").exists());
}

#[test]
fn no_secret_reaches_the_output() {
    let kpki = with_ca();
    let shown = kpki.ok(&["-v", "--json", "issue", "kafka1"]);
    for file in ["keystore_creds", "kafka1.key"] {
        let secret = fs::read_to_string(kpki.path("out/kafka1").join(file)).unwrap();
        let word = secret.lines().find(|l| !l.starts_with('-')).unwrap();
        assert!(
            !shown.stdout.contains(word) && !shown.stderr.contains(word),
            "{file}"
        );
    }
}
