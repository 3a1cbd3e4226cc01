//! Every role of the policy, proved by a real client that does its work against a real broker with the role's bindings
//! and nothing else: none of them is missing, none is there in vain, and without them the same client is refused.
//!
//! The one role that is not here is `schema_registry`: Confluent's Schema Registry is not to be had from Maven Central.

mod audit;
mod cluster;
mod workers;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::java::{Client, JavaError, Judge, judge};
use cluster::{Cluster, clusters};

/// A role, and the client that proves it.
struct Role {
    /// The client's name, which is its certificate's and its principal's.
    client: &'static str,
    /// Its roles in the cluster's policy.
    roles: &'static [&'static str],
    /// Its roles in the policy of the other cluster, if it is a client there, too.
    other: &'static [&'static str],
    /// What the client asks for and does without: operations and the type of resource that they are on.
    tolerates: &'static [(&'static str, &'static str)],
    /// Does what such a client is there for, or says what refused it.
    work: fn(&Stage, &str) -> Result<(), String>,
}

const ROLES: &[Role] = &[
    role("producer", &["produce: {topic: orders}"], produce),
    role(
        "creator",
        &["produce: {topic: {prefix: new-}, create: true}"],
        produce_to_a_new_topic,
    ),
    role(
        "transactional",
        &[
            "produce: {topic: transferred, transactional_id: transfer-1}",
            "consume: {topic: orders, group: transfer}",
        ],
        transfer,
    ),
    role(
        "consumer",
        &["consume: {topic: orders, group: {prefix: readers-}}"],
        consume,
    ),
    role(
        "streams",
        &[
            "streams: {application_id: counting, read: clicks-eu, write: counts, exactly_once: true}",
        ],
        streams,
    ),
    role(
        "connect",
        &[
            "connect: {group_id: worker, config_topic: worker-configs, offset_topic: worker-offsets, \
           status_topic: worker-status, sources: lines, sinks: [{name: to-file, topic: lines}], exactly_once: true}",
        ],
        workers::connect,
    ),
    Role {
        other: &["mirror_target: {topics: A.mirrored, groups: mirrored-readers, source: A}"],
        ..role(
            "mirror",
            &["mirror_source: {topics: mirrored, groups: mirrored-readers, target: B}"],
            workers::mirror,
        )
    },
    role("monitor", &["monitor"], monitor),
    role("operator", &["admin"], administer),
];

const fn role(
    client: &'static str,
    roles: &'static [&'static str],
    work: fn(&Stage, &str) -> Result<(), String>,
) -> Role {
    Role {
        client,
        roles,
        other: &[],
        tolerates: &[],
        work,
    }
}

/// What the clients of a test meet.
struct Stage {
    judge: &'static Judge,
    here: Cluster,
    /// The one that is mirrored to.
    there: Cluster,
}

#[test]
fn every_role_lets_a_real_client_do_its_work_and_nothing_else_does() {
    let Some(judge) = judge() else { return };
    let began = Instant::now();
    let tell = |what: &str| eprintln!("{:6.1} s  {what}", began.elapsed().as_secs_f32());
    let Some([here, there]) = clusters() else {
        return;
    };
    let stage = Stage { judge, here, there };
    stage.prepare();
    tell("prepared");

    stage.apply(true);
    tell("roles given");
    let results = stage.everyone_works();
    tell("worked");
    for (role, result) in &results {
        if let Err(error) = result {
            eprintln!("{}: {error}", role.client);
        }
    }
    for cluster in [&stage.here, &stage.there] {
        let path = cluster.kpki.path("work/kafka1/kafka.log");
        let name = cluster.kpki.dir().file_name().unwrap().to_str().unwrap();
        std::fs::copy(&path, format!("/tmp/audit{name}.log")).unwrap();
        for finding in audit::findings(cluster, &cluster.log()) {
            eprintln!("FINDING {finding}");
        }
        audit::explained(cluster, &cluster.log());
    }
    assert!(results.iter().all(|(_, r)| r.is_ok()));

    stage.apply(false);
    tell("roles withdrawn");
    for (role, result) in stage.everyone_works() {
        let error = result.expect_err(role.client);
        assert!(
            error.contains("AuthorizationException"),
            "{}: {error}",
            role.client
        );
    }
    tell("refused");
}

