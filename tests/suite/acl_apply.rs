//! `kpki acl plan` and `kpki acl apply` against a real broker, judged by Kafka's own admin client.

use serde_json::json;

use crate::support::{java::judge, one_broker::OneBroker};

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
