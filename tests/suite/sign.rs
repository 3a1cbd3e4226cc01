//! `kpki sign`: certificates for keys that never leave their machines.

mod hostile;

use std::{fs, process::Command};

use kpki::{keystore::pem, pki::Certificate};
use serde_json::Value;

use crate::support::{
    kpki::{Kpki, Output},
    openssl::openssl,
};

fn with_ca(arguments: &[&str]) -> Kpki {
    let kpki = Kpki::new();
    kpki.ok(&[&["init-ca"], arguments].concat());
    kpki
}

/// A key and a request, made by openssl.
fn request(kpki: &Kpki, name: &str, subject: &str, more: &[&str]) -> Option<()> {
    let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
    let made = [
        "req", "-new", "-nodes", "-keyout", &key, "-out", &csr, "-subj", subject,
    ];
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let keyed = more.contains(&"-newkey");
    let curve = if keyed { &[][..] } else { &curve[..] };
    openssl(kpki.dir(), &[&made[..], curve, more].concat())?.expect_code(0);
    Some(())
}

fn leaves(text: &str) -> Vec<Certificate> {
    let chain = pem::parse_certificates(text.as_bytes()).unwrap();
    chain
        .iter()
        .map(|der| Certificate::from_der(der).unwrap())
        .collect()
}

fn hosts(certificate: &Certificate) -> Vec<String> {
    certificate.hosts.iter().map(ToString::to_string).collect()
}

fn last(kpki: &Kpki) -> Value {
    kpki.inventory().pop().unwrap()
}

fn code(said: &Output) -> String {
    said.json()["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_brokers_request_becomes_a_chain_that_openssl_believes() {
    let kpki = with_ca(&["--intermediate"]);
    let san = "subjectAltName=DNS:kafka1.example.com,IP:10.0.0.1,DNS:Kafka1";
    if request(&kpki, "kafka1", "/CN=kafka1/O=Example", &["-addext", san]).is_none() {
        return;
    }
    let said = kpki.ok(&["sign", "kafka1.csr"]);
    assert!(
        said.stderr
            .contains("not taken from the request: O=Example,CN=kafka1"),
        "{}",
        said.stderr
    );
    let chain = leaves(&said.stdout);
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[0].subject, "CN=kafka1");
    assert_eq!(
        hosts(&chain[0]),
        ["kafka1.example.com", "10.0.0.1", "kafka1"]
    );
    kpki.write("kafka1.crt", &said.stdout);
    for purpose in ["sslserver", "sslclient"] {
        let verify = [
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            "out/ca/ca.crt",
            "-untrusted",
            "kafka1.crt",
            "kafka1.crt",
        ];
        openssl(kpki.dir(), &verify).unwrap().expect_code(0);
    }
    let key = openssl(kpki.dir(), &["pkey", "-in", "kafka1.key", "-pubout"])
        .unwrap()
        .stdout;
    let certified = openssl(
        kpki.dir(),
        &["x509", "-in", "kafka1.crt", "-pubkey", "-noout"],
    )
    .unwrap()
    .stdout;
    assert_eq!(key, certified);
    let record = last(&kpki);
    assert_eq!(record["external"], true);
    assert_eq!(record["serial"], *chain[0].serial);
    assert!(!kpki.path("out/kafka1").exists());

    // Only a new request renews it.
    let refused = kpki.run(&["--json", "renew", "kafka1"]).expect_code(1);
    assert_eq!(code(&refused), "request-needed");
    let command = "kpki sign kafka1.csr --name kafka1 --broker --host kafka1.example.com --host 10.0.0.1 --host kafka1 > kafka1.crt";
    let hint = refused.json()["error"]["hint"].to_string();
    assert!(hint.contains(command), "{hint}");
    let all = kpki.ok(&["renew", "--all"]).stderr;
    assert!(all.contains(&format!("\n  {command}\n")), "{all}");
    let again = kpki.json(&[
        "--json",
        "sign",
        "kafka1.csr",
        "--days",
        "10",
        "--host",
        "other.example.com",
    ]);
    assert_eq!(
        again["certificate"]["sans"],
        serde_json::json!(["DNS:other.example.com"])
    );
    assert_eq!(leaves(again["chain"].as_str().unwrap()).len(), 2);
    assert_ne!(again["certificate"]["serial"], *chain[0].serial);
}

