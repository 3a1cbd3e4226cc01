//! The harness itself: what the other tests are judged by has to be right first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::java::{Client, Decision, judge};
use crate::support::kafka::{self, Broker, Node, write_properties};
use crate::support::kpki::Kpki;
use crate::support::openssl::openssl;
use crate::support::ports;

/// A plaintext broker with an authorizer that lets in `User:ANONYMOUS`, and its clients' properties.
fn plaintext_broker(directory: &Path) -> Option<(Broker, PathBuf)> {
    let [port, controller] = ports::free();
    let server_properties = directory.join("server.properties");
    write_properties(
        &server_properties,
        &[
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            (
                "controller.quorum.voters",
                &format!("1@127.0.0.1:{controller}"),
            ),
            (
                "listeners",
                &format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"),
            ),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            ),
            ("controller.listener.names", "CONTROLLER"),
            ("inter.broker.listener.name", "PLAINTEXT"),
            ("offsets.topic.replication.factor", "1"),
            ("offsets.topic.num.partitions", "1"),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.state.log.min.isr", "1"),
            ("group.initial.rebalance.delay.ms", "0"),
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("super.users", "User:ANONYMOUS"),
            ("log.dirs", "/nonexistent/overridden"),
        ],
    );
    let format_storage_args = directory.join("format-storage.args");
    let scram = "SCRAM-SHA-512=[name=alice,iterations=8192,password=pencil]";
    let arguments = [
        "format",
        "-t",
        "MkU3OEVBNTcwNTJENDM2Qg",
        "-c",
        "server.properties",
        "-S",
        scram,
    ];
    std::fs::write(&format_storage_args, arguments.join("\n")).unwrap();
    let node = Node {
        server_properties,
        format_storage_args,
        overrides: vec![(
            "log.dirs".to_owned(),
            directory.join("data").display().to_string(),
        )],
        java_options: Vec::new(),
        work: directory.join("work"),
    };
    let broker = kafka::start(&[node])?.remove(0);
    let client_properties = directory.join("client.properties");
    write_properties(
        &client_properties,
        &[("bootstrap.servers", &format!("127.0.0.1:{port}"))],
    );
    Some((broker, client_properties))
}

fn binding(principal: &str, operation: &str, name: &str, permission: &str) -> Value {
    json!({
        "resource_type": "TOPIC", "pattern_type": "LITERAL", "name": name, "principal": principal,
        "host": "*", "operation": operation, "permission": permission,
    })
}

fn request(principal: &str, operation: &str, name: &str) -> Value {
    json!({"principal": principal, "host": "10.0.0.1", "operation": operation, "resource_type": "TOPIC", "name": name})
}

#[test]
fn a_real_broker_takes_and_returns_records() {
    let Some(judge) = judge() else { return };
    let directory = tempfile::tempdir().unwrap();
    let Some((_broker, properties)) = plaintext_broker(directory.path()) else {
        return;
    };
    let client = Client::new(&properties);

    judge.create_topic(&client, "orders", 1, 1).unwrap();
    judge.produce(&client, "orders", 1).unwrap();
    let values = judge
        .consume(&client, "orders", "readers", 1, Duration::from_secs(20))
        .unwrap();
    assert_eq!(values, ["0"]);
    let short = judge
        .consume(&client, "orders", "others", 2, Duration::from_secs(2))
        .unwrap_err();
    assert_eq!(short.class, "TimeoutException");

    let transactional = [("transactional.id", "t")];
    let in_transaction = Client {
        properties: &properties,
        overrides: &transactional,
    };
    judge.produce(&in_transaction, "orders", 2).unwrap();

    assert_eq!(
        judge.describe_cluster(&client).unwrap()["nodes"][0]["id"],
        1
    );
    let bindings = [binding("User:alice", "READ", "orders", "ALLOW")];
    judge.create_acls(&client, &bindings).unwrap();
    assert_eq!(judge.list_acls(&client).unwrap(), bindings);
    let users = judge.list_scram(&client).unwrap();
    assert_eq!(
        (users[0].user.as_str(), users[0].iterations),
        ("alice", 8192)
    );
}

