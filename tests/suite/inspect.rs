//! `kpki inspect`: certificates, requests and CRLs of other people, made by OpenSSL; and `kpki principal` of any chain.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::{
    kpki::Kpki,
    s_server::{EC, SAN, TestCa},
};

fn objects(kpki: &Kpki, what: &str) -> Vec<Value> {
    let document = kpki.json(&["inspect", what, "--json"]);
    document["objects"].as_array().unwrap().clone()
}

/// The codes of what is unusual about the first object.
fn unusual(kpki: &Kpki, what: &str) -> Vec<String> {
    let object = objects(kpki, what).remove(0);
    let unusual = object["unusual"].as_array().unwrap().iter();
    unusual
        .map(|u| u["code"].as_str().unwrap().to_owned())
        .collect()
}

fn openssl(kpki: &Kpki, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(kpki.dir())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_is_unusual_about_a_certificate_is_said() {
    let kpki = Kpki::new();
    let Some(ca) = TestCa::make(&kpki) else {
        return;
    };
    let cases = [
        ("plain", EC, SAN.to_owned(), "", vec![]),
        (
            "bare",
            EC,
            "keyUsage=digitalSignature\n".to_owned(),
            "",
            vec!["no-san"],
        ),
        ("short", "rsa:1024", SAN.to_owned(), "", vec!["weak-key"]),
        ("sha1", EC, SAN.to_owned(), "-sha1", vec!["weak-signature"]),
        (
            "long",
            EC,
            SAN.to_owned(),
            "-days 3650",
            vec!["long-validity"],
        ),
        (
            "both",
            EC,
            format!("{SAN}basicConstraints=CA:TRUE\n"),
            "",
            vec!["ca-leaf"],
        ),
        (
            "odd",
            EC,
            format!("{SAN}1.2.3.4=critical,ASN1:UTF8String:x\n"),
            "",
            vec!["unknown-critical"],
        ),
    ];
    for (name, key, extensions, more, expected) in cases {
        ca.leaf(name, "root", key, &extensions, more).unwrap();
        assert_eq!(
            unusual(&kpki, &format!("pki/{name}.crt")),
            expected,
            "{name}"
        );
    }
    ca.leaf_in_time("expired", -20 * 86_400, -3 * 86_400)
        .unwrap();
    assert_eq!(unusual(&kpki, "pki/expired.crt"), ["expired"]);
    for (seconds, words) in [
        (-86_400 - 60, ", expired 1 day ago\n"),
        (-60, ", expired less than a day ago\n"),
        (86_400 + 3600, ", 1 day left\n"),
    ] {
        ca.leaf_in_time("about", -20 * 86_400, seconds).unwrap();
        let said = kpki.ok(&["inspect", "pki/about.crt"]).stdout;
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert_eq!(unusual(&kpki, "pki/root.crt"), [""; 0]);

    let said = kpki.ok(&["inspect", "pki/odd.crt"]).stdout;
    for line in [
        "certificate  CN=odd\n",
        "  names      DNS:localhost, IP:127.0.0.1\n",
        ", 29 days left\n",
        "  issuer     CN=root\n",
        "  key        EC P-256\n",
        "  signature  SHA-256 with ECDSA\n",
        "  unusual    unknown-critical: unknown critical extensions: 1.2.3.4\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }

    // A chain from a server, and from a file, in DER as well.
    ca.leaf("below", "sub", EC, SAN, "").unwrap();
    let server = ca.serve("below", "-cert_chain sub.crt").unwrap();
    let served = objects(&kpki, &server.address());
    let subjects: Vec<&Value> = served.iter().map(|o| &o["subject"]).collect();
    assert_eq!(subjects, ["CN=below", "CN=sub"]);
    assert_eq!(
        (&served[1]["ca"], &served[1]["type"]),
        (&json!(true), &json!("certificate"))
    );
    openssl(
        &kpki,
        "x509 -in pki/below.crt -outform DER -out pki/below.der",
    );
    assert_eq!(objects(&kpki, "pki/below.der")[0], served[0]);
    drop(server);

    // Kafka sees the leaf, wherever it stands.
    let chain: String = ["root", "sub", "below"]
        .map(|name| fs::read_to_string(kpki.path(format!("pki/{name}.crt"))).unwrap())
        .concat();
    kpki.write("chain.pem", &chain);
    for file in ["chain.pem", "pki/below.der", "pki/below.crt"] {
        assert_eq!(
            kpki.json(&["principal", file, "--json"])["principal"],
            "User:below",
            "{file}"
        );
    }
    assert_eq!(objects(&kpki, "chain.pem").len(), 3);
}

#[test]
fn requests_and_lists_are_described_and_nothing_else_is() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Inspected CA"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki.ok(&["issue", "--client", "alice"]);
    kpki.ok(&["revoke", "alice", "--reason", "keyCompromise"]);
    for file in [
        "out/kafka1/kafka1.crt",
        "out/alice/alice.crt",
        "out/ca/ca.crt",
    ] {
        assert_eq!(unusual(&kpki, file), [""; 0], "{file}");
    }
    let crl = objects(&kpki, "out/ca/crl.pem").remove(0);
    assert_eq!((&crl["type"], &crl["count"]), (&json!("crl"), &json!(1)));
    assert_eq!(crl["revoked"][0]["reason"], "keyCompromise");
    kpki.ok(&["crl", "--der"]);
    assert_eq!(
        objects(&kpki, "out/ca/crl.der")[0]["issuer"],
        "CN=Inspected CA G1"
    );
    let said = kpki.ok(&["inspect", "out/ca/crl.pem"]).stdout;
    assert!(
        said.starts_with("CRL  CN=Inspected CA G1\n  number     2\n"),
        "{said}"
    );

    kpki.ok(&[
        "--out",
        "far",
        "issue",
        "kafka2",
        "--csr-only",
        "--host",
        "kafka2.example.com",
    ]);
    let request = objects(&kpki, "far/kafka2/kafka2.csr").remove(0);
    assert_eq!(request["type"], "request");
    assert_eq!(
        request["sans"],
        json!(["DNS:kafka2", "DNS:kafka2.example.com"])
    );
    assert_eq!(request["signature_is_good"], true);
    let text = fs::read_to_string(kpki.path("far/kafka2/kafka2.csr")).unwrap();
    kpki.write(
        "new.csr",
        &text.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
    );
    assert_eq!(objects(&kpki, "new.csr")[0], request);
    let piped = kpki
        .run_with_input(&["inspect", "-", "--json"], &text)
        .expect_code(0)
        .json();
    assert_eq!(piped["objects"][0], request);

    kpki.write("empty", "");
    kpki.write("damaged.pem", &text[..text.len() / 2]);
    kpki.write(
        "lie.pem",
        &text
            .replace("CERTIFICATE REQUEST", "CERTIFICATE")
            .replace("MII", "MIH"),
    );
    for file in [
        "empty",
        "damaged.pem",
        "lie.pem",
        "out/kafka1/kafka1.key",
        "out/kafka1/kafka1.keystore.p12",
    ] {
        let refused = kpki.run(&["inspect", file, "--json"]).expect_code(1).json();
        assert_eq!(refused["error"]["code"], "bad-certificate", "{file}");
        let hint = refused["error"]["hint"].as_str().unwrap();
        let is_store = hint.contains("kpki store inspect FILE");
        assert_eq!(is_store, file.starts_with("out/"), "{file}: {hint}");
    }
    let nobody = kpki
        .run(&["inspect", "127.0.0.1:1", "--json"])
        .expect_code(1)
        .json();
    assert_eq!(nobody["error"]["code"], "unreachable");
}

#[test]
fn a_file_has_a_limited_number_of_objects() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let ca = fs::read_to_string(kpki.path("out/ca/ca.crt")).unwrap();
    kpki.write("many.pem", &ca.repeat(10_001));
    for arguments in [&["inspect", "many.pem"][..], &["trust", "add", "many.pem"]] {
        let said = kpki.run(arguments).expect_code(1).stderr;
        assert!(said.contains("more than 10000 sections"), "{said}");
    }
}
