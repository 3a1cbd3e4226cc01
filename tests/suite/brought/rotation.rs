//! From one CA below a company's root to the next, which is requested or imported.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;

use crate::support::{
    java::judge,
    keytool::keytool,
    kpki::{Kpki, Output},
    openssl::openssl,
};

use super::{
    IMPORT,
    company::{CA, Company},
    password, property, subjects, verify,
};

const EXTENSIONS: &str = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
const OPEN: [&str; 1] = ["--no-passphrase"];
const ROOT: &str = "CN=Example Root,DC=example,DC=com";
const FIRST: &str = "CN=Kafka CA,O=Example";
const SECOND: &str = "CN=Kafka CA G2,O=Example";
const REQUEST: [&str; 3] = ["rotate-ca", "start", "--request"];
const INSTALL: [&str; 4] = ["rotate-ca", "start", "--install-cert", "answer.pem"];

/// A broker and a client whose CA is an intermediate directly below the company's root.
fn below(kpki: &Kpki, company: &Company<'_>, options: &[&str]) {
    let request = [
        "init-ca",
        "--request",
        "--subject",
        FIRST,
        "--out-file",
        "first.csr",
    ];
    kpki.ok(&[&request[..], options].concat());
    company.sign("first.csr", "first.crt", "root", EXTENSIONS);
    company.join("answer.pem", &["first", "root"]);
    kpki.ok(&["init-ca", "--install-cert", "answer.pem"]);
    kpki.write(
        "policy.yaml",
        "ca: {subject: 'CN=Kafka CA,O=Example', crl_url: 'http://pki.example.com/kafka.crl'}\nbrokers: [{name: kafka1, hosts: [localhost]}]\nclients: [{name: alice}]\n",
    );
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["crl"]);
}

/// Has the pending request signed; the answer is in `answer.pem`.
fn answer(kpki: &Kpki, company: &Company<'_>) {
    kpki.write("next.csr", &kpki.ok(&REQUEST).stdout);
    company.sign("next.csr", "next.crt", "root", EXTENSIONS);
    company.join("answer.pem", &["root", "next"]);
}

fn code(output: Output, exit: i32) -> String {
    let json = output.expect_code(exit).json();
    json["error"]["code"].as_str().unwrap().to_owned()
}

fn refused(kpki: &Kpki, arguments: &[&str]) -> String {
    code(kpki.run(&[&["--json"], arguments].concat()), 1)
}

fn status(kpki: &Kpki) -> Value {
    kpki.json(&["rotate-ca", "status", "--json"])
}

fn state(kpki: &Kpki) -> (String, u64) {
    let status = status(kpki);
    let state = status["state"].as_str().unwrap().to_owned();
    (state, status["generation"].as_u64().unwrap())
}

/// Every file of the CA but the journal.
fn ca(kpki: &Kpki) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(kpki.path("out/ca")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    });
    files.filter(|(name, _)| name != "journal.jsonl").collect()
}

fn read(kpki: &Kpki, file: &str) -> Vec<u8> {
    fs::read(kpki.path("out").join(file)).unwrap()
}

/// What OpenSSL says of a chain under the company's root, with the current CRLs.
fn checked(kpki: &Kpki, chain: &str) -> Output {
    let pems = [kpki.path("root.crt"), kpki.path("out/ca/crl.pem")];
    let pems: Vec<u8> = pems
        .iter()
        .flat_map(|file| fs::read(file).unwrap())
        .collect();
    fs::write(kpki.path("trusted.pem"), pems).unwrap();
    let verify = [
        "verify",
        "-x509_strict",
        "-crl_check",
        "-CAfile",
        "trusted.pem",
    ];
    openssl(
        kpki.dir(),
        &[&verify[..], &["-untrusted", chain, chain]].concat(),
    )
    .unwrap()
}

