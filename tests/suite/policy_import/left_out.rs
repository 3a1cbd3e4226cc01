//! What is not imported: it is told with its line, and no plan deletes it.

use serde_json::Value;

use super::{binding, import, import_to_file, imported, left};
use crate::support::kpki::Kpki;

/// Those of the principals whose other rights a plan with `--prune` deletes, if `imported.yaml` is the policy.
fn pruned(kpki: &Kpki, principals: &[&str]) -> Vec<String> {
    let other = |p: &&str| binding(&format!("{p} * ALLOW READ TOPIC LITERAL another")).to_string();
    let observed: Vec<String> = principals.iter().map(other).collect();
    kpki.write("others.jsonl", &observed.join("\n"));
    let plan = kpki.json(&[
        "acl",
        "plan",
        "imported.yaml",
        "--observed",
        "others.jsonl",
        "--prune",
        "--json",
    ]);
    let deletes = plan["deletes"].as_array().unwrap().iter();
    let principal = |b: &Value| b["principal"].as_str().unwrap().to_owned();
    deletes.map(principal).collect()
}

#[test]
fn only_who_came_over_whole_loses_other_rights() {
    let kpki = Kpki::new();
    kpki.write(
        "acls.txt",
        "Current ACLs for resource `Topic:t`:
\tUser:whole has Allow permission for operations: Read from hosts: *
\tUser:part has Allow permission for operations: Read from hosts: *
\tUser:part has Allow permission for operations: Fly from hosts: *
\tUser:name has Allow permission for operations: Read from hosts: *
Current ACLs for resource `Moon:m`:
\tUser:moon has Allow permission for operations: Read from hosts: *
Current ACLs for resource `Group:g`:
\tUser:moon has Allow permission for operations: Read from hosts: *
Current ACLs for resource `Group:name-*`:
\tUser:name has Allow permission for operations: Read from hosts: *
",
    );
    kpki.write(
        "users.yaml",
        "kind: KafkaUser
metadata: {name: whole}
spec:
  quotas: {producerByteRate: 1}
  authorization:
    type: simple
    acls: [{resource: {type: topic, name: t}, operations: [Read]}]
---
kind: KafkaUser
metadata: {name: part}
spec:
  authorization:
    type: simple
    acls:
      - {resource: {type: topic, name: t}, operations: [Read]}
      - {resource: {type: moon, name: t}, operations: [Read]}
---
kind: KafkaUser
metadata: {name: name}
spec:
  roles: [all]
  authorization:
    type: simple
    acls: [{resource: {type: topic, name: t}, operations: [Read]}]
---
kind: KafkaUser
metadata: {name: moon}
spec:
  authorization:
    type: simple
    acls: [{resource: {type: topic, name: t, phase: full}, operations: [Read]}]
",
    );
    kpki.write(
        "state.yaml",
        "topics: {t: {partitions: 1}}
services:
  whole: {type: application, principal: 'User:whole', produces: [t]}
  part: {type: application, principal: 'User:part', produces: [t], owns: [t]}
users:
  name: {principal: 'User:name', roles: [reader, king]}
  moon: {principal: 'User:moon', roles: [writer]}
customUserAcls:
  moon:
    odd: {name: t, type: MOON, pattern: LITERAL, host: '*', operation: ALTER, permission: ALLOW}
",
    );
    kpki.write(
        "topology.yaml",
        "context: shop
projects:
  - name: p
    consumers: [{principal: 'User:whole'}, {principal: 'User:name'}]
    streams:
      - principal: User:part
        topics: {read: [t], delete: [t]}
        observerPrincipals: [{principal: 'User:moon'}]
    connectors: [{principal: 'User:moon', connectors: [c]}]
    topics: [{name: t, config: {num.partitions: 1}}]
platform:
  control_center: {instances: [{principal: 'User:name', appId: c3}]}
",
    );
    let told: [(&str, &[(u64, &str)]); 4] = [
        (
            "acls.txt",
            &[
                (4, "User:part has Allow permission for operations: Fly"),
                (6, "Current ACLs for resource `Moon:m`:"),
                (7, "User:moon has"),
                (11, "Allow User:name Read on Group `name-*`"),
            ],
        ),
        (
            "users.yaml",
            &[
                (4, "the quotas of whole"),
                (16, "an ACL of part"),
                (21, "`roles` of User:name"),
                (31, "`phase` of User:moon"),
            ],
        ),
        (
            "state.yaml",
            &[
                (1, "the topics"),
                (4, "`owns` of User:part"),
                (6, "the role king of name"),
                (10, "the ACL odd of moon"),
            ],
        ),
        (
            "topology.yaml",
            &[
                (7, "`delete` of User:part"),
                (8, "`observerPrincipals` of User:part"),
                (9, "the connectors of User:moon"),
                (12, "`control_center` of the platform"),
            ],
        ),
    ];
    let principals = ["User:whole", "User:part", "User:name", "User:moon"];
    for (file, expected) in told {
        let left = left(&import_to_file(&kpki, file));
        assert_eq!(left.len(), expected.len(), "{file}: {left:?}");
        for (left, (line, what)) in left.iter().zip(expected) {
            assert!(
                left.0 == *line && left.1.starts_with(what),
                "{file}: {left:?}"
            );
        }
        let text = std::fs::read_to_string(kpki.path("imported.yaml")).unwrap();
        for principal in principals {
            let entry = format!("- principal: {principal}\n");
            assert!(text.contains(&entry), "{file}: {text}");
        }
        assert_eq!(pruned(&kpki, &principals), ["User:whole"], "{file}: {text}");
    }
    // Others of the state are in another file.
    let state = std::fs::read_to_string(kpki.path("state.yaml")).unwrap();
    kpki.write(
        "state.yaml",
        &format!("{state}settings: {{files: {{users: users.yaml}}}}\n"),
    );
    import_to_file(&kpki, "state.yaml");
    assert_eq!(pruned(&kpki, &principals), [""; 0]);
    // Of a damaged line, nobody knows whose it was.
    kpki.write(
        "cut.txt",
        "Current ACLs for resource `Topic:t`:\n(principal=User:whole, host=*, operation=READ, permissionType=ALLOW)\n(principal=User:whole, host=*, oper",
    );
    import_to_file(&kpki, "cut.txt");
    assert_eq!(pruned(&kpki, &principals), [""; 0]);
}

