//! `admin`

use super::prelude::*;

/// Create, change and delete topics, ACLs and SCRAM users; change the configuration of topics and brokers; see and delete groups.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "admin")]
pub struct Admin {}

impl Arguments for Admin {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        // Alter implies Describe, AlterConfigs implies DescribeConfigs, Delete implies Describe; Create of the cluster is
        // enough to create topics.
        rights.on_cluster(&[Create, Alter, AlterConfigs]);
        rights.on(Topic, &all(), &[Delete, Alter, AlterConfigs]);
        rights.on(Group, &all(), &[Delete]);
        Some(())
    }
}
