//! Which listeners accept which clients.

use super::{Auth, Client, ClientAuth, Cluster, Listener, Mode, SecurityProtocol};

impl Listener {
    /// True if a client with this authentication method can use it.
    pub fn serves(&self, auth: Auth) -> bool {
        match auth {
            Auth::Tls => {
                self.protocol == SecurityProtocol::Ssl && self.client_auth != ClientAuth::None
            }
            Auth::Scram(mechanism) => {
                self.protocol.is_sasl() && self.mechanisms.contains(&mechanism)
            }
            Auth::None => {
                self.protocol == SecurityProtocol::Ssl && self.client_auth != ClientAuth::Required
            }
        }
    }
}

impl Cluster {
    /// The first listener that accepts a client with this authentication method.
    pub fn listener_for(&self, auth: Auth) -> Option<&Listener> {
        self.listeners.iter().find(|l| l.serves(auth))
    }

    /// Whether its nodes need certificates: for a listener, or for the controllers, which always use TLS.
    pub fn speaks_tls(&self) -> bool {
        self.mode == Mode::Kraft || self.listeners.iter().any(|l| l.protocol.is_tls())
    }

    /// Whether a client needs the CA. Also true if no listener accepts it, which is a separate error.
    pub fn speaks_tls_with(&self, client: &Client) -> bool {
        client.auth.iter().any(|auth| {
            let listener = self.listener_for(*auth);
            listener.is_none_or(|l| l.protocol.is_tls())
        })
    }
}
