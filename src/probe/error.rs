//! What is at an address, where no certificate is.

/// Why a handshake showed no certificate. What it says follows the address and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The address is not of the form.
    #[error("not HOST:PORT")]
    Address,
    /// The name has no address.
    #[error("the host name cannot be resolved: {0}")]
    UnknownHost(String),
    /// Nobody listens.
    #[error("nothing listens there")]
    Refused,
    /// No way there.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// Nobody answered in time, whether the host or its name.
    #[error("no connection in time")]
    NoConnection,
    /// A connection, and not a byte.
    #[error("it takes connections and says nothing")]
    Silent,
    /// Bytes, but no end of the handshake.
    #[error("the TLS handshake did not end in time")]
    Slow,
    /// Closed at the first message of TLS.
    #[error("it hangs up when greeted in TLS, as a listener without TLS does")]
    Closed,
    /// Reset, or closed in the middle.
    #[error("the connection was cut during the TLS handshake")]
    Cut,
    /// It speaks something else.
    #[error("it does not speak TLS: its answer begins `{0}`")]
    NotTls(String),
    /// More than any handshake has.
    #[error("its answer is larger than a TLS handshake can be")]
    TooMuch,
    /// It ended the handshake by an alert, by the name that TLS gives it.
    #[error("it ended the TLS handshake: {0}")]
    Alert(String),
    /// The handshake failed on this side.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The identity to be shown has a key that cannot be used.
    #[error("the key to be shown cannot be used: {0}")]
    Identity(String),
}
