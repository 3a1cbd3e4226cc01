//! `kpki reload` against a real broker: a renewed certificate is served without a restart, and what a running broker
//! would refuse is found before anything is changed.

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    java::{Client, judge},
    kpki::{Kpki, Output},
    one_broker::OneBroker,
    ports,
    proxy::Act,
};

const CLIENTS: &str = "\
clients:
  - {name: admin, auth: tls}
  - {name: app, auth: scram-sha-512, roles: [{produce: {topic: orders}}]}
";

/// With time for a slow machine.
const RELOAD: [&str; 4] = ["reload", "kafka1", "--timeout", "120"];

/// The settings that are still there after a while: the broker confirms a change before it has read of it.
fn left_behind(cluster: &OneBroker) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let left = settings(cluster);
        if left.is_empty() || begun.elapsed() > Duration::from_secs(60) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// The dynamic settings of a listener's keystore that the broker has.
fn settings(cluster: &OneBroker) -> Vec<String> {
    let admin = cluster.out("admin/client.properties");
    let settings = judge()
        .unwrap()
        .node_settings(&Client::new(&admin), 1)
        .unwrap();
    let names = settings.as_object().unwrap().keys();
    let own = |name: &&String| name.ends_with(".ssl.keystore.location");
    names.filter(own).cloned().collect()
}

fn serial(kpki: &Kpki) -> String {
    let mut lines = kpki.inventory().into_iter();
    let last = lines.rfind(|line| line["name"] == "kafka1").unwrap();
    last["serial"].as_str().unwrap().to_owned()
}

/// What the listener shows, by somebody else's handshake.
fn served(port: &str) -> Option<String> {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509 -noout -serial"
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let serial = text.trim().strip_prefix("serial=")?;
    Some(serial.to_ascii_lowercase())
}

