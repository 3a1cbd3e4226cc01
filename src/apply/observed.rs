//! Reads a cluster's bindings, for both `acl plan` and `acl apply`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Notice, brokers, operator::operator};
use crate::{
    acl::{AclBindingFilter, Operation, Principal, PrincipalPattern, RawBinding, Settings},
    admin::{Admin, AdminError, ClientProperties, inexpressible},
    plan::count,
    policy::ValidatedPolicy,
};

/// The bindings, and the other inputs of the guards.
pub struct Observed {
    /// The cluster's bindings.
    pub bindings: Vec<RawBinding>,
    /// The brokers' own settings, as far as they are known.
    pub settings: Settings,
    /// The principal that executes a plan.
    pub operator: Option<Principal>,
    /// Why that is uncertain, if it is.
    pub operator_doubt: Option<String>,
}

/// From an export of the cluster's bindings, with the policy's broker settings.
pub fn exported(bindings: Vec<RawBinding>, policy: &ValidatedPolicy) -> Observed {
    let operator = policy.cluster.admin.as_ref().and_then(|admin| {
        let client = policy.clients.iter().find(|c| c.name == *admin)?;
        policy.principals(client).into_iter().next()
    });
    Observed {
        bindings,
        settings: policy.settings(),
        operator,
        operator_doubt: None,
    }
}

/// From the cluster itself, as the client of these properties.
pub fn read(
    admin: &mut Admin,
    properties: &ClientProperties,
    policy: &ValidatedPolicy,
    tell: &dyn Fn(Notice),
) -> Result<Observed, AdminError> {
    let (settings, rules) = brokers::settings(admin, policy, tell);
    let (operator, operator_doubt) = operator(properties, &rules);
    if let Some(operator) = &operator {
        tell(Notice::Detail(format!("connected as {operator}")));
    }
    if let (None, Some(doubt)) = (&operator, &operator_doubt) {
        tell(Notice::Note(format!(
            "the principal of this connection is unknown ({doubt}): --prune is refused"
        )));
    }
    let mut principals = known(policy);
    principals.extend(operator.iter().map(Principal::to_string));
    let mut described = admin.describe_acls_of(&AclBindingFilter::default(), &principals)?;
    if !described.of_known_principals.is_empty() {
        // Kafka cannot list principals, but it can list SCRAM users.
        let known = principals.len();
        let users = admin.describe_every_scram().ok().flatten();
        let users = users.into_iter().flatten();
        principals.extend(users.map(|u| Principal::user(u.user).to_string()));
        if principals.len() > known {
            described = admin.describe_acls_of(&AclBindingFilter::default(), &principals)?;
        }
    }
    tell(Notice::Detail(format!(
        "the cluster has {} ACL bindings",
        described.bindings.len()
    )));
    if described.unreadable > 0 {
        let more = match described.may_miss_unreadable {
            true => ", or more",
            false => "",
        };
        tell(Notice::Note(format!(
            "{}{more} that librdkafka cannot represent (on delegation tokens or users, for CreateTokens, DescribeTokens, TwoPhaseCommit, or with a NUL character in a name): they are left alone",
            count(described.unreadable, "binding"),
        )));
    }
    for kind in &described.of_known_principals {
        tell(Notice::Warning(format!(
            "the cluster has more bindings `{kind}` than fit in one answer: only those of principals in the policy, of SCRAM users and of principals with other bindings were read; the rest is left alone"
        )));
    }
    let mut bindings = described.bindings;
    bindings.extend(held_unnamed(admin, policy)?);
    Ok(Observed {
        bindings,
        settings,
        operator,
        operator_doubt,
    })
}

/// The principals in the policy.
fn known(policy: &ValidatedPolicy) -> BTreeSet<String> {
    let desired = policy.raw_bindings().map(|b| b.principal.to_string());
    let managed = policy.managed().into_iter();
    let managed = managed.filter_map(|pattern| match pattern {
        PrincipalPattern::Exact(principal) => Some(principal.to_string()),
        PrincipalPattern::Prefix(_) => None,
    });
    desired.chain(managed).collect()
}

/// The policy's bindings that librdkafka cannot represent, but that the cluster appears to have.
pub fn held_unnamed(
    admin: &mut Admin,
    policy: &ValidatedPolicy,
) -> Result<Vec<RawBinding>, AdminError> {
    let mut alike: BTreeMap<_, Vec<&RawBinding>> = BTreeMap::new();
    for binding in policy.raw_bindings() {
        if inexpressible(binding).is_some() {
            // CreateTokens and DescribeTokens of one user look the same.
            let operation = match binding.operation {
                Operation::CreateTokens | Operation::DescribeTokens => None,
                operation => Some(operation),
            };
            let place = (&binding.principal, &binding.host, &binding.name);
            let what = (binding.pattern_type, binding.permission);
            alike
                .entry((place, what, binding.resource_type, operation))
                .or_default()
                .push(binding);
        }
    }
    let mut held = Vec::new();
    for group in alike.into_values() {
        if admin.count_alike(group[0])? >= group.len() {
            held.extend(group.into_iter().cloned());
        }
    }
    Ok(held)
}
