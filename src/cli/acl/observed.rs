//! What the cluster holds: the one place where `acl plan` and `acl apply` get it from.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Failure, ReadPolicy, bindings,
    ui::{Ui, YELLOW},
};
use crate::{
    acl::{Operation, Principal, PrincipalPattern, RawBinding, Settings, super_users},
    admin::{
        AclBindingFilter, Admin, AdminError, ClientProperties, ConfigEntry, inexpressible,
        is_kafkas_authorizer,
    },
    pki::{
        Certificate,
        principal::{MapError, MappingRules},
    },
};

/// The bindings, and what else the guards go by.
pub struct Observed {
    /// The bindings that the cluster holds.
    pub bindings: Vec<RawBinding>,
    /// The brokers' own settings, as far as they are known.
    pub settings: Settings,
    /// The principal that executes a plan.
    pub operator: Option<Principal>,
    /// Why that is not certain, where it is not.
    pub operator_doubt: Option<String>,
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
        operator_doubt: None,
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
    let (operator, operator_doubt) = operator(properties, &rules);
    if let Some(operator) = &operator {
        ui.detail(format!("connected as {operator}"));
    }
    if let (None, Some(doubt)) = (&operator, &operator_doubt) {
        ui.note(format!(
            "as whom kpki is connected is not known ({doubt}): --prune is refused"
        ));
    }
    let mut principals = known(read);
    principals.extend(operator.iter().map(Principal::to_string));
    let mut described = admin.describe_acls_of(&AclBindingFilter::default(), &principals)?;
    if !described.of_known_principals.is_empty() {
        // Kafka has no list of principals, but one of SCRAM users.
        let known = principals.len();
        let users = admin.describe_scram(&[]).unwrap_or_default();
        principals.extend(
            users
                .into_iter()
                .map(|user| Principal::user(user.user).to_string()),
        );
        if principals.len() > known {
            described = admin.describe_acls_of(&AclBindingFilter::default(), &principals)?;
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
            "{}{more} that librdkafka cannot name (on delegation tokens or users, for CreateTokens, DescribeTokens, TwoPhaseCommit, or with a NUL character in a name): they are not touched",
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
        operator_doubt,
    })
}

/// The principals that the policy speaks of.
fn known(read: &ReadPolicy) -> BTreeSet<String> {
    let desired = read.policy.raw_bindings().map(|b| b.principal.to_string());
    let managed = read.policy.managed().into_iter();
    let managed = managed.filter_map(|pattern| match pattern {
        PrincipalPattern::Exact(principal) => Some(principal.to_string()),
        PrincipalPattern::Prefix(_) => None,
    });
    desired.chain(managed).collect()
}

/// Those of the policy's bindings that librdkafka cannot name and that the cluster holds nevertheless, by all that can
/// be seen of them.
pub fn held_unnamed(admin: &mut Admin, read: &ReadPolicy) -> Result<Vec<RawBinding>, AdminError> {
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

/// What makes principals of certificates in a cluster.
pub enum Rules {
    /// What its brokers are told: the rules of each listener that has its own, and those of the others.
    Told(Vec<String>),
    /// What the policy says, as the brokers do not show it.
    Assumed(MappingRules),
    /// A class that is not Kafka's own, whatever the rules say.
    Builder(String),
}

/// What the brokers are told about authorization, as far as they show it, else what the policy says.
pub fn settings(ui: &Ui, admin: &mut Admin, read: &ReadPolicy) -> (Settings, Rules) {
    let mut settings = read.policy.settings();
    let rules = Rules::Assumed(read.policy.cluster.principal_mapping_rules.clone());
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
        Some(ConfigEntry { value: None, .. }) => {
            hidden.push(name);
            None
        }
        Some(ConfigEntry { value, .. }) => value.clone(),
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
    let all = shown
        .iter()
        .filter_map(|s| Some((s.name.as_str(), s.value.as_deref()?)));
    let rules = match builder(all) {
        Some(class) => Rules::Builder(class),
        None => Rules::Told(mapping_rules(|name| find(name)?.value.as_deref())),
    };
    let authorizer = find("authorizer.class.name").and_then(|s| s.value.as_deref());
    if let Some(class) = authorizer
        && !is_kafkas_authorizer(class)
        && !class.is_empty()
    {
        ui.note(format!("the brokers' authorizer is {class}: kpki's warnings are about what Kafka's own would do"));
    }
    (settings, rules)
}

/// The mapping rules of each listener where a client shows who it is by a certificate.
fn mapping_rules<'s>(value: impl Fn(&str) -> Option<&'s str>) -> Vec<String> {
    const RULES: &str = "ssl.principal.mapping.rules";
    let list = |name: &str| value(name).unwrap_or_default().split(',').map(str::trim);
    let controllers: Vec<&str> = list("controller.listener.names").collect();
    let mut rules = Vec::new();
    for listener in list("listeners").filter_map(|l| Some(l.split_once("://")?.0)) {
        let mut protocols =
            list("listener.security.protocol.map").filter_map(|p| p.split_once(':'));
        let protocol = protocols.find(|(name, _)| *name == listener);
        if protocol.map_or(listener, |(_, protocol)| protocol) == "SSL"
            && !controllers.contains(&listener)
        {
            let own = format!("listener.name.{}.{RULES}", listener.to_ascii_lowercase());
            rules.extend(value(&own).or_else(|| value(RULES)).map(str::to_owned));
        }
    }
    rules
}