#[test]
fn a_running_broker_takes_up_its_renewed_certificate_and_refuses_a_narrower_one_before_anything_is_changed()
 {
    if judge().is_none() {
        return;
    }
    let Some((cluster, proxy)) = OneBroker::start_behind_proxy(CLIENTS) else {
        return;
    };
    let kpki = &cluster.kpki;
    let server = fs::read_to_string(cluster.out("kafka1/server.properties")).unwrap();
    let listeners = server
        .lines()
        .find(|l| l.starts_with("listeners="))
        .unwrap();
    let ports: Vec<&str> = listeners
        .split(',')
        .map(|l| l.rsplit(':').next().unwrap())
        .collect();
    let every = |serial: &str| {
        for port in &ports {
            assert_eq!(
                served(port).as_deref(),
                Some(serial.trim_start_matches('0')),
                "{port}"
            );
        }
    };

    // What the cluster lacks of its policy, and nothing else once that is done.
    let status = || kpki.run(&["status", "policy.yaml", "--json"]);
    let due = |output: &Output| -> Vec<(String, String)> {
        let document = output.json();
        assert_eq!(
            document["ok"],
            document["due"].as_array().unwrap().is_empty()
        );
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let due = document["due"].as_array().unwrap().iter();
        due.map(|due| (text(&due["code"]), text(&due["command"])))
            .collect()
    };
    let drift = status().expect_code(3);
    let apply = "kpki acl apply policy.yaml";
    assert_eq!(due(&drift), [("drift".to_owned(), apply.to_owned())]);
    assert!(!drift.stderr.contains("not compared"), "{}", drift.stderr);
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    kpki.ok(&["scram", "apply", "policy.yaml"]);
    assert_eq!(due(&status().expect_code(0)), []);

    // Nothing to do.
    let first = serial(kpki);
    let done = kpki.json(&[&RELOAD[..], &["--json"]].concat());
    assert_eq!(done["brokers"][0]["action"], "unchanged", "{done}");
    every(&first);

    // Renewed with a new key.
    let renewed = kpki.ok(&["renew", "kafka1", "--new-key"]).stdout;
    assert!(renewed.contains("\n  kpki reload kafka1\n"), "{renewed}");
    let second = serial(kpki);
    assert_ne!(first, second);
    every(&first);
    let reload = (
        "renewed-not-served".to_owned(),
        "kpki reload kafka1".to_owned(),
    );
    assert_eq!(due(&status().expect_code(3)), [reload]);
    let done = kpki.json(&["reload", "--brokers", "--json"]);
    let broker = &done["brokers"][0];
    assert_eq!(
        (&broker["name"], &broker["action"]),
        (&"kafka1".into(), &"reloaded".into())
    );
    assert_eq!(broker["serial"], second);
    every(&second);
    assert_eq!(left_behind(&cluster), [""; 0]);

    // One host less, which a running broker refuses in its log alone.
    let policy = fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    let narrower = policy.replace("hosts: [localhost, kafka1]", "hosts: [localhost]");
    kpki.write("policy.yaml", &narrower);
    kpki.ok(&["up", "policy.yaml"]);
    let refused = kpki
        .run(&["reload", "kafka1", "--json"])
        .expect_code(1)
        .json();
    assert_eq!(refused["error"]["code"], "restart-needed", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("contains kafka1, but the new one does not"),
        "{message}"
    );
    every(&second);
    assert_eq!(left_behind(&cluster), [""; 0]);
    // The broker was never told, and takes dynamic changes still.
    let log = cluster.broker.as_ref().unwrap().log();
    assert!(!log.contains("SubjectAltNames do not match"), "{log}");

    // Wider again: taken up, with what an interrupted reload has left.
    kpki.write(
        "policy.yaml",
        &policy.replace(
            "[localhost, kafka1]",
            "[localhost, kafka1, kafka1.example.com]",
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let said = kpki.ok(&RELOAD).stdout;
    assert!(said.starts_with("reloaded  kafka1  serves "), "{said}");
    every(&serial(kpki));
    assert_eq!(left_behind(&cluster), [""; 0]);

    // Not copied to where the broker reads: the same store again.
    let store = cluster.out("kafka1/kafka1.keystore.p12");
    let old = fs::read(&store).unwrap();
    kpki.ok(&["renew", "kafka1"]);
    fs::write(&store, old).unwrap();
    let failed = kpki
        .run(&["reload", "kafka1", "--timeout", "2"])
        .expect_code(1);
    assert!(failed.stderr.contains("after 2 s"), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("was copied to its machine"),
        "{}",
        failed.stderr
    );
    assert_eq!(left_behind(&cluster), [""; 0]);

    // A broker that is down keeps no other from its certificate.
    let both = policy.replace(
        "brokers:\n",
        "brokers:\n  - {name: kafka0, hosts: [localhost], port_offset: 100, roles: [broker]}\n",
    );
    let reload = ["reload", "--brokers", "--timeout", "120", "--json"];
    let shown = served(ports[0]).unwrap();
    kpki.write("policy.yaml", &both);
    kpki.ok(&["up", "policy.yaml"]);
    // What one would refuse is still refused before anything is changed.
    let refused = kpki.run(&reload).expect_code(1).json();
    assert_eq!(
        refused["error"]["all"][1]["code"], "restart-needed",
        "{refused}"
    );
    every(&shown);
    let wider = both.replace(
        "[localhost, kafka1]",
        "[localhost, kafka1, kafka1.example.com]",
    );
    kpki.write("policy.yaml", &wider);
    kpki.ok(&["up", "policy.yaml"]);
    let done = kpki.run(&reload).expect_code(4).json();
    let [down, up] = &done["brokers"].as_array().unwrap()[..] else {
        panic!("{done}");
    };
    assert_eq!(
        (&down["name"], &down["action"]),
        (&"kafka0".into(), &"failed".into())
    );
    assert_eq!(down["error"]["code"], "timed-out", "{done}");
    assert_eq!(
        (&up["name"], &up["action"]),
        (&"kafka1".into(), &"reloaded".into())
    );
    every(&serial(kpki));
    assert_eq!(left_behind(&cluster), [""; 0]);

    // The connection is lost before one of the last answers comes: that the setting is gone is seen all the same.
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    proxy.decide(move |_, exchanges| {
        seen.fetch_max(exchanges.len(), Ordering::Relaxed);
        Act::Forward
    });
    kpki.ok(&["renew", "kafka1"]);
    kpki.ok(&RELOAD);
    // A reload has an exchange more where an answer comes late, so the last one may not be there to be cut.
    let mut cuts = 0;
    for before_last in 0..6 {
        let at = most.load(Ordering::Relaxed) - before_last;
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        proxy.decide(move |_, exchanges| {
            match exchanges.len() >= at && !cut.swap(true, Ordering::Relaxed) {
                true => Act::Cut,
                false => Act::Forward,
            }
        });
        kpki.ok(&["renew", "kafka1"]);
        let done = kpki.run(&RELOAD);
        if !done.stdout.starts_with("reloaded") {
            // On a busy machine the exchanges are others: it was a question that got no answer.
            assert!(done.stderr.contains("run the command again"), "{done:?}");
            let again = kpki.run(&RELOAD);
            let log = cluster.broker.as_ref().unwrap().log();
            assert_eq!(again.code, Some(0), "{done:?}\n{again:?}\n{log}");
        }
        every(&serial(kpki));
        assert_eq!(left_behind(&cluster), [""; 0]);
        cuts += usize::from(is_cut.load(Ordering::Relaxed));
        if cuts == 2 {
            return;
        }
    }
    panic!("only {cuts} connections were cut");
}

#[test]
fn clients_controllers_and_strangers_are_said_to_need_something_else() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster: {{name: t, admin: admin, bootstrap_servers: ['localhost:{port}'], listeners: [{{name: SSL, port: {port}, protocol: SSL, client_auth: required}}]}}
brokers:
  - {{name: kafka1, hosts: [localhost], roles: [broker]}}
  - {{name: quorum1, hosts: [localhost], roles: [controller], port_offset: 7}}
clients:
  - {{name: admin, auth: tls}}
"
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let error = |arguments: &[&str]| {
        let arguments = [arguments, &["--json"]].concat();
        kpki.run(&arguments).json()["error"].take()
    };
    let client = error(&["reload", "admin"]);
    assert_eq!(client["code"], "restart-needed");
    assert!(
        client["message"].as_str().unwrap().contains("is a client"),
        "{client}"
    );
    let controller = error(&["reload", "quorum1"]);
    assert_eq!(controller["code"], "restart-needed");
    assert!(
        controller["message"]
            .as_str()
            .unwrap()
            .contains("dedicated controller"),
        "{controller}"
    );
    let nobody = error(&["reload", "kafka9"]);
    assert_eq!(nobody["code"], "identity-unknown");
    assert!(
        nobody["hint"].as_str().unwrap().contains("kafka1, quorum1"),
        "{nobody}"
    );
    assert_eq!(error(&["reload"])["code"], "usage");
    assert_eq!(error(&["reload", "kafka1", "--brokers"])["code"], "usage");
    if cfg!(feature = "live") {
        // Nobody listens: an error in good time.
        assert_eq!(error(&["reload", "kafka1"])["code"], "unreachable");
    }
    // Another certificate than the last that was signed is nothing to be served.
    let before = fs::read(kpki.path("out/kafka1/kafka1.crt")).unwrap();
    kpki.ok(&["renew", "kafka1"]);
    fs::write(kpki.path("out/kafka1/kafka1.crt"), before).unwrap();
    let stale = error(&["reload", "kafka1"]);
    assert_eq!(stale["code"], "identity-damaged", "{stale}");
    // Without a super user among the clients somebody has to say who connects.
    kpki.ok(&["--out", "bare", "init-ca"]);
    kpki.ok(&["--out", "bare", "issue", "kafka1"]);
    let bare = error(&["--out", "bare", "reload", "kafka1"]);
    assert_eq!(bare["code"], "no-cluster", "{bare}");
    assert!(
        bare["hint"].as_str().unwrap().contains("--command-config"),
        "{bare}"
    );
}

/// It was loaded without a word.
#[test]
fn a_revoked_certificate_is_not_loaded() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster: {{name: t, admin: admin, bootstrap_servers: ['localhost:{port}'], listeners: [{{name: SSL, port: {port}, protocol: SSL, client_auth: required}}]}}
brokers:
  - {{name: kafka1, hosts: [localhost]}}
  - {{name: kafka2, hosts: [localhost], port_offset: 7}}
clients:
  - {{name: admin, auth: tls}}
"
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["renew", "kafka1", "--new-key"]);
    kpki.ok(&["revoke", "kafka1", "--reason", "keyCompromise"]);
    let reload = |names: &[&str]| {
        kpki.run(&[&["reload"], names].concat())
            .expect_code(1)
            .stderr
    };
    // Nothing is asked of any broker: there is none here.
    for names in [&["kafka1"][..], &["kafka1", "kafka2"]] {
        let said = reload(names);
        assert!(
            said.starts_with("error: the certificate of `kafka1` was revoked on ")
                && said.contains("kpki renew kafka1 --new-key"),
            "{said}"
        );
        assert!(!said.contains("localhost"), "{said}");
    }
    let refused = kpki.run(&["reload", "kafka1", "--json"]).json();
    assert_eq!(refused["error"]["code"], "revoked", "{refused}");
    // One that is out of service keeps no other from its certificate.
    let said = reload(&["--brokers"]);
    assert!(
        said.starts_with("warning: not reloaded: the certificate of `kafka1` was revoked on ")
            && said.contains("\nerror: "),
        "{said}"
    );
    kpki.ok(&["revoke", "kafka2"]);
    let said = reload(&["--brokers"]);
    assert!(!said.contains("warning: "), "{said}");
    assert!(
        said.contains("`kafka1` was revoked") && said.contains("`kafka2` was revoked"),
        "{said}"
    );
}
