//! How `acl plan` and `acl apply` come to one and the same plan.

use super::super::observed::Observed;
use crate::{
    acl::{Binding, Principal, kafka_acls_command},
    admin::inexpressible,
    plan::{AclInputs, AclPlan, CutOff, Deletion, Managed, Remark, acl_plan},
    policy::ValidatedPolicy,
};

/// The plan that takes the cluster to the policy, and shuts out whom it is to refuse.
pub fn plan(
    policy: &ValidatedPolicy,
    cut_off: &CutOff,
    observed: &Observed,
    deletion: Deletion,
) -> AclPlan {
    let bindings = policy.bindings.iter().map(|b| b.binding.clone());
    let refused = cut_off.bindings(&observed.bindings, policy.version());
    let mut desired: Vec<Binding> = bindings.chain(refused).collect();
    if !cut_off.principals.is_empty() || !cut_off.is_known {
        desired.sort();
        desired.dedup();
    }
    let mut plan = acl_plan(&AclInputs {
        desired: &desired,
        observed: &observed.bindings,
        managed: &Managed::of(&policy.managed()),
        deletion,
        operator: observed.operator.as_ref().map(Principal::as_str),
        operator_doubt: observed.operator_doubt.as_deref(),
        settings: &observed.settings,
    });
    plan.warnings.extend(cut_off.remarks.iter().cloned());
    // What librdkafka has no words for has to be created by Kafka's own tool.
    let unnamed = plan.creates.iter().filter(|b| inexpressible(b).is_some());
    let refusals = unnamed.map(|binding| {
        let command = kafka_acls_command(binding);
        Remark::new(
            "inexpressible",
            format!("kpki's Kafka client cannot create {binding}; create it with Kafka's own tool, then run this again:\n  {command}"),
        )
    });
    plan.refusals.extend(refusals.collect::<Vec<_>>());
    plan
}