#[test]
fn a_refused_client_comes_back_soon_with_the_reason() {
    let Some(judge) = judge() else { return };
    let directory = tempfile::tempdir().unwrap();
    let [nobody] = ports::free();
    let properties = directory.path().join("client.properties");
    write_properties(
        &properties,
        &[("bootstrap.servers", &format!("127.0.0.1:{nobody}"))],
    );
    let error = judge
        .produce(&Client::new(&properties), "orders", 1)
        .unwrap_err();
    assert_eq!(error.class, "TimeoutException", "{error:?}");
}

#[test]
fn kafka_derives_the_known_scram_credential() {
    let Some(judge) = judge() else { return };
    let scram = judge
        .scram(
            "SCRAM-SHA-256",
            "cGVuY2ls",
            "a3BraS10ZXN0LXNhbHQtMQ==",
            4096,
        )
        .unwrap();
    assert_eq!(
        scram.stored,
        "salt=a3BraS10ZXN0LXNhbHQtMQ==,stored_key=gxkJKiit1/m8XGigcYidSrlWRO8j5gKqGZsAaaW3spg=,\
         server_key=REqY+1FmLsGKaEuK3+VDbM+bZmavTCjs+XnIghajTHM=,iterations=4096"
    );
}

#[test]
fn kafka_maps_a_certificate_to_a_principal() {
    let Some(judge) = judge() else { return };
    let rules = "RULE:^CN=([^,]+),OU=ops$/$1/U";
    assert_eq!(
        judge.principal(rules, "CN=kafka1,OU=ops").unwrap(),
        "KAFKA1"
    );
    assert_eq!(
        judge.principal(rules, "CN=kafka1").unwrap_err().class,
        "NoMatchingRule"
    );
}

#[test]
fn kafkas_authorizer_decides() {
    let Some(judge) = judge() else { return };
    let bindings = [
        binding("User:alice", "READ", "orders", "ALLOW"),
        binding("User:*", "WRITE", "orders", "ALLOW"),
        binding("User:bob", "WRITE", "orders", "DENY"),
    ];
    let requests = [
        request("User:alice", "DESCRIBE", "orders"),
        request("User:bob", "WRITE", "orders"),
        request("User:carol", "READ", "orders"),
        request("User:carol", "READ", "without bindings"),
        request("User:root", "DELETE", "orders"),
        request("User:*", "READ", "orders"),
    ];
    let decisions = judge
        .authorize(&bindings, "User:root", true, &requests)
        .unwrap();
    let expected = ["ALLOWED", "DENIED", "DENIED", "ALLOWED", "ALLOWED"]
        .map(|word| Decision::Decision(word.to_owned()));
    assert_eq!(decisions[..5], expected);
    assert!(matches!(decisions[5], Decision::Error(_)), "{decisions:?}");
}

/// Kafka's search never ends for some names that sort before `*`; `AuthorizerJudge.java` ends it.
#[test]
fn an_endless_search_of_kafkas_authorizer_is_stopped() {
    let Some(judge) = judge() else { return };
    let bindings = [
        binding("User:alice", "READ", "!x", "ALLOW"),
        binding("User:alice", "READ", "orders", "ALLOW"),
    ];
    let requests = [
        request("User:alice", "READ", "!y"),
        request("User:alice", "READ", "orders"),
    ];
    let decisions = judge.authorize(&bindings, "", false, &requests).unwrap();
    let Decision::Error(error) = &decisions[0] else {
        panic!("{decisions:?}")
    };
    assert!(
        error.ends_with("the authorizer's search does not end"),
        "{error}"
    );
    assert_eq!(decisions[1], Decision::Decision("ALLOWED".to_owned()));
}

