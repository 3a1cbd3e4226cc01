//! PEM (RFC 7468): keys, certificates, and Kafka's one-file keystore (KIP-651). LF line endings, 64 columns.

use pkcs8::der::pem::{LineEnding, encode_string};
use rustls_pki_types::{
    CertificateDer,
    pem::{PemObject, SectionKind},
};
use zeroize::Zeroizing;

use super::{StoreError, chain};
use crate::secret::Secret;

/// A PKCS#8 key as `PRIVATE KEY`, unencrypted: with PKCS#8 encrypted under PBES1, the only form of a key that
/// Kafka's `DefaultSslEngineFactory` reads.
///
/// # Errors
/// [`StoreError::Key`] if the bytes are not PKCS#8; PKCS#1 and SEC1 are not.
pub fn key(key_pkcs8: &[u8]) -> Result<Secret, StoreError> {
    pkcs8::PrivateKeyInfoRef::try_from(key_pkcs8).map_err(|_| StoreError::Key)?;
    Ok(Secret::new(section("PRIVATE KEY", key_pkcs8)))
}

/// Certificates in the given order, one `CERTIFICATE` section after the other.
pub fn certificates(chain: &[CertificateDer<'_>]) -> String {
    chain
        .iter()
        .map(|der| section("CERTIFICATE", der))
        .collect()
}

/// A certificate request (PKCS#10).
pub fn request(der: &[u8]) -> String {
    section("CERTIFICATE REQUEST", der)
}

/// A certificate revocation list.
pub fn crl(der: &[u8]) -> String {
    section("X509 CRL", der)
}

/// Kafka's PEM key store (`ssl.keystore.type=PEM`, KIP-651): the key, then its chain, in one file.
///
/// # Errors
/// If the key is not PKCS#8, does not match the first certificate, or the chain is not in order.
pub fn keystore(key_pkcs8: &[u8], chain: &[CertificateDer<'_>]) -> Result<Secret, StoreError> {
    chain::check(key_pkcs8, chain)?;
    let key = key(key_pkcs8)?;
    let chain = certificates(chain);
    // Allocated with the final size, so that growing leaves no copy of the key in memory.
    let mut text = String::with_capacity(key.expose().len() + chain.len());
    text.push_str(key.expose());
    text.push_str(&chain);
    Ok(Secret::new(text))
}

/// Every certificate of a PEM text, in its order; other sections and text around them are skipped.
///
/// # Errors
/// If there is none, one is not an X.509 certificate, or the text is damaged.
pub fn parse_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let mut certs = Vec::new();
    for (kind, mut der) in sections(text)? {
        if kind == SectionKind::Certificate {
            let cert = CertificateDer::from(std::mem::take(&mut *der));
            chain::parse(certs.len() + 1, &cert)?;
            certs.push(cert);
        }
    }
    if certs.is_empty() {
        return Err(StoreError::NoPem("certificate"));
    }
    Ok(certs)
}

/// The one PKCS#8 key of a PEM text, as DER; certificates and text around it are skipped.
///
/// # Errors
/// If there is none or more than one, or if it is in a form that Kafka does not read: encrypted, PKCS#1 or SEC1.
pub fn parse_key(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut found = None;
    for (kind, der) in sections(text)? {
        match kind {
            SectionKind::PrivateKey if found.is_some() => return Err(StoreError::TwoKeys),
            SectionKind::PrivateKey => found = Some(der),
            SectionKind::RsaPrivateKey => return Err(StoreError::KeyForm("PKCS#1")),
            SectionKind::EcPrivateKey => return Err(StoreError::KeyForm("SEC1")),
            _ => {}
        }
    }
    let key = match found {
        Some(key) => key,
        None if contains(text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
            return Err(StoreError::KeyForm("encrypted"));
        }
        None => return Err(StoreError::NoPem("private key")),
    };
    pkcs8::PrivateKeyInfoRef::try_from(key.as_slice()).map_err(|_| StoreError::Key)?;
    Ok(key)
}

/// True if a text contains a PEM section.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    contains(bytes, b"-----BEGIN ")
}

/// The one private key of a PEM text in any form, as DER, and whether it is encrypted PKCS#8.
///
/// # Errors
/// If there is none or more than one, or it is encrypted in OpenSSL's traditional format (RFC 1421 headers).
pub(super) fn any_key(text: &[u8]) -> Result<(Zeroizing<Vec<u8>>, bool), StoreError> {
    const LABEL: &str = "PRIVATE KEY-----";
    if contains(text, b"Proc-Type: 4,ENCRYPTED") {
        return Err(StoreError::UnreadKey(
            "encrypted in OpenSSL's traditional format",
        ));
    }
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    // The parser does not know its label.
    let plain = Zeroizing::new(text.replace(&format!("ENCRYPTED {LABEL}"), LABEL));
    let encrypted = plain.len() != text.len();
    let mut found = None;
    for (kind, der) in sections(plain.as_bytes())? {
        let is_key = matches!(
            kind,
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
        );
        if is_key && found.replace(der).is_some() {
            return Err(StoreError::TwoKeys);
        }
    }
    let key = found.ok_or(StoreError::NoPem("private key"))?;
    Ok((key, encrypted))
}