/// The class that makes principals on some listener, where it is not Kafka's own.
fn builder<'s>(mut shown: impl Iterator<Item = (&'s str, &'s str)>) -> Option<String> {
    const SETTING: &str = "principal.builder.class";
    const KAFKAS: &str =
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder";
    let own = shown.find(|(name, class)| {
        let of_listener = name
            .strip_prefix("listener.name.")
            .and_then(|rest| rest.split_once('.'))
            .map_or(*name, |(_, setting)| setting);
        of_listener == SETTING && ![KAFKAS, ""].contains(class)
    });
    own.map(|(_, class)| class.to_owned())
}

/// Who the cluster takes this client to be, and why that is not certain.
fn operator(properties: &ClientProperties, rules: &Rules) -> (Option<Principal>, Option<String>) {
    if let Rules::Builder(class) = rules {
        let doubt = format!("the brokers' principal.builder.class is {class}");
        return (None, Some(doubt));
    }
    if let Some(sasl) = &properties.sasl {
        return (Some(Principal::user(&sasl.user)), None);
    }
    let identity = properties
        .tls
        .as_ref()
        .and_then(|tls| tls.identity.as_ref());
    let Some(leaf) = identity.and_then(|identity| identity.chain.first()) else {
        return (Some(Principal::anonymous()), None);
    };
    let Ok(certificate) = Certificate::from_der(leaf) else {
        let doubt = "its certificate has a subject that kpki cannot read";
        return (None, Some(doubt.to_owned()));
    };
    match rules {
        Rules::Assumed(rules) => {
            let mapped = rules.apply(&certificate.subject).ok();
            let doubt = "the brokers do not show their mapping rules to it";
            (
                mapped.map(|m| Principal::user(m.name)),
                Some(doubt.to_owned()),
            )
        }
        Rules::Told(texts) => match told(texts, &certificate.subject) {
            Ok(principal) => (Some(principal), None),
            Err(doubt) => (None, Some(doubt)),
        },
        // Said above.
        Rules::Builder(_) => (None, None),
    }
}

