//! Who can read a store, and why not. Each sentence is held by a test with the program that it is about, where that can be
//! had (`tests/suite/store_inspect.rs`).

use serde::Serialize;

use super::{Family, Integrity, Opened, StoreError, StoreKind};
use crate::{printable::Printable, secret::Secret};

/// Who can read a store, so that Kafka's clients and brokers can use what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Readable {
    /// Every Java 8.
    pub java8: bool,
    /// Java 17 and later.
    pub java17: bool,
    /// OpenSSL 3 with what it loads by default.
    pub openssl3: bool,
    /// librdkafka 2, which is OpenSSL 3.
    pub librdkafka: bool,
}

/// The answer as it comes together.
struct Verdict {
    readable: Readable,
    notes: Vec<String>,
}

impl Verdict {
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn no_java(&mut self, why: &str) {
        (self.readable.java8, self.readable.java17) = (false, false);
        self.note(why);
    }

    fn no_openssl(&mut self, why: &str) {
        (self.readable.openssl3, self.readable.librdkafka) = (false, false);
        self.note(why);
    }
}

/// Judges a store that was opened with this password.
pub(super) fn judge(opened: &Opened, password: Option<&Secret>) -> (Readable, Vec<String>) {
    let mut verdict = Verdict {
        readable: Readable {
            java8: true,
            java17: true,
            openssl3: true,
            librdkafka: true,
        },
        notes: Vec::new(),
    };
    match opened.kind {
        StoreKind::Pkcs12 => pkcs12(opened, password, &mut verdict),
        StoreKind::Pem => pem(opened, &mut verdict),
        StoreKind::Jks | StoreKind::Jceks => sun(opened, &mut verdict),
    }
    let protection = &opened.protection;
    if protection.hidden {
        verdict.note("what is encrypted was not read: that needs the store's password");
    } else if password.is_none() && protection.integrity != Integrity::None {
        verdict.note("the integrity check was left out: that needs the store's password");
    }
    if protection.key_password {
        own_password(opened.kind, &mut verdict);
    } else {
        locked(opened, password, &mut verdict);
    }
    (verdict.readable, verdict.notes)
}

fn locked(opened: &Opened, password: Option<&Secret>, verdict: &mut Verdict) {
    for key in &opened.contents.locked {
        let alias = Printable(&key.alias);
        let note = match &key.why {
            StoreError::WrongPassword if password.is_none() => {
                format!("the key `{alias}` was not opened: that needs the password")
            }
            StoreError::WrongPassword if opened.kind == StoreKind::Pem => {
                format!("the password does not open the key `{alias}`")
            }
            StoreError::WrongPassword => {
                own_password(opened.kind, verdict);
                format!("the key `{alias}` was not opened: its password is not that of the store")
            }
            other => format!("the key `{alias}` was not opened: {other}"),
        };
        verdict.notes.push(note);
    }
}

fn own_password(kind: StoreKind, verdict: &mut Verdict) {
    match kind {
        StoreKind::Pkcs12 => verdict.no_openssl(
            "a key is under another password than the store: Java needs it as ssl.key.password, OpenSSL and librdkafka try one password for both",
        ),
        _ => verdict.note(
            "a key is under another password than the store: Java needs it as ssl.key.password",
        ),
    }
}

fn sun(opened: &Opened, verdict: &mut Verdict) {
    let kind = opened.kind;
    verdict.no_openssl(&format!(
        "OpenSSL and librdkafka know no {kind}: kpki store convert --to pkcs12 or --to pem makes what they read"
    ));
    if kind == StoreKind::Jceks {
        verdict.note("Java reads JCEKS only where the type is given: ssl.keystore.type=JCEKS");
    }
}

