//! What `kpki acl apply` does when something is in its way: the exit code, what it says was and was not applied, and
//! that the next run completes.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use kpki::{
    acl::AclBindingFilter,
    admin::{Admin, ClientProperties},
};
use serde_json::{Value, json};

use crate::support::{
    expired,
    java::{Client, Judge, judge},
    kpki::Output,
    one_broker::OneBroker,
};

const CLIENTS: &str = "\
clients:
  - {name: admin, auth: [tls, scram-sha-512]}
  - {name: deployer, auth: tls}
  - {name: reader, auth: tls}
  - {name: nobody, auth: tls}
  - {name: app, auth: tls, roles: [{produce: {topic: orders}}, {consume: {topic: clicks, group: app}}]}
manage: {principals: ['User:app', 'User:0', 'User:1', 'User:2', 'User:3', 'User:4']}
";

/// Enough that a run can be interrupted.
const MANY: usize = 20_000;

/// A policy with many bindings of five principals, on topics of this name.
fn many(name: &str) -> String {
    let mut text = format!("{CLIENTS}acls:\n");
    for principal in 0..5 {
        let topics: Vec<String> = (0..MANY / 5).map(|n| format!("{name}{n}")).collect();
        let topics = topics.join(", ");
        text.push_str(&format!(
            "  - {{principal: 'User:{principal}', allow: [Write], topic: [{topics}]}}\n"
        ));
    }
    text
}

fn right(principal: &str, operation: &str, permission: &str) -> Value {
    json!({"resource_type": "CLUSTER", "pattern_type": "LITERAL", "name": "kafka-cluster", "principal": principal,
           "host": "*", "operation": operation, "permission": permission})
}

#[test]
fn faults_are_named_and_the_next_run_completes() {
    let Some(judge) = judge() else { return };
    let Some(mut cluster) = OneBroker::start(CLIENTS) else {
        return;
    };
    let admin = cluster.out("admin/client.properties");
    let rights = [
        right("User:deployer", "ALTER", "ALLOW"),
        right("User:reader", "DESCRIBE", "ALLOW"),
    ];
    judge.create_acls(&Client::new(&admin), &rights).unwrap();

    kept_out(&cluster);
    without_rights(&cluster, judge);
    interrupted(&cluster, judge);
    refused_half_way(&cluster, judge);
    killed(&mut cluster, judge);
}

fn apply<'a>(policy: &'a str, config: &'a str) -> Vec<&'a str> {
    vec!["acl", "apply", policy, "--command-config", config, "--json"]
}

/// The code of a failure in which nothing was changed.
fn code(out: Output) -> String {
    let out = out.expect_code(1);
    out.json()["error"]["code"].as_str().unwrap().to_owned()
}

