//! The context of a run, and what was requested.

use time::OffsetDateTime;

use crate::{keystore::StoreProfile, policy::ValidatedPolicy, state::OutDir};

/// A change that rolling restarts cannot apply to a running cluster, so it must be requested by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// A broker gets another `node.id`.
    NodeId,
    /// The static voters change.
    Voters,
    /// The cluster gets another id.
    ClusterId,
    /// A listener by which brokers or clients find the cluster changes or disappears.
    Listeners,
}

impl Danger {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NodeId, Self::Voters, Self::ClusterId, Self::Listeners];

    /// The word of `--allow`.
    pub fn word(self) -> &'static str {
        match self {
            Self::NodeId => "node-id",
            Self::Voters => "voters",
            Self::ClusterId => "cluster-id",
            Self::Listeners => "listeners",
        }
    }
}

/// What is only done if it is requested by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Allowed dangerous changes.
    pub dangers: &'a [Danger],
    /// Edited files to be overwritten: `kafka1/server.properties`.
    pub overwrite: &'a [String],
    /// Only a plan: with a diff of every file, and with what would be refused instead of errors.
    pub dry_run: bool,
}

/// What a run works on.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The policy.
    pub policy: &'a ValidatedPolicy,
    /// The output directory.
    pub out: &'a OutDir,
    /// How stores are encoded; `None`: as before, or as the JDK does if there are none.
    pub profile: Option<StoreProfile>,
    /// The time.
    pub now: OffsetDateTime,
    /// What was requested by name.
    pub asked: Asked<'a>,
}
