//! Principal mapping rules.

use crate::{
    document::{Report, Span},
    pki::{
        IdentityName,
        principal::{MappingRules, RuleError},
    },
    policy::{DEFAULT_MAPPING_RULES, PolicyCode, raw::RawCluster},
};

/// The rules, if a broker can use each of them. If one was reported, principals are the names themselves.
pub(super) fn rules(report: &mut Report, raw: &RawCluster) -> MappingRules {
    let Some(rules) = &raw.principal_mapping_rules else {
        return DEFAULT_MAPPING_RULES.clone();
    };
    let mut default: Option<Span> = None;
    let mut faulty = false;
    for rule in rules {
        if let Err(error) = MappingRules::parse(&[rule.as_str()]) {
            unusable(report, rule.span, &error);
            faulty = true;
        } else if let Some(default) = default {
            let message = "this rule is never used";
            report
                .error(PolicyCode::UnreachableRule, rule.span, message)
                .note(default, "DEFAULT matches every certificate")
                .hint("put DEFAULT last");
        }
        // Brokers trim each rule.
        if rule.trim() == "DEFAULT" {
            default = default.or(Some(rule.span));
        }
    }
    let texts: Vec<&str> = rules.iter().map(|rule| rule.as_str()).collect();
    MappingRules::parse(&texts).unwrap_or_else(|error| {
        // Brokers get the rules as one text.
        if let (false, Some(first)) = (faulty, rules.first()) {
            unusable(report, first.span, &error);
        }
        MappingRules::default()
    })
}

fn unusable(report: &mut Report, span: Span, error: &RuleError) {
    report
        .error(PolicyCode::from(error), span, error.to_string())
        .hint(error.hint());
}

/// Reports a certificate that no rule matches.
pub(super) fn no_rule(report: &mut Report, name: &IdentityName, span: Span) {
    let message =
        format!("no mapping rule matches the certificate `CN={name}`: brokers would refuse it");
    report
        .error(PolicyCode::NoRule, span, message)
        .unless_lost(&["cluster.principal_mapping_rules"])
        .hint("add DEFAULT as the last of principal_mapping_rules, or a rule that matches the whole name");
}
