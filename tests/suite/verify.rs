//! `kpki verify`: what is wrong with a listener, each fault in its own words and from a real server.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    probe::serve_kafka1,
    support::{
        kpki::Kpki,
        ports,
        s_server::{EC, SAN, SServer, TestCa},
    },
};

pub fn verify(kpki: &Kpki, arguments: &[&str]) -> Value {
    let output = kpki.run(&[&["verify", "--json", "--timeout", "60"], arguments].concat());
    let document = output.json();
    let expected = if document["ok"] == true { 0 } else { 3 };
    assert_eq!(output.code, Some(expected), "{document:#}");
    document
}

/// The checks that failed: code and message.
fn faults(document: &Value) -> Vec<(String, String)> {
    let checks = document["checks"].as_array().unwrap().iter();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    checks
        .filter(|check| check["ok"] == false)
        .map(|check| {
            assert!(!text(check, "hint").is_empty(), "{check}");
            (text(check, "code"), text(check, "message"))
        })
        .collect()
}

/// Exactly this is wrong, in these words.
pub fn only(document: &Value, code: &str, words: &str) {
    let faults = faults(document);
    let [(found, message)] = &faults[..] else {
        panic!("{code} is not all: {document:#}")
    };
    assert_eq!(found, code, "{message}");
    assert!(message.contains(words), "{code}: {message}");
}

/// A server on 127.0.0.1 that treats every connection so, until the test ends.
fn serve(treat: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().flatten().for_each(treat));
    address
}

#[test]
fn every_fault_of_a_certificate_is_found_by_itself() {
    let kpki = Kpki::new();
    let Some(ca) = TestCa::make(&kpki) else {
        return;
    };
    let look = |server: &SServer, more: &[&str]| {
        let address = server.address();
        let root = ["--truststore", "pki/root.crt"];
        verify(&kpki, &[&[address.as_str()], &root[..], more].concat())
    };

    ca.leaf("good", "root", EC, SAN, "");
    let server = ca.serve("good", "").unwrap();
    let good = look(&server, &[]);
    assert_eq!(good["ok"], true, "{good:#}");
    assert_eq!(good["protocol"], "TLSv1.3");
    assert!(good["cipher"].as_str().unwrap().starts_with("TLS_"));
    assert_eq!(good["chain"][0]["subject"], "CN=good");
    assert_eq!(
        good["chain"][0]["sans"],
        json!(["DNS:localhost", "IP:127.0.0.1"])
    );
    let checks: Vec<&str> = good["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        checks,
        [
            "protocol",
            "chain",
            "hostname",
            "expiry",
            "key",
            "client_auth"
        ]
    );

    let wrong = look(&server, &["--server-name", "kafka2.internal"]);
    only(
        &wrong,
        "wrong-host",
        "has no SAN for kafka2.internal; it has DNS:localhost, IP:127.0.0.1",
    );
    let other = verify(
        &kpki,
        &[&server.address(), "--truststore", "pki/stranger.crt"],
    );
    only(
        &other,
        "unknown-ca",
        "issued by `CN=root`, which is neither in pki/stranger.crt nor sent",
    );
    let nothing = verify(&kpki, &[&server.address()]);
    only(&nothing, "unknown-ca", "there is no CA");

    ca.leaf_in_time("expired", -20 * 86_400, -3 * 86_400 - 60);
    let server = ca.serve("expired", "").unwrap();
    only(&look(&server, &[]), "expired", "expired on ");
    ca.leaf_in_time("early", 2 * 86_400 + 3600, 9 * 86_400);
    let server = ca.serve("early", "").unwrap();
    only(&look(&server, &[]), "not-yet-valid", ", in 2 days");

    ca.leaf("below", "sub", EC, SAN, "");
    let server = ca.serve("below", "-cert_chain sub.crt").unwrap();
    assert_eq!(look(&server, &[])["ok"], true);
    let server = ca.serve("below", "").unwrap();
    only(
        &look(&server, &[]),
        "unknown-ca",
        "an unknown CA, or an intermediate that the listener does not send",
    );

    ca.leaf("weak", "root", "rsa:1024", SAN, "");
    let server = ca.serve("weak", "-cipher DEFAULT@SECLEVEL=0").unwrap();
    only(&look(&server, &[]), "weak-key", "RSA of 1024 bits");
    ca.leaf("sha1", "root", EC, SAN, "-sha1");
    let server = ca.serve("sha1", "-cipher DEFAULT@SECLEVEL=0").unwrap();
    let sha1 = faults(&look(&server, &[]));
    assert!(
        sha1.iter().any(|(code, _)| code == "weak-signature"),
        "{sha1:?}"
    );
    ca.leaf("bare", "root", EC, "", "");
    let server = ca.serve("bare", "").unwrap();
    only(&look(&server, &[]), "no-san", "has no SAN");
    ca.leaf(
        "client",
        "root",
        EC,
        &format!("{SAN}extendedKeyUsage=clientAuth\n"),
        "",
    );
    let server = ca.serve("client", "").unwrap();
    only(&look(&server, &[]), "wrong-usage", "lacks serverAuth");
    ca.leaf("below-leaf", "good", EC, SAN, "");
    let server = ca.serve("below-leaf", "-cert_chain good.crt").unwrap();
    only(
        &look(&server, &[]),
        "wrong-usage",
        "`CN=good` has signed a certificate, but is not a CA",
    );

    let server = SServer::start(&kpki.path("pki"), "-cert stranger.crt -key stranger.key").unwrap();
    let own = faults(&look(&server, &[]));
    assert_eq!(own[0].0, "self-signed", "{own:?}");
}

