//! What `kpki status` says to somebody who comes to a cluster in trouble, and that doing just that is enough.

use serde_json::{Value, json};

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
/// `renew --due` found nothing where status named a certificate.
#[test]
fn what_status_calls_due_is_renewed_by_due() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--no-passphrase"]);
    kpki.ok(&["issue", "--client", "short", "--days", "3"]);
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert_eq!(status["due"][0]["command"], "kpki renew short");
    let renewed = kpki.json(&["renew", "--due", "--json"]);
    assert_eq!(renewed[0]["name"], "short");
    kpki.ok(&["status"]);
    assert_eq!(kpki.json(&["renew", "--due", "--json"]), json!([]));
}

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
        message.contains("cannot check who has loaded them: kafka1 (")
            && message.contains("next --force"),
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

/// Status said that there was nothing to do, and explain that she may.
#[test]
fn a_revoked_client_is_due_until_the_cluster_shows_that_it_is_cut_off() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    cluster(&kpki, port);
    let fine = kpki
        .run(&["status", "policy.yaml", "--json"])
        .expect_code(0);
    let unchecked = json!(["kafka1 on SSL", "ACLs", "SCRAM users"]);
    assert_eq!(fine.json()["unchecked"], unchecked);
    let said = kpki.ok(&["status", "policy.yaml", "--metrics", "m.prom"]);
    assert!(
        said.stdout.starts_with("nothing to do as far as checked"),
        "{}",
        said.stdout
    );
    assert!(
        std::fs::read_to_string(kpki.path("m.prom"))
            .unwrap()
            .contains("\nkpki_unchecked 1\n")
    );

    kpki.ok(&["revoke", "alice"]);
    let [code, message, command] = first(&kpki, &["policy.yaml"]).unwrap();
    assert_eq!((&*code, &*command), ("drift", "kpki acl apply policy.yaml"));
    assert!(
        message.contains("may still accept") && message.ends_with("alice"),
        "{message}"
    );
    let alice = kpki.json(&["principal", "alice", "--json"])["principal"].take();
    let alice = alice.as_str().unwrap();
    let asked = ["--principal", alice, "--operation", "Read", "--topic", "t"];
    let said = kpki.run(&[&["acl", "explain", "policy.yaml"], &asked[..]].concat());
    assert!(
        said.stderr.contains(&format!("{alice} is revoked")),
        "{}",
        said.stderr
    );
}

/// Code, name and command of all that is due with the policy.
fn due(kpki: &Kpki) -> Vec<[String; 3]> {
    let said = kpki.run(&["status", "policy.yaml", "--json"]);
    let status = said.json();
    let due = status["due"].as_array().unwrap().iter();
    let text = |due: &Value, key: &str| due[key].as_str().unwrap().to_owned();
    let due: Vec<_> = due
        .map(|due| ["code", "name", "command"].map(|key| text(due, key)))
        .collect();
    assert_eq!(
        said.code,
        Some(if due.is_empty() { 0 } else { 3 }),
        "{said:?}"
    );
    due
}

/// Status said that there was nothing to do while the broker answered, and named it once it was down.
#[test]
fn a_broker_that_serves_a_revoked_certificate_is_due_until_it_serves_a_new_one() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    if openssl(kpki.dir(), &["version"]).is_none() {
        return;
    }
    cluster(&kpki, port);
    let mut listener = Some(Listener::start(&kpki, port));
    assert_eq!(due(&kpki), [[""; 3]; 0]);
    kpki.ok(&["revoke", "kafka1", "--reason", "keyCompromise"]);
    let renew = "kpki renew kafka1 --new-key";
    // One entry says all of it.
    assert_eq!(due(&kpki), [["revoked", "kafka1", renew]]);
    let [_, message, _] = first(&kpki, &["policy.yaml"]).unwrap();
    for part in [
        "still serves a certificate on SSL that was revoked on 20",
        "(keyCompromise)",
        "once out/kafka1 is on its machine: kpki reload kafka1",
        "User:kafka1 is a super user, to whom ACLs do not apply",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    drop(listener.take());
    assert_eq!(due(&kpki), [["revoked", "kafka1", renew]]);
    listener = Some(Listener::start(&kpki, port));
    follow(&kpki, renew);
    // The key is still out there, and served.
    let reload = "kpki reload kafka1";
    assert_eq!(due(&kpki), [["revoked", "kafka1", reload]]);
    // A newer one that is revoked is nothing to be loaded.
    let newest = kpki.inventory().into_iter();
    let newest = newest.rev().find(|line| line["sans"].is_array()).unwrap();
    kpki.ok(&["revoke", newest["serial"].as_str().unwrap()]);
    assert_eq!(due(&kpki), [["revoked", "kafka1", renew]]);
    follow(&kpki, renew);
    drop(listener.take());
    listener = Some(Listener::start(&kpki, port));
    assert_eq!(due(&kpki), [[""; 3]; 0]);
    drop(listener);
}

