//! A julie-ops topology: the ACLs that julie creates with its default configuration.

use super::{Imported, Resource};
use crate::{
    acl::{
        Operation::*,
        ResourceType::{self, *},
    },
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
    // `context`, then every other key in the file's order.
    let others = topology.entries().iter();
    let others = others.filter(|(key, _)| !NO_NAMES.contains(&key.as_str()));
    let names = others.filter_map(|(_, value)| value.text());
    let names: Vec<&str> = topology
        .get("context")
        .text()
        .into_iter()
        .chain(names)
        .collect();
    for project in topology.get("projects").items() {
        let Some(name) = project.get("name").text() else {
            found.leave(project.line, "a project", "it has no name");
            continue;
        };
        let prefix = [&names[..], &[name]].concat().join(".");
        self::project(project, &prefix, found);
    }
    for topic in topology.get("special_topics").items() {
        match topic.get("name").text() {
            Some(name) => users(topic, name, found),
            None => found.leave(topic.line, "a special topic", "it has no name"),
        }
    }
    platform(topology.get("platform"), found);
}

fn project(project: &Tree, prefix: &str, found: &mut Imported) {
    for topic in project.get("topics").items() {
        let Some(name) = topic.get("name").text() else {
            found.leave(topic.line, "a topic", "it has no name");
            continue;
        };
        let name = match topic.get("dataType").text() {
            Some(kind) => format!("{prefix}.{name}.{kind}"),
            None => format!("{prefix}.{name}"),
        };
        users(project, &name, found);
        users(topic, &name, found);
    }
    for app in project.get("streams").items() {
        with_principal(app, "a streams application", found, |principal, found| {
            topics(app, principal, found);
            let id = app.get("applicationId").text().unwrap_or(prefix);
            found.allow(principal, &[All], Resource::prefixed(Topic, id));
            found.allow(principal, &[Read], Resource::prefixed(Group, id));
            let exactly_once = app.get("exactlyOnce");
            found.leave_part(
                exactly_once,
                format!("exactlyOnce of {principal}"),
                ELSEWHERE,
            );
        });
    }
    // In newer topologies, below `access_control`, beside `artefacts`.
    let connectors = project.get("connectors");
    let below = connectors.get("access_control");
    for connector in connectors.items().iter().chain(below.items()) {
        with_principal(connector, "a connector", found, |principal, found| {
            connect(connector, principal, found);
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
            found.leave_part(part, format!("`{key}` of the project {prefix}"), ELSEWHERE);
        }
    }
}

/// Adds the rights of the consumers and producers of a project or topic, for one topic.
fn users(of: &Tree, topic: &str, found: &mut Imported) {
    let topic = Resource::literal(Topic, topic);
    for consumer in of.get("consumers").items() {
        with_principal(consumer, "a consumer", found, |principal, found| {
            found.allow(principal, &[Describe, Read], topic);
            let group = consumer.get("group").text().unwrap_or("*");
            found.allow(principal, &[Read], Resource::starred(Group, group));
        });
    }
    for producer in of.get("producers").items() {
        with_principal(producer, "a producer", found, |principal, found| {
            found.allow(principal, &[Describe, Write], topic);
            let id = producer.get("transactionId").text();
            if let Some(id) = id {
                let id = Resource::starred(TransactionalId, id);
                found.allow(principal, &[Describe, Write], id);
            }
            if id.is_some() || producer.get("idempotence").is_there() {
                found.allow(principal, &[IdempotentWrite], Resource::CLUSTER);
            }
        });
    }
}

fn topics(of: &Tree, principal: &str, found: &mut Imported) {
    for (key, operation) in [("read", Read), ("write", Write)] {
        for topic in of.get("topics").get(key).texts() {
            found.allow(principal, &[operation], Resource::literal(Topic, topic));
        }
    }
}

fn connect(connector: &Tree, principal: &str, found: &mut Imported) {
    topics(connector, principal, found);
    for (key, default) in [
        ("status_topic", "connect-status"),
        ("offset_topic", "connect-offsets"),
        ("configs_topic", "connect-configs"),
    ] {
        let topic = connector.get(key).text().unwrap_or(default);
        found.allow(principal, &[Read, Write], Resource::literal(Topic, topic));
    }
    let group = connector.get("group").text().unwrap_or("connect-cluster");
    found.allow(principal, &[Read], Resource::literal(Group, group));
    // julie grants this to every worker by default.
    found.allow(principal, &[Create], Resource::CLUSTER);
    let names = connector.get("connectors");
    found.leave_part(
        names,
        format!("the connectors of {principal}"),
        "Kafka has no ACLs for connectors",
    );
}

fn platform(platform: &Tree, found: &mut Imported) {
    for (key, part) in platform.entries() {
        // In newer topologies, the instances are one level below.
        let instances = part.items().iter().chain(part.get("instances").items());
        if key != "schema_registry" {
            found.leave_part(part, format!("`{key}` of the platform"), ELSEWHERE);
            continue;
        }
        for instance in instances {
            with_principal(instance, "a schema registry", found, |principal, found| {
                let topic = instance.get("topic").text().unwrap_or("_schemas");
                let topic = Resource::literal(ResourceType::Topic, topic);
                found.allow(principal, &[DescribeConfigs, Write, Read], topic);
            });
        }
        found.leave_part(part.get("rbac"), "`rbac` of the schema registry", ELSEWHERE);
    }
}

fn with_principal(
    of: &Tree,
    what: &str,
    found: &mut Imported,
    then: impl FnOnce(&str, &mut Imported),
) {
    match of.get("principal").text() {
        Some(principal) => then(principal, found),
        None => found.leave(of.line, what, "it has no principal"),
    }
}
