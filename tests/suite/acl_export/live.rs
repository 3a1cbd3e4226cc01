//! Against a real broker: Kafka's own admin client writes, kpki exports, Kafka's own tool restores.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use kpki::{
    acl::{AclBindingFilter, RawBinding},
    admin::{Admin, Batch, ClientProperties},
};
use serde_json::{Value, json};

use super::{binding, commands, planned};
use crate::support::{
    java::{Client, Judge, judge},
    kafka::{Broker, Node, start},
    kpki::{Kpki, Output},
    ports,
};

struct Cluster {
    kpki: Kpki,
    judge: &'static Judge,
    servers: String,
    _brokers: Vec<Broker>,
}

fn cluster() -> Option<Cluster> {
    let judge = judge()?;
    let kpki = Kpki::new();
    let [ssl, controller] = ports::free();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster:
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
clients:
  - {{name: admin}}
  - {{name: nobody}}
  - {{name: orders, roles: [{{produce: {{topic: orders}}}}]}}
"
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let brokers = start(&[Node::kafka1(&kpki)])?;
    Some(Cluster {
        kpki,
        judge,
        servers: format!("localhost:{ssl}"),
        _brokers: brokers,
    })
}

impl Cluster {
    fn properties(&self) -> PathBuf {
        self.kpki.path("out/admin/client.properties")
    }

    fn create(&self, bindings: &[Value]) {
        let properties = self.properties();
        self.judge
            .create_acls(&Client::new(&properties), bindings)
            .unwrap();
    }

