//! `connect`

use super::prelude::*;

/// Run a Kafka Connect worker with its connectors.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "connect")]
pub struct Connect {
    /// The worker's group.id.
    group_id: Spanned<String>,
    /// config.storage.topic
    config_topic: Spanned<String>,
    /// offset.storage.topic
    offset_topic: Spanned<String>,
    /// status.storage.topic
    status_topic: Spanned<String>,
    /// The sink connectors and the topics that each reads.
    sinks: Option<Vec<Sink>>,
    /// The topics that source connectors write to.
    sources: Option<Patterns>,
    /// Whether source connectors use transactions (exactly-once). Default: false.
    exactly_once: Option<bool>,
}

/// A sink connector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "sink")]
pub struct Sink {
    /// The connector's name; its group is `connect-<name>`.
    name: Spanned<String>,
    /// The topics that it reads.
    topic: Patterns,
}

impl Arguments for Connect {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        let group_id = rights.name(Group, &self.group_id);
        let own = [&self.config_topic, &self.offset_topic, &self.status_topic];
        let own = own.map(|topic| rights.name(Topic, topic));
        let sinks = self.sinks.iter().flatten();
        let sinks: Vec<_> = sinks
            .map(|sink| {
                let topics = rights.names(Topic, &sink.topic);
                (rights.name(Group, &sink.name), topics)
            })
            .collect();
        let sources = rights.names_if_any(Topic, &self.sources);
        let group_id = group_id?;
        for topic in own {
            rights.on(Topic, &named(topic?), &[Create, Read, Write]);
        }
        rights.on(Group, &named(&group_id), &[Read]);
        for (name, topics) in &sinks {
            rights.on_each(Topic, topics, &[Read]);
            let group = format!("connect-{}", name.as_ref()?);
            rights.on(Group, &named(group), &[Read]);
        }
        rights.on_each(Topic, &sources, &[Write]);
        if self.exactly_once == Some(true) {
            // The leader's own id, and `<group.id>-<connector>-<task>` (KIP-618).
            let leader = named(format!("connect-cluster-{group_id}"));
            rights.on(TransactionalId, &leader, &[Write]);
            let tasks = prefixed(format!("{group_id}-"));
            rights.on(TransactionalId, &tasks, &[Write]);
        }
        Some(())
    }
}
