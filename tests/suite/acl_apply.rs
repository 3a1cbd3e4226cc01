//! `kpki acl plan` and `kpki acl apply` against a real broker, judged by Kafka's own admin client.

use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kpki::Kpki,
    one_broker::OneBroker,
    ports,
};

const QUICKSTART: &str = "\
clients:
  - {name: admin, auth: tls}
  - name: orders-service
    auth: tls
    roles:
      - produce: {topic: orders, create: true}
      - consume: {topic: payments, group: orders-service}
  - name: analytics
    auth: scram-sha-512
    roles:
      - consume: {topic: [orders, {prefix: clicks-}], group: {prefix: analytics-}}
";

#[test]
fn a_policy_is_applied_and_a_second_time_changes_nothing() {
    let Some(judge) = judge() else { return };
    let Some(cluster) = OneBroker::start(QUICKSTART) else {
        return;
    };
    let kpki = &cluster.kpki;
    let plan = kpki.json(&["acl", "plan", "policy.yaml", "--json"]);
    assert_eq!(plan["creates"].as_array().unwrap().len(), 7, "{plan}");
    assert_eq!(cluster.judged(judge), Vec::<String>::new());
    kpki.run(&["acl", "plan", "policy.yaml", "--exit-code"])
        .expect_code(3);

    let applied = kpki.json(&["acl", "apply", "policy.yaml", "--json"]);
    assert_eq!(applied, json!({"created": 7, "deleted": 0, "failed": []}));
    assert_eq!(cluster.judged(judge), cluster.expanded("policy.yaml"));
    let again = kpki.json(&["acl", "apply", "policy.yaml", "--json"]);
    assert_eq!(again, json!({"created": 0, "deleted": 0, "failed": []}));
    kpki.ok(&["acl", "plan", "policy.yaml", "--exit-code"]);

    // Less is wanted: nothing goes without --prune.
    cluster.policy(&QUICKSTART.replace("create: true", "create: false"));
    let kept = kpki.json(&["acl", "apply", "policy.yaml", "--json"]);
    assert_eq!(kept, json!({"created": 0, "deleted": 0, "failed": []}));
    let pruned = kpki.json(&["acl", "apply", "policy.yaml", "--prune", "--yes", "--json"]);
    assert_eq!(pruned, json!({"created": 0, "deleted": 1, "failed": []}));
    assert_eq!(cluster.judged(judge), cluster.expanded("policy.yaml"));
}

/// Kafka's own form of a grant.
fn binding(kind: &str, name: &str, principal: &str, operation: &str) -> Value {
    json!({"resource_type": kind, "pattern_type": "LITERAL", "name": name, "principal": principal, "host": "*",
           "operation": operation, "permission": "ALLOW"})
}

const APPLY: [&str; 4] = ["acl", "apply", "policy.yaml", "--json"];

