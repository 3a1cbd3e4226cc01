//! A plan in a file: reviewed on one day, executed on another, if neither policy nor cluster has moved since.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::{AclPlan, Deletion, Managed, Remark};
use crate::acl::RawBinding;

/// The version of the file that is written, and the latest that is read.
pub const PLAN_VERSION: u32 = 1;

/// A plan with what it was made from. Its JSON is also that of `acl plan --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// The cluster that it was made for; `None`: it was made from an export.
    #[serde(deserialize_with = "Option::deserialize")]
    pub cluster: Option<PlannedCluster>,
    /// The policy's path as it was given.
    pub policy: String,
    /// SHA-256 in hex of the policy's text; included files follow it, in the order of their names.
    pub policy_sha256: String,
    /// What the cluster held of managed principals: [`observed_digest`].
    pub observed_sha256: String,
    /// The Kafka that the bindings were checked for: `4.3`.
    pub kafka_version: String,
    /// Whether deletions were asked for.
    pub prune: bool,
    /// What is to be created.
    pub creates: Vec<RawBinding>,
    /// What is to be deleted.
    pub deletes: Vec<RawBinding>,
    /// How many of the policy's bindings the cluster has already.
    pub unchanged: usize,
    /// How many bindings the plan leaves alone although the policy does not mean them.
    pub left_alone: usize,
    /// What to know before it is executed.
    pub warnings: Vec<Remark>,
    /// Why it must not be executed as it stands.
    pub refusals: Vec<Remark>,
}

/// The cluster that a plan was made for, and how it was connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCluster {
    /// The cluster's id, as it told it itself.
    pub id: Option<String>,
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// Whether they were named with `--bootstrap-server`.
    pub servers_named: bool,
    /// The client's properties as they were named with `--command-config`; `None`: the policy's admin.
    pub command_config: Option<String>,
}

/// A file that is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Something else, or a part of one.
    #[error("not a whole plan: line {}, column {}", .0.line(), .0.column())]
    Malformed(#[from] serde_json::Error),
    /// Written by a kpki that did not note the cluster.
    #[error("the plan does not name its cluster: it was written by an older version of kpki")]
    NoCluster,
    /// Written by a later kpki.
    #[error("the plan has version {0}, and this kpki reads version {PLAN_VERSION}")]
    LaterVersion(u32),
}

/// What has moved since a plan was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StalePlan {
    /// The bindings of managed principals.
    #[error("the cluster's ACLs of principals that the policy manages were changed")]
    Bindings,
    /// What the guards go by, so that they would make another plan of it.
    #[error(
        "the brokers' settings have changed, or it is applied by a different user than it was planned by, so a new plan would differ"
    )]
    Guards,
}

impl SavedPlan {
    /// Whether a text was meant as a plan, whole or not. A policy in YAML's JSON form begins like one as well, but says
    /// nothing of this.
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().starts_with('{') && text.contains("\"policy_sha256\"")
    }

    /// What may be deleted: what was reviewed, and no more than was named since.
    pub fn deletion(&self, max_deletes: Option<usize>) -> Deletion {
        Deletion {
            prune: self.prune,
            max_deletes: max_deletes.or(Some(self.deletes.len())),
        }
    }

    /// Whether the cluster is in the state that the plan was made for, or on the way from there to the plan's end: a plan
    /// that was stopped half-way is finished by executing it again. `plan` is what would be planned now.
    ///
    /// # Errors
    /// It is not.
    pub fn check(
        &self,
        observed: &[RawBinding],
        managed: &Managed,
        plan: &AclPlan,
    ) -> Result<(), StalePlan> {
        // The state as it was, had nothing of the plan been done.
        let created: BTreeSet<&RawBinding> = self.creates.iter().collect();
        let before = observed.iter().filter(|b| !created.contains(b));
        let before: Vec<RawBinding> = before.chain(&self.deletes).cloned().collect();
        if observed_digest(&before, managed) != self.observed_sha256 {
            return Err(StalePlan::Bindings);
        }
        // What the guards make of it may differ for another operator, or with other settings of the brokers.
        let now: BTreeSet<&RawBinding> = observed.iter().collect();
        let creates = self.creates.iter().filter(|b| !now.contains(b));
        let deletes = self.deletes.iter().filter(|b| now.contains(b));
        let same = creates.eq(plan.creates.iter().map(|b| b.as_raw())) && deletes.eq(&plan.deletes);
        same.then_some(()).ok_or(StalePlan::Guards)
    }

    /// The plan's part of the file; what it was made from is the caller's to add.
    pub fn of(plan: &AclPlan) -> SavedPlan {
        SavedPlan {
            version: PLAN_VERSION,
            creates: plan.creates.iter().map(|b| b.as_raw().clone()).collect(),
            deletes: plan.deletes.clone(),
            unchanged: plan.unchanged,
            left_alone: plan.left_alone,
            warnings: plan.warnings.clone(),
            refusals: plan.refusals.clone(),
            ..SavedPlan::default()
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Text that is no plan, or one of a later version.
    pub fn parse(text: &str) -> Result<SavedPlan, PlanFileError> {
        #[derive(Deserialize)]
        struct Begin {
            version: u32,
            #[serde(default, deserialize_with = "is_there")]
            cluster: bool,
        }
        let Begin { version, cluster } = serde_json::from_str(text)?;
        if version != PLAN_VERSION {
            return Err(PlanFileError::LaterVersion(version));
        }
        if !cluster {
            return Err(PlanFileError::NoCluster);
        }
        Ok(serde_json::from_str(text)?)
    }
}

/// Whether a key is there, whatever its value.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(value).map(|_| true)
}

/// A digest in hex of the managed bindings that a cluster holds, in whatever order it told them.
/// A plan whose digest is no longer the cluster's was made for another state.
pub fn observed_digest(observed: &[RawBinding], managed: &Managed) -> String {
    let digest = |b: &RawBinding| -> [u8; 32] {
        let mut hash = Sha256::new();
        let words = [
            b.resource_type.kafka_name(),
            b.pattern_type.kafka_name(),
            &b.name,
            &b.principal,
            &b.host,
            b.operation.kafka_name(),
            b.permission.kafka_name(),
        ];
        for word in words {
            // A length before each, so that no two bindings make one text.
            hash.update((word.len() as u64).to_be_bytes());
            hash.update(word);
        }
        hash.finalize().into()
    };
    let observed = observed.iter().filter(|b| managed.contains(&b.principal));
    let mut digests: Vec<[u8; 32]> = observed.map(digest).collect();
    digests.sort_unstable();
    digests.dedup();
    let whole = Sha256::digest(digests.as_flattened());
    whole.iter().map(|b| format!("{b:02x}")).collect()
}
