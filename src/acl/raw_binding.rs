//! ACL bindings as a cluster may hold them.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Operation, PatternType, Permission, ResourceType, host};
use crate::printable::Printable;

/// An ACL binding with nothing proved about it: what a live cluster or an export holds. Its JSON is the one of
/// `acl export --format jsonl`. The texts are shared, so a clone costs no text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RawBinding {
    /// What kind of thing it is about.
    pub resource_type: ResourceType,
    /// How `name` is compared.
    pub pattern_type: PatternType,
    /// The thing's name, or the beginning of its name.
    #[serde(with = "text")]
    pub name: Arc<str>,
    /// Whom it is about: `Type:name`, or `User:*` for everyone.
    #[serde(with = "text")]
    pub principal: Arc<str>,
    /// Where the client connects from: an address as Java prints it, a range from Kafka 4.4 on, or `*`.
    #[serde(with = "text")]
    pub host: Arc<str>,
    /// What is done.
    pub operation: Operation,
    /// Whether that is granted or refused.
    pub permission: Permission,
}

impl RawBinding {
    /// The same binding with its host in the form that Kafka compares: IPv6 as Java prints it, a range by its
    /// network's address. Any other host stays as it is.
    pub fn normalised(mut self) -> RawBinding {
        let form = match host::Range::parse(&self.host) {
            Some(range) => Some(range.text()),
            None => host::client_address(&self.host).map(|address| address.into_owned()),
        };
        if let Some(form) = form.filter(|form| **form != *self.host) {
            self.host = form.into();
        }
        self
    }
}

impl fmt::Display for RawBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefixed = match self.pattern_type {
            PatternType::Literal => "",
            PatternType::Prefixed => " prefix",
        };
        write!(
            f,
            "{} {} {} on {}{prefixed} `{}` from {}",
            self.permission,
            Printable(&self.principal),
            self.operation,
            self.resource_type,
            Printable(&self.name),
            Printable(&self.host)
        )
    }
}

/// Shared texts in JSON; serde's own support for `Arc` would be a feature of the whole program.
mod text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        Ok(String::deserialize(from)?.into())
    }
}
