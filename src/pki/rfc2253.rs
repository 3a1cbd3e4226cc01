//! X.500 names as Java prints them, which is the form that Kafka starts from.

use x509_parser::asn1_rs::{Any, FromDer};

use super::hex;

/// A name that cannot be printed as Java would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DerNameError {
    /// The bytes are not the DER of a Name (RFC 5280, section 4.1.2.4).
    #[error("the certificate's name is not valid DER")]
    Malformed,
    /// An attribute type with a component beyond 64 bits.
    #[error("the certificate's name has an attribute type that is too large to print")]
    AttributeType,
}

/// The attribute types that Java knows by keyword in RFC 2253 text (`sun.security.x509.AVAKeyword`).
const KEYWORDS: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// The identifier octets of the types that Java prints as text: UTF8String, PrintableString, T61String, IA5String,
/// GeneralString and BMPString. It reads the bytes of all of them as UTF-8.
const TEXTS: [u8; 6] = [0x0c, 0x13, 0x14, 0x16, 0x1b, 0x1e];

/// Prints the DER of a Name as `X500Principal.getName()` does: the last part first, attribute types without a keyword
/// as `1.2.840.113549.1.9.1=#16…`, and RFC 2253's special characters after a backslash.
pub fn rfc2253(name: &[u8]) -> Result<String, DerNameError> {
    let sequence = only(name, 0x30)?;
    let mut parts = Vec::new();
    for set in split(sequence)? {
        let attributes = split(only(set, 0x31)?)?;
        let attributes: Result<Vec<_>, _> = attributes.into_iter().map(attribute).collect();
        parts.push(attributes?.join("+"));
    }
    parts.reverse();
    Ok(parts.join(","))
}

/// The first attribute type, with its `=`, that is in no name as Java prints it: `emailAddress=` or `cn=`.
pub fn never_printed(name: &str) -> Option<&str> {
    let mut escaped = false;
    let mut parts = name.split(|c| {
        let ends = matches!(c, ',' | '+') && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    parts.find_map(|part| {
        let (kind, value) = part.split_once('=')?;
        let known = KEYWORDS.iter().any(|(_, keyword)| *keyword == kind);
        let number = kind.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let printed = known || number && value.starts_with('#');
        (!printed).then(|| &part[..=kind.len()])
    })
}

/// The contents of the single value in `der`, which must have this identifier octet.
fn only(der: &[u8], identifier: u8) -> Result<&[u8], DerNameError> {
    match Any::from_der(der) {
        Ok(([], any)) if der.first() == Some(&identifier) => Ok(any.data),
        _ => Err(DerNameError::Malformed),
    }
}

/// The consecutive values in `der`, each with its header.
fn split(mut der: &[u8]) -> Result<Vec<&[u8]>, DerNameError> {
    let mut values = Vec::new();
    while !der.is_empty() {
        let (rest, _) = Any::from_der(der).map_err(|_| DerNameError::Malformed)?;
        values.push(&der[..der.len() - rest.len()]);
        der = rest;
    }
    Ok(values)
}

/// `CN=alice`, from an AttributeTypeAndValue.
fn attribute(der: &[u8]) -> Result<String, DerNameError> {
    let [oid, value] = split(only(der, 0x30)?)?[..] else {
        return Err(DerNameError::Malformed);
    };
    let oid = dotted(only(oid, 0x06)?)?;
    let keyword = KEYWORDS.iter().find(|(known, _)| *known == oid);
    match (keyword, value.first()) {
        (Some((_, keyword)), Some(&identifier)) if TEXTS.contains(&identifier) => {
            let text = java_text(only(value, identifier)?);
            Ok(format!("{keyword}={}", escape(&text)))
        }
        _ => {
            let kind = keyword.map_or(&*oid, |(_, keyword)| keyword);
            Ok(format!("{kind}=#{}", hex(value)))
        }
    }
}

/// An object identifier's contents in dotted text. (asn1-rs reads the first two components of 2.999 and the like as one
/// byte.)
fn dotted(contents: &[u8]) -> Result<String, DerNameError> {
    let mut components = Vec::new();
    let mut value: u64 = 0;
    let mut begun = false;
    for &byte in contents {
        // A component is written in as few bytes as it needs (X.690, 8.19.2).
        if !begun && byte == 0x80 {
            return Err(DerNameError::Malformed);
        }
        begun = byte & 0x80 != 0;
        let shifted = value.checked_mul(128).ok_or(DerNameError::AttributeType)?;
        value = shifted | u64::from(byte & 0x7f);
        if !begun {
            if components.is_empty() {
                // The first two share a number (8.19.4).
                let first = (value / 40).min(2);
                components.push(first.to_string());
                value -= first * 40;
            }
            components.push(value.to_string());
            value = 0;
        }
    }
    if begun || components.is_empty() {
        return Err(DerNameError::Malformed);
    }
    Ok(components.join("."))
}

/// Reads UTF-8 as Java does. Invalid bytes become U+FFFD as in Rust, but half a surrogate pair becomes a single one
/// instead of one for each byte.
fn java_text(bytes: &[u8]) -> String {
    let mut tidied = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (0xed, [0xa0..=0xbf, after @ ..]) => {
                tidied.push(0xff);
                rest = match after {
                    [0x80..=0xbf, after @ ..] => after,
                    _ => after,
                };
            }
            _ => tidied.push(*byte),
        }
    }
    String::from_utf8_lossy(&tidied).into_owned()
}

