//! `produce`

use super::prelude::*;

/// Write to topics.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "produce")]
pub struct Produce {
    /// The topics.
    topic: Patterns,
    /// The transactional ids, for a producer with transactions.
    transactional_id: Option<Patterns>,
    /// Whether it may create the topics. Default: false.
    create: Option<bool>,
}

impl Arguments for Produce {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        let topics = rights.names(Topic, &self.topic);
        let transactional_ids = rights.names_if_any(TransactionalId, &self.transactional_id);
        rights.on_each(Topic, &topics, &[Write]);
        if self.create == Some(true) {
            rights.on_each(Topic, &topics, &[Create]);
        }
        rights.on_each(TransactionalId, &transactional_ids, &[Write]);
        Some(())
    }
}
