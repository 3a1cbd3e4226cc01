//! `kpki policy import`: what other tools keep becomes a policy that plans to nothing in their cluster.

mod julie;
mod kafka_gitops;
mod left_out;
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
    let document = import_to_file(kpki, file);
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
    left(&document)
}

/// Imports a file to `imported.yaml`.
fn import_to_file(kpki: &Kpki, file: &str) -> Value {
    let _ = std::fs::remove_file(kpki.path("imported.yaml"));
    let to = ["--out-file", "imported.yaml", "--json"];
    kpki.json(&[&["policy", "import", file], &to[..]].concat())
}

/// The lines and beginnings of what was not taken over.
fn left(document: &Value) -> Vec<(u64, String)> {
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
fn a_completed_policy_gives_strimzis_users_what_they_had() {
    let kpki = Kpki::new();
    kpki.write(
        "users.yaml",
        "kind: KafkaUser
metadata: {name: shop}
spec:
  authentication: {type: tls}
  authorization:
    type: simple
    acls: [{resource: {type: topic, name: carts}, operations: [Read]}]
---
kind: KafkaUser
metadata: {name: audit}
spec:
  authentication: {type: scram-sha-512}
  authorization:
    type: simple
    acls: [{resource: {type: topic, name: carts}, operations: [Read]}]
",
    );
    import_to_file(&kpki, "users.yaml");
    let imported = std::fs::read_to_string(kpki.path("imported.yaml")).unwrap();
    let completed = format!(
        "{imported}brokers: [{{name: kafka1}}]
clients:
  - {{name: shop, auth: tls, roles: [{{produce: {{topic: made}}}}]}}
  - {{name: audit, auth: scram-sha-512, roles: [{{produce: {{topic: made}}}}]}}
"
    );
    kpki.write("completed.yaml", &completed);
    let lint = kpki.ok(&["acl", "lint", "completed.yaml", "--json"]);
    assert!(!lint.stdout.contains("principal"), "{}", lint.stdout);
    let expanded = kpki.ok(&["acl", "expand", "completed.yaml", "--json"]);
    let made = expanded.json_lines().into_iter();
    let made: Vec<Value> = made.filter(|b| b["name"] == "made").collect();
    let principals: Vec<&Value> = made.iter().map(|b| &b["principal"]).collect();
    assert_eq!(principals, ["User:CN=shop", "User:audit"]);
    for principal in principals {
        for (operation, topic) in [("Read", "carts"), ("Write", "made")] {
            let explain = ["acl", "explain", "completed.yaml", "--principal"];
            let request = [principal.as_str().unwrap(), "--operation", operation];
            kpki.ok(&[&explain[..], &request, &["--topic", topic]].concat());
        }
    }
    // Where nobody has a certificate, the default rules are kept.
    kpki.write(
        "scram.yaml",
        "kind: KafkaUser\nmetadata: {name: a}\nspec: {authentication: {type: scram-sha-512}}\n",
    );
    let said = import(&kpki, &["scram.yaml"]).stdout;
    assert!(!said.contains("mapping"), "{said}");
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
        "acls.txt:5: Allow User:c",
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