/// The statuses of the CAs' certificates, by subject.
fn listed(kpki: &Kpki) -> BTreeSet<(String, String)> {
    let all = kpki.json(&["list", "--json"]);
    let all = all.as_array().unwrap().iter();
    let cas = all.filter(|c| ["ca", "intermediate"].contains(&c["kind"].as_str().unwrap()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    cas.map(|c| (text(&c["subject"]), text(&c["status"])))
        .collect()
}

/// A TLS handshake with the stores in a broker's directory, and in a client's.
fn connect(kpki: &Kpki, server: &str, client: &str) {
    let Some(judge) = judge() else { return };
    let trust = property(
        kpki,
        "out/alice/client.properties",
        "ssl.truststore.password",
    );
    let stores = |dir: &str, name: &str| {
        let path = |kind: &str| kpki.path(format!("{dir}/{name}.{kind}.p12"));
        let file = |kind: &str| path(kind).display().to_string();
        let password = password(kpki, name);
        [
            ("ssl.keystore.location", file("keystore")),
            ("ssl.keystore.type", "PKCS12".to_owned()),
            ("ssl.keystore.password", password.clone()),
            ("ssl.key.password", password),
            ("ssl.truststore.location", file("truststore")),
            ("ssl.truststore.type", "PKCS12".to_owned()),
            ("ssl.truststore.password", trust.clone()),
        ]
    };
    let (server, client) = (stores(server, "kafka1"), stores(client, "alice"));
    let mut server: Vec<_> = server.iter().map(|(k, v)| (*k, v.as_str())).collect();
    server.push(("ssl.client.auth", "required"));
    let client: Vec<_> = client.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let session = judge.handshake(&server, &client, "localhost").unwrap();
    assert_eq!(session.client_subject.as_deref(), Some("CN=alice"));
}

/// Old and new certificates are good for each other, with and without CRLs, in Java and in OpenSSL.
fn everyone_connects(kpki: &Kpki) {
    for chain in ["old/kafka1/kafka1.crt", "out/kafka1/kafka1.crt"] {
        checked(kpki, chain).expect_code(0);
    }
    for server in ["old/kafka1", "out/kafka1"] {
        for client in ["old/alice", "out/alice"] {
            connect(kpki, server, client);
        }
    }
}

fn keep(kpki: &Kpki) {
    for name in ["kafka1", "alice"] {
        fs::create_dir_all(kpki.path("old").join(name)).unwrap();
        for entry in fs::read_dir(kpki.path("out").join(name)).unwrap() {
            let entry = entry.unwrap();
            let to = kpki.path("old").join(name).join(entry.file_name());
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn set(all: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    all.iter().map(owned).collect()
}

#[test]
fn from_one_intermediate_to_the_next_below_the_same_root() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    below(&kpki, &company, &OPEN);
    keep(&kpki);
    let stores =
        || ["kafka1/kafka1.truststore.p12", "alice/ca.crt", "ca/ca.crt"].map(|f| read(&kpki, f));
    let before = stores();
    answer(&kpki, &company);
    let started = kpki.json(&[&INSTALL[..], &["--json"]].concat());
    assert_eq!(started["state"], "trusting");
    assert_eq!(started["generation"], 2);
    assert_eq!(
        (&started["truststores"], &started["certificates"]),
        (&0.into(), &0.into())
    );
    assert!(!kpki.path("out/ca/request.key").exists() && !kpki.path("out/ca/request.csr").exists());
    assert_eq!(stores(), before, "the root is trusted already, once");
    assert_eq!(
        listed(&kpki),
        set(&[(ROOT, "valid"), (FIRST, "valid"), (SECOND, "valid")])
    );
    let due = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert_eq!(due["due"][0]["command"], "kpki rotate-ca next", "{due}");
    kpki.ok(&["issue", "--client", "bob"]);
    assert_eq!(subjects(&kpki, "out/bob/bob.crt"), ["CN=bob", FIRST]);
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    kpki.ok(&["doctor", "policy.yaml"]);
    everyone_connects(&kpki);

    // Nothing has to be confirmed where nothing has changed.
    kpki.ok(&["rotate-ca", "next"]);
    assert_eq!(state(&kpki), ("reissuing".to_owned(), 2));
    assert_eq!(stores(), before);
    assert_eq!(
        subjects(&kpki, "out/kafka1/kafka1.crt"),
        ["CN=kafka1", SECOND]
    );
    assert_eq!(subjects(&kpki, "out/ca/intermediate.crt"), [SECOND]);
    let urls = ["old", "out"].map(|dir| {
        let file = format!("{dir}/kafka1/kafka1.crt");
        let text = company.openssl(&[
            "x509",
            "-in",
            &file,
            "-noout",
            "-ext",
            "crlDistributionPoints",
        ]);
        let url = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("URI:"));
        url.unwrap().to_owned()
    });
    assert_eq!(
        urls,
        [
            "http://pki.example.com/kafka.crl",
            "http://pki.example.com/kafka-g2.crl"
        ]
    );
    kpki.ok(&["crl", "--der", "--out-file", "kafka.crl"]);
    assert!(kpki.path("kafka.crl").exists() && kpki.path("kafka-g2.crl").exists());
    everyone_connects(&kpki);
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    kpki.ok(&["doctor", "policy.yaml"]);
    let keystore = "out/kafka1/kafka1.keystore.p12";
    let list = ["-list", "-v", "-keystore", keystore, "-storepass"];
    if let Some(list) = keytool(
        kpki.dir(),
        &[&list[..], &[&password(&kpki, "kafka1")]].concat(),
    ) {
        let list = list.unwrap();
        assert!(list.contains("Certificate chain length: 2"), "{list}");
    }
    assert_eq!(
        refused(&kpki, &["rotate-ca", "next"]),
        "rotation-not-everywhere"
    );

    let retired = kpki.ok(&["rotate-ca", "next", "--force"]);
    let warning =
        "CN=Kafka CA,O=Example is below the same root, so what it has signed is still trusted";
    assert!(retired.stderr.contains(warning), "{}", retired.stderr);
    assert_eq!(state(&kpki), ("retiring".to_owned(), 2));
    connect(&kpki, "old/kafka1", "out/alice");
    kpki.ok(&["doctor", "policy.yaml"]);
    kpki.ok(&["crl"]);
    checked(&kpki, "old/kafka1/kafka1.crt").expect_code(0);
    // The step that is said is not refused: what everybody trusts does not change.
    let due = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert_eq!(due["due"][0]["command"], "kpki rotate-ca finish", "{due}");
    for said in [&retired.stdout, &kpki.ok(&["rotate-ca", "status"]).stdout] {
        assert!(said.contains("kpki rotate-ca finish"), "{said}");
        assert!(
            !said.contains("--force") && !said.contains("before that"),
            "{said}"
        );
    }
    kpki.ok(&["rotate-ca", "finish"]);
    assert_eq!(state(&kpki), ("none".to_owned(), 2));
    assert_eq!(stores(), before, "the root stays");
    assert_eq!(
        listed(&kpki),
        set(&[(ROOT, "valid"), (FIRST, "replaced"), (SECOND, "valid")])
    );
    connect(&kpki, "out/kafka1", "out/alice");
    checked(&kpki, "out/kafka1/kafka1.crt").expect_code(0);
    verify(&kpki, "alice", "sslclient");
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    kpki.ok(&["doctor", "policy.yaml"]);
    kpki.ok(&["status"]);
    kpki.ok(&["crl"]);
    let left: Vec<String> = ca(&kpki).into_keys().collect();
    let left = left.join(" ");
    for over in ["standby", "retired", "rotation", "request"] {
        assert!(!left.contains(over), "{left}");
    }

    // And once more, given up at each step.
    answer(&kpki, &company);
    assert_eq!(subjects(&kpki, "next.crt"), ["CN=Kafka CA G3,O=Example"]);
    kpki.ok(&INSTALL);
    kpki.ok(&["rotate-ca", "next"]);
    kpki.ok(&["rotate-ca", "abort"]);
    assert_eq!(state(&kpki), ("trusting".to_owned(), 3));
    assert_eq!(
        subjects(&kpki, "out/kafka1/kafka1.crt"),
        ["CN=kafka1", SECOND]
    );
    assert_eq!(
        refused(&kpki, &["rotate-ca", "abort"]),
        "rotation-not-everywhere"
    );
    kpki.ok(&["rotate-ca", "abort", "--force"]);
    assert_eq!(state(&kpki), ("none".to_owned(), 2));
    assert_eq!(stores(), before);
    everyone_connects_with_the_second(&kpki);
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    kpki.ok(&["doctor", "policy.yaml"]);
}

fn everyone_connects_with_the_second(kpki: &Kpki) {
    checked(kpki, "out/kafka1/kafka1.crt").expect_code(0);
    connect(kpki, "out/kafka1", "out/alice");
}

/// The last CRL of a CA goes with its key, and the CA's root stays.
#[test]
fn what_the_last_ca_has_revoked_is_named_before_it_is_accepted_again() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    below(&kpki, &company, &OPEN);
    kpki.ok(&["issue", "--client", "carol"]);
    kpki.ok(&["revoke", "carol", "--reason", "superseded"]);
    kpki.ok(&["crl"]);
    keep(&kpki);
    answer(&kpki, &company);
    kpki.ok(&INSTALL);
    kpki.ok(&["rotate-ca", "next"]);
    let next = kpki.json(&["rotate-ca", "next", "--force", "--json"]);
    let said = next["next"].as_str().unwrap();
    let wait = format!("when the last revoked certificate of {FIRST} has expired");
    assert!(
        said.contains("before that, wait until 20") && said.contains(&wait),
        "{said}"
    );
    assert!(status(&kpki)["next"].as_str().unwrap().contains(&wait));
    // Until then, there is a CRL that says so.
    kpki.ok(&["crl"]);
    checked(&kpki, "old/kafka1/kafka1.crt").expect_code(0);
    let carol = checked(&kpki, "out/carol/carol.crt");
    assert!(
        carol.code != Some(0) && carol.stderr.contains("certificate revoked"),
        "{carol:?}"
    );
    kpki.ok(&["doctor", "policy.yaml"]);
    let before = ca(&kpki);
    let refused = kpki.run(&["rotate-ca", "finish", "--json"]);
    let error = refused.expect_code(1).json()["error"].take();
    assert_eq!(error["code"], "rotation-accepts-again", "{error}");
    for (field, part) in [
        ("message", "are revoked: carol ("),
        ("message", ", until 20"),
        ("hint", &*wait),
        ("hint", "--force"),
    ] {
        assert!(error[field].as_str().unwrap().contains(part), "{error}");
    }
    assert_eq!(ca(&kpki), before);
    let due = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert!(
        due["due"][0]["message"].as_str().unwrap().contains(&wait),
        "{due}"
    );
    let done = kpki.ok(&["rotate-ca", "finish", "--force"]);
    assert!(
        done.stderr.contains("are revoked: carol ("),
        "{}",
        done.stderr
    );
    assert_eq!(state(&kpki), ("none".to_owned(), 2));
    kpki.ok(&["doctor", "policy.yaml"]);
    let said = kpki.ok(&["crl"]).stderr;
    assert!(said.contains("of carol is on no CRL"), "{said}");
}

/// Found by a tester: an aborted CA took its revocations with it, without a word.
#[test]
fn what_a_discarded_ca_has_revoked_is_named_before_it_is_accepted_again() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    below(&kpki, &company, &OPEN);
    kpki.ok(&["issue", "--client", "carol"]);
    answer(&kpki, &company);
    kpki.ok(&INSTALL);
    kpki.ok(&["rotate-ca", "next"]);
    kpki.ok(&["revoke", "carol", "--reason", "keyCompromise"]);
    kpki.ok(&["rotate-ca", "abort"]);
    let before = ca(&kpki);
    let error = kpki.run(&["rotate-ca", "abort", "--json"]);
    let error = error.expect_code(1).json()["error"].take();
    assert_eq!(error["code"], "rotation-accepts-again", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("are revoked: carol ("), "{message}");
    assert_eq!(ca(&kpki), before);
    let done = kpki.ok(&["rotate-ca", "abort", "--force"]).stderr;
    assert!(
        done.contains("CN=Kafka CA G2,O=Example is below a root that stays trusted")
            && done.contains("are revoked: carol ("),
        "{done}"
    );
    assert_eq!(state(&kpki), ("none".to_owned(), 1));
    // What only the root's owner can mend is said, and is no fault.
    for of in ["crl", "status", "doctor"] {
        let said = kpki.ok(&[of]).stderr;
        assert!(said.contains("of carol is on no CRL"), "{of}: {said}");
        assert!(said.contains("revoked by the CA that issued it"), "{said}");
    }
}

#[test]
fn everything_goes_on_while_the_answer_is_awaited() {
    let mut kpki = Kpki::new();
    kpki.env("KPKI_BACKUP_PASSPHRASE", "another passphrase");
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    below(&kpki, &company, &[]);
    let first = kpki.ok(&[&REQUEST[..], &["--out-file", "next.csr"]].concat());
    assert!(
        first
            .stderr
            .contains("kpki rotate-ca start --install-cert FILE"),
        "{}",
        first.stderr
    );
    let shown = company.openssl(&["req", "-in", "next.csr", "-noout", "-verify", "-text"]);
    for expected in [
        "O = Example, CN = Kafka CA G2",
        "CA:TRUE",
        "Certificate Sign, CRL Sign",
    ] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
    assert!(read(&kpki, "ca/request.key").starts_with(b"kpki sealed key v1\nkdf: argon2id"));
    assert_eq!(kpki.mode("out/ca/request.key"), 0o600);
    let before = ca(&kpki);
    // Again: the same, without a passphrase, and nothing else.
    let csr = fs::read_to_string(kpki.path("next.csr")).unwrap();
    for options in [&[][..], &["--subject", FIRST]] {
        let mut again = kpki.command(&[&REQUEST[..], options].concat());
        let again = again.env_remove("KPKI_CA_PASSPHRASE").output().unwrap();
        assert!(again.status.success());
        assert_eq!(again.stdout, csr.as_bytes());
    }
    let json = kpki.json(&[&REQUEST[..], &["--json"]].concat());
    assert_eq!(
        (&json["state"], &json["request"]),
        (&"waiting".into(), &csr.as_str().into())
    );
    for arguments in [
        &[&REQUEST[..], &["--subject", "CN=Other"]].concat()[..],
        &["rotate-ca", "start"],
        &[
            "rotate-ca",
            "start",
            "--import-key",
            "issuing.key",
            "--import-cert",
            "chain.pem",
        ],
        &["rotate-ca", "next"],
        &["rotate-ca", "finish", "--force"],
    ] {
        assert_eq!(refused(&kpki, arguments), "ca-waits", "{arguments:?}");
    }
    assert_eq!(refused(&kpki, &["init-ca", "--request"]), "ca-exists");
    assert_eq!(
        refused(&kpki, &["init-ca", "--install-cert", "answer.pem"]),
        "ca-exists"
    );
    assert_eq!(ca(&kpki), before);

    let told = status(&kpki);
    assert_eq!(
        (&told["state"], &told["generation"]),
        (&"none".into(), &1.into())
    );
    assert_eq!(told["request"]["subject"], SECOND);
    let since = told["request"]["since"].clone();
    let next = told["next"].as_str().unwrap();
    assert!(
        next.contains("kpki rotate-ca start --install-cert FILE"),
        "{next}"
    );
    let due = kpki.run(&["status", "--json"]).expect_code(3).json();
    let due = due["due"].as_array().unwrap();
    assert_eq!((due.len(), &due[0]["code"]), (1, &"rotation".into()));
    assert_eq!(
        due[0]["command"],
        "kpki rotate-ca start --install-cert FILE"
    );
    let message = due[0]["message"].as_str().unwrap();
    assert!(
        message.contains(&since.as_str().unwrap()[..10]),
        "{message}"
    );

    kpki.ok(&["issue", "--client", "bob"]);
    kpki.ok(&["renew", "kafka1"]);
    kpki.ok(&["revoke", "bob", "--reason", "superseded"]);
    kpki.ok(&["crl"]);
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    kpki.ok(&["doctor", "policy.yaml"]);
    kpki.ok(&["list"]);
    assert_eq!(
        subjects(&kpki, "out/kafka1/kafka1.crt"),
        ["CN=kafka1", FIRST]
    );

    // Another machine takes it from there.
    kpki.ok(&["backup", "b"]);
    let elsewhere = |arguments: &[&str]| kpki.ok(&[&["--out", "elsewhere"], arguments].concat());
    elsewhere(&["restore", "b"]);
    let there = || elsewhere(&["rotate-ca", "status", "--json"]).json();
    assert_eq!(there()["request"]["since"], since);
    answer(&kpki, &company);
    elsewhere(&INSTALL);
    assert_eq!(there()["state"], "trusting");
    elsewhere(&["issue", "--client", "carol"]);
    elsewhere(&["doctor"]);

    kpki.write("another", "another");
    kpki.set_mode("another", 0o600);
    let before = ca(&kpki);
    let passphrase = ["--ca-passphrase-file", "another"];
    let wrong = refused(&kpki, &[&INSTALL[..], &passphrase].concat());
    assert_eq!(wrong, "wrong-passphrase");
    assert_eq!(ca(&kpki), before);
    // A damaged request keeps nothing from working, and can be dropped.
    fs::write(kpki.path("out/ca/request.csr"), "damaged").unwrap();
    kpki.ok(&["renew", "alice"]);
    let fault = kpki.run(&["doctor", "--json"]).expect_code(3).json();
    assert_eq!(fault["faults"][0]["command"], "kpki rotate-ca abort");
    // Dropped, the answer comes too late.
    let dropped = kpki.json(&["rotate-ca", "abort", "--json"]);
    assert_eq!(dropped["state"], "none");
    assert!(!kpki.path("out/ca/request.key").exists() && !kpki.path("out/ca/request.csr").exists());
    assert_eq!(refused(&kpki, &INSTALL), "no-rotation");
    assert_eq!(refused(&kpki, &["rotate-ca", "abort"]), "no-rotation");
    assert!(status(&kpki)["request"].is_null());
    kpki.ok(&["status"]);
    kpki.ok(&["doctor", "policy.yaml"]);
    assert_ne!(kpki.ok(&REQUEST).stdout, csr);
}

#[test]
fn an_answer_that_does_not_fit_changes_nothing() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    below(&kpki, &company, &OPEN);
    assert_eq!(refused(&kpki, &INSTALL), "no-rotation");
    answer(&kpki, &company);
    let before = ca(&kpki);
    let wrong = |options: &[&str], issuers: &[&str]| {
        kpki.write("ext.cnf", EXTENSIONS);
        let sign = [
            "x509", "-req", "-in", "next.csr", "-CA", "root.crt", "-CAkey", "root.key",
        ];
        let to = ["-extfile", "ext.cnf", "-out", "wrong.crt"];
        company.openssl(&[&sign[..], &to, options].concat());
        company.join("wrong.pem", &[&["wrong"][..], issuers].concat());
        let install = ["rotate-ca", "start", "--install-cert", "wrong.pem"];
        let output = kpki.run(&install).expect_code(1);
        assert_eq!(refused(&kpki, &install), "ca-refused");
        assert_eq!(ca(&kpki), before);
        output.stderr
    };
    // Everything at once.
    let errors = wrong(
        &["-days", "-1", "-subj", "/O=Example/CN=Kafka CA"],
        &["root"],
    );
    for expected in [
        "`CN=Kafka CA,O=Example` expired on",
        "`CN=Kafka CA,O=Example` is already the subject",
    ] {
        assert!(errors.contains(expected), "no {expected} in {errors}");
    }
    let errors = wrong(&["-subj", "/DC=com/DC=example/CN=Example Root"], &["root"]);
    assert!(
        errors.contains("is already the subject of another CA certificate"),
        "{errors}"
    );
    let errors = wrong(&[], &[]);
    assert!(
        errors.contains("the certificate of its issuer `CN=Example Root"),
        "{errors}"
    );
    company.join("wrong.pem", &["first", "root"]);
    let other = kpki.run(&["rotate-ca", "start", "--install-cert", "wrong.pem"]);
    let other = other.expect_code(1).stderr;
    assert!(
        other.contains("none of the certificates belongs to the key"),
        "{other}"
    );
    // What a broker has is no CA's.
    kpki.ok(&["issue", "leaf"]);
    let install = ["rotate-ca", "start", "--install-cert"];
    let leaf = kpki.run(&[&install[..], &["out/leaf/leaf.crt"]].concat());
    let leaf = leaf.expect_code(1).stderr;
    for part in [
        "none of the certificates belongs to the key: `CN=leaf` is not a CA certificate (basicConstraints without CA:TRUE)",
        "give the CA certificate that was issued for this request or key, and its issuers",
    ] {
        assert!(leaf.contains(part), "no {part} in {leaf}");
    }
    // A subject that the company chose.
    company.openssl(&[
        "x509",
        "-req",
        "-in",
        "next.csr",
        "-CA",
        "root.crt",
        "-CAkey",
        "root.key",
        "-extfile",
        "ext.cnf",
        "-out",
        "next.crt",
        "-subj",
        "/DC=com/CN=Their Kafka CA",
    ]);
    company.join("answer.pem", &["next", "root"]);
    kpki.ok(&INSTALL);
    kpki.ok(&["rotate-ca", "next"]);
    assert_eq!(
        subjects(&kpki, "out/kafka1/kafka1.crt"),
        ["CN=kafka1", "CN=Their Kafka CA,DC=com"]
    );
    for step in ["next", "finish"] {
        kpki.ok(&["rotate-ca", step, "--force"]);
    }
    assert_eq!(state(&kpki), ("none".to_owned(), 2));
    kpki.ok(&["doctor", "policy.yaml"]);
}

