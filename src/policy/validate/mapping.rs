//! Principal mapping rules, and that they let nobody be somebody else.

use std::collections::{HashMap, HashSet};

use super::Declared;
use crate::{
    pki::{IdentityName, principal::MappingRules},
    policy::{
        Auth, DEFAULT_MAPPING_RULES, principals::Principals, raw::RawCluster, report::Report,
        text::Span,
    },
};

/// The rules, each of which a broker can use.
pub(super) fn rules(report: &mut Report, raw: &RawCluster) -> Vec<String> {
    let Some(rules) = &raw.principal_mapping_rules else {
        return DEFAULT_MAPPING_RULES.map(str::to_owned).to_vec();
    };
    let mut default: Option<Span> = None;
    for rule in rules {
        if let Err(error) = MappingRules::parse(&[rule.as_str()]) {
            report
                .error(error.code(), rule.span, error.to_string())
                .hint(error.hint());
        } else if let Some(default) = default {
            report
                .error(
                    "unreachable-rule",
                    rule.span,
                    "no certificate reaches this rule",
                )
                .note(default, "DEFAULT takes every certificate")
                .hint("put DEFAULT last");
        }
        if rule.value == "DEFAULT" {
            default = default.or(Some(rule.span));
        }
    }
    rules.iter().map(|rule| rule.value.clone()).collect()
}

/// Reports identities that no rule takes, and clients that the rules make the same principal as a super user or as
/// each other.
pub(super) fn check(
    report: &mut Report,
    raw: &RawCluster,
    principals: &Principals,
    declared: &Declared<'_>,
) {
    let mut powerful: HashMap<String, (Span, String)> = HashMap::new();
    for (broker, span) in &declared.brokers {
        match principals.by_certificate(&broker.name) {
            Some(principal) => {
                let whose = format!("the broker `{}`", broker.name);
                powerful.entry(principal).or_insert((*span, whose));
            }
            None => no_rule(report, &broker.name, *span),
        }
    }
    let admin = raw.admin.as_ref().map(|admin| admin.value.as_str());
    let named = |name: &str| name.parse::<IdentityName>().ok();
    for (name, auth, span) in declared.auths().filter(|(name, ..)| Some(*name) == admin) {
        if let Some(principal) = named(name).and_then(|name| principals.of(&name, auth)) {
            powerful
                .entry(principal)
                .or_insert((span, format!("the admin `{name}`")));
        }
    }
    let clients = declared.clients.iter().map(|client| client.name.as_str());
    let users = declared.users.iter().map(|user| user.name.as_str());
    let accepted: HashSet<&str> = clients.chain(users).collect();
    let mut taken: HashMap<String, (&str, Span)> = HashMap::new();
    // A name that is wrong in itself, or another's, was reported.
    let auths = declared
        .auths()
        .filter(|(name, ..)| accepted.contains(name));
    for (name, auth, span) in auths {
        let Some(identity) = named(name) else {
            continue;
        };
        let Some(principal) = principals.of(&identity, auth) else {
            if auth == Auth::Tls {
                no_rule(report, &identity, span);
            }
            continue;
        };
        if Some(name) == admin {
            continue;
        }
        if let Some((first, whose)) = powerful.get(&principal) {
            let message =
                format!("`{name}` would be {principal} as {whose} is, and so a super user");
            report
                .error("shared-principal", span, message)
                .note(*first, "the super user")
                .hint("write mapping rules that keep their names apart, as the default ones do");
            continue;
        }
        let (other, first) = *taken.entry(principal.clone()).or_insert((name, span));
        if other != name {
            let message = format!(
                "`{other}` and `{name}` would both be {principal}, and each may do what the other may"
            );
            report
                .error("shared-principal", span, message)
                .note(first, format!("`{other}`"))
                .hint("write mapping rules that keep their names apart, as the default ones do");
        }
    }
}

fn no_rule(report: &mut Report, name: &IdentityName, span: Span) {
    let message =
        format!("no mapping rule takes the certificate `CN={name}`: brokers would refuse it");
    report.error("no-rule", span, message).hint(
        "add DEFAULT as the last of principal_mapping_rules, or a rule that matches the whole name",
    );
}
