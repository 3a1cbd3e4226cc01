//! The client that connects to a listener: an identity, read from its directory.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::Judge;
use crate::{
    bootstrap::{
        BootstrapError,
        connection::client_properties,
        identity::{OnDisk, read_secret},
        member::{CREDENTIALS, PASSWORD},
    },
    config::Properties,
    keystore::StoreError,
    pki::IdentityName,
    policy::LAYOUTS,
    probe::{Identity, Says},
    scram::{self, Mechanism},
    secret::Secret,
    state::{OutDir, StateError, read_plain},
};

/// Why a truststore cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TruststoreError {
    /// It cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// It is not a store.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
}

/// An identity that connects to a listener.
#[derive(Debug)]
pub struct Visitor {
    /// Its name.
    pub name: IdentityName,
    /// Its SCRAM password.
    pub password: Option<Secret>,
    /// The mechanisms of its SCRAM credentials.
    pub mechanisms: Vec<Mechanism>,
    /// Whether its client.properties say TLS, and SASL, if there are any.
    protocol: Option<(bool, bool)>,
    /// Who says so, for messages.
    who: String,
    disk: OnDisk,
    has_certificate: bool,
}

impl Visitor {
    /// Reads an identity's files, whatever their layout.
    ///
    /// # Errors
    /// If there is no such identity, or one of its files cannot be used.
    pub fn read(out: &OutDir, name: &IdentityName) -> Result<Self, BootstrapError> {
        let dir = out.identity(name);
        if !dir.is_dir() {
            return Err(BootstrapError::Unknown {
                name: name.to_string(),
                out: out.root().display().to_string(),
            });
        }
        let mut disk = OnDisk::default();
        for layout in LAYOUTS {
            let names = layout.files(name.as_str());
            if dir.join(&names.certificate).exists() {
                disk = OnDisk::read(out, name, &names)?;
                break;
            }
        }
        let path = dir.join(CREDENTIALS);
        let password = read_secret(out, name, PASSWORD)?;
        let mechanisms = match read_plain(&path)?.map(Zeroizing::new) {
            Some(text) => scram::parse_file(&String::from_utf8_lossy(&text))
                .map_err(|e| BootstrapError::damaged(&path, e))?
                .iter()
                .map(|credential| credential.mechanism)
                .collect(),
            None if password.is_some() => Mechanism::ALL.to_vec(),
            None => Vec::new(),
        };
        let properties = client_properties(out, name)?;
        let protocol = properties.and_then(|bytes| {
            let properties = Properties::parse(&bytes).ok()?;
            let protocol = properties.get("security.protocol").unwrap_or("PLAINTEXT");
            let protocol = protocol.to_ascii_uppercase();
            Some((protocol.ends_with("SSL"), protocol.starts_with("SASL")))
        });
        Ok(Self {
            name: name.clone(),
            password: password.filter(|_| !mechanisms.is_empty()),
            mechanisms,
            protocol,
            who: format!("the client.properties of {name}"),
            has_certificate: disk.belongs_together(),
            disk,
        })
    }

    /// Whether it has a key and the certificate for it.
    pub fn has_certificate(&self) -> bool {
        self.has_certificate
    }

    /// What its client.properties say about a listener.
    pub fn says(&self) -> Option<Says<'_>> {
        let (tls, sasl) = self.protocol?;
        // A client with a password and a certificate has a second file, for listeners of the other kind.
        let both = self.password.is_some() && self.has_certificate;
        Some(Says {
            tls,
            sasl: (!both).then_some(sasl),
            who: &self.who,
        })
    }

    /// What to do if a listener refuses its certificate, or requires one that it does not have.
    pub(super) fn remedy(&self, judge: &Judge<'_>) -> Option<String> {
        let Self { name, .. } = self;
        let kpki = judge.kpki;
        let Some(own) = self
            .disk
            .certificate
            .as_ref()
            .filter(|_| self.has_certificate)
        else {
            let record = judge.inventory.and_then(|i| i.latest(name.as_str()));
            return Some(match record {
                Some(record) if record.external => format!(
                    "the key of {name} is elsewhere: check from its machine, or connect as another identity"
                ),
                _ => format!(
                    "connect as an identity with a certificate, or connect {name} to a listener that requires none"
                ),
            });
        };
        let revocation = judge.inventory.and_then(|i| i.revocation(&own.serial));
        match revocation {
            Some(revocation) => Some(format!(
                "it was revoked on {} ({}); for a new one: {kpki} renew {name} --new-key",
                revocation.at.date(),
                revocation.reason
            )),
            None if own.not_after <= judge.now => Some(format!(
                "it expired on {}: {kpki} renew {name}",
                own.not_after.date()
            )),
            None => None,
        }
    }

    /// Its key and certificate.
    pub fn identity(&self) -> Option<Identity<'_>> {
        let key = self.disk.key.as_ref().filter(|_| self.has_certificate())?;
        Some(Identity {
            key_pkcs8: key,
            chain: &self.disk.chain,
        })
    }
}
