//! The result of a plan's ACL changes, entry by entry.

use crate::{
    acl::RawBinding,
    admin::{AdminError, Entries, EntryError},
    plan::count,
    state::{Reach, StateError},
};

/// The result of a plan.
#[derive(Default)]
pub struct AclOutcome {
    /// The number of bindings that were created.
    pub created: usize,
    /// The number of bindings that were deleted.
    pub deleted: usize,
    /// The changes that were not made, each with the reason.
    pub failed: Vec<(RawBinding, Undone)>,
    /// Why the work ended early, if there was a single cause.
    pub cause: Option<AdminError>,
    /// Some entries listed as failed may have been done: there was no answer.
    pub open: bool,
    /// Filters whose answer was lost, and with it the list of unknown bindings that they deleted.
    pub lost: Vec<Reach>,
    /// What else happened.
    pub incidents: Vec<Incident>,
}

/// Why a change was not made, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undone {
    /// The work was stopped from outside.
    #[error("not attempted: stopped before its turn")]
    Stopped,
    /// Something else ended the work.
    #[error("not attempted: an earlier error ended the work")]
    NotAttempted,
    /// Something could not be created, so nothing is deleted.
    #[error("not attempted: nothing is deleted until everything is created")]
    CreatesFirst,
    /// The cluster's own answer about this entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The request that creates it got no answer, and the cluster does not have it.
    #[error("no answer, and it was not created")]
    NotCreated,
    /// The request that deletes it got no answer, and the cluster still has it.
    #[error("no answer, and it was not deleted")]
    NotDeleted,
    /// The request that deletes it got no answer, and it could not be read either.
    #[error("it is unknown whether it was deleted: the cluster no longer answers")]
    Unknown,
    /// It was created, but the broker does not show it.
    #[error("created, but the connected broker does not show it")]
    NotShown,
    /// It was deleted, but the broker still shows it.
    #[error("deleted, but the connected broker still shows it")]
    StillShown,
    /// It was deleted although this was not planned, and could not be restored.
    #[error(
        "created by someone else in the meantime, deleted with others, and COULD NOT BE RESTORED: {0}"
    )]
    NotPutBack(#[source] EntryError),
}

/// Other events that the user should know about.
#[derive(Debug, thiserror::Error)]
pub enum Incident {
    /// A broad filter deleted a binding that was created after reading, and it was restored.
    #[error("{0}: created by someone else in the meantime, deleted with others, and restored")]
    PutBack(RawBinding),
    /// A broad filter deleted bindings that were created after reading and cannot be represented.
    #[error("{} created by someone else in the meantime, which kpki cannot read, deleted with those of {principal}", count(*.number, "binding"))]
    Unnamed {
        /// How many bindings.
        number: usize,
        /// Whose they were.
        principal: String,
    },
    /// The changes were made, but not read back.
    #[error("the cluster accepted the changes, but reading them back failed: {0}")]
    NotReadBack(#[source] AdminError),
    /// No broad filters were used, because another command is using the record of what they may match.
    #[error(
        "bindings were deleted one by one, which takes long, because what broad filters may match could not be recorded: another kpki is pruning with this output directory"
    )]
    NoteHeld,
    /// No broad filters were used, because what they may match could not be recorded.
    #[error(
        "bindings were deleted one by one, which takes long, because what broad filters may match could not be recorded: {0}"
    )]
    NotNoted(#[source] StateError),
    /// From some point on, no broad filters were used, because what they may match could not be recorded.
    #[error(
        "the rest was deleted one by one, because what broad filters may match could not be recorded: {0}"
    )]
    NoLongerNoted(#[source] StateError),
    /// The record itself could not be written.
    #[error(transparent)]
    Note(#[from] StateError),
}

impl AclOutcome {
    /// Records bindings that were deleted although this was not planned, and the attempt to restore them. A lost one is
    /// a failure, which the exit code must show. True if all were restored.
    pub(super) fn put_back(
        &mut self,
        beyond: Vec<RawBinding>,
        back: Result<Entries, AdminError>,
    ) -> bool {
        let failed = self.failed.len();
        let entries = back.unwrap_or_else(|error| {
            let why = EntryError::Unanswered(error.to_string());
            let lost = beyond.into_iter().map(|b| (b, Err(why.clone())));
            lost.collect()
        });
        for (binding, result) in entries {
            match result {
                Ok(()) => self.incidents.push(Incident::PutBack(binding)),
                Err(error) => {
                    self.open = true;
                    self.failed.push((binding, Undone::NotPutBack(error)));
                }
            }
        }
        self.failed.len() == failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_that_is_lost_is_a_failure_and_no_mere_remark() {
        let binding: RawBinding = serde_json::from_str(
            r#"{"resource_type":"TOPIC","pattern_type":"LITERAL","name":"t","principal":"User:a","host":"*","operation":"READ","permission":"ALLOW"}"#,
        )
        .unwrap();
        let lost = |back| {
            let mut outcome = AclOutcome::default();
            outcome.put_back(vec![binding.clone()], back);
            (outcome.failed.len(), outcome.open, outcome.incidents.len())
        };
        assert_eq!(lost(Ok(vec![(binding.clone(), Ok(()))])), (0, false, 1));
        let refused = Err(EntryError::NotAttempted);
        assert_eq!(lost(Ok(vec![(binding.clone(), refused)])), (1, true, 0));
        let gone = AdminError::SecurityDisabled("x");
        assert_eq!(lost(Err(gone)), (1, true, 0));
    }
}
