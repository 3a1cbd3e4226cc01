//! `read_only`

use super::prelude::*;

/// Look at data: read topics and see groups, for dashboards and people; never write or create anything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "read_only", extend("minProperties" = 1))]
pub struct ReadOnly {
    /// The topics.
    topic: Option<Patterns>,
    /// The groups that it sees, and reads as a member of. Default: none, because readers of single partitions need
    /// none.
    group: Option<Patterns>,
}

impl Arguments for ReadOnly {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        let topics = rights.names_if_any(Topic, &self.topic);
        let groups = rights.names_if_any(Group, &self.group);
        // Read implies Describe.
        rights.on_each(Topic, &topics, &[Read]);
        rights.on_each(Group, &groups, &[Read]);
        Some(())
    }
}
