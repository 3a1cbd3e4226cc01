//! What a handshake finds at an address: listeners of every kind, and whatever else may listen there, within its time.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use kpki::probe::{Identity, ProbeError, Served, each, served};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

use crate::support::kpki::Kpki;

const PATIENCE: Duration = Duration::from_secs(2);

/// A server that treats every connection so, until the test ends.
fn serve(treat: impl Fn(TcpStream) + Send + 'static) -> String {
    serve_at(0, treat)
}

fn serve_at(port: u16, treat: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().flatten().for_each(treat));
    address
}

fn ask(address: &str) -> Result<Served, ProbeError> {
    let begun = Instant::now();
    let answer = served(address, "localhost", None, PATIENCE);
    assert!(
        begun.elapsed() < PATIENCE + Duration::from_secs(1),
        "{address}: {answer:?}"
    );
    answer
}

/// The first message of TLS, so that an answer to it is one.
fn greeted(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
}

#[test]
fn whatever_is_no_tls_is_told_apart_and_never_waited_for() {
    let says = |text: &'static [u8]| {
        serve(move |mut stream| {
            greeted(&mut stream);
            let _ = stream.write_all(text);
        })
    };
    let http = ask(&says(b"HTTP/1.1 400 Bad Request\r\n\r\n")).unwrap_err();
    assert_eq!(http, ProbeError::NotTls("HTTP/1.1 400 Bad Request".into()));
    let hostile = ask(&says(b"\x1b]0;x\x07\xff\xfe")).unwrap_err().to_string();
    assert!(!hostile.contains('\u{1b}'), "{hostile:?}");
    // A record that is none inside, one of a version that nobody has, one that promises more than comes.
    for garbage in [
        &b"\x16\x03\x03\x00\x05garba"[..],
        b"\x16\xff\xff\xff\xff\xff\xff",
        b"\x16\x03\x03\x40\x00x",
    ] {
        let error = ask(&says(garbage)).unwrap_err();
        assert!(
            matches!(error, ProbeError::Tls(_) | ProbeError::Cut),
            "{error:?}"
        );
    }
    assert_eq!(
        ask(&says(b"\x15\x03\x03\x00\x02\x02\x28")),
        Err(ProbeError::Alert("handshake_failure".into()))
    );
    // As Kafka does on a listener without TLS: the greeting looks like a request of 369 million bytes.
    let hangs_up = serve(|mut stream| greeted(&mut stream));
    assert_eq!(ask(&hangs_up).unwrap_err(), ProbeError::Closed);
    // Closed with bytes unread, which resets the connection.
    let resets = serve(|stream| {
        std::thread::sleep(Duration::from_millis(
            50 * u64::from(stream.nodelay().is_ok()),
        ))
    });
    assert!(matches!(
        ask(&resets),
        Err(ProbeError::Cut | ProbeError::Closed)
    ));
    assert_eq!(ask("localhost"), Err(ProbeError::Address));
    assert_eq!(ask("localhost:65536"), Err(ProbeError::Address));
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert_eq!(ask(&free.to_string()), Err(ProbeError::Refused));
    assert!(matches!(
        ask("no-such-host.invalid:1"),
        Err(ProbeError::UnknownHost(_) | ProbeError::NoConnection)
    ));
}

#[test]
fn who_says_nothing_or_too_much_or_too_slowly_is_left() {
    let silent = serve(|stream| {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(20));
            drop(stream);
        });
    });
    assert_eq!(ask(&silent).unwrap_err(), ProbeError::Silent);
    let slow = serve(|mut stream| {
        std::thread::spawn(move || {
            // A handshake message of many bytes, one at a time.
            let _ = stream.write_all(b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc");
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        });
    });
    assert_eq!(ask(&slow).unwrap_err(), ProbeError::Slow);
    // Records that mean nothing, without end.
    let flood = serve(|mut stream| {
        greeted(&mut stream);
        let record = [&b"\x16\x03\x03\x40\x00"[..], &[0; 0x4000]].concat();
        while stream.write_all(&record).is_ok() {}
    });
    assert!(matches!(
        ask(&flood),
        Err(ProbeError::TooMuch | ProbeError::Tls(_) | ProbeError::Cut)
    ));
    let begun = Instant::now();
    let all = each(&[(); 60], |()| {
        served(&silent, "x", None, Duration::from_secs(1))
    });
    assert!(
        all.iter().all(|a| matches!(a, Err(ProbeError::Silent))),
        "{all:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "one after the other"
    );
}

