//! `kpki trust`: truststores from files, from live endpoints, from a JDK's own.

#[cfg(feature = "live")]
mod kafka;

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    keytool::{cacerts, entries, keytool},
    kpki::Kpki,
    openssl::openssl,
    ports, terminal,
};

/// OpenSSL's server on a port of 127.0.0.1, until dropped.
struct Server(Child);

impl Server {
    fn start(kpki: &Kpki, port: u16, arguments: &[&str]) -> Self {
        let address = format!("127.0.0.1:{port}");
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &address])
            .args(arguments)
            .current_dir(kpki.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server = Self(child.unwrap());
        let begin = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begin.elapsed().as_secs() < 60, "no answer at {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn list(kpki: &Kpki, file: &str) -> Value {
    kpki.json(&["trust", "list", file, "--json"])
}

fn subjects(list: &Value) -> Vec<&str> {
    let entries = list["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["subject"].as_str().unwrap())
        .collect()
}

#[test]
fn certificates_of_pem_and_der_become_a_truststore() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=First CA"]);
    kpki.ok(&["--out", "other", "init-ca", "--subject", "CN=Second CA"]);
    let der = [
        "x509",
        "-in",
        "other/ca/ca.crt",
        "-outform",
        "DER",
        "-out",
        "second.der",
    ];
    if openssl(kpki.dir(), &der).is_none() {
        return;
    }
    let add = ["trust", "add", "out/ca/ca.crt", "second.der"];
    for (file, kind) in [("t.p12", "PKCS12"), ("t.pem", "PEM"), ("t.jks", "PKCS12")] {
        let done = kpki.json(&[&add[..], &["--out-file", file, "--json"]].concat());
        assert_eq!(done["type"], kind);
        assert_eq!(done["added"][0]["alias"], "first-ca-g1");
        let listed = list(&kpki, file);
        assert_eq!(
            subjects(&listed),
            ["CN=First CA G1", "CN=Second CA G1"],
            "{file}"
        );
        assert_eq!(kpki.mode(file), 0o644);
    }
    if keytool(kpki.dir(), &["-help"]).is_some() {
        let found = entries(kpki.dir(), "t.p12", "changeit");
        let aliases: Vec<&str> = found.iter().map(|(alias, _)| alias.as_str()).collect();
        assert_eq!(aliases, ["first-ca-g1", "second-ca-g1"]);
    }
    // Without a file: PEM, as it can be piped.
    let text = kpki.ok(&add).stdout;
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
    let fingerprint = openssl(
        kpki.dir(),
        &[
            "x509",
            "-in",
            "second.der",
            "-inform",
            "DER",
            "-noout",
            "-fingerprint",
            "-sha256",
        ],
    );
    let fingerprint = fingerprint.unwrap().stdout;
    let shown = kpki.ok(&["trust", "list", "t.pem"]).stdout;
    assert!(
        shown.contains(fingerprint.trim().split('=').next_back().unwrap()),
        "{shown}"
    );
    assert_eq!(subjects(&list(&kpki, "second.der")), ["CN=Second CA G1"]);
    // Nothing is written over; what is no certificate is refused with its name.
    let refused = kpki
        .run(&[&add[..], &["--out-file", "t.p12"]].concat())
        .expect_code(1);
    assert!(
        refused.stderr.contains("t.p12 already exists"),
        "{}",
        refused.stderr
    );
    let refused = kpki
        .run(&[
            "trust",
            "add",
            "out/ca/ca.crt",
            "t.p12",
            "--out-file",
            "u.p12",
        ])
        .expect_code(1);
    assert!(
        refused.stderr.starts_with("error: t.p12: "),
        "{}",
        refused.stderr
    );
    assert!(!kpki.path("u.p12").exists());
}

#[test]
fn a_jdks_cacerts_gets_one_more_and_keeps_every_alias() {
    let Some(jdks) = cacerts() else { return };
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Our CA"]);
    let bytes = std::fs::read(&jdks).unwrap();
    let before = entries(kpki.dir(), jdks.to_str().unwrap(), "changeit");
    assert!(before.len() > 20, "{}", before.len());
    for file in ["plus.p12", "plus.jks"] {
        let add = [
            "trust",
            "add",
            "out/ca/ca.crt",
            "--from",
            jdks.to_str().unwrap(),
            "--out-file",
            file,
        ];
        kpki.ok(&add);
        let mut after = entries(kpki.dir(), file, "changeit");
        assert_eq!(after.len(), before.len() + 1, "{file}");
        after.retain(|(alias, _)| alias != "our-ca-g1");
        assert_eq!(after, before, "{file}");
    }
    assert_eq!(std::fs::read(&jdks).unwrap(), bytes);
    // Once more changes nothing but says so.
    let again = kpki.ok(&[
        "trust",
        "add",
        "out/ca/ca.crt",
        "--from",
        "plus.p12",
        "--out-file",
        "again.p12",
    ]);
    assert!(
        again
            .stderr
            .contains("is already in the truststore, as our-ca-g1"),
        "{}",
        again.stderr
    );
    let refused = kpki
        .run(&["trust", "add", "out/ca/ca.crt", "--from", "out/ca/ca.key"])
        .expect_code(1);
    assert!(
        refused.stderr.contains("out/ca/ca.key"),
        "{}",
        refused.stderr
    );
}