#[test]
fn a_client_gets_only_the_hosts_that_were_asked_for_and_a_file_is_not_written_over() {
    let kpki = with_ca(&[]);
    if request(
        &kpki,
        "alice",
        "/CN=alice",
        &[
            "-addext",
            "subjectAltName=DNS:bank.example.com",
            "-addext",
            "extendedKeyUsage=serverAuth,codeSigning",
        ],
    )
    .is_none()
    {
        return;
    }
    openssl(
        kpki.dir(),
        &[
            "req",
            "-in",
            "alice.csr",
            "-outform",
            "DER",
            "-out",
            "alice.der",
        ],
    );
    let said = kpki.ok(&["sign", "alice.der", "--client", "--out-file", "alice.crt"]);
    assert!(
        said.stdout.is_empty()
            && said
                .stderr
                .contains("not taken from the request: bank.example.com"),
        "{}",
        said.stderr
    );
    let leaf = leaves(&fs::read_to_string(kpki.path("alice.crt")).unwrap()).remove(0);
    assert!(leaf.hosts.is_empty() && !leaf.server_auth);
    // What it is stays what it is, and its own earlier certificate gives way.
    kpki.ok(&[
        "sign",
        "alice.csr",
        "--host",
        "alice.example.com",
        "--out-file",
        "alice.crt",
    ]);
    let leaf = leaves(&fs::read_to_string(kpki.path("alice.crt")).unwrap()).remove(0);
    assert_eq!(
        (hosts(&leaf), leaf.server_auth),
        (vec!["alice.example.com".to_owned()], false)
    );
    for file in ["alice.key", "alice.csr", "out/ca/ca.crt"] {
        let before = fs::read(kpki.path(file)).unwrap();
        let refused = kpki
            .run(&["--json", "sign", "alice.csr", "--out-file", file])
            .expect_code(1);
        assert_eq!(code(&refused), "file-exists");
        assert_eq!(fs::read(kpki.path(file)).unwrap(), before);
    }
    let other = kpki
        .run(&["--json", "sign", "alice.csr", "--broker", "--host", "x"])
        .expect_code(1);
    assert_eq!(code(&other), "other-kind");
    let text = fs::read_to_string(kpki.path("alice.csr")).unwrap();
    let piped = kpki.run_with_input(&["sign", "-"], &text).expect_code(0);
    assert_eq!(leaves(&piped.stdout).len(), 1);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let kpki = with_ca(&["--name-constraint", "example.com"]);
    let weak = [
        "-newkey",
        "rsa:1024",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "subjectAltName=DNS:*.example.com,email:a@example.com,URI:https://example.com,DNS:kafka1.example.org",
    ];
    if request(&kpki, "bad", "/CN=ca", &weak).is_none() {
        return;
    }
    let said = kpki.run(&["sign", "bad.csr"]).expect_code(1);
    for part in [
        "RSA of 1024 bits",
        "CA:TRUE",
        "`*.example.com`, a wildcard",
        "`a@example.com`, an e-mail address",
        "`https://example.com`, a URI",
        "`kafka1.example.org` is outside the CA's name constraints",
        "the name `ca` is reserved",
    ] {
        assert!(said.stderr.contains(part), "{part}:\n{}", said.stderr);
    }
    assert!(said.stdout.is_empty());
    let before = last(&kpki);
    for (subject, arguments, expected) in [
        ("/O=Example", &["--host", "a.example.com"][..], "has no CN"),
        ("/CN=a/CN=b", &["--host", "a.example.com"], "several CNs"),
        (
            "/CN=kafka1",
            &["--name", "kafka2", "--host", "a.example.com"],
            "its CN is `kafka1`, not `kafka2`",
        ),
        ("/CN=kafka1", &[], "no host name or IP address"),
        (
            "/CN=kafka1",
            &["--host", "a.example.org"],
            "outside the CA's name constraints",
        ),
    ] {
        request(&kpki, "r", subject, &[]);
        let said = kpki
            .run(&[&["sign", "r.csr"], arguments].concat())
            .expect_code(1);
        assert!(
            said.stderr.contains(expected),
            "{expected}:\n{}",
            said.stderr
        );
    }
    assert_eq!(last(&kpki), before);
    request(&kpki, "r", "/O=Example", &[]);
    kpki.ok(&[
        "sign",
        "r.csr",
        "--name",
        "kafka3",
        "--host",
        "a.example.com",
    ]);
}