/// A wrong password, and a certificate that has ended.
fn kept_out(cluster: &OneBroker) {
    let kpki = &cluster.kpki;
    let scram = cluster.out("admin/client-scram-sha-512.properties");
    let scram = std::fs::read_to_string(scram).unwrap();
    let password = scram.split("password=\"").nth(1).unwrap();
    let password = password.split('"').next().unwrap();
    kpki.write(
        "wrong.properties",
        &scram.replace(password, "not-it-at-all"),
    );
    let out = kpki.run(&apply("policy.yaml", "wrong.properties"));
    assert!(!out.stderr.contains("not-it-at-all"), "{}", out.stderr);
    assert_eq!(code(out), "login-failed");

    let properties = std::fs::read_to_string(cluster.out("admin/client.properties")).unwrap();
    let store = expired::key_store(&cluster.kpki, "admin")
        .display()
        .to_string();
    let changed: String = properties
        .lines()
        .map(|line| match line.split_once('=') {
            Some((key @ "ssl.keystore.location", _)) => format!("{key}={store}\n"),
            Some((key @ ("ssl.keystore.password" | "ssl.key.password"), _)) => {
                format!("{key}=expired\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    kpki.write("expired.properties", &changed);
    let out = kpki.run(&apply("policy.yaml", "expired.properties"));
    assert_eq!(code(out), "certificate-refused");
}

/// Who may read and not write, and who may do neither.
fn without_rights(cluster: &OneBroker, judge: &Judge) {
    let kpki = &cluster.kpki;
    let before = cluster.judged(judge);
    let reader = kpki.run(&apply("policy.yaml", "out/reader/client.properties"));
    assert!(
        reader.stderr.contains("DescribeConfigs"),
        "{}",
        reader.stderr
    );
    assert!(
        reader.stderr.contains("nothing was changed"),
        "{}",
        reader.stderr
    );
    assert_eq!(code(reader), "not-authorized");
    let planned = [
        "acl",
        "plan",
        "policy.yaml",
        "--command-config",
        "out/reader/client.properties",
        "--json",
    ];
    assert_eq!(kpki.json(&planned)["creates"].as_array().unwrap().len(), 3);
    let nobody = kpki.run(&apply("policy.yaml", "out/nobody/client.properties"));
    assert_eq!(code(nobody), "not-authorized");
    // librdkafka frees a pointer into its stack when it is told so about SCRAM users.
    let scram = [
        "scram",
        "plan",
        "policy.yaml",
        "--command-config",
        "out/nobody/client.properties",
        "--json",
    ];
    for _ in 0..5 {
        assert_eq!(code(kpki.run(&scram)), "not-authorized");
    }
    assert_eq!(cluster.judged(judge), before);
}

/// A run in the background.
struct Running(Child);

impl Running {
    fn start(cluster: &OneBroker, arguments: &[&str]) -> Running {
        let mut command = cluster.kpki.command(arguments);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped());
        Running(piped.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until the cluster has the first of the second principal's bindings on topics of this name: some requests
    /// were answered then, and some are still to be sent.
    fn until_begun(&mut self, cluster: &OneBroker, name: &str) {
        let admin = cluster.out("admin/client.properties");
        let mut admin = Admin::connect(&ClientProperties::read(&admin, None).unwrap()).unwrap();
        let first = AclBindingFilter {
            name: Some(format!("{name}0")),
            ..AclBindingFilter::principal("User:1")
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while admin.describe_acls(&first).unwrap().bindings.is_empty() {
            let ended = self.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}");
        }
    }

    fn end(self) -> Output {
        let out = self.0.wait_with_output().unwrap();
        Output {
            code: out.status.code(),
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: String::from_utf8(out.stderr).unwrap(),
        }
    }
}

/// What a run that was cut short says, which has to be what the cluster has.
fn partly(out: Output) -> Value {
    let out = out.expect_code(4);
    assert!(out.stderr.contains("partly applied"), "{}", out.stderr);
    assert!(
        out.stderr.contains("running it again finishes the work"),
        "{}",
        out.stderr
    );
    let json = out.json();
    let created = json["created"].as_u64().unwrap() as usize;
    let failed = json["failed"].as_array().unwrap().len();
    assert!(created > 0 && failed > 0, "{created} {failed}");
    assert_eq!(created + failed, MANY);
    json
}

fn why(json: &Value) -> String {
    let last = json["failed"].as_array().unwrap().last().unwrap();
    last["error"].as_str().unwrap().to_owned()
}

fn interrupted(cluster: &OneBroker, judge: &Judge) {
    let kpki = &cluster.kpki;
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    cluster.policy_file("many.yaml", &many("t"));
    let before = cluster.judged(judge).len();
    let mut run = Running::start(cluster, &apply("many.yaml", "out/admin/client.properties"));
    run.until_begun(cluster, "t");
    let pid = run.0.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let out = run.end();
    assert!(out.stderr.contains("stopped on request"), "{}", out.stderr);
    let told = partly(out);
    assert_eq!(why(&told), "not attempted: stopped before its turn");
    let created = told["created"].as_u64().unwrap() as usize;
    assert_eq!(cluster.judged(judge).len(), before + created);

    let rest = kpki.json(&apply("many.yaml", "out/admin/client.properties"));
    assert_eq!(
        rest,
        json!({"created": MANY - created, "deleted": 0, "failed": []})
    );

    // And the way back, which is one filter for each principal.
    let prune = ["acl", "apply", "policy.yaml", "--prune", "--yes", "--json"];
    assert_eq!(code(kpki.run(&prune)), "plan-refused");
    let most = MANY.to_string();
    let out = kpki.json(&[&prune[..], &["--max-deletes", &most]].concat());
    assert_eq!(out, json!({"created": 0, "deleted": MANY, "failed": []}));
    assert_eq!(cluster.judged(judge).len(), before);
}

/// The one who applies loses the right to, in the middle.
fn refused_half_way(cluster: &OneBroker, judge: &Judge) {
    let kpki = &cluster.kpki;
    let before = cluster.judged(judge).len();
    let deployer = apply("many.yaml", "out/deployer/client.properties");
    let mut run = Running::start(cluster, &deployer);
    run.until_begun(cluster, "t");
    let admin = cluster.out("admin/client.properties");
    let no_more = [right("User:deployer", "ALTER", "DENY")];
    judge.create_acls(&Client::new(&admin), &no_more).unwrap();
    let told = partly(run.end());
    assert!(why(&told).contains("not attempted"), "{}", why(&told));
    let first = told["failed"][0]["error"].as_str().unwrap();
    assert!(first.contains("Kafka error 31"), "{first}");
    let created = told["created"].as_u64().unwrap() as usize;
    assert_eq!(cluster.judged(judge).len(), before + 1 + created);
    assert_eq!(code(kpki.run(&deployer)), "not-authorized");
    let rest = kpki.json(&apply("many.yaml", "out/admin/client.properties"));
    assert_eq!(rest["created"], MANY - created);
}

/// The broker dies in the middle.
fn killed(cluster: &mut OneBroker, judge: &Judge) {
    cluster.policy_file("more.yaml", &many("u"));
    let before = cluster.judged(judge).len();
    let arguments = apply("more.yaml", "out/admin/client.properties");
    let mut run = Running::start(cluster, &arguments);
    run.until_begun(cluster, "u");
    cluster.kill();
    let begun = Instant::now();
    let out = run.end();
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert!(out.stderr.contains("connection"), "{}", out.stderr);
    let told = partly(out);
    assert!(why(&told).contains("not attempted"), "{}", why(&told));
    let unknown = told["failed"].as_array().unwrap().iter();
    let unknown = unknown
        .filter(|f| f["error"].as_str().unwrap().contains("no answer"))
        .count();
    let created = told["created"].as_u64().unwrap() as usize;

    assert_eq!(code(cluster.kpki.run(&arguments)), "unreachable");

    // It comes back, first without an authorizer.
    cluster.restart("\nauthorizer.class.name=\n");
    assert_eq!(code(cluster.kpki.run(&arguments)), "no-authorizer");
    // Then with one that lists none, which librdkafka takes for an empty cluster.
    cluster.restart("\nauthorizer.class.name=MuteAuthorizer\n");
    assert_eq!(code(cluster.kpki.run(&arguments)), "refused");
    let export = ["acl", "export", "more.yaml"];
    assert_eq!(cluster.kpki.run(&export).expect_code(1).stdout, "");
    cluster.restart("");
    let now = cluster.judged(judge).len() - before;
    assert!(
        (created..=created + unknown).contains(&now),
        "{created} + {unknown}: {now}"
    );
    let rest = cluster.kpki.json(&arguments);
    assert_eq!(rest["created"], MANY - now);
}
