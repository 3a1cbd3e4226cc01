//! Names that somebody else has chosen, made to forge or hide lines: of certificates, stores, requests, servers and files.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use crate::support::{kpki::Kpki, openssl::openssl, s_server::SServer};

/// A line that is not kpki's, then what hides all that follows, and a colour that kpki has as well.
const FORGED: &str =
    "Good Corp CA, until 2036\n    SHA-256 AB:AB\r\tSHA-256 AB:AB\u{1b}[8m\u{1b}[31mevil";

/// kpki's own colours.
const OWN: [&str; 6] = ["0", "1", "2", "31", "32", "33"];

fn authority() -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, FORGED);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_after = rcgen::date_time_ymd(2055, 1, 1);
    (params, KeyPair::generate().unwrap())
}

/// A directory with `ca.pem` and `ca.key`, and the chain of a leaf for localhost in `leaf.pem`, with `leaf.key`.
fn bench() -> Kpki {
    let kpki = Kpki::new();
    let (params, key) = authority();
    let ca = params.self_signed(&key).unwrap();
    kpki.write("ca.pem", &ca.pem());
    kpki.write("ca.key", &key.serialize_pem());
    let (other, other_key) = authority();
    let other = other.self_signed(&other_key).unwrap();
    kpki.write("two.pem", &(ca.pem() + &other.pem()));
    let issuer = Issuer::from_ca_cert_der(ca.der(), &key).unwrap();
    let leaf_key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name.push(DnType::CommonName, FORGED);
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    kpki.write("leaf.pem", &(leaf.pem() + &ca.pem()));
    kpki.write("leaf.key", &leaf_key.serialize_pem());
    kpki.write("password", "changeit");
    kpki
}

/// Runs it with and without colours, and checks what it says: `FORGED` is in it, escaped. Its exit code is `code`, and
/// `undo` makes it possible again.
fn says(kpki: &Kpki, code: i32, arguments: &[&str], undo: impl Fn()) {
    for colour in ["never", "always"] {
        let all = [arguments, &["--color", colour]].concat();
        let out = kpki.run(&all).expect_code(code);
        undo();
        for said in [&out.stdout, &out.stderr] {
            let mut plain = said.clone();
            if colour == "always" {
                for own in OWN {
                    plain = plain.replace(&format!("\u{1b}[{own}m"), "");
                }
                assert!(!said.contains("\u{1b}[31mevil"), "{arguments:?}\n{said:?}");
            }
            assert!(
                !plain.contains(['\u{1b}', '\r', '\t']),
                "{arguments:?}\n{said:?}"
            );
            let forged = |line: &str| line.trim_start().starts_with("SHA-256 AB:AB");
            assert!(!plain.lines().any(forged), "{arguments:?}\n{said}");
        }
        let said = out.stdout + &out.stderr;
        assert!(
            said.to_lowercase()
                .contains("good corp ca, until 2036\\n    sha-256")
                || said
                    .to_lowercase()
                    .contains("good corp ca\\, until 2036\\n    sha-256"),
            "{arguments:?}\n{said}"
        );
    }
}

#[test]
fn a_certificates_name_forges_no_line() {
    let kpki = bench();
    let gone = |path: &'static str| {
        let path = kpki.path(path);
        move || {
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_dir_all(&path);
        }
    };
    let add = ["trust", "add", "ca.pem", "--out-file", "t.p12"];
    says(&kpki, 0, &add, gone("t.p12"));
    kpki.ok(&add);
    let again = [
        "trust",
        "add",
        "ca.pem",
        "--from",
        "t.p12",
        "--out-file",
        "u.p12",
    ];
    says(&kpki, 0, &again, gone("u.p12"));
    for file in ["ca.pem", "two.pem", "t.p12"] {
        says(&kpki, 0, &["trust", "list", file], || {});
        says(&kpki, 0, &["store", "inspect", file], || {});
    }
    says(&kpki, 0, &["store", "inspect", "leaf.pem"], || {});
    // Its mapping takes the name as it is, and only shows it escaped.
    let no_rule = ["principal", "leaf.pem", "--rules", "RULE:^OU=nobody$/x/"];
    says(&kpki, 3, &no_rule, || {});
    let rules = ["principal", "leaf.pem", "--rules", "DEFAULT"];
    says(&kpki, 0, &rules, || {});
    let document = kpki.json(&[&rules[..], &["--json"]].concat());
    let exact = document["subject"].as_str().unwrap();
    assert!(exact.contains("2036\n    SHA-256"), "{exact:?}");
    assert_eq!(document["principal"], format!("User:{exact}"));
    // Its key is not that of the CA.
    let wrong = [
        "init-ca",
        "--import-cert",
        "leaf.pem",
        "--import-key",
        "leaf.key",
    ];
    says(&kpki, 1, &wrong, || {});
    let import = [
        "init-ca",
        "--import-cert",
        "two.pem",
        "--import-key",
        "ca.key",
    ];
    says(&kpki, 0, &import, gone("out"));
    kpki.ok(&import);
}

