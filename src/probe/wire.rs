//! A connection with a deadline and a byte limit, and what its failures mean.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::{Duration, Instant},
};

use rustls::AlertDescription;

use super::ProbeError;
use crate::printable::Printable;

/// Larger than any handshake: rustls accepts 64 KiB of certificates.
const LARGEST: usize = 256 * 1024;
/// How much of an answer is kept for the message.
const SHOWN: usize = 32;

pub(super) struct Wire {
    stream: TcpStream,
    deadline: Instant,
    received: usize,
    begins: Vec<u8>,
}

impl Wire {
    /// Connects to the first address of the name that accepts the connection.
    pub(super) fn connect(address: &str, deadline: Instant) -> Result<Self, ProbeError> {
        let (host, port) = address.rsplit_once(':').ok_or(ProbeError::Address)?;
        let port: u16 = port.parse().map_err(|_| ProbeError::Address)?;
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let addresses = resolve(inner.unwrap_or(host), port, deadline)?;
        let mut failed = ProbeError::UnknownHost("it has no address".to_owned());
        for (at, address) in addresses.iter().enumerate() {
            // An unreachable address must leave time for the others.
            let left = left(deadline).map_err(|_| ProbeError::NoConnection)?;
            let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
                Ok(stream) => {
                    return Ok(Self {
                        stream,
                        deadline,
                        received: 0,
                        begins: Vec::new(),
                    });
                }
                Err(error) => {
                    failed = match error.kind() {
                        ErrorKind::ConnectionRefused => ProbeError::Refused,
                        ErrorKind::TimedOut | ErrorKind::WouldBlock => ProbeError::NoConnection,
                        _ => ProbeError::Unreachable(error.to_string()),
                    }
                }
            }
        }
        Err(failed)
    }

    /// Replaces the deadline.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// The meaning of this error, or of the connection's end, in a handshake.
    pub(super) fn failure(&self, error: Option<io::Error>) -> ProbeError {
        let inner = error.as_ref().and_then(io::Error::get_ref);
        if inner.is_some_and(|e| e.is::<TooMuch>()) {
            return ProbeError::TooMuch;
        }
        // The five kinds of records (RFC 8446 §5.1).
        if self.begins.first().is_some_and(|b| !(20..=24).contains(b)) {
            let text = String::from_utf8_lossy(&self.begins).into_owned();
            return ProbeError::NotTls(Printable(text.trim_end()).to_string());
        }
        if let Some(tls) = inner.and_then(|e| e.downcast_ref::<rustls::Error>()) {
            return match tls {
                rustls::Error::AlertReceived(alert) => ProbeError::Alert(name(*alert)),
                other => ProbeError::Tls(other.to_string()),
            };
        }
        match (error.map(|e| e.kind()), self.received) {
            (Some(ErrorKind::TimedOut), 0) => ProbeError::Silent,
            (Some(ErrorKind::TimedOut), _) => ProbeError::Slow,
            (None | Some(ErrorKind::UnexpectedEof), 0) => ProbeError::Closed,
            _ => ProbeError::Cut,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("too much")]
struct TooMuch;

/// The time left, never zero, which would mean no timeout.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// The system's resolver has no timeout: it may keep running in its thread.
fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, ProbeError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (sender, receiver) = sync_channel(1);
    let name = host.to_owned();
    std::thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        let _ = sender.send(found.map(Iterator::collect::<Vec<_>>));
    });
    let left = left(deadline).map_err(|_| ProbeError::NoConnection)?;
    match receiver.recv_timeout(left) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(ProbeError::UnknownHost(error.to_string())),
        Err(RecvTimeoutError::Timeout) => Err(ProbeError::NoConnection),
        Err(RecvTimeoutError::Disconnected) => Err(ProbeError::UnknownHost("no answer".into())),
    }
}

/// `handshake_failure`, as RFC 8446 §6 writes it.
fn name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for c in format!("{alert:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// Gives timeouts the same error kind on every system.
fn timed<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    })
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        let count = timed(self.stream.read(into))?;
        let room = SHOWN - self.begins.len();
        self.begins.extend(&into[..count.min(room)]);
        self.received += count;
        match self.received > LARGEST {
            true => Err(io::Error::other(TooMuch)),
            false => Ok(count),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        timed(self.stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_specification() {
        assert_eq!(
            name(AlertDescription::HandshakeFailure),
            "handshake_failure"
        );
        assert_eq!(name(AlertDescription::ProtocolVersion), "protocol_version");
    }
}
