//! Which cluster is changed, and as whom: plans and output directories belong to one cluster, and the admin's connection
//! is made from what lies in its directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use kpki::policy::{LAYOUTS, Layout};
use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::Node,
    kpki::{Kpki, Output},
    one_broker::OneBroker,
    ports,
};

const CLIENTS: &str = "\
clients:
  - {name: admin, auth: [tls, scram-sha-512]}
  - name: app
    auth: tls
    roles: [{produce: {topic: orders}}]
";

fn error(output: Output) -> (String, String) {
    let error = output.json()["error"].take();
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (text("code"), text("message") + "\n" + &text("hint"))
}

fn binding(name: &str, principal: &str, operation: &str) -> Value {
    json!({"resource_type": "TOPIC", "pattern_type": "LITERAL", "name": name, "principal": principal, "host": "*",
           "operation": operation, "permission": "ALLOW"})
}

/// Runs a command line as it was printed, in a shell that finds kpki.
fn paste(kpki: &Kpki, line: &str) -> Output {
    let bin = kpki.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let program = bin.join("kpki");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_kpki"));
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let out = Command::new("sh")
        .args(["-c", line])
        .current_dir(kpki.dir())
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Output {
        code: out.status.code(),
        stdout: String::from_utf8(out.stdout).unwrap(),
        stderr: String::from_utf8(out.stderr).unwrap(),
    }
}

/// The indented command that follows a text.
fn printed<'o>(text: &'o str, after: &str) -> &'o str {
    let rest = text.split(after).nth(1).unwrap_or_else(|| panic!("{text}"));
    let line = rest.lines().find(|line| line.starts_with("  kpki "));
    line.unwrap_or_else(|| panic!("{text}")).trim()
}

