//! Why no certificate was received from an address.

/// Why a handshake returned no certificate. The message follows the address and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The address has the wrong form.
    #[error("the address is not of the form HOST:PORT")]
    Address,
    /// The name has no address.
    #[error("the host name cannot be resolved: {0}")]
    UnknownHost(String),
    /// Nothing listens.
    #[error("nothing is listening on this port")]
    Refused,
    /// Not reachable.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time, from the host or the name resolution.
    #[error("the connection timed out")]
    NoConnection,
    /// A connection, but not a single byte.
    #[error("it accepts connections but sends nothing")]
    Silent,
    /// Bytes, but the handshake was not completed.
    #[error("the TLS handshake was not completed in time")]
    Slow,
    /// Closed after the first TLS message.
    #[error("it closes the connection at the first TLS message, as a listener without TLS does")]
    Closed,
    /// Reset, or closed in the middle.
    #[error("the connection was closed during the TLS handshake")]
    Cut,
    /// It speaks something else.
    #[error("it does not speak TLS: its answer begins with `{0}`")]
    NotTls(String),
    /// More than any handshake needs.
    #[error("its answer is larger than a TLS handshake can be")]
    TooMuch,
    /// It ended the handshake with an alert, by its name in TLS.
    #[error("it ended the TLS handshake: {0}")]
    Alert(String),
    /// The handshake failed on this side.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The key of the client identity cannot be used.
    #[error("the client's key cannot be used: {0}")]
    Identity(String),
}
