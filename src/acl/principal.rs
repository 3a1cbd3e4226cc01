//! Kafka's principals: `Type:name` (`org.apache.kafka.common.security.auth.KafkaPrincipal`).

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// Everyone, as bindings name it; not the principal of any client.
pub const EVERYONE: &str = "User:*";

/// Every client that connects without authentication.
pub const ANONYMOUS: &str = "User:ANONYMOUS";

/// The type of all principals that Kafka itself makes, with what stands between it and the name.
const USER: &str = "User:";

/// A whole principal. What a cluster stores as the principal of a binding may be any text, and is not made one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(Arc<str>);

/// A text without a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("principal `{0}` is not of the form Type:name")]
pub struct NotAPrincipal(pub String);

impl Principal {
    /// The principal of a user: who logs in under this name, or whose certificate is mapped to it.
    pub fn user(name: impl fmt::Display) -> Self {
        Self(format!("{USER}{name}").into())
    }

    /// [`ANONYMOUS`]
    pub fn anonymous() -> Self {
        Self(ANONYMOUS.into())
    }

    /// The user's name, where the type is `User`.
    pub fn user_name(&self) -> Option<&str> {
        self.0.strip_prefix(USER)
    }

    /// `Type:name`
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Principal {
    type Err = NotAPrincipal;

    /// Accepts what a broker accepts as a super user.
    fn from_str(text: &str) -> Result<Self, NotAPrincipal> {
        match text.contains(':') {
            true => Ok(Self(text.into())),
            false => Err(NotAPrincipal(text.to_owned())),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// So that a set of principals can be asked about the text of a binding.
impl Borrow<str> for Principal {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for Principal {
    fn eq(&self, text: &&str) -> bool {
        *self.0 == **text
    }
}

/// A principal, or all that begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalPattern {
    /// `User:x`
    Exact(Principal),
    /// `{prefix: "User:team-"}`
    Prefix(String),
}

impl PrincipalPattern {
    /// Whether a principal is meant. A prefix never means `User:*`, which is everyone.
    pub fn matches(&self, principal: &str) -> bool {
        match self {
            Self::Exact(whole) => *whole == principal,
            Self::Prefix(prefix) => principal != EVERYONE && principal.starts_with(prefix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_its_text() {
        let alice = Principal::user("alice");
        assert_eq!(alice.to_string(), "User:alice");
        assert_eq!("User:alice".parse(), Ok(alice.clone()));
        assert_eq!(alice.user_name(), Some("alice"));
        let group: Principal = "Group:a:b".parse().unwrap();
        assert_eq!((group.user_name(), group.as_str()), (None, "Group:a:b"));
        assert_eq!(
            "alice".parse::<Principal>().unwrap_err().to_string(),
            "principal `alice` is not of the form Type:name"
        );
        assert_eq!(Principal::anonymous(), ANONYMOUS);
        let known = std::collections::HashSet::from([alice]);
        assert!(known.contains("User:alice") && !known.contains(EVERYONE));
    }
}
