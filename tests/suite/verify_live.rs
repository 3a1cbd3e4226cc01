//! `kpki verify` against real clusters of three brokers: all good, then six faults at once, each named by one run.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    kafka::{Node, start},
    kpki::{Kpki, Output},
    old_kafka, ports,
};

const NAMES: [&str; 3] = ["kafka1", "kafka2", "kafka3"];
const ALL: [&str; 5] = ["verify", "policy.yaml", "--json", "--timeout", "60"];

/// A cluster of three brokers as `kpki up` wrote it.
struct Cluster {
    kpki: Kpki,
    /// Of the listeners SSL, SASL_SSL and OPEN of kafka1, in this order; those of the others are 10 and 20 higher.
    first: u16,
    nodes: [Node; 3],
}

impl Cluster {
    /// `metadata` is the part of the policy that says where the metadata is kept, for the port that follows these.
    fn new(metadata: impl FnOnce(u16) -> String) -> Self {
        let first = ports::range(&[0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]);
        let kpki = Kpki::new();
        let brokers: Vec<String> = NAMES
            .iter()
            .zip([0, 10, 20])
            .map(|(name, offset)| {
                format!("  - {{name: {name}, hosts: [localhost, {name}], port_offset: {offset}}}\n")
            })
            .collect();
        kpki.write(
            "policy.yaml",
            &format!(
                "cluster:
  name: verify
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {first}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}
    - {{name: OPEN, port: {}, protocol: PLAINTEXT}}
  {}
brokers:
{}clients:
  - {{name: admin}}
  - {{name: app, auth: scram-sha-512, roles: [produce: {{topic: orders}}]}}
",
                first + 1,
                first + 2,
                metadata(first + 3),
                brokers.concat()
            ),
        );
        kpki.ok(&["up", "policy.yaml"]);
        let nodes = NAMES.map(|name| Node::written(&kpki, name));
        Self { kpki, first, nodes }
    }

    /// Checks one listener, by its port's distance from the first, as one client or another.
    fn look(&self, listener: u16, arguments: &[&str]) -> Value {
        let address = format!("localhost:{}", self.first + listener);
        let words = ["verify", "--json", "--timeout", "60", address.as_str()];
        self.kpki.run(&[&words[..], arguments].concat()).json()
    }
}

fn faults(verdict: &Value) -> Vec<(String, String)> {
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = verdict["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["ok"] == false)
        .map(|check| (text(check, "code"), text(check, "message")))
        .collect()
}

/// Node, listener and code of each fault of a policy.
fn all_faults(document: &Value) -> Vec<[String; 3]> {
    let mut found = Vec::new();
    for listener in document["listeners"].as_array().unwrap() {
        let text = |key: &str| listener[key].as_str().unwrap().to_owned();
        for (code, _) in faults(listener) {
            found.push([text("node"), text("listener"), code]);
        }
    }
    found.sort();
    found
}

/// A setting of a node, as kpki wrote it.
fn written(node: &Node, name: &str) -> String {
    let text = fs::read_to_string(&node.server_properties).unwrap();
    let mut settings = text.lines().filter_map(|line| line.split_once('='));
    settings.find(|(key, _)| *key == name).unwrap().1.to_owned()
}

/// Expects one fault.
fn one(found: &Value, code: &str, words: &str) {
    match &faults(found)[..] {
        [(found, message)] => assert!(
            found == code && message.contains(words),
            "{found}: {message}"
        ),
        other => panic!("{code}: {other:?}"),
    }
}

/// Runs a command until every broker has heard of what was written just before, users and ACLs.
fn in_time(kpki: &Kpki, arguments: &[&str]) -> Output {
    let deadline = Instant::now() + Duration::from_secs(60);
    while kpki.run(arguments).code != Some(0) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(200));
    }
    kpki.ok(arguments)
}

