//! What stops a revoked client at a real broker: ACLs, SCRAM, and TLS itself where the broker checks the list.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    http::{Answer, Server},
    java::{Client, Judge, judge},
    kpki::Kpki,
    one_broker::OneBroker,
};

/// What docs/security.md tells operators to put into KAFKA_OPTS.
const CHECKS: [&str; 2] = [
    "-Dcom.sun.net.ssl.checkRevocation=true",
    "-Dcom.sun.security.enableCRLDP=true",
];

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
    let www = tempfile::tempdir().unwrap();
    let list = www.path().join("kafka.crl");
    let served = list.clone();
    let http = Server::start(move |_| Answer::Body(200, fs::read(&served).unwrap_or_default()));
    let list = list.to_str().unwrap();
    let publish = |kpki: &Kpki| kpki.ok(&["crl", "--der", "--out-file", list]);
    let clients = format!(
        "ca: {{crl_url: '{}/kafka.crl'}}
clients:
  - {{name: admin}}
  - {{name: alice, auth: [tls, scram-sha-512], roles: [produce: {{topic: orders}}]}}
  - {{name: bob, roles: [produce: {{topic: orders}}]}}
",
        http.url()
    );
    let cluster = OneBroker::start_prepared(&clients, |cluster| {
        publish(&cluster.kpki);
        cluster.node.java_options = CHECKS.to_vec();
    });
    let Some(cluster) = cluster else { return };
    let (kpki, out) = (&cluster.kpki, |file: &str| cluster.out(file));
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
    publish(kpki);
    let begin = Instant::now();
    while produce(judge, &thief) != "SslAuthenticationException" {
        assert!(
            begin.elapsed() < Duration::from_secs(90),
            "{}",
            cluster.broker.as_ref().unwrap().log()
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
