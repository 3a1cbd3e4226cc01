//! `kpki scram plan` and `apply` against a real broker, judged by Java clients that log in, or do not.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use kpki::{
    admin::{Admin, Batch, ClientProperties, ScramChange},
    scram::{Mechanism, parse_file},
    secret::Secret,
};
use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::{Broker, Node, start},
    kpki::{Kpki, Output},
    ports,
};

/// One broker, formatted before anybody but the admin and `ops` is a user.
struct Cluster {
    kpki: Kpki,
    head: String,
    _brokers: Vec<Broker>,
}

fn cluster() -> Option<Cluster> {
    let kpki = Kpki::new();
    let [ssl, sasl, controller] = ports::free();
    let head = format!(
        "cluster:
  name: test
  admin: admin
  super_users: [User:ops]
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512, SCRAM-SHA-256]}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
clients:
  - {{name: admin, auth: tls}}
  - {{name: nobody, auth: tls}}
  - {{name: ops, auth: scram-sha-512}}
"
    );
    let cluster = |brokers| Cluster {
        kpki,
        head,
        _brokers: brokers,
    };
    let mut cluster = cluster(Vec::new());
    cluster.policy("");
    let kpki = &cluster.kpki;
    kpki.ok(&["up", "policy.yaml"]);
    let node = Node {
        server_properties: kpki.path("out/kafka1/server.properties"),
        format_storage_args: kpki.path("out/kafka1/format-storage.args"),
        overrides: Vec::new(),
        work: kpki.path("work/kafka1"),
    };
    cluster._brokers = start(&[node])?;
    Some(cluster)
}

impl Cluster {
    /// Writes the policy: those who are always there, and `more`.
    fn policy(&self, more: &str) {
        self.kpki
            .write("policy.yaml", &format!("{}{more}", self.head));
    }

    fn out(&self, file: &str) -> PathBuf {
        self.kpki.path("out").join(file)
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.out(file)).unwrap()
    }

    fn apply(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["scram", "apply", "policy.yaml", "--json"];
        all.extend(arguments);
        self.kpki.json(&all)
    }

    /// Why it fails, with exit code 1.
    fn refused(&self, verb: &str, arguments: &[&str]) -> Value {
        let mut all = vec!["scram", verb, "policy.yaml", "--json"];
        all.extend(arguments);
        self.kpki.run(&all).expect_code(1).json()["error"].take()
    }

    fn plan(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["scram", "plan", "policy.yaml", "--json", "--exit-code"];
        all.extend(arguments);
        self.kpki.run(&all)
    }

    /// Neither the cluster nor the disk has anything left to do.
    fn settled(&self) {
        self.plan(&[]).expect_code(0);
        let up = self.kpki.json(&["up", "policy.yaml", "--json"]);
        for identity in up["identities"].as_array().unwrap() {
            assert_eq!(identity["action"], "unchanged", "{identity}");
            assert_eq!(identity["superfluous"], json!([]), "{identity}");
        }
        for name in ["alice", "bob", "carol", "ops"] {
            assert!(!self.out(name).join("scram.password.next").exists());
        }
    }

    fn admin(&self) -> Admin {
        let properties = self.out("admin/client.properties");
        Admin::connect(&ClientProperties::read(&properties, None).unwrap()).unwrap()
    }

    /// Gives a user a password behind kpki's back.
    fn upsert(&self, user: &str, mechanism: Mechanism, password: &str) {
        let change = ScramChange::Upsert {
            user: user.into(),
            mechanism,
            iterations: 4096,
            password: Secret::new(password.into()),
            salt: b"0123456789abcdef".to_vec(),
        };
        let results = self.admin().alter_scram(&[change], &mut Batch::default());
        assert_eq!(results.unwrap(), [Ok(())]);
    }

    /// What of a user's `scram.json` the broker has in its metadata log, byte for byte.
    fn assert_same_keys(&self, user: &str) {
        let log = self
            .kpki
            .path("out/data/kafka1/__cluster_metadata-0/00000000000000000000.log");
        let log = fs::read(log).unwrap();
        let holds = |bytes: &[u8]| log.windows(bytes.len()).any(|w| w == bytes);
        let kept = parse_file(&self.text(&format!("{user}/scram.json"))).unwrap();
        assert!(!kept.is_empty());
        let args = self.text("kafka1/format-storage.args");
        for credential in kept {
            assert!(holds(&credential.salt), "{credential:?}");
            assert!(holds(&credential.stored_key), "{credential:?}");
            assert!(holds(&credential.server_key), "{credential:?}");
            let line = credential.kraft_argument().unwrap();
            assert!(args.contains(line.expose()), "{credential:?}");
        }
    }
}

fn login(judge: &Judge, properties: &Path) {
    let begun = Instant::now();
    // The broker may hear of it a moment after the controller.
    while let Err(error) = judge.describe_cluster(&Client::new(properties)) {
        assert!(
            error.class == "SaslAuthenticationException"
                && begun.elapsed() < Duration::from_secs(10),
            "{properties:?}: {error:?}"
        );
    }
}

fn no_login(judge: &Judge, client: &Client) {
    let begun = Instant::now();
    loop {
        match judge.describe_cluster(client) {
            Err(error) => {
                assert_eq!(error.class, "SaslAuthenticationException", "{error:?}");
                return;
            }
            Ok(_) => assert!(begun.elapsed() < Duration::from_secs(10), "still let in"),
        }
    }
}

const MORE: &str = "  - {name: alice, auth: scram-sha-512, formats: [java, librdkafka, spring, quarkus]}
  - {name: bob, auth: [tls, scram-sha-256]}
users:
  - {name: carol, auth: [scram-sha-256, scram-sha-512], iterations: 4096}
";

#[test]
fn the_policy_s_users_get_into_a_real_broker() {
    let Some(judge) = judge() else { return };
    let Some(cluster) = cluster() else { return };
    create(&cluster, judge);
}

fn create(cluster: &Cluster, judge: &Judge) {
    cluster.settled();
    cluster.policy(MORE);
    // Nobody has a password yet: said of everyone, and nothing is done.
    let error = cluster.refused("apply", &[]);
    assert_eq!(error["code"], "up-needed");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("of alice, bob, carol are not in"), "{message}");
    assert!(error["hint"].as_str().unwrap().contains("kpki up policy.yaml"));
    let plan = cluster.plan(&[]).expect_code(3).json();
    assert_eq!(plan["warnings"][0]["code"], "up-needed");

    cluster.kpki.ok(&["up", "policy.yaml"]);
    let plan = cluster.plan(&[]).expect_code(3).json();
    let info = |user: &str, mechanism: &str, iterations: u32| json!({"user": user, "mechanism": mechanism, "iterations": iterations});
    assert_eq!(
        plan["creates"],
        json!([
            info("alice", "SCRAM-SHA-512", 8192),
            info("bob", "SCRAM-SHA-256", 8192),
            info("carol", "SCRAM-SHA-256", 4096),
            info("carol", "SCRAM-SHA-512", 4096),
        ])
    );
    assert_eq!(plan["unchanged"], 1);
    assert_eq!(plan["version"], 1);
    let done = cluster.apply(&[]);
    assert_eq!(done["created"], 4);
    assert_eq!(done["failed"], json!([]));
    login(judge, &cluster.out("alice/client.properties"));
    login(judge, &cluster.out("bob/client-scram-sha-256.properties"));
    for user in ["alice", "bob", "carol"] {
        cluster.assert_same_keys(user);
    }
    cluster.settled();
    let again = cluster.apply(&[]);
    assert_eq!((&again["created"], &again["unchanged"]), (&json!(0), &json!(5)));
}
