//! Keys that never leave their machines: the request there, the signature here, and the stores there again.

use std::fs;

use crate::support::{java, kpki::Kpki, openssl::openssl};

fn read(kpki: &Kpki, path: &str) -> String {
    fs::read_to_string(kpki.path(path)).unwrap()
}

/// Takes a file from one machine to the other.
fn carry(from: &Kpki, to: &Kpki, file: &str, place: &str) {
    fs::copy(from.path(file), to.path(place)).unwrap();
}

#[test]
fn a_key_stays_where_it_was_made_and_gets_its_stores() {
    let (here, mut there) = (Kpki::new(), Kpki::new());
    there.without_env("KPKI_CA_PASSPHRASE");
    here.ok(&["init-ca", "--intermediate"]);
    let made = there.json(&[
        "--json",
        "issue",
        "kafka1",
        "--host",
        "10.0.0.1",
        "--csr-only",
    ]);
    assert_eq!(made[0]["request"], "out/kafka1/kafka1.csr");
    assert_eq!(there.mode("out/kafka1"), 0o700);
    assert_eq!(there.mode("out/kafka1/kafka1.key"), 0o600);
    assert!(!there.path("out/ca").exists());
    let Some(shown) = openssl(
        there.dir(),
        &[
            "req",
            "-in",
            "out/kafka1/kafka1.csr",
            "-noout",
            "-verify",
            "-text",
        ],
    ) else {
        return;
    };
    let shown = shown.expect_code(0).stdout;
    assert!(shown.contains("DNS:kafka1, IP Address:10.0.0.1"), "{shown}");

    carry(&there, &here, "out/kafka1/kafka1.csr", "kafka1.csr");
    here.ok(&["sign", "kafka1.csr", "--out-file", "kafka1.crt"]);
    carry(&here, &there, "kafka1.crt", "kafka1.crt");
    there.ok(&["issue", "kafka1", "--install-cert", "kafka1.crt"]);
    assert_eq!(
        read(&there, "out/kafka1/kafka1.crt"),
        read(&here, "kafka1.crt")
    );
    let password = format!("file:{}", there.path("out/kafka1/keystore_creds").display());
    let opened = [
        "pkcs12",
        "-in",
        "out/kafka1/kafka1.keystore.p12",
        "-passin",
        &password,
        "-nokeys",
    ];
    let certificates = openssl(there.dir(), &opened).unwrap().expect_code(0).stdout;
    assert_eq!(certificates.matches("BEGIN CERTIFICATE").count(), 2);
    if let Some(judge) = java::judge() {
        let password = read(&there, "out/kafka1/keystore_creds");
        let store = there.path("out/kafka1/kafka1.keystore.p12");
        let entries = judge
            .keystore(&store, Some(password.trim()), "PKCS12")
            .unwrap();
        assert_eq!(
            (entries[0].alias.as_str(), entries[0].chain.len()),
            ("kafka1", 2)
        );
    }

    // The next one is for the same key, into a store with the same password.
    let (key, password) = (
        read(&there, "out/kafka1/kafka1.key"),
        read(&there, "out/kafka1/keystore_creds"),
    );
    there.ok(&["issue", "kafka1", "--host", "10.0.0.2", "--csr-only"]);
    carry(&there, &here, "out/kafka1/kafka1.csr", "kafka1.csr");
    let sign = ["sign", "kafka1.csr", "--out-file", "kafka1.crt"];
    let more = ["--host", "kafka1", "--host", "10.0.0.2"];
    here.run(&sign).expect_code(1);
    here.ok(&[&sign[..], &more].concat());
    carry(&here, &there, "kafka1.crt", "kafka1.crt");
    there.ok(&["issue", "kafka1", "--install-cert", "kafka1.crt"]);
    assert_eq!(read(&there, "out/kafka1/kafka1.key"), key);
    assert_eq!(read(&there, "out/kafka1/keystore_creds"), password);
}

#[test]
fn a_chain_that_is_not_for_the_key_is_not_installed() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice", "bob", "--csr-only"]);
    kpki.ok(&[
        "sign",
        "out/alice/alice.csr",
        "--client",
        "--out-file",
        "alice.crt",
    ]);
    // A certificate of alice's name for another key.
    fs::copy(
        kpki.path("out/bob/bob.key"),
        kpki.path("out/alice/alice.key"),
    )
    .unwrap();
    let before = fs::read_dir(kpki.path("out/alice")).unwrap().count();
    for (arguments, code) in [
        (
            &["issue", "alice", "--install-cert", "alice.crt"][..],
            "store",
        ),
        (
            &["issue", "bob", "--install-cert", "alice.crt"],
            "bad-certificate",
        ),
        (
            &["issue", "carol", "--install-cert", "alice.crt"],
            "bad-certificate",
        ),
        (
            &["issue", "bob", "--install-cert", "out/bob/bob.csr"],
            "bad-certificate",
        ),
        (&["issue", "ALICE", "--csr-only"], "name-clash"),
    ] {
        let said = kpki.run(&[&["--json"], arguments].concat()).expect_code(1);
        assert_eq!(said.json()["error"]["code"], code, "{}", said.stderr);
    }
    assert_eq!(
        fs::read_dir(kpki.path("out/alice")).unwrap().count(),
        before
    );
    kpki.run(&["issue", "x", "--csr-only", "--days", "3"])
        .expect_code(2);
    kpki.run(&["issue", "x", "y", "--install-cert", "alice.crt"])
        .expect_code(2);
}