fn key_and_chain(kpki: &Kpki, name: &str) -> (Vec<u8>, Vec<CertificateDer<'static>>) {
    let read = |end: &str| std::fs::read(kpki.path(format!("out/{name}/{name}.{end}"))).unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(&read("key")).unwrap();
    let certificates = read("crt");
    let chain = CertificateDer::pem_slice_iter(&certificates);
    let key = key.secret_pkcs8_der().to_vec();
    (key, chain.map(Result::unwrap).collect())
}

/// A server with the certificate that kafka1 has now, and goes on to have until the test ends.
pub fn serve_kafka1(kpki: &Kpki, port: u16) {
    broker(kpki, &TLS13, true, port);
}

/// A server with kafka1's certificate that wants one of a client, as a broker does.
fn broker(
    kpki: &Kpki,
    version: &'static SupportedProtocolVersion,
    wants: bool,
    port: u16,
) -> String {
    let (key, chain) = key_and_chain(kpki, "kafka1");
    let ca = std::fs::read(kpki.path("out/ca/ca.crt")).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&ca).unwrap())
        .unwrap();
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .unwrap();
    let builder = match wants {
        true => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .unwrap(),
        ),
        false => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    serve_at(port, move |mut stream| {
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        let _ = connection.complete_io(&mut stream);
    })
}

#[test]
fn a_listener_shows_its_certificate_whether_it_likes_its_guest_or_not() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Probe CA,O=Example"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    kpki.ok(&["issue", "--client", "alice"]);
    let (key, chain) = key_and_chain(&kpki, "alice");
    let alice = Identity {
        key_pkcs8: &key,
        chain: &chain,
    };
    let (_, expected) = key_and_chain(&kpki, "kafka1");
    for (version, name) in [(&TLS13, "TLSv1.3"), (&TLS12, "TLSv1.2")] {
        for (wants, identity) in [(false, None), (true, None), (true, Some(alice))] {
            let address = broker(&kpki, version, wants, 0);
            // A name that TLS cannot ask for is no reason to see nothing.
            for asked in ["localhost", "127.0.0.1", "under_score", "123"] {
                let shown = served(&address, asked, identity, PATIENCE).unwrap();
                assert_eq!(shown.chain, expected, "{name} {wants}");
                assert_eq!(shown.protocol, name);
                assert!(shown.cipher.starts_with("TLS_"), "{}", shown.cipher);
                assert!(shown.proved);
                assert_eq!(shown.leaf().unwrap().subject, "CN=kafka1");
                let authorities = wants.then(|| vec!["CN=Probe CA G1,O=Example".to_owned().into()]);
                assert_eq!(shown.client_authorities, authorities);
            }
        }
    }
}

/// Whoever has seen a certificate can send it; only its owner can sign a handshake.
#[test]
fn a_certificate_without_its_key_proves_nothing() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "kafka2"]);
    let (_, stolen) = key_and_chain(&kpki, "kafka1");
    let (key, _) = key_and_chain(&kpki, "kafka2");
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&PrivateKeyDer::from(
        PrivatePkcs8KeyDer::from(key),
    ));
    let certified = rustls::sign::CertifiedKey::new(stolen, signer.unwrap());
    for version in [&TLS13, &TLS12] {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth();
        let resolver = rustls::sign::SingleCertAndKey::from(certified.clone());
        let config = Arc::new(config.with_cert_resolver(Arc::new(resolver)));
        let address = serve(move |mut stream| {
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            let _ = connection.complete_io(&mut stream);
        });
        let error = served(&address, "localhost", None, PATIENCE).unwrap_err();
        assert!(matches!(error, ProbeError::Tls(_)), "{error:?}");
    }
}