#[test]
fn an_intermediate_that_is_known_here_is_missed_by_name() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--intermediate"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    let whole = std::fs::read_to_string(kpki.path("out/kafka1/kafka1.crt")).unwrap();
    let (leaf, _) = whole.split_at(whole.find("-----END CERTIFICATE-----\n").unwrap() + 26);
    kpki.write("leaf.crt", leaf);
    let serve = |certificate: &str| {
        SServer::start(
            kpki.dir(),
            &format!("-cert {certificate} -key out/kafka1/kafka1.key"),
        )
    };
    let Some(server) = serve("leaf.crt") else {
        return;
    };
    let found = verify(&kpki, &[&server.address()]);
    only(
        &found,
        "missing-intermediate",
        "does not send the certificate of the intermediate CA `CN=Kafka CA G1 Intermediate`",
    );
    let chain = "out/kafka1/kafka1.crt -cert_chain out/kafka1/kafka1.crt";
    let server = serve(chain).unwrap();
    let found = verify(&kpki, &[&server.address()]);
    assert_eq!(found["ok"], true, "{found:#}");
}

#[test]
fn versions_of_tls_that_nobody_takes_are_named() {
    let kpki = Kpki::new();
    let Some(ca) = TestCa::make(&kpki) else {
        return;
    };
    ca.leaf("good", "root", EC, SAN, "");
    ca.leaf("rsa", "root", "rsa:2048", SAN, "");
    let look = |name: &str, options: &str| {
        let server = ca.serve(name, options).unwrap();
        verify(&kpki, &[&server.address(), "--truststore", "pki/root.crt"])
    };
    let old = look("good", "-tls1 -cipher DEFAULT@SECLEVEL=0");
    only(&old, "old-tls", "speaks only TLS 1.0");
    assert_eq!(old["protocol"], "TLSv1.0");
    let old = look("rsa", "-tls1_1 -cipher DEFAULT@SECLEVEL=0");
    only(&old, "old-tls", "speaks only TLS 1.1");
    for suite in [
        "AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "DHE-RSA-AES128-GCM-SHA256",
    ] {
        let old = look("rsa", &format!("-tls1_2 -cipher {suite}"));
        only(
            &old,
            "old-tls",
            "has none of kpki's cipher suites (ECDHE with AES-GCM or ChaCha20-Poly1305): Java's clients may accept",
        );
    }
    assert_eq!(look("rsa", "-tls1_2")["protocol"], "TLSv1.2");
}