/// A PKCS#12 store and the CA that signed it, made by openssl.
fn openssl_identity(directory: &Path) -> Option<()> {
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        openssl(directory, &arguments).map(|output| output.expect_code(0))
    };
    std::fs::write(
        directory.join("san"),
        "subjectAltName=DNS:kafka1.example.com\n",
    )
    .unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    run(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 1"
    ))?;
    run(&format!(
        "req {key} -keyout kafka1.key -out kafka1.csr -subj /O=Example/CN=kafka1"
    ))?;
    run(
        "x509 -req -in kafka1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out kafka1.crt -days 1 -extfile san",
    )?;
    run(
        "pkcs12 -export -in kafka1.crt -inkey kafka1.key -certfile ca.pem -name kafka1 -out kafka1.p12 -passout pass:secret1",
    )?;
    Some(())
}

#[test]
fn the_jdk_reads_a_store_and_shakes_hands() {
    let Some(judge) = judge() else { return };
    let directory = tempfile::tempdir().unwrap();
    let Some(()) = openssl_identity(directory.path()) else {
        return;
    };
    let store = directory.path().join("kafka1.p12");

    let entries = judge.keystore(&store, Some("secret1"), "PKCS12").unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].alias.as_str(), entries[0].kind.as_str()),
        ("kafka1", "PrivateKeyEntry")
    );
    assert_eq!(entries[0].key_algorithm.as_deref(), Some("EC"));
    assert_eq!(entries[0].chain[0].subject, "CN=kafka1,O=Example");
    assert_eq!(entries[0].chain[0].issuer, "CN=ca");
    assert_eq!(
        judge
            .keystore(&store, Some("wrong"), "PKCS12")
            .unwrap_err()
            .class,
        "IOException"
    );

    let (store, ca) = (
        store.display().to_string(),
        directory.path().join("ca.pem").display().to_string(),
    );
    let trust = [
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", ca.as_str()),
    ];
    let identity = [
        ("ssl.keystore.type", "PKCS12"),
        ("ssl.keystore.location", store.as_str()),
        ("ssl.keystore.password", "secret1"),
        ("ssl.key.password", "secret1"),
    ];
    let mutual = [("ssl.client.auth", "required")];
    let server = [&trust[..], &identity, &mutual].concat();
    let client = [&trust[..], &identity].concat();

    let session = judge
        .handshake(&server, &client, "kafka1.example.com")
        .unwrap();
    assert_eq!(session.protocol, "TLSv1.3");
    assert_eq!(
        session.client_subject.as_deref(),
        Some("CN=kafka1,O=Example")
    );
    let one_sided = judge
        .handshake(&client, &trust, "kafka1.example.com")
        .unwrap();
    assert_eq!(one_sided.client_subject, None);
    let old = [
        &client[..],
        &[
            ("ssl.enabled.protocols", "TLSv1.2"),
            ("ssl.protocol", "TLSv1.2"),
        ],
    ]
    .concat();
    assert_eq!(
        judge
            .handshake(&server, &old, "kafka1.example.com")
            .unwrap()
            .protocol,
        "TLSv1.2"
    );

    let refusal =
        |client: &[(&str, &str)], host| judge.handshake(&server, client, host).unwrap_err().message;
    let other_name = refusal(&client, "kafka2.example.com");
    assert!(
        other_name.starts_with("client: No subject alternative DNS name"),
        "{other_name}"
    );
    let without_certificate = refusal(&trust, "kafka1.example.com");
    assert!(
        without_certificate.starts_with("server: "),
        "{without_certificate}"
    );
    let without_trust = refusal(&identity, "kafka1.example.com");
    assert!(without_trust.starts_with("client: "), "{without_trust}");
}

#[test]
fn the_program_runs_apart_from_the_environment_of_the_tests() {
    let kpki = Kpki::new();
    let command = kpki.command(&["--version"]);
    let names: Vec<_> = command
        .get_envs()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(names, ["HOME", "KPKI_CA_PASSPHRASE", "NO_COLOR", "PATH"]);
    assert_eq!(kpki.run(&["--no-such-option"]).stdout, "");
}

#[test]
fn ports_are_different() {
    let mut ports = ports::free::<20>();
    ports.sort_unstable();
    assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{ports:?}");
}
