//! A julie-ops topology: the ACLs that julie 3.3 and later creates with its default configuration.

use super::{Grantee, Imported, Resource};
use crate::{
    acl::{Operation::*, ResourceType::*},
    document::Tree,
};

/// Top-level keys that are not part of topic names.
const NO_NAMES: [&str; 4] = ["context", "projects", "platform", "special_topics"];
const ELSEWHERE: &str = "its effect depends on julie's own configuration";

/// Whether it has any part of a topology.
pub(super) fn has_section(tree: &Tree) -> bool {
    NO_NAMES.iter().any(|key| tree.get(key).is_there())
}

pub(super) fn read(topology: &Tree, found: &mut Imported) {
    let Some(context) = topology.get("context").text() else {
        let (at, why) = match topology.get("team") {
            team if team.is_there() => (
                team,
                "julie requires `context`, which was `team` before 1.0: rename it",
            ),
            _ => (topology, "julie requires `context`"),
        };
        found.leave(at.line, "the topology", why);
        return found.incomplete_in(topology);
    };
    // `context`, then every other key in the file's order.
    let others = topology.entries().iter();
    let others = others.filter(|(key, _)| !NO_NAMES.contains(&key.as_str()));
    let others = others.filter_map(|(_, value)| value.text());
    let names: Vec<&str> = std::iter::once(context).chain(others).collect();
    for project in topology.get("projects").items() {
        let Some(name) = project.get("name").text() else {
            found.leave_rights(project, "a project", "it has no name");
            continue;
        };
        let prefix = [&names[..], &[name]].concat().join(".");
        self::project(project, &prefix, found);
    }
    for topic in topology.get("special_topics").items() {
        with_name(topic, "a special topic", found, |name, found| {
            users(topic, name, found);
        });
    }
    platform(topology.get("platform"), found);
}

fn project(project: &Tree, prefix: &str, found: &mut Imported) {
    for topic in project.get("topics").items() {
        with_name(topic, "a topic", found, |name, found| {
            let name = match topic.get("dataType").text() {
                Some(kind) => format!("{prefix}.{name}.{kind}"),
                None => format!("{prefix}.{name}"),
            };
            users(project, &name, found);
            users(topic, &name, found);
        });
    }
    for app in project.get("streams").items() {
        let keys = ["topics", "applicationId", "exactlyOnce"];
        with_principal(app, "a streams application", &keys, found, |who, found| {
            streams(app, who, prefix, found);
        });
    }
    // In newer topologies, below `access_control`, beside `artefacts`.
    let connectors = project.get("connectors");
    let keys = ["access_control", "artefacts", "artifacts"];
    found.leave_unknown(connectors, &keys, format!("the connectors of {prefix}"));
    let below = connectors.get("access_control");
    for connector in connectors.items().iter().chain(below.items()) {
        let keys = [
            "topics",
            "status_topic",
            "offset_topic",
            "configs_topic",
            "group",
            "cluster_id",
            "connectors",
        ];
        with_principal(connector, "a connector", &keys, found, |who, found| {
            connect(connector, who, found);
        });
    }
    for (key, part) in project.entries() {
        const READ: [&str; 6] = [
            "name",
            "topics",
            "consumers",
            "producers",
            "streams",
            "connectors",
        ];
        if !READ.contains(&key.as_str()) {
            found.leave_rights(part, format!("`{key}` of the project {prefix}"), ELSEWHERE);
        }
    }
}

/// Adds the rights of the consumers and producers of a project or topic, for one topic.
fn users(of: &Tree, topic: &str, found: &mut Imported) {
    let topic = Resource::literal(Topic, topic);
    for consumer in of.get("consumers").items() {
        with_principal(consumer, "a consumer", &["group"], found, |who, found| {
            found.allow(who, &[Describe, Read], topic);
            let group = consumer.get("group").text().unwrap_or("*");
            found.allow(who, &[Read], Resource::starred(Group, group));
        });
    }
    for producer in of.get("producers").items() {
        let keys = ["transactionId", "idempotence"];
        with_principal(producer, "a producer", &keys, found, |who, found| {
            found.allow(who, &[Describe, Write], topic);
            let id = producer.get("transactionId").text();
            if let Some(id) = id {
                let id = Resource::starred(TransactionalId, id);
                found.allow(who, &[Describe, Write], id);
            }
            if id.is_some() || producer.get("idempotence").is_there() {
                found.allow(who, &[IdempotentWrite], Resource::CLUSTER);
            }
        });
    }
}

