use proptest::prelude::*;

use super::*;
use crate::{
    acl::{Operation, ProblemCode},
    plan::{AclInputs, AclPlan, Deletion, Managed, acl_plan},
    policy::{ValidatedPolicy, parse},
};

fn binding(principal: &str, operation: Operation, name: &str) -> RawBinding {
    RawBinding {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        name: name.into(),
        principal: principal.into(),
        host: "*".into(),
        operation,
        permission: Permission::Allow,
    }
}

fn commented(comment: &str) -> WriteOptions {
    WriteOptions {
        comments: vec![comment.to_owned()],
        ..WriteOptions::default()
    }
}

fn read(text: &str) -> ValidatedPolicy {
    parse("export.yaml", text, &|_| Ok(Vec::new()))
        .unwrap_or_else(|all| panic!("{}\n{text}", crate::document::render(&all, false)))
}

/// What a plan of the written policy does to the cluster that it was written from.
fn planned(text: &str, observed: &BTreeSet<RawBinding>) -> AclPlan {
    let policy = read(text);
    let desired: Vec<_> = policy.bindings.iter().map(|b| b.binding.clone()).collect();
    let observed: Vec<_> = observed.iter().cloned().collect();
    let managed = Managed::of(&policy.managed());
    acl_plan(&AclInputs {
        desired: &desired,
        observed: &observed,
        managed: &managed,
        deletion: Deletion {
            prune: true,
            max_deletes: None,
        },
        operator: None,
        operator_doubt: None,
        settings: &policy.settings(),
    })
}

#[test]
fn it_reads_like_a_policy() {
    let prefixed = RawBinding {
        pattern_type: PatternType::Prefixed,
        host: "10.0.0.7".into(),
        permission: Permission::Deny,
        ..binding("User:b", Operation::All, "b-")
    };
    let foreign = RawBinding {
        resource_type: ResourceType::Group,
        ..binding("User:b", Operation::Write, "g")
    };
    let cluster = RawBinding {
        resource_type: ResourceType::Cluster,
        ..binding("User:*", Operation::Describe, "kafka-cluster")
    };
    let bindings = BTreeSet::from([
        binding("User:CN=a, b #1", Operation::Read, "orders"),
        binding("User:CN=a, b #1", Operation::Describe, "orders"),
        binding("User:CN=a, b #1", Operation::Read, "12"),
        binding("User:CN=a, b #1", Operation::Describe, "12"),
        prefixed,
        foreign,
        cluster,
    ]);
    let written = write_acls(&bindings, KafkaVersion::ASSUMED, &commented("From\na test"));
    assert_eq!(
        written.text,
        r#"# From\na test
cluster:
  kafka_version: "4.3"
acls:
  - principal: "User:*"
    allow: [Describe]
    cluster: true

  - principal: "User:CN=a, b #1"
    allow: [Read, Describe]
    topic: ["12", orders]

  - principal: User:b
    host: "10.0.0.7"
    deny: [All]
    topic: {prefix: b-}
# The cluster also has these bindings, which a policy cannot contain; they are left unchanged:
#   Allow User:b Write on Group `g` from *
#     operation Write does not apply to a Group in Kafka 4.3
manage:
  principals:
    - "User:*"
    - "User:CN=a, b #1"
    # If these are managed too, --prune deletes the bindings in the comment above:
    # - User:b
"#
    );
    assert_eq!(written.left_out[0].code, ProblemCode::OperationForeign);
    let plan = planned(&written.text, &bindings);
    assert!(plan.is_empty());
    assert_eq!((plan.unchanged, plan.left_alone), (6, 1));
    // As the comment says.
    let plan = planned(&written.text.replace("# - User:b", "- User:b"), &bindings);
    assert_eq!(plan.deletes, [written.left_out[0].binding.clone()]);
}

#[test]
fn who_may_have_other_rights_is_not_managed() {
    let bindings = BTreeSet::from([
        binding("User:a", Operation::Read, "t"),
        binding("User:b", Operation::Read, "t"),
    ]);
    let options = WriteOptions {
        incomplete: BTreeSet::from(["User:b".to_owned(), "User:c".to_owned()]),
        whole_subjects: true,
        ..WriteOptions::default()
    };
    let written = write_acls(&bindings, KafkaVersion::ASSUMED, &options);
    let mut observed = bindings.clone();
    observed.insert(binding("User:b", Operation::Write, "t"));
    assert!(planned(&written.text, &observed).is_empty());
    // As the comment says.
    let plan = planned(&written.text.replace("# - User:b", "- User:b"), &observed);
    assert_eq!(plan.deletes, [binding("User:b", Operation::Write, "t")]);
    assert!(!written.text.contains("User:c"), "{}", written.text);
    let rules = "principal_mapping_rules: [DEFAULT]";
    assert!(written.text.contains(rules), "{}", written.text);
}