#[test]
fn what_is_no_request_is_refused_and_so_is_one_with_its_key() {
    let kpki = with_ca(&[]);
    if request(&kpki, "a", "/CN=a", &[]).is_none() {
        return;
    }
    let csr = fs::read_to_string(kpki.path("a.csr")).unwrap();
    let key = fs::read_to_string(kpki.path("a.key")).unwrap();
    let large = format!("{csr}{}", "#\n".repeat(40_000));
    for (text, expected) in [
        (String::new(), "contains no certificate request"),
        (
            key.clone(),
            "contains a private key, not a certificate request",
        ),
        (
            format!("{csr}{key}"),
            "contains a private key besides the certificate request",
        ),
        (format!("{csr}{csr}"), "more than one certificate request"),
        (csr.replace("MI", "M!"), "damaged"),
        (csr.replace("MI", "MM"), "not a certificate request"),
        (
            fs::read_to_string(kpki.path("out/ca/ca.crt")).unwrap(),
            "contains no certificate request",
        ),
        ("0\u{1}".to_owned(), "not a certificate request"),
        (large, "larger than 64 KiB"),
    ] {
        kpki.write("x.csr", &text);
        let said = kpki.run(&["sign", "x.csr", "--host", "a"]).expect_code(1);
        assert!(
            said.stderr.contains(expected),
            "{expected}:\n{}",
            said.stderr
        );
    }
    let missing = kpki.run(&["sign", "nowhere.csr"]).expect_code(1).stderr;
    assert!(
        missing.starts_with("error: cannot read nowhere.csr: "),
        "{missing}"
    );
}

#[test]
fn names_and_keys_of_others_are_not_taken_silently() {
    let kpki = with_ca(&[]);
    kpki.ok(&["issue", "kafka1"]);
    if request(&kpki, "kafka1", "/CN=kafka1", &[]).is_none() {
        return;
    }
    let sign = |csr: &str| kpki.run(&["--json", "sign", csr, "--host", "h"]);
    assert_eq!(code(&sign("kafka1.csr").expect_code(1)), "key-here");
    request(&kpki, "Kafka1", "/CN=Kafka1", &[]);
    assert_eq!(code(&sign("Kafka1.csr").expect_code(1)), "name-clash");
    // The key of another identity, as whoever holds both may want it.
    let new = [
        "req",
        "-new",
        "-key",
        "out/kafka1/kafka1.key",
        "-subj",
        "/CN=kafka2",
        "-out",
        "kafka2.csr",
    ];
    openssl(kpki.dir(), &new).unwrap().expect_code(0);
    let said = sign("kafka2.csr").expect_code(0);
    assert!(
        said.stderr.contains("kafka2 has the same key as kafka1"),
        "{}",
        said.stderr
    );
    // The key of the CA is nobody else's.
    let mut plain = Kpki::new();
    plain.env("KPKI_EXPORT_PASSWORD", "a password");
    plain.ok(&["init-ca"]);
    plain.ok(&["ca", "export-key", "--out-file", "ca.key"]);
    let new = [
        "req",
        "-new",
        "-key",
        "ca.key",
        "-passin",
        "pass:a password",
        "-subj",
        "/CN=kafka2",
        "-out",
        "kafka2.csr",
    ];
    openssl(plain.dir(), &new).unwrap().expect_code(0);
    let said = plain
        .run(&["sign", "kafka2.csr", "--host", "h"])
        .expect_code(1);
    assert!(
        said.stderr.contains("its key is the key of the CA"),
        "{}",
        said.stderr
    );
}