fn pem(opened: &Opened, verdict: &mut Verdict) {
    let contents = &opened.contents;
    verdict.note(
        "of Java programs, Kafka 2.7 and later read PEM (ssl.keystore.type=PEM, ssl.truststore.type=PEM); Java's own key stores do not",
    );
    let unread = opened.protection.keys.iter();
    for form in unread.filter(|key| key.family == Family::Unknown) {
        verdict.no_java(&format!(
            "Kafka reads no private key {}: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW makes one that it reads",
            form.name
        ));
    }
    let encrypted = |family| !matches!(family, Family::Plain | Family::Unknown);
    if opened
        .protection
        .keys
        .iter()
        .any(|key| encrypted(key.family))
    {
        verdict.note("the key is encrypted: Kafka needs ssl.key.password, and so does librdkafka");
    }
    if contents.keys.len() + contents.locked.len() > 1 {
        verdict.no_java("Kafka refuses a PEM file with more than one private key");
    }
    if !contents.keys.is_empty() && !contents.trusted.is_empty() {
        verdict.note(
            "there are certificates beside the key that are not in its chain: Kafka takes every certificate of the file for the chain",
        );
    }
}

fn pkcs12(opened: &Opened, password: Option<&Secret>, verdict: &mut Verdict) {
    let (contents, protection) = (&opened.contents, &opened.protection);
    let ciphers = || protection.keys.iter().chain(&protection.certificates);
    let has = |family| ciphers().any(|cipher| cipher.family == family);
    let keyless = contents.keys.is_empty() && contents.locked.is_empty();
    let newer_mac = matches!(protection.integrity, Integrity::Pkcs12(hash, _) if hash != "SHA-1");
    if has(Family::Pbes2) || newer_mac {
        verdict.readable.java8 = false;
        verdict.note(
            "Java 8 before 8u301 (and Java 11 before 11.0.12) cannot read PBES2 and integrity checks with SHA-256; later ones can",
        );
    }
    if has(Family::Pbes2Other) {
        verdict.no_java("Java knows PBES2 with PBKDF2 and AES of 128 or 256 bits alone");
    }
    if has(Family::Rc) {
        verdict.no_openssl(
            "OpenSSL 3 reads RC2 and RC4 only with its legacy provider (openssl pkcs12 -legacy; librdkafka: ssl.providers=default,legacy)",
        );
    }
    match &protection.integrity {
        Integrity::Pbmac1(..) => {
            verdict.no_java("Java 17 to 25 know no PBMAC1");
            verdict.no_openssl("OpenSSL reads PBMAC1 from 3.4 on");
        }
        Integrity::Unknown => {
            verdict.no_java("the integrity check is of an unknown kind");
            (verdict.readable.openssl3, verdict.readable.librdkafka) = (false, false);
        }
        _ => {}
    }
    if has(Family::Unknown) {
        verdict.no_java("a part is encrypted in a way that kpki does not know");
        (verdict.readable.openssl3, verdict.readable.librdkafka) = (false, false);
    }
    if password.is_some_and(|password| !password.expose().is_ascii()) {
        verdict.no_java("Java takes no PKCS12 password with a character beyond ASCII");
    }
    if keyless && contents.trusted.is_empty() && !contents.ignored.is_empty() {
        verdict.no_java(
            "Java finds nothing in it: its certificates lack the attribute for trusted ones (2.16.840.1.113894.746875.1.1); kpki trust add makes a truststore of them",
        );
    } else if !contents.ignored.is_empty() {
        verdict.note(
            "Java shows no certificate that is neither in a key's chain nor has the attribute for trusted ones (2.16.840.1.113894.746875.1.1)",
        );
    }
    let encrypted = |family| family != Family::Plain;
    let certificates = &protection.certificates;
    if !contents.trusted.is_empty() && certificates.iter().any(|c| encrypted(c.family)) {
        verdict.note("without ssl.truststore.password, Java reads it as empty");
    }
    if keyless && !protection.hidden {
        verdict.readable.librdkafka = false;
        verdict.note(
            "librdkafka reads CAs as PEM alone (ssl.ca.location): kpki store convert --to pem makes what it reads",
        );
    }
    if contents.keys.len() > 1 {
        verdict.note("of several keys, OpenSSL and librdkafka take one");
    }
}
