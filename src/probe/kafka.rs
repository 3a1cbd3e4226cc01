//! The few Kafka requests that are allowed before a login; every broker since 0.10 answers them on every listener.

use std::io::{self, ErrorKind, Read, Write};

use zeroize::Zeroizing;

use super::login::{Login, LoginError};
use crate::{
    printable::Printable,
    scram::{Exchange, Mechanism},
};

/// The largest answer that is read.
const LARGEST: usize = 64 * 1024;

const API_VERSIONS: (i16, i16) = (18, 0);
const SASL_HANDSHAKE: (i16, i16) = (17, 1);
const SASL_AUTHENTICATE: (i16, i16) = (36, 0);

/// `Errors.UNSUPPORTED_SASL_MECHANISM`
const UNSUPPORTED_MECHANISM: i16 = 33;
/// `Errors.ILLEGAL_SASL_STATE`: a listener without SASL.
const ILLEGAL_STATE: i16 = 34;
/// `Errors.SASL_AUTHENTICATION_FAILED`
const AUTHENTICATION_FAILED: i16 = 58;

/// Reads the fields of an answer; none is longer than what is left of it.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(ErrorKind::InvalidData)?;
        self.0 = rest;
        Ok(taken)
    }

    fn i16(&mut self) -> io::Result<i16> {
        let bytes = self.take(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn i32(&mut self) -> io::Result<i32> {
        let bytes = self.take(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A string; empty if it is null.
    fn text(&mut self) -> io::Result<String> {
        let len = usize::try_from(self.i16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let len = usize::try_from(self.i32()?).unwrap_or(0);
        self.take(len)
    }
}

fn text(text: &str) -> Vec<u8> {
    // Only names of mechanisms and of this program, which are short.
    let len = i16::try_from(text.len()).unwrap_or(i16::MAX);
    [&len.to_be_bytes()[..], text.as_bytes()].concat()
}

/// Sends a request, and returns the body of its answer.
fn ask(stream: &mut (impl Read + Write), api: (i16, i16), body: &[u8]) -> io::Result<Vec<u8>> {
    // There is only one request at a time.
    const CORRELATION: i32 = 0x6b70_6b69;
    let mut request = Zeroizing::new(Vec::with_capacity(body.len() + 32));
    request.extend(api.0.to_be_bytes());
    request.extend(api.1.to_be_bytes());
    request.extend(CORRELATION.to_be_bytes());
    request.extend(text("kpki"));
    request.extend(body);
    let len = i32::try_from(request.len()).map_err(|_| ErrorKind::InvalidInput)?;
    stream.write_all(&[&len.to_be_bytes()[..], &request].concat())?;
    stream.flush()?;
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let len = usize::try_from(i32::from_be_bytes(len)).unwrap_or(usize::MAX);
    if !(4..=LARGEST).contains(&len) {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut answer = vec![0; len];
    stream.read_exact(&mut answer)?;
    let body = answer.split_off(4);
    match answer == CORRELATION.to_be_bytes() {
        true => Ok(body),
        false => Err(ErrorKind::InvalidData.into()),
    }
}

/// Checks that this is Kafka, by asking for the requests that it supports.
pub(super) fn is_kafka(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let answer = ask(stream, API_VERSIONS, &[])?;
    let mut fields = Fields(&answer);
    let (error, count) = (fields.i16()?, fields.i32()?);
    // Six octets for each supported request.
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    match error == 0 && count.checked_mul(6) == Some(fields.0.len()) {
        true => Ok(()),
        false => Err(ErrorKind::InvalidData.into()),
    }
}

/// Chooses a mechanism, and returns all that the listener has; `None`: it has no SASL.
fn choose(
    stream: &mut (impl Read + Write),
    mechanism: &str,
) -> io::Result<Option<(bool, Vec<String>)>> {
    let answer = ask(stream, SASL_HANDSHAKE, &text(mechanism))?;
    let mut fields = Fields(&answer);
    let error = fields.i16()?;
    let count = usize::try_from(fields.i32()?).unwrap_or(0);
    let mut offered = Vec::new();
    while offered.len() < count.min(100) {
        offered.push(fields.text()?);
    }
    match error {
        0 => Ok(Some((true, offered))),
        UNSUPPORTED_MECHANISM => Ok(Some((false, offered))),
        ILLEGAL_STATE => Ok(None),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// What a listener says about SASL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sasl {
    pub(super) offered: Vec<String>,
    /// Whether it has the chosen mechanism.
    pub(super) chosen: bool,
}

/// Asks for the mechanisms by choosing this one.
pub(super) fn offered(
    stream: &mut (impl Read + Write),
    mechanism: Mechanism,
) -> io::Result<Option<Sasl>> {
    let answer = choose(stream, mechanism.name())?;
    Ok(answer.map(|(chosen, offered)| Sasl { offered, chosen }))
}

/// Logs in with the chosen mechanism.
pub(super) fn log_in(
    stream: &mut (impl Read + Write),
    login: &Login<'_>,
    mechanism: Mechanism,
) -> Result<(), LoginError> {
    let exchange = Exchange::new(login.user, mechanism, &login.nonce);
    let first = authenticate(stream, exchange.first().as_bytes())?;
    let proof = exchange.prove(&first, login.password)?;
    let last = authenticate(stream, proof.message.as_bytes())?;
    Ok(proof.check(&last)?)
}

fn authenticate(stream: &mut (impl Read + Write), token: &[u8]) -> Result<String, LoginError> {
    let len = i32::try_from(token.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let body = Zeroizing::new([&len.to_be_bytes()[..], token].concat());
    let answer = ask(stream, SASL_AUTHENTICATE, &body)?;
    let mut fields = Fields(&answer);
    let (error, message) = (fields.i16()?, fields.text()?);
    match error {
        0 => Ok(String::from_utf8_lossy(fields.bytes()?).into_owned()),
        AUTHENTICATION_FAILED => {
            let message = Printable(&message).to_string();
            Err(LoginError::Refused(message.chars().take(200).collect()))
        }
        other => Err(LoginError::Failed(format!("Kafka error code {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// What a peer answers, whatever it is asked.
    struct Peer(Cursor<Vec<u8>>);

    impl Read for Peer {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn peer(body: &[u8]) -> Peer {
        let len = u32::try_from(body.len() + 4).unwrap();
        Peer(Cursor::new(
            [&len.to_be_bytes()[..], b"kpki", body].concat(),
        ))
    }

    #[test]
    fn answers_are_read_as_kafka_writes_them() {
        assert!(is_kafka(&mut peer(&[0, 0, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4])).is_ok());
        assert!(is_kafka(&mut peer(&[0, 0, 0, 0, 0, 9, 0, 18, 0, 0, 0, 4])).is_err());
        let offers = b"\0\x21\0\0\0\x02\0\x05PLAIN\0\x0dSCRAM-SHA-256";
        let sasl = offered(&mut peer(offers), Mechanism::Sha512)
            .unwrap()
            .unwrap();
        assert_eq!(
            (sasl.chosen, sasl.offered.join(" ")),
            (false, "PLAIN SCRAM-SHA-256".into())
        );
        let none = offered(&mut peer(b"\0\x22\0\0\0\0"), Mechanism::Sha512);
        assert_eq!(none.unwrap(), None);
        let refused = authenticate(&mut peer(b"\0\x3a\0\x02no\0\0\0\0"), b"x");
        assert_eq!(refused, Err(LoginError::Refused("no".into())));
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            for mut peer in [peer(&bytes), Peer(Cursor::new(bytes.clone()))] {
                let _ = is_kafka(&mut peer);
            }
            let _ = offered(&mut peer(&bytes), Mechanism::Sha256);
            let _ = authenticate(&mut peer(&bytes), b"x");
        }
    }
}
