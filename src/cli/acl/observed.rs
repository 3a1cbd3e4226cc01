//! What the cluster holds: the one place where `acl plan` and `acl apply` get it from.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Failure, ReadPolicy, bindings,
    ui::{Ui, YELLOW},
};
use crate::{
    acl::{Operation, RawBinding, Settings, super_users},
    admin::{
        AclFilter, Admin, AdminError, ClientProperties, Setting, inexpressible,
        is_kafkas_authorizer,
    },
    pki::{Certificate, principal::MappingRules},
    policy::PrincipalPattern,
};

/// Who connects without showing who it is.
const ANONYMOUS: &str = "User:ANONYMOUS";

/// The bindings, and what else the guards go by.
pub struct Observed {
    /// The bindings that the cluster holds.
    pub bindings: Vec<RawBinding>,
    /// The brokers' own settings, as far as they are known.
    pub settings: Settings,
    /// The principal that executes a plan.
    pub operator: Option<String>,
}

/// From an export of the cluster's bindings; what the brokers are told is what the policy says.
///
/// # Errors
/// A file that cannot be read, or is no export.
pub fn of_export(path: &str, read: &ReadPolicy) -> Result<Observed, Failure> {
    let policy = &read.policy;
    let operator = policy.cluster.admin.as_ref().and_then(|admin| {
        let client = policy.clients.iter().find(|c| c.name == *admin)?;
        policy.principals(client).into_iter().next()
    });
    Ok(Observed {
        bindings: bindings::read_export(path)?.bindings,
        settings: policy.settings(),
        operator,
    })
}

/// From the cluster itself, as the client of these properties.
///
/// # Errors
/// Whatever keeps its bindings from being read.
pub fn of_cluster(
    ui: &Ui,
    admin: &mut Admin,
    properties: &ClientProperties,
    read: &ReadPolicy,
) -> Result<Observed, Failure> {
    let (settings, rules) = settings(ui, admin, read);
    let operator = operator(properties, &rules);
    match &operator {
        Some(operator) => ui.detail(format!("connected as {operator}")),
        None => ui.note("the brokers' mapping rules name nobody for this client's certificate, as far as kpki can tell: it does not know whose right to change ACLs has to be kept"),
    }
    let mut principals = known(read);
    principals.extend(operator.clone());
    let mut described = admin.describe_acls_of(&AclFilter::default(), &principals)?;
    if !described.of_known_principals.is_empty() {
        // Kafka has no list of principals, but one of SCRAM users.
        let known = principals.len();
        let users = admin.describe_scram(&[]).unwrap_or_default();
        principals.extend(users.into_iter().map(|user| format!("User:{}", user.user)));
        if principals.len() > known {
            described = admin.describe_acls_of(&AclFilter::default(), &principals)?;
        }
    }
    ui.detail(format!(
        "the cluster has {} ACL bindings",
        described.bindings.len()
    ));
    if described.unreadable > 0 {
        let more = match described.may_miss_unreadable {
            true => ", or more",
            false => "",
        };
        ui.note(format!(
            "{}{more} that librdkafka cannot name (on delegation tokens or users, for CreateTokens, DescribeTokens, TwoPhaseCommit, or with a NUL character in a name): they are left as they are",
            super::count(described.unreadable, "binding"),
        ));
    }
    for kind in &described.of_known_principals {
        ui.complain(format!(
            "{YELLOW}warning:{YELLOW:#} the cluster has more bindings `{kind}` than one answer can hold: they were read of the principals that the policy names, of SCRAM users and of those that have other bindings too; those of others are left alone"
        ));
    }
    let mut bindings = described.bindings;
    bindings.extend(held_unnamed(admin, read)?);
    Ok(Observed {
        bindings,
        settings,
        operator,
    })
}

