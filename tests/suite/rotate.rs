//! `kpki rotate-ca`, judged by OpenSSL and keytool.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

use crate::support::{kpki::Kpki, listener::Listener, openssl::openssl, skip};

const POLICY: &str = "
brokers: [{name: kafka1}, {name: kafka2}]
clients:
  - {name: alice, auth: [tls, scram-sha-512]}
  - {name: bob, auth: scram-sha-256}
";

const ALL: [&str; 4] = ["kafka1", "kafka2", "alice", "bob"];
const WITH_CERTIFICATE: [&str; 3] = ["kafka1", "kafka2", "alice"];

fn cluster() -> Kpki {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    kpki
}

fn read(kpki: &Kpki, file: &str) -> Vec<u8> {
    fs::read(kpki.path("out").join(file)).unwrap()
}

fn status(kpki: &Kpki) -> Value {
    kpki.json(&["rotate-ca", "status", "--json"])
}

fn state(kpki: &Kpki) -> (String, u64) {
    let status = status(kpki);
    let state = status["state"].as_str().unwrap().to_owned();
    (state, status["generation"].as_u64().unwrap())
}

/// The subjects of the certificates in a PEM file, in order.
fn subjects(kpki: &Kpki, file: &str) -> Vec<String> {
    let ders = kpki::keystore::pem::parse_certificates(&read(kpki, file)).unwrap();
    let certificates = ders
        .iter()
        .map(|der| kpki::pki::Certificate::from_der(der).unwrap());
    certificates.map(|c| c.subject.to_string()).collect()
}

fn issuer(kpki: &Kpki, name: &str) -> String {
    let ders = kpki::keystore::pem::parse_certificates(&read(kpki, &format!("{name}/{name}.crt")));
    kpki::pki::Certificate::from_der(&ders.unwrap()[0])
        .unwrap()
        .issuer
        .to_string()
}

/// OpenSSL finds the chain of one identity good under what another one trusts.
fn trusts(kpki: &Kpki, other: &str, name: &str) {
    let (leaf, ca) = (
        format!("out/{name}/{name}.crt"),
        format!("out/{other}/ca.crt"),
    );
    let verify = [
        "verify",
        "-x509_strict",
        "-CAfile",
        &ca,
        "-untrusted",
        &leaf,
        &leaf,
    ];
    if let Some(verified) = openssl(kpki.dir(), &verify) {
        verified.expect_code(0);
    }
}

fn everyone_trusts_everyone(kpki: &Kpki) {
    for name in WITH_CERTIFICATE {
        for other in ALL {
            trusts(kpki, other, name);
        }
    }
}

/// `up` finds nothing to do: what a rotation wrote is what a policy asks for.
fn up_changes_nothing(kpki: &Kpki) {
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
}

