//! A year of a cluster's life in minutes: three brokers under load renew their certificates, replace their CA and lock a
//! client out, and no record is lost on the way. Nothing is restarted but what Kafka demands: each node after the CAs
//! that it trusts, and after its own certificate's CA, have changed, as its connections to the controllers keep what
//! they were started with; and the clients, which read their stores once.

use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::{Broker, Node, start},
    kpki::Kpki,
    ports,
};

const NODES: [&str; 3] = ["kafka1", "kafka2", "kafka3"];
/// One client that shows a certificate, and one that knows a password.
const LOADS: [&str; 2] = ["meter", "sensor"];
/// How often the clients are started.
const SEASONS: usize = 4;

struct Year<'a> {
    kpki: &'a Kpki,
    judge: &'a Judge,
    running: Vec<Broker>,
    /// Topics are used once: after each restart of the clients the next.
    season: usize,
}

#[test]
fn a_year_of_renewals_a_new_ca_and_a_revoked_client_loses_no_record() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let first = ports::range(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    kpki.write("policy.yaml", &policy(first));
    kpki.ok(&["up", "policy.yaml"]);
    let Some(running) = start(&NODES.map(|name| Node::written(&kpki, name))) else {
        return;
    };
    let mut year = Year {
        kpki: &kpki,
        judge,
        running,
        season: 0,
    };
    year.create_topics();
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    year.begin_season();

    for name in NODES {
        kpki.ok(&["renew", name]);
        kpki.ok(&["reload", name]);
    }

    kpki.ok(&["rotate-ca", "start"]);
    kpki.ok(&["reload", "--brokers"]);
    year.restart_brokers();
    year.restart_clients();
    year.go_on("next");
    kpki.ok(&["reload", "--brokers"]);
    year.restart_brokers();
    year.restart_clients();
    year.go_on("next");
    kpki.ok(&["reload", "--brokers"]);
    year.restart_clients();
    year.go_on("finish");
    assert_eq!(
        kpki.json(&["rotate-ca", "status", "--json"])["state"],
        "none"
    );

    year.lock_out_the_thief();
    year.end_season();
}

impl Year<'_> {
    /// All of them long before they are used: a broker that has not heard of a topic says that it is not allowed.
    fn create_topics(&self) {
        let seasons = (1..=SEASONS).flat_map(|season| LOADS.map(|name| format!("{name}-{season}")));
        for topic in seasons.chain(["safe".to_owned()]) {
            let created = self.judge.create_topic(&self.client("admin"), &topic, 3, 3);
            created.unwrap();
        }
    }

    fn begin_season(&mut self) {
        self.season += 1;
        for name in LOADS {
            let topic = self.topic(name);
            let question = json!({"properties": self.properties(name), "topic": topic});
            self.judge.ask::<Value>("load-start", question).unwrap();
        }
    }

    fn end_season(&mut self) {
        for name in LOADS {
            let topic = self.topic(name);
            let load: Value = self
                .judge
                .ask("load-stop", json!({"topic": topic}))
                .unwrap();
            assert_eq!(load["sent"], load["acknowledged"], "{topic}: {load}");
            assert!(load["sent"].as_u64() > Some(100), "{topic}: {load}");
            for fault in ["failed", "lost", "repeated", "disordered"] {
                assert_eq!(load[fault], json!([]), "{topic}: {fault}");
            }
        }
    }

    /// Clients read their stores when they start.
    fn restart_clients(&mut self) {
        self.end_season();
        self.begin_season();
    }

    /// One at a time, each once every copy is in sync.
    fn restart_brokers(&mut self) {
        for name in NODES {
            self.running.remove(0).stop();
            self.running
                .push(Node::written(self.kpki, name).start_again());
            self.ask("settled", json!({"count": NODES.len()}));
        }
    }

    /// The brokers are seen to be ready; of clients nobody can see what they have read, and the operator says so.
    fn go_on(&self, verb: &str) {
        let status = self.kpki.json(&["rotate-ca", "status", "--json"]);
        for identity in status["identities"].as_array().unwrap() {
            let name = identity["name"].as_str().unwrap();
            if NODES.contains(&name) {
                assert!(identity["served"].is_string(), "{verb}: {status:#}");
            }
        }
        self.kpki.ok(&["rotate-ca", verb, "--force"]);
    }

    /// A client whose key is lost: it is refused, and everybody else goes on.
    fn lock_out_the_thief(&self) {
        let thief = self.client("thief");
        self.judge.produce(&thief, "safe", 1).unwrap();
        self.kpki
            .ok(&["revoke", "thief", "--reason", "keyCompromise"]);
        self.kpki.ok(&["acl", "apply", "policy.yaml"]);
        let refused = self.judge.produce(&thief, "safe", 1).unwrap_err();
        assert!(
            format!("{refused:?}").contains("Authorization"),
            "{refused:?}"
        );
    }

    fn topic(&self, name: &str) -> String {
        format!("{name}-{}", self.season)
    }

    fn ask(&self, command: &str, mut question: Value) -> Value {
        question["properties"] = json!(self.properties("admin"));
        self.judge.ask(command, question).unwrap()
    }

    fn properties(&self, name: &str) -> std::path::PathBuf {
        self.kpki.path("out").join(name).join("client.properties")
    }

    fn client(&self, name: &str) -> Client<'static> {
        // A path of a test lives as long as the test.
        Client::new(Box::leak(self.properties(name).into_boxed_path()))
    }
}

fn policy(first: u16) -> String {
    let role = |name: &str| {
        format!(
            "roles: [{{produce: {{topic: {{prefix: {name}-}}}}}}, {{consume: {{topic: {{prefix: {name}-}}, group: {name}}}}}]"
        )
    };
    format!(
        "cluster:
  name: year
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {first}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
  - {{name: kafka2, hosts: [localhost, kafka2], port_offset: 3}}
  - {{name: kafka3, hosts: [localhost, kafka3], port_offset: 6}}
clients:
  - {{name: admin}}
  - {{name: meter, {meter}}}
  - {{name: sensor, auth: scram-sha-512, {sensor}}}
  - {{name: thief, roles: [{{produce: {{topic: safe}}}}]}}
",
        sasl = first + 1,
        controller = first + 2,
        meter = role("meter"),
        sensor = role("sensor"),
    )
}
