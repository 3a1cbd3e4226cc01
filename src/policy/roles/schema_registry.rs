//! `schema_registry`

use super::prelude::*;

/// Run Confluent's Schema Registry. Based on its documentation: kpki's tests run the clients of all roles except this
/// one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "schema_registry")]
pub struct SchemaRegistry {
    /// kafkastore.topic. Default: _schemas.
    schemas_topic: Option<Spanned<String>>,
    /// schema.registry.group.id. Default: schema-registry.
    group: Option<Spanned<String>>,
}

impl Arguments for SchemaRegistry {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        let schemas_topic = match &self.schemas_topic {
            Some(topic) => rights.name(Topic, topic),
            None => Some("_schemas".to_owned()),
        };
        let group = match &self.group {
            Some(group) => rights.name(Group, group),
            None => Some("schema-registry".to_owned()),
        };
        let (topic, group) = (named(schemas_topic?), named(group?));
        rights.on(Topic, &topic, &[Create, Read, Write, DescribeConfigs]);
        rights.on(Group, &group, &[Read]);
        Some(())
    }
}
