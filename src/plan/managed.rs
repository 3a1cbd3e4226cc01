//! Whose bindings a policy manages.

use std::collections::BTreeSet;

use crate::acl::{EVERYONE, PrincipalPattern};

/// Principals, by name or prefix. The bindings of other principals are never deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Managed {
    whole: BTreeSet<String>,
    prefixes: Vec<String>,
}

impl Managed {
    /// No principal.
    pub fn nobody() -> Managed {
        Managed::default()
    }

    /// All principals of these entries.
    pub fn of(patterns: &[PrincipalPattern]) -> Managed {
        let mut managed = Managed::nobody();
        for pattern in patterns {
            match pattern {
                PrincipalPattern::Exact(principal) => managed.add(principal.as_str()),
                PrincipalPattern::Prefix(prefix) => managed.add_prefix(prefix),
            }
        }
        managed
    }

    /// Adds one principal: `User:alice`.
    pub fn add(&mut self, principal: impl Into<String>) {
        self.whole.insert(principal.into());
    }

    /// Adds all principals with a prefix: `User:team-`.
    pub fn add_prefix(&mut self, prefix: impl Into<String>) {
        self.prefixes.push(prefix.into());
    }

    /// Whether this principal's bindings are managed. A prefix never includes `User:*`, which is everyone.
    pub fn contains(&self, principal: &str) -> bool {
        let begins = |prefix: &String| principal.starts_with(prefix.as_str());
        self.whole.contains(principal)
            || (principal != EVERYONE && self.prefixes.iter().any(begins))
    }
}