#[test]
fn the_next_ca_may_be_an_existing_one() {
    let mut kpki = Kpki::new();
    kpki.env("KPKI_IMPORT_PASSWORD", "the file's own");
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    kpki.ok(&["init-ca"]);
    kpki.write("policy.yaml", "brokers: [{name: kafka1}]\n");
    kpki.ok(&["up", "policy.yaml"]);
    let own = "CN=Kafka CA G1";
    let finish = |own: &[&str]| {
        assert_eq!(state(&kpki).0, "trusting");
        let mut trusted = subjects(&kpki, "out/kafka1/ca.crt");
        trusted.sort();
        assert_eq!(trusted, own);
        for step in ["next", "next", "finish"] {
            kpki.ok(&["rotate-ca", step, "--force"]);
            verify(&kpki, "kafka1", "sslserver");
            kpki.ok(&["doctor", "policy.yaml"]);
        }
        kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
        kpki.ok(&["status"]);
        assert_eq!(subjects(&kpki, "out/kafka1/ca.crt"), [ROOT]);
    };
    // From a CA of kpki's own to the company's, whose key is in an encrypted file.
    company.openssl(&[
        "pkcs8",
        "-topk8",
        "-in",
        "issuing.key",
        "-out",
        "sealed.key",
        "-passout",
        "pass:the file's own",
    ]);
    let import = |key: &'static str, chain: &'static str| {
        [
            "rotate-ca",
            "start",
            "--import-key",
            key,
            "--import-cert",
            chain,
        ]
    };
    kpki.ok(&import("sealed.key", "chain.pem"));
    assert!(read(&kpki, "ca/standby.key").starts_with(b"kpki sealed key v1\nkdf: argon2id"));
    finish(&[ROOT, own]);
    assert_eq!(subjects(&kpki, "out/kafka1/kafka1.crt").len(), 3);
    assert_eq!(state(&kpki).1, 2);

    // What cannot follow it, with the reason.
    fs::copy(kpki.path("issuing.key"), kpki.path("renamed.key")).unwrap();
    company.ca("renamed", "/CN=Renamed", Some("root"), "2048", &CA);
    company.ca(
        "twin",
        "/DC=com/DC=example/CN=Issuing CA",
        Some("root"),
        "P-256",
        &CA,
    );
    company.ca(
        "root2",
        "/DC=com/DC=example/CN=Example Root",
        None,
        "P-384",
        &CA,
    );
    company.ca(
        "below2",
        "/CN=Below another root",
        Some("root2"),
        "P-256",
        &CA,
    );
    for (name, issuers, reason) in [
        (
            "issuing",
            &["policy", "root"][..],
            "is a CA of the present chain",
        ),
        ("policy", &["root"], "is a CA of the present chain"),
        (
            "renamed",
            &["root"],
            "has the same key as `CN=Issuing CA,DC=example,DC=com`",
        ),
        (
            "twin",
            &["root"],
            "is already the subject of another CA certificate",
        ),
        (
            "below2",
            &["root2"],
            "is also the subject of the trusted root",
        ),
    ] {
        let before = ca(&kpki);
        company.join("other.pem", &[&[name][..], issuers].concat());
        let (key, chain) = (format!("{name}.key"), "other.pem");
        let start = [
            "rotate-ca",
            "start",
            "--import-key",
            &key,
            "--import-cert",
            chain,
        ];
        let refused = kpki.run(&start).expect_code(1).stderr;
        assert!(refused.contains(reason), "no {reason} in {refused}");
        assert_eq!(ca(&kpki), before);
    }

    // To another one below the same root, given up at first.
    company.ca("second", "/CN=Second", Some("root"), "P-256", &CA);
    company.join("second.pem", &["second", "root"]);
    for _ in 0..2 {
        kpki.ok(&import("second.key", "second.pem"));
        assert_eq!(state(&kpki), ("trusting".to_owned(), 3));
        kpki.ok(&["rotate-ca", "abort"]);
    }
    kpki.ok(&import("second.key", "second.pem"));
    finish(&[ROOT]);
    assert_eq!(
        subjects(&kpki, "out/kafka1/kafka1.crt"),
        ["CN=kafka1", "CN=Second"]
    );
    assert_eq!(
        listed(&kpki),
        set(&[
            (own, "replaced"),
            (ROOT, "valid"),
            ("CN=Policy CA,OU=Policy,OU=PKI,O=Example", "replaced"),
            ("CN=Issuing CA,DC=example,DC=com", "replaced"),
            ("CN=Second", "valid"),
        ])
    );
}

