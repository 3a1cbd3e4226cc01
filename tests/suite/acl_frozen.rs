//! A cluster of three brokers of which one is frozen, and a broker that is slow to answer.

use std::time::{Duration, Instant};

use crate::support::{
    java::{Client, judge},
    kafka::{Broker, Node, start},
    kpki::Kpki,
    one_broker::OneBroker,
    ports,
    proxy::Act,
};

const CLIENTS: &str = "\
clients:
  - {name: admin, auth: [tls, scram-sha-512]}
  - {name: app, auth: tls, roles: [{produce: {topic: orders}}]}
";

/// Longer than Kafka's own tool takes (14 s) on a machine that has other things to do.
const BOUND: Duration = Duration::from_secs(40);

/// A process that is stopped, and goes on in any case.
struct Frozen(u32);

impl Frozen {
    fn new(pid: u32) -> Frozen {
        signal(pid, rustix::process::Signal::STOP);
        Frozen(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, rustix::process::Signal::CONT);
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn three() -> Option<(Kpki, Vec<Broker>)> {
    let kpki = Kpki::new();
    let first = ports::range(&[0, 1, 2, 3, 4, 5]);
    let servers: Vec<String> = [0, 2, 4]
        .map(|n| format!("'localhost:{}'", first + n))
        .into();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster:
  name: test
  bootstrap_servers: [{}]
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {first}, protocol: SSL, client_auth: required}}
  controller_port: {}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
  - {{name: kafka2, hosts: [localhost, kafka2], port_offset: 2}}
  - {{name: kafka3, hosts: [localhost, kafka3], port_offset: 4}}
{}",
            servers.join(", "),
            first + 1,
            CLIENTS.replace("[tls, scram-sha-512]", "tls")
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let nodes = ["kafka1", "kafka2", "kafka3"].map(|name| Node::written(&kpki, name));
    let brokers = start(&nodes)?;
    Some((kpki, brokers))
}

#[test]
fn one_frozen_broker_of_three_keeps_kpki_from_nothing() {
    let Some(judge) = judge() else { return };
    let Some((kpki, brokers)) = three() else {
        return;
    };
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    let admin = kpki.path("out/admin/client.properties");
    let quorum = judge.quorum(&Client::new(&admin)).unwrap();
    let leader = quorum["leader"].as_u64().unwrap() as usize;
    let other = (1..=3).find(|id| *id != leader).unwrap();
    for id in [other, leader] {
        {
            let _frozen = Frozen::new(brokers[id - 1].pid());
            // At once, while the others still take it for alive, and later.
            for run in 0..4 {
                let begun = Instant::now();
                kpki.ok(&["acl", "plan", "policy.yaml", "-v"]);
                let took = begun.elapsed();
                println!("node {id} frozen, controller {leader}, run {run}: {took:?}");
                assert!(took < BOUND, "{took:?}");
            }
        }
        // It takes part again.
        let deadline = Instant::now() + Duration::from_secs(60);
        while judge.describe_cluster(&Client::new(&admin)).unwrap()["nodes"]
            .as_array()
            .unwrap()
            .len()
            < 3
        {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    kpki.ok(&["acl", "apply", "policy.yaml"]);
}

#[test]
fn a_broker_that_answers_a_second_late_is_no_failure() {
    if judge().is_none() {
        return;
    }
    let Some((cluster, proxy)) = OneBroker::start_behind_proxy(CLIENTS) else {
        return;
    };
    proxy.decide(|_, _| Act::Delay(Duration::from_secs(1)));
    let begun = Instant::now();
    let plan = cluster.kpki.json(&["acl", "plan", "policy.yaml", "--json"]);
    assert!(!plan["creates"].as_array().unwrap().is_empty());
    assert!(begun.elapsed() > Duration::from_secs(5), "it was not late");
    let applied = cluster
        .kpki
        .json(&["acl", "apply", "policy.yaml", "--json"]);
    assert_eq!(
        applied["created"],
        plan["creates"].as_array().unwrap().len()
    );
}
