//! `consume`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Arguments, rights::Rights};
use crate::{
    acl::{
        Operation::Read,
        ResourceType::{Group, Topic},
    },
    policy::raw_access::Patterns,
};

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
