//! What is asked of a cluster's SCRAM users: what `plan` and `apply` have in common.

use clap::Args;

use super::super::{CliError, Code, Failure, acl, connect::connect, ui::Ui};
use crate::{
    admin::ClientProperties,
    apply::scram::{self, Connected, Desired, Rotations, UnknownUsers},
    bootstrap::passwords,
    pki::IdentityName,
    plan::{Deletion, ScramPlan},
    policy::ValidatedPolicy,
    scram::ScramInfo,
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

/// What the policy and the disk want.
pub struct Wanted<'a> {
    arguments: &'a Arguments,
    policy: &'a ValidatedPolicy,
    out: &'a OutDir,
    credentials: Vec<ScramInfo>,
    /// Who gets a new password.
    pub rotations: Rotations,
}

impl<'a> Wanted<'a> {
    /// # Errors
    /// When somebody is to be rotated who is no SCRAM user of the policy, or a file cannot be read.
    pub fn read(
        arguments: &'a Arguments,
        policy: &'a ValidatedPolicy,
        out: &'a OutDir,
    ) -> Result<Self, Failure> {
        let credentials = passwords::desired(policy);
        let asked = arguments.rotate.iter().map(ToString::to_string).collect();
        let begun = passwords::begun(out, policy)?;
        let rotations = Rotations::new(asked, begun, &credentials).map_err(unknown)?;
        Ok(Self {
            arguments,
            policy,
            out,
            credentials,
            rotations,
        })
    }

    /// A connection that has logged in.
    pub fn connect(&self, ui: &Ui, properties: ClientProperties) -> Result<Connected, Failure> {
        let begun = &self.rotations.begun;
        let connect = |properties: &ClientProperties| connect(ui, properties);
        Ok(Connected::open(
            properties,
            &self.credentials,
            begun,
            connect,
        )?)
    }

    /// Reads the cluster and plans.
    pub fn plan(&self, connected: &mut Connected) -> Result<ScramPlan, Failure> {
        let desired = Desired {
            policy: self.policy,
            credentials: &self.credentials,
            rotations: &self.rotations,
            deletion: Deletion {
                prune: self.arguments.prune,
                max_deletes: self.arguments.max_deletes,
            },
            password: &|user| Ok(passwords::on_disk(self.out, self.policy, user)?),
        };
        scram::plan(connected, &desired)
    }
}

fn unknown(error: UnknownUsers) -> CliError {
    let hint = match error.known.is_empty() {
        true => "the policy has no SCRAM users: give a client `auth: scram-sha-512`".to_owned(),
        false => format!("its SCRAM users are {}", error.known.join(", ")),
    };
    CliError::new(Code::NotAScramUser, format!("--rotate {error}"))
        .hint(hint)
        .usage()
}
