//! `monitor`

use super::prelude::*;

/// See the state of everything and the configuration of topics and brokers, but no data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "monitor")]
pub struct Monitor {}

impl Arguments for Monitor {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        rights.on_cluster(&[Describe, DescribeConfigs]);
        rights.on(Topic, &all(), &[Describe, DescribeConfigs]);
        rights.on(Group, &all(), &[Describe]);
        Some(())
    }
}
