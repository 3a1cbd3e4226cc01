//! Private keys made by other programs: PEM or DER; PKCS#8 plain or encrypted, PKCS#1, SEC1; or a PKCS#12, JKS or JCEKS
//! store that contains one key and its certificates.

use rustls_pki_types::CertificateDer;

use super::{
    Passwords, StoreError,
    ber::{Element, OCTETS, SEQUENCE},
    cipher::unlock,
    cost::{self, Budget},
    pem, reader,
    to_pkcs8::to_pkcs8,
};
use crate::secret::{Secret, SecretBytes};

/// A file with a private key, parsed as far as possible without its password.
#[derive(Debug)]
pub struct ForeignKey {
    form: Form,
    /// The unencrypted certificates in the same file.
    beside: Vec<CertificateDer<'static>>,
}

#[derive(Debug)]
enum Form {
    /// PKCS#8, DER.
    Plain(SecretBytes),
    /// EncryptedPrivateKeyInfo (RFC 5958 §3), DER.
    Encrypted(SecretBytes),
    /// PKCS#12, JKS or JCEKS.
    Store(SecretBytes),
}

/// A decrypted key, and the certificates in the same file.
#[derive(Debug)]
pub struct OpenedKey {
    /// PKCS#8, DER.
    pub pkcs8: SecretBytes,
    /// In no order.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl ForeignKey {
    /// Reads a file.
    ///
    /// # Errors
    /// If it contains no key, or several.
    pub fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let (form, beside) = match pem::is_pem(bytes) {
            true => {
                let (der, encrypted) = pem::any_key(bytes)?;
                let form = match encrypted {
                    true => Form::Encrypted(der.to_vec().into()),
                    false => Form::Plain(to_pkcs8(&der)?),
                };
                (form, pem::parse_certificates(bytes).unwrap_or_default())
            }
            false if is_encrypted(bytes) => (Form::Encrypted(bytes.into()), Vec::new()),
            false => match to_pkcs8(bytes) {
                Ok(key) => (Form::Plain(key), Vec::new()),
                Err(_) => (Form::Store(bytes.into()), Vec::new()),
            },
        };
        Ok(Self { form, beside })
    }

    /// True if it needs a password.
    pub fn is_sealed(&self) -> bool {
        !matches!(self.form, Form::Plain(_))
    }

    /// Opens it.
    ///
    /// # Errors
    /// If the password is wrong, the key derivation would take too long, or there is not exactly one key.
    pub fn open(self, password: Option<&Secret>) -> Result<OpenedKey, StoreError> {
        let password = password.ok_or(StoreError::WrongPassword);
        let mut certificates = self.beside;
        let pkcs8 = match self.form {
            Form::Plain(key) => key,
            Form::Encrypted(der) => decrypt(&der, password?)?,
            Form::Store(store) => {
                let passwords = Passwords {
                    store: Some(password?),
                    key: None,
                };
                let contents = reader::open(&store, passwords)?.contents;
                let [key] = &contents.keys[..] else {
                    return Err(match contents.locked.into_iter().next() {
                        Some(locked) => locked.why,
                        None if contents.keys.is_empty() => StoreError::NoKey,
                        None => StoreError::TwoKeys,
                    });
                };
                certificates.extend(key.chain.iter().cloned());
                certificates.extend(contents.trusted.into_iter().map(|entry| entry.cert));
                certificates.extend(contents.ignored);
                SecretBytes::from(key.key_pkcs8.to_vec())
            }
        };
        Ok(OpenedKey {
            pkcs8,
            certificates,
        })
    }
}

/// True for an EncryptedPrivateKeyInfo.
fn is_encrypted(der: &[u8]) -> bool {
    let parts = Element::only(der).and_then(|info| info.of(SEQUENCE)?.children());
    matches!(parts.as_deref(), Some([algorithm, data]) if algorithm.of(SEQUENCE).is_some() && data.of(OCTETS).is_some())
}

fn decrypt(der: &[u8], password: &Secret) -> Result<SecretBytes, StoreError> {
    cost::check(der)?;
    let passwords = Passwords {
        store: Some(password),
        key: None,
    };
    let unlocked = Element::only(der).and_then(|i| unlock(i, passwords, &mut Budget::new()));
    let damaged = || StoreError::DamagedPem("the encrypted key is not PKCS#8".to_owned());
    let key = unlocked.ok_or_else(damaged)?.key;
    Ok(key.map_err(StoreError::of_key)?.to_vec().into())
}
