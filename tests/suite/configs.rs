//! Configuration that kpki writes, read by Java and taken by Kafka's own tools and a broker.

use std::{collections::BTreeMap, path::Path};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use kpki::{
    config::{
        ClientInput, Properties, PropertiesError, ServerInput, Stores, client_config, cluster_id,
        server_properties, storage_args,
    },
    policy::{self, Auth, ClientFormat, Layout, ValidatedPolicy},
    scram::{Credential, Mechanism},
    secret::Secret,
};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::{Node, start},
    kpki::Kpki,
    ports,
};

type Map = BTreeMap<String, String>;

fn policy(text: &str) -> ValidatedPolicy {
    policy::parse("policy.yaml", text, &|_| Ok(vec![])).unwrap_or_else(|e| panic!("{e:?}"))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// The settings that Kafka reads from a file.
fn java_reads(judge: &Judge, text: &[u8]) -> Result<Map, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    judge
        .ask("properties", json!({"path": file.path()}))
        .map_err(|error| error.message)
}

fn kpki_reads(text: &[u8]) -> Map {
    let read = Properties::parse(text).unwrap();
    read.iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

const ODD_DIRECTORY: &str = "/opt/k\u{e9}y #1=a:b!\\u0041 \u{1f600}";
const ODD_PASSWORDS: [&str; 5] = [
    " leading and trailing ",
    "quote\" backslash\\ apostrophe' semicolon; // no comment",
    "\\u0041\\n=:#!",
    "p\u{e4}ssw\u{f6}rd \u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c} \u{1f511}",
    "line\nbreak\r\ttab",
];

#[test]
fn java_reads_a_brokers_file_as_it_was_meant() {
    let Some(judge) = judge() else { return };
    let policy = policy(
        "cluster: {name: \"odd: \u{e9} #\", inter_broker_listener: SASL_SSL, super_users: [\"User:CN=a b,O=\u{e9}\"]}\n\
         brokers: [{name: kafka1, id: 1, hosts: [kafka1.example.com]}]\nclients: [{name: alice, auth: scram-sha-512}]\n",
    );
    let names = Layout::named("script-sh").unwrap().files("kafka1");
    for password in ODD_PASSWORDS {
        let password = secret(password);
        let input = ServerInput {
            cluster: &policy.cluster,
            brokers: &policy.brokers,
            broker: &policy.brokers[0],
            stores: Stores {
                dir: ODD_DIRECTORY,
                names: &names,
                keystore_password: Some(&password),
                truststore_password: &password,
            },
            log_dir: ODD_DIRECTORY,
            scram_password: Some(&password),
            crl_url: None,
            super_users: &policy.cluster.super_users,
        };
        let text = server_properties(&input).unwrap();
        let read = java_reads(judge, text.expose().as_bytes()).unwrap();
        assert_eq!(
            read["ssl.keystore.location"],
            format!("{ODD_DIRECTORY}/kafka1.keystore.jks")
        );
        assert_eq!(read["ssl.keystore.type"], "JKS");
        assert_eq!(read["ssl.truststore.password"], password.expose());
        assert_eq!(read["log.dirs"], ODD_DIRECTORY);
        assert_eq!(read["super.users"], "User:CN=a b,O=\u{e9}");
        assert_eq!(
            read["ssl.principal.mapping.rules"],
            "RULE:^CN=([^,]+).*$/$1/,DEFAULT"
        );
        let jaas = &read["listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config"];
        let options: Map = judge.ask("jaas", json!({"value": jaas})).unwrap();
        assert_eq!(options["username"], "kafka1");
        assert_eq!(options["password"], password.expose());
        assert_eq!(read, kpki_reads(text.expose().as_bytes()));
    }
}

#[test]
fn java_reads_a_clients_file_as_it_was_meant() {
    let Some(judge) = judge() else { return };
    let policy = policy(
        "cluster: {name: x}\nbrokers: [{name: kafka1, id: 1}, {name: kafka2, id: 2, port_offset: 10}]\n\
         clients: [{name: alice, auth: [tls, scram-sha-512]}]\n",
    );
    let names = Layout::DEFAULT.files("alice");
    for password in ODD_PASSWORDS {
        let password = secret(password);
        for auth in [Auth::Tls, Auth::Scram(Mechanism::Sha512)] {
            let input = ClientInput {
                cluster: &policy.cluster,
                brokers: &policy.brokers,
                name: &policy.clients[0].name,
                auth,
                stores: Stores {
                    dir: ODD_DIRECTORY,
                    names: &names,
                    keystore_password: Some(&password),
                    truststore_password: &password,
                },
                scram_password: Some(&password),
                properties: &policy.clients[0].properties,
            };
            for (format, prefix) in [(ClientFormat::Java, ""), (ClientFormat::Quarkus, "kafka.")] {
                let text = client_config(format, &input).unwrap();
                let read = java_reads(judge, text.expose().as_bytes()).unwrap();
                assert_eq!(read, kpki_reads(text.expose().as_bytes()));
                let get = |key: &str| read.get(&format!("{prefix}{key}")).map(String::as_str);
                assert_eq!(get("ssl.truststore.password"), Some(password.expose()));
                let location = format!("{ODD_DIRECTORY}/alice.truststore.p12");
                assert_eq!(get("ssl.truststore.location"), Some(location.as_str()));
                if auth == Auth::Tls {
                    assert_eq!(get("bootstrap.servers"), Some("kafka1:9093,kafka2:9103"));
                    assert_eq!(get("ssl.key.password"), Some(password.expose()));
                    assert_eq!(get("sasl.jaas.config"), None);
                } else {
                    assert_eq!(get("bootstrap.servers"), Some("kafka1:9094,kafka2:9104"));
                    assert_eq!(get("ssl.key.password"), None);
                    let jaas = get("sasl.jaas.config").unwrap();
                    let options: Map = judge.ask("jaas", json!({"value": jaas})).unwrap();
                    assert_eq!(options["username"], "alice");
                    assert_eq!(options["password"], password.expose());
                }
            }
        }
    }
}

/// kpki reads Java clients' files that it did not write; whatever is in them, it has to read what Java reads.
#[test]
fn kpki_reads_properties_as_java_does() {
    let Some(judge) = judge() else { return };
    let piece = prop_oneof![
        prop::sample::select(
            b"\\\\\\\n\n\r\r\n  \t\x0c==::##!!abcu0"
                .iter()
                .map(|b| vec![*b])
                .collect::<Vec<_>>()
        ),
        prop::sample::select(
            [
                &b"\r\n"[..],
                b"\\\n",
                b"\\u00e9",
                b"\\u12",
                b"\\ud83d\\ude00",
                b"key=value\n",
                b"# c\n",
                b" : "
            ]
            .map(<[u8]>::to_vec)
            .to_vec()
        ),
        prop::collection::vec(any::<u8>(), 1..2),
    ];
    let strategy = prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat());
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut compared = 0;
    for _ in 0..2000 {
        let text = strategy.new_tree(&mut runner).unwrap().current();
        let theirs = java_reads(judge, &text);
        match (Properties::parse(&text), theirs) {
            (Ok(_), Ok(theirs)) => {
                assert_eq!(
                    kpki_reads(&text),
                    theirs,
                    "{:?}",
                    text.escape_ascii().to_string()
                );
                compared += 1;
            }
            (Err(ours), Err(theirs)) => {
                assert!(theirs.contains("Malformed"), "{ours} {theirs}");
            }
            // A Java string may hold half of a character, which is no text.
            (Err(PropertiesError::HalfCharacter(_)), Ok(_)) => {}
            (ours, theirs) => {
                panic!("{:?}: {ours:?} {theirs:?}", text.escape_ascii().to_string())
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

/// The node's directory after Kafka's storage tool has run with the files of one broker.
fn format(judge: &Judge, policy: &ValidatedPolicy, at: usize, dir: &Path) -> Map {
    let broker = &policy.brokers[at];
    let names = Layout::DEFAULT.files(broker.name.as_str());
    let (password, data) = (secret("password"), dir.join("data"));
    let input = ServerInput {
        cluster: &policy.cluster,
        brokers: &policy.brokers,
        broker,
        stores: Stores {
            dir: dir.to_str().unwrap(),
            names: &names,
            keystore_password: Some(&password),
            truststore_password: &password,
        },
        log_dir: data.to_str().unwrap(),
        scram_password: Some(&password),
        crl_url: None,
        super_users: &[],
    };
    let config = input.stores.path(&names.server_properties);
    std::fs::write(&config, server_properties(&input).unwrap().expose()).unwrap();
    let credential =
        Credential::derive("alice", &password, Mechanism::Sha512, 4096, b"salt").unwrap();
    let args = storage_args(
        &cluster_id([7; 16]),
        &config,
        std::iter::once(credential.kraft_argument()),
    )
    .unwrap();
    let arguments: Vec<&str> = args.expose().lines().collect();
    let answer: Value = judge
        .ask("storage", json!({"arguments": arguments, "data": data}))
        .unwrap();
    assert_eq!(answer["code"], 0, "{}", answer["printed"]);
    assert_eq!(answer["users"][0]["user"], "alice");
    java_reads(judge, &std::fs::read(data.join("meta.properties")).unwrap()).unwrap()
}

#[test]
fn the_storage_tool_takes_every_nodes_files() {
    let Some(judge) = judge() else { return };
    for (nodes, extra) in [
        (1, ""),
        (3, ""),
        (3, "  inter_broker_listener: SASL_SSL\n"),
        (
            1,
            "  bind_address: '::1'\n  allow_everyone_if_no_acl_found: true\n",
        ),
        (
            2,
            "  listeners:\n    - {name: SSL, port: 9093, protocol: SSL, client_auth: requested}\n    \
             - {name: A, port: 9096, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-256]}\n    \
             - {name: B, port: 9097, protocol: SASL_SSL, client_auth: required, mechanisms: [SCRAM-SHA-512, SCRAM-SHA-256]}\n",
        ),
    ] {
        let brokers: String = (1..=nodes)
            .map(|n| format!("  - {{name: kafka{n}, id: {n}}}\n"))
            .collect();
        let policy = policy(&format!(
            "cluster:\n  name: x\n{extra}brokers:\n{brokers}clients:\n  - {{name: alice, auth: [tls, scram-sha-256]}}\n"
        ));
        for at in 0..nodes {
            let dir = tempfile::tempdir().unwrap();
            let meta = format(judge, &policy, at, dir.path());
            assert_eq!(meta["cluster.id"], cluster_id([7; 16]));
            assert_eq!(meta["node.id"], (at + 1).to_string());
        }
    }
}

/// A client's settings from `connection.json` alone.
fn in_code(said: &Value) -> String {
    let text = |key: &str| said[key].as_str();
    let pem = |key: &str| {
        let pem = std::fs::read_to_string(text(key)?).unwrap();
        Some(pem.replace('\n', "\\n"))
    };
    let brokers: Vec<&str> = said["brokers"].as_array().unwrap()[..]
        .iter()
        .map(|b| b.as_str().unwrap())
        .collect();
    let mut settings = vec![
        format!("bootstrap.servers={}", brokers.join(",")),
        format!("security.protocol={}", text("protocol").unwrap()),
        "ssl.truststore.type=PEM".to_owned(),
        format!("ssl.truststore.certificates={}", pem("ca").unwrap()),
    ];
    if let (Some(certificate), Some(key)) = (pem("certificate"), pem("key")) {
        settings.push("ssl.keystore.type=PEM".to_owned());
        settings.push(format!("ssl.keystore.certificate.chain={certificate}"));
        settings.push(format!("ssl.keystore.key={key}"));
    }
    if let Some(mechanism) = text("mechanism") {
        let (user, password) = (text("user").unwrap(), text("password").unwrap());
        settings.push(format!("sasl.mechanism={mechanism}"));
        settings.push(format!(
            "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{user}\" password=\"{password}\";"
        ));
    }
    settings.join("\n")
}

/// Brokers that log in to each other by SCRAM, and a listener that wants a password and a certificate.
#[test]
fn a_broker_starts_that_speaks_scram_to_itself() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let [ssl, sasl, both, controller] = ports::free();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster:
  name: scram
  admin: admin
  bind_address: 127.0.0.1
  inter_broker_listener: SASL
  listeners:
    - {{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}
    - {{name: SASL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-256]}}
    - {{name: BOTH, port: {both}, protocol: SASL_SSL, client_auth: required, mechanisms: [SCRAM-SHA-512]}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost]}}
clients:
  - {{name: admin, auth: [scram-sha-256, tls, scram-sha-512], formats: [java, json]}}
"
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let node = Node::kafka1(&kpki);
    let Some(brokers) = start(&[node]) else {
        return;
    };
    for (file, port) in [
        ("client.properties", sasl),
        ("client-tls.properties", ssl),
        ("client-scram-sha-512.properties", both),
    ] {
        let path = kpki.path("out/admin").join(file);
        let cluster = judge.describe_cluster(&Client::new(&path)).unwrap();
        assert_eq!(cluster["nodes"][0]["port"], port, "{file}: {cluster}");

        // What the same client says in JSON, as Kafka's own client takes it in code.
        let file = file
            .replace("client", "connection")
            .replace("properties", "json");
        let said = std::fs::read(kpki.path("out/admin").join(&file)).unwrap();
        let path = kpki.path("code.properties");
        std::fs::write(&path, in_code(&serde_json::from_slice(&said).unwrap())).unwrap();
        let cluster = judge.describe_cluster(&Client::new(&path)).unwrap();
        assert_eq!(cluster["nodes"][0]["port"], port, "{file}: {cluster}");
    }
    // Kafka says so where it knows a setting not, or not any more.
    let log = brokers[0].log();
    for complaint in ["unknown config", "deprecated", "supplied but"] {
        assert!(!log.contains(complaint), "{log}");
    }
}
