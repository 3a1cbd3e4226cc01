//! A cluster of one broker, started from what `kpki up` wrote for a policy.

use std::path::PathBuf;

use serde_json::Value;

use super::{
    java::{Client, Judge},
    kafka::{Broker, Node, start},
    kpki::Kpki,
    ports,
    proxy::Proxy,
};

/// The cluster, with the policy in `policy.yaml`.
pub struct OneBroker {
    pub kpki: Kpki,
    pub node: Node,
    /// `None` while it is down.
    pub broker: Option<Broker>,
    /// The port of its listener SSL.
    ssl: u16,
    head: String,
}

impl OneBroker {
    /// Starts it. `clients` is the policy after its cluster section. `None`: there is no Java or Maven here.
    pub fn start(clients: &str) -> Option<OneBroker> {
        Self::start_prepared(clients, |_| ())
    }

    /// Starts it behind a proxy: what goes to its listener SSL passes there, what goes to SASL_SSL does not.
    pub fn start_behind_proxy(clients: &str) -> Option<(OneBroker, Proxy)> {
        let [hidden] = ports::free();
        let mut proxy = None;
        let cluster = Self::start_prepared(clients, |cluster| {
            let ssl = cluster.ssl;
            proxy = Some(Proxy::start(ssl, hidden));
            let written = std::fs::read_to_string(&cluster.node.server_properties).unwrap();
            let mut lines = written.lines();
            let listeners = lines.find_map(|l| l.strip_prefix("listeners=")).unwrap();
            let (shown, behind) = (format!(":{ssl}"), format!(":{hidden}"));
            assert!(listeners.contains(&shown), "{listeners}");
            let moved = listeners.replace(&shown, &behind);
            cluster.node.overrides = vec![("listeners".to_owned(), moved)];
        })?;
        Some((cluster, proxy?))
    }

    /// Starts it after `prepare`, which finds it written and not yet started.
    pub fn start_prepared(
        clients: &str,
        prepare: impl FnOnce(&mut OneBroker),
    ) -> Option<OneBroker> {
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
        kpki.write("policy.yaml", &format!("{head}{clients}"));
        kpki.ok(&["up", "policy.yaml"]);
        let mut cluster = OneBroker {
            node: Node::kafka1(&kpki),
            kpki,
            broker: None,
            ssl,
            head,
        };
        prepare(&mut cluster);
        cluster.broker = start(std::slice::from_ref(&cluster.node))?.pop();
        Some(cluster)
    }

    /// Writes a policy of this cluster with other clients.
    pub fn policy(&self, clients: &str) {
        self.policy_file("policy.yaml", clients);
    }

    /// The same into another file.
    pub fn policy_file(&self, file: &str, clients: &str) {
        self.kpki.write(file, &format!("{}{clients}", self.head));
    }

    /// Kills the broker.
    pub fn kill(&mut self) {
        self.broker = None;
    }

    /// Starts it again with what it has on its disk. Each of `changes` is a line that follows its configuration.
    pub fn restart(&mut self, changes: &str) {
        self.kill();
        let mut text = std::fs::read_to_string(&self.node.server_properties).unwrap();
        text.push_str(changes);
        std::fs::write(self.node.work.join("server.properties"), text).unwrap();
        let mut broker = self.node.spawn();
        broker.wait_until_started();
        self.broker = Some(broker);
    }

    /// A file of the output directory.
    pub fn out(&self, file: &str) -> PathBuf {
        self.kpki.path("out").join(file)
    }

    /// What Kafka's own client finds, as sorted lines.
    pub fn judged(&self, judge: &Judge) -> Vec<String> {
        let admin = self.out("admin/client.properties");
        sorted(&judge.list_acls(&Client::new(&admin)).unwrap())
    }

    /// What the policy means, as sorted lines.
    pub fn expanded(&self, policy: &str) -> Vec<String> {
        let expanded = self.kpki.ok(&["acl", "expand", policy, "--json"]);
        sorted(&expanded.json_lines())
    }
}

fn sorted(bindings: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = bindings.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}
