//! Which listeners accept which clients.

use super::{Auth, Client, ClientAuth, Cluster, Listener, Mode, SecurityProtocol};

impl Listener {
    /// True if it accepts this authentication method. With a password, it may require a certificate besides.
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

    /// True if a client with this authentication method can use it, with or without a certificate to present.
    pub fn admits(&self, auth: Auth, certificate: bool) -> bool {
        self.serves(auth) && (certificate || auth == Auth::Tls || !self.requires_certificate())
    }

    /// Whether nobody can connect without a certificate.
    pub fn requires_certificate(&self) -> bool {
        self.protocol.is_tls() && self.client_auth == ClientAuth::Required
    }
}

impl Cluster {
    /// The first listener that a client with this authentication method can use, with or without a certificate to
    /// present.
    pub fn listener_for(&self, auth: Auth, certificate: bool) -> Option<&Listener> {
        self.listeners.iter().find(|l| l.admits(auth, certificate))
    }

    /// Whether its nodes need certificates: for a listener, or for the controllers, which always use TLS.
    pub fn speaks_tls(&self) -> bool {
        self.mode == Mode::Kraft || self.listeners.iter().any(|l| l.protocol.is_tls())
    }

    /// Whether a client needs the CA. Also true if no listener accepts it, which is a separate error.
    pub fn speaks_tls_with(&self, client: &Client) -> bool {
        let certificate = client.auth.contains(&Auth::Tls);
        client.auth.iter().any(|auth| {
            let listener = self.listener_for(*auth, certificate);
            listener.is_none_or(|l| l.protocol.is_tls())
        })
    }
}