#[test]
fn the_hint_to_manage_a_principal_says_what_prune_then_deletes() {
    let kpki = Kpki::new();
    kpki.write(
        "acls.txt",
        "Current ACLs for resource `Group:app-*`:\n\tUser:app has Allow permission for operations: Read from hosts: *\nCurrent ACLs for resource `Topic:t`:\n\tUser:app has Allow permission for operations: Read from hosts: *\n",
    );
    let expected = ["User:app * ALLOW READ TOPIC LITERAL t"].map(binding);
    let told = imported(&kpki, "acls.txt", &expected);
    assert_eq!(told[0].0, 2, "{told:?}");
    let lint = kpki.ok(&["acl", "lint", "imported.yaml"]).stdout;
    assert!(
        lint.contains("--prune then deletes its ACLs that are not in the policy"),
        "{lint}"
    );
}

#[test]
fn what_add_says_of_its_changes_is_not_missing() {
    let kpki = Kpki::new();
    let entry = "(principal=User:a, host=10.0.0.1, operation=WRITE, permissionType=ALLOW)";
    let resource = "resource `ResourcePattern(resourceType=TOPIC, name=t, patternType=LITERAL)`";
    let added = format!("Adding ACLs for {resource}: \n \t{entry} \n\n");
    let current = format!("Current ACLs for {resource}: \n \t{entry} \n\n");
    kpki.write("add.txt", &(added.clone() + &current));
    let expected = ["User:a 10.0.0.1 ALLOW WRITE TOPIC LITERAL t"].map(binding);
    assert_eq!(imported(&kpki, "add.txt", &expected), []);
    import(&kpki, &["add.txt", "--strict"]).expect_code(0);
    // It lists the same resource only: others are not shown.
    assert_eq!(pruned(&kpki, &["User:a"]), [""; 0]);
    // Without the list that follows, nobody knows what was there before.
    kpki.write("cut.txt", &added);
    let said = import(&kpki, &["cut.txt", "--from", "kafka-acls", "--strict"]).expect_code(3);
    let told = format!("cut.txt:2: {entry}");
    assert!(said.stderr.contains(&told), "{}", said.stderr);
}
