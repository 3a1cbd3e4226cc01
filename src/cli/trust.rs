//! `kpki trust`: one file per verb.

mod add;
mod fetch;
mod list;

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use super::{
    Code, Done, Failure, fail,
    new_store::{self, Format, NewStore},
    store_file::{self, StorePasswords},
    ui::{GREEN, Ui},
};
use crate::{
    keystore::{StoreContents, StoreKind, StoreProfile, add_trusted, adopt, check_size, pem},
    pki::Certificate,
    plan::count,
    printable::Printable,
    secret::Secret,
};

/// Create truststores from certificates, from an endpoint's chain or from a JDK's truststore
#[derive(Debug, Subcommand)]
pub enum Trust {
    Add(add::Add),
    Fetch(fetch::Fetch),
    List(list::List),
}

impl Trust {
    pub(super) fn run(self, ui: &Ui) -> Done {
        match self {
            Self::Add(verb) => verb.run(ui),
            Self::Fetch(verb) => verb.run(ui),
            Self::List(verb) => verb.run(ui),
        }
    }
}

/// The password of a JDK's truststore. It protects nothing, because certificates are public.
const WELL_KNOWN: &str = "changeit";

/// A truststore to write, or its certificates on standard output.
struct NewTrust {
    contents: StoreContents,
    /// What was not in the truststore that this one starts from, with its alias.
    added: Vec<(String, Certificate)>,
    format: Format,
    password: Option<Secret>,
}

/// The format from a file's extension.
fn format_of(file: &Path) -> Option<Format> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    match &*extension {
        "pem" | "crt" | "cer" => Some(Format::Pem),
        "p12" | "pfx" | "pkcs12" => Some(Format::Pkcs12),
        _ => None,
    }
}

impl NewTrust {
    /// Starts from the truststore `from`, or from nothing. Its format is `to`, or else what the name of `file` says, or
    /// else that of `from`.
    fn start(
        from: Option<&Path>,
        passwords: &StorePasswords,
        (to, file): (Option<Format>, Option<&Path>),
        ui: &Ui,
    ) -> Result<Self, Failure> {
        let (contents, password, as_from) = match from {
            None => (
                StoreContents::default(),
                passwords.given(ui)?,
                Format::Pkcs12,
            ),
            Some(from) => {
                let store = store_file::read(from, passwords, ui)?;
                store.whole(from)?;
                let format = match store.opened.kind {
                    StoreKind::Pkcs12 => Format::Pkcs12,
                    StoreKind::Pem => Format::Pem,
                    StoreKind::Jks | StoreKind::Jceks => Format::Jks,
                };
                (
                    only_trusted(from, store.opened.contents)?,
                    store.password,
                    format,
                )
            }
        };
        Ok(Self {
            contents,
            added: Vec::new(),
            format: to.or_else(|| file.and_then(format_of)).unwrap_or(as_from),
            password: password.filter(|password| !password.expose().is_empty()),
        })
    }

    /// Adds certificates, and says which of them were there before.
    fn add(&mut self, certs: Vec<Certificate>, ui: &Ui) {
        let ders = certs.iter().map(|cert| cert.der.clone()).collect();
        let places = add_trusted(&mut self.contents, ders);
        for (cert, (alias, new)) in certs.into_iter().zip(places) {
            let subject = &cert.subject;
            match new {
                true => {
                    ui.note(format!("{GREEN}added{GREEN:#}  {alias}  {subject}"));
                    self.added.push((alias, cert));
                }
                false => ui.note(format!(
                    "{subject} is already in the truststore, as {}",
                    Printable(&alias)
                )),
            }
        }
    }

    fn write(self, file: Option<&Path>, ui: &Ui) -> Done {
        let certs = self.contents.trusted.iter().map(|entry| entry.cert.clone());
        let text = pem::certificates(&certs.collect::<Vec<_>>());
        let Some(file) = file else {
            check_size(&self.contents, text.as_bytes())?;
            if !ui.json {
                ui.raw(&text);
            }
            ui.document(&json!({"file": null, "added": added(&self.added), "certificates": text}));
            return Ok(());
        };
        let (password, known) = match (self.format, self.password) {
            (Format::Pem, _) => (None, false),
            (_, Some(password)) => (Some(password), false),
            _ => (Some(Secret::new(WELL_KNOWN.to_owned())), true),
        };
        let store = NewStore {
            contents: &self.contents,
            format: self.format,
            profile: StoreProfile::default(),
            password,
        };
        new_store::write(file, store)?;
        let all = count(self.contents.trusted.len(), "certificate");
        ui.say(format!(
            "{GREEN}wrote{GREEN:#} {}, {}: {all}",
            file.display(),
            self.format
        ));
        if known {
            ui.note(format!(
                "its password is `{WELL_KNOWN}`, the JDK's default, because a truststore contains no secrets; --password-file FILE sets another one"
            ));
        }
        ui.document(&json!({
            "file": file,
            "type": self.format.to_string(),
            "added": added(&self.added),
            "entries": self.contents.trusted.len(),
        }));
        Ok(())
    }
}

/// What a truststore trusts, which has no keys.
fn only_trusted(file: &Path, mut contents: StoreContents) -> Result<StoreContents, Failure> {
    if let Some(key) = contents.keys.first() {
        let alias = Printable(&key.alias);
        return fail(
            Code::Store,
            format!(
                "{} is not a truststore: it contains the private key `{alias}`",
                file.display()
            ),
            "give a truststore, without private keys; kpki store inspect FILE shows what is in the file",
        );
    }
    adopt(&mut contents);
    Ok(contents)
}

fn added(added: &[(String, Certificate)]) -> serde_json::Value {
    let entries = added.iter().map(|(alias, cert)| {
        let end = cert
            .not_after
            .format(&time::format_description::well_known::Rfc3339);
        json!({
            "alias": alias,
            "subject": cert.subject,
            "issuer": cert.issuer,
            "serial": cert.serial,
            "not_after": end.unwrap_or_default(),
            "fingerprint": cert.fingerprint(),
        })
    });
    entries.collect()
}

/// `ab12…` as OpenSSL, keytool and browsers show fingerprints: `AB:12:…`.
fn colons(hex: &str) -> String {
    let upper = hex.to_ascii_uppercase();
    let pairs: Vec<&str> = (0..upper.len() / 2)
        .map(|at| &upper[at * 2..at * 2 + 2])
        .collect();
    pairs.join(":")
}

/// Warns about a certificate that is not a CA, or has expired.
fn remark(cert: &Certificate, ui: &Ui) {
    let subject = &cert.subject;
    if !cert.is_ca {
        ui.warn(format!(
            "{subject} is not a CA certificate: only this certificate is trusted, not the next one after a renewal"
        ));
    }
    if cert.not_after < time::OffsetDateTime::now_utc() {
        ui.warn(format!("{subject} expired on {}", cert.not_after.date()));
    }
}

/// Refuses an existing store before anything is asked.
fn check_place(file: Option<&Path>) -> Result<(), Failure> {
    file.map_or(Ok(()), new_store::check_place)
}
