//! The faults of listeners, each with a hint.

use serde::Serialize;

use crate::code::{StableCode, codes};

codes! {
/// Faults of listeners. Codes do not change.
pub enum Fault {
    NoListener = "no-listener", "nothing is listening on the port";
    UnknownHost = "unknown-host", "the host name cannot be resolved, or the address is invalid";
    Unreachable = "unreachable", "no connection can be made";
    Silent = "silent", "connections are accepted, but nothing is sent";
    Stalled = "stalled", "the TLS handshake begins, but is not completed";
    PlaintextPort = "plaintext-port", "the port speaks Kafka's protocol without TLS";
    TlsPort = "tls-port", "the port speaks TLS, but the client or the policy says PLAINTEXT";
    SaslPort = "sasl-port", "the port requires SASL, but the client or the policy says that it has none";
    NotTls = "not-tls", "neither TLS nor Kafka answers";
    OldTls = "old-tls", "the port speaks only TLS before 1.2, which clients refuse, or only older cipher suites, which some clients accept";
    HandshakeFailed = "handshake-failed", "the TLS handshake fails for another reason";
    NotKafka = "not-kafka", "the listener does not answer Kafka requests";
    BadCertificate = "bad-certificate", "the certificate cannot be read, or clients must refuse it";
    UnknownCa = "unknown-ca", "the certificate was signed by a CA that is not trusted";
    SelfSigned = "self-signed", "the certificate was signed by its own key, and is not trusted";
    OtherCa = "other-ca", "the certificate was signed by another CA with the name of a trusted one";
    MissingIntermediate = "missing-intermediate", "the listener does not send an intermediate certificate";
    WrongUsage = "wrong-usage", "a certificate in the chain may not be used this way";
    Unchecked = "unchecked", "a signature uses an algorithm that kpki cannot check";
    WrongHost = "wrong-host", "the certificate does not name the host";
    NoSan = "no-san", "the certificate has no host names (SANs)";
    Expired = "expired", "a certificate in the chain has expired";
    NotYetValid = "not-yet-valid", "a certificate in the chain is not valid yet";
    WeakKey = "weak-key", "a key in the chain is too weak";
    WeakSignature = "weak-signature", "a certificate in the chain is signed with MD5 or SHA-1";
    CertificateRequired = "certificate-required", "the listener requires a client certificate, and none was given";
    CertificateRefused = "certificate-refused", "the listener refused the client certificate";
    NoSasl = "no-sasl", "the listener has no SASL, but should have it";
    MechanismNotOffered = "mechanism-not-offered", "the listener does not offer the SASL mechanism";
    LoginRefused = "login-refused", "the listener refused the user or password";
    LoginFailed = "login-failed", "the login failed for another reason";
    Outdated = "outdated", "the listener serves an older certificate than the newest one in the inventory";
    Revoked = "revoked", "the listener serves a revoked certificate";
    Foreign = "foreign", "the listener serves a certificate that this CA did not sign for it";
    UnreadableFiles = "unreadable-files", "the user cannot read the files that it needs";
}
}

impl Fault {
    /// What to do if nothing more is known.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoListener => "start the broker, or compare the port with its `listeners`",
            Self::UnknownHost => "correct the name, or add it to DNS or /etc/hosts",
            Self::Unreachable => "check the network in between: firewalls, routes, security groups",
            Self::Silent => {
                "check whether the broker hangs (log, thread dump), or whether another program uses the port"
            }
            Self::Stalled => "check the broker's load and log; --timeout SECONDS waits longer",
            Self::PlaintextPort => {
                "connect to a TLS listener, or make this one SSL or SASL_SSL in listener.security.protocol.map and restart the broker"
            }
            Self::TlsPort => "set security.protocol to SSL or SASL_SSL",
            Self::SaslPort => {
                "set security.protocol to SASL_SSL, with a mechanism and a user, or connect to a listener without SASL"
            }
            Self::NotTls => "compare the port with the broker's `listeners`",
            Self::OldTls => {
                "set ssl.enabled.protocols=TLSv1.2,TLSv1.3 on the listener, without ssl.cipher.suites, and restart the broker"
            }
            Self::HandshakeFailed => "see the listener's log for the reason",
            Self::NotKafka => "compare the port with the broker's `listeners`, and see its log",
            Self::BadCertificate => "issue a new certificate: kpki renew, or kpki issue",
            Self::UnknownCa => {
                "if this CA is the right one, get its certificate from its owner and pass it with --truststore"
            }
            Self::SelfSigned => {
                "use a certificate signed by the CA that clients trust: kpki issue, or kpki sign"
            }
            Self::OtherCa => {
                "sign the certificate with the CA that clients trust, or add the other CA to their truststores; two CAs should never have the same name"
            }
            Self::MissingIntermediate => {
                "add the intermediate certificate to the chain in the broker's keystore"
            }
            Self::WrongUsage => {
                "issue the certificate again: with serverAuth, and from a CA certificate"
            }
            Self::Unchecked => {
                "check it with OpenSSL: openssl s_client -connect HOST:PORT -CAfile ca.crt"
            }
            Self::WrongHost => {
                "connect with a name that the certificate has, or issue one with this name"
            }
            Self::NoSan => "issue a certificate with the host names as SANs; clients ignore the CN",
            Self::Expired => {
                "renew the certificate, and restart the broker: nothing can connect to it to reload it"
            }
            Self::NotYetValid => "compare the clocks of both machines",
            Self::WeakKey => {
                "issue a certificate with a new key: ECDSA P-256, or RSA with at least 2048 bits"
            }
            Self::WeakSignature => "issue the certificate again, signed with SHA-256",
            Self::CertificateRequired => "connect with an identity: --identity NAME",
            Self::CertificateRefused => {
                "check that the broker's truststore has the client's CA, and that the certificate is neither expired nor revoked; the broker's log has the reason"
            }
            Self::NoSasl => "connect to a SASL listener, or check the listener's security protocol",
            Self::MechanismNotOffered => {
                "use a mechanism that it offers, or add this one to its sasl.enabled.mechanisms"
            }
            Self::LoginRefused => "update the credential in the cluster: kpki scram apply POLICY",
            Self::LoginFailed => "see the broker's log for the reason",
            Self::Outdated => {
                "copy the new files to the broker's machine, then kpki reload NAME, or restart it"
            }
            Self::Revoked => {
                "renew the certificate, copy the files to the broker's machine, then kpki reload NAME"
            }
            Self::Foreign => {
                "give the broker the files that kpki wrote for it, or find out who answers instead"
            }
            Self::UnreadableFiles => {
                "change the owner of the files: owner in the policy's cluster section, or chown"
            }
        }
    }
}

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `chain`, `hostname`, `expiry`, …
    pub check: &'static str,
    /// Whether it passed.
    pub ok: bool,
    /// A sentence for users.
    pub message: String,
    /// The fault.
    pub code: Option<StableCode>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Check {
    /// A check that passed.
    pub fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            ok: true,
            message: message.into(),
            code: None,
            hint: None,
        }
    }

    /// A check that failed, with the usual hint.
    pub fn fault(check: &'static str, fault: Fault, message: impl Into<String>) -> Self {
        Self {
            check,
            ok: false,
            message: message.into(),
            code: Some(fault.into()),
            hint: Some(fault.advice().to_owned()),
        }
    }

    /// Replaces the hint with a more specific one.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
