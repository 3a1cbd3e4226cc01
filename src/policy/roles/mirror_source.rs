//! `mirror_source`

use super::prelude::*;

/// MirrorMaker 2 on the cluster that it reads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "mirror_source")]
pub struct MirrorSource {
    /// The topics that are mirrored.
    topics: Patterns,
    /// The groups whose offsets are mirrored. Default: none.
    groups: Option<Patterns>,
    /// The other cluster's name in MirrorMaker's configuration: MirrorMaker keeps a topic of its own here,
    /// `mm2-offset-syncs.<target>.internal`. Default: no such topic, as with `emit.offset-syncs.enabled=false`.
    target: Option<Spanned<String>>,
}

impl Arguments for MirrorSource {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        let topics = rights.names(Topic, &self.topics);
        let groups = rights.names_if_any(Group, &self.groups);
        rights.on_each(Topic, &topics, &[Read, DescribeConfigs]);
        rights.on_each(Group, &groups, &[Describe]);
        if let Some(target) = &self.target {
            // Its name is that of DefaultReplicationPolicy.
            let target = rights.name(Topic, target)?;
            let syncs = named(format!("mm2-offset-syncs.{target}.internal"));
            rights.on(Topic, &syncs, &[Create, Read, Write]);
        }
        Some(())
    }
}
