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
    let node = Node::kafka1(kpki);
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

const MORE: &str =
    "  - {name: alice, auth: scram-sha-512, formats: [java, librdkafka, spring, quarkus]}
  - {name: bob, auth: [tls, scram-sha-256]}
users:
  - {name: carol, auth: [scram-sha-256, scram-sha-512], iterations: 4096}
";

#[test]
fn the_policy_s_users_get_into_a_real_broker() {
    let Some(judge) = judge() else { return };
    let Some(cluster) = cluster() else { return };
    create(&cluster, judge);
    change(&cluster, judge);
    rotate(&cluster, judge);
    rotate_who_logs_in(&cluster, judge);
    other_mechanism_of_who_logs_in(&cluster, judge);
    lost(&cluster, judge);
    kills(&cluster, judge);
    claimed(&cluster, judge);
    prune(&cluster, judge);
    without_rights(&cluster);
}

/// A file claims the names of users whom the cluster has, by other means than kpki: with their mechanism and other
/// iterations, with another mechanism. They keep their passwords until somebody says otherwise.
fn claimed(cluster: &Cluster, judge: &Judge) {
    let theirs = "TheirOwnPasswordThatNoFileHas123";
    cluster.upsert("legacy-app", Mechanism::Sha512, theirs);
    cluster.upsert("legacy-job", Mechanism::Sha256, theirs);
    let policy = fs::read_to_string(cluster.kpki.path("policy.yaml")).unwrap();
    cluster.kpki.write(
        "teams/a.yaml",
        "clients:
  - {name: legacy-app, auth: scram-sha-512}
  - {name: legacy-job, auth: scram-sha-512}
  - {name: newcomer, auth: scram-sha-512}
",
    );
    let included = format!("{policy}include: [teams/a.yaml]\n");
    cluster.kpki.write("policy.yaml", &included);
    cluster.kpki.ok(&["up", "policy.yaml"]);
    let jaas = |user: &str, password: &str| {
        format!(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{user}\" password=\"{password}\";"
        )
    };
    let any = cluster.out("alice/client.properties");
    let (app, job) = (jaas("legacy-app", theirs), jaas("legacy-job", theirs));
    let as_app = [("sasl.jaas.config", &*app)];
    let as_job = [
        ("sasl.jaas.config", &*job),
        ("sasl.mechanism", "SCRAM-SHA-256"),
    ];
    let client = |overrides| Client {
        properties: &any,
        overrides,
    };

    let plan = cluster.plan(&[]).expect_code(3).json();
    let codes: Vec<&Value> = plan["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["code"])
        .collect();
    assert_eq!(codes, ["user-exists", "user-exists"]);
    let before = tree(&cluster.out("legacy-app"));
    let error = cluster.refused("apply", &[]);
    assert_eq!(error["code"], "plan-refused");
    let message = error["message"].as_str().unwrap();
    for way_out in ["--rotate legacy-app", "--rotate legacy-job", "`manage`"] {
        assert!(message.contains(way_out), "{message}");
    }
    // Nothing at all was done.
    assert_eq!(tree(&cluster.out("legacy-app")), before);
    judge.describe_cluster(&client(&as_app)).unwrap();
    judge.describe_cluster(&client(&as_job)).unwrap();
    no_login(
        judge,
        &Client::new(&cluster.out("legacy-app/client.properties")),
    );
    no_login(
        judge,
        &Client::new(&cluster.out("newcomer/client.properties")),
    );

    // By name, or by the main policy's own word.
    let manage = format!("{included}manage: {{principals: ['User:legacy-job']}}\n");
    cluster.kpki.write("policy.yaml", &manage);
    let done = cluster.apply(&["--rotate", "legacy-app"]);
    assert_eq!((&done["rotated"], &done["created"]), (&json!(1), &json!(2)));
    no_login(judge, &client(&as_app));
    for user in ["legacy-app", "legacy-job", "newcomer"] {
        login(judge, &cluster.out(&format!("{user}/client.properties")));
    }
    // From now on the passwords are kpki's, and other iterations are no question.
    let stronger = fs::read_to_string(cluster.kpki.path("teams/a.yaml")).unwrap();
    let stronger = stronger.replace("512}", "512, iterations: 16384}");
    cluster.kpki.write("teams/a.yaml", &stronger);
    cluster.kpki.write("policy.yaml", &included);
    cluster.kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(cluster.apply(&[])["updated"], 3);
    login(judge, &cluster.out("legacy-app/client.properties"));

    // For what follows they have never been.
    let gone = ["legacy-app", "legacy-job", "newcomer"].map(|user| ScramChange::Delete {
        user: user.into(),
        mechanism: Mechanism::Sha512,
    });
    let rest = ScramChange::Delete {
        user: "legacy-job".into(),
        mechanism: Mechanism::Sha256,
    };
    let results = cluster.admin().alter_scram(&gone, &mut Batch::default());
    assert!(results.unwrap().iter().all(Result::is_ok));
    let results = cluster.admin().alter_scram(&[rest], &mut Batch::default());
    assert!(results.unwrap().iter().all(Result::is_ok));
    cluster.kpki.write("policy.yaml", &policy);
    fs::remove_file(cluster.kpki.path("teams/a.yaml")).unwrap();
}

fn create(cluster: &Cluster, judge: &Judge) {
    cluster.settled();
    cluster.policy(MORE);
    // Nobody has a password yet: said of everyone, and nothing is done.
    let error = cluster.refused("apply", &[]);
    assert_eq!(error["code"], "up-needed");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("of alice, bob, carol are not in"),
        "{message}"
    );
    assert!(
        error["hint"]
            .as_str()
            .unwrap()
            .contains("kpki up policy.yaml")
    );
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
    assert_eq!(
        (&again["created"], &again["unchanged"]),
        (&json!(0), &json!(5))
    );
}

