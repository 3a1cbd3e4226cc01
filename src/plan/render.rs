//! A plan as people read it: by principal, what is added and what goes.

use std::fmt;

use super::{AclPlan, Action, difference::order};
use crate::{
    acl::{PatternType, RawBinding},
    printable::Printable,
};

/// The changes of one principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalChanges<'p> {
    /// Whose they are.
    pub principal: &'p str,
    /// The changes, by resource.
    pub changes: Vec<(Action, &'p RawBinding)>,
}

/// The plan's changes by principal, in the order of their names.
pub fn by_principal(plan: &AclPlan) -> Vec<PrincipalChanges<'_>> {
    let creates = plan.creates.iter().map(|b| (Action::Create, b.as_raw()));
    let deletes = plan.deletes.iter().map(|b| (Action::Delete, b));
    let mut all: Vec<_> = creates.chain(deletes).collect();
    all.sort_by(|a, b| order(a.1, b.1).then(a.0.cmp(&b.0)));
    all.chunk_by(|a, b| a.1.principal == b.1.principal)
        .map(|changes| PrincipalChanges {
            principal: &changes[0].1.principal,
            changes: changes.to_vec(),
        })
        .collect()
}

/// A binding beside its principal, who is named elsewhere: ``Allow Read on Topic `orders` ``.
pub struct Right<'b>(pub &'b RawBinding);

impl fmt::Display for Right<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0;
        write!(f, "{} {} on ", b.permission, b.operation)?;
        match (b.pattern_type, &*b.name) {
            (PatternType::Literal, "*") => write!(f, "every {}", b.resource_type)?,
            (PatternType::Literal, name) => {
                write!(f, "{} `{}`", b.resource_type, Printable(name))?;
            }
            (PatternType::Prefixed, name) => {
                write!(f, "{} prefix `{}`", b.resource_type, Printable(name))?;
            }
        }
        match &*b.host {
            "*" => Ok(()),
            host => write!(f, " from {}", Printable(host)),
        }
    }
}