const POLICY: &str = "
brokers: [{name: kafka1, hosts: [kafka1.example.com], key: external}, {name: kafka2}]
clients: [{name: alice, key: external, hosts: []}]
";

#[test]
fn a_policy_writes_everything_but_keys_that_are_elsewhere() {
    let (here, there) = (Kpki::new(), Kpki::new());
    here.write("policy.yaml", POLICY);
    let said = here.ok(&["up", "policy.yaml"]);
    let command =
        "kpki sign kafka1.csr --name kafka1 --broker --host kafka1.example.com > kafka1.crt";
    assert!(said.stderr.contains(command), "{}", said.stderr);
    assert!(
        said.stderr
            .contains("kpki sign alice.csr --name alice --client > alice.crt"),
        "{}",
        said.stderr
    );
    let files = |kpki: &Kpki, name: &str| {
        let entries = fs::read_dir(kpki.path(format!("out/{name}"))).unwrap();
        let mut files: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    };
    assert_eq!(
        files(&here, "kafka1"),
        [
            "ca.crt",
            "format-storage.args",
            "kafka1.truststore.p12",
            "keystore_creds",
            "server.properties"
        ]
    );
    assert_eq!(
        files(&here, "alice"),
        [
            "alice.truststore.p12",
            "ca.crt",
            "client.properties",
            "keystore_creds"
        ]
    );
    // What a request asks for beyond the policy is nobody's to decide but its own.
    there.ok(&[
        "issue",
        "kafka1",
        "--host",
        "evil.example.com",
        "--csr-only",
    ]);
    carry(&there, &here, "out/kafka1/kafka1.csr", "kafka1.csr");
    let sign = [
        "sign",
        "kafka1.csr",
        "--name",
        "kafka1",
        "--broker",
        "--host",
        "kafka1.example.com",
        "--out-file",
        "kafka1.crt",
    ];
    here.ok(&sign);
    let said = here.ok(&["up", "policy.yaml"]);
    assert!(
        !said.stderr.contains("kafka1.csr") && said.stderr.contains("alice.csr"),
        "{}",
        said.stderr
    );
    assert_eq!(files(&here, "kafka1").len(), 5);
    here.ok(&["doctor"]);
    // On its own machine, the store gets the password that the configuration names.
    carry(&here, &there, "kafka1.crt", "kafka1.crt");
    carry(
        &here,
        &there,
        "out/kafka1/keystore_creds",
        "out/kafka1/keystore_creds",
    );
    there.ok(&["issue", "kafka1", "--install-cert", "kafka1.crt"]);
    let password = read(&here, "out/kafka1/keystore_creds");
    assert_eq!(read(&there, "out/kafka1/keystore_creds"), password);
    let settings = read(&here, "out/kafka1/server.properties");
    assert!(
        settings.contains(&format!("keystore.password={}", password.trim())),
        "{settings}"
    );
    // Other hosts, another certificate.
    here.write(
        "policy.yaml",
        &POLICY.replace("kafka1.example.com", "kafka1.example.org"),
    );
    let said = here.ok(&["up", "policy.yaml", "--allow", "voters"]);
    assert!(
        said.stderr
            .contains("hosts change from DNS:kafka1.example.com to DNS:kafka1.example.org"),
        "{}",
        said.stderr
    );
}

