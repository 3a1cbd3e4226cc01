//! What `kpki status` says to somebody who comes to a cluster in trouble, and that doing just that is enough.

use serde_json::Value;

use crate::support::{
    clock::{DAY, move_by},
    kpki::Kpki,
    listener::Listener,
    openssl::openssl,
    ports,
};

/// One broker with one listener, which no cluster is behind, and a client.
fn cluster(kpki: &Kpki, port: u16) {
    let [controller] = ports::free();
    let policy = format!(
        "cluster: {{name: test, listeners: [{{name: SSL, port: {port}, protocol: SSL, client_auth: required}}], mode: zookeeper, kafka_version: '3.9', zookeeper_connect: ['localhost:{controller}']}}
brokers: [{{name: kafka1, hosts: [localhost]}}]
clients: [{{name: alice, auth: tls}}]
"
    );
    kpki.write("policy.yaml", &policy);
    kpki.ok(&["up", "policy.yaml"]);
}

/// What is most urgent: its code, message and command. `None`: nothing is due.
fn first(kpki: &Kpki, arguments: &[&str]) -> Option<[String; 3]> {
    let said = kpki.run(&[&["status", "--json"], arguments].concat());
    let status = said.json();
    assert_eq!(said.code, Some(if status["ok"] == true { 0 } else { 3 }));
    let first = status["due"].get(0)?;
    let text = |key: &str| first[key].as_str().unwrap().to_owned();
    Some(["code", "message", "command"].map(text))
}

/// Runs a command that was printed.
fn follow(kpki: &Kpki, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], "kpki", "{command}");
    kpki.ok(&words[1..]).stdout
}

#[test]
fn a_broker_whose_certificate_ended_yesterday_is_renewed_and_restarted() {
    let mut kpki = Kpki::new();
    let [port] = ports::free();
    if openssl(kpki.dir(), &["version"]).is_none() || !move_by(&mut kpki, -398 * DAY) {
        return;
    }
    cluster(&kpki, port);
    let mut listener = Some(Listener::start(&kpki, port));
    kpki.env("CLOCK_MOVED_BY", "0");
    // Everything is as late as the broker; it is the broker that is looked at.
    kpki.ok(&["renew", "alice"]);
    let [code, message, command] = first(&kpki, &["policy.yaml"]).unwrap();
    assert_eq!((&*code, &*command), ("expires", "kpki renew kafka1"));
    assert!(
        message.contains("expired on ") && message.ends_with(", 1 day ago"),
        "{message}"
    );
    let said = follow(&kpki, &command);
    // No reload reaches it, as nobody can connect to it any more.
    assert!(
        said.contains("restart, one after the other: kafka1"),
        "{said}"
    );
    assert!(!said.contains("reload"), "{said}");
    let [code, message, command] = first(&kpki, &["policy.yaml"]).unwrap();
    assert_eq!(
        (&*code, &*command),
        ("renewed-not-served", "restart kafka1")
    );
    assert!(message.contains("only at a restart"), "{message}");
    drop(listener.take());
    listener = Some(Listener::start(&kpki, port));
    assert_eq!(first(&kpki, &["policy.yaml"]), None);
    drop(listener);
}

/// The next one would be due from its first day too, so that the command was never enough.
#[test]
fn a_short_life_that_was_renewed_is_how_long_it_lives() {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice", "--days", "10"]);
    let [_, _, command] = first(&kpki, &[]).unwrap();
    follow(&kpki, &command);
    assert_eq!(first(&kpki, &[]), None);
    if move_by(&mut kpki, 7 * DAY) {
        let [_, message, again] = first(&kpki, &[]).unwrap();
        assert_eq!(again, command);
        assert!(message.contains("in 2 days"), "{message}");
    }
}

#[test]
fn a_rotation_left_half_way_for_a_week_goes_on_by_the_printed_commands() {
    let mut kpki = Kpki::new();
    let [port] = ports::free();
    if openssl(kpki.dir(), &["version"]).is_none() {
        return;
    }
    cluster(&kpki, port);
    let mut listener = Some(Listener::start(&kpki, port));
    kpki.ok(&["rotate-ca", "start"]);
    if !move_by(&mut kpki, 7 * DAY) {
        return;
    }
    let [code, message, _] = first(&kpki, &[]).unwrap();
    assert_eq!(code, "rotation");
    assert!(
        message.contains(", 7 days ago") && message.contains("kafka1"),
        "{message}"
    );
    let mut followed = Vec::new();
    while let Some([code, _, command]) = first(&kpki, &[]) {
        assert_eq!(code, "rotation");
        match command.as_str() {
            "kpki reload kafka1" => {
                drop(listener.take());
                listener = Some(Listener::start(&kpki, port));
            }
            command => {
                follow(&kpki, command);
            }
        }
        followed.push(command);
        assert!(followed.len() < 10, "{followed:?}");
    }
    let next = ["kpki reload kafka1", "kpki rotate-ca next"];
    let finish = ["kpki reload kafka1", "kpki rotate-ca finish"];
    assert_eq!(followed, [next, next, finish].concat());
    let status = kpki.json(&["rotate-ca", "status", "--json"]);
    assert_eq!(status["state"], "none");

    // With the policy, what is not served stands beside it.
    kpki.ok(&["rotate-ca", "start"]);
    drop(listener.take());
    listener = Some(Listener::start(&kpki, port));
    kpki.ok(&["rotate-ca", "next"]);
    let status = kpki.run(&["status", "policy.yaml", "--json"]).json();
    let codes: Vec<&Value> = status["due"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["code"])
        .collect();
    assert_eq!(codes, ["rotation", "renewed-not-served"]);
    // A broker that is down cannot be judged, and one that is nowhere never will.
    drop(listener.take());
    let [_, message, command] = first(&kpki, &[]).unwrap();
    assert_eq!(command, "kpki rotate-ca status");
    assert!(
        message.contains("cannot check that kafka1") && message.contains("next --force"),
        "{message}"
    );
    let clients = Kpki::new();
    clients.ok(&["init-ca"]);
    clients.ok(&["issue", "--client", "alice"]);
    clients.ok(&["rotate-ca", "start"]);
    for expected in ["next", "next", "finish"] {
        let [_, _, command] = first(&clients, &[]).unwrap();
        assert_eq!(command, format!("kpki rotate-ca {expected} --force"));
        follow(&clients, &command);
    }
    assert_eq!(first(&clients, &[]), None);
}
