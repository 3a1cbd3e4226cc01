//! The changes that give a cluster a policy's ACL bindings.

mod guard;

use super::{Deletion, Managed, Remark, difference};
use crate::acl::{Binding, RawBinding, Settings};

/// The inputs of a plan.
#[derive(Debug, Clone, Copy)]
pub struct AclInputs<'a> {
    /// The policy's bindings.
    pub desired: &'a [Binding],
    /// The cluster's bindings.
    pub observed: &'a [RawBinding],
    /// Whose bindings may be deleted.
    pub managed: &'a Managed,
    /// Which of those the plan may delete.
    pub deletion: Deletion,
    /// The principal that will execute the plan, and whose right to undo it is preserved.
    pub operator: Option<&'a str>,
    /// Why that principal is uncertain, if it is: then nothing is deleted that could be its right.
    pub operator_doubt: Option<&'a str>,
    /// The brokers' settings, as far as they are known.
    pub settings: &'a Settings,
}

/// The changes. Its lists are sorted by principal, then by resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclPlan {
    /// Bindings that the cluster lacks.
    pub creates: Vec<Binding>,
    /// Bindings to delete, which are not in the policy.
    pub deletes: Vec<RawBinding>,
    /// How many of the policy's bindings the cluster already has.
    pub unchanged: usize,
    /// How many of its bindings are not in the policy and are left alone.
    pub left_alone: usize,
    /// What to know before the plan is executed.
    pub warnings: Vec<Remark>,
    /// Why the plan must not be executed as it stands; empty for most.
    pub refusals: Vec<Remark>,
}

impl AclPlan {
    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.deletes.is_empty()
    }
}

/// Makes the plan.
pub fn acl_plan(inputs: &AclInputs<'_>) -> AclPlan {
    let AclInputs {
        desired, observed, ..
    } = *inputs;
    let found = difference::difference(desired, observed);
    let (surplus, foreign): (Vec<u32>, Vec<u32>) =
        found.surplus.into_iter().partition(managed(inputs));
    let mut warnings = Vec::new();
    let (mut deletes, mut kept) = (Vec::new(), 0);
    if inputs.deletion.prune {
        deletes = surplus;
    } else if !surplus.is_empty() {
        kept = surplus.len();
        warnings.push(Remark::surplus(kept, "binding", "principals"));
    }
    let missing = &found.missing;
    let (creates, deletes) = rayon::join(
        || {
            missing
                .iter()
                .map(|at| desired[*at as usize].clone())
                .collect()
        },
        || {
            deletes
                .iter()
                .map(|at| observed[*at as usize].clone())
                .collect()
        },
    );
    let mut plan = AclPlan {
        creates,
        deletes,
        unchanged: found.common,
        left_alone: foreign.len() + kept,
        warnings,
        refusals: Vec::new(),
    };
    guard::check(inputs, &mut plan);
    plan
}

/// Whether an observed binding is managed. They are grouped by principal, so each principal is only looked up once.
fn managed<'i>(inputs: &AclInputs<'i>) -> impl FnMut(&u32) -> bool + use<'i> {
    let AclInputs {
        observed, managed, ..
    } = *inputs;
    let mut last: Option<(&'i str, bool)> = None;
    move |at| {
        let principal = &*observed[*at as usize].principal;
        match last {
            Some((before, is)) if std::ptr::eq(before, principal) => is,
            _ => {
                let is = managed.contains(principal);
                last = Some((principal, is));
                is
            }
        }
    }
}

#[cfg(test)]
mod tests;
