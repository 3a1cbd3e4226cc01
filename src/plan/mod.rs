//! What has to change in a cluster so that it holds a policy's bindings: a [`Plan`] is data, made here, shown by the
//! command line, saved, and executed elsewhere.
//!
//! Pure: both sides come in as values. Nothing is deleted unless `prune` says so, and then only bindings of principals
//! that are managed.

mod action;
mod difference;
mod guard;
mod managed;
mod render;
mod saved;
mod scram;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::acl::{Binding, RawBinding, Settings};

pub use action::Action;
pub use managed::Managed;
pub use render::{Group, Right, groups};
pub use saved::{
    PLAN_VERSION, PlanFileError, PlannedCluster, SavedPlan, StalePlan, observed_digest,
};
pub use scram::{SCRAM_PLAN_VERSION, ScramInputs, ScramPlan, ScramUpdate, Stranger, scram_plan};

/// No plan deletes more than this share of the managed bindings, unless it is told how many.
const DEFAULT_DELETED_SHARE: f64 = 0.2;
/// As many may always be deleted: a share of few is none.
const ALWAYS_DELETABLE: usize = 10;

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the policy means.
    pub desired: &'a [Binding],
    /// What the cluster has.
    pub observed: &'a [RawBinding],
    /// Whose bindings may be deleted.
    pub managed: &'a Managed,
    /// Which of those.
    pub deletion: Deletion,
    /// The principal that will execute the plan, and whose right to undo it the plan keeps.
    pub operator: Option<&'a str>,
    /// Why that is not certain, where it is not: then nothing is deleted that could be its right.
    pub operator_doubt: Option<&'a str>,
    /// The brokers' own settings, as far as they are known.
    pub settings: &'a Settings,
}

/// What may be deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deletion {
    /// What is managed and the policy does not mean.
    pub prune: bool,
    /// The most deletions; None: a fifth of what is managed, and at least ten.
    pub max_deletes: Option<usize>,
}

/// Something about a plan that a person should know; a refusal keeps it from being executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Its stable name, for scripts.
    pub code: Cow<'static, str>,
    /// What it is.
    pub message: String,
}

impl Remark {
    /// A remark of this name.
    pub fn new(code: &'static str, message: impl Into<String>) -> Remark {
        Remark {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// The changes. Its lists are sorted by principal, then by resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the cluster lacks.
    pub creates: Vec<Binding>,
    /// What it has beyond the policy and is to lose.
    pub deletes: Vec<RawBinding>,
    /// How many of the policy's bindings it has already.
    pub unchanged: usize,
    /// How many bindings it has that the policy does not mean and the plan leaves alone.
    pub left_alone: usize,
    /// What to know before the plan is executed.
    pub warnings: Vec<Remark>,
    /// Why the plan must not be executed as it stands; empty for most.
    pub refusals: Vec<Remark>,
}

impl Plan {
    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.deletes.is_empty()
    }
}

/// Finds what has to change.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let Inputs {
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
        warnings.push(Remark::new(
            "surplus",
            format!(
                "the cluster has {} of managed principals that are not in the policy; --prune deletes {}",
                count(kept, "binding"),
                if kept == 1 { "it" } else { "them" },
            ),
        ));
    }
    let (creates, deletes) = rayon::join(
        || {
            found
                .missing
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
    let mut plan = Plan {
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

/// Whether an observed binding is managed. They come by principals, so that each of those is asked about once.
fn managed<'i>(inputs: &Inputs<'i>) -> impl FnMut(&u32) -> bool + use<'i> {
    let Inputs {
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

/// The number of deletions that need no permission of their own.
pub fn default_max_deletes(managed: usize) -> usize {
    // The share of as many bindings as any cluster has is exact in a float.
    ((managed as f64 * DEFAULT_DELETED_SHARE) as usize).max(ALWAYS_DELETABLE)
}

/// "1 binding", "2 bindings".
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests;