/// It was not said by `kpki status`.
#[test]
fn who_waits_for_a_first_certificate_is_due_until_it_is_signed() {
    let kpki = Kpki::with_open_ca();
    kpki.write(
        "policy.yaml",
        "clients: [{name: alice, key: external, hosts: [a.example.com]}, {name: bob}]\n",
    );
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["status"]);
    let status = kpki.run(&["status", "policy.yaml", "--json"]);
    let status = status.expect_code(3).json();
    let due = &status["due"][0];
    assert_eq!(status["due"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(
        (&due["code"], &due["name"]),
        (&"request-needed".into(), &"alice".into())
    );
    let command = due["command"].as_str().unwrap();
    assert_eq!(
        command,
        "kpki sign alice.csr --name alice --client --host a.example.com > alice.crt"
    );
    let request = ["issue", "alice", "--csr-only", "--client", "--out", "there"];
    kpki.ok(&request);
    carry(&kpki, &kpki, "there/alice/alice.csr", "alice.csr");
    let words = command.split(' ').skip(1).take_while(|word| *word != ">");
    kpki.ok(&words.collect::<Vec<_>>());
    kpki.ok(&["status", "policy.yaml"]);
    // Other hosts are another certificate.
    kpki.write("policy.yaml", "clients: [{name: alice, key: external}]\n");
    let status = kpki.run(&["status", "policy.yaml", "--json"]);
    let due = status.expect_code(3).json()["due"][0]["message"].to_string();
    assert!(
        due.contains("hosts change from DNS:a.example.com to DNS:alice"),
        "{due}"
    );
    kpki.ok(&["revoke", "alice", "--reason", "superseded"]);
    let status = kpki.run(&["status", "policy.yaml", "--json"]).stdout;
    assert!(!status.contains("request-needed"), "{status}");
}

/// A new key was made for it without a word.
#[test]
fn a_key_that_comes_back_is_said_before_it_is_made() {
    let kpki = Kpki::with_open_ca();
    let clients = "clients: [{name: alice, key: external}, {name: bob}]\n";
    kpki.write("policy.yaml", clients);
    kpki.ok(&["up", "policy.yaml"]);
    let request = ["issue", "alice", "--csr-only", "--client", "--out", "there"];
    kpki.ok(&request);
    kpki.ok(&["sign", "there/alice/alice.csr", "--host", "alice"]);
    kpki.write("policy.yaml", &clients.replace(", key: external", ""));
    let before = kpki.inventory();
    let warning = "warning: the key of alice is elsewhere, but its `key: external` is gone from the policy: it will get a new key and certificate here, and goes on with the old ones, valid until ";
    for arguments in [
        &["up", "policy.yaml", "--dry-run"][..],
        &["up", "policy.yaml"],
    ] {
        let said = kpki.ok(arguments).stderr;
        assert!(said.contains(warning), "{said}");
        assert!(!said.contains("key of bob"), "{said}");
        let made = kpki.inventory().len() - before.len();
        assert_eq!(made, usize::from(arguments.len() == 2));
    }
    let said = kpki.ok(&["up", "policy.yaml"]).stderr;
    assert!(!said.contains("elsewhere"), "{said}");
}

#[test]
fn a_client_is_signed_by_the_command_that_is_printed_where_its_key_is() {
    let kpki = Kpki::with_open_ca();
    let request = ["issue", "--client", "c9", "--host", "c9.example.com"];
    let said = kpki.ok(&[&request[..], &["--csr-only", "--out", "there"]].concat());
    let sign = "run kpki sign NAME.csr --client --host c9.example.com > NAME.crt where the CA is";
    assert!(said.stdout.contains(sign), "{}", said.stdout);
    let install = "\n  kpki --out there issue c9 --install-cert c9.crt\n";
    assert!(said.stdout.contains(install), "{}", said.stdout);
    // Without the option, the error says both ways out.
    kpki.ok(&["issue", "--client", "c8", "--csr-only", "--out", "there"]);
    let refused = kpki.run(&["sign", "there/c8/c8.csr"]).expect_code(1);
    assert!(
        refused.stderr.contains("if this is a client, --client"),
        "{}",
        refused.stderr
    );
}

/// It was taken for an interrupted rotation, and the request for somebody else's file.
#[test]
fn both_sides_may_be_one_directory() {
    let kpki = Kpki::with_open_ca();
    let request = ["issue", "new1", "--csr-only"];
    let sign = ["sign", "out/new1/new1.csr", "--out-file", "new1.crt"];
    let install = ["issue", "new1", "--install-cert", "new1.crt"];
    kpki.ok(&request);
    kpki.ok(&sign);
    kpki.ok(&install);
    let step = || {
        let mut status = kpki.json(&["rotate-ca", "status", "--json"]);
        let identities = status["identities"].as_array_mut().unwrap();
        identities.retain(|identity| identity["name"] == "new1");
        identities[0]["step"].take()
    };
    assert_eq!(step(), "none");
    kpki.is_sound("out", "installing");
    let packed = kpki.command(&["bundle", "new1"]).output().unwrap();
    let said = String::from_utf8_lossy(&packed.stderr).into_owned();
    assert!(packed.status.success() && said.is_empty(), "{said}");
    // A policy that says nothing of its key finds it here.
    kpki.write("policy.yaml", "brokers: [{name: new1}]\n");
    let said = kpki.ok(&["up", "policy.yaml", "--dry-run"]).stderr;
    assert!(!said.contains("elsewhere"), "{said}");
    let refused = kpki.run(&["renew", "new1", "--json"]).expect_code(1).json();
    assert_eq!(refused["error"]["code"], "request-needed");
    // Another CA, and another request for the same key.
    kpki.ok(&["rotate-ca", "start"]);
    kpki.ok(&["rotate-ca", "next", "--force"]);
    assert_eq!(step(), "sign");
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    let command = "kpki sign new1.csr --name new1 --broker --host new1 > new1.crt";
    assert_eq!(status["due"][0]["command"], command, "{status}");
    kpki.ok(&request);
    kpki.ok(&sign);
    kpki.ok(&install);
    assert_ne!(step(), "sign");
    kpki.is_sound("out", "the next certificate");
}
