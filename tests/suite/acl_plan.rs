//! `kpki acl plan`, from an export of the cluster's ACLs.

use serde_json::{Value, json};

use crate::support::kpki::Kpki;

const POLICY: &str = "\
cluster: {admin: admin}
clients:
  - {name: admin}
  - {name: a, roles: [{produce: {topic: orders}}, {consume: {topic: clicks, group: a}}]}
";

fn binding(kind: &str, name: &str, principal: &str, operation: &str, permission: &str) -> Value {
    json!({"resource_type": kind, "pattern_type": "LITERAL", "name": name, "principal": principal,
           "host": "*", "operation": operation, "permission": permission})
}

fn observed() -> Vec<Value> {
    vec![
        binding("TOPIC", "orders", "User:a", "WRITE", "ALLOW"),
        binding("TOPIC", "old", "User:a", "READ", "ALLOW"),
        binding("TOPIC", "old", "User:z", "READ", "ALLOW"),
    ]
}

fn kpki(policy: &str, observed: &[Value]) -> Kpki {
    let kpki = Kpki::new();
    kpki.write("p.yaml", policy);
    let lines: Vec<String> = observed.iter().map(|b| format!("{b}\n")).collect();
    kpki.write("acls.jsonl", &lines.concat());
    kpki
}

const PLAN: [&str; 5] = ["acl", "plan", "p.yaml", "--observed", "acls.jsonl"];

#[test]
fn a_plan_creates_and_deletes_only_when_told_to_and_what_is_managed() {
    let kpki = kpki(POLICY, &observed());
    let plan = kpki.json(&[&PLAN[..], &["--json"]].concat());
    let creates = json!([
        binding("TOPIC", "clicks", "User:a", "READ", "ALLOW"),
        binding("GROUP", "a", "User:a", "READ", "ALLOW"),
    ]);
    assert_eq!(plan["version"], 1);
    assert_eq!(plan["creates"], creates);
    assert_eq!(plan["deletes"], json!([]));
    assert_eq!(plan["unchanged"], 1);
    assert_eq!(plan["left_alone"], 2);
    assert_eq!(plan["warnings"][0]["code"], "surplus");
    assert_eq!(plan["refusals"], json!([]));

    let plan = kpki.json(&[&PLAN[..], &["--json", "--prune"]].concat());
    assert_eq!(plan["creates"], creates);
    assert_eq!(
        plan["deletes"],
        json!([binding("TOPIC", "old", "User:a", "READ", "ALLOW")])
    );
    assert_eq!(plan["warnings"], json!([]));

    let text = kpki.ok(&[&PLAN[..], &["--prune"]].concat());
    assert_eq!(
        text.stdout,
        "\
User:a
  + Allow Read on Topic `clicks`
  - Allow Read on Topic `old`
  + Allow Read on Group `a`
2 to create, 1 to delete, 1 unchanged; 1 binding in the cluster that is not in the policy: left alone
"
    );
    // Who is managed can be said.
    kpki.write(
        "p.yaml",
        &format!("{POLICY}manage: {{principals: [{{prefix: 'User:z'}}]}}\n"),
    );
    let plan = kpki.json(&[&PLAN[..], &["--json", "--prune"]].concat());
    assert_eq!(
        plan["deletes"],
        json!([binding("TOPIC", "old", "User:z", "READ", "ALLOW")])
    );
}

#[test]
fn the_exit_code_says_whether_there_is_something_to_do() {
    let kpki = kpki(POLICY, &observed());
    let code = [&PLAN[..], &["--exit-code"]].concat();
    kpki.run(&code).expect_code(3);
    let expanded = kpki.ok(&["acl", "expand", "p.yaml", "--json"]).stdout;
    kpki.write("acls.jsonl", &expanded);
    let same = kpki.ok(&code);
    assert_eq!(same.stdout, "nothing to change, 3 unchanged\n");
    // A cluster without any.
    kpki.write("acls.jsonl", "");
    let plan = kpki
        .run(&[&code[..], &["--json"]].concat())
        .expect_code(3)
        .json();
    assert_eq!(plan["creates"].as_array().unwrap().len(), 3);
}