    /// Waits until brokers have these, by the word of Kafka's own client: they learn later than the controller.
    fn wait_for(&self, wanted: &BTreeSet<RawBinding>) {
        let begun = Instant::now();
        let properties = self.properties();
        loop {
            let found = self.judge.list_acls(&Client::new(&properties)).unwrap();
            let found: BTreeSet<RawBinding> = found.into_iter().map(raw).collect();
            if found == *wanted {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "too many: {:?}; too few: {:?}",
                &found - wanted,
                wanted - &found
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn export(&self, arguments: &[&str]) -> Output {
        self.kpki
            .run(&[&["acl", "export", "policy.yaml"], arguments].concat())
    }

    fn exported(&self) -> BTreeSet<RawBinding> {
        let lines = self.export(&[]).expect_code(0).json_lines();
        lines.into_iter().map(raw).collect()
    }

    fn empty(&self, bindings: &BTreeSet<RawBinding>) {
        let properties = ClientProperties::read(&self.properties(), None).unwrap();
        let mut admin = Admin::connect(&properties).unwrap();
        let principals: BTreeSet<&str> = bindings.iter().map(|b| &*b.principal).collect();
        let filters: Vec<_> = principals
            .into_iter()
            .map(AclBindingFilter::principal)
            .collect();
        admin.delete_acls(&filters, &mut Batch::default()).unwrap();
        self.wait_for(&BTreeSet::new());
    }
}

fn raw(value: Value) -> RawBinding {
    serde_json::from_value(value).unwrap()
}

/// What brokers store, and librdkafka can name.
fn observed() -> Vec<Value> {
    let mut all = vec![
        binding("TOPIC", "*", "User:*", "DESCRIBE"),
        binding("TOPIC", "-x", "User:a", "READ"),
        binding("GROUP", "it's $HOME `id` \"q\"", "User:a", "READ"),
        binding("GROUP", "a: b # c", "User:a", "READ"),
        binding("GROUP", "yes", "User:CN=b, O=Größe \\2C", "DELETE"),
        binding("TRANSACTIONAL_ID", "12", "Group:x y", "WRITE"),
        binding("CLUSTER", "kafka-cluster", "User:日本", "CLUSTER_ACTION"),
        // What no policy can say.
        binding("GROUP", "g", "User:a", "WRITE"),
        binding("GROUP", "line\nbreak", "User:c", "READ"),
        binding("TOPIC", "t", "user:v", "READ"),
        binding("TOPIC", "t", "User: d", "READ"),
        binding("GROUP", " g ", "User:e", "READ"),
        binding("TOPIC", "orders-*", "User:e", "READ"),
    ];
    for operation in ["READ", "WRITE", "DESCRIBE_CONFIGS"] {
        for topic in ["orders", "payments"] {
            all.push(binding("TOPIC", topic, "User:service", operation));
        }
    }
    let changed = |key: &str, value: &str, mut binding: Value| {
        binding[key] = value.into();
        binding
    };
    let etl = binding("TOPIC", "etl-", "User:etl", "ALL");
    let etl = changed("pattern_type", "PREFIXED", etl);
    all.push(changed("permission", "DENY", etl.clone()));
    all.push(changed("host", "10.0.0.7", etl.clone()));
    all.push(changed("host", "0:0:0:0:0:0:0:1", etl.clone()));
    all.push(changed("host", "localhost", etl));
    let cluster = binding("CLUSTER", "kafka-cluster", "User:f", "ALTER");
    all.push(changed("pattern_type", "PREFIXED", cluster));
    all
}

#[test]
fn what_kafka_stores_is_exported_in_every_form_and_restored_by_kafkas_own_tool() {
    let Some(cluster) = cluster() else { return };
    let none = cluster.export(&[]).expect_code(0);
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("0 bindings"), "{}", none.stderr);

    let observed = observed();
    cluster.create(&observed);
    let observed: BTreeSet<RawBinding> = observed.into_iter().map(raw).collect();
    cluster.wait_for(&observed);
    assert_eq!(cluster.exported(), observed);
    lines(&cluster);
    policy(&cluster, &observed);
    explained(&cluster);
    restored(&cluster, &observed);
    unreadable(&cluster);
    refused(&cluster);
}

fn lines(cluster: &Cluster) {
    let two = cluster.export(&[
        "--principal",
        "User:service",
        "--principal",
        "Group:x y",
        "--json",
    ]);
    let two = two.expect_code(0).json_lines();
    assert_eq!(two.len(), 7, "{two:?}");
    // The same without a policy, by Kafka's own options.
    let config = cluster.properties().display().to_string();
    let servers = &cluster.servers;
    let other = cluster.kpki.ok(&[
        "acl",
        "export",
        "--command-config",
        &config,
        "--bootstrap-server",
        servers,
    ]);
    assert_eq!(other.stdout, cluster.export(&[]).stdout, "{}", other.stderr);
}

fn policy(cluster: &Cluster, observed: &BTreeSet<RawBinding>) {
    let export = cluster.export(&["--format", "policy"]).expect_code(0);
    cluster.kpki.write("export.yaml", &export.stdout);
    cluster
        .kpki
        .write("acls.jsonl", &cluster.export(&[]).stdout);
    let plan = planned(&cluster.kpki);
    assert_eq!(
        (&plan["creates"], &plan["deletes"]),
        (&json!([]), &json!([])),
        "{}",
        export.stdout
    );
    assert_eq!(plan["left_alone"], 8);
    assert_eq!(plan["unchanged"], observed.len() - 8);
    assert_eq!(export.stderr.matches("warning: left out: ").count(), 8);
}

fn explained(cluster: &Cluster) {
    let explain = |arguments: &[&str]| {
        let start = ["acl", "explain", "policy.yaml", "--live"];
        let out = cluster.kpki.run(&[&start[..], arguments].concat());
        let denied = out.stdout.contains("DENIED") && !arguments.contains(&"--requests");
        out.expect_code(if denied { 3 } else { 0 })
    };
    let of = |who: &'static str, what: &'static str, rest: [&'static str; 2]| {
        ["--principal", who, "--operation", what, rest[0], rest[1]]
    };
    // As in the export, question by question.
    let mut requests = String::new();
    for who in ["User:service", "User:etl", "User:a", "User:nobody"] {
        for name in ["orders", "etl-1", "-x"] {
            for operation in ["READ", "WRITE", "DESCRIBE"] {
                for host in ["10.0.0.7", "10.0.0.8"] {
                    requests.push_str(&format!("{}\n", json!({"principal": who, "host": host, "operation": operation, "resource_type": "TOPIC", "name": name})));
                }
            }
        }
    }
    cluster.kpki.write("requests.jsonl", &requests);
    let live = explain(&["--requests", "requests.jsonl"]).json_lines();
    let file = cluster.kpki.ok(&[
        "acl",
        "explain",
        "acls.jsonl",
        "--requests",
        "requests.jsonl",
    ]);
    assert_eq!(live.len(), 72);
    let mut decisions = BTreeMap::new();
    for (live, file) in live.iter().zip(file.json_lines()) {
        *decisions.entry(live["decision"].to_string()).or_insert(0) += 1;
        for key in ["decision", "reason", "acl"] {
            assert_eq!(live[key], file[key]);
        }
        assert_eq!(live["source"], Value::Null);
    }
    assert!(decisions.values().all(|n| *n > 10), "{decisions:?}");

    // The policy is no part of the answer, but for whom it makes super users and what it means.
    let said = explain(&of("User:service", "Read", ["--topic", "orders"]));
    assert!(
        said.stdout.starts_with("ALLOWED")
            && said
                .stdout
                .contains("in the cluster, and not in the policy"),
        "{}",
        said.stdout
    );
    assert!(
        said.stderr.contains("the policy does not allow it"),
        "{}",
        said.stderr
    );
    let said = explain(&of("User:orders", "Write", ["--topic", "orders"]));
    assert!(said.stdout.starts_with("DENIED"), "{}", said.stdout);
    assert!(
        said.stderr.contains("the policy allows it"),
        "{}",
        said.stderr
    );
    let said = explain(&of("User:admin", "Alter", ["--topic", "orders"]));
    assert!(said.stdout.contains("super user"), "{}", said.stdout);
    for (who, what, decision) in [
        ("User:a", "Read", "ALLOWED"),
        ("User:a", "Write", "DENIED"),
        ("User:etl", "Read", "DENIED"),
    ] {
        let said = explain(&of(who, what, ["--any", "topic"]));
        assert!(said.stdout.starts_with(decision), "{who}: {}", said.stdout);
    }

    let config = cluster.properties().display().to_string();
    let without = ["acl", "explain", "--command-config", &config];
    let question = of("User:admin", "Alter", ["--topic", "orders"]);
    let said = cluster.kpki.run(&[&without[..], &question].concat());
    let said = said.expect_code(3);
    assert!(said.stdout.starts_with("DENIED"), "{}", said.stdout);
    assert!(
        said.stderr
            .contains("brokers do not show their super.users"),
        "{}",
        said.stderr
    );
    let both = [
        &["acl", "explain", "acls.jsonl", "--live", "--json"],
        &question[..],
    ]
    .concat();
    let error = cluster.kpki.run(&both).expect_code(2).json();
    assert_eq!(error["error"]["code"], "usage");

    // What the policy says as well, it is the source of.
    cluster.create(&[binding("TOPIC", "orders", "User:orders", "WRITE")]);
    let begun = Instant::now();
    loop {
        let question = of("User:orders", "Write", ["--topic", "orders"]);
        let answer = explain(&[&question[..], &["--json"]].concat()).json();
        if answer["decision"] == "ALLOWED" {
            assert_eq!(answer["source"], "policy.yaml:12:28");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{answer}");
    }
}

fn restored(cluster: &Cluster, observed: &BTreeSet<RawBinding>) {
    let mut all = observed.clone();
    all.insert(raw(binding("TOPIC", "orders", "User:orders", "WRITE")));
    let export = cluster
        .export(&["--format", "kafka-acls", "--json"])
        .expect_code(0)
        .json();
    let left_out: BTreeSet<RawBinding> = export["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| raw(l["acl"].clone()))
        .collect();
    assert_eq!(left_out.len(), 4, "{left_out:?}");
    let config = cluster.properties().display().to_string();
    let connect = [
        "--bootstrap-server",
        &cluster.servers,
        "--command-config",
        &config,
        "--add",
    ];
    let commands: Vec<Vec<String>> = commands(&cluster.kpki, export["text"].as_str().unwrap())
        .into_iter()
        .map(|rest| {
            connect
                .iter()
                .map(|w| (*w).to_owned())
                .chain(rest)
                .collect()
        })
        .collect();
    cluster.empty(&all);
    let _: Value = cluster
        .judge
        .ask("acl-command", json!({"commands": commands}))
        .unwrap();
    let wanted = &all - &left_out;
    cluster.wait_for(&wanted);
    assert_eq!(cluster.exported(), wanted);
    cluster.empty(&all);
}

/// An export that misses something does not look complete.
fn unreadable(cluster: &Cluster) {
    let mut all = [
        binding("TRANSACTIONAL_ID", "t", "User:a", "TWO_PHASE_COMMIT"),
        binding("USER", "User:b", "User:a", "CREATE_TOKENS"),
        binding("TOPIC", "t", "User:a", "READ"),
    ]
    .to_vec();
    cluster.create(&all);
    cluster.wait_for(&all.iter().cloned().map(raw).collect());
    let read = cluster.export(&[]).expect_code(4);
    assert_eq!(read.json_lines(), [all.pop().unwrap()]);
    let warning = "the export is not complete: the cluster has 2 more bindings";
    assert!(read.stderr.contains(warning), "{}", read.stderr);
    for format in ["policy", "kafka-acls"] {
        let text = cluster.export(&["--format", format]).expect_code(4).stdout;
        assert!(
            text.contains("# NOT COMPLETE: the cluster has 2 more bindings"),
            "{text}"
        );
    }
    // Only of those who are asked about.
    cluster.export(&["--principal", "User:b"]).expect_code(0);
}

fn refused(cluster: &Cluster) {
    let nobody = cluster.kpki.path("out/nobody/client.properties");
    let config = nobody.display().to_string();
    for arguments in [
        &["acl", "export", "--json", "--command-config", &config][..],
        &[
            "acl",
            "explain",
            "--json",
            "--command-config",
            &config,
            "--principal",
            "User:a",
            "--operation",
            "Read",
            "--topic",
            "t",
        ],
    ] {
        let error = cluster.kpki.run(arguments).expect_code(1).json();
        assert_eq!(error["error"]["code"], "not-authorized");
    }
}
