//! A saved plan, reviewed now and executed later, if neither the policy nor the cluster has changed since.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::{AclPlan, Deletion, Managed, Remark};
use crate::acl::RawBinding;

/// The file version that is written, and the latest that can be read.
pub const PLAN_VERSION: u32 = 1;

/// A plan with its inputs. Its JSON is also the output of `acl plan --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// The cluster that it was made for; `None`: it was made from an export.
    #[serde(deserialize_with = "Option::deserialize")]
    pub cluster: Option<PlannedCluster>,
    /// The policy's path, as given.
    pub policy: String,
    /// SHA-256 in hex of the policy's text; included files follow it, in the order of their names.
    pub policy_sha256: String,
    /// The digest of the cluster's managed bindings: [`observed_digest`].
    pub observed_sha256: String,
    /// The Kafka version that the bindings were checked for: `4.3`.
    pub kafka_version: String,
    /// Whether deletions were requested.
    pub prune: bool,
    /// Bindings to create.
    pub creates: Vec<RawBinding>,
    /// Bindings to delete.
    pub deletes: Vec<RawBinding>,
    /// How many of the policy's bindings the cluster already has.
    pub unchanged: usize,
    /// How many bindings are not in the policy and are left alone.
    pub left_alone: usize,
    /// Warnings to read before it is executed.
    pub warnings: Vec<Remark>,
    /// Why it must not be executed as it stands.
    pub refusals: Vec<Remark>,
}

/// The cluster that a plan was made for, and how kpki connected to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCluster {
    /// The cluster's id, as reported by the brokers.
    pub id: Option<String>,
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// Whether they were given with `--bootstrap-server`.
    pub servers_named: bool,
    /// The client's properties, as given with `--command-config`; `None`: the policy's admin.
    pub command_config: Option<String>,
}

/// Why a file is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Something else, or an incomplete plan.
    #[error("not a complete plan: line {}, column {}", .0.line(), .0.column())]
    Malformed(#[from] serde_json::Error),
    /// Written by an older kpki, which did not record the cluster.
    #[error("the plan does not name its cluster: it was written by an older version of kpki")]
    NoCluster,
    /// Written by a newer kpki.
    #[error("the plan has version {0}, but this kpki only supports up to version {PLAN_VERSION}")]
    LaterVersion(u32),
}

/// What has changed since a plan was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StalePlan {
    /// The bindings of managed principals.
    #[error("the ACLs of principals that the policy manages have changed in the cluster")]
    Bindings,
    /// The inputs of the guards, so that a new plan would differ.
    #[error(
        "the brokers' settings have changed, or a different user applies the plan than made it, so a new plan would differ"
    )]
    Guards,
}

impl SavedPlan {
    /// Whether a text is meant as a plan, complete or not. A policy in JSON syntax begins the same way, but does not
    /// have this key.
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().starts_with('{') && text.contains("\"policy_sha256\"")
    }

    /// What may be deleted: what was reviewed, within the limit given since.
    pub fn deletion(&self, max_deletes: Option<usize>) -> Deletion {
        Deletion {
            prune: self.prune,
            max_deletes: max_deletes.or(Some(self.deletes.len())),
        }
    }

    /// Checks that the cluster is in the state that the plan was made for, or between that and the plan's result: a
    /// plan that was interrupted is finished by executing it again. `plan` is what would be planned now.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(
        &self,
        observed: &[RawBinding],
        managed: &Managed,
        plan: &AclPlan,
    ) -> Result<(), StalePlan> {
        // The state before any of the plan was executed.
        let created: BTreeSet<&RawBinding> = self.creates.iter().collect();
        let before = observed.iter().filter(|b| !created.contains(b));
        let before: Vec<RawBinding> = before.chain(&self.deletes).cloned().collect();
        if observed_digest(&before, managed) != self.observed_sha256 {
            return Err(StalePlan::Bindings);
        }
        // The guards' result may differ for another operator, or with other broker settings.
        let now: BTreeSet<&RawBinding> = observed.iter().collect();
        let creates = self.creates.iter().filter(|b| !now.contains(b));
        let deletes = self.deletes.iter().filter(|b| now.contains(b));
        let same = creates.eq(plan.creates.iter().map(|b| b.as_raw())) && deletes.eq(&plan.deletes);
        same.then_some(()).ok_or(StalePlan::Guards)
    }

    /// The plan's part of the file; the caller adds the inputs.
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
    /// If the text is not a plan, or a plan of a newer version.
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

/// Whether a key is present, with any value.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(value).map(|_| true)
}

/// A hex digest of the managed bindings of a cluster, independent of their order. If it differs from a plan's digest,
/// the plan was made for another state.
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
            // Each is prefixed with its length, so that different bindings never give the same text.
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
