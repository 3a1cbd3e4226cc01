//! Who connects where: listeners and those whom they take.

use super::{Auth, Client, ClientAuth, Cluster, Listener, Mode, SecurityProtocol};

impl Listener {
    /// True when a client that authenticates in this way can use it.
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
    /// The listener that a client uses who authenticates in this way: the first that takes it.
    pub fn listener_for(&self, auth: Auth) -> Option<&Listener> {
        self.listeners.iter().find(|l| l.serves(auth))
    }

    /// Whether its nodes need certificates: for a listener, or for the controllers, who always talk over TLS.
    pub fn speaks_tls(&self) -> bool {
        self.mode == Mode::Kraft || self.listeners.iter().any(|l| l.protocol.is_tls())
    }

    /// Whether a client needs to know the CA. True as well where no listener takes it, which is another error.
    pub fn speaks_tls_with(&self, client: &Client) -> bool {
        client.auth.iter().any(|auth| {
            let listener = self.listener_for(*auth);
            listener.is_none_or(|l| l.protocol.is_tls())
        })
    }
}
