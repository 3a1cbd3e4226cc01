//! The main job, judged by the real thing: a policy, `kpki up`, three Kafka brokers started with the files as they
//! are, and Java clients that get in or are kept out.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use crate::support::{
    expired,
    java::{Client, JavaError, Judge, judge},
    kafka::{Node, start},
    kpki::Kpki,
    ports,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn policy(first: u16) -> String {
    format!(
        "cluster:
  name: test
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {first}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512, SCRAM-SHA-256]}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
  - {{name: kafka2, hosts: [localhost, kafka2], port_offset: 3, key: rsa-2048}}
  - {{name: kafka3, hosts: [localhost, kafka3], port_offset: 6, key: ecdsa-p384}}
clients:
  - {{name: admin, auth: tls}}
  - {{name: alice, auth: [tls, scram-sha-512]}}
  - {{name: robert, auth: tls, key: rsa-2048}}
  - {{name: kafka_client, auth: [scram-sha-256, scram-sha-512]}}
users:
  - {{name: carol, auth: scram-sha-512, iterations: 4096}}
",
        sasl = first + 1,
        controller = first + 2,
    )
}

fn properties(kpki: &Kpki, file: &str) -> PathBuf {
    kpki.path("out").join(file)
}

fn refused(kpki: &Kpki, judge: &Judge, properties: &Path, overrides: &[(&str, &str)]) -> JavaError {
    let client = Client {
        properties,
        overrides,
    };
    match judge.describe_cluster(&client) {
        Ok(cluster) => panic!(
            "{overrides:?} got in to {cluster} from {}",
            kpki.dir().display()
        ),
        Err(error) => error,
    }
}

#[test]
fn three_brokers_from_one_policy_let_their_clients_in_and_keep_all_others_out() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let first = ports::range(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    kpki.write("policy.yaml", &policy(first));
    kpki.ok(&["up", "policy.yaml"]);
    let nodes = ["kafka1", "kafka2", "kafka3"].map(|name| Node::written(&kpki, name));
    let Some(_brokers) = start(&nodes) else {
        return;
    };

    let admin = properties(&kpki, "admin/client.properties");
    let admin = Client::new(&admin);
    let cluster = judge.describe_cluster(&admin).unwrap();
    assert_eq!(cluster["nodes"].as_array().unwrap().len(), 3, "{cluster}");
    judge.create_topic(&admin, "orders", 3, 3).unwrap();
    let grant = |principal: &str, kind: &str, name: &str, operation: &str| {
        json!({
            "resource_type": kind, "pattern_type": "LITERAL", "name": name, "principal": principal, "host": "*",
            "operation": operation, "permission": "ALLOW",
        })
    };
    let mut bindings = Vec::new();
    for user in [
        "User:alice",
        "User:robert",
        "User:kafka_client",
        "User:carol",
    ] {
        bindings.push(grant(user, "TOPIC", "orders", "READ"));
        bindings.push(grant(user, "TOPIC", "orders", "WRITE"));
        bindings.push(grant(user, "GROUP", &format!("readers-{user}"), "READ"));
    }
    judge.create_acls(&admin, &bindings).unwrap();

    lets_in(&kpki, judge);
    keeps_out(&kpki, judge, first);
}

/// The unusual: brokers that log in to each other by SCRAM, and rules that make other principals of certificates.
#[test]
fn brokers_talk_over_scram_and_super_users_follow_the_mapping_rules() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let first = ports::range(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let policy = policy(first)
        .replace("  admin: admin\n", "  admin: admin\n  inter_broker_listener: SASL_SSL\n  principal_mapping_rules: ['RULE:^CN=([^,]+).*$/$1/U']\n")
        .replace("  - {name: kafka2, hosts: [localhost, kafka2], port_offset: 3, key: rsa-2048}\n", "");
    kpki.write("policy.yaml", &policy);
    kpki.ok(&["up", "policy.yaml"]);
    let server = std::fs::read_to_string(properties(&kpki, "kafka1/server.properties")).unwrap();
    assert!(
        server.contains("super.users=User:KAFKA1;User:KAFKA3;User:kafka1;User:kafka3;User:ADMIN\n"),
        "{server}"
    );
    let nodes = ["kafka1", "kafka3"].map(|name| Node::written(&kpki, name));
    let Some(_brokers) = start(&nodes) else {
        return;
    };
    let admin = properties(&kpki, "admin/client.properties");
    // Both copies are written only if the brokers reach each other.
    judge
        .create_topic(&Client::new(&admin), "orders", 1, 2)
        .unwrap();
    judge.produce(&Client::new(&admin), "orders", 3).unwrap();
}

