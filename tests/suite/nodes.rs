//! What a policy says about nodes: controllers apart from brokers, racks, Kafka's own settings, no TLS at all; in the
//! files and on a real cluster that was started from them as they are.

use serde_json::json;

use crate::support::kpki::Kpki;
#[cfg(feature = "live")]
use crate::support::{
    java::{Client, judge},
    kafka::{Node, start},
    ports,
};

fn read(kpki: &Kpki, file: &str) -> String {
    std::fs::read_to_string(kpki.path("out").join(file)).unwrap()
}

#[cfg(feature = "live")]
#[test]
fn a_controller_and_two_brokers_from_one_policy_serve_clients_by_certificate_and_scram() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let first = ports::range(&[0, 1, 3, 4, 8]);
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster:
  name: nodes
  admin: admin
  bind_address: 127.0.0.1
  inter_broker_listener: SASL_SSL
  listeners:
    - {{name: SSL, port: {first}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}
  controller_port: {controller}
  properties:
    log.retention.hours: 24
    message.max.bytes: 2000000
    auto.create.topics.enable: false
    log.cleaner.io.buffer.load.factor: 0.75
brokers:
  - {{name: ctrl1, id: 100, hosts: [localhost, ctrl1], port_offset: 6, roles: [controller]}}
  - {{name: kafka1, id: 1, hosts: [localhost, kafka1], roles: [broker], rack: north, properties: {{log.retention.hours: 48}}}}
  - {{name: kafka2, id: 2, hosts: [localhost, kafka2], port_offset: 3, roles: [broker], rack: south}}
clients:
  - {{name: admin}}
  - name: alice
    auth: [tls, scram-sha-512]
    properties: {{client.rack: south, client.id: \"alice: #1\"}}
    roles:
      - produce: {{topic: orders}}
      - consume: {{topic: orders, group: readers}}
",
            sasl = first + 1,
            controller = first + 2,
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);

    // What a broker has no use for is not spread, and what a controller would refuse is not written.
    assert!(!read(&kpki, "kafka1/format-storage.args").contains("add-scram"));
    for user in ["alice", "kafka1", "kafka2"] {
        let line = format!("[name={user},");
        assert!(
            read(&kpki, "ctrl1/format-storage.args").contains(&line),
            "{user}"
        );
    }
    assert!(!kpki.path("out/ctrl1/scram.password").exists());

    let nodes = ["ctrl1", "kafka1", "kafka2"].map(|name| Node::written(&kpki, name));
    let Some(brokers) = start(&nodes) else { return };
    let admin = kpki.path("out/admin/client.properties");
    let admin = Client::new(&admin);
    let cluster = judge.describe_cluster(&admin).unwrap();
    let mut racks: Vec<_> = cluster["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_u64(), node["rack"].as_str()))
        .collect();
    racks.sort();
    let wanted = [(Some(1), Some("north")), (Some(2), Some("south"))];
    assert_eq!(racks, wanted, "{cluster}");
    let quorum = judge.quorum(&admin).unwrap();
    assert_eq!(quorum["voters"], json!([100]), "{quorum}");
    for (id, hours) in [(1, "48"), (2, "24")] {
        let settings = judge.node_settings(&admin, id).unwrap();
        for (name, value) in [
            ("log.retention.hours", hours),
            ("message.max.bytes", "2000000"),
            ("auto.create.topics.enable", "false"),
            ("log.cleaner.io.buffer.load.factor", "0.75"),
        ] {
            assert_eq!(settings[name], value, "{id} {name}");
        }
    }

    // Two copies: the brokers, who log in to each other by SCRAM, reach each other.
    judge.create_topic(&admin, "orders", 2, 2).unwrap();
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    for file in ["client.properties", "client-scram-sha-512.properties"] {
        let path = kpki.path("out/alice").join(file);
        let alice = Client::new(&path);
        judge.produce(&alice, "orders", 5).unwrap();
    }
    let alice = kpki.path("out/alice/client.properties");
    let patience = std::time::Duration::from_secs(30);
    let all = judge.consume(&Client::new(&alice), "orders", "readers", 10, patience);
    assert_eq!(all.unwrap().len(), 10);

    // Kafka says so where it knows a setting not, or not any more, or thinks it misplaced.
    for broker in &brokers {
        let log = broker.log();
        for complaint in ["unknown config", "deprecated", "supplied but"] {
            assert!(!log.contains(complaint), "{log}");
        }
    }
}

#[test]
fn no_client_is_sent_to_a_controller() {
    let kpki = Kpki::new();
    kpki.write(
        "policy.yaml",
        "brokers:
  - {name: ctrl1, roles: [controller]}
  - {name: kafka1, roles: [broker]}
  - {name: kafka2}
clients:
  - {name: app, formats: [java, librdkafka, spring, quarkus]}
",
    );
    kpki.ok(&["up", "policy.yaml"]);
    for file in [
        "app/client.properties",
        "app/librdkafka.conf",
        "app/spring.yaml",
        "app/quarkus.properties",
    ] {
        let text = read(&kpki, file);
        assert!(text.contains("kafka1:9093,kafka2:9093"), "{text}");
        assert!(!text.contains("ctrl1"), "{text}");
    }
    // Nor one that is issued later, from what was signed.
    kpki.ok(&["issue", "--client", "later"]);
    let text = read(&kpki, "later/client.properties");
    assert!(
        text.contains("bootstrap.servers=kafka1:9093,kafka2:9093\n"),
        "{text}"
    );
}

/// A team's file has its values in the files of its own client, as values.
#[test]
fn a_property_of_a_team_s_file_stays_a_value() {
    let kpki = Kpki::new();
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1}]\ninclude: [teams/*.yaml]\n",
    );
    kpki.write(
        "teams/a.yaml",
        r##"clients:
  - name: team
    formats: [java, spring, quarkus, librdkafka]
    properties:
      client.id: "a\\u000asecurity.protocol=PLAINTEXT"
      metadata.max.age.ms: 0x10
      x_y: "\" # security: {protocol: PLAINTEXT}"
      enable.idempotence: True
"##,
    );
    kpki.ok(&["up", "policy.yaml"]);
    let java =
        kpki::config::Properties::parse(read(&kpki, "team/client.properties").as_bytes()).unwrap();
    assert_eq!(java.get("security.protocol"), Some("SSL"));
    assert_eq!(
        java.get("client.id"),
        Some("a\\u000asecurity.protocol=PLAINTEXT")
    );
    assert_eq!(java.get("metadata.max.age.ms"), Some("16"));
    assert_eq!(java.get("enable.idempotence"), Some("true"));
    let quarkus = read(&kpki, "team/quarkus.properties");
    assert!(
        quarkus.contains("\nkafka.metadata.max.age.ms=16\n"),
        "{quarkus}"
    );
    let spring = read(&kpki, "team/spring.yaml");
    assert!(
        spring.contains("\n      client.id: \"a\\\\u000asecurity.protocol=PLAINTEXT\"\n"),
        "{spring}"
    );
    assert!(
        spring.contains("\n      \"[x_y]\": \"\\\" # security: {protocol: PLAINTEXT}\"\n"),
        "{spring}"
    );
    let librdkafka = read(&kpki, "team/librdkafka.conf");
    assert!(
        librdkafka.contains("\nx_y=\" # security: {protocol: PLAINTEXT}\n"),
        "{librdkafka}"
    );
}

/// In ZooKeeper mode, where no controller talks over TLS.
const WITHOUT_TLS: &str = "cluster:
  mode: zookeeper
  zookeeper_connect: [zk1:2181]
  allow_everyone_if_no_acl_found: true
  super_users: [User:ANONYMOUS]
  listeners:
    - {name: PLAIN, port: 9092, protocol: PLAINTEXT}
    - {name: SASL, port: 9094, protocol: SASL_PLAINTEXT, mechanisms: [SCRAM-SHA-512]}
brokers: [{name: kafka1}]
clients:
  - {name: app, auth: scram-sha-512, formats: [java, librdkafka, spring, quarkus]}
";

#[test]
fn where_no_listener_has_tls_there_are_no_stores_and_no_tls_settings() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", WITHOUT_TLS);
    kpki.ok(&["up", "policy.yaml"]);
    for (directory, wanted) in [
        ("kafka1", &["server.properties"][..]),
        (
            "app",
            &[
                "client.properties",
                "librdkafka.conf",
                "quarkus.properties",
                "scram.json",
                "scram.password",
                "spring.yaml",
            ],
        ),
    ] {
        let entries = std::fs::read_dir(kpki.path("out").join(directory)).unwrap();
        let mut found: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, wanted);
        for file in found {
            let text = read(&kpki, &format!("{directory}/{file}"));
            assert!(
                !text.contains("ssl.") && !text.contains("store"),
                "{file}: {text}"
            );
        }
    }
    let again = kpki.json(&["up", "policy.yaml", "--json"]);
    for identity in again["identities"].as_array().unwrap() {
        assert_eq!(identity["action"], "unchanged", "{again}");
    }
}

#[test]
fn a_switch_to_zookeeper_and_off_tls_names_what_is_no_longer_needed() {
    let kpki = Kpki::new();
    kpki.write(
        "kraft.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: app, auth: scram-sha-512}]\n",
    );
    kpki.write("zookeeper.yaml", WITHOUT_TLS);
    kpki.ok(&["up", "kraft.yaml"]);
    let after = kpki.json(&[
        "up",
        "zookeeper.yaml",
        "--allow",
        "voters",
        "--allow",
        "listeners",
        "--json",
    ]);
    let superfluous = |name: &str| {
        let identities = after["identities"].as_array().unwrap();
        let of = identities.iter().find(|i| i["name"] == name).unwrap();
        of["superfluous"].clone()
    };
    assert_eq!(
        superfluous("kafka1"),
        json!([
            "ca.crt",
            "format-storage.args",
            "kafka1.crt",
            "kafka1.key",
            "kafka1.keystore.p12",
            "kafka1.pem",
            "kafka1.truststore.p12",
            "keystore_creds",
        ])
    );
    assert_eq!(superfluous("app"), json!(["app.truststore.p12", "ca.crt"]));
}

/// Kafka 4 refuses the SCRAM of librdkafka before 2.6.1, and says nothing of the reason.
#[test]
fn librdkafka_conf_says_which_librdkafka_scram_needs() {
    let kpki = Kpki::new();
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: app, auth: [scram-sha-512, tls], formats: librdkafka}]\n",
    );
    kpki.ok(&["up", "policy.yaml"]);
    assert!(
        read(&kpki, "app/librdkafka.conf")
            .contains("# SCRAM with brokers of Kafka 4 needs librdkafka 2.6.1")
    );
    assert!(!read(&kpki, "app/librdkafka-tls.conf").contains("2.6.1"));
}