/// The one principal that a broker's rules make of a subject, whichever of its listeners it came by.
fn told(texts: &[String], subject: &str) -> Result<Principal, String> {
    // None at all is Kafka's default.
    let default = ["DEFAULT".to_owned()];
    let texts = if texts.is_empty() { &default } else { texts };
    let mut principals = BTreeSet::new();
    for text in texts {
        let rules = MappingRules::from_property(text)
            .map_err(|e| format!("ssl.principal.mapping.rules of the brokers: {e}"))?;
        match rules.apply(subject) {
            Ok(mapped) => drop(principals.insert(Principal::user(mapped.name))),
            // A broker that sees it there closes the connection, and this one is open.
            Err(MapError::NoRule { .. }) => {}
            Err(unsure) => return Err(unsure.to_string()),
        }
    }
    let mut principals = principals.into_iter();
    match (principals.next(), principals.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!(
            "the brokers' mapping rules name nobody for {subject}"
        )),
        (Some(one), Some(other)) => Err(format!(
            "the brokers' listeners have mapping rules of their own, by which {subject} is {one} or {other}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_those_of_the_listeners_that_look_at_certificates() {
        let of = |settings: &[(&str, &str)]| {
            mapping_rules(|name| settings.iter().find(|s| s.0 == name).map(|s| s.1))
        };
        let listeners = (
            "listeners",
            "IN://:1, SASL_SSL://:2,SSL://:3,CONTROLLER://:4",
        );
        let map = (
            "listener.security.protocol.map",
            "IN:SSL,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:SSL",
        );
        let controllers = ("controller.listener.names", "CONTROLLER");
        let general = ("ssl.principal.mapping.rules", "DEFAULT");
        let own = ("listener.name.in.ssl.principal.mapping.rules", "RULE:x/y/");
        assert_eq!(
            of(&[listeners, map, controllers, general, own]),
            ["RULE:x/y/", "DEFAULT"]
        );
        assert_eq!(of(&[("listeners", "SSL://:1"), general]), ["DEFAULT"]);
        assert!(of(&[general]).is_empty());
    }

    #[test]
    fn a_principal_builder_that_is_not_kafkas_makes_the_operator_unknown() {
        let kafkas = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder";
        let of = |settings: &[(&'static str, &'static str)]| builder(settings.iter().copied());
        let general = "principal.builder.class";
        assert_eq!(of(&[("listeners", "x"), (general, kafkas)]), None);
        assert_eq!(of(&[(general, "")]), None);
        assert_eq!(of(&[(general, "com.x.Own")]).unwrap(), "com.x.Own");
        let listener = ("listener.name.ssl.principal.builder.class", "com.x.Own");
        assert!(of(&[(general, kafkas), listener]).is_some());

        let by_password = ClientProperties {
            bootstrap_servers: "x:1".into(),
            tls: None,
            sasl: Some(crate::admin::properties::Sasl {
                mechanism: "SCRAM-SHA-512".into(),
                user: "admin".into(),
                password: crate::secret::Secret::new("x".into()),
            }),
            notes: Vec::new(),
        };
        let (known, doubt) = operator(&by_password, &Rules::Builder("com.x.Own".into()));
        assert_eq!(known, None);
        assert!(doubt.unwrap().contains("com.x.Own"));
        let (known, doubt) = operator(&by_password, &Rules::Told(Vec::new()));
        assert_eq!((known, doubt), (Some(Principal::user("admin")), None));
    }

    fn by(rules: &[&str]) -> Result<Principal, String> {
        let texts: Vec<String> = rules.iter().map(|r| (*r).to_owned()).collect();
        told(&texts, "CN=admin,O=x")
    }

    #[test]
    fn rules_that_cannot_be_read_name_nobody_and_not_who_the_policy_says() {
        let cn = "RULE:^CN=([^,]+).*$/$1/";
        assert_eq!(by(&[cn]).unwrap(), "User:admin");
        assert_eq!(by(&[]).unwrap(), "User:CN=admin,O=x");
        assert_eq!(by(&["DEFAULT"]).unwrap(), "User:CN=admin,O=x");
        let unreadable = by(&["RULE:^CN=(.*?/$1/"]).unwrap_err();
        assert!(
            unreadable.contains("ssl.principal.mapping.rules"),
            "{unreadable}"
        );
        assert!(by(&[cn, "RULE:(/x/"]).is_err());
        // Of several listeners.
        assert_eq!(by(&[cn, cn, "RULE:^CN=x$/y/"]).unwrap(), "User:admin");
        let two = by(&[cn, "DEFAULT"]).unwrap_err();
        assert!(two.contains("User:CN=admin,O=x or User:admin"), "{two}");
        assert!(by(&["RULE:^CN=x$/y/"]).unwrap_err().contains("name nobody"));
    }
}
