//! What a run works on, and what was asked of it.

use time::OffsetDateTime;

use crate::{keystore::StoreProfile, policy::ValidatedPolicy, state::OutDir};

/// A change that a running cluster does not survive by being restarted, so that it has to be asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// A broker gets another `node.id`.
    NodeId,
    /// The static voters are others.
    Voters,
    /// The cluster gets another id.
    ClusterId,
    /// A listener by which brokers or clients find the cluster is another, or gone.
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

/// What was asked for by name, as it is not done otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Changes that a running cluster does not survive by itself.
    pub dangers: &'a [Danger],
    /// Edited files to be overwritten: `kafka1/server.properties`.
    pub overwrite: &'a [String],
    /// A diff of every file.
    pub diffs: bool,
}

/// What a run works on.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The policy.
    pub policy: &'a ValidatedPolicy,
    /// The output directory.
    pub out: &'a OutDir,
    /// How stores are encoded; `None`: as they were, and as the JDK does where there are none.
    pub profile: Option<StoreProfile>,
    /// The time.
    pub now: OffsetDateTime,
    /// What was asked for by name.
    pub asked: Asked<'a>,
}
