//! What lies in an identity's directory is not believed: whoever owns the directory may have put it there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kpki::pki::Certificate;
use serde_json::Value;

use crate::support::{kpki::Kpki, openssl::openssl};

const POLICY: &str = "
ca: {leaf_valid_days: 90, renew_before_days: 30}
brokers: [{name: kafka1, hosts: [kafka1.example.com]}]
clients: [{name: alice}]
";

fn last(kpki: &Kpki, name: &str) -> Value {
    let mut records = kpki.inventory().into_iter();
    records.rfind(|r| r["name"] == name).unwrap()
}

fn leaf(path: PathBuf) -> Certificate {
    let pem = fs::read(path).unwrap();
    let der = kpki::keystore::pem::parse_certificates(&pem).unwrap();
    Certificate::from_der(&der[0]).unwrap()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

/// Signs `dir`/`name`.crt with its own key for ten more hosts and as many years, under the serial number that is on
/// record; the key is the one that is there, or a new one.
fn plant(kpki: &Kpki, name: &str, new_key: bool) -> Option<()> {
    let serial = format!("0x{}", last(kpki, name)["serial"].as_str().unwrap());
    let hosts: Vec<String> = (0..10)
        .map(|n| format!("DNS:evil{n}.example.com"))
        .collect();
    let hosts = format!("subjectAltName={}", hosts.join(","));
    let (key, certificate) = (
        format!("out/{name}/{name}.key"),
        format!("out/{name}/{name}.crt"),
    );
    let subject = format!("/CN={name}");
    if new_key {
        let made = [
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &key,
        ];
        openssl(kpki.dir(), &made)?.expect_code(0);
    }
    let signed = [
        "req",
        "-x509",
        "-new",
        "-key",
        &key,
        "-out",
        &certificate,
        "-days",
        "3300",
        "-subj",
        &subject,
        "-set_serial",
        &serial,
        "-addext",
        &hosts,
        "-addext",
        "extendedKeyUsage=serverAuth,clientAuth",
    ];
    openssl(kpki.dir(), &signed)?.expect_code(0);
    Some(())
}

fn is_signed(ca: &Path, leaf: &Path, kpki: &Kpki) {
    let (ca, leaf) = (ca.to_str().unwrap(), leaf.to_str().unwrap());
    openssl(kpki.dir(), &["verify", "-CAfile", ca, leaf])
        .unwrap()
        .expect_code(0);
}

#[test]
fn renew_does_not_sign_what_the_directory_claims() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let mut issue = vec!["issue", "kafka1", "--host", "10.0.0.1", "--days", "30"];
    kpki.ok(&issue);
    for new_key in [true, false] {
        if plant(&kpki, "kafka1", new_key).is_none() {
            return;
        }
        let planted = read(kpki.path("out/kafka1/kafka1.key"));
        let store = fs::read(kpki.path("out/kafka1/kafka1.keystore.p12")).unwrap();
        let said = kpki.ok(&["--json", "renew", "kafka1"]);
        let record = &said.json()[0];
        assert_eq!(
            record["sans"],
            serde_json::json!(["DNS:kafka1", "IP:10.0.0.1"])
        );
        let leaf = leaf(kpki.path("out/kafka1/kafka1.crt"));
        assert!(leaf.not_after - leaf.not_before < time::Duration::days(31));
        let hosts: Vec<String> = leaf.hosts.iter().map(|h| h.to_string()).collect();
        assert_eq!(hosts, ["kafka1", "10.0.0.1"]);
        is_signed(
            &kpki.path("out/ca/ca.crt"),
            &kpki.path("out/kafka1/kafka1.crt"),
            &kpki,
        );
        assert_ne!(
            fs::read(kpki.path("out/kafka1/kafka1.keystore.p12")).unwrap(),
            store
        );
        // The recorded key stays, another one does not.
        let key = read(kpki.path("out/kafka1/kafka1.key"));
        assert_eq!(key == planted, !new_key);
        let warning = if new_key {
            "the key in out/kafka1 is not the last one that was signed: kafka1 gets a new key"
        } else {
            "the certificate in out/kafka1 is not the last one that was signed"
        };
        assert!(said.stderr.contains(warning), "{}", said.stderr);
        // A broker that has loaded what was planted refuses a certificate with fewer hosts while it runs.
        let fewer = "kafka1 will no longer name evil0.example.com and evil1.example.com";
        assert!(said.stderr.contains(fewer), "{}", said.stderr);
    }
    // Nothing is said, and the key stays, where all is as it was.
    let key = read(kpki.path("out/kafka1/kafka1.key"));
    let said = kpki.ok(&["renew", "kafka1"]);
    assert_eq!(said.stderr, "");
    assert_eq!(read(kpki.path("out/kafka1/kafka1.key")), key);
    issue[1] = "kafka2";
    kpki.ok(&issue);
}

