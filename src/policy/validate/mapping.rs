//! Principal mapping rules.

use crate::{
    document::{Report, Span},
    pki::{IdentityName, principal::MappingRules},
    policy::{DEFAULT_MAPPING_RULES, PolicyCode, raw::RawCluster},
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
                .error(PolicyCode::from(&error), rule.span, error.to_string())
                .hint(error.hint());
        } else if let Some(default) = default {
            report
                .error(
                    PolicyCode::UnreachableRule,
                    rule.span,
                    "no certificate reaches this rule",
                )
                .note(default, "DEFAULT matches every certificate")
                .hint("put DEFAULT last");
        }
        if rule.value == "DEFAULT" {
            default = default.or(Some(rule.span));
        }
    }
    rules.iter().map(|rule| rule.value.clone()).collect()
}

/// Reports a certificate that no rule makes a principal of.
pub(super) fn no_rule(report: &mut Report, name: &IdentityName, span: Span) {
    let message =
        format!("no mapping rule matches the certificate `CN={name}`: brokers would refuse it");
    report.error(PolicyCode::NoRule, span, message).hint(
        "add DEFAULT as the last of principal_mapping_rules, or a rule that matches the whole name",
    );
}