/// The one certificate request of a PEM text, as DER; keytool's label for it is accepted as well.
///
/// # Errors
/// If there is none or more than one, or if there is also a private key, which should never have left its machine.
pub fn parse_request(text: &[u8]) -> Result<Vec<u8>, StoreError> {
    const LABEL: &str = "CERTIFICATE REQUEST-----";
    let text = String::from_utf8_lossy(text).replace(&format!("NEW {LABEL}"), LABEL);
    if text.contains("PRIVATE KEY-----") {
        return Err(match text.contains(LABEL) {
            true => StoreError::KeyWithRequest,
            false => StoreError::KeyNotRequest,
        });
    }
    let mut found = None;
    for (kind, mut der) in sections(text.as_bytes())? {
        if kind == SectionKind::Csr && found.replace(std::mem::take(&mut *der)).is_some() {
            return Err(StoreError::TwoRequests);
        }
    }
    found.ok_or(StoreError::NoPem("certificate request"))
}

/// Every certificate, request and CRL of a PEM text, as DER, in order; keys and text around them are skipped. The content
/// is not parsed.
///
/// # Errors
/// If the text is damaged.
pub fn objects(text: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let text = String::from_utf8_lossy(text)
        .replace("NEW CERTIFICATE REQUEST-----", "CERTIFICATE REQUEST-----");
    let wanted = [SectionKind::Certificate, SectionKind::Csr, SectionKind::Crl];
    let sections = sections(text.as_bytes())?.into_iter();
    let found = sections.filter(|(kind, _)| wanted.contains(kind));
    Ok(found
        .map(|(_, mut der)| std::mem::take(&mut *der))
        .collect())
}

/// The maximum number of sections: a hundred times the CAs that a JDK trusts, read in a second or two.
const MAX_SECTIONS: usize = 10_000;

type Section = (SectionKind, Zeroizing<Vec<u8>>);

/// The sections of a PEM text with known labels.
///
/// RFC 7468 §2 requires that text around them is ignored. The parser works line by line, so each boundary is first put
/// on a line of its own: concatenated files without a final newline, byte order marks and indented text are common, and
/// would otherwise silently lose a certificate of the chain.
fn sections(text: &[u8]) -> Result<Vec<Section>, StoreError> {
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    let text = Zeroizing::new(text.replace("-----BEGIN ", "\n-----BEGIN "));
    let text = Zeroizing::new(text.replace("-----END ", "\n-----END "));
    <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes())
        .enumerate()
        .map(|(at, section)| {
            if at >= MAX_SECTIONS {
                return Err(StoreError::TooManySections(MAX_SECTIONS));
            }
            let (kind, der) = section.map_err(|e| StoreError::DamagedPem(describe(&e)))?;
            Ok((kind, Zeroizing::new(der)))
        })
        .collect()
}

