//! `streams`

use super::prelude::*;

/// Run a Kafka Streams application.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "streams")]
pub struct Streams {
    /// Its application.id; it may create and delete topics that begin with `<application_id>-`.
    application_id: Spanned<String>,
    /// The topics that it reads.
    read: Patterns,
    /// The topics that it writes to.
    write: Patterns,
    /// Whether it uses transactions (exactly-once). Default: false.
    exactly_once: Option<bool>,
}

impl Arguments for Streams {
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()> {
        // It begins the names of topics as well as being a group.
        let application_id = rights.name(Topic, &self.application_id);
        let read = rights.names(Topic, &self.read);
        let write = rights.names(Topic, &self.write);
        let application_id = application_id?;
        // Repartition and changelog topics; without Delete the former would grow forever.
        let internal = prefixed(format!("{application_id}-"));
        rights.on_each(Topic, &read, &[Read]);
        rights.on_each(Topic, &write, &[Write]);
        rights.on(Topic, &internal, &[Create, Read, Write, Delete]);
        rights.on(Group, &named(application_id), &[Read]);
        if self.exactly_once == Some(true) {
            rights.on(TransactionalId, &internal, &[Write]);
        }
        Some(())
    }
}
