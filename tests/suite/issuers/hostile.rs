//! Answers of a CA elsewhere that are not what was asked for: none of them becomes an identity.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kpki::issuer::{CertificateRequest, Closed, Issuer, IssuerError};
use kpki::pki::{Certificate, KeyAlgorithm, Kind, LeafSpec, sha256};
use kpki::policy::{IssuerSettings, StepCaSettings, VaultSettings};
use kpki::secret::Secret;
use kpki::state::OutDir;
use rayon::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType, SerialNumber,
};
use serde_json::{Value, json};

use super::far::{Ca, Sign, TOKEN, step_answer, step_ca, vault, vault_answer};
use crate::support::http::{Answer, Server, json};
use crate::support::step_ca::PASSWORD;

/// Longer than any refusal takes, the waits between attempts included.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine: how its answers are made, and its server.
#[derive(Clone, Copy)]
struct Far {
    name: &'static str,
    answer: fn(&str) -> Value,
    start: fn(Arc<Ca>, Box<Sign>) -> Server,
}

const VAULT: Far = Far {
    name: "vault",
    answer: vault_answer,
    start: vault,
};
const STEP_CA: Far = Far {
    name: "step_ca",
    answer: step_answer,
    start: step_ca,
};

fn leaf(kind: Kind) -> LeafSpec {
    LeafSpec {
        name: "kafka1".parse().unwrap(),
        kind,
        hosts: vec![
            "kafka1.example.com".parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
        ],
        key: KeyAlgorithm::EcdsaP256,
        days: 30,
    }
}

/// An engine that is opened to sign.
fn open(far: Far, ca: &Ca, url: String) -> Box<dyn Issuer> {
    let (settings, secret) = match far.name {
        "vault" => (
            IssuerSettings::Vault(VaultSettings {
                url,
                mount: "pki".to_owned(),
                role: "kafka".to_owned(),
                namespace: None,
                token_file: None,
                ca_file: None,
                root_file: None,
            }),
            TOKEN,
        ),
        _ => (
            IssuerSettings::StepCa(StepCaSettings {
                url,
                fingerprint: sha256(ca.root.der()),
                provisioner: "kpki".to_owned(),
                password_file: None,
            }),
            PASSWORD,
        ),
    };
    let closed = Closed::of(&OutDir::new("/nonexistent"), &settings).unwrap();
    let chain = closed.authorities().unwrap();
    assert_eq!(chain.last().unwrap().der, *ca.root.der());
    let secret = Secret::new(secret.to_owned());
    closed.open(&chain[0], &chain[..1], Some(&secret)).unwrap()
}

/// What becomes of one answer.
fn ask(far: Far, kind: Kind, sign: Box<Sign>) -> Result<Certificate, IssuerError> {
    let ca = Arc::new(Ca::new());
    let server = (far.start)(Arc::clone(&ca), sign);
    let issuer = open(far, &ca, server.url());
    let (leaf, key) = (leaf(kind), KeyAlgorithm::EcdsaP256.generate().unwrap());
    let request = CertificateRequest::new(&leaf, &key);
    let begin = Instant::now();
    let mut answers = issuer.sign(&[request], time::OffsetDateTime::now_utc());
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!(answers.len(), 1);
    answers.remove(0).map(|issued| issued.certificate)
}

/// Refused, in one line of bearable length that steers no terminal.
fn refused(far: Far, what: &str, kind: Kind, sign: Box<Sign>) {
    match ask(far, kind, sign) {
        Ok(certificate) => panic!("{}, {what}: {certificate:?}", far.name),
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.len() < 2_000 && !text.contains(char::is_control),
                "{what}: {text:?}"
            );
            assert!(
                !text.contains(TOKEN) && !text.contains(PASSWORD),
                "{what}: {text}"
            );
        }
    }
}

#[test]
fn an_honest_answer_is_taken() {
    for far in [VAULT, STEP_CA] {
        for kind in [Kind::Broker, Kind::Client] {
            let answer = far.answer;
            let sign = move |ca: &Ca, csr: &str| json(201, &answer(&ca.sign(csr, &|_| ())));
            let certificate = ask(far, kind, Box::new(sign)).unwrap();
            assert_eq!(certificate.subject, "CN=kafka1");
        }
    }
}

