//! ACL bindings: as a cluster may hold them, and as kpki is willing to write them.

use std::{collections::HashSet, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    KafkaVersion, Operation, PatternType, Permission, Problem, ResourceType, host, problem,
};
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
    /// Everything that is wrong with the binding as it stands, for a cluster of this version.
    /// Empty when it means to that cluster what it says.
    pub fn problems(&self, version: KafkaVersion) -> Vec<Problem> {
        problem::find(self, version)
    }

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

/// An ACL binding that does in a cluster what it says. Brokers store almost anything; the only way to make this
/// type is through the checks that they leave out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Binding(RawBinding);

impl Binding {
    /// Checks a binding for a cluster of this version and brings its host into the form that Kafka compares.
    ///
    /// # Errors
    /// The first [`Problem`]; [`RawBinding::problems`] lists them all.
    pub fn new(raw: RawBinding, version: KafkaVersion) -> Result<Binding, Problem> {
        let raw = raw.normalised();
        match raw.problems(version).into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Binding(raw)),
        }
    }

    /// The binding as plain data.
    pub fn as_raw(&self) -> &RawBinding {
        &self.0
    }

    /// The binding as plain data, to keep.
    pub fn into_raw(self) -> RawBinding {
        self.0
    }
}

impl Deref for Binding {
    type Target = RawBinding;

    fn deref(&self) -> &RawBinding {
        &self.0
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<RawBinding> for Binding {
    type Error = Problem;

    /// Checks for [`KafkaVersion::ASSUMED`].
    fn try_from(raw: RawBinding) -> Result<Binding, Problem> {
        Binding::new(raw, KafkaVersion::ASSUMED)
    }
}

/// Keeps one copy of each text, so that a million bindings hold few of them: principals and hosts repeat.
#[derive(Debug, Default)]
pub struct Interner(HashSet<Arc<str>>);

impl Interner {
    /// The shared copy of `text`.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = text.into();
        self.0.insert(Arc::clone(&shared));
        shared
    }

    /// Makes a binding's texts shared ones.
    pub fn share_texts(&mut self, binding: &mut RawBinding) {
        for text in [&mut binding.name, &mut binding.principal, &mut binding.host] {
            *text = self.share(text);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"resource_type":"TOPIC","pattern_type":"LITERAL","name":"orders","principal":"User:a","host":"*","operation":"READ","permission":"ALLOW"}"#;

    fn orders() -> RawBinding {
        serde_json::from_str(LINE).unwrap()
    }

    #[test]
    fn the_json_is_that_of_the_interface() {
        assert_eq!(serde_json::to_string(&orders()).unwrap(), LINE);
        let checked = Binding::try_from(orders()).unwrap();
        assert_eq!(serde_json::to_string(&checked).unwrap(), LINE);
        assert_eq!(
            checked.to_string(),
            "Allow User:a Read on Topic `orders` from *"
        );
    }

    #[test]
    fn ipv6_hosts_take_javas_long_form() {
        let from = |host: &str| {
            let raw = RawBinding {
                host: host.into(),
                ..orders()
            };
            Binding::try_from(raw).unwrap().host.to_string()
        };
        assert_eq!(from("::1"), "0:0:0:0:0:0:0:1");
        assert_eq!(from("2001:DB8::ff"), "2001:db8:0:0:0:0:0:ff");
        assert_eq!(from("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(from("10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn shared_texts_are_one_copy() {
        let mut interner = Interner::default();
        let (mut a, mut b) = (orders(), orders());
        interner.share_texts(&mut a);
        interner.share_texts(&mut b);
        assert!(Arc::ptr_eq(&a.principal, &b.principal));
        assert_eq!(a, b);
        assert!(size_of::<RawBinding>() <= 56);
    }
}