/// Looks at a cluster without a fault.
fn all_is_good(cluster: &Cluster, listeners: usize) {
    let kpki = &cluster.kpki;
    let green = in_time(kpki, &ALL).json();
    assert_eq!(green["ok"], true);
    assert_eq!(green["listeners"].as_array().unwrap().len(), listeners);
    let said = kpki.ok(&["verify", "policy.yaml"]).stdout;
    assert!(
        said.ends_with(&format!("all good  {listeners} listeners\n")),
        "{said}"
    );
    assert!(
        green
            .to_string()
            .contains("app logged in with SCRAM-SHA-512"),
        "{green:#}"
    );
    one(
        &cluster.look(0, &[]),
        "certificate-required",
        "a client certificate is required",
    );
    one(
        &cluster.look(0, &["--identity", "app"]),
        "certificate-required",
        "a client certificate is required, and app has none here",
    );
    assert_eq!(cluster.look(0, &["--identity", "admin"])["ok"], true);
    // Its settings have no user and no mechanism.
    one(
        &cluster.look(1, &["--identity", "admin"]),
        "sasl-port",
        "requires SASL (SCRAM-SHA-512), but the client.properties of admin says no SASL",
    );
    let sasl = cluster.look(1, &["--identity", "app"]);
    assert_eq!(sasl["ok"], true, "{sasl:#}");
    one(&cluster.look(2, &[]), "plaintext-port", "Kafka without TLS");
    // A client that does not know that there is TLS.
    let properties = kpki.path("out/app/client.properties");
    let written = fs::read_to_string(&properties).unwrap();
    fs::write(&properties, written.replace("=SASL_SSL", "=SASL_PLAINTEXT")).unwrap();
    one(
        &cluster.look(1, &["--identity", "app"]),
        "tls-port",
        "the client.properties of app says PLAINTEXT",
    );
    fs::write(&properties, written).unwrap();
}

