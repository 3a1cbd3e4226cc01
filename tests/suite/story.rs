//! A living cluster that is changed five times by `kpki up`, each change seen before it is made: no record is lost, the
//! quorum answers all the time, and only those nodes are restarted of which it was said.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::{Broker, Node, start},
    kpki::Kpki,
    openssl::openssl,
    ports,
};

/// What the policy says now.
struct Story<'a> {
    kpki: &'a Kpki,
    judge: &'a Judge,
    first: u16,
    brokers: Vec<&'static str>,
    clients: Vec<&'static str>,
    running: BTreeMap<String, Broker>,
}

/// A controller alone, a broker alone, and two nodes that are both: the quorum is of three.
const KAFKA1: &str = "{name: kafka1, hosts: [localhost, kafka1]}";
const KAFKA2: &str = "{name: kafka2, hosts: [localhost, kafka2], port_offset: 3}";
const KAFKA3: &str = "{name: kafka3, hosts: [localhost, kafka3], port_offset: 6, roles: [broker]}";
const CTRL1: &str = "{name: ctrl1, hosts: [localhost, ctrl1], port_offset: 9, roles: [controller]}";
const KAFKA0: &str = "{name: kafka0, hosts: [localhost, kafka0], port_offset: 12, roles: [broker]}";

const KAFKA0_WITH_PROPERTY: &str = "{name: kafka0, hosts: [localhost, kafka0], port_offset: 12, roles: [broker], properties: {log.retention.hours: 24}}";
const KAFKA1_WITH_HOST: &str = "{name: kafka1, hosts: [localhost, kafka1, kafka1.example.com]}";

/// By their places in the list, as it was first.
const VOTERS: [u32; 3] = [1, 2, 4];

#[test]
fn a_cluster_under_load_is_changed_five_times_and_loses_nothing() {
    let Some(judge) = judge() else { return };
    let kpki = Kpki::new();
    let mut story = Story {
        kpki: &kpki,
        judge,
        first: ports::range(&[0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13]),
        brokers: vec![KAFKA1, KAFKA2, KAFKA3, CTRL1],
        clients: vec![
            "{name: admin}",
            "{name: load, roles: [{produce: {topic: numbers}}, {consume: {topic: numbers, group: load}}]}",
        ],
        running: BTreeMap::new(),
    };
    story.write();
    kpki.ok(&["up", "policy.yaml"]);
    if !story.begin() {
        return;
    }

    let (ended, unanswered) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // However the test ends, so does the watch.
        let _end = Ended(&ended);
        scope.spawn(|| watch(&kpki, judge, &ended, &unanswered));
        story.a_broker_is_added_at_the_front();
        story.a_broker_is_removed();
        story.a_property_is_set();
        story.a_scram_client_is_added();
        story.a_host_is_added();
    });
    let load: Value = judge.ask("load-stop", json!({"topic": "numbers"})).unwrap();
    assert_eq!(load["sent"], load["acknowledged"], "{load}");
    assert!(load["sent"].as_u64() > Some(1000), "{load}");
    for fault in ["failed", "lost", "repeated", "disordered"] {
        assert_eq!(load[fault], json!([]), "{fault}");
    }
    assert_eq!(*unanswered.lock().unwrap(), Vec::<String>::new());
}

