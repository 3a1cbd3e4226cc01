//! The `issuer` of the `ca` section.

use std::path::PathBuf;

use crate::{
    document::{Report, Spanned},
    pki::{Host, KeyUri, KeyUriError},
    policy::{
        IssuerSettings, Pkcs11Settings, PolicyCode, StepCaSettings, VaultSettings,
        raw_issuer::{RawIssuer, RawPkcs11, RawStepCa, RawVault},
    },
};

/// The issuer; `None` if it is invalid, which was reported.
pub(super) fn issuer(report: &mut Report, raw: &RawIssuer) -> Option<IssuerSettings> {
    // The schema permits exactly one.
    if let Some(raw) = &raw.pkcs11 {
        return pkcs11(report, &raw.value).map(IssuerSettings::Pkcs11);
    }
    if let Some(raw) = &raw.vault {
        return vault(report, raw).map(IssuerSettings::Vault);
    }
    let raw = raw.step_ca.as_ref()?;
    step_ca(report, &raw.value).map(IssuerSettings::StepCa)
}

fn vault(report: &mut Report, raw: &Spanned<RawVault>) -> Option<VaultSettings> {
    let (span, raw) = (raw.span, &raw.value);
    let url = url(report, &raw.url);
    let mount = match &raw.mount {
        Some(mount) => path_in_url(report, mount),
        None => Some("pki".to_owned()),
    };
    let role = path_in_url(report, &raw.role);
    let namespace = match &raw.namespace {
        Some(namespace) => path_in_url(report, namespace).map(Some),
        None => Some(None),
    };
    let mut path = |raw: &Option<Spanned<String>>| file(report, raw.as_ref());
    let (token_file, ca_file, root_file) = (
        path(&raw.token_file),
        path(&raw.ca_file),
        path(&raw.root_file),
    );
    let (url, ca_file) = (url?, ca_file?);
    if url.starts_with("https://") && ca_file.is_none() {
        report
            .error(PolicyCode::NoCaFile, span, "the CA of the server's certificate is missing")
            .unless_lost(&["ca.issuer.vault.ca_file"])
            .hint("add ca_file: the CA of the server's certificate, or /etc/ssl/certs/ca-certificates.crt for all CAs that this machine trusts");
        return None;
    }
    Some(VaultSettings {
        url,
        mount: mount?,
        role: role?,
        namespace: namespace?,
        token_file: token_file?,
        ca_file,
        root_file: root_file?,
    })
}

/// A name that becomes part of a URL path; slashes are allowed inside, but not at its ends.
fn path_in_url(report: &mut Report, raw: &Spanned<String>) -> Option<String> {
    let text = raw.value.trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut parts = text.split('/');
    let part = |part: &str| !part.is_empty() && part.chars().all(plain) && !part.starts_with('.');
    if parts.all(part) && text.len() <= 255 {
        return Some(text.to_owned());
    }
    let message = format!("`{}` is not a valid name or path in Vault", raw.value);
    report
        .error(PolicyCode::BadName, raw.span, message)
        .hint("use letters, digits, `-`, `_` and `.`, with `/` only between them");
    None
}

fn pkcs11(report: &mut Report, raw: &RawPkcs11) -> Option<Pkcs11Settings> {
    let uri = &raw.uri;
    match uri.value.parse::<KeyUri>() {
        Ok(found) => Some(Pkcs11Settings {
            uri: found.to_string(),
        }),
        Err(error) => {
            if error == KeyUriError::Pin {
                report.hide(uri.span.file);
            }
            let message = format!("this PKCS#11 URI cannot be used: {error}");
            report.error(PolicyCode::BadKeyUri, uri.span, message).hint(
                "write it as pkcs11:token=kpki;object=kafka-ca?module-path=/usr/lib/softhsm/libsofthsm2.so",
            );
            None
        }
    }
}

