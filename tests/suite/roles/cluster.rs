//! A cluster of one broker, made by `kpki up`, whose policy gives roles and takes them away.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{ROLES, Role};
use crate::support::{
    java::{Client, Judge},
    kafka::{Broker, Node, start},
    kpki::Kpki,
    ports, root,
};

pub struct Cluster {
    pub kpki: Kpki,
    broker: Broker,
    /// The policy up to its clients.
    head: String,
}

/// Two of them, started side by side. `None`: there is no Java here, and the test is skipped.
pub fn clusters() -> Option<[Cluster; 2]> {
    let [first, second] = std::thread::scope(|scope| {
        [made(), made()]
            .map(|(kpki, head)| scope.spawn(|| cluster(kpki, head)))
            .map(|starting| starting.join().unwrap())
    });
    Some([first?, second?])
}

fn cluster(kpki: Kpki, head: String) -> Option<Cluster> {
    let node = Node::kafka1(&kpki);
    let broker = start(&[node])?.pop()?;
    Some(Cluster { kpki, broker, head })
}

fn made() -> (Kpki, String) {
    let kpki = Kpki::new();
    let [ssl, sasl, controller] = ports::free();
    let head = format!(
        "cluster:
  name: test
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
    kpki.write("policy.yaml", &policy(&head, |_| &[]));
    kpki.ok(&["up", "policy.yaml"]);
    (kpki, head)
}

/// The clients and tests of the quickstart policy, and one client for each role.
fn policy(head: &str, roles: impl Fn(&Role) -> &'static [&'static str]) -> String {
    let quickstart = std::fs::read_to_string(root().join("policies/quickstart.yaml")).unwrap();
    let (_, quickstart) = quickstart.split_once("\nclients:\n").unwrap();
    let mut text = format!("{head}clients:\n");
    for role in ROLES {
        text.push_str(&format!("  - name: {}\n    auth: tls\n", role.client));
        let given = roles(role);
        if !given.is_empty() {
            text.push_str("    roles:\n");
        }
        for one in given {
            text.push_str(&format!("      - {one}\n"));
        }
    }
    text + quickstart
}

impl Cluster {
    /// Where a client's properties are, as kpki wrote them.
    pub fn properties(&self, client: &str) -> PathBuf {
        self.kpki.path("out").join(client).join("client.properties")
    }

    /// The text of its policy at present; it ends with the policy's tests.
    pub fn policy(&self) -> String {
        std::fs::read_to_string(self.kpki.path("policy.yaml")).unwrap()
    }

    /// What the broker has logged.
    pub fn log(&self) -> String {
        self.broker.log()
    }

    /// What its policy means at present.
    pub fn bindings(&self) -> Vec<Value> {
        self.kpki
            .ok(&["acl", "expand", "policy.yaml", "--json"])
            .json_lines()
    }

    /// Makes the cluster's ACLs what the policy says with these roles, and waits until the broker goes by it.
    pub fn apply(&self, judge: &Judge, roles: impl Fn(&Role) -> &'static [&'static str]) {
        self.kpki.write("policy.yaml", &policy(&self.head, roles));
        self.kpki.ok(&["acl", "test", "policy.yaml"]);
        let apply = [
            "acl",
            "apply",
            "policy.yaml",
            "--prune",
            "--yes",
            "--max-deletes",
            "1000",
        ];
        self.kpki.ok(&apply);
        let wanted = self.bindings();
        let admin = self.properties("admin");
        let began = Instant::now();
        loop {
            let there = judge.list_acls(&Client::new(&admin)).unwrap();
            if there.len() == wanted.len() && wanted.iter().all(|w| there.contains(w)) {
                return;
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{there:?}\ninstead of\n{wanted:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