/// They were signed in silence.
#[test]
fn hosts_of_others_and_further_hosts_need_the_operators_word() {
    let kpki = Kpki::with_open_ca();
    let san = |hosts: &str| format!("subjectAltName=DNS:{}", hosts.replace(' ', ",DNS:"));
    let request = |name: &str, hosts: &str| {
        let subject = format!("/CN={name}");
        request(&kpki, name, &subject, &["-addext", &san(hosts)])
    };
    if request("kafka9", "kafka9 kafka9.example.com localhost").is_none() {
        return;
    }
    let sign = ["sign", "kafka9.csr", "--out-file", "kafka9.crt"];
    kpki.ok(&sign);
    // What was signed once is signed again, for the same key, and nothing needs to be said.
    let again = kpki.ok(&sign).stderr;
    assert!(
        again.starts_with("signed  ") && again.lines().count() == 1,
        "{again}"
    );
    let before = kpki.inventory();
    let refused = |name: &str, expected: &[&str]| {
        let said = kpki.run(&["sign", &format!("{name}.csr")]).expect_code(1);
        for part in expected {
            assert!(said.stderr.contains(part), "{part}:\n{}", said.stderr);
        }
        assert!(said.stdout.is_empty());
        assert_eq!(kpki.inventory(), before);
    };
    request("evil3", "evil3 kafka9 kafka9.example.com localhost");
    refused(
        "evil3",
        &[
            "names hosts of other identities: kafka9 of kafka9, kafka9.example.com of kafka9\n",
            "--host evil3 --host kafka9 --host kafka9.example.com --host localhost",
        ],
    );
    request("kafka9", "kafka9 kafka9.example.com attacker.example");
    refused(
        "kafka9",
        &["that the last certificate of kafka9 does not: attacker.example\n"],
    );
    // Java takes a CN for a host, if no other name is there.
    let address = ["-addext", "subjectAltName=IP:10.6.6.6"];
    self::request(&kpki, "cn", "/CN=kafka9.example.com", &address);
    refused(
        "cn",
        &["kafka9.example.com of kafka9", "--name kafka9.example.com"],
    );
    // A host that is given says nothing of the name.
    let only_host = ["sign", "cn.csr", "--host", "10.6.6.6"];
    kpki.run(&only_host).expect_code(1);
    assert_eq!(kpki.inventory(), before);
    // What is shared by those on one machine.
    let local = "localhost,IP:127.0.0.1";
    request("evil3", &format!("evil3 {local}"));
    kpki.ok(&["sign", "evil3.csr"]);
    // Hosts that are given are meant; what they lack, and the new key, are said.
    let said = kpki.ok(&["sign", "kafka9.csr", "--host", "kafka9", "--host", "evil3"]);
    for part in [
        "will no longer name kafka9.example.com and localhost:",
        "this is a new key for kafka9",
    ] {
        assert!(said.stderr.contains(part), "{part}:\n{}", said.stderr);
    }
    assert_eq!(
        last(&kpki)["sans"],
        serde_json::json!(["DNS:kafka9", "DNS:evil3"])
    );
}

