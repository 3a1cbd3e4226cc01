//! The stores that a client's properties refer to, or contain as PEM.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{
    error::{ClientPropertiesError, Result, unsupported},
    settings::Settings,
};
use crate::{
    keystore::{self, Passwords, StoreError, pem},
    state::read_text,
};

/// A key and its certificate.
#[derive(Clone)]
pub struct Identity {
    /// DER of an unencrypted PKCS#8 key.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// The certificate, then its issuers.
    pub chain: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

impl Settings<'_> {
    pub(super) fn trusted(&self) -> Result<Vec<CertificateDer<'static>>> {
        let kind = self.kind("ssl.truststore.type")?;
        let inline = "ssl.truststore.certificates";
        if let Some(text) = self.get(inline) {
            return pem::parse_certificates(text.as_bytes()).map_err(wrong(inline, INLINE));
        }
        let setting = "ssl.truststore.location";
        let Some(path) = self.get(setting) else {
            return Ok(Vec::new());
        };
        let bytes = Zeroizing::new(read_text(Path::new(path))?);
        if kind == Kind::Pem {
            return pem::parse_certificates(&bytes).map_err(wrong(setting, path));
        }
        // Without a password, Java reads what is not encrypted, and checks nothing.
        let password = self.password("ssl.truststore.password");
        let passwords = Passwords {
            store: password.as_ref(),
            key: None,
        };
        let opened = keystore::open(&bytes, passwords).map_err(wrong(setting, path))?;
        if opened.protection.hidden {
            return Err(ClientPropertiesError::Missing("ssl.truststore.password"));
        }
        let trusted: Vec<_> = opened
            .contents
            .trusted
            .into_iter()
            .map(|t| t.cert)
            .collect();
        match trusted.is_empty() {
            true => Err(wrong(setting, path)(StoreError::NoEntries)),
            false => Ok(trusted),
        }
    }

    pub(super) fn identity(&self) -> Result<Option<Identity>> {
        let kind = self.kind("ssl.keystore.type")?;
        let (key, chain) = ("ssl.keystore.key", "ssl.keystore.certificate.chain");
        if let Some(pem) = self.password(key) {
            let text = self
                .get(chain)
                .ok_or(ClientPropertiesError::Missing(chain))?;
            return Ok(Some(Identity {
                key_pkcs8: pem::parse_key(pem.expose().as_bytes()).map_err(wrong(key, INLINE))?,
                chain: pem::parse_certificates(text.as_bytes()).map_err(wrong(chain, INLINE))?,
            }));
        }
        let setting = "ssl.keystore.location";
        let Some(path) = self.get(setting) else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(read_text(Path::new(path))?);
        if kind == Kind::Pem {
            return Ok(Some(Identity {
                key_pkcs8: pem::parse_key(&bytes).map_err(wrong(setting, path))?,
                chain: pem::parse_certificates(&bytes).map_err(wrong(setting, path))?,
            }));
        }
        let password = self
            .password("ssl.keystore.password")
            .ok_or(ClientPropertiesError::Missing("ssl.keystore.password"))?;
        let key_password = self.password("ssl.key.password");
        let passwords = Passwords {
            store: Some(&password),
            key: key_password.as_ref(),
        };
        let opened = keystore::open(&bytes, passwords).map_err(wrong(setting, path))?;
        let contents = opened.contents;
        let key = contents.keys.into_iter().find(|key| !key.chain.is_empty());
        let Some(key) = key else {
            let locked = contents.locked.into_iter().next();
            let why = locked.map_or(StoreError::NoChain, |_| StoreError::KeyPassword);
            return Err(wrong(setting, path)(why));
        };
        Ok(Some(Identity {
            key_pkcs8: key.key_pkcs8,
            chain: key.chain,
        }))
    }

    /// JKS is Kafka's default and Java opens PKCS#12 under that name too, so the bytes decide, not the setting. JCEKS is
    /// read by Java as well where it is named so.
    fn kind(&self, setting: &'static str) -> Result<Kind> {
        match self.get(setting).map(str::to_ascii_uppercase).as_deref() {
            None | Some("JKS" | "PKCS12" | "JCEKS") => Ok(Kind::Binary),
            Some("PEM") => Ok(Kind::Pem),
            Some(other) => Err(unsupported(
                setting,
                other,
                "PKCS12, JKS, JCEKS and PEM are",
            )),
        }
    }
}

#[derive(PartialEq)]
enum Kind {
    Binary,
    Pem,
}

/// Shown instead of a path if a setting contains PEM.
const INLINE: &str = "the value itself";

fn wrong(setting: &'static str, path: &str) -> impl Fn(StoreError) -> ClientPropertiesError {
    move |source| ClientPropertiesError::Store {
        setting,
        path: path.to_owned(),
        source,
    }
}
