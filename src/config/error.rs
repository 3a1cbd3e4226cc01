//! Why a configuration cannot be written.

/// What is missing or cannot be written. No message contains a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No listener accepts the client's authentication method.
    #[error("no listener accepts the client `{0}` with `{1}`")]
    NoListener(String, String),
    /// The inter-broker listener is not one of the listeners.
    #[error("the inter-broker listener `{0}` is not among the listeners")]
    NoInterBrokerListener(String),
    /// A SASL listener without mechanisms.
    #[error("the listener `{0}` uses SASL but has no mechanism")]
    NoMechanism(String),
    /// Only wildcards, which are not addresses to connect to.
    #[error("the broker `{0}` has no host that clients can connect to")]
    NoAdvertisedHost(String),
    /// Above 65535.
    #[error("the broker `{0}` would listen on port {1}")]
    Port(String, u32),
    /// The listener requires a certificate, but there is none.
    #[error("`{0}` needs a keystore for this listener but has none")]
    NoKeystore(String),
    /// The listener requires a SCRAM password, but there is none.
    #[error("`{0}` needs a SCRAM password for this listener but has none")]
    NoScramPassword(String),
    /// A broker without an `id` in the policy, before kpki has chosen one.
    #[error("the broker `{0}` has no id yet")]
    NoId(String),
    /// ZooKeeper mode without ZooKeeper.
    #[error("the cluster `{0}` is in ZooKeeper mode but has no ZooKeeper nodes")]
    NoZookeeper(String),
    /// A value that the file's format cannot represent, or its reader would change.
    #[error("{file}: the value of `{key}` {why}")]
    Unwritable {
        /// The file.
        file: &'static str,
        /// The setting.
        key: String,
        /// What is wrong with its value.
        why: &'static str,
    },
    /// A credential that cannot be passed to the storage tool.
    #[error(transparent)]
    Scram(#[from] crate::scram::ScramError),
}

impl ConfigError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoListener { .. } => {
                "add a listener with that protocol and mechanism to `cluster.listeners`, or change the client's `auth`"
            }
            Self::NoInterBrokerListener(_) => {
                "name one of `cluster.listeners` in `cluster.inter_broker_listener`"
            }
            Self::NoMechanism(_) => "add `mechanisms: [SCRAM-SHA-512]` to the listener",
            Self::NoAdvertisedHost(_) => "put a full host name or an address first under `hosts`",
            Self::Port(..) => "choose a lower port or `port_offset`",
            Self::NoKeystore(_) => "add `tls` to its `auth`",
            Self::NoZookeeper(_) => "list its nodes in `cluster.zookeeper_connect`",
            Self::Unwritable { .. } => {
                "change that value in the policy; paths begin with --out, or with `install_dir`"
            }
            Self::Scram(error) => return error.hint(),
            _ => return None,
        })
    }
}