fn topics(of: &Tree, who: Grantee<'_>, found: &mut Imported) {
    let topics = of.get("topics");
    for (key, operation) in [("read", Read), ("write", Write)] {
        for topic in topics.get(key).texts() {
            found.allow(who, &[operation], Resource::literal(Topic, topic));
        }
    }
    found.leave_unknown_of(who, topics, &["read", "write"]);
}

fn streams(app: &Tree, who: Grantee<'_>, prefix: &str, found: &mut Imported) {
    topics(app, who, found);
    let id = app.get("applicationId").text().unwrap_or(prefix);
    found.allow(who, &[All], Resource::prefixed(Topic, id));
    found.allow(who, &[Read], Resource::prefixed(Group, id));
    let exactly_once = app.get("exactlyOnce");
    match exactly_once.text().map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => {}
        Some("true") => {
            let id = Resource::prefixed(TransactionalId, id);
            found.allow(who, &[Write, Describe], id);
        }
        Some(_) => {
            let what = format!("exactlyOnce of {}", who.principal);
            found.leave_part(exactly_once, what, "it is neither true nor false");
            found.incomplete.insert(who.principal.to_owned());
        }
    }
}

fn connect(connector: &Tree, who: Grantee<'_>, found: &mut Imported) {
    topics(connector, who, found);
    for (key, default) in [
        ("status_topic", "connect-status"),
        ("offset_topic", "connect-offsets"),
        ("configs_topic", "connect-configs"),
    ] {
        let topic = connector.get(key).text().unwrap_or(default);
        found.allow(who, &[Read, Write], Resource::literal(Topic, topic));
    }
    let group = connector.get("group").text().unwrap_or("connect-cluster");
    found.allow(who, &[Read], Resource::literal(Group, group));
    // julie grants this to every worker by default.
    found.allow(who, &[Create], Resource::CLUSTER);
    found.leave_part(
        connector.get("connectors"),
        format!("the connectors of {}", who.principal),
        "Kafka has no ACLs for connectors",
    );
}

fn platform(platform: &Tree, found: &mut Imported) {
    for (key, part) in platform.entries() {
        if key != "schema_registry" {
            found.leave_rights(part, format!("`{key}` of the platform"), ELSEWHERE);
            continue;
        }
        // In newer topologies, the instances are one level below.
        for instance in part.items().iter().chain(part.get("instances").items()) {
            let keys = ["topic", "consumer_offsets_topic", "group"];
            with_principal(instance, "a schema registry", &keys, found, |who, found| {
                registry(instance, who, found)
            });
        }
        let rbac = "`rbac` of the schema registry";
        found.leave_rights(part.get("rbac"), rbac, ELSEWHERE);
        found.leave_unknown(part, &["instances", "rbac"], "the schema registry");
    }
}

fn registry(instance: &Tree, who: Grantee<'_>, found: &mut Imported) {
    for (key, default, kind, operations) in [
        (
            "topic",
            "_schemas",
            Topic,
            &[Create, DescribeConfigs, Describe, Write, Read][..],
        ),
        (
            "consumer_offsets_topic",
            "__consumer_offsets",
            Topic,
            &[Describe],
        ),
        ("group", "schema-registry", Group, &[Read]),
    ] {
        let name = instance.get(key).text().unwrap_or(default);
        found.allow(who, operations, Resource::literal(kind, name));
    }
}

/// Reads a topic, of whose keys only two give rights.
fn with_name(
    topic: &Tree,
    what: &str,
    found: &mut Imported,
    then: impl FnOnce(&str, &mut Imported),
) {
    const KEYS: [&str; 9] = [
        "name",
        "dataType",
        "consumers",
        "producers",
        "config",
        "plan",
        "schemas",
        "subject.name.strategy",
        "metadata",
    ];
    match topic.get("name").text() {
        Some(name) => {
            found.leave_unknown(topic, &KEYS, format!("the topic {name}"));
            then(name, found);
        }
        None => found.leave_rights(topic, what, "it has no name"),
    }
}

/// Reads an entry for one principal, with these keys besides those that every such entry has.
fn with_principal(
    of: &Tree,
    what: &str,
    keys: &[&str],
    found: &mut Imported,
    then: impl FnOnce(Grantee<'_>, &mut Imported),
) {
    let Some(who) = Grantee::of(of) else {
        return found.leave(of.line, what, "it has no principal");
    };
    found.leave_unknown_of(who, of, &[&["principal", "metadata"], keys].concat());
    then(who, found);
}
