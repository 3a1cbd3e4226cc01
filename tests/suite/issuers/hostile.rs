//! Answers of a CA elsewhere that are not what was asked for: none of them becomes an identity.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kpki::issuer::{CertificateRequest, Closed, Issuer, IssuerError};
use kpki::keystore::pem;
use kpki::pki::{Certificate, KeyAlgorithm, Kind, LeafSpec, sha256};
use kpki::policy::{IssuerSettings, StepCaSettings, VaultSettings};
use kpki::secret::Secret;
use kpki::state::OutDir;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
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

/// An engine that is open, and a server that answers as it is told.
struct Asked {
    far: Far,
    issuer: Box<dyn Issuer>,
    sign: Arc<Mutex<Arc<Sign>>>,
    _server: Server,
}

impl Asked {
    fn new(far: Far) -> Self {
        let ca = Arc::new(Ca::new());
        let none: Arc<Sign> = Arc::new(|_: &Ca, _: &str| json(500, &json!({})));
        let sign = Arc::new(Mutex::new(none));
        let now = Arc::clone(&sign);
        let current = move |ca: &Ca, csr: &str| {
            let sign = Arc::clone(&now.lock().unwrap());
            sign(ca, csr)
        };
        let server = (far.start)(Arc::clone(&ca), Box::new(current));
        Self {
            far,
            issuer: open(far, &ca, server.url()),
            sign,
            _server: server,
        }
    }

    /// What becomes of one answer.
    fn ask(
        &self,
        kind: Kind,
        sign: impl Fn(&Ca, &str) -> Answer + Send + Sync + 'static,
    ) -> Result<Certificate, IssuerError> {
        *self.sign.lock().unwrap() = Arc::new(sign);
        let (leaf, key) = (leaf(kind), KeyAlgorithm::EcdsaP256.generate().unwrap());
        let request = CertificateRequest::new(&leaf, &key);
        let begin = Instant::now();
        let now = time::OffsetDateTime::now_utc();
        let mut answers = self.issuer.sign(&[request], now);
        assert!(begin.elapsed() < PATIENCE);
        assert_eq!(answers.len(), 1);
        answers.remove(0).map(|issued| issued.certificate)
    }

    /// Refused, in one line of bearable length that steers no terminal.
    fn refuses(&self, what: &str, sign: impl Fn(&Ca, &str) -> Answer + Send + Sync + 'static) {
        let name = self.far.name;
        match self.ask(Kind::Broker, sign) {
            Ok(certificate) => panic!("{name}, {what}: {certificate:?}"),
            Err(error) => {
                let text = error.to_string();
                assert!(
                    text.len() < 2_000 && !text.contains(char::is_control),
                    "{name}, {what}: {text:?}"
                );
                assert!(
                    !text.contains(TOKEN) && !text.contains(PASSWORD),
                    "{what}: {text}"
                );
            }
        }
    }
}

/// The same for both engines, at once.
fn both(test: impl Fn(Asked) + Sync) {
    std::thread::scope(|scope| {
        for far in [VAULT, STEP_CA] {
            let test = &test;
            scope.spawn(move || test(Asked::new(far)));
        }
    });
}

#[test]
fn an_honest_answer_is_taken() {
    both(|asked| {
        for kind in [Kind::Broker, Kind::Client] {
            let answer = asked.far.answer;
            let sign = move |ca: &Ca, csr: &str| json(201, &answer(&ca.sign(csr, &|_| ())));
            assert_eq!(asked.ask(kind, sign).unwrap().subject, "CN=kafka1");
        }
    });
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
    ("a key that may not sign", |p| {
        p.key_usages = vec![KeyUsagePurpose::KeyAgreement]
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
    assert!(CHANGES.len() >= 23);
    both(|asked| {
        let answer = asked.far.answer;
        for (what, change) in CHANGES {
            asked.refuses(what, move |ca, csr| {
                json(200, &answer(&ca.sign(csr, change)))
            });
        }
        // For a broker a client's usage is not enough; for a client it is.
        let sign = move |ca: &Ca, csr: &str| {
            let client = |p: &mut CertificateParams| {
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            };
            json(200, &answer(&ca.sign(csr, &client)))
        };
        asked.refuses("a client alone", sign);
        asked.ask(Kind::Client, sign).unwrap();
    });
}

/// Made of the CA and a good certificate.
type Text = fn(&Ca, &str) -> String;

/// What stands where a certificate should.
const TEXTS: &[(&str, Text)] = &[
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
    assert!(TEXTS.len() + BODIES.len() + RAW.len() >= 40);
    both(|asked| {
        let answer = asked.far.answer;
        // First, as whoever waited in vain once does not wait again.
        for (what, raw) in RAW {
            asked.refuses(what, |_, _| Answer::Raw(raw.to_vec()));
        }
        for (what, text) in TEXTS {
            asked.refuses(what, move |ca, csr| json(200, &answer(&text(ca, csr))));
        }
        for (what, body) in BODIES {
            asked.refuses(what, |_, _| Answer::Body(200, body.as_bytes().to_vec()));
        }
        asked.refuses("brackets without an end", |_, _| {
            Answer::Body(200, b"[".repeat(500_000))
        });
        asked.refuses("more than is read", |_, _| {
            Answer::Body(200, b" ".repeat(8 << 20))
        });
        asked.refuses("bytes", |_, _| {
            Answer::Body(200, (0..=255).cycle().take(5_000).collect())
        });
        for status in [204, 302, 400, 401, 403, 404, 418] {
            asked.refuses("a refusal", move |_, _| {
                let no = "\u{1b}[2J no ".repeat(500);
                json(status, &json!({"errors": [no], "message": "\u{202e}no"}))
            });
        }
    });
}

#[test]
fn a_certificate_with_one_bit_turned_is_refused() {
    both(|asked| {
        let answer = asked.far.answer;
        // Every seventh byte, so that all fields have their turn.
        for turn in 0..100 {
            asked.refuses(&format!("turn {turn}"), move |ca, csr| {
                let good = ca.sign(csr, &|_| ());
                let der = pem::parse_certificates(good.as_bytes()).unwrap().remove(0);
                let mut der = der.to_vec();
                let byte = turn * 7 % der.len();
                der[byte] ^= 1 << (turn % 8);
                json(200, &answer(&pem::certificates(&[der.into()])))
            });
        }
    });
}
