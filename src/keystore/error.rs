//! What can be wrong with a store, or with the content for one.

use super::limits::{LARGEST, MOST};
use crate::{pki::NotACertificate, printable::Printable};

/// Why a store could not be written or read. No message contains a password or key material.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An alias that Java could not show or look up.
    #[error("the alias `{alias}` {1}", alias = Printable(.0))]
    Alias(String, &'static str),
    /// Two entries whose aliases are equal except for case, which Java treats as one.
    #[error(
        "two entries have the alias `{}`; Java ignores case and would keep only one of them",
        Printable(.0)
    )]
    SameAlias(String),
    /// An empty truststore, which Java refuses at the first handshake.
    #[error("a truststore needs at least one certificate")]
    NoEntries,
    /// A password that keytool would not accept, or could not open the store with.
    #[error("the store password {0}")]
    UnusablePassword(&'static str),
    /// A key that is not PKCS#8, or has an unsupported algorithm.
    #[error("the private key is not an unencrypted PKCS#8 key of RSA (2048 bits or more) or EC")]
    Key,
    /// A key that kpki cannot sign with.
    #[error("the key is weak or damaged, or of a type that kpki cannot sign with")]
    UnfitKey,
    /// A key without a certificate.
    #[error("the private key has no certificate chain")]
    NoChain,
    /// A key that does not match the certificate.
    #[error("the private key does not match the certificate of `{}`", Printable(.0))]
    KeyMismatch(String),
    /// Bytes that are not an X.509 certificate; the number counts from 1.
    #[error("certificate {0} is not an X.509 certificate: {1}")]
    Certificate(usize, #[source] NotACertificate),
    /// A chain whose certificates are not in order, each followed by its issuer.
    #[error(
        "the chain is broken: `{}` was issued by `{}`, but `{}` comes after it",
        Printable(.subject),
        Printable(.issuer),
        Printable(.next)
    )]
    BrokenChain {
        /// The certificate's subject.
        subject: String,
        /// Its issuer.
        issuer: String,
        /// The subject that follows in the chain.
        next: String,
    },
    /// Two certificates with the same subject in a chain, of which Java would use the first for both.
    #[error(
        "two certificates in the chain have the subject `{}`; Java could not distinguish them",
        Printable(.0)
    )]
    SameSubject(String),
    /// The encoder failed, because of a limit of the format.
    #[error("the store could not be encoded: {}", Printable(.0))]
    Encode(String),

    /// The password does not open the store.
    #[error("the password does not open the store")]
    WrongPassword,
    /// A key with a password different from that of its store.
    #[error("the key has a different password from the store")]
    KeyPassword,
    /// The bytes are not PKCS#12 at all.
    #[error("this is {0}, not a PKCS#12 store")]
    NotPkcs12(&'static str),
    /// The bytes are not a store of any kind.
    #[error("this is {0}, not a PKCS#12, JKS, JCEKS or PEM store")]
    NotAStore(&'static str),
    /// Opening it would take too much time or memory.
    #[error("it was not opened: {0}")]
    Costly(String),
    /// A store without a private key.
    #[error("the store contains no private key")]
    NoKey,
    /// A store, but with an algorithm, size or content that is not supported.
    #[error("the store cannot be read: {}", Printable(.0))]
    Unsupported(String),

    /// A PEM text without the expected section.
    #[error("the PEM text contains no {0}")]
    NoPem(&'static str),
    /// A PEM text that is too long.
    #[error("the PEM text has more than {0} sections")]
    TooManySections(usize),
    /// A PEM text that violates RFC 7468.
    #[error("the PEM text is damaged: {}", Printable(.0))]
    DamagedPem(String),
    /// A file with several private keys.
    #[error("it contains more than one private key")]
    TwoKeys,
    /// A private key in the file of a certificate request.
    #[error("the file contains a private key besides the certificate request")]
    KeyWithRequest,
    /// A private key instead of a certificate request.
    #[error("the file contains a private key, not a certificate request")]
    KeyNotRequest,
    /// A PEM text with several certificate requests.
    #[error("the PEM text contains more than one certificate request")]
    TwoRequests,
    /// A private key in a form that Kafka does not read.
    #[error("the PEM text's private key is {0}; Kafka reads unencrypted PKCS#8 (`PRIVATE KEY`)")]
    KeyForm(&'static str),
    /// A private key in a form that kpki does not read.
    #[error("the private key is {0}, which kpki does not support")]
    UnreadKey(&'static str),
    /// A private key that is a file of its own, encrypted in a way that kpki does not read.
    #[error("the private key is encrypted with {0}, which kpki does not support")]
    UnreadKeyCipher(String),
    /// The same for an entry or the whole of a store.
    #[error("it is encrypted with {0}, which kpki does not support")]
    UnreadCipher(String),
    /// More than kpki itself would read.
    #[error(
        "it would be larger than what kpki reads: at most {} MiB, and {} certificates and keys",
        LARGEST >> 20,
        MOST
    )]
    TooLarge,
}

impl StoreError {
    /// The same error about a key that is a file of its own.
    pub(super) fn of_key(self) -> Self {
        match self {
            Self::UnreadCipher(name) => Self::UnreadKeyCipher(name),
            other => other,
        }
    }
}

impl StoreError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnusablePassword(_) => {
                "use at least 6 ASCII characters, preferably letters and digits"
            }
            Self::KeyMismatch(_) => "give a key and the certificate that was issued for it",
            Self::BrokenChain { .. } => {
                "give the identity's leaf certificate first, then each issuer in turn"
            }
            Self::WrongPassword => {
                "check the password file for a trailing space or CR; the key password must equal the store password"
            }
            Self::NotAStore(_) => "check the path",
            Self::KeyPassword => "set ssl.key.password",
            Self::NotPkcs12("a JKS store" | "a JCEKS store") => {
                "convert it: kpki store convert OLD --to pkcs12 --out-file NEW"
            }
            Self::KeyWithRequest => {
                "it should never leave its machine: make a new key there, and send only the request"
            }
            Self::KeyNotRequest => {
                "make a request with it on its own machine: openssl req -new -key KEY -out NAME.csr -subj /CN=NAME"
            }
            Self::TwoRequests => "give them one by one",
            Self::TooManySections(_) => "split it into several files",
            Self::UnfitKey => {
                "a CA key must be RSA of 2048 to 8192 bits, or ECDSA on P-256, P-384 or P-521"
            }
            Self::Costly(_) => {
                "no common program uses this many: write the file again with fewer iterations"
            }
            Self::UnreadKey(_) => "convert it: openssl pkcs8 -topk8 -v2 aes256 -in OLD -out NEW",
            Self::UnreadKeyCipher(_) => {
                "convert it; OpenSSL asks for its password, and for a new one: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW -provider legacy -provider default (before OpenSSL 3 without the providers)"
            }
            Self::UnreadCipher(_) => {
                "convert it; OpenSSL asks for its password, and for new ones: openssl pkcs12 -legacy -in OLD -out ALL.pem, then openssl pkcs12 -export -in ALL.pem -out NEW (before OpenSSL 3 without -legacy)"
            }
            Self::TooLarge => "make several files, or leave out what is not needed",
            Self::KeyForm(_) => "convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW",
            _ => return None,
        })
    }
}
