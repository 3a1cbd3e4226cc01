//! `kpki acl plan` and `kpki acl apply` against a real broker, judged by Kafka's own admin client.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::{Broker, Node, start},
    kpki::Kpki,
    ports,
};

/// One broker, started from what `kpki up` wrote for the policy.
struct Cluster {
    kpki: Kpki,
    _brokers: Vec<Broker>,
}

/// The clients are the policy's, after its cluster section.
fn cluster(clients: &str) -> Option<Cluster> {
    let kpki = Kpki::new();
    let [ssl, sasl, controller] = ports::free();
    let head = format!(
        "cluster:
  name: test
  bootstrap_servers: ['localhost:{ssl}']
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
"
    );
    kpki.write("head.yaml", &head);
    kpki.write("policy.yaml", &format!("{head}{clients}"));
    kpki.ok(&["up", "policy.yaml"]);
    let node = Node {
        server_properties: kpki.path("out/kafka1/server.properties"),
        format_storage_args: kpki.path("out/kafka1/format-storage.args"),
        overrides: Vec::new(),
        work: kpki.path("work/kafka1"),
    };
    let brokers = start(&[node])?;
    Some(Cluster {
        kpki,
        _brokers: brokers,
    })
}

impl Cluster {
    /// The same cluster's policy, with other clients.
    fn policy(&self, clients: &str) {
        let head = std::fs::read_to_string(self.kpki.path("head.yaml")).unwrap();
        self.kpki.write("policy.yaml", &format!("{head}{clients}"));
    }

    fn admin(&self) -> PathBuf {
        self.kpki.path("out/admin/client.properties")
    }

    /// What Kafka's own client finds, as sorted lines.
    fn judged(&self, judge: &Judge) -> Vec<String> {
        let acls = judge.list_acls(&Client::new(&self.admin())).unwrap();
        sorted(&acls)
    }

    fn expanded(&self) -> Vec<String> {
        sorted(
            &self
                .kpki
                .ok(&["acl", "expand", "policy.yaml", "--json"])
                .json_lines(),
        )
    }
}

fn sorted(bindings: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = bindings.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

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
    let Some(cluster) = cluster(QUICKSTART) else {
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
    assert_eq!(cluster.judged(judge), cluster.expanded());
    let again = kpki.json(&["acl", "apply", "policy.yaml", "--json"]);
    assert_eq!(again, json!({"created": 0, "deleted": 0, "failed": []}));
    kpki.ok(&["acl", "plan", "policy.yaml", "--exit-code"]);

    // Less is wanted: nothing goes without --prune.
    cluster.policy(&QUICKSTART.replace("create: true", "create: false"));
    let kept = kpki.json(&["acl", "apply", "policy.yaml", "--json"]);
    assert_eq!(kept, json!({"created": 0, "deleted": 0, "failed": []}));
    let pruned = kpki.json(&["acl", "apply", "policy.yaml", "--prune", "--yes", "--json"]);
    assert_eq!(pruned, json!({"created": 0, "deleted": 1, "failed": []}));
    assert_eq!(cluster.judged(judge), cluster.expanded());
}