#[test]
fn a_client_certificate_is_wanted_taken_or_refused() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    kpki.ok(&["issue", "--client", "alice"]);
    kpki.ok(&["--out", "other", "init-ca"]);
    kpki.ok(&["--out", "other", "issue", "kafka1", "--host", "localhost"]);
    for version in ["-tls1_2", "-tls1_3"] {
        let serve = |out: &str, options: &str| {
            SServer::start(
                kpki.dir(),
                &format!(
                    "-cert {out}/kafka1/kafka1.crt -key {out}/kafka1/kafka1.key -CAfile {out}/ca/ca.crt {version} {options}"
                ),
            )
        };
        let wants = "-Verify 3 -verify_return_error";
        let Some(server) = serve("out", wants) else {
            return;
        };
        let address = server.address();
        let without = verify(&kpki, &[&address]);
        only(
            &without,
            "certificate-required",
            "a client certificate is required, and none was given",
        );
        let server = serve("out", wants).unwrap();
        let address = server.address();
        let with = verify(&kpki, &[&address, "--identity", "alice"]);
        let accepted = |document: &Value| {
            let checks = document["checks"].as_array().unwrap().clone();
            let check = checks
                .into_iter()
                .find(|c| c["check"] == "client_auth")
                .unwrap();
            (
                check["ok"] == true,
                check["message"].as_str().unwrap().to_owned(),
            )
        };
        assert_eq!(
            accepted(&with),
            (true, "the certificate of alice was accepted".to_owned())
        );
        let server = serve("other", wants).unwrap();
        let address = server.address();
        let refused = verify(
            &kpki,
            &[
                &address,
                "--identity",
                "alice",
                "--truststore",
                "other/ca/ca.crt",
            ],
        );
        only(
            &refused,
            "certificate-refused",
            "the certificate of alice was refused: it ended the TLS handshake: ",
        );
        let server = serve("out", "-verify 3").unwrap();
        let may = verify(&kpki, &[&server.address()]);
        assert_eq!(may["ok"], true, "{may:#}");
        assert_eq!(accepted(&may).1, "a client certificate is optional");
    }
}

#[test]
fn who_says_nothing_or_something_else_is_a_finding_in_time() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let look = |address: &str| {
        let begun = Instant::now();
        let output = kpki.run(&["verify", "--json", "--timeout", "2", address]);
        assert!(begun.elapsed() < Duration::from_secs(30), "{address}");
        output.expect_code(3).json()
    };
    let [port] = ports::free();
    only(
        &look(&format!("127.0.0.1:{port}")),
        "no-listener",
        "nothing is listening on this port",
    );
    only(&look("no-such-host.invalid:9093"), "unknown-host", "");
    let hold = |first: &'static [u8]| {
        serve(move |mut stream| {
            std::thread::spawn(move || {
                let _ = stream.write_all(first);
                // Until the other side has gone.
                let _ = stream.read_to_end(&mut Vec::new());
            });
        })
    };
    only(
        &look(&hold(b"")),
        "silent",
        "accepts connections but sends nothing",
    );
    // The begin of a ServerHello, and no more.
    only(
        &look(&hold(b"\x16\x03\x03\x00\x7a\x02\x00")),
        "stalled",
        "was not completed in time",
    );
    only(
        &look(&hold(b"SSH-2.0-OpenSSH_9.6\r\n")),
        "not-tls",
        "its answer begins with `SSH-2.0-OpenSSH_9.6`",
    );
    let said = kpki
        .run(&["verify", &format!("127.0.0.1:{port}")])
        .expect_code(3)
        .stdout;
    assert!(said.contains("no-listener: start the broker"), "{said}");
}

#[test]
fn an_earlier_a_revoked_and_a_strangers_certificate_are_told_apart() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    let [port] = ports::free();
    serve_kafka1(&kpki, port);
    kpki.ok(&["issue", "--client", "alice"]);
    let address = format!("localhost:{port}");
    // It wants a certificate, and says nothing of Kafka.
    let codes = || -> Vec<String> {
        let found = verify(&kpki, &[&address]);
        let faults = faults(&found).into_iter().map(|(code, _)| code);
        faults
            .filter(|code| code != "certificate-required")
            .collect()
    };
    assert_eq!(codes(), [""; 0]);
    kpki.ok(&["renew", "kafka1"]);
    assert_eq!(codes(), ["outdated"]);
    kpki.ok(&["revoke", "kafka1", "--reason", "superseded"]);
    assert_eq!(codes(), ["revoked"]);
}