/// A CA with an intermediate, and a server's certificate of it: leaf.pem, leaf.key, and out/ca/ca.crt.
fn with_intermediate() -> Option<Kpki> {
    let kpki = Kpki::new();
    openssl(kpki.dir(), &["version"])?;
    kpki.ok(&["init-ca", "--subject", "CN=Web CA", "--intermediate"]);
    kpki.ok(&["issue", "web", "--host", "localhost"]);
    let read = |file: &str| std::fs::read_to_string(kpki.path(file)).unwrap();
    kpki.write(
        "chain.pem",
        &(read("out/web/web.crt") + &read("out/ca/ca.crt")),
    );
    Some(kpki)
}

const LEAF: [&str; 4] = ["-cert", "out/web/web.crt", "-key", "out/web/web.key"];

fn fingerprint(kpki: &Kpki, file: &str) -> String {
    list(kpki, file)["entries"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn the_ca_behind_an_endpoint_is_taken_and_not_its_own_certificate() {
    let Some(kpki) = with_intermediate() else {
        return;
    };
    let [port] = ports::free();
    let endpoint = format!("localhost:{port}");
    let fetch = ["trust", "fetch", endpoint.as_str()];
    let server = Server::start(
        &kpki,
        port,
        &[&LEAF[..], &["-cert_chain", "chain.pem"]].concat(),
    );
    // Nobody there to ask: nothing is trusted, and what it was is said.
    let refused = kpki
        .run(&[&fetch[..], &["--out-file", "t.p12", "--json"]].concat())
        .expect_code(1);
    assert_eq!(refused.json()["error"]["code"], "confirmation-needed");
    let root = fingerprint(&kpki, "out/ca/ca.crt");
    assert!(
        refused.json()["error"]["hint"]
            .as_str()
            .unwrap()
            .ends_with(&root),
        "{refused:?}"
    );
    for shown in ["CN=web", "CN=Web CA G1", "SHA-256 "] {
        assert!(refused.stderr.contains(shown), "{}", refused.stderr);
    }
    // By the fingerprint of the CA, or of the endpoint's own certificate, in whichever way it is written.
    let leaf = openssl(
        kpki.dir(),
        &[
            "x509",
            "-in",
            "out/web/web.crt",
            "-noout",
            "-fingerprint",
            "-sha256",
        ],
    )
    .unwrap();
    let leaf = leaf
        .stdout
        .trim()
        .split('=')
        .next_back()
        .unwrap()
        .to_owned();
    for (file, expected) in [("t.p12", root.as_str()), ("t.pem", leaf.as_str())] {
        let more = [
            "--expect-fingerprint",
            expected,
            "--out-file",
            file,
            "--json",
        ];
        let done = kpki.json(&[&fetch[..], &more].concat());
        assert_eq!(done["added"][0]["subject"], "CN=Web CA G1");
        assert_eq!(subjects(&list(&kpki, file)), ["CN=Web CA G1"]);
    }
    let quiet = ["--expect-fingerprint", &root, "-q", "--out-file", "q.pem"];
    let said = kpki.ok(&[&fetch[..], &quiet].concat());
    assert_eq!(said.stdout, "");
    assert!(!said.stderr.contains("CN=Web CA"), "{}", said.stderr);
    drop(server);
    // Somebody else's server, with a certificate of the same names.
    kpki.ok(&[
        "--out",
        "mallory",
        "init-ca",
        "--subject",
        "CN=Web CA",
        "--intermediate",
    ]);
    kpki.ok(&["--out", "mallory", "issue", "web", "--host", "localhost"]);
    let mallory = [
        "-cert",
        "mallory/web/web.crt",
        "-key",
        "mallory/web/web.key",
        "-cert_chain",
        "mallory/ca/ca.crt",
    ];
    let server = Server::start(&kpki, port, &mallory);
    for expected in [&root, &leaf] {
        let more = [
            "--expect-fingerprint",
            expected,
            "--out-file",
            "m.p12",
            "--json",
        ];
        let refused = kpki.run(&[&fetch[..], &more].concat()).expect_code(1);
        assert_eq!(refused.json()["error"]["code"], "fingerprint-mismatch");
        assert!(!kpki.path("m.p12").exists());
    }
    drop(server);
    // The right CA's certificate beside a leaf that it has not signed proves nothing.
    let mixed = [
        "-cert",
        "mallory/web/web.crt",
        "-key",
        "mallory/web/web.key",
        "-cert_chain",
        "out/ca/ca.crt",
    ];
    let _server = Server::start(&kpki, port, &mixed);
    let more = [
        "--expect-fingerprint",
        &root,
        "--out-file",
        "m.p12",
        "--json",
    ];
    let refused = kpki.run(&[&fetch[..], &more].concat()).expect_code(1);
    assert_eq!(refused.json()["error"]["code"], "fingerprint-mismatch");
    // With --yes: what is there, with warnings of what it is worth.
    let taken = kpki.ok(&[&fetch[..], &["--yes"]].concat());
    assert!(
        taken
            .stderr
            .contains("does not send the certificate of its CA"),
        "{}",
        taken.stderr
    );
    assert_eq!(taken.stdout.matches("BEGIN CERTIFICATE").count(), 1);
}

#[test]
fn a_chain_without_its_root_is_said_to_end_early() {
    let Some(kpki) = with_intermediate() else {
        return;
    };
    let [port] = ports::free();
    let _server = Server::start(
        &kpki,
        port,
        &[
            &LEAF[..],
            &[
                "-cert_chain",
                "out/web/web.crt",
                "-Verify",
                "1",
                "-CAfile",
                "out/ca/ca.crt",
            ],
        ]
        .concat(),
    );
    let fetched = kpki.ok(&[
        "trust",
        "fetch",
        &format!("127.0.0.1:{port}"),
        "--server-name",
        "localhost",
        "--yes",
        "--out-file",
        "t.pem",
    ]);
    assert!(
        fetched
            .stderr
            .contains("is an intermediate CA, signed by CN=Web CA G1, which is not in the chain"),
        "{}",
        fetched.stderr
    );
    assert!(
        fetched
            .stderr
            .contains("asks for a client certificate of one of these CAs: CN=Web CA G1"),
        "{}",
        fetched.stderr
    );
}

#[test]
fn a_person_is_asked_on_a_terminal() {
    let Some(kpki) = with_intermediate() else {
        return;
    };
    let [port] = ports::free();
    let endpoint = format!("localhost:{port}");
    let _server = Server::start(
        &kpki,
        port,
        &[&LEAF[..], &["-cert_chain", "chain.pem"]].concat(),
    );
    let fetch = ["trust", "fetch", endpoint.as_str(), "--out-file", "t.pem"];
    let Some(no) = terminal::run(&kpki, 100, &fetch, "n\n") else {
        return;
    };
    assert_eq!(no.code, Some(1), "{}", no.stdout);
    assert!(
        no.stdout.contains("trusting CN=Web CA G1: go ahead? [y/N]"),
        "{}",
        no.stdout
    );
    assert!(!kpki.path("t.pem").exists());
    let yes = terminal::run(&kpki, 100, &fetch, "y\n").unwrap();
    assert_eq!(yes.code, Some(0), "{}", yes.stdout);
    assert_eq!(subjects(&list(&kpki, "t.pem")), ["CN=Web CA G1"]);
}

#[test]
fn what_is_no_tls_listener_is_told_apart() {
    let kpki = Kpki::new();
    let code = |endpoint: &str| {
        let failed = kpki.run(&["trust", "fetch", endpoint, "--yes", "--json"]);
        let error = failed.json();
        (
            error["error"]["code"].as_str().unwrap().to_owned(),
            failed.stderr,
        )
    };
    let [nobody] = ports::free();
    assert_eq!(code(&format!("127.0.0.1:{nobody}")).0, "unreachable");
    assert_eq!(code("no-port").0, "usage");
    // As Kafka does on a PLAINTEXT listener.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        }
    });
    let (found, stderr) = code(&address);
    assert_eq!(found, "wrong-protocol");
    assert!(stderr.contains("PLAINTEXT"), "{stderr}");
}