impl Story<'_> {
    /// Starts the nodes, gives them the policy's ACLs and puts them under load. False: there is no Java here.
    fn begin(&mut self) -> bool {
        let names = ["kafka1", "kafka2", "kafka3", "ctrl1"];
        let nodes = names.map(|name| Node::written(self.kpki, name));
        let Some(brokers) = start(&nodes) else {
            return false;
        };
        self.running = names.map(str::to_owned).into_iter().zip(brokers).collect();
        let admin = self.kpki.path("out/admin/client.properties");
        let topic = self
            .judge
            .create_topic(&Client::new(&admin), "numbers", 3, 3);
        topic.unwrap();
        self.kpki.ok(&["acl", "apply", "policy.yaml"]);
        let load = self.kpki.path("out/load/client.properties");
        let question = json!({"properties": load, "topic": "numbers"});
        self.judge.ask::<Value>("load-start", question).unwrap();
        true
    }

    fn a_broker_is_added_at_the_front(&mut self) {
        self.brokers.insert(0, KAFKA0);
        // Everyone has to know the new broker as a super user before it comes.
        let everyone = ["ctrl1", "kafka1", "kafka2", "kafka3"].map(|name| (name, "restart"));
        self.change(&everyone, &["super.users"]);
        let node = Node::written(self.kpki, "kafka0");
        node.format();
        self.running.insert("kafka0".to_owned(), node.start_again());
        self.settled();
        let cluster = self.judge.describe_cluster(&self.admin()).unwrap();
        let mut ids: Vec<_> = cluster["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_u64().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 5], "who was there keeps its id");
    }

    /// As an operator does: what the broker holds is moved, it leaves, and then nobody needs to know it.
    fn a_broker_is_removed(&mut self) {
        let moved: Value = self.ask("move", json!({"node": 3, "to": 5}));
        assert_eq!(moved["moved"], 3, "a copy of each partition");
        self.running.remove("kafka3").unwrap().stop();
        self.ask("unregister", json!({"node": 3}));
        self.brokers.retain(|broker| *broker != KAFKA3);
        let others = ["ctrl1", "kafka0", "kafka1", "kafka2"].map(|name| (name, "restart"));
        self.change(&others, &["super.users"]);
    }

    fn a_property_is_set(&mut self) {
        self.replace(KAFKA0, KAFKA0_WITH_PROPERTY);
        let before = self.judge.node_settings(&self.admin(), 5).unwrap();
        assert_eq!(before["log.retention.hours"], "168");
        self.change(&[("kafka0", "restart")], &["log.retention.hours"]);
        let after = self.judge.node_settings(&self.admin(), 5).unwrap();
        assert_eq!(after["log.retention.hours"], "24");
    }

    fn a_scram_client_is_added(&mut self) {
        self.clients
            .push("{name: late, auth: scram-sha-512, roles: [{produce: {topic: numbers-2}}]}");
        self.change(&[], &[]);
        self.kpki.ok(&["scram", "apply", "policy.yaml"]);
        self.kpki.ok(&["acl", "apply", "policy.yaml"]);
        let topic = self.judge.create_topic(&self.admin(), "numbers-2", 1, 3);
        topic.unwrap();
        let late = self.kpki.path("out/late/client.properties");
        let late = Client::new(&late);
        self.judge.produce(&late, "numbers-2", 5).unwrap();
    }

    fn a_host_is_added(&mut self) {
        self.replace(KAFKA1, KAFKA1_WITH_HOST);
        assert!(!self.served(self.first).contains("kafka1.example.com"));
        self.change(&[("kafka1", "reload")], &[]);
        // The broker reads its store again when it is told where that is, though it is where it was.
        let store = self.kpki.path("out/kafka1/kafka1.keystore.p12");
        self.ask(
            "alter-config",
            json!({
                "resource_type": "BROKER", "resource": "1",
                "name": "listener.name.ssl.ssl.keystore.location", "value": store,
            }),
        );
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !self.served(self.first).contains("kafka1.example.com") {
            assert!(
                std::time::Instant::now() < deadline,
                "the new host is not served"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn replace(&mut self, old: &'static str, new: &'static str) {
        let at = self.brokers.iter().position(|broker| *broker == old);
        self.brokers[at.unwrap()] = new;
    }

    /// Shows a change, makes it, and does what was said: restarts nodes one by one, each once all copies are in sync.
    /// `wanted` are the running nodes that need something, `settings` what has to stand in the differences.
    fn change(&mut self, wanted: &[(&str, &str)], settings: &[&str]) {
        self.write();
        let shown = self
            .kpki
            .run(&["up", "--dry-run", "--exit-code", "--json", "policy.yaml"])
            .expect_code(3)
            .json();
        assert_eq!(
            self.needs(&shown),
            wanted.iter().copied().collect(),
            "{shown:#}"
        );
        for (name, _) in wanted {
            let password = self.kpki.path("out").join(name).join("keystore_creds");
            let password = std::fs::read_to_string(password).unwrap();
            assert!(!shown.to_string().contains(password.trim()), "{name}");
            let diff = shown["changes"].as_array().unwrap().iter();
            let diff: String = diff
                .filter(|change| change["path"] == format!("{name}/server.properties"))
                .map(|change| change["diff"].as_str().unwrap())
                .collect();
            for setting in settings {
                let added = |line: &str| line.starts_with(&format!("+{setting}="));
                assert!(diff.lines().any(added), "{name} {setting}: {diff}");
            }
        }
        self.kpki.ok(&["up", "policy.yaml"]);
        self.kpki
            .ok(&["up", "--dry-run", "--exit-code", "policy.yaml"]);
        for (name, needs) in wanted {
            if *needs == "restart" {
                self.running.remove(*name).unwrap().stop();
                let broker = Node::written(self.kpki, name).start_again();
                self.running.insert((*name).to_owned(), broker);
                self.settled();
            }
        }
    }

    /// What each running node needs, if anything.
    fn needs<'s>(&self, shown: &'s Value) -> BTreeMap<&'s str, &'s str> {
        let mut needs = BTreeMap::new();
        for change in shown["changes"].as_array().unwrap() {
            let (node, _) = change["path"].as_str().unwrap().split_once('/').unwrap();
            let what = change["needs"].as_str().unwrap();
            assert!(["restart", "reload", "nothing"].contains(&what), "{change}");
            if what == "nothing" || !self.running.contains_key(node) {
                continue;
            }
            // The word for more comes last in the alphabet, too.
            let worst = needs.entry(node).or_insert(what);
            *worst = what.max(worst);
        }
        needs
    }

    fn write(&self) {
        let list = |entries: &[&str]| -> String {
            entries
                .iter()
                .map(|entry| format!("  - {entry}\n"))
                .collect()
        };
        let text = format!(
            "cluster:
  name: story
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {first}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}
  controller_port: {controller}
brokers:
{}clients:
{}",
            list(&self.brokers),
            list(&self.clients),
            first = self.first,
            sasl = self.first + 1,
            controller = self.first + 2,
        );
        self.kpki.write("policy.yaml", &text);
    }

    /// Waits until the running brokers are all there and every copy is in sync.
    fn settled(&self) {
        let brokers = self.running.keys().filter(|name| name.starts_with("kafka"));
        self.ask("settled", json!({"count": brokers.count()}));
    }

    fn ask(&self, command: &str, mut question: Value) -> Value {
        question["properties"] = json!(self.kpki.path("out/admin/client.properties"));
        self.judge.ask(command, question).unwrap()
    }

    fn admin(&self) -> Client<'static> {
        let path = self.kpki.path("out/admin/client.properties");
        // A path of a test lives as long as the test.
        Client::new(Box::leak(path.into_boxed_path()))
    }

    /// The certificate that a node shows at a port, as openssl prints it.
    fn served(&self, port: u16) -> String {
        let address = format!("localhost:{port}");
        let shown = openssl(
            self.kpki.dir(),
            &["s_client", "-connect", &address, "-showcerts"],
        );
        let shown = shown.map(|output| output.stdout).unwrap_or_default();
        self.kpki.write("served.pem", &shown);
        let text = openssl(
            self.kpki.dir(),
            &["x509", "-in", "served.pem", "-noout", "-text"],
        );
        text.map(|output| output.stdout).unwrap_or_default()
    }
}

struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks for the quorum again and again: it has to answer within a client's usual patience, be of the same nodes, and
/// its epoch may only grow.
fn watch(kpki: &Kpki, judge: &Judge, ended: &AtomicBool, unanswered: &Mutex<Vec<String>>) {
    let admin = kpki.path("out/admin/client.properties");
    let mut epoch = 0;
    while !ended.load(Ordering::Relaxed) {
        let fault = match judge.quorum(&Client::new(&admin)) {
            Err(error) => Some(format!("{error:?}")),
            Ok(quorum) => {
                let now = quorum["epoch"].as_u64().unwrap_or_default();
                let good = quorum["voters"] == json!(VOTERS) && now >= epoch;
                epoch = epoch.max(now);
                (!good).then(|| quorum.to_string())
            }
        };
        unanswered.lock().unwrap().extend(fault);
        std::thread::sleep(Duration::from_secs(1));
    }
}
