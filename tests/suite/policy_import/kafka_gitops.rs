//! State files of kafka-gitops.

use serde_json::Value;

use super::{allowed, binding, imported};
use crate::support::kpki::Kpki;

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
fn custom_acls_of_whom_kafka_gitops_does_not_have_are_not_imported() {
    let kpki = Kpki::new();
    let acl =
        "{name: t, type: TOPIC, pattern: LITERAL, host: '*', operation: READ, permission: ALLOW";
    kpki.write(
        "state.yaml",
        &format!(
            "services:
  web: {{type: application, principal: 'User:web', produces: [t]}}
users:
  ops: {{principal: 'User:ops'}}
customServiceAcls:
  web:
    named: {acl}, principal: 'User:cat'}}
    nameless: {acl}}}
  nobody:
    ghost: {acl}, principal: 'User:ghost'}}
customUserAcls:
  ops:
    nameless: {acl}}}
  web:
    service: {acl}, principal: 'User:web'}}
"
        ),
    );
    let read = |principal| allowed(principal, "READ", "TOPIC LITERAL t");
    let mut expected = allowed("User:web", "WRITE", "TOPIC LITERAL t");
    expected.extend(read("User:cat"));
    expected.extend(read("User:ops"));
    let told = [
        (8, "the ACL nameless of web"),
        (10, "the ACL ghost of nobody"),
        (15, "the ACL service of web"),
    ];
    let told = told.map(|(line, what)| (line, what.to_owned()));
    assert_eq!(imported(&kpki, "state.yaml", &expected), told);
    // Principals of Confluent Cloud are not those of the file.
    kpki.write(
        "state.yaml",
        "settings: {ccloud: {enabled: true}}\nservices:\n  web: {type: application, principal: 'User:web', produces: [t]}\n",
    );
    let told = [(1, "the settings of ccloud"), (2, "`services`")];
    let told = told.map(|(line, what)| (line, what.to_owned()));
    assert_eq!(imported(&kpki, "state.yaml", &[]), told);
}