/// They were signed in silence: addresses of others, hosts of a broker whose first certificate is to come, and names
/// that are super users without being anyone.
#[test]
fn what_a_policy_gives_to_others_needs_the_operators_word() {
    let kpki = Kpki::with_open_ca();
    kpki.write(
        "policy.yaml",
        "cluster:
  super_users: [User:team-ops, 'User:CN=breakglass']
  principal_mapping_rules: ['RULE:^CN=(team-[^,]+)$/$1/', DEFAULT]
brokers:
  - {name: k1, hosts: [k1, 10.0.0.11, '2001:db8::1']}
  - {name: k2, key: external, hosts: [k2, boot.example.com, 10.0.0.12, 10.0.0.11]}
clients: [{name: alice}]
",
    );
    kpki.ok(&["up", "policy.yaml"]);
    let request = |name: &str, hosts: &str| {
        let hosts = format!("subjectAltName={hosts}");
        request(&kpki, name, &format!("/CN={name}"), &["-addext", &hosts])
    };
    let own = "DNS:k2,DNS:boot.example.com,IP:10.0.0.12,IP:10.0.0.11";
    if request("k2", own).is_none() {
        return;
    }
    let before = kpki.inventory();
    for (name, hosts, options, expected) in [
        ("evil", "DNS:evil,IP:10.0.0.11", "", "10.0.0.11 of k1\n"),
        ("evil", "DNS:evil,IP:2001:db8:0::1", "", "2001:db8::1 of k1"),
        (
            "evil",
            "DNS:evil,IP:10.0.0.12,DNS:boot.example.com",
            "",
            "boot.example.com of k2, 10.0.0.12 of k2\n",
        ),
        (
            "breakglass",
            "DNS:breakglass",
            "--client",
            "is the super user `User:CN=breakglass`",
        ),
        (
            "team-ops",
            "DNS:team-ops",
            "--host team-ops",
            "is the super user `User:team-ops`\nhint: if that is meant, add --name team-ops --host team-ops\n",
        ),
    ] {
        request(name, hosts);
        let csr = format!("{name}.csr");
        let options = options.split_whitespace();
        let arguments: Vec<&str> = ["sign", &csr].into_iter().chain(options).collect();
        let said = kpki.run(&arguments).expect_code(1).stderr;
        assert!(said.contains(expected), "{expected}:\n{said}");
        assert_eq!(kpki.inventory(), before);
    }
    // What is its own is signed, even where it is shared, and so is what is said.
    kpki.ok(&["sign", "k2.csr"]);
    kpki.ok(&["sign", "evil.csr", "--host", "evil", "--host", "10.0.0.12"]);
    kpki.ok(&["sign", "breakglass.csr", "--client", "--name", "breakglass"]);
    kpki.ok(&["sign", "breakglass.csr"]);
    request("local", "DNS:local,IP:127.0.0.1,IP:::1");
    kpki.ok(&["sign", "local.csr"]);
    // Who is listed no more is nobody special.
    let policy = fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    kpki.write("policy.yaml", &policy.replace("User:team-ops, ", ""));
    kpki.ok(&["up", "policy.yaml"]);
    request("team-ops", "DNS:team-ops");
    kpki.ok(&["sign", "team-ops.csr"]);
}

/// By a mapping rule, a stranger was signed as the admin, a broker or another client.
#[test]
fn a_mapping_rule_makes_nobody_somebody_silently() {
    let kpki = Kpki::with_open_ca();
    kpki.write(
        "policy.yaml",
        "cluster:
  admin: admin
  super_users: [User:ops]
  principal_mapping_rules: ['RULE:^CN=([^,.]+).*$/$1/', DEFAULT]
brokers: [{name: kafka1}, {name: kafka2, key: external}]
clients:
  - {name: admin}
  - {name: alice}
  - {name: ops, auth: scram-sha-512}
  - {name: cons, auth: scram-sha-512}
",
    );
    kpki.ok(&["up", "policy.yaml"]);
    // As an older kpki recorded it.
    let written = fs::read_to_string(kpki.path("out/written.jsonl")).unwrap();
    let lines = written.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if let Some(node) = line["node"].as_object_mut() {
            node.remove("super_users").unwrap();
            node.remove("mapping_rules").unwrap();
        }
        format!("{line}\n")
    });
    kpki.write("out/written.jsonl", &lines.collect::<String>());
    kpki.ok(&["up", "policy.yaml"]);
    let before = kpki.inventory();
    for (name, kind, expected) in [
        ("admin.x", "--client", "is the super user `User:admin`"),
        ("kafka1.zz", "--broker", "is the super user `User:kafka1`"),
        (
            "alice.z",
            "--client",
            "whoever has a certificate of alice.z has the principal `User:alice`, which is that of alice\nhint: if that is meant, add --name alice.z\n",
        ),
        ("cons.z", "--client", "which is that of cons\n"),
        ("ops.z", "--client", "is the super user `User:ops`"),
        (
            "ops",
            "--client",
            "is the super user `User:ops`\nhint: if that is meant, add --name ops\n",
        ),
    ] {
        let san = format!("subjectAltName=DNS:{name}");
        let subject = format!("/CN={name}");
        if request(&kpki, "r", &subject, &["-addext", &san]).is_none() {
            return;
        }
        let said = kpki.run(&["sign", "r.csr", kind]).expect_code(1).stderr;
        assert!(said.contains(expected), "{expected}:\n{said}");
        assert_eq!(kpki.inventory(), before);
    }
    // The last one, both at once, and then as it is meant; renewing it needs no word.
    let said = kpki.run(&["sign", "r.csr"]).expect_code(1).stderr;
    for part in ["identity without a certificate", "the super user"] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    kpki.ok(&["sign", "r.csr", "--client", "--name", "ops"]);
    kpki.ok(&["sign", "r.csr"]);
    // Who is known as that, and who is nobody.
    for (name, kind) in [
        ("kafka2", "--broker"),
        ("cons", "--client"),
        ("bob.x", "--client"),
    ] {
        let san = format!("subjectAltName=DNS:{name}");
        request(&kpki, "r", &format!("/CN={name}"), &["-addext", &san]);
        kpki.ok(&["sign", "r.csr", kind]);
    }
}