/// The principals that the policy speaks of.
fn known(read: &ReadPolicy) -> BTreeSet<String> {
    let desired = read.policy.raw_bindings().map(|b| b.principal.to_string());
    let managed = read.policy.managed().into_iter();
    let managed = managed.filter_map(|pattern| match pattern {
        PrincipalPattern::Exact(principal) => Some(principal),
        PrincipalPattern::Prefix(_) => None,
    });
    desired.chain(managed).collect()
}

/// Those of the policy's bindings that librdkafka cannot name and that the cluster holds nevertheless, by all that can
/// be seen of them.
fn held_unnamed(admin: &mut Admin, read: &ReadPolicy) -> Result<Vec<RawBinding>, AdminError> {
    let mut alike: BTreeMap<_, Vec<&RawBinding>> = BTreeMap::new();
    for binding in read.policy.raw_bindings() {
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

/// What the brokers are told about authorization, as far as they show it, else what the policy says.
fn settings(ui: &Ui, admin: &mut Admin, read: &ReadPolicy) -> (Settings, MappingRules) {
    let mut settings = read.policy.settings();
    let rules = MappingRules::parse(&read.policy.cluster.principal_mapping_rules);
    let mut rules = rules.unwrap_or_default();
    let shown = match admin.describe_some_broker() {
        Ok(shown) => shown,
        Err(error) => {
            let why = match error {
                AdminError::NotAuthorized { .. } => {
                    "that needs DescribeConfigs on the cluster".to_owned()
                }
                other => other.to_string(),
            };
            ui.note(format!("the brokers' settings could not be read ({why}): for super.users, allow.everyone.if.no.acl.found and the mapping rules, what the policy says is taken to be true"));
            return (settings, rules);
        }
    };
    let find = |name: &str| shown.iter().find(|s| s.name == name);
    let mut hidden = Vec::new();
    let mut value = |name: &'static str| match find(name) {
        None => Some(String::new()),
        Some(Setting { value: None, .. }) => {
            hidden.push(name);
            None
        }
        Some(Setting { value, .. }) => value.clone(),
    };
    if let Some(value) = value("allow.everyone.if.no.acl.found") {
        settings.allow_everyone_if_no_acl_found = value.trim().eq_ignore_ascii_case("true");
    }
    if let Some(Ok(users)) = value("super.users").map(|text| super_users(&text)) {
        settings.super_users = users;
    }
    // Kafka takes a setting that it has no type for to be a secret, and those of the authorizer are such.
    if !hidden.is_empty() {
        ui.detail(format!(
            "brokers do not show {}: what the policy says is taken to be true",
            hidden.join(" and ")
        ));
    }
    let listeners = |s: &Setting| {
        s.name.starts_with("listener.name.") && s.name.ends_with(".ssl.principal.mapping.rules")
    };
    if !shown.iter().any(listeners)
        && let Some(text) = find("ssl.principal.mapping.rules").and_then(|s| s.value.as_ref())
        && let Ok(theirs) = MappingRules::from_property(text)
    {
        rules = theirs;
    }
    let authorizer = find("authorizer.class.name").and_then(|s| s.value.as_deref());
    if let Some(class) = authorizer
        && !is_kafkas_authorizer(class)
        && !class.is_empty()
    {
        ui.note(format!("the brokers' authorizer is {class}: kpki's warnings are about what Kafka's own would do"));
    }
    (settings, rules)
}

/// Who the cluster takes this client to be.
fn operator(properties: &ClientProperties, rules: &MappingRules) -> Option<String> {
    if let Some(sasl) = &properties.sasl {
        return Some(format!("User:{}", sasl.user));
    }
    let identity = properties
        .tls
        .as_ref()
        .and_then(|tls| tls.identity.as_ref());
    let Some(leaf) = identity.and_then(|identity| identity.chain.first()) else {
        return Some(ANONYMOUS.to_owned());
    };
    let subject = Certificate::from_der(leaf).ok()?.subject;
    Some(rules.apply(&subject).ok()?.principal())
}
