//! The certificates that a listener's chain must lead to.

use std::path::Path;

use rustls_pki_types::CertificateDer;

use super::visitor::TruststoreError;
use crate::{
    bootstrap::{
        BootstrapError,
        slot::{CERTIFICATE, INTERMEDIATE},
    },
    keystore::{self, Passwords, StoreError, pem},
    pki::Certificate,
    secret::Secret,
    state::{OutDir, read_record, read_text},
};

/// Trusted certificates, and known intermediates.
#[derive(Debug)]
pub struct Trusted {
    /// The certificates in a truststore, usually CAs.
    pub certificates: Vec<Certificate>,
    /// Intermediates, which are not trusted, but may be missing in a chain.
    pub known: Vec<Certificate>,
    /// The file, for messages.
    pub from: String,
}

impl Trusted {
    /// What the identities of this output directory trust.
    ///
    /// # Errors
    /// If its files cannot be read.
    pub fn of_ca(out: &OutDir) -> Result<Self, BootstrapError> {
        out.check()?;
        let read = |file: &str| -> Result<Vec<Certificate>, BootstrapError> {
            let path = out.ca_file(file);
            let Some(text) = read_record(&path)? else {
                return Ok(Vec::new());
            };
            let damaged = |e| BootstrapError::damaged(&path, e);
            let ders = pem::parse_certificates(&text).map_err(damaged)?;
            let certificates = ders.iter().map(Certificate::from_der);
            certificates
                .collect::<Result<_, _>>()
                .map_err(|e| BootstrapError::damaged(&path, e))
        };
        let certificates = read(CERTIFICATE)?;
        let path = out.ca_file(CERTIFICATE);
        let from = match certificates.is_empty() {
            true => format!("{} (there is no CA)", path.display()),
            false => path.display().to_string(),
        };
        Ok(Self {
            certificates,
            known: read(INTERMEDIATE)?,
            from,
        })
    }

    /// A truststore: PEM, DER, PKCS#12 or JKS.
    ///
    /// # Errors
    /// If it cannot be read, or contains no certificate.
    pub fn read(path: &Path, password: Option<&Secret>) -> Result<Self, TruststoreError> {
        let bytes = read_text(path)?;
        let store = |source: StoreError| TruststoreError::Store {
            path: path.to_owned(),
            source,
        };
        let contains = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        let der = CertificateDer::from(bytes.as_slice());
        let ders = if contains(b"-----BEGIN ") {
            pem::parse_certificates(&bytes).map_err(store)?
        } else if Certificate::from_der(&der).is_ok() {
            vec![der.into_owned()]
        } else {
            let passwords = Passwords {
                store: password,
                key: None,
            };
            let opened = keystore::open(&bytes, passwords).map_err(store)?;
            if opened.protection.hidden {
                return Err(store(StoreError::WrongPassword));
            }
            let contents = opened.contents;
            let trusted = contents.trusted.into_iter().map(|t| t.cert);
            trusted.chain(contents.ignored).collect()
        };
        // Ignore those that cannot be parsed.
        let certificates: Vec<_> = ders
            .iter()
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect();
        if certificates.is_empty() {
            return Err(store(StoreError::NoEntries));
        }
        Ok(Self {
            certificates,
            known: Vec::new(),
            from: path.display().to_string(),
        })
    }

    /// Adds known intermediates.
    pub fn knowing(mut self, known: Vec<Certificate>) -> Self {
        self.known = known;
        self
    }
}
