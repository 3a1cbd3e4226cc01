//! What can be wrong with a listener, each with what to do about it.

use serde::Serialize;

use crate::code::{StableCode, codes};

codes! {
/// What can be wrong. Codes do not change.
pub enum Fault {
    NoListener = "no-listener", "nothing listens at the address";
    UnknownHost = "unknown-host", "the host's name cannot be resolved, or the address is none";
    Unreachable = "unreachable", "no connection comes about";
    Silent = "silent", "connections are taken, and nothing is said";
    Stalled = "stalled", "the TLS handshake begins and does not end";
    PlaintextPort = "plaintext-port", "the port speaks Kafka's protocol without TLS";
    TlsPort = "tls-port", "the port speaks TLS, and the client does not";
    NotTls = "not-tls", "something else than TLS or Kafka answers";
    OldTls = "old-tls", "the port speaks only versions or cipher suites of TLS that clients refuse";
    HandshakeFailed = "handshake-failed", "the TLS handshake fails for another reason";
    NotKafka = "not-kafka", "what listens does not answer as Kafka does";
    BadCertificate = "bad-certificate", "the certificate cannot be read, or nobody may use it";
    UnknownCa = "unknown-ca", "the certificate was signed by a CA that is not trusted";
    SelfSigned = "self-signed", "the certificate was signed by its own key, and is not trusted";
    OtherCa = "other-ca", "the certificate was signed by another CA with the name of a trusted one";
    MissingIntermediate = "missing-intermediate", "the listener does not send an intermediate certificate";
    WrongUsage = "wrong-usage", "a certificate of the chain is used for what it is not meant for";
    Unchecked = "unchecked", "a signature is of an algorithm that kpki does not know";
    WrongHost = "wrong-host", "the certificate does not name the host";
    NoSan = "no-san", "the certificate names no host";
    Expired = "expired", "a certificate of the chain has ended";
    NotYetValid = "not-yet-valid", "a certificate of the chain is not valid yet";
    WeakKey = "weak-key", "a key of the chain can be broken";
    WeakSignature = "weak-signature", "a certificate of the chain was signed with MD5 or SHA-1";
    CertificateRequired = "certificate-required", "clients must show a certificate, and none was shown";
    CertificateRefused = "certificate-refused", "the client's certificate was refused";
    NoSasl = "no-sasl", "the listener has no SASL, and a login was expected";
    MechanismNotOffered = "mechanism-not-offered", "the listener does not have the SASL mechanism";
    LoginRefused = "login-refused", "the listener refuses user and password";
    LoginFailed = "login-failed", "the login ended in another way";
    Outdated = "outdated", "the listener serves an earlier certificate than the last one";
    Revoked = "revoked", "the listener serves a certificate that was revoked";
    Foreign = "foreign", "the listener serves a certificate that was not signed here for it";
    UnreadableFiles = "unreadable-files", "the user cannot read files that it needs";
}
}

impl Fault {
    /// What to do, where nothing more is known.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoListener => "start the broker, or compare the port with its `listeners`",
            Self::UnknownHost => "correct the name, or make it known (DNS, /etc/hosts)",
            Self::Unreachable => "look at what is between: firewall, route, security group",
            Self::Silent => {
                "look whether the broker hangs (its log, a thread dump), or another program has the port"
            }
            Self::Stalled => {
                "look at the broker's load and log; with --timeout it is waited for longer"
            }
            Self::PlaintextPort => {
                "connect to the port of a listener with TLS, or make this one SSL or SASL_SSL in listener.security.protocol.map and restart the broker"
            }
            Self::TlsPort => "set security.protocol to SSL or SASL_SSL where PLAINTEXT is said",
            Self::NotTls => "compare the port with the broker's `listeners`",
            Self::OldTls => {
                "set ssl.enabled.protocols=TLSv1.2,TLSv1.3 on the listener, without ssl.cipher.suites, and restart the broker"
            }
            Self::HandshakeFailed => "look into the log of whoever listens: it names the reason",
            Self::NotKafka => {
                "compare the port with the broker's `listeners`; its log says why it hung up"
            }
            Self::BadCertificate => "have a new certificate made: kpki renew, or kpki issue",
            Self::UnknownCa => {
                "compare the CAs; to trust this one, take its certificate from its owner and give it by --truststore"
            }
            Self::SelfSigned => {
                "have the certificate signed by the CA that clients trust: kpki issue, or kpki sign"
            }
            Self::OtherCa => {
                "sign the certificate again with the CA that clients trust, or give them the other one: two CAs must not have one name"
            }
            Self::MissingIntermediate => {
                "put the intermediate certificate behind the leaf in the broker's key store"
            }
            Self::WrongUsage => {
                "have the certificate signed again, for servers (serverAuth), by a CA that may sign"
            }
            Self::Unchecked => "ask OpenSSL: openssl s_client -connect HOST:PORT -CAfile ca.crt",
            Self::WrongHost => {
                "connect by a name that the certificate has, or have one made that names the host"
            }
            Self::NoSan => {
                "have a certificate made that names its hosts as SANs, which clients look at alone"
            }
            Self::Expired => "renew the certificate, and have the broker take it up",
            Self::NotYetValid => "compare the clocks of the two machines",
            Self::WeakKey => "have a new key and certificate made, of RSA from 2048 bits or P-256",
            Self::WeakSignature => "have the certificate signed again with SHA-256",
            Self::CertificateRequired => "give the client's identity: --identity NAME",
            Self::CertificateRefused => {
                "compare the CA of the client's certificate with the broker's truststore, and look whether it has ended or was revoked; the broker's log names the reason"
            }
            Self::NoSasl => "connect to a SASL listener, or compare sasl.enabled.mechanisms",
            Self::MechanismNotOffered => {
                "use a mechanism that it has, or add this one to sasl.enabled.mechanisms of the listener"
            }
            Self::LoginRefused => "give the cluster the user's credential: kpki scram apply POLICY",
            Self::LoginFailed => "look into the broker's log: it names the reason",
            Self::Outdated => "copy the new stores to the broker's machine, and kpki reload NAME",
            Self::Revoked => "give the broker its new stores: kpki renew, copy, kpki reload",
            Self::Foreign => "give the broker the stores that kpki made for it",
            Self::UnreadableFiles => {
                "give the files to that user: owner in the policy's cluster section, or --owner"
            }
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `chain`, `hostname`, `expiry`, …
    pub check: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// A sentence for people.
    pub message: String,
    /// What is wrong.
    pub code: Option<StableCode>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Check {
    /// Nothing is wrong.
    pub fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            ok: true,
            message: message.into(),
            code: None,
            hint: None,
        }
    }

    /// Something is wrong, and the usual thing has to be done.
    pub fn fault(check: &'static str, fault: Fault, message: impl Into<String>) -> Self {
        Self {
            check,
            ok: false,
            message: message.into(),
            code: Some(fault.into()),
            hint: Some(fault.advice().to_owned()),
        }
    }

    /// The same with a better advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