/// Every way in: certificate and SCRAM, EC and RSA, PKCS12 and PEM, the legacy profile.
fn lets_in(kpki: &Kpki, judge: &Judge) {
    kpki.ok(&["issue", "--client", "old", "--store-profile", "legacy"]);
    let old = properties(kpki, "old/old.keystore.p12")
        .display()
        .to_string();
    let old_password = std::fs::read_to_string(properties(kpki, "old/keystore_creds")).unwrap();
    let pem = properties(kpki, "alice/alice.pem").display().to_string();
    let carol = std::fs::read_to_string(properties(kpki, "carol/scram.password")).unwrap();
    let carol = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"carol\" password=\"{}\";",
        carol.trim()
    );
    let mut written = 0;
    let ways: &[(&str, &[(&str, &str)])] = &[
        ("alice/client.properties", &[]),
        ("alice/client-scram-sha-512.properties", &[]),
        ("robert/client.properties", &[]),
        ("kafka_client/client.properties", &[]),
        ("kafka_client/client-scram-sha-512.properties", &[]),
        (
            "alice/client-scram-sha-512.properties",
            &[("sasl.jaas.config", &carol)],
        ),
        (
            "alice/client.properties",
            &[
                ("ssl.keystore.type", "PEM"),
                ("ssl.keystore.location", &pem),
                ("ssl.keystore.password", ""),
                ("ssl.key.password", ""),
            ],
        ),
    ];
    for (file, overrides) in ways {
        let properties = properties(kpki, file);
        // An empty override would still be a password: the test's own file leaves the setting out.
        let text = std::fs::read_to_string(&properties).unwrap();
        let dropped: Vec<&str> = overrides
            .iter()
            .filter(|(_, v)| v.is_empty())
            .map(|(k, _)| *k)
            .collect();
        let kept: String = text
            .lines()
            .filter(|l| !dropped.iter().any(|k| l.starts_with(&format!("{k}="))))
            .map(|l| format!("{l}\n"))
            .collect();
        let copy = if dropped.is_empty() {
            properties
        } else {
            kpki.write("copy.properties", &kept)
        };
        let overrides: Vec<_> = overrides
            .iter()
            .copied()
            .filter(|(_, v)| !v.is_empty())
            .collect();
        let client = Client {
            properties: &copy,
            overrides: &overrides,
        };
        judge
            .produce(&client, "orders", 10)
            .unwrap_or_else(|e| panic!("{file} {overrides:?}: {e:?}"));
        written += 10;
    }
    for (user, file) in [
        ("alice", "alice/client.properties"),
        ("kafka_client", "kafka_client/client.properties"),
    ] {
        let properties = properties(kpki, file);
        let group = format!("readers-User:{user}");
        let all = judge.consume(
            &Client::new(&properties),
            "orders",
            &group,
            written,
            PATIENCE,
        );
        assert_eq!(all.unwrap().len(), written as usize, "{file}");
    }
    let alice = properties(kpki, "alice/client.properties");
    // A certificate in a legacy store opens the same door: authenticated, though without a grant.
    let overrides = [
        ("ssl.keystore.location", old.as_str()),
        ("ssl.keystore.password", old_password.trim()),
        ("ssl.key.password", old_password.trim()),
    ];
    let error = judge
        .produce(
            &Client {
                properties: &alice,
                overrides: &overrides,
            },
            "orders",
            1,
        )
        .unwrap_err();
    assert!(error.class.contains("AuthorizationException"), "{error:?}");
}

/// A client of another CA, an expired one, none, a wrong password, a wrong host name.
fn keeps_out(kpki: &Kpki, judge: &Judge, first: u16) {
    let alice = properties(kpki, "alice/client.properties");
    let scram = properties(kpki, "alice/client-scram-sha-512.properties");

    let foreign = Kpki::new();
    foreign.ok(&["init-ca"]);
    foreign.ok(&["issue", "--client", "alice"]);
    let store = foreign
        .path("out/alice/alice.keystore.p12")
        .display()
        .to_string();
    let password = std::fs::read_to_string(foreign.path("out/alice/keystore_creds")).unwrap();
    let password = password.trim();
    let other_ca = [
        ("ssl.keystore.location", store.as_str()),
        ("ssl.keystore.password", password),
        ("ssl.key.password", password),
    ];
    let error = refused(kpki, judge, &alice, &other_ca);
    assert!(
        error.class.contains("SslAuthenticationException"),
        "another CA: {error:?}"
    );

    let store = expired::key_store(kpki, "alice");
    let store = store.display().to_string();
    let expired = [
        ("ssl.keystore.location", store.as_str()),
        ("ssl.keystore.password", "expired"),
        ("ssl.key.password", "expired"),
    ];
    let error = refused(kpki, judge, &alice, &expired);
    assert!(
        error.class.contains("SslAuthenticationException"),
        "expired: {error:?}"
    );

    let trust = properties(kpki, "kafka_client/kafka_client.truststore.p12")
        .display()
        .to_string();
    let password = std::fs::read_to_string(properties(kpki, "ca/truststore.password")).unwrap();
    let none = kpki.write(
        "none.properties",
        &format!(
            "bootstrap.servers=localhost:{first}\nsecurity.protocol=SSL\nssl.truststore.location={trust}\nssl.truststore.password={}\nssl.truststore.type=PKCS12\n",
            password.trim()
        ),
    );
    let error = refused(kpki, judge, &none, &[]);
    assert!(
        error.class.contains("SslAuthenticationException"),
        "no certificate: {error:?}"
    );

    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"wrong\";";
    let error = refused(kpki, judge, &scram, &[("sasl.jaas.config", jaas)]);
    assert!(
        error.class.contains("SaslAuthenticationException"),
        "wrong password: {error:?}"
    );

    let other_name = format!("127.0.0.1:{first}");
    let error = refused(kpki, judge, &alice, &[("bootstrap.servers", &other_name)]);
    assert!(
        error.class.contains("SslAuthenticationException"),
        "wrong host name: {error:?}"
    );
}
