//! The stores that a client's properties refer to, or contain as PEM.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{
    error::{ClientPropertiesError, Result, unsupported},
    settings::Settings,
};
use crate::{
    keystore::{StoreError, pem, pkcs12},
    secret::Secret,
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
        let password = self.password("ssl.truststore.password");
        let password = password.unwrap_or_else(|| Secret::new(String::new()));
        let contents = pkcs12::open(&bytes, &password).map_err(wrong(setting, path))?;
        let trusted: Vec<_> = contents.trusted.into_iter().map(|t| t.cert).collect();
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
        let contents = pkcs12::open(&bytes, &password).map_err(wrong(setting, path))?;
        let key = contents.keys.into_iter().find(|key| !key.chain.is_empty());
        let key = key.ok_or_else(|| wrong(setting, path)(StoreError::NoChain))?;
        Ok(Some(Identity {
            key_pkcs8: key.key_pkcs8,
            chain: key.chain,
        }))
    }

    /// JKS is Kafka's default, and Java opens PKCS#12 with that type too, so the content decides, not the setting.
    fn kind(&self, setting: &'static str) -> Result<Kind> {
        match self.get(setting).map(str::to_ascii_uppercase).as_deref() {
            None | Some("JKS" | "PKCS12") => Ok(Kind::Pkcs12),
            Some("PEM") => Ok(Kind::Pem),
            Some(other) => Err(unsupported(setting, other, "PKCS12, JKS and PEM are")),
        }
    }
}

#[derive(PartialEq)]
enum Kind {
    Pkcs12,
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