/// They were compared as texts.
#[test]
fn hosts_of_others_are_theirs_in_every_form() {
    let kpki = Kpki::with_open_ca();
    kpki.write(
        "policy.yaml",
        "brokers:
  - {name: kafka1, hosts: [kafka1, 10.0.0.11, '*.kafka.svc']}
  - {name: b3.kafka.svc, key: external, hosts: [b3.kafka.svc, '*.b3.svc']}
",
    );
    kpki.ok(&["up", "policy.yaml"]);
    let before = kpki.inventory();
    for (name, hosts, expected) in [
        ("evil", "IP:::ffff:10.0.0.11", "10.0.0.11 of kafka1\n"),
        ("evil", "DNS:B7.kafka.svc", "b7.kafka.svc of kafka1\n"),
        ("evil", "IP:::ffff:0.0.0.0", "not an address that a client"),
        // The CN is a host to Java.
        ("b9.kafka.svc", "IP:10.9.9.9", "b9.kafka.svc of kafka1\n"),
    ] {
        let san = format!("subjectAltName={hosts}");
        let subject = format!("/CN={name}");
        if request(&kpki, "r", &subject, &["-addext", &san]).is_none() {
            return;
        }
        let said = kpki.run(&["sign", "r.csr"]).expect_code(1).stderr;
        assert!(said.contains(expected), "{expected}:\n{said}");
        assert_eq!(kpki.inventory(), before);
    }
    // What is its own, also by a wildcard; what is said; and addresses of this machine.
    let own = "subjectAltName=DNS:b3.kafka.svc,DNS:a.b3.svc";
    request(&kpki, "b3", "/CN=b3.kafka.svc", &["-addext", own]);
    kpki.ok(&["sign", "b3.csr"]);
    kpki.ok(&["sign", "r.csr", "--name", "b9.kafka.svc"]);
    let local = "subjectAltName=DNS:x,IP:::ffff:127.0.0.1,IP:::ffff:10.0.0.12";
    request(&kpki, "x", "/CN=x", &["-addext", local]);
    kpki.ok(&["sign", "x.csr"]);
    assert_eq!(
        last(&kpki)["sans"],
        serde_json::json!(["DNS:x", "IP:127.0.0.1", "IP:10.0.0.12"])
    );
}

/// A request made a certificate for the principal of a SCRAM user, and a broker of it.
#[test]
fn a_password_is_not_silently_joined_by_a_certificate() {
    let kpki = Kpki::with_open_ca();
    kpki.write(
        "policy.yaml",
        "brokers: [{name: k1}, {name: k2, key: external, hosts: [k2, k2.example.com]}]
clients: [{name: cons, auth: scram-sha-512}, {name: alice, key: external, hosts: []}]
",
    );
    kpki.ok(&["up", "policy.yaml"]);
    let k1 = ["-addext", "subjectAltName=DNS:k1"];
    if request(&kpki, "cons", "/CN=cons", &k1).is_none() {
        return;
    }
    let before = kpki.inventory();
    let said = kpki.run(&["sign", "cons.csr"]).expect_code(1).stderr;
    for part in ["`cons` is an identity without a certificate", "k1 of k1"] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    kpki.run(&["sign", "cons.csr", "--host", "cons"])
        .expect_code(1);
    kpki.run(&["sign", "cons.csr", "--broker"]).expect_code(1);
    assert_eq!(kpki.inventory(), before);
    kpki.ok(&["sign", "cons.csr", "--client"]);
    // What the policy lists is said.
    let hosts = ["-addext", "subjectAltName=DNS:k2,DNS:k2.example.com"];
    request(&kpki, "k2", "/CN=k2", &hosts);
    kpki.ok(&["sign", "k2.csr"]);
    assert_eq!(last(&kpki)["kind"], "broker");
    request(&kpki, "alice", "/CN=alice", &k1);
    kpki.ok(&["sign", "alice.csr"]);
    assert_eq!(
        (&last(&kpki)["kind"], &last(&kpki)["sans"]),
        (&"client".into(), &serde_json::json!([]))
    );
    let said = kpki.ok(&["up", "policy.yaml"]).stderr;
    assert!(!said.contains("kpki sign"), "{said}");
}

