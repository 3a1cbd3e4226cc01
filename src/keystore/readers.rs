//! Which programs can read a store, and if not, why. `tests/suite/store_inspect.rs` checks this with the programs
//! themselves where possible.

use serde::Serialize;

use super::{Family, Integrity, Opened, StoreError, StoreKind};
use crate::{printable::Printable, secret::Secret};

/// Which programs can read a store, and use it for Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Readable {
    /// Java 8, every update.
    pub java8: bool,
    /// Java 17 and later.
    pub java17: bool,
    /// OpenSSL 3 with its default provider.
    pub openssl3: bool,
    /// librdkafka 2 with OpenSSL 3.
    pub librdkafka: bool,
}

/// The result so far.
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
        verdict.note("encrypted entries were not read, because the store's password was not given");
    } else if password.is_none() && protection.integrity != Integrity::None {
        verdict.note("the integrity was not checked, because the store's password was not given");
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
                format!("the key `{alias}` was not decrypted, because no password was given")
            }
            StoreError::WrongPassword if opened.kind == StoreKind::Pem => {
                format!("the password does not decrypt the key `{alias}`")
            }
            StoreError::WrongPassword => {
                own_password(opened.kind, verdict);
                format!(
                    "the key `{alias}` was not decrypted: its password is different from that of the store"
                )
            }
            other => format!("the key `{alias}` was not decrypted: {other}"),
        };
        verdict.notes.push(note);
    }
}

fn own_password(kind: StoreKind, verdict: &mut Verdict) {
    match kind {
        StoreKind::Pkcs12 => verdict.no_openssl(
            "a key has a different password from the store: Java needs it as ssl.key.password, but OpenSSL and librdkafka use one password for both",
        ),
        _ => verdict.note(
            "a key has a different password from the store: Java needs it as ssl.key.password",
        ),
    }
}

fn sun(opened: &Opened, verdict: &mut Verdict) {
    let kind = opened.kind;
    verdict.no_openssl(&format!(
        "OpenSSL and librdkafka do not support {kind}: convert it with kpki store convert --to pkcs12 or --to pem"
    ));
    if kind == StoreKind::Jceks {
        verdict.note("Java reads JCEKS only if the type is set: ssl.keystore.type=JCEKS");
    }
}

fn pem(opened: &Opened, verdict: &mut Verdict) {
    let contents = &opened.contents;
    verdict.note(
        "Java itself does not read PEM stores; Kafka 2.7 and later do (ssl.keystore.type=PEM, ssl.truststore.type=PEM)",
    );
    let unread = opened.protection.keys.iter();
    for form in unread.filter(|key| key.family == Family::Unknown) {
        verdict.no_java(&format!(
            "Kafka does not read a private key {}: convert it with openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW",
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
        verdict.note("the key is encrypted: Kafka and librdkafka need ssl.key.password");
    }
    if contents.keys.len() + contents.locked.len() > 1 {
        verdict.no_java("Kafka refuses a PEM file with more than one private key");
    }
    if !contents.keys.is_empty() && !contents.trusted.is_empty() {
        verdict.note(
            "the file contains certificates that are not in the key's chain: Kafka uses all certificates of the file as the chain",
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
            "Java 8 before 8u301 and Java 11 before 11.0.12 do not support PBES2 or integrity checks with SHA-256; later versions do",
        );
    }
    if has(Family::Pbes2Other) {
        verdict.no_java("Java supports PBES2 only with PBKDF2 and AES of 128 or 256 bits");
    }
    if has(Family::Rc) {
        verdict.no_openssl(
            "OpenSSL 3 reads RC2 and RC4 only with its legacy provider (openssl pkcs12 -legacy; librdkafka: ssl.providers=default,legacy)",
        );
    }
    match &protection.integrity {
        Integrity::Pbmac1(..) => {
            verdict.no_java("Java 17 to 25 do not support PBMAC1");
            verdict.no_openssl("OpenSSL supports PBMAC1 only from version 3.4");
        }
        Integrity::Unknown => {
            verdict.no_java("the integrity check uses an unknown algorithm");
            (verdict.readable.openssl3, verdict.readable.librdkafka) = (false, false);
        }
        _ => {}
    }
    if has(Family::Unknown) {
        verdict.no_java("a part is encrypted with an algorithm that kpki does not support");
        (verdict.readable.openssl3, verdict.readable.librdkafka) = (false, false);
    }
    if password.is_some_and(|password| !password.expose().is_ascii()) {
        verdict.no_java("Java does not accept a PKCS12 password with characters outside ASCII");
    }
    if keyless && contents.trusted.is_empty() && !contents.ignored.is_empty() {
        verdict.no_java(
            "Java reads it as empty, because its certificates lack the attribute for trusted certificates (2.16.840.1.113894.746875.1.1); kpki trust add writes a truststore that Java can read",
        );
    } else if !contents.ignored.is_empty() {
        verdict.note(
            "Java does not show certificates that are not in a key's chain and lack the attribute for trusted certificates (2.16.840.1.113894.746875.1.1)",
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
            "librdkafka reads CA certificates only as PEM (ssl.ca.location): convert it with kpki store convert --to pem",
        );
    }
    if contents.keys.len() > 1 {
        verdict.note("the store has several keys; OpenSSL and librdkafka use only one of them");
    }
}