/// A certificate of this many MiB, as a CA with a picture in it would have.
fn huge(name: &str, mib: usize) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let common = rcgen::DnType::CommonName;
    params.distinguished_name.push(common, name);
    params.custom_extensions = vec![rcgen::CustomExtension::from_oid_content(
        &[1, 2, 3, 4],
        vec![0; mib << 20],
    )];
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn no_truststore_is_written_that_kpki_would_not_read() {
    let kpki = Kpki::new();
    for name in ["a", "b"] {
        std::fs::write(kpki.path(format!("{name}.der")), huge(name, 9)).unwrap();
    }
    kpki.ok(&["trust", "add", "a.der", "--out-file", "one.p12"]);
    assert_eq!(subjects(&list(&kpki, "one.p12")), ["CN=a"]);
    let add = ["trust", "add", "a.der", "b.der", "--json"];
    for file in [Some("two.p12"), Some("two.pem"), None] {
        let place: &[&str] = match &file {
            Some(file) => &["--out-file", file],
            None => &[],
        };
        let refused = kpki.run(&[&add[..], place].concat()).expect_code(1);
        let error = refused.json()["error"].take();
        assert_eq!(error["code"], "store", "{error}");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("at most 16 MiB"),
            "{error}"
        );
        assert!(
            file.is_none_or(|file| !kpki.path(file).exists()),
            "{file:?}"
        );
    }
    // The same from a store that is there.
    let more = ["trust", "add", "b.der", "--from", "one.p12", "--to", "jks"];
    kpki.run(&[&more[..], &["--out-file", "two.jks"]].concat())
        .expect_code(1);
    assert!(!kpki.path("two.jks").exists());
}
