//! `kpki policy import`: what other tools keep becomes a policy that plans to nothing in their cluster.

#[cfg(feature = "live")]
mod live;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::kpki::{Kpki, Output};

/// A binding in one line: principal, host, permission, operation, resource type, pattern type and name.
fn binding(line: &str) -> Value {
    let words: Vec<&str> = line.splitn(7, ' ').collect();
    json!({
        "principal": words[0], "host": words[1], "permission": words[2], "operation": words[3],
        "resource_type": words[4], "pattern_type": words[5], "name": words[6],
    })
}

/// Allowed from everywhere: `READ WRITE` on `TOPIC LITERAL orders`.
fn allowed(principal: &str, operations: &str, resource: &str) -> Vec<Value> {
    let operations = operations.split(' ');
    operations
        .map(|operation| binding(&format!("{principal} * ALLOW {operation} {resource}")))
        .collect()
}

/// Imports a file and holds what comes out against the bindings that the other tool makes. The lines and beginnings of
/// what is not taken over.
fn imported(kpki: &Kpki, file: &str, expected: &[Value]) -> Vec<(u64, String)> {
    let _ = std::fs::remove_file(kpki.path("imported.yaml"));
    let import = [
        "policy",
        "import",
        file,
        "--out-file",
        "imported.yaml",
        "--json",
    ];
    let document = kpki.json(&import);
    let lines = |bindings: &[Value]| -> BTreeSet<String> {
        bindings.iter().map(Value::to_string).collect()
    };
    let expanded = kpki.ok(&["acl", "expand", "imported.yaml", "--json"]);
    assert_eq!(lines(&expanded.json_lines()), lines(expected), "{file}");
    let observed: String = expected.iter().map(|b| format!("{b}\n")).collect();
    kpki.write("observed.jsonl", &observed);
    let plan = [
        "acl",
        "plan",
        "imported.yaml",
        "--observed",
        "observed.jsonl",
    ];
    let plan = kpki.json(&[&plan[..], &["--prune", "--exit-code", "--json"]].concat());
    assert_eq!(
        (&plan["creates"], &plan["deletes"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(document["bindings"], expanded.json_lines().len());
    let left = document["not_taken"].as_array().unwrap().iter();
    left.map(|l| {
        (
            l["line"].as_u64().unwrap(),
            l["what"].as_str().unwrap().to_owned(),
        )
    })
    .collect()
}

fn import(kpki: &Kpki, rest: &[&str]) -> Output {
    kpki.run(&[&["policy", "import"], rest].concat())
}

#[test]
fn a_list_of_kafka_acls_comes_over_whole() {
    let kpki = Kpki::new();
    kpki.write(
        "acls.txt",
        "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=orders, patternType=LITERAL)`: \n \t(principal=User:CN=app,OU=x, host=*, operation=WRITE, permissionType=ALLOW)\n\t(principal=User:*, host=10.0.0.7, operation=READ, permissionType=DENY) \n\nCurrent ACLs for resource `ResourcePattern(resourceType=GROUP, name=app-, patternType=PREFIXED)`: \n \t(principal=User:app, host=*, operation=READ, permissionType=ALLOW) \n\nCurrent ACLs for resource `ResourcePattern(resourceType=CLUSTER, name=kafka-cluster, patternType=LITERAL)`: \n \t(principal=User:app, host=*, operation=CLUSTER_ACTION, permissionType=ALLOW) \n\nCurrent ACLs for resource `ResourcePattern(resourceType=TRANSACTIONAL_ID, name=*, patternType=LITERAL)`: \n \t(principal=User:app, host=*, operation=ALL, permissionType=ALLOW) \n",
    );
    let expected = [
        "User:CN=app,OU=x * ALLOW WRITE TOPIC LITERAL orders",
        "User:* 10.0.0.7 DENY READ TOPIC LITERAL orders",
        "User:app * ALLOW READ GROUP PREFIXED app-",
        "User:app * ALLOW CLUSTER_ACTION CLUSTER LITERAL kafka-cluster",
        "User:app * ALLOW ALL TRANSACTIONAL_ID LITERAL *",
    ];
    assert_eq!(imported(&kpki, "acls.txt", &expected.map(binding)), []);
    // As of Kafka 1 and 2.
    kpki.write(
        "old.txt",
        "Current ACLs for resource `Topic:orders`: \n \tUser:app has Allow permission for operations: Read from hosts: * \n\nCurrent ACLs for resource `TransactionalId:PREFIXED:app-`: \n \tUser:app has Deny permission for operations: Describe from hosts: 10.0.0.1 \n",
    );
    let expected = [
        "User:app * ALLOW READ TOPIC LITERAL orders",
        "User:app 10.0.0.1 DENY DESCRIBE TRANSACTIONAL_ID PREFIXED app-",
    ];
    assert_eq!(imported(&kpki, "old.txt", &expected.map(binding)), []);
}

#[test]
fn strimzis_users_come_over_with_their_principals() {
    let kpki = Kpki::new();
    kpki.write(
        "users.yaml",
        "apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaUser
metadata:
  name: shop
  labels: {strimzi.io/cluster: east}
spec:
  authentication:
    type: tls
  authorization:
    type: simple
    acls:
      - resource: {type: topic, name: carts, patternType: literal}
        operations: [Describe, Read]
        host: '*'
      - resource: {type: group, name: shop-, patternType: prefix}
        operations: [Read]
      - resource: {type: cluster}
        type: deny
        operations: [Alter]
        host: 10.1.2.3
      - resource: {type: transactionalId, name: shop}
        operation: Write
      - resource: {type: moon, name: m}
        operations: [Read]
  quotas:
    producerByteRate: 1000
---
apiVersion: v1
kind: List
items:
  - kind: KafkaUser
    metadata: {name: audit}
    spec:
      authentication: {type: scram-sha-512}
      authorization:
        type: simple
        acls:
          - resource: {type: topic, name: '*'}
            operations: [All]
  - kind: Secret
    metadata: {name: audit}
",
    );
    let expected = [
        "User:CN=shop * ALLOW DESCRIBE TOPIC LITERAL carts",
        "User:CN=shop * ALLOW READ TOPIC LITERAL carts",
        "User:CN=shop * ALLOW READ GROUP PREFIXED shop-",
        "User:CN=shop 10.1.2.3 DENY ALTER CLUSTER LITERAL kafka-cluster",
        "User:CN=shop * ALLOW WRITE TRANSACTIONAL_ID LITERAL shop",
        "User:audit * ALLOW ALL TOPIC LITERAL *",
    ];
    let left = imported(&kpki, "users.yaml", &expected.map(binding));
    let expected = [
        (7, "the tls credentials of shop"),
        (23, "an ACL of shop"),
        (25, "the quotas of shop"),
        (34, "the scram-sha-512 credentials of audit"),
        (40, "a resource of kind Secret"),
    ];
    let expected = expected.map(|(line, what)| (line, what.to_owned()));
    assert_eq!(left, expected);
}

#[test]
fn a_state_in_several_files_names_those_that_are_missing() {
    let kpki = Kpki::new();
    kpki.write(
        "state.yaml",
        "settings:
  files:
    services: services.yaml
    users: people/users.yaml
",
    );
    let left = imported(&kpki, "state.yaml", &[]);
    let expected = [
        (3, "the services in services.yaml"),
        (4, "the users in people/users.yaml"),
    ];
    assert_eq!(left, expected.map(|(line, what)| (line, what.to_owned())));
}

#[test]
fn a_state_of_kafka_gitops_comes_over_with_what_it_implies() {
    let kpki = Kpki::new();
    kpki.write(
        "state.yaml",
        "settings:
  topics:
    defaults: {replication: 3}
topics:
  t: {partitions: 1}
services:
  web:
    type: application
    principal: User:web
    produces: [clicks]
    consumes: [orders]
  jobs:
    type: application
    principal: User:jobs
    group-id: jobs-*
    consumes: [orders]
  sums:
    type: kafka-streams
    principal: User:sums
    application-id: sums-v2
    produces: [totals]
    consumes: [clicks]
  pipes:
    type: kafka-connect
    principal: User:pipes
    storage-topics: {status: pipes.status}
    connectors:
      in: {produces: [raw]}
      out: {consumes: [totals]}
  cloud:
    type: application
    produces: [x]
users:
  ops:
    principal: User:ops
    roles: [operator, writer, king]
  see:
    principal: User:see
    roles: [reader]
customServiceAcls:
  web:
    extra: {name: web., type: TOPIC, pattern: PREFIXED, host: 10.0.0.9, principal: 'User:web', operation: READ, permission: DENY}
customUserAcls:
  ops:
    more: {name: kafka-cluster, type: CLUSTER, pattern: LITERAL, host: '*', operation: ALTER, permission: ALLOW}
    odd: {name: t, type: TOPIC, pattern: MATCH, host: '*', operation: ALTER, permission: ALLOW}
",
    );
    let mut expected: Vec<Value> = [
        ("User:web", "WRITE", "TOPIC LITERAL clicks"),
        ("User:web", "READ", "TOPIC LITERAL orders"),
        ("User:web", "READ", "GROUP LITERAL web"),
        ("User:jobs", "READ", "TOPIC LITERAL orders"),
        ("User:jobs", "READ", "GROUP PREFIXED jobs-"),
        ("User:sums", "WRITE", "TOPIC LITERAL totals"),
        ("User:sums", "READ", "TOPIC LITERAL clicks"),
        (
            "User:sums",
            "READ WRITE CREATE DELETE ALTER DESCRIBE DESCRIBE_CONFIGS ALTER_CONFIGS",
            "TOPIC PREFIXED sums-v2",
        ),
        ("User:sums", "READ DESCRIBE DELETE", "GROUP LITERAL sums-v2"),
        (
            "User:sums",
            "DESCRIBE_CONFIGS",
            "CLUSTER LITERAL kafka-cluster",
        ),
        (
            "User:pipes",
            "READ WRITE",
            "TOPIC LITERAL connect-configs-pipes",
        ),
        (
            "User:pipes",
            "READ WRITE",
            "TOPIC LITERAL connect-offsets-pipes",
        ),
        ("User:pipes", "READ WRITE", "TOPIC LITERAL pipes.status"),
        ("User:pipes", "READ", "GROUP LITERAL pipes"),
        ("User:pipes", "WRITE", "TOPIC LITERAL raw"),
        ("User:pipes", "READ", "TOPIC LITERAL totals"),
        ("User:pipes", "READ", "GROUP LITERAL connect-out"),
        (
            "User:ops",
            "DESCRIBE ALTER",
            "CLUSTER LITERAL kafka-cluster",
        ),
        (
            "User:ops",
            "DESCRIBE DESCRIBE_CONFIGS WRITE",
            "TOPIC LITERAL *",
        ),
        ("User:ops", "READ DESCRIBE", "GROUP LITERAL *"),
        ("User:see", "READ", "TOPIC LITERAL *"),
        ("User:see", "READ", "GROUP LITERAL *"),
    ]
    .iter()
    .flat_map(|(principal, operations, resource)| allowed(principal, operations, resource))
    .collect();
    expected.push(binding("User:web 10.0.0.9 DENY READ TOPIC PREFIXED web."));
    let left = imported(&kpki, "state.yaml", &expected);
    let told = [
        (2, "the settings of topics"),
        (4, "the topics"),
        (30, "the service cloud"),
        (36, "the role king of ops"),
        (46, "the ACL odd of ops"),
    ];
    assert_eq!(left, told.map(|(line, what)| (line, what.to_owned())));

    kpki.write(
        "describe.yaml",
        "settings:\n  services:\n    acls: {describeTopicEnabled: true}\nservices:\n  web: {type: application, principal: 'User:web', produces: [t]}\n",
    );
    let expected = allowed("User:web", "WRITE DESCRIBE", "TOPIC LITERAL t");
    assert_eq!(imported(&kpki, "describe.yaml", &expected), []);
}

#[test]
fn a_topology_of_julie_comes_over_with_the_names_that_it_builds() {
    let kpki = Kpki::new();
    kpki.write(
        "topology.yaml",
        "context: shop
source: web
projects:
  - name: carts
    consumers:
      - principal: User:mail
      - principal: User:sums
        group: sums-*
    producers:
      - principal: User:web
        transactionId: web-*
    streams:
      - principal: User:join
        topics: {read: [a], write: [b]}
    connectors:
      - principal: User:sink
        group: sinks
        status_topic: sinks.status
        topics: {read: [b]}
    topics:
      - name: added
      - name: paid
        dataType: avro
        producers:
          - principal: User:bank
            idempotence: true
  - name: empty
    others: {watcher: [{principal: 'User:eye'}]}
special_topics:
  - name: plain
    consumers: [{principal: 'User:mail', group: '*'}]
platform:
  schema_registry:
    instances:
      - principal: User:registry
  control_center:
    instances: [{principal: 'User:c3', appId: c3}]
",
    );
    let mut expected = Vec::new();
    let mut add = |rows: &[(&str, &str, &str)]| {
        for (principal, operations, resource) in rows {
            expected.extend(allowed(principal, operations, resource));
        }
    };
    for topic in [
        "TOPIC LITERAL shop.web.carts.added",
        "TOPIC LITERAL shop.web.carts.paid.avro",
    ] {
        add(&[
            ("User:mail", "DESCRIBE READ", topic),
            ("User:sums", "DESCRIBE READ", topic),
            ("User:web", "DESCRIBE WRITE", topic),
        ]);
    }
    add(&[
        ("User:mail", "READ", "GROUP LITERAL *"),
        ("User:mail", "DESCRIBE READ", "TOPIC LITERAL plain"),
        ("User:sums", "READ", "GROUP PREFIXED sums-"),
        (
            "User:web",
            "DESCRIBE WRITE",
            "TRANSACTIONAL_ID PREFIXED web-",
        ),
        (
            "User:web",
            "IDEMPOTENT_WRITE",
            "CLUSTER LITERAL kafka-cluster",
        ),
        (
            "User:bank",
            "DESCRIBE WRITE",
            "TOPIC LITERAL shop.web.carts.paid.avro",
        ),
        (
            "User:bank",
            "IDEMPOTENT_WRITE",
            "CLUSTER LITERAL kafka-cluster",
        ),
        ("User:join", "READ", "TOPIC LITERAL a"),
        ("User:join", "WRITE", "TOPIC LITERAL b"),
        ("User:join", "ALL", "TOPIC PREFIXED shop.web.carts"),
        ("User:join", "READ", "GROUP PREFIXED shop.web.carts"),
        ("User:sink", "READ", "TOPIC LITERAL b"),
        ("User:sink", "READ WRITE", "TOPIC LITERAL sinks.status"),
        ("User:sink", "READ WRITE", "TOPIC LITERAL connect-offsets"),
        ("User:sink", "READ WRITE", "TOPIC LITERAL connect-configs"),
        ("User:sink", "READ", "GROUP LITERAL sinks"),
        ("User:sink", "CREATE", "CLUSTER LITERAL kafka-cluster"),
        (
            "User:registry",
            "DESCRIBE_CONFIGS READ WRITE",
            "TOPIC LITERAL _schemas",
        ),
    ]);
    let left = imported(&kpki, "topology.yaml", &expected);
    let told = [
        (28, "`others` of the project shop.web.empty"),
        (36, "`control_center` of the platform"),
    ];
    assert_eq!(left, told.map(|(line, what)| (line, what.to_owned())));
}

#[test]
fn what_is_not_taken_over_is_told_line_by_line_and_with_strict_the_answer_is_no() {
    let kpki = Kpki::new();
    kpki.write(
        "acls.txt",
        "Current ACLs for resource `Topic:t`:\n\tUser:a has Allow permission for operations: Read from hosts: *\nnonsense\n\tUser:b has Allow permission for operations: Fly from hosts: *\n\tUser:c has Allow permission for operations: Read from hosts: not-an-address\n",
    );
    let output = import(&kpki, &["acls.txt"]).expect_code(0);
    assert!(output.stdout.contains("User:a"), "{}", output.stdout);
    assert!(!output.stdout.contains("    - User:c"), "{}", output.stdout);
    for told in [
        "acls.txt:3: nonsense",
        "acls.txt:4: ",
        "Fly",
        "acls.txt: Allow User:c",
    ] {
        assert!(output.stderr.contains(told), "{told}\n{}", output.stderr);
    }
    assert_eq!(
        import(&kpki, &["acls.txt", "--strict"])
            .expect_code(3)
            .stdout,
        output.stdout
    );
    let nothing = kpki.write("no.txt", "Current ACLs for resource `Topic:t`:\n");
    import(&kpki, &[nothing.to_str().unwrap(), "--strict"]).expect_code(0);
}

#[test]
fn a_file_of_no_known_format_is_refused() {
    let mut kpki = Kpki::new();
    kpki.env("NO_COLOR", "1");
    kpki.write("hello.txt", "hello\n");
    let error = import(&kpki, &["hello.txt", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(error["error"]["code"], "import-unrecognised");
    kpki.write("broken.yaml", "services: [\n");
    let error = import(&kpki, &["broken.yaml", "--from", "kafka-gitops", "--json"]);
    let error = error.expect_code(2).json();
    assert_eq!(error["error"]["code"], "import-malformed");
    // Of what is nothing of the format that is said, no line is shown.
    kpki.write(
        "shadow",
        "root:$6$pa55:19000:0:99999:7:::\nbin:*:19000:0:99999:7:::\n",
    );
    kpki.write("other.yaml", "kind: Secret\ndata: {pa55: pa55}\n");
    for format in ["kafka-acls", "strimzi", "kafka-gitops", "julie"] {
        for file in ["shadow", "other.yaml", "hello.txt"] {
            for more in [&[][..], &["--json"]] {
                let import = import(&kpki, &[&[file, "--from", format], more].concat());
                let said = import.expect_code(2);
                assert!(
                    !(said.stdout + &said.stderr).contains("pa55"),
                    "{format} {file}"
                );
            }
        }
        let said = import(&kpki, &["other.yaml", "--from", format, "--json"]).json();
        assert_eq!(said["error"]["code"], "import-malformed", "{format}");
    }
    // A cluster without ACLs, users or rights.
    kpki.write("none.txt", "");
    kpki.write("none.yaml", "kind: List\nitems: []\n");
    kpki.write("topics.yaml", "topics: {a: {b: c}}\ncontext: shop\n");
    for (file, format) in [
        ("none.txt", "kafka-acls"),
        ("none.yaml", "strimzi"),
        ("topics.yaml", "kafka-gitops"),
        ("topics.yaml", "julie"),
    ] {
        let empty = import(&kpki, &[file, "--from", format]).expect_code(0);
        assert!(empty.stdout.contains("acls: []"), "{}", empty.stdout);
    }
    // And nothing is written over another file.
    let over = import(
        &kpki,
        &[
            "topics.yaml",
            "--from",
            "julie",
            "--out-file",
            "broken.yaml",
        ],
    );
    assert!(over.expect_code(1).stderr.contains("already exists"));
}
