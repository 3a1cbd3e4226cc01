//! The authorization settings of a cluster's brokers, as far as the brokers show them.

use super::Notice;
use crate::{
    acl::{Settings, super_users},
    admin::{Admin, AdminError, ConfigEntry, is_kafkas_authorizer},
    pki::principal::MappingRules,
    policy::ValidatedPolicy,
};

/// How a cluster derives principals from certificates.
pub enum Rules {
    /// The brokers' rules, of each listener that has its own, and of the others.
    Told(Vec<String>),
    /// The policy's rules, because the brokers do not show theirs.
    Assumed(MappingRules),
    /// A class that is not part of Kafka, which may ignore the rules.
    Builder(String),
}

/// The brokers' own authorization settings as far as they show them, else the policy's.
pub fn settings(
    admin: &mut Admin,
    policy: &ValidatedPolicy,
    tell: &dyn Fn(Notice),
) -> (Settings, Rules) {
    let mut settings = policy.settings();
    let rules = Rules::Assumed(policy.cluster.principal_mapping_rules.clone());
    let shown = match admin.describe_some_broker() {
        Ok(shown) => shown,
        Err(error) => {
            let why = match error {
                AdminError::NotAuthorized { .. } => "DescribeConfigs is needed".to_owned(),
                other => other.to_string(),
            };
            tell(Notice::Note(format!(
                "the brokers' settings could not be read ({why}): super.users, allow.everyone.if.no.acl.found and the mapping rules are assumed to be those of the policy"
            )));
            return (settings, rules);
        }
    };
    let find = |name: &str| shown.iter().find(|s| s.name == name);
    let mut hidden = Vec::new();
    let mut value = |name: &'static str| match find(name) {
        None => Some(""),
        Some(ConfigEntry { value, .. }) => {
            hidden.extend(value.is_none().then_some(name));
            value.as_deref()
        }
    };
    if let Some(value) = value("allow.everyone.if.no.acl.found") {
        settings.allow_everyone_if_no_acl_found = value.trim().eq_ignore_ascii_case("true");
    }
    if let Some(Ok(users)) = value("super.users").map(super_users) {
        settings.super_users = users;
    }
    // Kafka treats settings without a known type as secret, such as those of the authorizer.
    if !hidden.is_empty() {
        tell(Notice::Detail(format!(
            "brokers do not show {}: the policy's values are assumed",
            hidden.join(" and ")
        )));
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
        tell(Notice::Note(format!(
            "the brokers' authorizer is {class}: kpki's warnings assume Kafka's own"
        )));
    }
    (settings, rules)
}

/// The mapping rules of each listener where clients authenticate with a certificate.
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

/// The class that builds principals on a listener, if it is not part of Kafka.
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
    fn a_principal_builder_that_is_not_kafkas_is_found_on_any_listener() {
        let kafkas = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder";
        let of = |settings: &[(&'static str, &'static str)]| builder(settings.iter().copied());
        let general = "principal.builder.class";
        assert_eq!(of(&[("listeners", "x"), (general, kafkas)]), None);
        assert_eq!(of(&[(general, "")]), None);
        assert_eq!(of(&[(general, "com.x.Own")]).unwrap(), "com.x.Own");
        let listener = ("listener.name.ssl.principal.builder.class", "com.x.Own");
        assert!(of(&[(general, kafkas), listener]).is_some());
    }
}