/// Puts a backslash before the special characters of RFC 2253, section 2.4, and, as Java does, before `=`, `#` and
/// leading and trailing carriage returns.
fn escape(text: &str) -> String {
    let blank = |c| matches!(c, ' ' | '\r');
    let end = text.trim_end_matches(blank).len();
    let start = text.len() - text.trim_start_matches(blank).len();
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c == '\0' {
            escaped.push_str("\\00");
            continue;
        }
        if at < start || at >= end || ",=+<>#;\"\\".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        assert!(value.len() < 128);
        [&[tag, value.len() as u8], value].concat()
    }

    fn named(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let attribute = tlv(0x30, &[tlv(0x06, oid), tlv(tag, value)].concat());
        tlv(0x31, &attribute)
    }

    const CN: &[u8] = &[0x55, 4, 3];

    fn cn(tag: u8, value: &[u8]) -> String {
        rfc2253(&tlv(0x30, &named(CN, tag, value))).unwrap()
    }

    /// The expected texts are what Java 17 prints for these bytes.
    #[test]
    fn names_are_printed_as_java_prints_them() {
        assert_eq!(
            cn(0x0c, "Zoë, Inc. + \"x\"=<a>;#\\".as_bytes()),
            r#"CN=Zoë\, Inc. \+ \"x\"\=\<a\>\;\#\\"#
        );
        assert_eq!(cn(0x13, b"  a b "), r"CN=\ \ a b\ ");
        assert_eq!(cn(0x0c, b"  "), r"CN=\ \ ");
        assert_eq!(cn(0x0c, b""), "CN=");
        assert_eq!(cn(0x0c, b"a\0b"), r"CN=a\00b");
        assert_eq!(cn(0x1e, b"\0a\0b"), r"CN=\00a\00b");
        assert_eq!(cn(0x14, b"\xe9a"), "CN=\u{fffd}a");
        assert_eq!(cn(0x0c, b"\xed\xa0\x80\xed\xa0a"), "CN=\u{fffd}\u{fffd}a");
        assert_eq!(cn(0x1c, b"\0a\0b"), "CN=#1c0400610062");
        assert_eq!(cn(0x12, b"12"), "CN=#12023132");
        assert_eq!(rfc2253(&[0x30, 0]).unwrap(), "");
    }

    #[test]
    fn the_last_part_comes_first_and_unknown_types_are_hexadecimal() {
        let email = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
        let both = tlv(
            0x31,
            &[
                tlv(0x30, &[tlv(6, &[0x55, 4, 10]), tlv(0x0c, b"O")].concat()),
                tlv(0x30, &[tlv(6, &[0x55, 4, 11]), tlv(0x0c, b"U")].concat()),
            ]
            .concat(),
        );
        let name = [named(&email, 0x16, b"x@y"), both, named(CN, 0x0c, b"a")].concat();
        assert_eq!(
            rfc2253(&tlv(0x30, &name)).unwrap(),
            "CN=a,O=O+OU=U,1.2.840.113549.1.9.1=#1603784079"
        );
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        let good = tlv(0x30, &named(CN, 0x0c, b"a"));
        let trailing = [&good[..], &[0]].concat();
        for wrong in [
            &[][..],
            &[0x30],
            &good[1..],
            &good[..good.len() - 1],
            &trailing,
            &[0x31, 0],
        ] {
            assert_eq!(rfc2253(wrong), Err(DerNameError::Malformed), "{wrong:x?}");
        }
        let huge = named(
            &[
                0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
            0x0c,
            b"a",
        );
        assert_eq!(rfc2253(&tlv(0x30, &huge)), Err(DerNameError::AttributeType));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(der in proptest::collection::vec(any::<u8>(), 0..60), flips in any::<[(u8, u8); 3]>()) {
            let _ = rfc2253(&der);
            let mut near = tlv(0x30, &named(CN, 0x0c, &der));
            for (at, bits) in flips {
                let at = at as usize % near.len();
                near[at] ^= bits;
            }
            let _ = rfc2253(&near);
        }
    }
}