/// Other iterations and another mechanism, without `kpki up` in between.
fn change(cluster: &Cluster, judge: &Judge) {
    let password = cluster.text("alice/scram.password");
    let policy = MORE
        .replace("quarkus]}", "quarkus], iterations: 16384}")
        .replace("auth: [tls, scram-sha-256]}", "auth: [tls, scram-sha-512]}");
    cluster.policy(&policy);
    let plan = cluster.plan(&[]).expect_code(3).json();
    assert_eq!(
        plan["updates"],
        json!([{"user": "alice", "mechanism": "SCRAM-SHA-512", "iterations": 16384, "was": 8192}])
    );
    let creates = json!([{"user": "bob", "mechanism": "SCRAM-SHA-512", "iterations": 8192}]);
    assert_eq!(plan["creates"], creates);
    // The mechanism that bob no longer has is undeclared.
    assert_eq!(plan["warnings"][0]["code"], "surplus");
    assert_eq!(
        (&plan["deletes"], &plan["left_alone"]),
        (&json!([]), &json!(1))
    );

    let done = cluster.apply(&[]);
    assert_eq!((&done["created"], &done["updated"]), (&json!(1), &json!(1)));
    assert_eq!(cluster.text("alice/scram.password"), password);
    assert_eq!(
        parse_file(&cluster.text("alice/scram.json")).unwrap()[0].iterations,
        16384
    );
    for user in ["alice", "bob"] {
        cluster.assert_same_keys(user);
    }
    login(judge, &cluster.out("alice/client.properties"));
    login(judge, &cluster.out("bob/client-scram-sha-512.properties"));
    cluster.kpki.ok(&["up", "policy.yaml"]);

    let new = cluster.out("bob/client-scram-sha-512.properties");
    let old = Client {
        properties: &new,
        overrides: &[("sasl.mechanism", "SCRAM-SHA-256")],
    };
    judge.describe_cluster(&old).unwrap();
    let plan = cluster.plan(&["--prune"]).expect_code(3).json();
    let deletes = json!([{"user": "bob", "mechanism": "SCRAM-SHA-256"}]);
    assert_eq!(plan["deletes"], deletes);
    let error = cluster.refused("apply", &["--prune"]);
    assert_eq!(error["code"], "confirmation-needed");
    let error = cluster.refused("apply", &["--prune", "--yes", "--max-deletes", "0"]);
    assert_eq!(error["code"], "plan-refused");
    judge.describe_cluster(&old).unwrap();
    assert_eq!(cluster.apply(&["--prune", "--yes"])["deleted"], 1);
    no_login(judge, &old);
    login(judge, &new);
}

