//! Errors between kpki and a cluster, for whole requests and for single entries.

use super::{properties::ClientPropertiesError, raw::code};
use crate::keystore::StoreError;

/// Why a request, or the connection, failed as a whole. A `&'static str` is what was being done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The client's properties cannot be used.
    #[error(transparent)]
    Properties(#[from] ClientPropertiesError),
    /// The feature `live` was left out.
    #[error("this kpki was built without its Kafka client")]
    NotBuilt,
    /// The client's key cannot be given to librdkafka.
    #[error("the connection cannot be set up: the client's key: {0}")]
    Key(#[source] StoreError),
    /// librdkafka refuses a setting.
    #[error("the connection cannot be set up: {0}")]
    Settings(String),
    /// No broker answers at the address.
    #[error("no broker can be reached at {}: {}", .0.servers, .0.text)]
    Unreachable(Said),
    /// The name has no address.
    #[error("the host name of {} cannot be resolved: {}", .0.servers, .0.text)]
    UnknownHost(Said),
    /// Something listens that speaks TLS where the client does not, the other way round, or not Kafka at all.
    #[error("{} uses a different protocol from the client: {}", .0.servers, .0.text)]
    WrongProtocol(Said),
    /// The broker's certificate was issued by another CA.
    #[error("the certificate of {} was not issued by a trusted CA: {}", .0.servers, .0.text)]
    Untrusted(Said),
    /// The broker's certificate, or its CA's, has expired.
    #[error("the certificate of {0} has expired")]
    Expired(String),
    /// The broker's certificate is not valid yet.
    #[error("the certificate of {0} is not valid yet")]
    NotYetValid(String),
    /// The certificate does not name the host that was connected to.
    #[error("the certificate of {0} does not contain that host")]
    WrongHostName(String),
    /// The broker does not accept the client's certificate, or requires one.
    #[error("{} refuses the client's certificate: {}", .0.servers, .0.text)]
    ClientCertificate(Said),
    /// TLS failed in another way.
    #[error("the TLS handshake with {} failed: {}", .0.servers, .0.text)]
    Tls(Said),
    /// Wrong user or password, or a mechanism that the listener does not have.
    #[error("the login at {} failed: {}", .0.servers, .0.text)]
    Authentication(Said),
    /// No answer in time.
    #[error("{what}: no answer from {} in time: {}", .1.servers, .1.text, what = .0)]
    TimedOut(&'static str, Said),
    /// The connection ended while an answer was waited for.
    #[error("{what}: the connection to {} was lost: {}", .1.servers, .1.text, what = .0)]
    ConnectionLost(&'static str, Said),
    /// The principal is not allowed to do it.
    #[error("{0}: the cluster does not authorize it: {1}")]
    NotAuthorized(&'static str, String),
    /// The brokers are older than the requests for SCRAM users.
    #[error(
        "{0}: the brokers do not support requests for SCRAM users, which were added in Kafka 2.7 (KIP-554)"
    )]
    NoScramRequests(&'static str),
    /// The brokers are older than the request that changes single settings.
    #[error(
        "{0}: the brokers do not support changes of single settings, which were added in Kafka 2.3 (KIP-339)"
    )]
    NoSettingRequests(&'static str),
    /// The brokers have no authorizer, so there are no ACLs.
    #[error("{0}: the cluster has no authorizer, so it neither has nor keeps ACLs")]
    SecurityDisabled(&'static str),
    /// More bindings match than can be received; this part of the question is still too large.
    #[error("more ACL bindings match than fit into one answer, even when requested in parts ({0})")]
    TooManyBindings(String),
    /// It is unknown what the broker did: its answer was too large to be received.
    #[error("{0}: the answer is too large to be received, so it is unknown what was done")]
    AnswerTooLarge(&'static str),
    /// The broker answered with an error that librdkafka does not pass on.
    #[error("{0}: the broker answered with an error that librdkafka hides; nothing was read")]
    Hidden(&'static str),
    /// Something that librdkafka's admin requests cannot express.
    #[error("{0}: librdkafka cannot express it: {1}")]
    Unsupported(&'static str, String),
    /// The broker refused, with Kafka's code.
    #[error("{what}: {text} (Kafka error {code})")]
    Refused {
        /// What was being done.
        what: &'static str,
        /// `org.apache.kafka.common.protocol.Errors`; negative: librdkafka's own.
        code: i32,
        /// What was said.
        text: String,
    },
}

/// What the broker, librdkafka or OpenSSL said about a connection to these bootstrap servers.
#[derive(Debug)]
#[expect(missing_docs, reason = "said above")]
pub struct Said {
    pub servers: String,
    pub text: String,
}

impl AdminError {
    /// Whether the request may have done its work although there was no answer.
    pub fn leaves_open(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. } | Self::ConnectionLost { .. } | Self::AnswerTooLarge { .. }
        )
    }

    /// Whether something may have been written, unless the error's code rules that out: a controller that is changed,
    /// or a broker that waits too long for it, has error codes too.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Refused { code, .. } => !code::NOTHING_WRITTEN.contains(code),
            _ => self.leaves_open(),
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Properties(error) => return error.hint(),
            Self::NotBuilt => {
                "build it with the default features: cargo build --release --locked (this needs g++, make and perl besides a C compiler)"
            }
            Self::Unreachable { .. } => {
                "check that the broker is running, and that the port belongs to the right listener"
            }
            Self::UnknownHost { .. } => "check bootstrap.servers, DNS and /etc/hosts",
            Self::WrongProtocol { .. } => {
                "check that security.protocol matches the listener on this port"
            }
            Self::Untrusted { .. } => {
                "check that ssl.truststore.location contains the CA that signed the broker's certificate"
            }
            Self::Expired { .. } => "renew it with kpki renew NAME, then restart the broker",
            Self::NotYetValid { .. } => "check the clocks of both machines",
            Self::WrongHostName { .. } => {
                "connect with a name that is in the certificate, or add this one to the broker's hosts and renew its certificate"
            }
            Self::ClientCertificate { .. } => {
                "check that ssl.keystore.location is set, that its certificate was issued by a CA that the broker trusts, and that it has not expired"
            }
            Self::Authentication { .. } => {
                "check user, password and sasl.mechanism; brokers do not say which of them is wrong"
            }
            Self::NotAuthorized { .. } => {
                "connect as a super user, or grant Alter on the cluster (Describe is enough to read)"
            }
            Self::NoScramRequests { .. } => {
                "such clusters keep SCRAM users in ZooKeeper; this prints what to write there, for each user:\n  kpki scram derive --user USER --form zookeeper < out/USER/scram.password"
            }
            Self::NoSettingRequests { .. } => {
                "copy the broker's directory to its machine and restart it"
            }
            Self::SecurityDisabled { .. } => {
                "set authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer on every node"
            }
            Self::TooManyBindings { .. } => {
                "request only the bindings of specific principals: --principal, or `manage` in the policy"
            }
            Self::AnswerTooLarge(_) => "run the command again: it reads the cluster's state first",
            Self::ConnectionLost { .. } => {
                "check that the brokers are running, then run the command again: it reads the cluster's state first"
            }
            Self::TimedOut { .. } => {
                "check the brokers' load and logs, and that the port belongs to a broker, not a controller; then run the command again"
            }
            Self::Settings(_) | Self::Key(_) => {
                "the message names the setting; it comes from the file given with --command-config"
            }
            Self::Tls { .. } => {
                "see the broker's log; kpki uses TLS 1.2 and 1.3, with the ciphers that OpenSSL allows"
            }
            Self::Hidden { .. } | Self::Refused { .. } => {
                "see the log of the broker, and of the controller behind it"
            }
            Self::Unsupported { .. } => "use Kafka's own tool for this one",
        })
    }
}

/// Why one entry of a request was not done; the others are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The broker refused it.
    #[error("{text} (Kafka error {code})")]
    Refused {
        /// `org.apache.kafka.common.protocol.Errors`.
        code: i32,
        /// The broker's words.
        text: String,
    },
    /// librdkafka has no such resource type or operation, so it was not sent.
    #[error("librdkafka cannot express {0}")]
    Unsupported(String),
    /// The request that it was part of got no answer: it may have been done or not.
    #[error("no answer, so it is unknown whether it was done: {0}")]
    Unanswered(String),
    /// The work was stopped, or failed, before its turn.
    #[error("not attempted")]
    NotAttempted,
}

impl EntryError {
    /// As [`AdminError::may_be_done`].
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Refused { code, .. } => !code::NOTHING_WRITTEN.contains(code),
            Self::Unanswered(_) => true,
            _ => false,
        }
    }

    /// Whether the thing to change does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == code::RESOURCE_NOT_FOUND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else `scram.password.next` would be deleted, and with it the only password that the cluster accepts.
    #[test]
    fn a_connection_lost_during_a_rotation_keeps_both_passwords() {
        let said = || Said {
            servers: "localhost:9093".to_owned(),
            text: String::new(),
        };
        let (what, text) = ("writing SCRAM users", String::new());
        let refused = |code| AdminError::Refused {
            what,
            code,
            text: String::new(),
        };
        assert!(AdminError::ConnectionLost(what, said()).may_be_done());
        assert!(AdminError::TimedOut(what, said()).may_be_done());
        // UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, and librdkafka's for an answer that it cannot read.
        assert!(
            [-1, 7, -199]
                .into_iter()
                .all(|code| refused(code).may_be_done())
        );
        assert!(!refused(42).may_be_done());
        assert!(!AdminError::NotAuthorized(what, text).may_be_done());
    }
}
