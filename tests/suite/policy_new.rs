//! `kpki policy new`: the first policy of a cluster, asked for or from options.

use crate::support::{kafka, kpki::Kpki, ports, terminal};

/// That `up` takes it, and no lint has anything to say.
fn accepted(kpki: &Kpki, policy: &str) {
    let clean = kpki
        .ok(&["acl", "lint", "--strict", policy, "--json"])
        .json();
    assert_eq!(clean["findings"], serde_json::json!([]), "{policy}");
    kpki.ok(&["up", policy, "--dry-run"]);
}

#[test]
fn without_a_terminal_the_defaults_are_a_policy_that_up_accepts() {
    let kpki = Kpki::new();
    let printed = kpki.ok(&["policy", "new"]).stdout;
    let written = kpki.json(&["policy", "new", "--out-file", "policy.yaml", "--json"]);
    assert_eq!(written["text"], printed);
    assert_eq!(written["file"], "policy.yaml");
    let text = std::fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    assert_eq!(text, printed);
    assert_eq!(kpki.mode("policy.yaml"), 0o644);
    assert!(
        text.lines().filter(|line| line.contains('#')).count() > 8,
        "{text}"
    );
    accepted(&kpki, "policy.yaml");
    kpki.ok(&["up", "policy.yaml"]);
    assert!(kpki.path("out/kafka1/server.properties").exists());
    assert!(kpki.path("out/app/client.properties").exists());
}

#[test]
fn nothing_is_written_over_another_file() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", "mine\n");
    let refused = kpki.run(&["policy", "new", "--out-file", "policy.yaml", "--json"]);
    assert_eq!(
        refused.expect_code(1).json()["error"]["code"],
        "file-exists"
    );
    let text = std::fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    assert_eq!(text, "mine\n");
}

#[test]
fn options_say_the_whole_cluster() {
    let kpki = Kpki::new();
    let mut words = vec![
        "policy",
        "new",
        "--cluster",
        "Orders: \"east\"",
        "--layout",
        "apache-kafka",
    ];
    for broker in ["k1=k1.example.com,10.0.0.1", "k2=k2.example.com", "k3"] {
        words.extend(["--broker", broker]);
    }
    for controller in ["c1", "c2=c2.example.com", "c3=c2.example.com"] {
        words.extend(["--controller", controller]);
    }
    words.extend(["--client", "app", "--client", "off=scram-sha-256"]);
    let text = kpki.ok(&words).stdout;
    kpki.write("policy.yaml", &text);
    accepted(&kpki, "policy.yaml");
    kpki.ok(&["up", "policy.yaml"]);
    let k1 = std::fs::read_to_string(kpki.path("out/k1/server.properties")).unwrap();
    assert!(k1.contains("process.roles=broker\n"), "{k1}");
    assert!(k1.contains("k1.example.com:9093"), "{k1}");
    let c1 = std::fs::read_to_string(kpki.path("out/c1/server.properties")).unwrap();
    assert!(c1.contains("process.roles=controller\n"), "{c1}");
    let listed = kpki.json(&["list", "--json"]);
    let k1 = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["name"] == "k1");
    assert_eq!(
        k1.unwrap()["sans"],
        serde_json::json!(["DNS:k1.example.com", "IP:10.0.0.1"])
    );

    for wrong in ["bad name", "k1=bad host", "k1=*"] {
        let error = kpki
            .run(&["policy", "new", "--broker", wrong])
            .expect_code(2);
        assert!(error.stderr.contains("--broker"), "{}", error.stderr);
    }
    let twice = kpki.run(&["policy", "new", "--broker", "a", "--client", "a", "--json"]);
    assert_eq!(
        twice.expect_code(2).json()["error"]["code"],
        "invalid-policy"
    );
}

#[test]
fn on_a_terminal_it_asks_until_it_understands() {
    let kpki = Kpki::new();
    let words = [
        "policy",
        "new",
        "--layout",
        "default",
        "--out-file",
        "policy.yaml",
    ];
    let typed = "east\nk1=k1.example.com k 2?\nk1=k1.example.com k2=k2.example.com\n\napp=magic\napp=scram-sha-512\n";
    let Some(shown) = terminal::run(&kpki, 100, &words, typed) else {
        return;
    };
    let shown = shown.expect_code(0).stdout;
    assert!(shown.contains("The cluster's name [kafka]:"), "{shown}");
    assert!(
        shown.contains("one of tls, scram-sha-512, scram-sha-256"),
        "{shown}"
    );
    assert!(!shown.contains("The layout"), "an option said it: {shown}");
    let text = std::fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    for said in [
        "name: east",
        "hosts: [k2.example.com]",
        "auth: scram-sha-512",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    accepted(&kpki, "policy.yaml");
    // Nothing is asked with --yes.
    let shown = terminal::run(&kpki, 100, &["policy", "new", "--yes"], "").unwrap();
    assert!(shown.stdout.contains("name: kafka1"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("[kafka]:"), "{}", shown.stdout);
}

#[test]
fn a_real_broker_starts_with_the_defaults() {
    let kpki = Kpki::new();
    let text = kpki.ok(&["policy", "new"]).stdout;
    // The policy as it is, on ports that are free here.
    let [ssl, controller] = ports::free();
    let ports = format!(
        "cluster:\n  bind_address: 127.0.0.1\n  controller_port: {controller}\n  listeners: [{{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}]\n"
    );
    kpki.write("policy.yaml", &text.replacen("cluster:\n", &ports, 1));
    kpki.ok(&["up", "policy.yaml"]);
    let node = kafka::Node::kafka1(&kpki);
    let Some(_brokers) = kafka::start(std::slice::from_ref(&node)) else {
        return;
    };
    #[cfg(feature = "live")]
    {
        let plan = kpki.json(&["acl", "plan", "policy.yaml", "--exit-code", "--json"]);
        assert_eq!(plan["creates"], serde_json::json!([]));
    }
}