/// Copies a file that is about to be replaced.
fn copy(cluster: &Cluster, file: &str) -> PathBuf {
    let copy = cluster.kpki.path(file.replace('/', "-"));
    fs::copy(cluster.out(file), &copy).unwrap();
    copy
}

/// What somebody edited is not written over with a new password, and the cluster keeps the old one.
fn edited(cluster: &Cluster) {
    let file = cluster.out("alice/client.properties");
    let (as_it_was, edited) = (cluster.text("alice/client.properties"), "linger.ms=7\n");
    fs::write(&file, as_it_was.clone() + edited).unwrap();
    let refused = cluster.refused("apply", &["--rotate", "alice"]);
    assert_eq!(refused["code"], "edited", "{refused}");
    assert!(cluster.text("alice/client.properties").ends_with(edited));
    fs::write(&file, as_it_was).unwrap();
    cluster.assert_same_keys("alice");
    cluster.settled();
}

fn rotate(cluster: &Cluster, judge: &Judge) {
    let unknown = ["scram", "apply", "policy.yaml", "--rotate", "admin"];
    let refused = cluster.kpki.run(&unknown).expect_code(2);
    assert!(
        refused.stderr.contains("alice, bob, carol, ops"),
        "{}",
        refused.stderr
    );

    let old = copy(cluster, "alice/client.properties");
    let old_password = cluster.text("alice/scram.password");
    edited(cluster);
    let bob = cluster.text("bob/client-scram-sha-512.properties");
    let plan = cluster.plan(&["--rotate", "alice"]).expect_code(3).json();
    assert_eq!(plan["rotates"][0]["user"], "alice");
    let done = cluster.apply(&["--rotate", "alice", "--rotate", "carol"]);
    assert_eq!((&done["rotated"], &done["updated"]), (&json!(3), &json!(0)));
    login(judge, &cluster.out("alice/client.properties"));
    no_login(judge, &Client::new(&old));

    let password = cluster.text("alice/scram.password");
    assert_ne!(password, old_password);
    assert_eq!(password.trim().len(), 32);
    for file in [
        "client.properties",
        "librdkafka.conf",
        "spring.yaml",
        "quarkus.properties",
    ] {
        let text = cluster.text(&format!("alice/{file}"));
        assert!(text.contains(password.trim()), "{file}");
        assert!(!text.contains(old_password.trim()), "{file}");
        let mode = fs::metadata(cluster.out("alice").join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(cluster.text("bob/client-scram-sha-512.properties"), bob);
    for user in ["alice", "carol"] {
        cluster.assert_same_keys(user);
    }
    cluster.settled();
    // People are told what to do next, and nobody is shown a password.
    let shown = cluster
        .kpki
        .ok(&["-v", "scram", "apply", "policy.yaml", "--rotate", "carol"]);
    let password = cluster.text("carol/scram.password");
    for text in [&shown.stdout, &shown.stderr] {
        assert!(!text.contains(password.trim()), "{text}");
    }
    assert!(
        shown
            .stdout
            .contains("its new password is in out/carol/scram.password"),
        "{}",
        shown.stdout
    );
}

/// The user that kpki itself logs in as, also where the cluster has its new password and the disk not yet.
fn rotate_who_logs_in(cluster: &Cluster, judge: &Judge) {
    let config = cluster.out("ops/client.properties");
    let as_ops = ["--command-config", config.to_str().unwrap()];
    let old = copy(cluster, "ops/client.properties");
    let all = [&["--rotate", "ops"][..], &as_ops].concat();
    assert_eq!(cluster.apply(&all)["rotated"], 1);
    no_login(judge, &Client::new(&old));
    login(judge, &config);

    let next = "ThePasswordThatTheClusterHas1234";
    cluster
        .kpki
        .write("out/ops/scram.password.next", &format!("{next}\n"));
    cluster.upsert("ops", Mechanism::Sha512, next);
    no_login(judge, &Client::new(&config));
    // `up` knows nothing of it and destroys nothing.
    let up = cluster.kpki.json(&["up", "policy.yaml", "--json"]);
    assert!(
        up["identities"]
            .as_array()
            .unwrap()
            .iter()
            .all(|i| i["action"] == "unchanged")
    );
    let plan = cluster.plan(&as_ops).expect_code(3).json();
    assert_eq!(plan["rotates"][0]["user"], "ops");
    assert_eq!(plan["warnings"][0]["code"], "rotation-begun");
    assert_eq!(cluster.apply(&as_ops)["rotated"], 1);
    assert_eq!(cluster.text("ops/scram.password").trim(), next);
    login(judge, &config);
    cluster.settled();
    // All was done but for the removal: it is told again, which changes nothing.
    cluster
        .kpki
        .write("out/ops/scram.password.next", &format!("{next}\n"));
    assert_eq!(cluster.apply(&as_ops)["rotated"], 1);
    assert_eq!(cluster.text("ops/scram.password").trim(), next);
    cluster.settled();
}

/// `up` has written the new mechanism of the user that kpki logs in as, and the cluster has the old one.
fn other_mechanism_of_who_logs_in(cluster: &Cluster, judge: &Judge) {
    let policy = fs::read_to_string(cluster.kpki.path("policy.yaml")).unwrap();
    let ops = "{name: ops, auth: scram-sha-";
    let other = policy.replace(&format!("{ops}512"), &format!("{ops}256"));
    let config = cluster.out("ops/client.properties");
    let as_ops = [
        "--prune",
        "--yes",
        "--command-config",
        config.to_str().unwrap(),
    ];
    for text in [&other, &policy] {
        cluster.kpki.write("policy.yaml", text);
        cluster.kpki.ok(&["up", "policy.yaml"]);
        no_login(judge, &Client::new(&config));
        let done = cluster.apply(&as_ops);
        assert_eq!((&done["created"], &done["deleted"]), (&json!(1), &json!(0)));
        login(judge, &config);
        // What remains is for the admin to delete, who is somebody else.
        let delete = ScramChange::Delete {
            user: "ops".into(),
            mechanism: if text == &other {
                Mechanism::Sha512
            } else {
                Mechanism::Sha256
            },
        };
        let results = cluster
            .admin()
            .alter_scram(&[delete], &mut Batch::default());
        assert_eq!(results.unwrap(), [Ok(())]);
    }
    cluster.settled();
}

/// Who lost a password gets a new one from `up`, and the cluster is told without being asked to.
fn lost(cluster: &Cluster, judge: &Judge) {
    let old = copy(cluster, "alice/client.properties");
    fs::remove_file(cluster.out("alice/scram.password")).unwrap();
    assert_eq!(cluster.refused("apply", &[])["code"], "up-needed");
    cluster.kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(cluster.apply(&[])["rotated"], 1);
    no_login(judge, &Client::new(&old));
    login(judge, &cluster.out("alice/client.properties"));
    cluster.settled();
}

/// Killed in the middle of a rotation, again and again; the next run finishes it.
fn kills(cluster: &Cluster, judge: &Judge) {
    let next = cluster.out("alice/scram.password.next");
    let mut found = 0;
    for after in [0, 3, 8, 20, 50] {
        let mut child = cluster
            .kpki
            .command(&["scram", "apply", "policy.yaml", "--rotate", "alice"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !next.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(after));
        child.kill().unwrap();
        child.wait().unwrap();
        if let Ok(meta) = fs::metadata(&next) {
            found += 1;
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        }
        let done = cluster.apply(&[]);
        assert_eq!(done["failed"], json!([]));
        // Whatever the cluster had, it has now what the disk has, and nothing is left to do.
        cluster.assert_same_keys("alice");
        login(judge, &cluster.out("alice/client.properties"));
        cluster.settled();
    }
    assert!(found > 0, "no run was killed in between");
    println!("{found} runs were killed in between");
}

fn prune(cluster: &Cluster, judge: &Judge) {
    let manage = "manage: {principals: [{prefix: \"User:team-\"}, User:ops]}\n";
    let team = format!("{MORE}  - {{name: team-x, auth: scram-sha-512}}\n{manage}");
    let team = team.replace("[tls, scram-sha-256]", "[tls, scram-sha-512]");
    cluster.policy(&team.replace("quarkus]}", "quarkus], iterations: 16384}"));
    cluster.kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(cluster.apply(&[])["created"], 1);
    let password = cluster.text("team-x/scram.password");
    let jaas = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"team-x\" password=\"{}\";",
        password.trim()
    );
    let any = cluster.out("alice/client.properties");
    let team_x = Client {
        properties: &any,
        overrides: &[("sasl.jaas.config", &jaas)],
    };
    judge.describe_cluster(&team_x).unwrap();

    // Gone from the policy: team-x, who is managed; alice, bob and carol, who are not; ops, as whom kpki logs in.
    let without_ops = cluster
        .head
        .replace("  - {name: ops, auth: scram-sha-512}\n", "");
    cluster
        .kpki
        .write("policy.yaml", &format!("{without_ops}{manage}"));
    cluster.upsert("team-y", Mechanism::Sha256, "whatever");
    let config = cluster.out("ops/client.properties");
    let as_ops = ["--prune", "--command-config", config.to_str().unwrap()];
    let plan = cluster.plan(&as_ops).expect_code(3).json();
    assert_eq!(
        plan["deletes"],
        json!([
            {"user": "team-x", "mechanism": "SCRAM-SHA-512"},
            {"user": "team-y", "mechanism": "SCRAM-SHA-256"},
        ])
    );
    assert_eq!(plan["warnings"][0]["code"], "operator-kept");
    assert_eq!(plan["warnings"][1]["code"], "deletion-and-restart");
    assert_eq!(plan["left_alone"], 5);
    // As the admin, by certificate: ops is a super user.
    let plan = cluster.plan(&["--prune"]).expect_code(3).json();
    assert_eq!(plan["warnings"][0]["code"], "super-user-kept");
    assert_eq!(plan["deletes"].as_array().unwrap().len(), 2);
    assert_eq!(
        cluster.apply(&[&as_ops[..], &["--yes"]].concat())["deleted"],
        2
    );
    no_login(judge, &team_x);
    login(judge, &cluster.out("ops/client.properties"));
    login(judge, &any);
    cluster.plan(&["--prune"]).expect_code(0);
}

fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Whoever may not read is told so; whoever may read and not write changes neither cluster nor disk.
fn without_rights(cluster: &Cluster) {
    cluster.policy(&MORE.replace("[tls, scram-sha-256]", "[tls, scram-sha-512]"));
    let before = tree(&cluster.out("alice"));
    let config = cluster.out("nobody/client.properties");
    let as_nobody = ["--command-config", config.to_str().unwrap()];
    let error = cluster.refused("plan", &as_nobody);
    assert_eq!(error["code"], "not-authorized");
    assert!(error["message"].as_str().unwrap().contains("Describe"));
    let describe = json!({"resource_type": "CLUSTER", "pattern_type": "LITERAL", "name": "kafka-cluster",
        "principal": "User:nobody", "host": "*", "operation": "DESCRIBE", "permission": "ALLOW"});
    let binding = serde_json::from_value(describe).unwrap();
    let results = cluster
        .admin()
        .create_acls(&[binding], &mut Batch::default());
    assert!(results.unwrap()[0].1.is_ok());
    let begun = Instant::now();
    while cluster.plan(&as_nobody).code != Some(3) {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    let rotate = [&["--rotate", "alice"][..], &as_nobody].concat();
    let error = cluster.refused("apply", &rotate);
    assert_eq!(error["code"], "not-authorized");
    assert!(error["message"].as_str().unwrap().contains("Alter"));
    assert_eq!(tree(&cluster.out("alice")), before);
}

/// Nothing is begun where no broker answers.
#[test]
fn nothing_changes_while_the_cluster_is_down() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster: {{name: test, admin: admin, bootstrap_servers: [\"localhost:{port}\"]}}
brokers: [{{name: kafka1}}]
clients:
  - {{name: admin, auth: tls}}
  - {{name: alice, auth: scram-sha-512}}
"
        ),
    );
    let apply = [
        "scram",
        "apply",
        "policy.yaml",
        "--json",
        "--rotate",
        "alice",
    ];
    let missing = kpki.run(&apply).expect_code(1).json();
    assert_eq!(missing["error"]["code"], "up-needed");
    assert!(!kpki.path("out").exists());
    kpki.ok(&["up", "policy.yaml"]);
    let before = tree(&kpki.path("out/alice"));
    let error = kpki.run(&apply).expect_code(1).json();
    assert_eq!(error["error"]["code"], "unreachable");
    assert_eq!(tree(&kpki.path("out/alice")), before);
}