impl Stage {
    /// Every client at once, each in its own time.
    fn everyone_works(&self) -> Vec<(&'static Role, Result<(), String>)> {
        std::thread::scope(|scope| {
            let each: Vec<_> = ROLES
                .iter()
                .map(|role| {
                    (
                        role,
                        scope.spawn(move || {
                            let began = Instant::now();
                            let result = (role.work)(self, role.client);
                            eprintln!("{} took {:.1?}", role.client, began.elapsed());
                            result
                        }),
                    )
                })
                .collect();
            each.into_iter()
                .map(|(role, work)| (role, work.join().unwrap()))
                .collect()
        })
    }

    /// Applies both policies, with the roles or without them, and waits until the brokers know.
    fn apply(&self, given: bool) {
        for (cluster, roles) in [
            (
                &self.here,
                (|role| role.roles) as fn(&Role) -> &'static [&'static str],
            ),
            (&self.there, |role| role.other),
        ] {
            cluster.apply(self.judge, |role| if given { roles(role) } else { &[] });
        }
    }

    /// Topics with something in them, groups, and a log of every decision.
    fn prepare(&self) {
        let admin = self.here.properties("admin");
        let admin = Client::new(&admin);
        for topic in [
            "orders",
            "transferred",
            "clicks-eu",
            "counts",
            "lines",
            "mirrored",
            "payments",
        ] {
            self.judge.create_topic(&admin, topic, 1, 1).unwrap();
        }
        for topic in ["orders", "clicks-eu", "mirrored"] {
            self.judge.produce(&admin, topic, 3).unwrap();
        }
        for (topic, group) in [
            ("orders", "watched"),
            ("orders", "idle"),
            ("mirrored", "mirrored-readers"),
        ] {
            let patience = Duration::from_secs(30);
            self.judge
                .consume(&admin, topic, group, 3, patience)
                .unwrap();
        }
        for cluster in [&self.here, &self.there] {
            let question = json!({
                "properties": cluster.properties("admin"), "resource_type": "BROKER_LOGGER", "resource": "1",
                "name": "kafka.authorizer.logger", "value": "DEBUG",
            });
            self.judge.ask::<Value>("alter-config", question).unwrap();
        }
    }

    /// Asks as a client of the first cluster.
    fn ask(&self, client: &str, command: &str, mut question: Value) -> Result<Value, String> {
        question["properties"] = json!(self.here.properties(client));
        self.judge.ask(command, question).map_err(text)
    }
}

fn text(error: JavaError) -> String {
    format!("{}: {} {:?}", error.class, error.message, error.causes)
}

fn produce(stage: &Stage, client: &str) -> Result<(), String> {
    stage.ask(client, "produce", json!({"topic": "orders", "count": 3}))?;
    Ok(())
}

fn produce_to_a_new_topic(stage: &Stage, client: &str) -> Result<(), String> {
    stage.ask(client, "produce", json!({"topic": "new-topic", "count": 3}))?;
    Ok(())
}

fn transfer(stage: &Stage, client: &str) -> Result<(), String> {
    let overrides = json!({"transactional.id": "transfer-1"});
    let question = json!({"from": "orders", "to": "transferred", "group": "transfer", "count": 3, "overrides": overrides});
    stage.ask(client, "transfer", question)?;
    let written = stage.ask("admin", "read", json!({"topic": "transferred", "count": 3}))?;
    assert_eq!(written[0], "0");
    Ok(())
}

/// By either of Kafka's group protocols.
fn consume(stage: &Stage, client: &str) -> Result<(), String> {
    for protocol in ["classic", "consumer"] {
        let group = format!("readers-{protocol}");
        let question = json!({
            "topic": "orders", "group": group, "count": 3, "timeout_ms": 30_000, "overrides": {"group.protocol": protocol},
        });
        let read = stage.ask(client, "consume", question)?;
        assert_eq!(read[0], "0");
    }
    Ok(())
}

fn streams(stage: &Stage, client: &str) -> Result<(), String> {
    let state = tempfile::tempdir().unwrap();
    let counts = stage.ask(
        client,
        "streams",
        json!({
            "overrides": {"application.id": "counting", "processing.guarantee": "exactly_once_v2"},
            "from": "clicks-eu", "to": "counts", "count": 3,
            "witness": stage.here.properties("admin"), "state": state.path(),
        }),
    )?;
    assert_eq!(counts, json!(["0=1", "1=1", "2=1"]));
    Ok(())
}

fn monitor(stage: &Stage, client: &str) -> Result<(), String> {
    stage.ask(
        client,
        "monitor",
        json!({"topic": "orders", "group": "watched"}),
    )?;
    Ok(())
}

fn administer(stage: &Stage, client: &str) -> Result<(), String> {
    stage.ask(
        client,
        "administer",
        json!({"topic": "passing", "group": "idle"}),
    )?;
    Ok(())
}
