//! What is asked of a cluster's SCRAM users: what `plan` and `apply` have in common.

use clap::Args;
use time::OffsetDateTime;

use super::super::{Failure, acl};
use crate::{
    apply::scram::DesiredUsers,
    bootstrap::{cut_off::revoked_users, passwords},
    pki::IdentityName,
    plan::Deletion,
    policy::ValidatedPolicy,
    state::OutDir,
};

/// What shall be planned.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    pub policy: String,
    /// Give a user a new password (may be repeated)
    #[arg(long, value_name = "USER")]
    pub rotate: Vec<IdentityName>,
    /// Also delete what managed users have beyond the policy
    #[arg(long)]
    pub prune: bool,
    /// The most deletions [default: a fifth of the managed credentials, at least 10]
    #[arg(long, value_name = "N", value_parser = acl::number)]
    pub max_deletes: Option<usize>,
}

impl Arguments {
    /// What the policy and the disk want of the cluster.
    ///
    /// # Errors
    /// When somebody is to be rotated who is no SCRAM user of the policy, or a file cannot be read.
    pub fn desired<'a>(
        &self,
        policy: &'a ValidatedPolicy,
        out: &OutDir,
    ) -> Result<DesiredUsers<'a>, Failure> {
        let deletion = Deletion {
            prune: self.prune,
            max_deletes: self.max_deletes,
        };
        let rotate = self.rotate.iter().map(ToString::to_string).collect();
        let revoked = revoked_users(out, OffsetDateTime::now_utc())?;
        let mut begun = passwords::begun(out, policy)?;
        begun.retain(|user, _| !revoked.contains(user));
        let mut credentials = passwords::desired(policy);
        credentials.retain(|credential| !revoked.contains(&credential.user));
        let desired = DesiredUsers::new(policy, credentials, rotate, begun, deletion);
        Ok(desired?)
    }
}
