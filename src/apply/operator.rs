//! The principal that a cluster derives for kpki's connection, and how certain it is.

use std::collections::BTreeSet;

use super::brokers::Rules;
use crate::{
    acl::Principal,
    admin::ClientProperties,
    pki::{
        Certificate,
        principal::{MapError, MappingRules},
    },
};

/// The principal of this client in the cluster, and why it is uncertain.
pub(super) fn operator(
    properties: &ClientProperties,
    rules: &Rules,
) -> (Option<Principal>, Option<String>) {
    if let Rules::Builder(class) = rules {
        let doubt = format!("the brokers' principal.builder.class is {class}");
        return (None, Some(doubt));
    }
    if let Some(sasl) = &properties.sasl {
        return (Some(Principal::user(&sasl.user)), None);
    }
    let tls = properties.tls.as_ref();
    let identity = tls.and_then(|tls| tls.identity.as_ref());
    let Some(leaf) = identity.and_then(|identity| identity.chain.first()) else {
        return (Some(Principal::anonymous()), None);
    };
    let Ok(certificate) = Certificate::from_der(leaf) else {
        let doubt = "its certificate has a subject that kpki cannot read";
        return (None, Some(doubt.to_owned()));
    };
    match rules {
        Rules::Assumed(rules) => {
            let mapped = rules.apply(certificate.subject.exact()).ok();
            let doubt = "the brokers do not show their mapping rules to it".to_owned();
            (mapped.map(|m| Principal::user(m.name)), Some(doubt))
        }
        Rules::Told(texts) => match told(texts, certificate.subject.exact()) {
            Ok(principal) => (Some(principal), None),
            Err(doubt) => (None, Some(doubt)),
        },
        // Reported above.
        Rules::Builder(_) => (None, None),
    }
}

/// The one principal that the brokers' rules derive from a subject, on whichever listener.
fn told(texts: &[String], subject: &str) -> Result<Principal, String> {
    // No rules means Kafka's default.
    let default = ["DEFAULT".to_owned()];
    let texts = if texts.is_empty() { &default } else { texts };
    let mut principals = BTreeSet::new();
    for text in texts {
        let rules = MappingRules::from_property(text)
            .map_err(|e| format!("ssl.principal.mapping.rules of the brokers: {e}"))?;
        match rules.apply(subject) {
            Ok(mapped) => drop(principals.insert(Principal::user(mapped.name))),
            // There, the broker would have closed the connection, but this one is open.
            Err(MapError::NoRule { .. }) => {}
            Err(unsure) => return Err(unsure.to_string()),
        }
    }
    let mut principals = principals.into_iter();
    match (principals.next(), principals.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("no mapping rule of the brokers matches {subject}")),
        (Some(one), Some(other)) => Err(format!(
            "the brokers' listeners have different mapping rules, which map {subject} to {one} or {other}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_builder_that_is_not_kafkas_makes_the_operator_unknown() {
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
        assert!(
            by(&["RULE:^CN=x$/y/"])
                .unwrap_err()
                .contains("no mapping rule")
        );
    }
}
