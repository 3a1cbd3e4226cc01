//! Old servers: rustls supports neither TLS before 1.2 nor cipher suites with CBC, DHE or plain RSA, and a server that
//! has nothing else only reports a failed handshake. So kpki sends it a ClientHello like that of a client from 2012.

use std::{
    io::{Read, Write},
    time::Instant,
};

use super::wire::Wire;

/// What an old server speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldTls {
    /// `TLS 1.0`; `TLS 1.2` if only its cipher suites are old.
    pub version: &'static str,
}

/// Cipher suites from before TLS 1.3: ECDHE and DHE, then plain RSA, each with AES, and 3DES.
const SUITES: [u16; 24] = [
    0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013,
    0x009f, 0x009e, 0x006b, 0x0067, 0x0039, 0x0033, 0x009d, 0x009c, 0x0035, 0x002f, 0x000a, 0x00ff,
];

/// A ClientHello of TLS 1.2 (RFC 5246 §7.4.1.2), in a record.
fn hello(server_name: &str) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, body: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(vector(body));
    };
    // Longer names are not valid; IP addresses are not sent.
    let is_name = server_name.len() < 254 && server_name.parse::<std::net::IpAddr>().is_err();
    if is_name && server_name.is_ascii() && !server_name.is_empty() {
        let entry = [&[0][..], &vector(server_name.as_bytes())].concat();
        extension(0, &vector(&entry));
    }
    // P-256, P-384, P-521; uncompressed points; RSA and ECDSA with SHA-1 and SHA-2.
    extension(10, &vector(&[0, 23, 0, 24, 0, 25]));
    extension(11, &[1, 0]);
    let schemes = [4, 1, 4, 3, 5, 1, 5, 3, 6, 1, 6, 3, 2, 1, 2, 3];
    extension(13, &vector(&schemes));

    let suites: Vec<u8> = SUITES
        .iter()
        .flat_map(|suite| suite.to_be_bytes())
        .collect();
    let mut body = vec![3, 3];
    // The "random" of a connection that carries nothing and ends with the answer.
    body.extend([0x4b; 32]);
    body.push(0);
    body.extend(vector(&suites));
    body.extend([1, 0]);
    body.extend(vector(&extensions));
    let message = [&[1, 0][..], &vector(&body)].concat();
    [&[22, 3, 1][..], &vector(&message)].concat()
}

/// Bytes prefixed with their length in two octets, which is enough for all of these.
fn vector(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes()[..], bytes].concat()
}

/// Sends the ClientHello; `None` if the answer is not a ServerHello.
pub(super) fn ask(address: &str, server_name: &str, deadline: Instant) -> Option<OldTls> {
    let mut wire = Wire::connect(address, deadline).ok()?;
    wire.write_all(&hello(server_name)).ok()?;
    let mut answer = [0; 11];
    wire.read_exact(&mut answer).ok()?;
    read(&answer)
}

/// Reads the version in a record with a ServerHello.
fn read(answer: &[u8; 11]) -> Option<OldTls> {
    let version = match *answer {
        [22, 3, _, _, _, 2, _, _, _, 3, minor] => match minor {
            0 => "SSL 3.0",
            1 => "TLS 1.0",
            2 => "TLS 1.1",
            3 => "TLS 1.2",
            _ => return None,
        },
        _ => return None,
    };
    Some(OldTls { version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_add_up_whatever_the_name() {
        for name in ["kafka1.example.com", "10.0.0.1", "", &"x".repeat(300)] {
            let hello = hello(name);
            let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
            let message = usize::from(u16::from_be_bytes([hello[7], hello[8]]));
            assert_eq!((record, message), (hello.len() - 5, hello.len() - 9));
        }
    }

    #[test]
    fn only_a_server_hello_is_one() {
        let tls = |version, minor| {
            let answer = [22, 3, 1, 0, 80, 2, 0, 0, 76, 3, minor];
            assert_eq!(read(&answer).map(|old| old.version), version);
        };
        tls(Some("TLS 1.0"), 1);
        tls(Some("TLS 1.1"), 2);
        tls(None, 9);
        assert_eq!(read(b"\x15\x03\x01\x00\x02\x02\x46\x00\x00\x00\x00"), None);
        assert_eq!(read(b"HTTP/1.1 40"), None);
    }
}
