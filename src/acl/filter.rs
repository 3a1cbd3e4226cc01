//! Which bindings a question is about, or a deletion.

use std::fmt;

use super::{Operation, PatternType, Permission, RawBinding, ResourceType};

/// Which bindings are meant; `None` is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclBindingFilter {
    /// On what kind of thing.
    pub resource_type: Option<ResourceType>,
    /// LITERAL or PREFIXED.
    pub pattern_type: Option<PatternType>,
    /// The binding's own name, not names that it covers.
    pub name: Option<String>,
    /// `User:a`.
    pub principal: Option<String>,
    /// The host as it is stored.
    pub host: Option<String>,
    /// The operation.
    pub operation: Option<Operation>,
    /// ALLOW or DENY.
    pub permission: Option<Permission>,
}

impl AclBindingFilter {
    /// Everything about one principal.
    pub fn principal(principal: &str) -> Self {
        Self {
            principal: Some(principal.to_owned()),
            ..Self::default()
        }
    }

    /// Whether it says every text of the bindings that it matches.
    pub fn names_all(&self) -> bool {
        self.name.is_some() && self.principal.is_some() && self.host.is_some()
    }

    /// Whether it matches one binding and no other.
    pub fn is_exact(&self) -> bool {
        self.names_all()
            && self.resource_type.is_some()
            && self.pattern_type.is_some()
            && self.operation.is_some()
            && self.permission.is_some()
    }
}

impl fmt::Display for AclBindingFilter {
    /// `Allow Read Topic Literal orders User:a`; what is not said is all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            self.permission.map(|p| p.title()),
            self.operation.map(|o| o.title()),
            self.resource_type.map(|t| t.title()),
            self.pattern_type.map(|t| t.title()),
            self.principal.as_deref(),
            self.name.as_deref(),
        ];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        f.write_str(&words.join(" "))
    }
}

impl From<&RawBinding> for AclBindingFilter {
    /// This binding and no other.
    fn from(binding: &RawBinding) -> Self {
        Self {
            resource_type: Some(binding.resource_type),
            pattern_type: Some(binding.pattern_type),
            name: Some(binding.name.to_string()),
            principal: Some(binding.principal.to_string()),
            host: Some(binding.host.to_string()),
            operation: Some(binding.operation),
            permission: Some(binding.permission),
        }
    }
}