#[test]
fn a_planted_key_is_not_signed_again() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    for new_key in [true, false] {
        if plant(&kpki, "kafka1", new_key).is_none() {
            return;
        }
        let planted = read(kpki.path("out/kafka1/kafka1.key"));
        // What somebody put there is shown to whoever runs kpki before it is gone.
        let refused = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
        assert!(refused.contains("kafka1.crt was edited"), "{refused}");
        let both = [
            "--overwrite",
            "kafka1/kafka1.crt",
            "--overwrite",
            "kafka1/kafka1.key",
        ];
        let said = kpki
            .ok(&[&["up", "policy.yaml"][..], &both].concat())
            .stdout;
        assert!(said.contains("reissued  broker kafka1"), "{said}");
        assert_eq!(said.contains("it gets a new key"), new_key, "{said}");
        let key = read(kpki.path("out/kafka1/kafka1.key"));
        assert_eq!(key == planted, !new_key);
        let leaf = leaf(kpki.path("out/kafka1/kafka1.crt"));
        assert_eq!(leaf.fingerprint(), last(&kpki, "kafka1")["sha256"]);
        assert_eq!(leaf.hosts.len(), 1);
        let again = kpki.ok(&["up", "policy.yaml"]).stdout;
        assert!(again.contains("unchanged  2 of 2"), "{again}");
    }
}

/// The certificate of another identity, and an older one of the same: each was signed by this CA.
#[test]
fn a_certificate_of_the_same_ca_that_is_not_the_recorded_one_is_replaced() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    for end in ["crt", "key", "pem"] {
        let (broker, client) = (
            format!("out/kafka1/kafka1.{end}"),
            format!("out/alice/alice.{end}"),
        );
        fs::copy(kpki.path(broker), kpki.path(client)).unwrap();
    }
    let renewed = kpki.ok(&["--json", "renew", "alice"]);
    assert!(
        renewed.stderr.contains("alice gets a new key"),
        "{}",
        renewed.stderr
    );
    let record = &renewed.json()[0];
    assert_eq!(
        (&record["kind"], &record["subject"]),
        (&"client".into(), &"CN=alice".into())
    );
    assert!(!leaf(kpki.path("out/alice/alice.crt")).server_auth);
    assert_ne!(
        read(kpki.path("out/alice/alice.key")),
        read(kpki.path("out/kafka1/kafka1.key"))
    );

    let older = read(kpki.path("out/kafka1/kafka1.crt"));
    kpki.ok(&["renew", "kafka1"]);
    let key = read(kpki.path("out/kafka1/kafka1.key"));
    fs::write(kpki.path("out/kafka1/kafka1.crt"), older).unwrap();
    let said = kpki.ok(&["up", "policy.yaml"]).stdout;
    assert!(
        said.contains(
            "reissued  broker kafka1: its certificate is not the last one that was signed\u{20}"
        ) || said.contains("not the last one that was signed"),
        "{said}"
    );
    assert_eq!(
        read(kpki.path("out/kafka1/kafka1.key")),
        key,
        "the key is the recorded one"
    );
}