/// A cluster with the same certificates and another id: a copy for trying things out, or the same machine formatted anew.
fn the_other(cluster: &OneBroker) -> (Node, String) {
    let [ssl, sasl, controller] = ports::free();
    let args = fs::read_to_string(&cluster.node.format_storage_args).unwrap();
    let id = fs::read_to_string(cluster.out("cluster.id")).unwrap();
    let args = args.replace(id.trim(), "AAAAAAAAQACAAAAAAAAAAA");
    let node = Node {
        server_properties: cluster.node.server_properties.clone(),
        format_storage_args: cluster.kpki.write("other.args", &args),
        overrides: [
            (
                "listeners",
                format!("SSL://127.0.0.1:{ssl},SASL_SSL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}"),
            ),
            (
                "advertised.listeners",
                format!("SSL://localhost:{ssl},SASL_SSL://localhost:{sasl},CONTROLLER://localhost:{controller}"),
            ),
            (
                "controller.quorum.voters",
                format!("1@localhost:{controller}"),
            ),
            (
                "log.dirs",
                cluster.kpki.path("work/other/data").display().to_string(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec(),
        java_options: Vec::new(),
        work: cluster.kpki.path("work/other"),
    };
    (node, format!("localhost:{ssl}"))
}

#[test]
fn a_plan_and_an_output_directory_change_no_other_cluster_than_their_own() {
    let Some(judge) = judge() else { return };
    let Some(cluster) = OneBroker::start(CLIENTS) else {
        return;
    };
    let kpki = &cluster.kpki;
    let (node, other) = the_other(&cluster);
    node.format();
    let mut broker = node.spawn();
    broker.wait_until_started();
    let admin = cluster.out("admin/client.properties");
    let there = [("bootstrap.servers", &*other)];
    let there = Client {
        properties: &admin,
        overrides: &there,
    };
    let untouched = || judge.list_acls(&there).unwrap().is_empty();

    // A plan for the one, applied to the other.
    let plan = kpki.json(&["acl", "plan", "policy.yaml", "--save", "p.plan", "--json"]);
    let id = fs::read_to_string(cluster.out("cluster.id")).unwrap();
    assert_eq!(plan["cluster"]["id"], id.trim());
    let elsewhere = [
        "acl",
        "apply",
        "p.plan",
        "--bootstrap-server",
        &other,
        "--json",
    ];
    let (code, text) = error(kpki.run(&elsewhere).expect_code(1));
    assert_eq!(code, "plan-other-cluster");
    for part in [
        id.trim(),
        "AAAAAAAAQACAAAAAAAAAAA",
        "kpki acl plan policy.yaml",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(untouched());

    // The output directory of the one, with a policy whose address is the other's.
    let policy = fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    let own = policy.split("'localhost:").nth(1).unwrap();
    let own = own.split('\'').next().unwrap().to_owned();
    // A policy whose address no listener of its own brokers has would be refused: the listener moves with it.
    let swapped = policy.replace(&own, other.rsplit(':').next().unwrap());
    kpki.write("policy.yaml", &swapped);
    for verb in ["acl", "scram"] {
        let (code, text) = error(
            kpki.run(&[verb, "apply", "policy.yaml", "--json"])
                .expect_code(1),
        );
        assert_eq!(code, "other-cluster", "{text}");
        assert!(text.contains("out/cluster.id"), "{text}");
        let planned = kpki.ok(&[verb, "plan", "policy.yaml"]);
        assert!(
            planned.stderr.contains("nothing can be applied there"),
            "{}",
            planned.stderr
        );
    }
    // The swapped policy is not the one that was reviewed.
    let (code, _) = error(
        kpki.run(&["acl", "apply", "p.plan", "--json"])
            .expect_code(1),
    );
    assert_eq!(code, "plan-stale");
    assert!(untouched());

    // Where the disks were formatted otherwise on purpose, one file says so.
    kpki.write("out/cluster.id", "AAAAAAAAQACAAAAAAAAAAA\n");
    let applied = kpki.json(&["acl", "apply", "policy.yaml", "--json"]);
    assert_eq!(applied["created"], 1);
    kpki.write("out/cluster.id", &id);

    connects_as_planned(&cluster, judge, &policy, &own);
    kpki.write("policy.yaml", &policy);
    of_earlier_versions(kpki);
}

/// The policy's address is nobody's; the plan was made with one on the command line, and with another client.
fn connects_as_planned(cluster: &OneBroker, judge: &Judge, policy: &str, own: &str) {
    let kpki = &cluster.kpki;
    let [nobody] = ports::free();
    kpki.write("policy.yaml", &policy.replace(own, &nobody.to_string()));
    let config = fs::read_to_string(cluster.out("admin/client-scram-sha-512.properties")).unwrap();
    // The port of SASL_SSL is in it, and the addresses of the command line go before it.
    let sasl = config.split("bootstrap.servers=").nth(1).unwrap();
    let sasl = sasl.lines().next().unwrap().to_owned();
    kpki.write("my admin.properties", &config.replace(&sasl, "localhost:1"));
    let planned = kpki.ok(&[
        "acl",
        "plan",
        "policy.yaml",
        "--command-config",
        "my admin.properties",
        "--bootstrap-server",
        &sasl,
        "--save",
        "it's monday's.plan",
    ]);
    let line = printed(&planned.stderr, "once it is reviewed:");
    let applied = paste(kpki, line).expect_code(0);
    let shown = format!("policy   policy.yaml\ncluster  {} at {sasl}\n", {
        let id = fs::read_to_string(cluster.out("cluster.id")).unwrap();
        id.trim().to_owned()
    });
    let before = applied.stdout.split("User:app").next().unwrap();
    assert!(before.contains(&shown), "{}", applied.stdout);
    assert_eq!(cluster.judged(judge), cluster.expanded("policy.yaml"));

    // Somebody changes what is managed: the command that plans again has the connection in it.
    let admin = cluster.out("admin/client.properties");
    let more = [binding("x", "User:app", "READ")];
    judge.create_acls(&Client::new(&admin), &more).unwrap();
    let stale = kpki
        .run(&["acl", "apply", "it's monday's.plan"])
        .expect_code(1);
    let again = printed(&stale.stderr, "review that:");
    paste(kpki, again).expect_code(0);
    paste(kpki, line).expect_code(0);
}

/// What an earlier kpki saved does not say which cluster it is for.
fn of_earlier_versions(kpki: &Kpki) {
    kpki.ok(&["acl", "plan", "policy.yaml", "--save", "p.plan"]);
    let saved = fs::read_to_string(kpki.path("p.plan")).unwrap();
    let mut plan: Value = serde_json::from_str(&saved).unwrap();
    plan.as_object_mut().unwrap().remove("cluster");
    kpki.write("p.plan", &plan.to_string());
    let (code, text) = error(
        kpki.run(&["acl", "apply", "p.plan", "--json"])
            .expect_code(1),
    );
    assert_eq!(code, "plan-stale");
    assert!(text.contains("does not name its cluster"), "{text}");
    assert!(
        text.contains("kpki acl plan policy.yaml --save p.plan"),
        "{text}"
    );
}

/// What is written for the admin's own machine is not what kpki connects with on this one.
#[test]
fn kpki_connects_with_what_lies_in_the_admins_directory() {
    let Some(judge) = judge() else { return };
    let Some(mut cluster) = OneBroker::start(CLIENTS) else {
        return;
    };
    let more = format!("{CLIENTS}  - {{name: metrics, auth: scram-sha-512}}\n");
    every_layout(&cluster, judge, &more);
    missing_files(&cluster, &more);
    the_clusters_own_acls(&cluster, judge);
    unreadable_rules(&mut cluster, judge);
}

fn every_layout(cluster: &OneBroker, judge: &Judge, clients: &str) {
    let kpki = &cluster.kpki;
    let client_properties = |layout: &Layout| layout.files("admin").client_properties;
    let elsewhere = ["/opt/ssl", "/elsewhere"].map(|dir| {
        let change = format!("install_dir: {dir}");
        (change, client_properties(&Layout::DEFAULT))
    });
    // The default one is mounted nowhere else by itself.
    let layouts = LAYOUTS[1..].iter().map(|layout| {
        let change = format!("layout: {}", layout.name);
        (change, client_properties(layout))
    });
    let changes: Vec<(String, String)> = elsewhere.into_iter().chain(layouts).collect();
    let scram_first = clients.replace("[tls, scram-sha-512]", "[scram-sha-512, tls]");
    for (at, (change, file)) in changes.iter().enumerate() {
        let clients = clients.replace("orders", &format!("orders-{at}"));
        let text = |clients: &str| {
            cluster.policy(clients);
            let policy = fs::read_to_string(kpki.path("policy.yaml")).unwrap();
            let policy = policy.replacen("name: test\n", &format!("name: test\n  {change}\n"), 1);
            kpki.write("policy.yaml", &policy);
        };
        text(&clients);
        kpki.ok(&["up", "policy.yaml"]);
        // A file that nobody can use here.
        let out = cluster.out("admin");
        let written = fs::read_to_string(out.join(file)).unwrap();
        assert!(!written.contains(out.to_str().unwrap()), "{written}");
        let created = kpki.json(&["acl", "apply", "policy.yaml", "--json"])["created"].clone();
        assert_eq!(created, 1, "{change}");
        kpki.ok(&["acl", "plan", "policy.yaml", "--exit-code"]);
        let plan = kpki.run(&["scram", "plan", "policy.yaml", "--exit-code"]);
        plan.expect_code(if at == 0 { 3 } else { 0 });
        let applied = kpki.json(&["scram", "apply", "policy.yaml", "--json"]);
        assert_eq!(applied["created"], i32::from(at == 0), "{change}");

        // By password, which is another listener.
        text(&scram_first.replace("orders", &format!("orders-{at}")));
        let policy = fs::read_to_string(kpki.path("policy.yaml")).unwrap();
        let ports: Vec<&str> = policy.split("port: ").skip(1).collect();
        let [ssl, sasl] = [ports[0], ports[1]].map(|p| p.split(',').next().unwrap());
        let policy = policy.replace(
            &format!("'localhost:{ssl}'"),
            &format!("'localhost:{sasl}'"),
        );
        kpki.write("policy.yaml", &policy);
        kpki.ok(&["up", "policy.yaml"]);
        let as_user = kpki.ok(&["-v", "acl", "plan", "policy.yaml", "--exit-code"]);
        assert!(
            as_user.stderr.contains("connected as User:admin"),
            "{}",
            as_user.stderr
        );
        kpki.ok(&["scram", "apply", "policy.yaml"]);
    }
    cluster.policy(clients);
    kpki.ok(&["up", "policy.yaml"]);
    let admin = cluster.out("admin/client.properties");
    let there = judge.list_acls(&Client::new(&admin)).unwrap();
    assert_eq!(there.len(), changes.len());
}

/// Each file that is needed is named when it is gone, with the command that makes it.
fn missing_files(cluster: &OneBroker, clients: &str) {
    let kpki = &cluster.kpki;
    let refused = |file: &str| {
        let path = cluster.out(file);
        let aside = PathBuf::from(format!("{}.aside", path.display()));
        fs::rename(&path, &aside).unwrap();
        for verb in ["acl", "scram"] {
            let out = kpki.run(&[verb, "plan", "policy.yaml", "--json"]);
            let (code, text) = error(out.expect_code(2));
            assert_eq!(code, "no-cluster", "{file}: {text}");
            assert!(
                text.starts_with(&format!("out/{file} is missing")),
                "{text}"
            );
            assert!(text.contains("kpki up policy.yaml"), "{text}");
        }
        fs::rename(&aside, &path).unwrap();
    };
    for file in [
        "admin/admin.key",
        "admin/admin.crt",
        "admin/ca.crt",
        "admin",
    ] {
        refused(file);
    }
    // Whoever may write there could say which CA to trust.
    let admin = cluster.out("admin");
    fs::set_permissions(&admin, fs::Permissions::from_mode(0o777)).unwrap();
    let (code, text) = error(
        kpki.run(&["scram", "apply", "policy.yaml", "--json"])
            .expect_code(1),
    );
    assert_eq!(code, "obstacle", "{text}");
    fs::set_permissions(&admin, fs::Permissions::from_mode(0o700)).unwrap();
    // Not needed.
    fs::remove_file(cluster.out("admin/client.properties")).unwrap();
    kpki.ok(&["acl", "plan", "policy.yaml"]);
    cluster.policy(&clients.replace("[tls, scram-sha-512]", "[scram-sha-512, tls]"));
    refused("admin/scram.password");
    cluster.policy(clients);
    kpki.ok(&["up", "policy.yaml"]);
}

/// The policy says that somebody cannot, and the cluster lets it.
fn the_clusters_own_acls(cluster: &OneBroker, judge: &Judge) {
    let kpki = &cluster.kpki;
    let tests = "tests:
  - {principal: User:app, can: Write, topic: orders}
  - {principal: User:app, cannot: Read, topic: payroll}
";
    cluster.policy(&format!("{CLIENTS}{tests}"));
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    let live = ["acl", "test", "policy.yaml", "--live", "--json"];
    let passed = kpki.json(&live);
    assert_eq!(
        (&passed["passed"], &passed["live"]),
        (&json!(2), &json!(true))
    );
    let everyone = binding("payroll", "User:*", "READ");
    let admin = cluster.out("admin/client.properties");
    judge
        .create_acls(&Client::new(&admin), std::slice::from_ref(&everyone))
        .unwrap();
    kpki.ok(&["acl", "test", "policy.yaml"]);
    let mut failed = kpki.run(&live);
    for _ in 0..50 {
        if failed.code != Some(0) {
            break;
        }
        failed = kpki.run(&live);
    }
    let failed = failed.expect_code(3).json();
    assert_eq!(failed["failed"][0]["acl"], everyone);
    assert_eq!(failed["failed"][0]["acl_source"], Value::Null);
    assert_eq!(failed["failed"][0]["decision"], "ALLOWED");
    let told = kpki.run(&live[..4]).expect_code(3).stdout;
    let why = "by Allow User:* Read on Topic `payroll` from *, which is in the cluster and not in the policy";
    assert!(told.contains(why), "{told}");
    // What is missing in the cluster fails as well.
    let config = ["--command-config", "out/admin/client.properties"];
    cluster.policy(&format!("{CLIENTS}{tests}").replace("topic: orders", "topic: later"));
    let by_config = ["acl", "test", "policy.yaml"];
    kpki.ok(&by_config);
    let missing = kpki.run(&[&by_config[..], &config].concat()).expect_code(3);
    assert!(
        missing.stdout.contains("should be allowed and is denied"),
        "{}",
        missing.stdout
    );
}

/// Rules that Java understands and kpki does not: nobody knows whose right has to be kept.
fn unreadable_rules(cluster: &mut OneBroker, judge: &Judge) {
    cluster.policy(CLIENTS);
    let surplus = [binding("surplus", "User:app", "READ")];
    let admin = cluster.out("admin/client.properties");
    judge.create_acls(&Client::new(&admin), &surplus).unwrap();
    cluster.restart("\nssl.principal.mapping.rules=RULE:^CN=([^,]+)(?<=.).*$/$1/\n");
    let kpki = &cluster.kpki;
    let before = cluster.judged(judge);
    let prune = ["acl", "apply", "policy.yaml", "--prune", "--yes", "--json"];
    let refused = kpki.run(&prune).expect_code(1);
    let (code, text) = error(refused);
    assert_eq!(code, "plan-refused");
    assert!(
        text.contains("it is unknown which principal kpki is connected as"),
        "{text}"
    );
    assert!(text.contains("look-behind"), "{text}");
    assert_eq!(cluster.judged(judge), before);
    // A login by password needs no rules.
    let by_password = [
        "--command-config",
        "out/admin/client-scram-sha-512.properties",
    ];
    let pruned = kpki.json(&[&prune[..], &by_password].concat());
    assert!(pruned["deleted"].as_u64().unwrap() > 0, "{pruned}");
}

/// No broker is needed to refuse a connection on which everybody could read along.
#[test]
fn credentials_are_not_sent_over_a_connection_without_tls() {
    let kpki = Kpki::new();
    let [port, controller] = ports::free();
    let policy = |protocol: &str| {
        let listeners = format!(
            "- {{name: PLAIN, port: {port}, protocol: {protocol}, mechanisms: [SCRAM-SHA-512]}}"
        );
        format!(
            "cluster: \n  admin: admin\n  bootstrap_servers: ['localhost:{port}']\n  controller_port: {controller}\n  inter_broker_listener: PLAIN\n  listeners:\n    {listeners}
brokers: [{{name: kafka1, hosts: [localhost]}}]
clients:
  - {{name: admin, auth: scram-sha-512}}
  - {{name: alice, auth: scram-sha-512}}
"
        )
    };
    kpki.write("policy.yaml", &policy("SASL_PLAINTEXT"));
    kpki.ok(&["up", "policy.yaml"]);
    let apply = ["scram", "apply", "policy.yaml", "--json"];
    let (code, text) = error(kpki.run(&apply).expect_code(1));
    assert_eq!(code, "not-encrypted");
    assert!(
        text.contains("SASL_PLAINTEXT") && text.contains("--over-plaintext"),
        "{text}"
    );
    let (code, _) = error(
        kpki.run(&[&apply[..], &["--over-plaintext"]].concat())
            .expect_code(1),
    );
    assert_eq!(code, "unreachable");

    let plain = format!("bootstrap.servers=localhost:{port}\nsecurity.protocol=PLAINTEXT\n");
    kpki.write("plain.properties", &plain);
    let config = [&apply[..], &["--command-config", "plain.properties"]].concat();
    let (code, text) = error(kpki.run(&config).expect_code(1));
    assert_eq!(code, "not-encrypted");
    assert!(text.contains("is PLAINTEXT"), "{text}");
}

/// As in the examples of so many: host names are not looked at, and whoever has a certificate is the broker.
#[test]
fn a_configuration_that_checks_no_host_names_is_warned_about() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    let config = format!(
        "bootstrap.servers=localhost:{port}\nsecurity.protocol=SSL\nssl.endpoint.identification.algorithm=\n"
    );
    kpki.write("lax.properties", &config);
    let out = kpki.run(&["acl", "export", "--command-config", "lax.properties"]);
    assert!(
        out.stderr
            .contains("lax.properties: ssl.endpoint.identification.algorithm is empty"),
        "{}",
        out.stderr
    );
    kpki.write(
        "strict.properties",
        &config.replace("algorithm=", "algorithm=https"),
    );
    let out = kpki.run(&["acl", "export", "--command-config", "strict.properties"]);
    assert!(!out.stderr.contains("algorithm"), "{}", out.stderr);
}