/// A refusal's code and message; nothing was changed.
fn refused(cluster: &OneBroker, judge: &Judge, arguments: &[&str]) -> (String, String) {
    let before = cluster.judged(judge);
    let error = cluster.kpki.run(arguments).expect_code(1).json();
    assert_eq!(cluster.judged(judge), before);
    let text = |key: &str| error["error"][key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

#[test]
fn what_takes_rights_away_is_guarded() {
    let Some(judge) = judge() else { return };
    let clients = format!("{QUICKSTART}  - {{name: deployer, auth: tls}}\n");
    let Some(cluster) = OneBroker::start(&clients) else {
        return;
    };
    let kpki = &cluster.kpki;
    let admin = cluster.out("admin/client.properties");
    let create = |bindings: &[Value]| {
        judge.create_acls(&Client::new(&admin), bindings).unwrap();
    };
    kpki.ok(&APPLY);
    deletions_are_confirmed(&cluster, judge, &create);
    saved_plans(&cluster, judge, &create);
    the_operator_keeps_the_right(&cluster, judge, &create);
    what_cannot_be_named(&cluster, judge, &create);

    // The policy's own tests come first, and need no cluster.
    cluster.policy(&format!(
        "{clients}tests: [{{principal: User:analytics, can: Write, topic: orders}}]\n"
    ));
    let (code, message) = refused(&cluster, judge, &APPLY);
    assert_eq!(code, "tests-failed");
    assert!(
        message.contains("User:analytics Write on Topic `orders`"),
        "{message}"
    );

    // Brokers hide whether they let everyone in where there is no ACL, so the policy is believed.
    let policy = std::fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    let open = policy
        .replace(
            "name: test\n",
            "name: test\n  allow_everyone_if_no_acl_found: true\n",
        )
        .replace(
            "tests: [",
            "acls: [{principal: User:new, allow: Read, topic: new}]\n#",
        );
    kpki.write("policy.yaml", &open);
    let (code, message) = refused(&cluster, judge, &APPLY);
    assert_eq!(code, "confirmation-needed");
    assert!(message.contains("first ACL"), "{message}");
    let applied = kpki.json(&[&APPLY[..], &["--yes"]].concat());
    assert_eq!(applied["created"], 3);
}

fn deletions_are_confirmed(cluster: &OneBroker, judge: &Judge, create: &dyn Fn(&[Value])) {
    let kpki = &cluster.kpki;
    let surplus: Vec<Value> = (0..50)
        .map(|n| binding("TOPIC", &format!("old-{n:02}"), "User:analytics", "READ"))
        .collect();
    create(&surplus);
    let prune = [&APPLY[..], &["--prune"]].concat();
    let (code, message) = refused(cluster, judge, &[&prune[..], &["--yes"]].concat());
    assert_eq!(code, "plan-refused");
    assert!(message.contains("--max-deletes 50"), "{message}");
    // A plan that was saved as refused says how to come by another, whatever it is applied with.
    kpki.ok(&["acl", "plan", "policy.yaml", "--prune", "--save", "r.plan"]);
    let saved = kpki.run(&["acl", "apply", "r.plan", "--max-deletes", "50", "--json"]);
    let saved = saved.expect_code(1).json();
    let hint = saved["error"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("kpki acl plan policy.yaml --prune --save r.plan"),
        "{hint}"
    );
    let (code, _) = refused(
        cluster,
        judge,
        &[&prune[..], &["--max-deletes", "50"]].concat(),
    );
    assert_eq!(code, "confirmation-needed");

    // As people see it.
    let people = [
        "acl",
        "apply",
        "policy.yaml",
        "--prune",
        "--max-deletes",
        "50",
    ];
    let asked = kpki.run(&people).expect_code(1);
    insta::assert_snapshot!(
        "prune_unconfirmed",
        format!("{}---\n{}", asked.stdout, asked.stderr)
    );
    let done = kpki.ok(&[&people[..], &["--yes"]].concat());
    let end: Vec<&str> = done.stdout.lines().rev().take(2).collect();
    insta::assert_debug_snapshot!("prune_done", end);
    assert_eq!(cluster.judged(judge), cluster.expanded("policy.yaml"));
}

fn saved_plans(cluster: &OneBroker, judge: &Judge, create: &dyn Fn(&[Value])) {
    let kpki = &cluster.kpki;
    let policy = std::fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    let wanted = policy.replace("topic: orders, create: true", "topic: [a, b, c]");
    kpki.write("policy.yaml", &wanted);
    let plan = ["acl", "plan", "policy.yaml", "--prune", "--save", "p.plan"];
    kpki.ok(&plan);
    let apply = ["acl", "apply", "p.plan", "--yes", "--json"];

    // The policy moved, then the cluster did.
    kpki.write("policy.yaml", &format!("{wanted}# reviewed\n"));
    let (code, message) = refused(cluster, judge, &apply);
    assert_eq!(code, "plan-stale");
    assert!(message.contains("the policy policy.yaml"), "{message}");
    kpki.write("policy.yaml", &wanted);
    create(&[binding("TOPIC", "x", "User:analytics", "READ")]);
    let (code, message) = refused(cluster, judge, &apply);
    assert_eq!(code, "plan-stale");
    assert!(
        message
            .contains("the ACLs of principals that the policy manages have changed in the cluster"),
        "{message}"
    );

    // Half of it is done already: the plan goes on from there.
    kpki.ok(&plan);
    create(&[binding("TOPIC", "b", "User:orders-service", "WRITE")]);
    let applied = kpki.json(&apply);
    assert_eq!(applied, json!({"created": 2, "deleted": 3, "failed": []}));
    assert_eq!(cluster.judged(judge), cluster.expanded("policy.yaml"));
    assert_eq!(kpki.json(&apply)["created"], 0);

    kpki.write("broken.plan", "{\"version\": 1, \"policy_sha256\": \"");
    let broken = kpki
        .run(&["acl", "apply", "broken.plan", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(broken["error"]["code"], "plan-malformed");
    kpki.write("later.plan", "{\"version\": 2, \"policy_sha256\": \"\"}");
    let later = kpki
        .run(&["acl", "apply", "later.plan", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(later["error"]["code"], "plan-version");
}

/// One who is no super user does not prune the right to undo it.
fn the_operator_keeps_the_right(cluster: &OneBroker, judge: &Judge, create: &dyn Fn(&[Value])) {
    let alter = binding("CLUSTER", "kafka-cluster", "User:deployer", "ALTER");
    create(std::slice::from_ref(&alter));
    let prune = [
        "acl",
        "plan",
        "policy.yaml",
        "--prune",
        "--json",
        "--command-config",
        "out/deployer/client.properties",
    ];
    let plan = cluster.kpki.json(&prune);
    assert_eq!(plan["deletes"], json!([]));
    assert_eq!(plan["warnings"][0]["code"], "operator-right-kept");
    let by_admin = cluster.kpki.json(&prune[..5]);
    assert_eq!(by_admin["deletes"], json!([alter]));
    let out = cluster
        .kpki
        .json(&[&APPLY[..], &["--prune", "--yes"]].concat());
    assert_eq!(out["deleted"], 1);
    assert_eq!(cluster.judged(judge), cluster.expanded("policy.yaml"));
}

/// TwoPhaseCommit, which librdkafka has no word for: to be created by hand, seen once it is there, and never deleted.
fn what_cannot_be_named(cluster: &OneBroker, judge: &Judge, create: &dyn Fn(&[Value])) {
    let kpki = &cluster.kpki;
    let before = std::fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    let acl =
        "acls: [{principal: User:flink, allow: [TwoPhaseCommit, Write], transactional_id: tx}]\n";
    kpki.write("policy.yaml", &format!("{before}{acl}"));
    let (code, message) = refused(cluster, judge, &APPLY);
    assert_eq!(code, "plan-refused");
    assert!(
        message.contains(
            "--add --allow-principal User:flink --operation TwoPhaseCommit --transactional-id tx"
        ),
        "{message}"
    );
    let by_hand = binding("TRANSACTIONAL_ID", "tx", "User:flink", "TWO_PHASE_COMMIT");
    create(std::slice::from_ref(&by_hand));
    let applied = kpki.run(&APPLY).expect_code(0);
    assert!(
        applied
            .stderr
            .contains("1 binding that librdkafka cannot represent"),
        "{}",
        applied.stderr
    );
    assert_eq!(applied.json()["created"], 1);
    assert_eq!(cluster.judged(judge), cluster.expanded("policy.yaml"));

    // Everything else of flink goes, which would be one filter.
    create(&[
        binding("TOPIC", "t", "User:flink", "WRITE"),
        binding("TOPIC", "t", "User:flink", "READ"),
    ]);
    kpki.write(
        "policy.yaml",
        &format!("{before}manage: {{principals: ['User:flink']}}\n"),
    );
    let pruned = kpki.json(&[&APPLY[..], &["--prune", "--yes"]].concat());
    assert_eq!(pruned["deleted"], 3);
    assert!(cluster.judged(judge).contains(&by_hand.to_string()));
    kpki.write("policy.yaml", &before);
}

#[test]
fn without_a_cluster_every_message_says_what_to_do() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    let policy = format!(
        "cluster: {{admin: admin, bootstrap_servers: ['localhost:{port}']}}\nbrokers: [{{name: kafka1}}]\n{QUICKSTART}"
    );
    kpki.write("policy.yaml", &policy);
    let said = |arguments: &[&str], code: i32| {
        let out = kpki.run(arguments).expect_code(code);
        format!("{}---\n{}", out.stdout, out.stderr).replace(&port.to_string(), "PORT")
    };
    let apply = ["acl", "apply", "policy.yaml"];
    insta::assert_snapshot!("before_up", said(&apply, 2));
    kpki.ok(&["up", "policy.yaml"]);
    insta::assert_snapshot!("no_broker", said(&apply, 1));
    insta::assert_snapshot!("no_broker_json", said(&APPLY, 1));
    kpki.write(
        "policy.yaml",
        &policy
            .replace("auth: scram-sha-512", "auth: password")
            .replace("consume: {topic: payments,", "consume: {topics: payments,")
            .replace("{name: admin, auth", "{name: admin, kind: x, auth"),
    );
    insta::assert_snapshot!("three_mistakes", said(&apply, 2));
}