/// No Deny stops her, so comparing the ACLs showed nothing.
#[test]
fn a_revoked_super_user_is_due_until_the_brokers_refuse_her_or_she_has_a_new_certificate() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    if openssl(kpki.dir(), &["version"]).is_none() {
        return;
    }
    cluster(&kpki, port);
    let policy = std::fs::read_to_string(kpki.path("policy.yaml")).unwrap();
    let alice = kpki.json(&["principal", "alice", "--json"])["principal"].take();
    let with_her = format!("cluster: {{super_users: [{alice}], ");
    kpki.write("policy.yaml", &policy.replace("cluster: {", &with_her));
    kpki.ok(&["up", "policy.yaml"]);
    let mut listener = Some(Listener::start(&kpki, port));
    assert_eq!(due(&kpki), [[""; 3]; 0]);
    kpki.ok(&["revoke", "alice"]);
    let renew = "kpki renew alice --new-key";
    assert_eq!(due(&kpki), [["revoked", "alice", renew]]);
    let [_, message, _] = first(&kpki, &["policy.yaml"]).unwrap();
    assert!(
        message.contains("is a super user, to whom ACLs do not apply, and the brokers were not seen to refuse it: give it a new key")
            && message.contains("run kpki up policy.yaml, and restart the brokers"),
        "{message}"
    );
    drop(listener.take());
    listener = Some(Listener::start_checking(&kpki, port));
    assert_eq!(due(&kpki), [[""; 3]; 0]);
    drop(listener.take());
    listener = Some(Listener::start(&kpki, port));
    assert_eq!(due(&kpki), [["revoked", "alice", renew]]);
    // Whether they refuse her cannot be seen without her key, and without a directory nothing is renewed.
    std::fs::rename(kpki.path("out/alice"), kpki.path("alice")).unwrap();
    assert_eq!(due(&kpki), [["revoked", "alice", "kpki up policy.yaml"]]);
    std::fs::rename(kpki.path("alice"), kpki.path("out/alice")).unwrap();
    follow(&kpki, renew);
    assert_eq!(due(&kpki), [[""; 3]; 0]);
    drop(listener);
}

/// The certificate was signed and lost.
#[test]
fn nothing_is_signed_where_the_answer_cannot_be_written() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--no-passphrase"]);
    kpki.ok(&["--out", "far", "issue", "--csr-only", "kafka9"]);
    let before = std::fs::read_to_string(kpki.path("out/ca/inventory.jsonl")).unwrap();
    let request = "far/kafka9/kafka9.csr";
    for verb in [
        &["sign", request, "--host", "kafka9"][..],
        &["crl"],
        &["crl", "--der"],
    ] {
        let said = kpki
            .run(&[verb, &["--out-file", "nowhere/x"]].concat())
            .expect_code(1);
        assert!(said.stderr.contains("nowhere"), "{}", said.stderr);
        assert_eq!(
            std::fs::read_to_string(kpki.path("out/ca/inventory.jsonl")).unwrap(),
            before,
            "{verb:?}"
        );
    }
    assert!(!kpki.path("out/ca/crl.pem").exists());
    kpki.run(&[
        "--out",
        "new",
        "init-ca",
        "--request",
        "--no-passphrase",
        "--out-file",
        "nowhere/x",
    ])
    .expect_code(1);
    assert!(!kpki.path("new/ca").exists());
    // Signed for a key that is elsewhere: a local key is made only where it is asked for.
    kpki.ok(&[
        "sign",
        request,
        "--host",
        "kafka9",
        "--out-file",
        "kafka9.crt",
    ]);
    let refused = kpki
        .run(&["issue", "kafka9", "--json"])
        .expect_code(1)
        .json();
    assert_eq!(refused["error"]["code"], "identity-exists");
    kpki.ok(&["issue", "kafka9", "--new-key"]);
}

#[test]
fn colour_is_as_asked_for_where_the_command_line_is_not_valid_either() {
    let kpki = Kpki::new();
    let coloured = |value: &str| {
        let said = kpki.run(&["nosuch", "--color", value]).expect_code(2);
        said.stderr.contains('\x1b')
    };
    assert!(coloured("always") && !coloured("never"));
}

/// It passed the check, and `up` failed without a place in the policy.
#[test]
fn a_client_that_the_default_listeners_do_not_accept_is_an_error_of_the_policy() {
    let kpki = Kpki::new();
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: alice, auth: none}]\n",
    );
    let said = kpki.run(&["policy", "check", "policy.yaml"]).expect_code(2);
    assert!(
        said.stderr.contains("no-listener") && said.stderr.contains("policy.yaml:2:"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_truststore_with_the_well_known_password_needs_none_for_verify() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--no-passphrase"]);
    kpki.ok(&["trust", "add", "out/ca/ca.crt", "--out-file", "ts.p12"]);
    let [port] = ports::free();
    let address = format!("localhost:{port}");
    kpki.run(&["verify", &address, "--truststore", "ts.p12"])
        .expect_code(3);
}

/// Found by a tester: the renewals that an expired CA cannot sign came first.
#[test]
fn an_expired_ca_is_replaced_before_anything_is_renewed() {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca", "--days", "40"]);
    kpki.ok(&["issue", "--client", "alice", "--days", "30"]);
    if !move_by(&mut kpki, 41 * DAY) {
        return;
    }
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    let due = status["due"].as_array().unwrap();
    let commands: Vec<&str> = due
        .iter()
        .map(|due| due["command"].as_str().unwrap())
        .collect();
    assert_eq!(commands, ["kpki rotate-ca start"], "{status:#}");
    let refused = kpki.run(&["renew", "alice"]).expect_code(1).stderr;
    assert!(refused.contains("kpki rotate-ca start"), "{refused}");
    kpki.ok(&["rotate-ca", "start"]);
    kpki.ok(&["rotate-ca", "next", "--force"]);
    let listed = kpki.json(&["list", "--json"]);
    let of_alice = |one: &&Value| one["name"] == "alice" && one["status"] == "valid";
    assert!(
        listed.as_array().unwrap().iter().any(|one| of_alice(&one)),
        "{listed:#}"
    );
}
