//! Leftovers of earlier commands: requests with broad filters whose answers were lost, or commands that were killed
//! before they restored what they should not have deleted.

use time::OffsetDateTime;

use super::AclOutcome;
use crate::{
    admin::{Admin, Batch},
    state::{OutDir, Pruning, StateError, Unsettled},
};

/// What earlier commands left behind for this cluster.
pub fn read(out: &OutDir, admin: &Admin) -> Result<Vec<Unsettled>, StateError> {
    let cluster = admin.cluster_id().unwrap_or_default();
    let mut left = Pruning::read(out)?;
    left.retain(|u| u.cluster.is_empty() || u.cluster == cluster);
    Ok(left)
}

/// Restores what is known to be deleted, and forgets the rest.
pub fn settle(
    admin: &mut Admin,
    out: &OutDir,
    left: &[Unsettled],
    outcome: &mut AclOutcome,
) -> Result<(), StateError> {
    if left.is_empty() {
        return Ok(());
    }
    // The process that is using the record will report it itself.
    let Some(mut note) = Pruning::take(out, OffsetDateTime::now_utc())? else {
        return Ok(());
    };
    for left in left {
        let newer = left.newer.clone().unwrap_or_default();
        let there = newer.is_empty() || {
            let back = admin.create_acls(&newer, &mut Batch::default());
            outcome.put_back(newer, back)
        };
        if there && let Err(error) = note.settled(&left.id) {
            outcome.incidents.push(error.into());
        }
    }
    note.close()
}