#[test]
fn a_root_that_signs_itself_gives_way_to_a_ca_below_it() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    kpki.ok(&[
        "init-ca",
        "--import-cert",
        "root.crt",
        "--import-key",
        "root.key",
        "--no-passphrase",
    ]);
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: alice}, {name: bob}, {name: carol}]\n",
    );
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["crl"]);
    let old = |name: &str| {
        let records = kpki.certificates();
        let first = records.iter().find(|record| record["name"] == name);
        first.unwrap()["serial"].as_str().unwrap().to_owned()
    };
    let olds = ["alice", "bob", "carol"].map(old);
    assert_eq!(
        code(kpki.run(&[&["--json"], &REQUEST[..]].concat()), 2),
        "bad-subject"
    );
    kpki.ok(&[&REQUEST[..], &["--subject", "CN=Below"]].concat());
    answer(&kpki, &company);
    assert_eq!(subjects(&kpki, "next.crt"), ["CN=Below G2"]);
    kpki.ok(&INSTALL);
    kpki.ok(&["rotate-ca", "next"]);
    let lists = |expected: usize| {
        let pem = String::from_utf8(read(&kpki, "ca/crl.pem")).unwrap();
        assert_eq!(pem.matches("BEGIN X509 CRL").count(), expected);
        checked(&kpki, "out/kafka1/kafka1.crt").expect_code(0);
        kpki.ok(&["doctor", "policy.yaml"]);
    };
    lists(2);
    kpki.ok(&["rotate-ca", "next", "--force"]);
    lists(2);
    // What the root itself has signed stays valid, and can be revoked: before the end, after it, with its key only.
    let is_listed = |serial: &str| {
        let pem = String::from_utf8(read(&kpki, "ca/crl.pem")).unwrap();
        pem.split_inclusive("-----END X509 CRL-----\n").any(|list| {
            kpki.write("one.crl", list);
            let text = company.openssl(&["crl", "-in", "one.crl", "-noout", "-text"]);
            text.to_lowercase().contains(serial)
        })
    };
    let [alice, bob, carol] = &olds;
    kpki.ok(&["revoke", alice, "--reason", "keyCompromise"]);
    assert!(is_listed(alice));
    kpki.ok(&["rotate-ca", "finish", "--force"]);
    kpki.ok(&["crl"]);
    lists(2);
    assert!(is_listed(alice));
    kpki.ok(&["revoke", bob]);
    assert!(is_listed(bob));
    let (key, away) = (kpki.path("out/ca/root.key"), kpki.path("away"));
    fs::rename(&key, &away).unwrap();
    let said = kpki.ok(&["revoke", carol]).stderr;
    assert!(
        said.contains("still lacks") && said.contains("root.key back"),
        "{said}"
    );
    assert!(is_listed(bob) && !is_listed(carol));
    let due = kpki.run(&["status", "--json"]).expect_code(3).json();
    let due = due["due"][0]["message"].as_str().unwrap().to_owned();
    assert!(
        due.contains(carol) && due.contains("put root.key back"),
        "{due}"
    );
    fs::rename(&away, &key).unwrap();
    kpki.ok(&["crl"]);
    assert!(is_listed(carol));
    // The root's key is the root's now, and not lost with the rotation.
    let root = ["ca", "export-key", "--root", "--out-file", "exported.key"];
    kpki.write("password", "password\n");
    kpki.set_mode("password", 0o600);
    kpki.ok(&[&root[..], &["--password-file", "password"]].concat());
    let public =
        |key: &str| company.openssl(&["pkey", "-in", key, "-passin", "file:password", "-pubout"]);
    assert_eq!(public("exported.key"), public("root.key"));
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
    kpki.ok(&["status"]);
}

