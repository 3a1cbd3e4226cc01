//! Aliases for certificates that have none.

use std::collections::HashMap;

use rustls_pki_types::CertificateDer;

use super::{StoreContents, TrustedCert};
use crate::pki::Certificate;

/// Turns the certificates that Java does not show into trusted entries.
pub fn adopt(contents: &mut StoreContents) {
    let ignored = std::mem::take(&mut contents.ignored);
    add_trusted(contents, ignored);
}

/// Adds trusted certificates, with aliases made from their subjects. Returns for each its alias, and whether it is new:
/// a certificate that is already trusted keeps its alias.
pub fn add_trusted(
    contents: &mut StoreContents,
    certs: Vec<CertificateDer<'static>>,
) -> Vec<(String, bool)> {
    let trusted = contents.trusted.iter();
    let mut known: HashMap<CertificateDer<'static>, String> = trusted
        .map(|entry| (entry.cert.clone(), entry.alias.clone()))
        .collect();
    let keys = contents.keys.iter().map(|key| &key.alias);
    let aliases = keys.chain(contents.trusted.iter().map(|entry| &entry.alias));
    // The used aliases, each with the last number that was appended to it.
    let mut taken: HashMap<String, u32> = aliases.map(|alias| (alias.to_lowercase(), 1)).collect();
    let mut added = Vec::new();
    for cert in certs {
        if let Some(alias) = known.get(&cert) {
            added.push((alias.clone(), false));
            continue;
        }
        let subject = Certificate::from_der(&cert).map(|cert| cert.subject);
        let wanted = from_subject(subject.unwrap_or_default().exact());
        let mut alias = wanted.clone();
        while taken.contains_key(&alias) {
            let number = taken.entry(wanted.clone()).or_insert(1);
            *number += 1;
            alias = format!("{wanted}-{number}");
        }
        taken.insert(alias.clone(), 1);
        known.insert(cert.clone(), alias.clone());
        contents.trusted.push(TrustedCert {
            alias: alias.clone(),
            cert,
        });
        added.push((alias, true));
    }
    added
}

/// The alias for a subject: `CN=Example Root CA,O=Example` becomes `example-root-ca`.
fn from_subject(subject: &str) -> String {
    let parts = || subject.split(',').map(str::trim);
    let value = parts().find_map(|part| part.strip_prefix("CN="));
    let value = value.or_else(|| parts().find_map(|part| part.split_once('=').map(|p| p.1)));
    let mut alias = String::new();
    for c in value.unwrap_or_default().to_lowercase().chars() {
        match c.is_alphanumeric() || matches!(c, '.' | '_') {
            true => alias.push(c),
            false if !alias.is_empty() && !alias.ends_with('-') => alias.push('-'),
            false => {}
        }
    }
    // friendlyName is a BMPString, which has no characters above U+FFFF.
    alias.retain(|c| c <= '\u{ffff}');
    match alias.trim_matches(['-', '.']) {
        "" => "ca".to_owned(),
        alias => alias.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_made_of_the_common_name() {
        for (subject, alias) in [
            ("CN=Example Root CA,O=Example", "example-root-ca"),
            ("O=Example,OU=x", "example"),
            ("CN=*.kafka1.example.com", "kafka1.example.com"),
            ("CN= – ", "ca"),
            ("", "ca"),
        ] {
            assert_eq!(from_subject(subject), alias, "{subject}");
        }
    }
}
