//! A plan as text: for each principal, what is added and deleted.

use std::fmt;

use super::{AclPlan, Action, difference::order};
use crate::{
    acl::{PatternType, RawBinding},
    printable::Printable,
};

/// The changes of one principal, by resource.
pub type PrincipalChanges<'p> = (&'p str, Vec<(Action, &'p RawBinding)>);

/// The plan's changes by principal, in the order of their names.
pub fn by_principal(plan: &AclPlan) -> Vec<PrincipalChanges<'_>> {
    let creates = plan.creates.iter().map(|b| (Action::Create, b.as_raw()));
    let deletes = plan.deletes.iter().map(|b| (Action::Delete, b));
    let mut all: Vec<_> = creates.chain(deletes).collect();
    all.sort_by(|a, b| order(a.1, b.1).then(a.0.cmp(&b.0)));
    let groups = all.chunk_by(|a, b| a.1.principal == b.1.principal);
    groups
        .map(|changes| (&*changes[0].1.principal, changes.to_vec()))
        .collect()
}

/// A binding without its principal, which is shown elsewhere: ``Allow Read on Topic `orders` ``.
pub struct Right<'b>(pub &'b RawBinding);

impl fmt::Display for Right<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0;
        let (kind, name) = (b.resource_type, Printable(&b.name));
        write!(f, "{} {} on ", b.permission, b.operation)?;
        match b.pattern_type {
            PatternType::Literal if name.0 == "*" => write!(f, "every {kind}")?,
            PatternType::Literal => write!(f, "{kind} `{name}`")?,
            PatternType::Prefixed => write!(f, "{kind} prefix `{name}`")?,
        }
        match &*b.host {
            "*" => Ok(()),
            host => write!(f, " from {}", Printable(host)),
        }
    }
}