#[test]
fn without_options_the_next_ca_has_its_own_root_and_the_others_are_named() {
    let kpki = Kpki::new();
    let Some(_company) = Company::new(&kpki) else {
        return;
    };
    kpki.ok(&IMPORT);
    let started = kpki
        .ok(&["rotate-ca", "start", "--subject", "CN=Next"])
        .stderr;
    for expected in [
        "it is not below CN=Example Root",
        "start --request",
        "--import-cert FILE --import-key FILE",
        "rotate-ca abort",
    ] {
        assert!(started.contains(expected), "no {expected} in {started}");
    }
    assert_eq!(state(&kpki), ("trusting".to_owned(), 2));
    for arguments in [&REQUEST[..], &INSTALL] {
        assert_eq!(refused(&kpki, arguments), "rotation-running");
    }
    for options in [
        &["--request", "--days", "10"][..],
        &["--request", "--install-cert", "x"],
        &["--install-cert", "x", "--key", "rsa-2048"],
        &["--import-key", "x", "--subject", "CN=x"],
        &["--import-cert", "x"],
        &["--out-file", "x"],
    ] {
        kpki.run(&[&["rotate-ca", "start"], options].concat())
            .expect_code(2);
    }
}

/// Found by an attacker: `status` failed, and the doctor saw only half of it.
#[test]
fn a_damaged_request_is_said_and_keeps_nothing_from_going_on() {
    let kpki = Kpki::with_open_ca();
    kpki.write("taken", "something else\n");
    let before = (ca(&kpki), kpki.inventory());
    let into = [&REQUEST[..], &["--out-file", "taken"]].concat();
    assert_eq!(refused(&kpki, &into), "file-exists");
    assert_eq!((ca(&kpki), kpki.inventory()), before);

    kpki.ok(&REQUEST);
    for file in ["ca/request.csr", "ca/request.key"] {
        let good = read(&kpki, file);
        kpki.write(&format!("out/{file}"), "junk\n");
        let status = kpki.run(&["status", "--json"]).expect_code(3).json();
        assert_eq!(status["due"][0]["code"], "rotation", "{status:#}");
        let doctor = kpki.run(&["doctor", "--json"]).expect_code(3).json();
        assert!(doctor.to_string().contains("rotate-ca abort"), "{doctor:#}");
        fs::write(kpki.path("out").join(file), good).unwrap();
    }
    kpki.ok(&["doctor"]);
}