#[test]
fn a_rotation_from_its_first_step_to_its_last() {
    let kpki = cluster();
    let keys = || WITH_CERTIFICATE.map(|n| read(&kpki, &format!("{n}/{n}.key")));
    let before = keys();
    assert_eq!(state(&kpki), ("none".to_owned(), 1));

    kpki.ok(&["rotate-ca", "start"]);
    assert_eq!(state(&kpki), ("trusting".to_owned(), 2));
    // Also the one with a password only, whose truststore has to be distributed as well.
    let seen = status(&kpki)["identities"].take();
    let seen = seen
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap());
    assert_eq!(BTreeSet::from_iter(seen), BTreeSet::from(ALL));
    for name in ALL {
        let trusted = subjects(&kpki, &format!("{name}/ca.crt"));
        // By age, in whole seconds.
        let both = BTreeSet::from(["CN=Kafka CA G1", "CN=Kafka CA G2"]);
        assert_eq!(
            trusted.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            both
        );
    }
    assert!(
        WITH_CERTIFICATE
            .iter()
            .all(|n| issuer(&kpki, n) == "CN=Kafka CA G1")
    );
    everyone_trusts_everyone(&kpki);
    up_changes_nothing(&kpki);

    let refused = kpki.run(&["--json", "rotate-ca", "next"]).expect_code(1);
    assert_eq!(refused.json()["error"]["code"], "rotation-not-everywhere");
    kpki.ok(&["rotate-ca", "next", "--force"]);
    assert_eq!(state(&kpki), ("reissuing".to_owned(), 2));
    assert!(
        WITH_CERTIFICATE
            .iter()
            .all(|n| issuer(&kpki, n) == "CN=Kafka CA G2")
    );
    assert_eq!(
        subjects(&kpki, "ca/ca.crt"),
        ["CN=Kafka CA G2", "CN=Kafka CA G1"],
        "who signs stands first"
    );
    assert_eq!(keys(), before, "keys stay");
    everyone_trusts_everyone(&kpki);
    up_changes_nothing(&kpki);

    kpki.ok(&["rotate-ca", "next", "--force"]);
    assert_eq!(state(&kpki), ("retiring".to_owned(), 2));
    for name in ALL {
        assert_eq!(
            subjects(&kpki, &format!("{name}/ca.crt")),
            ["CN=Kafka CA G2"]
        );
    }
    assert!(kpki.path("out/ca/retired-g1.key").exists());
    everyone_trusts_everyone(&kpki);
    up_changes_nothing(&kpki);

    kpki.ok(&["rotate-ca", "finish", "--force"]);
    assert_eq!(state(&kpki), ("none".to_owned(), 2));
    let left: BTreeSet<String> = fs::read_dir(kpki.path("out/ca"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.contains("retired") || n.contains("standby") || n.contains("rotation"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    kpki.ok(&["issue", "--client", "carol"]);
    assert_eq!(issuer(&kpki, "carol"), "CN=Kafka CA G2");
    everyone_trusts_everyone(&kpki);
    up_changes_nothing(&kpki);

    let inventory = kpki.inventory();
    let steps: Vec<String> = inventory
        .iter()
        .filter(|line| line["event"] == "rotation")
        .map(|line| format!("{} {}", line["state"].as_str().unwrap(), line["generation"]))
        .collect();
    assert_eq!(steps, ["trusting 2", "reissuing 2", "retiring 2", "none 2"]);
    let listed = kpki.json(&["list", "--json"]);
    let cas: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["kind"] == "ca")
        .collect();
    let cas: Vec<_> = cas
        .iter()
        .map(|c| {
            (
                c["subject"].as_str().unwrap(),
                c["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(
        cas.contains(&("CN=Kafka CA G1", "replaced")) && cas.contains(&("CN=Kafka CA G2", "valid")),
        "{cas:?}"
    );
}

#[test]
fn java_finds_both_cas_in_the_truststore_while_both_are_trusted() {
    let kpki = cluster();
    kpki.ok(&["rotate-ca", "start"]);
    let properties = String::from_utf8(read(&kpki, "alice/client.properties")).unwrap();
    let password = properties
        .lines()
        .find_map(|line| line.strip_prefix("ssl.truststore.password="))
        .unwrap();
    let store = kpki.path("out/alice/alice.truststore.p12");
    let store = store.to_str().unwrap();
    let list = ["-J-Duser.language=en", "-list", "-v", "-keystore", store];
    let listed = Command::new("keytool")
        .args(list)
        .args(["-storepass", password])
        .output();
    let Ok(listed) = listed else {
        skip("there is no keytool");
        return;
    };
    let listed = String::from_utf8_lossy(&listed.stdout);
    for expected in ["CN=Kafka CA G1", "CN=Kafka CA G2", "2 entries"] {
        assert!(listed.contains(expected), "{listed}");
    }
    assert_eq!(
        read(&kpki, "alice/alice.truststore.p12"),
        read(&kpki, "kafka1/kafka1.truststore.p12")
    );
}

#[test]
fn abort_goes_back_from_either_step() {
    let kpki = cluster();
    kpki.ok(&["rotate-ca", "start"]);
    kpki.ok(&["rotate-ca", "abort"]);
    assert_eq!(state(&kpki), ("none".to_owned(), 1));
    assert_eq!(subjects(&kpki, "alice/ca.crt"), ["CN=Kafka CA G1"]);
    assert!(!kpki.path("out/ca/standby.key").exists());
    up_changes_nothing(&kpki);

    // The one that was given up may be trusted somewhere, so the next has another name.
    kpki.ok(&["rotate-ca", "start"]);
    assert_eq!(state(&kpki), ("trusting".to_owned(), 3));
    kpki.ok(&["rotate-ca", "next", "--force"]);
    kpki.ok(&["rotate-ca", "abort"]);
    assert_eq!(state(&kpki), ("trusting".to_owned(), 3));
    assert!(
        WITH_CERTIFICATE
            .iter()
            .all(|n| issuer(&kpki, n) == "CN=Kafka CA G1")
    );
    everyone_trusts_everyone(&kpki);
    up_changes_nothing(&kpki);
    // What the new one has signed may be in use.
    let refused = kpki.run(&["--json", "rotate-ca", "abort"]).expect_code(1);
    assert_eq!(refused.json()["error"]["code"], "rotation-not-everywhere");
    kpki.ok(&["rotate-ca", "abort", "--force"]);
    assert_eq!(state(&kpki), ("none".to_owned(), 1));
    up_changes_nothing(&kpki);
}

#[test]
fn whoever_comes_in_between_is_signed_by_who_signs_and_trusts_both() {
    let kpki = cluster();
    kpki.ok(&["rotate-ca", "start"]);
    kpki.ok(&["issue", "--client", "one"]);
    assert_eq!(issuer(&kpki, "one"), "CN=Kafka CA G1");
    kpki.ok(&["rotate-ca", "next", "--force"]);
    assert_eq!(issuer(&kpki, "one"), "CN=Kafka CA G2");
    kpki.ok(&["issue", "--client", "two"]);
    kpki.ok(&["renew", "kafka1"]);
    assert_eq!(issuer(&kpki, "two"), "CN=Kafka CA G2");
    assert_eq!(issuer(&kpki, "kafka1"), "CN=Kafka CA G2");
    for name in ["one", "two"] {
        assert_eq!(subjects(&kpki, &format!("{name}/ca.crt")).len(), 2);
    }
}

#[test]
fn an_intermediate_and_its_root_are_replaced_together_even_where_the_roots_key_is_away() {
    let kpki = Kpki::new();
    kpki.ok(&[
        "init-ca",
        "--intermediate",
        "--name-constraint",
        "example.com",
    ]);
    kpki.ok(&["issue", "kafka1", "--host", "kafka1.example.com"]);
    kpki.ok(&["issue", "--client", "alice"]);
    fs::remove_file(kpki.path("out/ca/root.key")).unwrap();
    let verify = || {
        trusts(&kpki, "kafka1", "kafka1");
        trusts(&kpki, "alice", "kafka1");
    };
    kpki.ok(&["rotate-ca", "start"]);
    verify();
    kpki.ok(&["rotate-ca", "next", "--force"]);
    verify();
    assert!(kpki.path("out/ca/root.key").exists(), "the new root's");
    assert_eq!(issuer(&kpki, "kafka1"), "CN=Kafka CA G2 Intermediate");
    kpki.ok(&["rotate-ca", "next", "--force"]);
    kpki.ok(&["rotate-ca", "finish", "--force"]);
    verify();
    let refused = kpki.run(&["issue", "other", "--host", "other.example.org"]);
    assert!(refused.expect_code(1).stderr.contains("name constraints"));
}

#[test]
fn each_step_has_its_turn() {
    let kpki = cluster();
    let code = |arguments: &[&str]| {
        let output = kpki
            .run(&[&["--json", "rotate-ca"], arguments].concat())
            .expect_code(1);
        output.json()["error"]["code"].as_str().unwrap().to_owned()
    };
    for verb in ["next", "finish", "abort"] {
        assert_eq!(code(&[verb]), "no-rotation");
    }
    kpki.ok(&["rotate-ca", "start"]);
    assert_eq!(code(&["start"]), "rotation-running");
    assert_eq!(code(&["finish", "--force"]), "rotation-order");
    kpki.ok(&["rotate-ca", "next", "--force"]);
    kpki.ok(&["rotate-ca", "next", "--force"]);
    assert_eq!(code(&["abort"]), "rotation-order");
    assert_eq!(code(&["next", "--force"]), "rotation-order");
    kpki.ok(&["rotate-ca", "finish", "--force"]);
}

#[test]
fn a_foreign_ca_in_a_truststore_and_a_wrong_passphrase_stop_it_before_anything_is_written() {
    let mut kpki = cluster();
    let other = Kpki::new();
    other.ok(&["init-ca", "--subject", "CN=Foreign"]);
    let mut pem = read(&kpki, "alice/ca.crt");
    let ours = pem.clone();
    pem.extend(read(&other, "ca/ca.crt"));
    fs::write(kpki.path("out/alice/ca.crt"), &pem).unwrap();
    let refused = kpki.run(&["rotate-ca", "start"]).expect_code(1);
    assert!(
        refused.stderr.contains("also trusts CN=Foreign G1"),
        "{}",
        refused.stderr
    );
    assert_eq!(state(&kpki).0, "none");
    fs::write(kpki.path("out/alice/ca.crt"), &ours).unwrap();
    kpki.env("KPKI_CA_PASSPHRASE", "another");
    let refused = kpki.run(&["rotate-ca", "start"]).expect_code(1);
    assert!(
        refused.stderr.contains("wrong passphrase"),
        "{}",
        refused.stderr
    );
    kpki.env("KPKI_CA_PASSPHRASE", "a passphrase of the tests");
    kpki.ok(&["rotate-ca", "start"]);
    kpki.env("KPKI_CA_PASSPHRASE", "another");
    kpki.run(&["rotate-ca", "next", "--force"]).expect_code(1);
    assert_eq!(state(&kpki).0, "trusting");
}

#[test]
fn renewing_keeps_the_password_in_the_layout_of_the_image() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--layout", "apache-kafka"]);
    let before = read(&kpki, "kafka1/kafka_keystore_creds");
    kpki.ok(&["renew", "kafka1"]);
    assert_eq!(read(&kpki, "kafka1/kafka_keystore_creds"), before);
    assert!(!kpki.path("out/kafka1/keystore_creds").exists());
}

#[test]
fn a_step_waits_until_the_broker_shows_that_it_has_the_last_one() {
    let kpki = Kpki::new();
    if openssl(kpki.dir(), &["version"]).is_none() {
        return;
    }
    let [port, controller] = crate::support::ports::free();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster: {{name: test, listeners: [{{name: SSL, port: {port}, protocol: SSL, client_auth: required}}], controller_port: {controller}}}
brokers: [{{name: kafka1, hosts: [localhost]}}]
clients: [{{name: alice, auth: tls}}]
"
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let step = || {
        let status = status(&kpki);
        let all = status["identities"].as_array().unwrap();
        let broker = all.iter().find(|i| i["name"] == "kafka1").unwrap();
        let served = broker["served"].as_str().map(str::to_owned);
        (broker["step"].as_str().unwrap().to_owned(), served)
    };
    let mut listener = Some(Listener::start(&kpki, port));
    let (_, first) = step();
    assert!(first.is_some());
    for (verb, word) in [
        ("start", "trusting"),
        ("next", "reissuing"),
        ("next", "retiring"),
    ] {
        kpki.ok(&["rotate-ca", verb]);
        assert_eq!(state(&kpki).0, word);
        assert_eq!(step().0, "install", "{word}: the broker runs as it was");
        let after = if word == "retiring" { "finish" } else { "next" };
        let refused = kpki.run(&["--json", "rotate-ca", after]).expect_code(1);
        assert_eq!(refused.json()["error"]["code"], "rotation-not-everywhere");
        drop(listener.take());
        assert_eq!(step(), ("unseen".to_owned(), None));
        listener = Some(Listener::start(&kpki, port));
        assert_eq!(step().0, "done", "{word}: the broker has it");
    }
    assert_ne!(step().1, first);
    kpki.ok(&["rotate-ca", "finish"]);
    assert_eq!(state(&kpki).0, "none");
}

/// Found by a tester: a rotation went on without a word of those whose directories are elsewhere.
#[test]
fn whoever_is_elsewhere_is_named_from_the_first_step_on() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice"]);
    let request = ["issue", "far", "--host", "far", "--csr-only"];
    kpki.ok(&[&request[..], &["--out", "elsewhere"]].concat());
    let sign = ["sign", "elsewhere/far/far.csr", "--host", "far"];
    kpki.ok(&[&sign[..], &["--out-file", "far.crt"]].concat());
    kpki.ok(&["rotate-ca", "start"]);
    let status = kpki.json(&["rotate-ca", "status", "--json"]);
    let steps = status["identities"].as_array().unwrap().iter();
    let steps: Vec<_> = steps
        .map(|one| (one["name"].as_str(), one["step"].as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            (Some("alice"), Some("unseen")),
            (Some("far"), Some("unseen"))
        ],
        "{status:#}"
    );
    let refused = kpki.run(&["rotate-ca", "next"]).expect_code(1).stderr;
    assert!(refused.contains("far"), "{refused}");
    let said = kpki.ok(&["rotate-ca", "status"]).stdout;
    assert!(said.contains("--force"), "{said}");
}

/// Found by an attacker: what had ended with the old CA was as short-lived below the new one.
#[test]
fn what_ended_with_the_old_ca_does_not_end_as_soon_with_the_next() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--days", "40"]);
    kpki.ok(&["issue", "--client", "alice"]);
    kpki.ok(&["issue", "--client", "brief", "--days", "20"]);
    kpki.ok(&["rotate-ca", "start", "--days", "3650"]);
    kpki.ok(&["rotate-ca", "next", "--force"]);
    let life = |name: &str| {
        let all = kpki.inventory();
        let last = all.iter().rfind(|line| line["name"] == name).unwrap();
        let [begin, end] = ["not_before", "not_after"].map(|key| {
            let text = last[key].as_str().unwrap();
            time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
                .unwrap()
        });
        (end - begin).whole_days()
    };
    assert_eq!((life("alice"), life("brief")), (397, 20));
}

/// What `status` or `doctor` reports of an identity: code, message and command.
fn reported(kpki: &Kpki, of: &str, name: &str) -> Option<[String; 3]> {
    let said = kpki.run(&[of, "--json"]).json();
    let list = ["due", "faults"]
        .iter()
        .find_map(|list| said[*list].as_array());
    let found = list.unwrap().iter().find(|one| one["name"] == name)?;
    Some(["code", "message", "command"].map(|key| found[key].as_str().unwrap().to_owned()))
}

/// Found by a tester: a certificate of a CA that was gone was "valid", with nothing to do about it.
#[test]
fn whoever_is_elsewhere_is_not_forgotten_when_its_ca_is_gone() {
    let end = |steps: &[&[&str]]| {
        let kpki = Kpki::new();
        kpki.ok(&["init-ca"]);
        kpki.ok(&["issue", "--client", "alice", "moved", "removed"]);
        let request = ["issue", "--client", "ext", "--csr-only"];
        kpki.ok(&[&request[..], &["--out", "elsewhere"]].concat());
        let sign = || {
            let file = format!("ext-{}.crt", kpki.inventory().len());
            let sign = ["sign", "elsewhere/ext/ext.csr", "--client", "--out-file"];
            kpki.ok(&[&sign[..], &[&file]].concat());
        };
        sign();
        for name in ["moved", "removed"] {
            fs::rename(kpki.path("out").join(name), kpki.path(name)).unwrap();
        }
        kpki.ok(&["rotate-ca", "start"]);
        kpki.ok(&["rotate-ca", "next", "--force"]);
        assert!(reported(&kpki, "doctor", "ext").is_none(), "it is trusted");
        if steps[0][0] == "abort" {
            sign();
        }
        let mut said = String::new();
        for step in steps {
            let step = kpki.ok(&[&["rotate-ca"], *step].concat());
            said = step.stderr;
        }
        assert!(said.contains("ext was not confirmed"), "{said}");
        assert!(
            !said.contains("alice was not confirmed to have the previous step: its key"),
            "{said}"
        );
        assert_eq!(state(&kpki).0, "none");
        let again = "kpki sign ext.csr --name ext --client > ext.crt";
        for (of, code) in [("status", "request-needed"), ("doctor", "rotation")] {
            kpki.run(&[of]).expect_code(3);
            let [is, message, command] = reported(&kpki, of, "ext").unwrap();
            assert_eq!((&*is, &*command), (code, again), "{of}");
            assert!(message.contains("is no longer trusted"), "{message}");
            assert!(reported(&kpki, of, "alice").is_none(), "she has a new one");
        }
        sign();
        for of in ["status", "doctor"] {
            assert!(reported(&kpki, of, "ext").is_none(), "{of}");
        }
        kpki
    };
    let kpki = end(&[&["next", "--force"], &["finish", "--force"]]);
    for of in ["status", "doctor"] {
        for name in ["moved", "removed"] {
            let [_, message, command] = reported(&kpki, of, name).unwrap();
            assert!(
                command.starts_with(&format!("kpki sign {name}.csr")),
                "{command}"
            );
            assert!(
                message.contains(&format!("kpki revoke {name}")),
                "{message}"
            );
        }
    }
    // Who was meant to go is not named for ever.
    kpki.ok(&["revoke", "moved", "removed"]);
    kpki.ok(&["status"]);
    kpki.ok(&["doctor"]);
    end(&[&["abort"], &["abort", "--force"]]);
}