/// Makes six faults, and looks again. `restart` starts kafka2 and kafka3, at least, with their configuration as it is then.
fn six_faults(cluster: &mut Cluster, restart: impl FnOnce(&Kpki, &[Node; 3])) {
    let (kpki, nodes) = (&cluster.kpki, &mut cluster.nodes);
    // A listener of kafka2 with a certificate of another CA, and one that has become TLS.
    kpki.ok(&["--out", "other", "init-ca", "--subject", "CN=Stranger"]);
    kpki.ok(&["--out", "other", "issue", "kafka2", "--host", "localhost"]);
    let password = fs::read_to_string(kpki.path("other/kafka2/keystore_creds")).unwrap();
    let store = kpki
        .path("other/kafka2/kafka2.keystore.p12")
        .display()
        .to_string();
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let prefixed = |name: &str| format!("listener.name.sasl_ssl.ssl.{name}");
    let protocols = written(&nodes[1], "listener.security.protocol.map");
    nodes[1].overrides = vec![
        set(&prefixed("keystore.location"), &store),
        set(&prefixed("keystore.type"), "PKCS12"),
        set(&prefixed("keystore.password"), password.trim()),
        set(&prefixed("key.password"), password.trim()),
        set(
            "listener.security.protocol.map",
            &protocols.replace("OPEN:PLAINTEXT", "OPEN:SSL"),
        ),
    ];
    // A listener of kafka3 with other mechanisms, and one that is gone.
    let without_open = |name: &str| {
        let all = written(&nodes[2], name);
        let entries = all.split(',').filter(|entry| !entry.contains("OPEN"));
        set(name, &entries.collect::<Vec<_>>().join(","))
    };
    nodes[2].overrides = vec![
        set(
            "listener.name.sasl_ssl.sasl.enabled.mechanisms",
            "SCRAM-SHA-256",
        ),
        set(
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ),
        without_open("listeners"),
        without_open("advertised.listeners"),
    ];
    restart(kpki, nodes);
    // The password of app is another, and the certificate of kafka1 is renewed, and nobody tells it.
    kpki.write(
        "out/app/scram.password",
        "not the one that the cluster knows\n",
    );
    kpki.set_mode("out/app/scram.password", 0o600);
    one(
        &cluster.look(1, &["--identity", "app"]),
        "login-refused",
        "the login of app was refused: Authentication failed",
    );
    kpki.ok(&["renew", "kafka1"]);
    let found = kpki.run(&ALL).expect_code(3).json();
    let expected = [
        ["kafka1", "SASL_SSL", "login-refused"],
        ["kafka1", "SASL_SSL", "outdated"],
        ["kafka1", "SSL", "outdated"],
        ["kafka2", "OPEN", "tls-port"],
        ["kafka2", "SASL_SSL", "foreign"],
        ["kafka2", "SASL_SSL", "unknown-ca"],
        ["kafka3", "OPEN", "no-listener"],
        ["kafka3", "SASL_SSL", "mechanism-not-offered"],
    ];
    let mut faults = all_faults(&found);
    // It is outdated where there is one.
    faults.retain(|[_, listener, _]| listener != "CONTROLLER");
    assert_eq!(
        faults,
        expected.map(|fault| fault.map(str::to_owned)),
        "{found:#}"
    );
    let said = kpki.run(&["verify", "policy.yaml"]).expect_code(3).stdout;
    for line in [
        "outdated  kafka1 SSL: an old certificate of kafka1 is served, valid until",
        "    copy the directory of kafka1 to its machine, then kpki reload kafka1",
        "tls-port  kafka2 OPEN: the port speaks TLS, but the policy says PLAINTEXT",
        "no-listener  kafka3 OPEN: nothing is listening on this port",
        "    update the credential in the cluster: kpki scram apply policy.yaml",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    one(
        &cluster.look(12, &["--identity", "app"]),
        "no-sasl",
        "the listener has no SASL, but the client.properties of app says SASL",
    );
    let other = cluster.look(21, &["--identity", "app"]);
    one(
        &other,
        "mechanism-not-offered",
        "app uses SCRAM-SHA-512, but the listener offers SCRAM-SHA-256",
    );
}

#[test]
fn three_brokers_are_all_good_and_then_six_faults_are_named_by_one_run() {
    let mut cluster = Cluster::new(|port| format!("controller_port: {port}"));
    let Some(mut brokers) = start(&cluster.nodes) else {
        return;
    };
    all_is_good(&cluster, 12);
    assert_eq!(cluster.look(3, &["--identity", "kafka2"])["ok"], true);
    six_faults(&mut cluster, |_, nodes| {
        brokers.truncate(1);
        brokers.extend(nodes[1..].iter().map(Node::start_again));
    });
}

#[test]
fn so_are_three_brokers_of_kafka_2_2() {
    let mut zookeeper = 0;
    let mut cluster = Cluster::new(|port| {
        zookeeper = port;
        format!(
            "mode: zookeeper
  kafka_version: '2.2'
  zookeeper_connect: ['127.0.0.1:{port}']"
        )
    });
    let start = |kpki: &Kpki, nodes: &[Node; 3]| old_kafka::start(kpki, zookeeper, nodes);
    let Some(running) = start(&cluster.kpki, &cluster.nodes) else {
        return;
    };
    old_kafka::add_user(&cluster.kpki, zookeeper, "app");
    all_is_good(&cluster, 9);
    // What else has requests that are as old.
    let kpki = &cluster.kpki;
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    in_time(kpki, &["acl", "plan", "policy.yaml", "--exit-code"]);
    let refused = kpki.run(&["scram", "plan", "policy.yaml", "--json"]);
    assert_eq!(
        refused.expect_code(1).json()["error"]["code"],
        "no-scram-requests"
    );
    kpki.ok(&["renew", "kafka1"]);
    let refused = kpki.run(&["reload", "kafka1"]).expect_code(1).stderr;
    assert!(refused.contains("were added in Kafka 2.3"), "{refused}");
    let mut again = None;
    six_faults(&mut cluster, |kpki, nodes| {
        running.stop();
        again = start(kpki, nodes);
    });
}
