//! `kpki verify` against a real cluster of three brokers: all good, then six faults at once, each named by one run.

use std::fs;

use serde_json::Value;

use crate::support::{
    kafka::{Node, start},
    kpki::Kpki,
    ports,
};

const NAMES: [&str; 3] = ["kafka1", "kafka2", "kafka3"];

fn cluster(first: u16) -> Kpki {
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
  controller_port: {}
brokers:
{}clients:
  - {{name: admin}}
  - {{name: app, auth: scram-sha-512}}
",
            first + 1,
            first + 2,
            first + 3,
            brokers.concat()
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    kpki
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

#[test]
fn three_brokers_are_all_good_and_then_six_faults_are_named_by_one_run() {
    let first = ports::range(&[0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]);
    let kpki = cluster(first);
    let mut nodes = NAMES.map(|name| Node::written(&kpki, name));
    let Some(mut brokers) = start(&nodes) else {
        return;
    };
    let all = || kpki.run(&["verify", "policy.yaml", "--json", "--timeout", "60"]);
    // The last SCRAM record may reach a broker after its start.
    let green = all().expect_code(0).json();
    assert_eq!(green["ok"], true);
    assert_eq!(green["listeners"].as_array().unwrap().len(), 12);
    let said = kpki.ok(&["verify", "policy.yaml"]).stdout;
    assert!(said.ends_with("all good  12 listeners\n"), "{said}");
    assert!(
        green
            .to_string()
            .contains("app logged in with SCRAM-SHA-512"),
        "{green:#}"
    );

    // One listener at a time, as one client or another.
    let look = |listener: u16, arguments: &[&str]| {
        let address = format!("localhost:{}", first + listener);
        let words = ["verify", "--json", "--timeout", "60", address.as_str()];
        kpki.run(&[&words[..], arguments].concat()).json()
    };
    let one = |found: &Value, code: &str, words: &str| match &faults(found)[..] {
        [(found, message)] => assert!(
            found == code && message.contains(words),
            "{found}: {message}"
        ),
        other => panic!("{code}: {other:?}"),
    };
    one(
        &look(0, &[]),
        "certificate-required",
        "a client certificate is required",
    );
    assert_eq!(look(0, &["--identity", "admin"])["ok"], true);
    assert_eq!(look(3, &["--identity", "kafka2"])["ok"], true);
    let sasl = look(1, &["--identity", "app"]);
    assert_eq!(sasl["ok"], true, "{sasl:#}");
    one(&look(2, &[]), "plaintext-port", "Kafka without TLS");
    // A client that does not know that there is TLS.
    let properties = kpki.path("out/app/client.properties");
    let written = fs::read_to_string(&properties).unwrap();
    fs::write(&properties, written.replace("=SASL_SSL", "=SASL_PLAINTEXT")).unwrap();
    one(
        &look(1, &["--identity", "app"]),
        "tls-port",
        "the client.properties of app says PLAINTEXT",
    );
    fs::write(&properties, written).unwrap();

    // Six faults. The password of app is another, and the certificate of kafka1 is renewed, and nobody tells it.
    kpki.write(
        "out/app/scram.password",
        "not the one that the cluster knows\n",
    );
    kpki.set_mode("out/app/scram.password", 0o600);
    one(
        &look(1, &["--identity", "app"]),
        "login-refused",
        "the login of app was refused: Authentication failed",
    );
    kpki.ok(&["renew", "kafka1"]);
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
    nodes[1].overrides = vec![
        set(&prefixed("keystore.location"), &store),
        set(&prefixed("keystore.type"), "PKCS12"),
        set(&prefixed("keystore.password"), password.trim()),
        set(&prefixed("key.password"), password.trim()),
        set(
            "listener.security.protocol.map",
            "SSL:SSL,SASL_SSL:SASL_SSL,OPEN:SSL,CONTROLLER:SSL",
        ),
    ];
    // A listener of kafka3 with other mechanisms, and one that is gone.
    let written = fs::read_to_string(&nodes[2].server_properties).unwrap();
    let value = |key: &str| {
        let line = written.lines().find_map(|line| line.strip_prefix(key));
        let entries = line
            .unwrap()
            .split(',')
            .filter(|entry| !entry.contains("OPEN"));
        entries.collect::<Vec<_>>().join(",")
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
        set("listeners", &value("listeners=")),
        set("advertised.listeners", &value("advertised.listeners=")),
    ];
    brokers.truncate(1);
    brokers.extend(nodes[1..].iter().map(Node::start_again));
    let found = all().expect_code(3).json();
    let expected = [
        ["kafka1", "CONTROLLER", "outdated"],
        ["kafka1", "SASL_SSL", "login-refused"],
        ["kafka1", "SASL_SSL", "outdated"],
        ["kafka1", "SSL", "outdated"],
        ["kafka2", "OPEN", "tls-port"],
        ["kafka2", "SASL_SSL", "foreign"],
        ["kafka2", "SASL_SSL", "unknown-ca"],
        ["kafka3", "OPEN", "no-listener"],
        ["kafka3", "SASL_SSL", "mechanism-not-offered"],
    ];
    assert_eq!(
        all_faults(&found),
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
    let other = look(21, &["--identity", "app"]);
    one(
        &other,
        "mechanism-not-offered",
        "app uses SCRAM-SHA-512, but the listener offers SCRAM-SHA-256",
    );
}
