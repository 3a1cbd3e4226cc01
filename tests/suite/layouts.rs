//! A layout's files, taken by a broker that is told of them as its image tells it.

use std::fs;

use crate::support::{
    java::{Client, judge},
    kafka::{Node, start},
    kpki::Kpki,
    ports,
};

/// The official image makes these settings of five variables: files of its directory for secrets, passwords by `cat`.
#[test]
fn a_broker_takes_the_files_of_the_apache_image() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let [ssl, controller] = ports::free();
    let secrets = kpki.path("secrets");
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster:
  layout: apache-kafka
  install_dir: {}
  bind_address: 127.0.0.1
  listeners: [{{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}]
  controller_port: {controller}
  admin: admin
brokers: [{{name: kafka01, hosts: [localhost]}}]
clients: [{{name: admin}}]
",
            secrets.display()
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    fs::create_dir(&secrets).unwrap();
    for file in [
        "kafka01/kafka01.keystore.jks",
        "kafka01/kafka.truststore.jks",
        "kafka01/kafka_keystore_creds",
        "kafka01/kafka_ssl_key_creds",
        "kafka01/kafka_truststore_creds",
        "admin/admin.keystore.jks",
        "admin/client-ssl.properties",
    ] {
        let name = file.rsplit('/').next().unwrap();
        fs::copy(kpki.path("out").join(file), secrets.join(name)).unwrap();
    }
    let cat = |file: &str| {
        let text = fs::read_to_string(secrets.join(file)).unwrap();
        text.trim_end_matches('\n').to_owned()
    };
    let mut node = Node::written(&kpki, "kafka01");
    node.overrides = [
        ("log.dirs", kpki.path("data").display().to_string()),
        (
            "ssl.keystore.location",
            secrets.join("kafka01.keystore.jks").display().to_string(),
        ),
        ("ssl.keystore.password", cat("kafka_keystore_creds")),
        ("ssl.key.password", cat("kafka_ssl_key_creds")),
        (
            "ssl.truststore.location",
            secrets.join("kafka.truststore.jks").display().to_string(),
        ),
        ("ssl.truststore.password", cat("kafka_truststore_creds")),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    let Some(_brokers) = start(&[node]) else {
        return;
    };
    let client = secrets.join("client-ssl.properties");
    let cluster = judge.describe_cluster(&Client::new(&client)).unwrap();
    assert_eq!(cluster["nodes"][0]["port"], ssl, "{cluster}");
}

#[test]
fn the_apache_image_finds_its_secrets_without_being_told() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka01", "--layout", "apache-kafka"]);
    let server = fs::read_to_string(kpki.path("out/kafka01/server.properties")).unwrap();
    for line in [
        "ssl.keystore.location=/etc/kafka/secrets/kafka01.keystore.jks",
        "ssl.truststore.location=/etc/kafka/secrets/kafka.truststore.jks",
        "ssl.keystore.type=JKS",
        "log.dirs=/var/lib/kafka/data",
    ] {
        assert!(server.lines().any(|l| l == line), "no {line} in\n{server}");
    }
}

/// Everybody got a new password and a new certificate, as the password was only looked for under its new name.
#[test]
fn another_layout_keeps_passwords_and_certificates() {
    let kpki = Kpki::new();
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: alice}]\n",
    );
    kpki.ok(&["up", "policy.yaml", "--layout", "apache-kafka"]);
    let read = |file: &str| fs::read_to_string(kpki.path("out").join(file)).unwrap();
    let before = ["kafka1", "alice"].map(|name| {
        let password = read(&format!("{name}/kafka_keystore_creds"));
        (password, read(&format!("{name}/{name}.crt")))
    });
    for (layout, file) in [
        ("default", "keystore_creds"),
        ("script-sh", "keystore_creds"),
        ("apache-kafka", "kafka_keystore_creds"),
    ] {
        kpki.ok(&["up", "policy.yaml", "--layout", layout]);
        let now = ["kafka1", "alice"].map(|name| {
            (
                read(&format!("{name}/{file}")),
                read(&format!("{name}/{name}.crt")),
            )
        });
        assert!(now == before, "{layout}");
        let again = [
            "up",
            "policy.yaml",
            "--layout",
            layout,
            "--dry-run",
            "--exit-code",
        ];
        kpki.run(&again).expect_code(0);
        kpki.ok(&["doctor"]);
    }
    assert_eq!(kpki.certificates().len(), 3);
}