#[test]
fn certificates_behind_the_leaf_are_the_cas_to_say() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    let path = kpki.path("out/kafka1/kafka1.crt");
    let (good, other) = (read(path.clone()), read(kpki.path("out/alice/alice.crt")));
    fs::write(&path, format!("{good}{other}")).unwrap();
    kpki.run(&["up", "policy.yaml"]).expect_code(1);
    kpki.ok(&["up", "policy.yaml", "--overwrite", "kafka1/kafka1.crt"]);
    assert_eq!(read(path), good);
}

/// Lines of the first kpki have no fingerprints: there, serial number and signature say what is the recorded one.
#[test]
fn an_inventory_without_fingerprints_is_read_and_guards_as_well() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    let path = kpki.path("out/ca/inventory.jsonl");
    let forget = || {
        let lines: String = kpki
            .inventory()
            .into_iter()
            .map(|mut record| {
                let fields = record.as_object_mut().unwrap();
                fields.retain(|field, _| !["key", "key_sha256", "sha256"].contains(&&**field));
                format!("{record}\n")
            })
            .collect();
        fs::write(&path, lines).unwrap();
    };
    forget();
    let key = read(kpki.path("out/kafka1/kafka1.key"));
    let said = kpki.ok(&["up", "policy.yaml"]).stdout;
    assert!(said.contains("unchanged  2 of 2"), "{said}");
    assert_eq!(kpki.ok(&["renew", "kafka1"]).stderr, "");
    assert_eq!(read(kpki.path("out/kafka1/kafka1.key")), key);
    for new_key in [true, false] {
        forget();
        if plant(&kpki, "kafka1", new_key).is_none() {
            return;
        }
        let planted = read(kpki.path("out/kafka1/kafka1.key"));
        let said = kpki.ok(&["--json", "renew", "kafka1"]);
        assert_eq!(
            said.json()[0]["sans"],
            serde_json::json!(["DNS:kafka1.example.com"])
        );
        assert_ne!(read(kpki.path("out/kafka1/kafka1.key")), planted);
    }
}

#[test]
fn a_lost_certificate_is_renewed_from_the_inventory() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    let key = read(kpki.path("out/kafka1/kafka1.key"));
    fs::remove_file(kpki.path("out/kafka1/kafka1.crt")).unwrap();
    kpki.ok(&["renew", "kafka1"]);
    assert_eq!(read(kpki.path("out/kafka1/kafka1.key")), key);
    assert_eq!(leaf(kpki.path("out/kafka1/kafka1.crt")).hosts.len(), 1);
}

/// Comparing it line by line would take hours, and everybody would wait.
#[test]
fn a_huge_file_in_an_identitys_directory_does_not_hold_up_the_others() {
    let kpki = Kpki::new();
    kpki.write("p.yaml", POLICY);
    kpki.ok(&["up", "p.yaml"]);
    let huge: String = (0..200_000).map(|n| format!("setting.{n}=1\n")).collect();
    kpki.write("out/kafka1/server.properties", &huge);
    let said = kpki.run(&["up", "p.yaml"]).expect_code(1).stderr;
    assert!(said.contains("was edited by hand"), "{said}");
    assert!(said.contains("compared with 200000") && said.len() < 5_000);
}

#[test]
fn what_somebody_edited_is_not_shown_without_end() {
    let kpki = Kpki::new();
    kpki.write("p.yaml", POLICY);
    kpki.ok(&["up", "p.yaml"]);
    let file = kpki.path("out/kafka1/server.properties");
    let more: String = (0..500).map(|n| format!("setting.{n}=1\n")).collect();
    fs::write(&file, read(file.clone()) + &more).unwrap();
    let said = kpki.run(&["up", "p.yaml"]).expect_code(1).stderr;
    assert!(said.contains("+setting.1=[hidden]"), "{said}");
    assert!(said.contains(" more lines"), "{said}");
    assert!(!said.contains("setting.499"), "{said}");
}
