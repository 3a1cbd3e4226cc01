//! ACL bindings as kpki is willing to write them.

use std::{collections::HashSet, fmt, ops::Deref, sync::Arc};

use serde::Serialize;

use super::{KafkaVersion, Problem, RawBinding};

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
