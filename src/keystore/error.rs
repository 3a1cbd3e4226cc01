//! What can be wrong with a store, or with what should become one.

use crate::pki::NotACertificate;

/// Why a store could not be written or read. No message contains a password or key material.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An alias that Java could not show or look up.
    #[error("the alias `{0}` {1}")]
    Alias(String, &'static str),
    /// Two entries whose aliases differ in case at most, which Java takes for one.
    #[error("two entries have the alias `{0}`; Java folds case and would keep one of them")]
    SameAlias(String),
    /// A truststore without an entry, which Java refuses at the first handshake.
    #[error("a truststore needs at least one certificate")]
    NoEntries,
    /// A password that keytool would not take, or could not open the store with.
    #[error("the store password {0}")]
    UnusablePassword(&'static str),
    /// A key that is no PKCS#8, or of an algorithm that kpki does not know.
    #[error("the private key is not an unencrypted PKCS#8 key of RSA (2048 bits or more) or EC")]
    Key,
    /// A key without a certificate.
    #[error("the private key has no certificate chain")]
    NoChain,
    /// A key that belongs to another certificate.
    #[error("the private key does not belong to the certificate of `{0}`")]
    KeyMismatch(String),
    /// Bytes that are no X.509 certificate; the number counts from 1.
    #[error("certificate {0} is not an X.509 certificate: {1}")]
    Certificate(usize, #[source] NotACertificate),
    /// A chain whose certificates are not in order, each followed by its issuer.
    #[error(
        "the chain is broken: `{subject}` was issued by `{issuer}`, but `{next}` comes after it"
    )]
    BrokenChain {
        /// The certificate's subject.
        subject: String,
        /// Its issuer.
        issuer: String,
        /// The subject that follows in the chain.
        next: String,
    },
    /// Two certificates of one subject in a chain, of which Java would take the first for both.
    #[error("two certificates of the chain have the subject `{0}`; Java could not tell them apart")]
    SameSubject(String),
    /// The encoder refused; a limit of the format, not of the machine.
    #[error("the store could not be encoded: {0}")]
    Encode(String),

    /// The password does not open the store.
    #[error("the password does not open the store")]
    WrongPassword,
    /// A key under another password than its store.
    #[error("the key is under another password than the store")]
    KeyPassword,
    /// The bytes are not PKCS#12 at all.
    #[error("this is {0}, not a PKCS#12 store")]
    NotPkcs12(&'static str),
    /// The bytes are no store of any kind.
    #[error("this is {0}, no PKCS#12, JKS, JCEKS or PEM store")]
    NotAStore(&'static str),
    /// A store, but with an algorithm, a size or a content that cannot be read.
    #[error("the store cannot be read: {0}")]
    Unsupported(String),

    /// A PEM text without the section looked for.
    #[error("the PEM text contains no {0}")]
    NoPem(&'static str),
    /// A PEM text that breaks RFC 7468.
    #[error("the PEM text is damaged: {0}")]
    DamagedPem(String),
    /// A PEM text with several private keys.
    #[error("the PEM text contains more than one private key")]
    TwoKeys,
    /// A private key beside a certificate request.
    #[error("a private key lies beside the certificate request")]
    KeyWithRequest,
    /// A PEM text with several certificate requests.
    #[error("the PEM text contains more than one certificate request")]
    TwoRequests,
    /// A private key in a form that Kafka does not read.
    #[error("the PEM text's private key is {0}; Kafka reads unencrypted PKCS#8 (`PRIVATE KEY`)")]
    KeyForm(&'static str),
}

impl StoreError {
    /// What the user can do about it, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnusablePassword(_) => "use at least 6 ASCII characters, best letters and digits",
            Self::KeyMismatch(_) => "give the key and the certificate that were made together",
            Self::BrokenChain { .. } => {
                "give the identity's own certificate first, then each issuer in turn"
            }
            Self::WrongPassword => {
                "check the password file for a trailing space or CR; the key password must equal the store password"
            }
            Self::KeyPassword => "set ssl.key.password",
            Self::NotPkcs12("a JKS store" | "a JCEKS store") => {
                "convert it: kpki store convert OLD --to pkcs12 --out-file NEW"
            }
            Self::KeyWithRequest => {
                "it should never leave its machine: make a new key there, and send the request alone"
            }
            Self::TwoRequests => "give them one by one",
            Self::KeyForm(_) => "convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW",
            _ => return None,
        })
    }
}