#[test]
fn a_key_whose_certificate_was_revoked_gets_no_other() {
    let kpki = with_ca(&[]);
    for name in ["alice", "bob"] {
        if request(&kpki, name, &format!("/CN={name}"), &[]).is_none() {
            return;
        }
        kpki.ok(&["sign", &format!("{name}.csr"), "--client"]);
    }
    let listed = kpki.json(&["--json", "list"]);
    assert_eq!(listed[1]["external"], true);
    kpki.ok(&["revoke", "alice", "--reason", "keyCompromise"]);
    let said = kpki.ok(&["renew", "--all"]);
    let command = "\n  kpki sign bob.csr --name bob --client > bob.crt\n";
    assert!(said.stderr.contains(command), "{}", said.stderr);
    for arguments in [
        &["sign", "alice.csr"][..],
        &["sign", "alice.csr", "--new-key"],
    ] {
        let refused = kpki.run(&[&["--json"], arguments].concat()).expect_code(1);
        assert_eq!(code(&refused), "revoked");
    }
    // Under another name neither.
    let new = [
        "req",
        "-new",
        "-key",
        "alice.key",
        "-subj",
        "/CN=carol",
        "-out",
        "carol.csr",
    ];
    openssl(kpki.dir(), &new).unwrap().expect_code(0);
    assert_eq!(
        code(
            &kpki
                .run(&["--json", "sign", "carol.csr", "--client"])
                .expect_code(1)
        ),
        "revoked"
    );
    request(&kpki, "alice", "/CN=alice", &[]);
    assert_eq!(
        code(&kpki.run(&["--json", "sign", "alice.csr"]).expect_code(1)),
        "revoked"
    );
    kpki.ok(&["sign", "alice.csr", "--new-key"]);
}

#[test]
fn keytool_gets_an_answer_that_it_takes() {
    let kpki = with_ca(&["--intermediate"]);
    let keytool = |arguments: &[&str]| {
        let common = [
            "-keystore",
            "store.p12",
            "-storepass",
            "changeit",
            "-storetype",
            "PKCS12",
        ];
        let output = Command::new("keytool")
            .args(arguments)
            .args(common)
            .current_dir(kpki.dir())
            .output();
        output.ok().map(|o| {
            let text = String::from_utf8_lossy(&o.stdout).into_owned();
            assert!(o.status.success(), "{text}");
            text
        })
    };
    let make = [
        "-genkeypair",
        "-alias",
        "kafka1",
        "-keyalg",
        "EC",
        "-groupname",
        "secp384r1",
        "-dname",
        "CN=kafka1, O=Example",
    ];
    if keytool(&make).is_none() {
        crate::support::skip("there is no keytool");
        return;
    }
    keytool(&[
        "-certreq",
        "-alias",
        "kafka1",
        "-ext",
        "san=dns:kafka1.example.com",
        "-file",
        "kafka1.csr",
    ]);
    kpki.ok(&["sign", "kafka1.csr", "--out-file", "kafka1.crt"]);
    keytool(&[
        "-importcert",
        "-noprompt",
        "-alias",
        "caroot",
        "-file",
        "out/ca/ca.crt",
    ]);
    keytool(&[
        "-importcert",
        "-noprompt",
        "-alias",
        "kafka1",
        "-file",
        "kafka1.crt",
    ]);
    let listed = keytool(&["-list", "-v", "-alias", "kafka1"]).unwrap();
    assert!(
        listed.contains("Certificate chain length: 3") && listed.contains("kafka1.example.com"),
        "{listed}"
    );
}

#[test]
fn a_file_without_a_request_is_refused_with_a_hint() {
    let kpki = with_ca(&[]);
    let error = kpki.run(&["sign", "/dev/null", "--json"]).expect_code(1);
    assert_eq!(code(&error), "bad-request");
    let error = error.json();
    assert!(error["error"]["hint"].is_string(), "{error}");
}