#[test]
fn an_alias_forges_no_line() {
    let kpki = bench();
    let export = [
        "pkcs12",
        "-export",
        "-in",
        "leaf.pem",
        "-inkey",
        "leaf.key",
        "-name",
        FORGED,
        "-passout",
        "pass:changeit",
        "-out",
        "alias.p12",
    ];
    let Some(made) = openssl(kpki.dir(), &export) else {
        return;
    };
    made.expect_code(0);
    let known = ["--password-file", "password"];
    let inspect = [&["store", "inspect", "alias.p12"][..], &known].concat();
    says(&kpki, 0, &inspect, || {});
    let convert = ["store", "convert", "alias.p12", "--to", "pkcs12"];
    let convert = [&convert[..], &["--out-file", "new.p12"], &known].concat();
    says(&kpki, 1, &convert, || {});
    let from = ["trust", "add", "ca.pem", "--from", "alias.p12"];
    says(&kpki, 1, &[&from[..], &known].concat(), || {});
    // What another password protects was not read, which is something else than not to be there.
    let export = export.map(|word| match word {
        FORGED => "kafka1",
        "pass:changeit" => "pass:another one",
        "alias.p12" => "kafka1.p12",
        word => word,
    });
    openssl(kpki.dir(), &export).unwrap().expect_code(0);
    let shown = kpki.ok(&["store", "inspect", "kafka1.p12"]).stdout;
    assert!(
        shown.contains("was not read: that needs the store's password")
            && !shown.contains("has no certificate"),
        "{shown}"
    );
}

#[test]
fn a_request_forges_no_line() {
    let kpki = bench();
    kpki.ok(&["init-ca", "--subject", "CN=Kafka CA"]);
    let key = KeyPair::generate().unwrap();
    let request = |name: &str, cn: &str, organization: Option<&str>, san: Option<&str>| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, cn);
        if let Some(organization) = organization {
            let kind = DnType::OrganizationName;
            params.distinguished_name.push(kind, organization);
        }
        let san = san.map(|san| SanType::DnsName(san.try_into().unwrap()));
        params.subject_alt_names = san.into_iter().collect();
        let request = params.serialize_request(&key).unwrap();
        kpki.write(name, &request.pem().unwrap());
    };
    request("cn.csr", FORGED, None, Some("kafka1.example.com"));
    request("san.csr", "kafka1", None, Some(FORGED));
    request("o.csr", "kafka1", Some(FORGED), Some("kafka1.example.com"));
    says(&kpki, 1, &["sign", "cn.csr"], || {});
    says(&kpki, 1, &["sign", "san.csr"], || {});
    says(&kpki, 0, &["sign", "o.csr"], || {});
    let instead = ["sign", "san.csr", "--host", "kafka1.example.com"];
    says(&kpki, 0, &instead, || {});
}

#[test]
fn an_imported_name_forges_no_line() {
    let kpki = bench();
    let name = serde_json::to_string(FORGED).unwrap();
    kpki.write(
        "users.yaml",
        &format!(
            "kind: KafkaUser\nmetadata: {{name: {name}}}\nspec:\n  authentication: {{type: tls}}\n  authorization:\n    type: simple\n    acls:\n      - resource: {{type: topic, name: {name}}}\n        operations: [Read]\n      - resource: {{type: {name}}}\n"
        ),
    );
    says(&kpki, 0, &["policy", "import", "users.yaml"], || {});
}

#[test]
fn a_servers_names_forge_no_line() {
    let kpki = bench();
    let options = "-cert leaf.pem -key leaf.key -cert_chain ca.pem -CAfile ca.pem -verify 1";
    let Some(server) = SServer::start(kpki.dir(), options) else {
        return;
    };
    let address = server.address();
    let fetch = ["trust", "fetch", &address];
    says(&kpki, 1, &fetch, || {});
    let path = kpki.path("fetched.p12");
    let fetch = [&fetch[..], &["--yes", "--out-file", "fetched.p12"]].concat();
    says(&kpki, 0, &fetch, || {
        let _ = std::fs::remove_file(&path);
    });
    let other = "00".repeat(32);
    let expects = ["trust", "fetch", &address, "--expect-fingerprint", &other];
    says(&kpki, 1, &expects, || {});
}
