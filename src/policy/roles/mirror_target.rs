//! `mirror_target`

use super::prelude::*;

/// MirrorMaker 2 on the cluster that it writes to. It does not mirror ACLs: `sync.topic.acls.enabled=false`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "mirror_target")]
pub struct MirrorTarget {
    /// The mirrored topics, by their names here: `A.orders`.
    topics: Patterns,
    /// The groups whose offsets are mirrored. Default: none.
    groups: Option<Patterns>,
    /// The other cluster's name in MirrorMaker's configuration: MirrorMaker's group `<source>-mm2` is here, and its
    /// topics `mm2-configs.<source>.internal`, `mm2-offsets.…`, `mm2-status.…`, `<source>.checkpoints.internal` and
    /// `heartbeats`. Default: its connectors run in a Connect worker, which has a role of its own, without checkpoints
    /// and heartbeats.
    source: Option<Spanned<String>>,
}

impl Arguments for MirrorTarget {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        let topics = rights.names(Topic, &self.topics);
        let groups = rights.names_if_any(Group, &self.groups);
        rights.on_each(Topic, &topics, &[Create, Write, Alter, AlterConfigs]);
        if !groups.is_empty() {
            // Committing offsets needs Read on the topic too.
            rights.on_each(Topic, &topics, &[Read]);
            rights.on_each(Group, &groups, &[Read]);
        }
        if let Some(source) = &self.source {
            let source = rights.name(Topic, source)?;
            // The names are those of MirrorMakerConfig.workerConfig and DefaultReplicationPolicy.
            for what in ["configs", "offsets", "status"] {
                let topic = named(format!("mm2-{what}.{source}.internal"));
                rights.on(Topic, &topic, &[Create, Read, Write]);
            }
            rights.on(Group, &named(format!("{source}-mm2")), &[Read]);
            let checkpoints = named(format!("{source}.checkpoints.internal"));
            rights.on(Topic, &checkpoints, &[Create, Read, Write]);
            rights.on(Topic, &named("heartbeats"), &[Create, Write]);
        }
        Some(())
    }
}