#[test]
fn an_empty_cluster_is_a_policy_without_acls() {
    let none = BTreeSet::new();
    let written = write_acls(&none, KafkaVersion::new(2, 2), &WriteOptions::default());
    let policy = read(&written.text);
    assert_eq!((policy.bindings.len(), policy.managed().len()), (0, 0));
}

#[test]
fn long_lists_have_a_line_for_each_entry() {
    let bindings: BTreeSet<_> = (0..20)
        .map(|n| binding("User:a", Operation::Read, &format!("a-long-name-{n}")))
        .collect();
    let written = write_acls(&bindings, KafkaVersion::ASSUMED, &WriteOptions::default());
    assert!(written.text.lines().all(|line| line.len() <= LINE));
    assert_eq!(planned(&written.text, &bindings).unchanged, 20);
}

/// Texts that a careless writer breaks on, and any others.
fn text() -> impl Strategy<Value = String> {
    let nasty = [
        "*",
        "-x",
        "- x",
        "# x",
        "a #b",
        "a: b",
        "a:",
        ":a",
        "'a'",
        "\"a\"",
        "a\\b",
        "{a}",
        "[a]",
        "a, b",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "|",
        ">",
        "?",
        "~",
        "null",
        "yes",
        "12",
        "1e3",
        "0x1f",
        ".5",
        "<<",
        "---",
        "...",
        " a",
        "a ",
        "a\nb",
        "a\r\nb",
        "a\tb",
        "a\0b",
        "\u{feff}a",
        "a\u{85}b",
        "a\u{2028}b",
        "\u{202e}a",
        "\u{fffe}",
        "Größe",
        "日本",
        "\u{1f600}",
        "\u{10ffff}",
        "orders",
        "o*",
        "a.b",
        "kafka-cluster",
        "User:x",
        "#g",
        "",
    ];
    prop_oneof![
        4 => prop::sample::select(nasty.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~]{0,6}",
    ]
}

fn observed() -> impl Strategy<Value = BTreeSet<RawBinding>> {
    let principal = prop_oneof![
        3 => text().prop_map(|name| format!("User:{name}")),
        1 => text().prop_map(|name| format!("Group:{name}")),
        1 => text(),
    ];
    let hosts = [
        "*",
        "10.0.0.1",
        "::1",
        "0:0:0:0:0:0:0:1",
        "fe80:0:0:0:0:0:0:1%eth0",
        "localhost",
        "10.1.2.3/8",
        "10.0.0.0/8",
        "0.0.0.0",
        "2001:db8::/32",
    ];
    let host =
        prop_oneof![4 => prop::sample::select(hosts.to_vec()).prop_map(str::to_owned), 1 => text()];
    let one = (
        prop::sample::select(ResourceType::ALL),
        prop::sample::select(PatternType::ALL),
        text(),
        principal,
        host,
        prop::sample::select(Operation::ALL),
        prop::sample::select(Permission::ALL),
    );
    let one = one.prop_map(
        |(kind, pattern_type, name, principal, host, operation, permission)| RawBinding {
            resource_type: kind,
            pattern_type,
            name: if kind == ResourceType::Cluster && !name.is_empty() {
                "kafka-cluster"
            } else {
                &name
            }
            .into(),
            principal: principal.into(),
            host: host.into(),
            operation,
            permission,
        },
    );
    prop::collection::btree_set(one, 0..60)
}

proptest! {
    #[test]
    fn whatever_a_cluster_holds_its_policy_plans_to_no_change(
        bindings in observed(),
        version in prop::sample::select(vec![(2, 2), (3, 9), (4, 3), (4, 4)]),
        comment in text(),
    ) {
        let version = KafkaVersion::new(version.0, version.1);
        let written = write_acls(&bindings, version, &commented(&comment));
        let plan = planned(&written.text, &bindings);
        prop_assert!(plan.is_empty(), "{plan:?}\n{}", written.text);
        prop_assert_eq!(plan.left_alone, written.left_out.len());
        prop_assert_eq!(plan.unchanged + plan.left_alone, bindings.len());
        prop_assert_eq!(plan.refusals, []);
        // What is sound is said, but for what has another form in a policy.
        for left in &written.left_out {
            prop_assert_eq!(left.code == NO_WORDS, left.binding.problems(version).is_empty());
        }
    }
}