#[test]
fn a_plan_is_saved_with_what_it_was_made_from() {
    let kpki = kpki(&format!("{POLICY}include: ['teams/*.yaml']\n"), &observed());
    kpki.write("teams/b.yaml", "clients: [{name: b}]\n");
    let printed = kpki.ok(&[&PLAN[..], &["--prune", "--json", "--save", "plan.json"]].concat());
    let saved = std::fs::read_to_string(kpki.path("plan.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&saved).unwrap(),
        printed.json()
    );
    let plan = kpki::plan::SavedPlan::parse(&saved).unwrap();
    assert_eq!(
        (plan.creates.len(), plan.deletes.len(), plan.prune),
        (2, 1, true)
    );
    assert_eq!(plan.policy, "p.yaml");
    assert_eq!(plan.kafka_version, "4.3");
    let again = || kpki.json(&[&PLAN[..], &["--prune", "--json"]].concat());
    let (policy, cluster) = (&plan.policy_sha256, &plan.observed_sha256);
    assert_eq!(again()["policy_sha256"], **policy);

    // Unmanaged bindings and the order of the lines are no other cluster; a managed binding more is.
    let mut lines = observed();
    lines.reverse();
    lines.push(binding("TOPIC", "x", "User:z", "READ", "ALLOW"));
    let write = |lines: &[Value]| {
        let lines: Vec<String> = lines.iter().map(|b| format!("{b}\n")).collect();
        kpki.write("acls.jsonl", &lines.concat());
    };
    write(&lines);
    assert_eq!(again()["observed_sha256"], **cluster);
    lines.push(binding("TOPIC", "x", "User:a", "READ", "ALLOW"));
    write(&lines);
    assert_ne!(again()["observed_sha256"], **cluster);
    // Included files are part of the policy.
    kpki.write("teams/b.yaml", "clients: [{name: b}]\n\n");
    assert_ne!(again()["policy_sha256"], **policy);

    let nowhere = kpki.run(&[&PLAN[..], &["--json", "--save", "no/such/dir/plan"]].concat());
    assert_eq!(
        nowhere.expect_code(1).json()["error"]["code"],
        "plan-unwritable"
    );
    let unsaid = kpki
        .run(&["acl", "plan", "p.yaml", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(unsaid["error"]["code"], "no-cluster");
}

#[test]
fn guards_speak_up() {
    let many: Vec<Value> = (0..60)
        .map(|n| binding("TOPIC", &format!("t{n}"), "User:a", "READ", "ALLOW"))
        .collect();
    let many = kpki(POLICY, &many);
    let prune = [&PLAN[..], &["--prune"]].concat();
    let out = many.ok(&prune);
    assert!(
        out.stderr.contains("must not be applied as it is: 60 bindings would be deleted, more than 12 (a fifth of the 60 managed ones, and at least 10)"),
        "{}",
        out.stderr
    );
    let told = many.ok(&[&prune[..], &["--max-deletes", "60"]].concat());
    assert_eq!(told.stderr, "");

    // The admin's own right stays, even though the policy says that it is a super user.
    let right = binding("CLUSTER", "kafka-cluster", "User:admin", "ALTER", "ALLOW");
    let own = kpki(POLICY, &[right]);
    let plan = own.json(&[&prune[..], &["--json"]].concat());
    assert_eq!(plan["deletes"], json!([]));
    assert_eq!(plan["warnings"][0]["code"], "operator-right-kept");

    // The first ACL on a resource shuts others out, where everyone is let in without one.
    let open = POLICY.replacen(
        "admin: admin",
        "admin: admin, allow_everyone_if_no_acl_found: true",
        1,
    );
    let open = kpki(&open, &[]);
    let plan = open.json(&[&PLAN[..], &["--json"]].concat());
    assert_eq!(plan["warnings"].as_array().unwrap().len(), 3);
    assert_eq!(plan["warnings"][0]["code"], "first-acl");
}

/// Kafka takes any name; one must not hide what is deleted, nor make up a line of its own.
#[test]
fn names_that_steer_a_terminal_are_shown_escaped() {
    let name = "x\u{1b}[2K\r\u{1b}[8m\nnothing to change";
    let deny = binding("TOPIC", name, "User:a\nUser:b", "READ", "DENY");
    let kpki = kpki(
        &format!("{POLICY}manage: {{principals: [{{prefix: 'User:a'}}]}}\n"),
        &[deny],
    );
    let text = kpki.ok(&[&PLAN[..], &["--prune", "--color", "always"]].concat());
    let shown = r"Deny Read on Topic `x\u{1b}[2K\r\u{1b}[8m\nnothing to change`";
    assert!(text.stdout.contains(shown), "{:?}", text.stdout);
    assert!(text.stdout.contains(r"User:a\nUser:b"), "{:?}", text.stdout);
    for line in text.stdout.lines().chain(text.stderr.lines()) {
        assert!(!line.starts_with("nothing") && !line.contains("\u{1b}[8m"));
        assert!(!line.contains("\u{1b}[2K"), "{line:?}");
    }
}

#[test]
fn a_plan_takes_the_place_of_a_plan_and_of_nothing_else() {
    let kpki = kpki(POLICY, &observed());
    let save = |path: &str| kpki.run(&[&PLAN[..], &["--json", "--save", path]].concat());
    std::os::unix::fs::symlink("acls.jsonl", kpki.path("link")).unwrap();
    std::fs::create_dir(kpki.path("dir.plan")).unwrap();
    for path in ["p.yaml", "acls.jsonl", "link", "dir.plan"] {
        let refused = save(path).expect_code(1);
        assert_eq!(refused.json()["error"]["code"], "file-exists", "{path}");
    }
    assert_eq!(
        std::fs::read_to_string(kpki.path("p.yaml")).unwrap(),
        POLICY
    );
    kpki.write("empty", "");
    kpki.write("damaged.plan", "{");
    for path in ["new", "new", "empty", "damaged.plan"] {
        save(path).expect_code(0);
    }
}