/// The parser's own messages quote bytes of the text, and could quote a key.
fn describe(error: &rustls_pki_types::pem::Error) -> String {
    use rustls_pki_types::pem::Error;
    match error {
        Error::MissingSectionEnd { .. } => "a section has no END line".into(),
        Error::IllegalSectionStart { .. } => "a BEGIN line does not end in five dashes".into(),
        Error::Base64Decode(_) => "a section is not base64".into(),
        Error::SectionTooLarge => "a section is too large".into(),
        _ => "it cannot be read".into(),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn section(label: &str, der: &[u8]) -> String {
    #[expect(
        clippy::expect_used,
        reason = "fails on a bad label, and these are constants, or on 2^63 bytes"
    )]
    encode_string(label, LineEnding::LF, der).expect("a valid label and a length in memory")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keystore::fixture::identity;

    /// RFC 8410 §10.3: an Ed25519 key, its bytes and its PEM text.
    const RFC_8410_KEY: [u8; 48] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20, 0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69,
        0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44,
        0x75, 0x58, 0x42,
    ];
    const RFC_8410_PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

    #[test]
    fn a_key_is_written_and_read_as_rfc_8410_shows_it() {
        assert_eq!(key(&RFC_8410_KEY).unwrap().expose(), RFC_8410_PEM);
        let read = parse_key(RFC_8410_PEM.as_bytes()).unwrap();
        assert_eq!(read.as_slice(), RFC_8410_KEY);
        assert_eq!(key(&RFC_8410_KEY[2..]), Err(StoreError::Key));
    }

    #[test]
    fn certificates_read_back_in_order_and_lines_are_64_wide() {
        let chain = identity("kafka1").chain;
        let text = certificates(&chain);
        assert_eq!(parse_certificates(text.as_bytes()).unwrap(), chain);
        assert!(!text.contains('\r') && text.ends_with("-----END CERTIFICATE-----\n"));
        let body: Vec<_> = text
            .lines()
            .take_while(|l| !l.contains("END"))
            .skip(1)
            .collect();
        let (last, full) = body.split_last().unwrap();
        assert!(full.iter().all(|l| l.len() == 64) && last.len() <= 64);
    }

    #[test]
    fn a_kafka_key_store_is_the_key_then_the_chain() {
        let x = identity("kafka1");
        let text = keystore(&x.key, &x.chain).unwrap();
        let expected = key(&x.key).unwrap().expose().to_owned() + &certificates(&x.chain);
        assert_eq!(text.expose(), expected);
        assert_eq!(*parse_key(text.expose().as_bytes()).unwrap(), x.key);
        assert_eq!(
            parse_certificates(text.expose().as_bytes()).unwrap(),
            x.chain
        );
        let other = identity("kafka2");
        assert_eq!(
            keystore(&x.key, &other.chain),
            Err(StoreError::KeyMismatch("CN=kafka2".into()))
        );
    }

    #[test]
    fn text_around_sections_and_careless_joins_lose_no_certificate() {
        let chain = identity("kafka1").chain;
        let plain = certificates(&chain);
        for text in [
            plain.replace('\n', "\r\n"),
            plain.replace("-----\n-----", "----------"),
            format!("\u{feff}{plain}"),
            plain.lines().map(|l| format!("    {l}  \n")).collect(),
            plain.trim_end().to_owned(),
            format!("Bag Attributes\n    friendlyName: kafka1\nsubject=CN=kafka1\n{plain}\nend\n"),
            format!("{RFC_8410_PEM}{plain}"),
            plain.replace("-----BEGIN", "key: |\n-----BEGIN"),
        ] {
            assert_eq!(
                parse_certificates(text.as_bytes()).unwrap(),
                chain,
                "{text}"
            );
        }
    }

    #[test]
    fn a_text_has_a_limited_number_of_sections() {
        let texts = |n| RFC_8410_PEM.repeat(n);
        assert_eq!(
            sections(texts(MAX_SECTIONS).as_bytes()).unwrap().len(),
            MAX_SECTIONS
        );
        assert_eq!(
            sections(texts(MAX_SECTIONS + 1).as_bytes()).unwrap_err(),
            StoreError::TooManySections(MAX_SECTIONS)
        );
    }

    #[test]
    fn texts_without_a_usable_certificate_say_what_is_wrong() {
        let read = |text: &str| parse_certificates(text.as_bytes()).unwrap_err().to_string();
        let good = certificates(&identity("x").chain[..1]);
        assert_eq!(read(""), "the PEM text contains no certificate");
        assert_eq!(read(RFC_8410_PEM), "the PEM text contains no certificate");
        assert_eq!(
            read(good.split("-----END").next().unwrap()),
            "the PEM text is damaged: a section has no END line"
        );
        assert_eq!(
            read(&good.replace("MII", "MI*")),
            "the PEM text is damaged: a section is not base64"
        );
        let not_x509 = RFC_8410_PEM.replace("PRIVATE KEY", "CERTIFICATE");
        let message = read(&format!("{good}{not_x509}"));
        assert!(
            message.starts_with("certificate 2 is not an X.509 certificate"),
            "{message}"
        );
    }

    #[test]
    fn key_forms_that_kafka_does_not_read_are_named() {
        let read = |label: &str| {
            let text = RFC_8410_PEM.replace("PRIVATE KEY", label);
            parse_key(text.as_bytes()).unwrap_err()
        };
        assert_eq!(read("RSA PRIVATE KEY"), StoreError::KeyForm("PKCS#1"));
        assert_eq!(read("EC PRIVATE KEY"), StoreError::KeyForm("SEC1"));
        let encrypted = read("ENCRYPTED PRIVATE KEY");
        assert_eq!(encrypted, StoreError::KeyForm("encrypted"));
        assert!(encrypted.hint().unwrap().contains("openssl pkcs8"));
        assert_eq!(read("PUBLIC KEY"), StoreError::NoPem("private key"));
        let twice = RFC_8410_PEM.repeat(2);
        assert_eq!(parse_key(twice.as_bytes()), Err(StoreError::TwoKeys));
    }

    proptest! {
        #[test]
        fn no_text_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_certificates(&bytes), parse_key(&bytes));
        }

        #[test]
        fn no_damaged_text_panics(
            label in "(CERTIFICATE|PRIVATE KEY|EC PRIVATE KEY|X)",
            body in "[A-Za-z0-9+/=\n -]{0,90}",
            dashes in "-{3,6}",
        ) {
            let text = format!("-----BEGIN {label}{dashes}\n{body}\n-----END {label}{dashes}\n");
            let _ = (parse_certificates(text.as_bytes()), parse_key(text.as_bytes()));
        }
    }
}
