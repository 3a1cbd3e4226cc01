//! `consume`

use super::prelude::*;

/// Read topics as a member of groups.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "consume")]
pub struct Consume {
    /// The topics.
    topic: Patterns,
    /// The groups.
    group: Patterns,
}

impl Arguments for Consume {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        let topics = rights.names(Topic, &self.topic);
        let groups = rights.names(Group, &self.group);
        rights.on_each(Topic, &topics, &[Read]);
        rights.on_each(Group, &groups, &[Read]);
        Some(())
    }
}