type Change = fn(&mut CertificateParams);

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// Certificates for the right key and of the right CA that say something else.
const CHANGES: &[(&str, Change)] = &[
    ("another name", |p| {
        p.distinguished_name = Default::default();
        p.distinguished_name.push(DnType::CommonName, "kafka2");
    }),
    ("no name", |p| p.distinguished_name = Default::default()),
    ("a longer name", |p| {
        p.distinguished_name
            .push(DnType::OrganizationName, "Example")
    }),
    ("two names", |p| {
        p.distinguished_name
            .push(DnType::OrganizationalUnitName, "CN=admin")
    }),
    ("a name that steers the terminal", |p| {
        p.distinguished_name = Default::default();
        p.distinguished_name
            .push(DnType::CommonName, "kafka1\u{1b}[2J\n\u{202e}");
    }),
    ("a name with a NUL", |p| {
        p.distinguished_name = Default::default();
        p.distinguished_name
            .push(DnType::CommonName, "kafka1\0.evil");
    }),
    ("an endless name", |p| {
        p.distinguished_name = Default::default();
        p.distinguished_name
            .push(DnType::CommonName, "k".repeat(100_000));
    }),
    ("no hosts", |p| p.subject_alt_names.clear()),
    ("a host less", |p| {
        p.subject_alt_names.pop();
    }),
    ("a host more", |p| {
        p.subject_alt_names.push(dns("evil.example.com"))
    }),
    ("a wildcard", |p| {
        p.subject_alt_names.push(dns("*.example.com"))
    }),
    ("an address more", |p| {
        p.subject_alt_names
            .push(SanType::IpAddress("10.0.0.2".parse().unwrap()));
    }),
    ("thousands of hosts", |p| {
        p.subject_alt_names
            .extend((0..5_000).map(|n| dns(&format!("h{n}.example.com"))));
    }),
    ("a CA", |p| {
        p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)
    }),
    ("no usage", |p| p.extended_key_usages.clear()),
    ("another usage", |p| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]
    }),
    ("a server alone", |p| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
    }),
    ("over", |p| p.not_after = rcgen::date_time_ymd(2020, 1, 1)),
    ("to come", |p| {
        p.not_before = rcgen::date_time_ymd(2050, 1, 1)
    }),
    ("a serial number of zero", |p| {
        p.serial_number = Some(SerialNumber::from_slice(&[0]))
    }),
    ("an endless serial number", |p| {
        p.serial_number = Some(SerialNumber::from_slice(&[1; 200]))
    }),
    ("hosts that are no DER", |p| {
        p.subject_alt_names.clear();
        let san = CustomExtension::from_oid_content(
            &[2, 5, 29, 17],
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        );
        p.custom_extensions.push(san);
    }),
];

#[test]
fn certificates_that_say_something_else_are_refused() {
    let cases: Vec<_> = [VAULT, STEP_CA]
        .into_iter()
        .flat_map(|far| CHANGES.iter().map(move |change| (far, change)))
        .collect();
    assert!(cases.len() >= 44);
    cases.into_par_iter().for_each(|(far, (what, change))| {
        let answer = far.answer;
        let sign = move |ca: &Ca, csr: &str| json(200, &answer(&ca.sign(csr, change)));
        refused(far, what, Kind::Broker, Box::new(sign));
    });
    // For a broker a client's usage is not enough; for a client it is.
    let sign = |ca: &Ca, csr: &str| {
        let client = |p: &mut CertificateParams| {
            p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        };
        json(200, &vault_answer(&ca.sign(csr, &client)))
    };
    refused(VAULT, "a client alone", Kind::Broker, Box::new(sign));
    ask(VAULT, Kind::Client, Box::new(sign)).unwrap();
}

/// What stands where a certificate should.
const TEXTS: &[(&str, fn(&Ca, &str) -> String)] = &[
    ("nothing", |_, _| String::new()),
    ("a word", |_, _| "certificate".to_owned()),
    ("an empty section", |_, _| {
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned()
    }),
    ("no base64", |_, _| {
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n".to_owned()
    }),
    ("no DER", |_, _| {
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()
    }),
    ("a length without an end", |_, _| {
        "-----BEGIN CERTIFICATE-----\nMIT/////\n-----END CERTIFICATE-----\n".to_owned()
    }),
    ("half a section", |ca, csr| {
        ca.sign(csr, &|_| ())[..300].to_owned()
    }),
    ("another section", |ca, csr| {
        ca.sign(csr, &|_| ()).replace("CERTIFICATE", "PRIVATE KEY")
    }),
    ("the request", |_, csr| csr.to_owned()),
    ("the request as a certificate", |_, csr| {
        csr.replace("CERTIFICATE REQUEST", "CERTIFICATE")
    }),
    ("the CA's own", |ca, _| ca.below.pem()),
    ("the root's", |ca, _| ca.root.pem()),
    ("the CA's before the leaf", |ca, csr| {
        ca.below.pem() + &ca.sign(csr, &|_| ())
    }),
    ("one for another key", |ca, csr| {
        let params = CertificateSigningRequestParams::from_pem(csr)
            .unwrap()
            .params;
        ca.sign_for(params, &KeyPair::generate().unwrap(), &|_| ())
    }),
    ("one of another CA of the same name", |_, csr| {
        Ca::new().sign(csr, &|_| ())
    }),
    ("a self-signed one", |_, csr| {
        let params = CertificateSigningRequestParams::from_pem(csr)
            .unwrap()
            .params;
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    }),
];