#[test]
fn a_hundred_listeners_ten_of_them_dead_take_no_longer_than_one() {
    let kpki = Kpki::new();
    let offsets: Vec<u16> = (0..10).map(|n| n * 10).collect();
    let [controller] = ports::free();
    let first = ports::range(&offsets);
    let listeners: Vec<String> = (0..10)
        .map(|n| {
            format!(
                "{{name: L{n}, port: {}, protocol: SSL, client_auth: required}}",
                first + n * 10
            )
        })
        .collect();
    let brokers: Vec<String> = (0..10)
        .map(|n| {
            format!("  - {{name: kafka{n}, hosts: [localhost], port_offset: {n}, roles: [broker]}}")
        })
        .collect();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster: {{name: t, controller_port: {controller}, inter_broker_listener: L0, listeners: [{}]}}\nbrokers:\n{}\n  - {{name: c, hosts: [localhost], roles: [controller]}}\n",
            listeners.join(", "),
            brokers.join("\n")
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    for n in 0..10_u16 {
        for m in 0..10_u16 {
            let listener = TcpListener::bind(("127.0.0.1", first + n * 10 + m)).unwrap();
            let dead = n == m;
            std::thread::spawn(move || {
                let mut kept = Vec::new();
                for mut stream in listener.incoming().flatten() {
                    if dead {
                        kept.push(stream);
                    } else {
                        let _ = stream.read(&mut [0; 4096]);
                        let _ = stream.write_all(b"\x15\x03\x03\x00\x02\x02\x28");
                    }
                }
            });
        }
    }
    let begun = Instant::now();
    let found = kpki
        .run(&["verify", "policy.yaml", "--json", "--timeout", "8"])
        .expect_code(3)
        .json();
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(14), "{taken:?}");
    let count = |code: &str| {
        let listeners = found["listeners"].as_array().unwrap().iter();
        listeners.filter(|l| l["checks"][0]["code"] == code).count()
    };
    assert_eq!(
        (
            count("silent"),
            count("handshake-failed"),
            count("no-listener")
        ),
        (10, 90, 1),
        "{found:#}"
    );
}

#[test]
fn files_that_another_user_cannot_read_are_named() {
    use std::os::unix::fs::MetadataExt;

    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice"]);
    let [port] = ports::free();
    let files_of = |name: &str, user: &str| {
        let address = format!("127.0.0.1:{port}");
        let found = verify(&kpki, &[&address, "--identity", name, "--as", user]);
        let checks = found["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|c| c["check"] == "files").unwrap()
    };
    let files = |user: &str| files_of("alice", user);
    let me = std::fs::metadata(kpki.dir()).unwrap();
    let mine = files(&format!("{}:{}", me.uid(), me.gid()));
    assert_eq!(mine["ok"], true, "{mine}");
    let other = files("54321:54321");
    assert_eq!(other["code"], "unreadable-files", "{other}");
    let message = other["message"].as_str().unwrap();
    assert!(
        message.starts_with("54321:54321 cannot enter ") && message.contains("out/alice: "),
        "{other}"
    );
    // kpki closes it again only where it writes.
    kpki.set_mode("out/alice", 0o755);
    let other = files("54321:54321");
    let message = other["message"].as_str().unwrap();
    assert!(
        message.starts_with("54321:54321 cannot read ") && message.ends_with("mode 0600"),
        "{other}"
    );
    // A container mounts the directory: those above do not matter.
    for file in std::fs::read_dir(kpki.path("out/alice")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        kpki.set_mode(&format!("out/alice/{file}"), 0o644);
    }
    let mounted = files("54321:54321");
    assert_eq!(mounted["ok"], true, "{mounted}");
    let message = mounted["message"].as_str().unwrap();
    assert!(
        message.contains(", once its directory is mounted or copied elsewhere: it cannot enter "),
        "{mounted}"
    );
    if me.uid() == 0 {
        kpki.ok(&["issue", "--client", "own", "--owner", "1000:1000"]);
        assert_eq!(files_of("own", "1000:1000")["ok"], true);
        assert_eq!(files_of("own", "1001:1001")["ok"], false);
    }
    let usage = kpki
        .run(&["verify", "127.0.0.1:1", "--as", "0:0", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(usage["error"]["code"], "usage");
}
