//! The changes that give a cluster a policy's ACL bindings and SCRAM users. Plans are data: made here, shown by the
//! command line, saved, and executed elsewhere.
//!
//! Pure: both sides are passed as values. Nothing is deleted without `prune`, and then only what is managed.

mod acl;
mod action;
mod cut_off;
mod difference;
mod managed;
mod render;
mod saved;
mod scram;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use acl::{AclInputs, AclPlan, acl_plan};
pub use action::Action;
pub use cut_off::CutOff;
pub use managed::Managed;
pub use render::{PrincipalChanges, Right, by_principal};
pub use saved::{
    PLAN_VERSION, PlanFileError, PlannedCluster, SavedPlan, StalePlan, observed_digest,
};
pub use scram::{SCRAM_PLAN_VERSION, ScramInputs, ScramPlan, ScramUpdate, Stranger, scram_plan};

/// This many may always be deleted, because a fifth of few is none.
const ALWAYS_DELETABLE: usize = 10;

/// What may be deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deletion {
    /// What is managed but not in the policy.
    pub prune: bool,
    /// The maximum number of deletions; `None`: a fifth of what is managed, and at least ten.
    pub max_deletes: Option<usize>,
}

impl Deletion {
    /// Why this many of the managed ones must not be deleted.
    fn refusal(
        self,
        deletes: usize,
        what: &str,
        managed: impl FnOnce() -> usize,
    ) -> Option<Remark> {
        let (limit, reason) = match self.max_deletes {
            Some(limit) => (limit, "--max-deletes".to_owned()),
            None if deletes <= ALWAYS_DELETABLE => return None,
            None => {
                let managed = managed();
                let share = format!(
                    "a fifth of the {managed} managed ones, and at least {ALWAYS_DELETABLE}"
                );
                (default_max_deletes(managed), share)
            }
        };
        let message = format!(
            "{} would be deleted, more than {limit} ({reason}); if this is intended, use --max-deletes {deletes}",
            count(deletes, what)
        );
        (deletes > limit).then(|| Remark::new("too-many-deletes", message))
    }
}

/// A remark about a plan; a refusal prevents its execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Its stable code, for scripts.
    pub code: Cow<'static, str>,
    /// The message.
    pub message: String,
}

impl Remark {
    /// A remark with this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Remark {
        Remark {
            code: code.into(),
            message: message.into(),
        }
    }

    /// Reports what is in the cluster but not in the policy, if nothing is to be deleted.
    fn surplus(number: usize, one: &str, of: &str) -> Remark {
        let what = count(number, one);
        let them = if number == 1 { "it" } else { "them" };
        Self::new(
            "surplus",
            format!(
                "the cluster has {what} of managed {of} that are not in the policy; --prune deletes {them}"
            ),
        )
    }
}

/// The number of deletions that are allowed by default: a fifth of what is managed, and at least ten.
pub fn default_max_deletes(managed: usize) -> usize {
    (managed / 5).max(ALWAYS_DELETABLE)
}

/// "1 binding", "2 bindings".
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => match one.strip_suffix("ry") {
            Some(stem) => format!("{number} {stem}ries"),
            None => format!("{number} {one}s"),
        },
    }
}
