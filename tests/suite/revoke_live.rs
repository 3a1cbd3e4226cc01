//! What stops a revoked client at a real broker: ACLs, SCRAM, and TLS itself where the broker checks the list.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::Node,
    kpki::Kpki,
    ports,
};

/// What docs/security.md tells operators to put into KAFKA_OPTS.
const CHECKS: [&str; 2] = [
    "-Dcom.sun.net.ssl.checkRevocation=true",
    "-Dcom.sun.security.enableCRLDP=true",
];

/// Serves one file over HTTP as any web server does, until the test ends.
fn serve(file: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let body = fs::read(&file).unwrap_or_default();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/pkix-crl\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = (&stream).write_all(head.as_bytes());
            let _ = (&stream).write_all(&body);
        }
    });
    port
}

/// Whether a client may write, and else which exception it gets.
fn produce(judge: &Judge, properties: &Path) -> String {
    let overrides = [
        ("delivery.timeout.ms", "4000"),
        ("request.timeout.ms", "3000"),
        ("max.block.ms", "4000"),
        ("linger.ms", "0"),
    ];
    let client = Client {
        properties,
        overrides: &overrides,
    };
    match judge.produce(&client, "orders", 1) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.class,
    }
}

#[test]
fn a_revoked_client_is_stopped_by_acls_by_scram_and_by_a_broker_that_checks_the_list() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let served = kpki.path("www/kafka.crl");
    fs::create_dir(kpki.path("www")).unwrap();
    let (http, [ssl, sasl, controller]) = (serve(served.clone()), ports::free());
    let policy = format!(
        "cluster:
  name: test
  bootstrap_servers: ['localhost:{ssl}']
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}
  controller_port: {controller}
ca: {{crl_url: 'http://127.0.0.1:{http}/kafka.crl'}}
brokers: [{{name: kafka1, hosts: [localhost, kafka1]}}]
clients:
  - {{name: admin}}
  - {{name: alice, auth: [tls, scram-sha-512], roles: [produce: {{topic: orders}}]}}
  - {{name: bob, roles: [produce: {{topic: orders}}]}}
"
    );
    kpki.write("policy.yaml", &policy);
    kpki.ok(&["up", "policy.yaml"]);
    let publish = || kpki.ok(&["crl", "--der", "--out-file", "www/kafka.crl"]);
    publish();
    let node = Node::kafka1(&kpki);
    node.format();
    let mut broker = node.spawn_with(&CHECKS);
    broker.wait_until_started();
    let out = |file: &str| kpki.path("out").join(file);
    let admin = out("admin/client.properties");
    judge
        .create_topic(&Client::new(&admin), "orders", 1, 1)
        .unwrap();
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    let alice = out("alice/client.properties");
    assert_eq!(produce(judge, &alice), "ok");
    // Her key and certificate, as somebody stole them.
    let stolen = kpki.path("stolen");
    fs::create_dir(&stolen).unwrap();
    for file in fs::read_dir(out("alice")).unwrap().map(|f| f.unwrap()) {
        fs::copy(file.path(), stolen.join(file.file_name())).unwrap();
    }
    let text = fs::read_to_string(&alice).unwrap();
    let moved = text.replace(
        &out("alice").display().to_string(),
        &stolen.display().to_string(),
    );
    let thief = stolen.join("client.properties");
    fs::write(&thief, moved).unwrap();
    assert_eq!(produce(judge, &thief), "ok");

    let revoked = kpki
        .ok(&["revoke", "alice", "--reason", "keyCompromise"])
        .stdout;
    assert!(
        revoked.contains("kpki acl apply POLICY denies"),
        "{revoked}"
    );
    // She is let in still: nothing is more urgent, and the commands that are said are enough.
    kpki.ok(&["issue", "--client", "short", "--days", "2"]);
    let plain = kpki.run(&["status", "--json"]).expect_code(3);
    assert!(
        plain.stderr.contains("alice; kpki status POLICY checks"),
        "{}",
        plain.stderr
    );
    let status = || {
        kpki.run(&["status", "policy.yaml", "--json"])
            .expect_code(3)
            .json()
    };
    let first = status();
    let [acl, scram, short] = &first["due"].as_array().unwrap()[..] else {
        panic!("{first}");
    };
    for (due, command, whose) in [
        (acl, "kpki acl apply policy.yaml", "User:alice"),
        (scram, "kpki scram apply policy.yaml --prune", "alice"),
    ] {
        assert_eq!(
            (&due["code"], &due["command"]),
            (&json!("drift"), &json!(command))
        );
        let message = due["message"].as_str().unwrap();
        assert!(
            message.contains("revoked, but its") && message.ends_with(whose),
            "{message}"
        );
        assert!(due["by"].is_string(), "{due}");
    }
    assert_eq!(short["name"], "short");
    let plan = kpki.json(&["acl", "plan", "policy.yaml", "--json"]);
    let creates = plan["creates"].as_array().unwrap();
    assert_eq!(creates.len(), 4, "{plan}");
    assert!(
        creates
            .iter()
            .all(|b| b["permission"] == "DENY" && b["principal"] == "User:alice")
    );
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    assert_eq!(produce(judge, &thief), "TopicAuthorizationException");
    let again = kpki.json(&["acl", "plan", "policy.yaml", "--json"]);
    assert_eq!(again["creates"], serde_json::json!([]), "{again}");
    let scram = |arguments: &[&str]| -> Value {
        kpki.json(&[&["scram"], arguments, &["policy.yaml", "--json"]].concat())
    };
    assert_eq!(scram(&["plan", "--prune"])["deletes"][0]["user"], "alice");
    kpki.ok(&["scram", "apply", "policy.yaml", "--prune", "--yes"]);
    assert_eq!(judge.list_scram(&Client::new(&admin)).unwrap().len(), 0);
    assert_eq!(status()["due"].as_array().unwrap().len(), 1);

    // The list is where the certificates say; the broker looks again within half a minute.
    publish();
    let begin = Instant::now();
    while produce(judge, &thief) != "SslAuthenticationException" {
        assert!(
            begin.elapsed() < Duration::from_secs(90),
            "{}",
            broker.log()
        );
        thread::sleep(Duration::from_secs(1));
    }
    eprintln!("refused after {:?}", begin.elapsed());
    assert_eq!(produce(judge, &out("bob/client.properties")), "ok");

    // With a new key she is let in again, and gets her rights and her password back; the thief does not.
    kpki.ok(&["renew", "alice", "--new-key"]);
    let plan = kpki.json(&["acl", "plan", "policy.yaml", "--prune", "--json"]);
    assert_eq!(plan["deletes"].as_array().unwrap().len(), 4, "{plan}");
    kpki.ok(&["acl", "apply", "policy.yaml", "--prune", "--yes"]);
    kpki.ok(&["scram", "apply", "policy.yaml"]);
    assert_eq!(produce(judge, &alice), "ok");
    assert_eq!(judge.list_scram(&Client::new(&admin)).unwrap().len(), 1);
    assert_eq!(produce(judge, &thief), "SslAuthenticationException");
}
