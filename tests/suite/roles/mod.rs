//! Every role of the policy, proved by a real client that does its work against a real broker with the role's bindings
//! and nothing else: none of them is missing, none is there in vain, and without them the same client is refused.
//!
//! The one role that is not here is `schema_registry`: Confluent's Schema Registry is not to be had from Maven Central.

mod audit;
mod cluster;
mod workers;

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
        "looker",
        &[
            "read_only: {topic: orders, group: {prefix: lookers-}}",
            "read_only: {topic: clicks-eu}",
        ],
        look,
    ),
    role(
        "streams",
        &[
            "streams: {application_id: counting, read: clicks-eu, write: counts, exactly_once: true}",
            "streams: {application_id: tallying, read: clicks-eu, write: tallies}",
        ],
        streams,
    ),
    Role {
        // Whether its topics are compacted it would like to know, and believes when it may not.
        tolerates: &[("DESCRIBE_CONFIGS", "TOPIC")],
        ..role(
            "connect",
            &[
                "connect: {group_id: worker, config_topic: worker-configs, offset_topic: worker-offsets, \
           status_topic: worker-status, sources: lines, sinks: [{name: to-file, topic: lines}], exactly_once: true}",
            ],
            workers::connect,
        )
    },
    Role {
        other: &["mirror_target: {topics: A.mirrored, groups: {prefix: mirrored-}, source: A}"],
        ..role(
            "mirror",
            &["mirror_source: {topics: mirrored, groups: {prefix: mirrored-}, target: B}"],
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
    let Some([here, there]) = clusters() else {
        return;
    };
    let stage = Stage { judge, here, there };
    stage.prepare();

    let begun = stage.apply([true, true]);
    let failed: Vec<String> = at_once(ROLES, |role| (role.work)(&stage, role.client))
        .into_iter()
        .filter_map(|(role, result)| Some(format!("{}: {}", role.client, result.err()?)))
        .collect();
    let findings = stage.audit(begun, audit::findings);
    assert!(
        failed.is_empty() && findings.is_empty(),
        "{failed:#?}\n{findings:#?}"
    );
    assert_eq!(stage.audit(begun, audit::disagreements), [""; 0]);
    oversteps(&stage);

    let begun = stage.apply([false, true]);
    for (role, result) in at_once(ROLES, |role| (role.work)(&stage, role.client)) {
        refused(role.client, result);
    }
    stay(&stage);
    assert_eq!(stage.audit(begun, audit::disagreements), [""; 0]);

    // The other half of what MirrorMaker needs.
    let begun = stage.apply([true, false]);
    refused("mirror", workers::mirror(&stage, "mirror"));
    assert_eq!(stage.audit(begun, audit::disagreements), [""; 0]);
}

/// Does something with each, all at the same time.
fn at_once<T: Sync, R: Send>(each: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<(&T, R)> {
    std::thread::scope(|scope| {
        let act = &act;
        let running: Vec<_> = each
            .iter()
            .map(|one| (one, scope.spawn(move || act(one))))
            .collect();
        running
            .into_iter()
            .map(|(one, thread)| (one, thread.join().unwrap()))
            .collect()
    })
}

fn refused(what: &str, result: Result<(), String>) {
    let error = result.expect_err(what);
    assert!(error.contains("AuthorizationException"), "{what}: {error}");
}

/// Clients with a role are refused what is not in it.
fn oversteps(stage: &Stage) {
    let attempts = [
        ("producer", "consume"),
        ("consumer", "produce"),
        ("creator", "produce"),
        ("looker", "produce"),
        ("looker", "consume"),
        ("looker", "administer"),
        ("streams", "produce"),
        ("mirror", "produce"),
        ("monitor", "produce"),
        ("monitor", "consume"),
        ("monitor", "administer"),
        ("operator", "produce"),
        ("operator", "consume"),
    ];
    for (attempt, result) in at_once(&attempts, |(client, what)| match *what {
        "produce" => produce(stage, client),
        "consume" => stage.consume(client, "orders", "readers-of-others"),
        _ => administer(stage, client),
    }) {
        refused(&format!("{attempt:?}"), result);
    }
}

/// Clients whose roles are still in the policy work as before.
fn stay(stage: &Stage) {
    produce(stage, "orders-service").unwrap();
    stage.consume("analytics", "orders", "analytics-1").unwrap();
}

impl Stage {
    /// Applies the policies of both clusters, with the roles or without them, and waits until the brokers know. Answers
    /// with how long their logs are then.
    fn apply(&self, given: [bool; 2]) -> [usize; 2] {
        let nothing: &'static [&'static str] = &[];
        self.here.apply(
            self.judge,
            |role| if given[0] { role.roles } else { nothing },
        );
        self.there.apply(
            self.judge,
            |role| if given[1] { role.other } else { nothing },
        );
        [self.here.log().len(), self.there.log().len()]
    }

    /// What there is to say about either cluster's decisions since then.
    fn audit(&self, since: [usize; 2], check: fn(&Cluster, &str) -> Vec<String>) -> Vec<String> {
        [(&self.here, since[0]), (&self.there, since[1])]
            .into_iter()
            .flat_map(|(cluster, from)| check(cluster, &cluster.log()[from..]))
            .collect()
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
            "tallies",
            "lines",
            "mirrored",
            "payments",
        ] {
            self.judge.create_topic(&admin, topic, 1, 1).unwrap();
        }
        for topic in ["orders", "clicks-eu", "mirrored"] {
            self.judge.produce(&admin, topic, 3).unwrap();
        }
        let groups = [
            ("orders", "watched"),
            ("orders", "idle"),
            ("mirrored", "mirrored-readers"),
        ];
        for (_, result) in at_once(&groups, |(topic, group)| {
            self.consume("admin", topic, group)
        }) {
            result.unwrap();
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

    /// Reads a topic of three records as a member of a group.
    fn consume(&self, client: &str, topic: &str, group: &str) -> Result<(), String> {
        self.consume_by("consumer", client, topic, group)
    }

    fn consume_by(
        &self,
        protocol: &str,
        client: &str,
        topic: &str,
        group: &str,
    ) -> Result<(), String> {
        let question = json!({
            "topic": topic, "group": group, "count": 3, "timeout_ms": 30_000, "overrides": {"group.protocol": protocol},
        });
        let read = self.ask(client, "consume", question)?;
        assert_eq!(read[0], "0");
        Ok(())
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
    stage.consume_by("classic", client, "orders", "readers-1")?;
    stage.consume_by("consumer", client, "orders", "readers-2")
}

/// As a member of a group, and without one.
fn look(stage: &Stage, client: &str) -> Result<(), String> {
    stage.consume(client, "orders", "lookers-1")?;
    let read = stage.ask(client, "read", json!({"topic": "clicks-eu", "count": 3}))?;
    assert_eq!(read[0], "0");
    Ok(())
}

/// By either of its group protocols, and with either guarantee.
fn streams(stage: &Stage, client: &str) -> Result<(), String> {
    for (application, guarantee, protocol, to) in [
        ("counting", "exactly_once_v2", "classic", "counts"),
        ("tallying", "at_least_once", "streams", "tallies"),
    ] {
        let state = tempfile::tempdir().unwrap();
        let overrides = json!({"application.id": application, "processing.guarantee": guarantee, "group.protocol": protocol});
        let counts = stage.ask(
            client,
            "streams",
            json!({
                "overrides": overrides, "from": "clicks-eu", "to": to, "count": 3,
                "witness": stage.here.properties("admin"), "state": state.path(),
            }),
        )?;
        assert_eq!(counts, json!(["0=1", "1=1", "2=1"]));
    }
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