fn step_ca(report: &mut Report, raw: &RawStepCa) -> Option<StepCaSettings> {
    let url = url(report, &raw.url);
    let fingerprint = fingerprint(report, &raw.fingerprint);
    let provisioner = word(report, &raw.provisioner, "the name of a provisioner");
    let password_file = file(report, raw.password_file.as_ref());
    Some(StepCaSettings {
        url: url?,
        fingerprint: fingerprint?,
        provisioner: provisioner?,
        password_file: password_file?,
    })
}

/// The address of a server.
fn url(report: &mut Report, raw: &Spanned<String>) -> Option<String> {
    let text = raw.value.trim_end_matches('/');
    match check_url(text) {
        Ok(()) => Some(text.to_owned()),
        Err(why) => {
            let message = format!("`{}` {why}", raw.value);
            report
                .error(PolicyCode::BadUrl, raw.span, message)
                .hint("write it as https://ca.example.com:8443");
            None
        }
    }
}

/// It must be HTTPS, because secrets are sent to it; HTTP is allowed for localhost.
fn check_url(text: &str) -> Result<(), &'static str> {
    let (is_open, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return Err("does not begin with https://"),
    };
    let strange = |b: u8| !b.is_ascii_graphic() || b"@?#%\\\"<>^`{|}".contains(&b);
    if rest.bytes().any(strange) {
        return Err("contains a character that is not allowed in a server's address");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, "443"),
    };
    if port.parse::<u16>().map_or(true, |port| port == 0) {
        return Err("has an invalid port");
    }
    let is_here = match host.parse::<Host>() {
        Ok(Host::Ip(ip)) => ip.is_loopback(),
        Ok(Host::Dns(name)) if !name.starts_with('*') => name == "localhost",
        _ => return Err("has no host name"),
    };
    if is_open && !is_here {
        return Err("would send secrets unencrypted: http:// is only allowed for localhost");
    }
    Ok(())
}

/// SHA-256 in hex, with or without colons, as tools show it.
fn fingerprint(report: &mut Report, raw: &Spanned<String>) -> Option<String> {
    let hex: String = raw.value.chars().filter(|c| *c != ':').collect();
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(hex.to_ascii_lowercase());
    }
    let message = format!("`{}` is not a SHA-256 fingerprint", raw.value);
    report
        .error(PolicyCode::BadFingerprint, raw.span, message)
        .hint("it must have 64 hex digits: `step certificate fingerprint root_ca.crt` prints it");
    None
}

/// A name from another system.
fn word(report: &mut Report, raw: &Spanned<String>, what: &str) -> Option<String> {
    let text = &raw.value;
    if !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control) {
        return Some(text.clone());
    }
    report
        .error(PolicyCode::BadName, raw.span, format!("this is not {what}"))
        .hint("a name must have 1 to 255 characters, without control characters");
    None
}

/// The path of a file; `Some(None)` if none is given.
fn file(report: &mut Report, raw: Option<&Spanned<String>>) -> Option<Option<PathBuf>> {
    let Some(raw) = raw else { return Some(None) };
    let text = &raw.value;
    if text.starts_with('/') && !text.chars().any(char::is_control) {
        return Some(Some(text.into()));
    }
    let message = format!("`{text}` is not an absolute path");
    report
        .error(PolicyCode::BadPath, raw.span, message)
        .hint("begin it with `/`, because commands read this file from any working directory");
    None
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn only_addresses_that_keep_secrets_are_taken() {
        for good in [
            "https://ca.example.com",
            "https://10.0.0.1:8200/vault",
            "https://[2001:db8::1]:8200",
            "http://127.0.0.1:8200",
            "http://[::1]:8200",
            "http://localhost",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ca.example.com",
            "ftp://ca.example.com",
            "https://",
            "https:///x",
            "https://:443",
            "https://ca.example.com:0",
            "https://ca.example.com:99999",
            "https://ca.example.com:x",
            "https://user:password@ca.example.com",
            "https://ca.example.com/?token=x",
            "https://ca.example.com/#x",
            "https://ca example.com",
            "https://*.example.com",
            "http://ca.example.com",
            "http://10.0.0.1",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