/// Whole bodies of answers with a good status.
const BODIES: &[(&str, &str)] = &[
    ("nothing", ""),
    ("no JSON", "<html>Welcome</html>"),
    ("half of it", "{\"data\": {\"certificate\": \"-----BEGIN"),
    ("null", "null"),
    ("a number", "1e999"),
    ("a text", "\"crt\""),
    ("a list", "[[], {}]"),
    ("an empty object", "{}"),
    ("other types", "{\"data\": [], \"crt\": 5}"),
    (
        "null where a text is",
        "{\"data\": {\"certificate\": null}, \"crt\": null}",
    ),
    (
        "a list where a text is",
        "{\"data\": {\"certificate\": []}, \"crt\": [\"\"]}",
    ),
    (
        "an object where a text is",
        "{\"data\": {\"certificate\": {}}, \"crt\": {}}",
    ),
    (
        "a number where a text is",
        "{\"data\": {\"certificate\": 7}, \"crt\": 7}",
    ),
    (
        "keys twice",
        "{\"data\": {}, \"data\": {}, \"crt\": \"\", \"crt\": \"\"}",
    ),
    (
        "half a character",
        "{\"crt\": \"\\ud800\", \"data\": {\"certificate\": \"\\ud800\"}}",
    ),
];

/// Whole answers, from their first byte. Those that end early are asked for again, and waited for.
const RAW: &[(&str, &[u8])] = &[
    ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("no status", b"HTTP/1.1\r\n\r\n"),
    ("nothing at all", b""),
    (
        "a body that ends early",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{",
    ),
    (
        "a length that is none",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    ),
    (
        "a chunk that is none",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ),
    (
        "a chunk without an end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{",
    ),
    (
        "a redirect",
        b"HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a wait of years",
        b"HTTP/1.1 400 x\r\nRetry-After: 99999999999\r\nContent-Length: 2\r\n\r\n{}",
    ),
];

#[test]
fn answers_that_are_no_certificate_are_refused() {
    let mut cases: Vec<(Far, &str, Box<Sign>)> = Vec::new();
    for far in [VAULT, STEP_CA] {
        let answer = far.answer;
        for (what, text) in TEXTS {
            let sign = move |ca: &Ca, csr: &str| json(200, &answer(&text(ca, csr)));
            cases.push((far, what, Box::new(sign)));
        }
        for (what, body) in BODIES {
            let sign = move |_: &Ca, _: &str| Answer::Body(200, body.as_bytes().to_vec());
            cases.push((far, what, Box::new(sign)));
        }
        for (what, raw) in RAW {
            cases.push((far, what, Box::new(move |_, _| Answer::Raw(raw.to_vec()))));
        }
        let deep = |_: &Ca, _: &str| Answer::Body(200, b"[".repeat(500_000));
        cases.push((far, "brackets without an end", Box::new(deep)));
        let large = |_: &Ca, _: &str| Answer::Body(200, b" ".repeat(8 << 20));
        cases.push((far, "more than is read", Box::new(large)));
        let bytes = |_: &Ca, _: &str| Answer::Body(200, (0..=255).cycle().take(5_000).collect());
        cases.push((far, "bytes", Box::new(bytes)));
        for status in [204, 302, 400, 401, 403, 404, 418] {
            let says = json!({"errors": ["\u{1b}[2J no ".repeat(500)], "message": "\u{202e}no"});
            cases.push((far, "a refusal", Box::new(move |_, _| json(status, &says))));
        }
    }
    assert!(cases.len() >= 96, "{}", cases.len());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(32)
        .build()
        .unwrap();
    pool.install(|| {
        let each = cases.into_par_iter();
        each.for_each(|(far, what, sign)| refused(far, what, Kind::Broker, sign));
    });
}

#[test]
fn a_certificate_with_one_bit_turned_is_refused() {
    // Every seventh byte, so that all fields have their turn.
    for far in [VAULT, STEP_CA] {
        let ca = Arc::new(Ca::new());
        let turn = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (at, answer) = (Arc::clone(&turn), far.answer);
        let sign = move |ca: &Ca, csr: &str| {
            let good = ca.sign(csr, &|_| ());
            let mut der =
                kpki::keystore::pem::parse_certificates(good.as_bytes()).unwrap()[0].to_vec();
            let at = at.load(std::sync::atomic::Ordering::Relaxed);
            let byte = at * 7 % der.len();
            der[byte] ^= 1 << (at % 8);
            json(
                200,
                &answer(&kpki::keystore::pem::certificates(&[der.into()])),
            )
        };
        let server = (far.start)(Arc::clone(&ca), Box::new(sign));
        let issuer = open(far, &ca, server.url());
        let (leaf, key) = (
            leaf(Kind::Broker),
            KeyAlgorithm::EcdsaP256.generate().unwrap(),
        );
        for at in 0..100 {
            turn.store(at, std::sync::atomic::Ordering::Relaxed);
            let request = CertificateRequest::new(&leaf, &key);
            let answers = issuer.sign(&[request], time::OffsetDateTime::now_utc());
            assert!(answers[0].is_err(), "{}, turn {at}", far.name);
        }
    }
}
