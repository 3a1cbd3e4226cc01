//! Distinguished names as RFC 2253 / RFC 4514 text, the form in which Java and Kafka print them.

use std::{fmt, str::FromStr};

/// An attribute type that a kpki subject may have, with Java's keyword for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the keywords of RFC 4514 §3 and RFC 2253 §2.3")]
pub enum Attribute {
    CN,
    OU,
    O,
    L,
    ST,
    STREET,
    C,
    DC,
    UID,
}

impl Attribute {
    const ALL: [(Self, &'static str); 9] = [
        (Self::CN, "CN"),
        (Self::OU, "OU"),
        (Self::O, "O"),
        (Self::L, "L"),
        (Self::ST, "ST"),
        (Self::STREET, "STREET"),
        (Self::C, "C"),
        (Self::DC, "DC"),
        (Self::UID, "UID"),
    ];

    /// The upper bound of RFC 5280 appendix A.1 on the value, in characters.
    fn max_len(self) -> usize {
        match self {
            Self::CN | Self::OU | Self::O => 64,
            Self::C => 2,
            Self::L | Self::ST | Self::STREET => 128,
            Self::DC | Self::UID => 255,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::ALL
            .iter()
            .find(|(a, _)| a == self)
            .map_or(Ok(()), |(_, text)| f.write_str(text))
    }
}

/// A distinguished name with a CN and at most one value of each attribute, most specific first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dn(Vec<(Attribute, String)>);

/// Why a text is not a valid subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnError {
    /// A component without `=`.
    #[error("`{0}` is not a KEY=value component of a subject")]
    NoEquals(String),
    /// An attribute that is not in the list.
    #[error("unknown subject attribute `{0}`; known: CN, OU, O, L, ST, STREET, C, DC, UID")]
    UnknownAttribute(String),
    /// The same attribute twice.
    #[error("the subject has {0} twice; only one of each is supported")]
    Twice(Attribute),
    /// No CN to which the generation number could be appended.
    #[error("the subject has no CN")]
    NoCommonName,
    /// An empty or overlong value, or one that the attribute's syntax does not allow.
    #[error("the subject's {0} {1}")]
    BadValue(Attribute, &'static str),
    /// `+`, which joins several attributes in one RDN.
    #[error("the subject contains `+`; write `\\+` for a literal plus sign")]
    MultiValued,
    /// A backslash that escapes nothing.
    #[error("the subject has a backslash that escapes nothing")]
    BadEscape,
}

impl Dn {
    /// A name that consists only of a CN.
    pub fn common_name(cn: &str) -> Result<Self, DnError> {
        check(Attribute::CN, cn)?;
        Ok(Self(vec![(Attribute::CN, cn.to_owned())]))
    }

    /// The same name with ` G<n>` appended to its CN, so that two generations of a CA never share a DN: Java picks a
    /// chain's issuer only by DN and may serve the wrong one.
    pub fn with_generation(&self, generation: u32) -> Result<Self, DnError> {
        self.with_suffix(&format!(" G{generation}"))
    }

    /// The same name without the generation at the end of its CN, and that generation.
    pub fn without_generation(&self) -> (Self, Option<u32>) {
        let mut dn = self.clone();
        let mut found = None;
        for (attribute, value) in &mut dn.0 {
            if *attribute == Attribute::CN
                && let Some((base, number)) = value.rsplit_once(" G")
                && number.bytes().all(|b| b.is_ascii_digit())
                && let Ok(generation) = number.parse()
            {
                found = Some(generation);
                *value = base.to_owned();
            }
        }
        (dn, found)
    }

    /// The same name with `suffix` appended to its CN, for an intermediate CA.
    pub fn with_suffix(&self, suffix: &str) -> Result<Self, DnError> {
        let mut dn = self.clone();
        for (attribute, value) in &mut dn.0 {
            if *attribute == Attribute::CN {
                value.push_str(suffix);
                check(Attribute::CN, value)?;
            }
        }
        Ok(dn)
    }

    /// In rcgen's form: in the order of the DER, which is the reverse of the text (RFC 4514 §2.1).
    pub fn to_rcgen(&self) -> rcgen::DistinguishedName {
        use rcgen::{DnType, DnValue};
        let mut name = rcgen::DistinguishedName::new();
        for (attribute, value) in self.0.iter().rev() {
            let kind = match attribute {
                Attribute::CN => DnType::CommonName,
                Attribute::OU => DnType::OrganizationalUnitName,
                Attribute::O => DnType::OrganizationName,
                Attribute::L => DnType::LocalityName,
                Attribute::ST => DnType::StateOrProvinceName,
                Attribute::C => DnType::CountryName,
                Attribute::STREET => DnType::CustomDnType(vec![2, 5, 4, 9]),
                Attribute::DC => DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 25]),
                Attribute::UID => DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 1]),
            };
            // C is a PrintableString and DC an IA5String (RFC 5280 appendix A.1); `check` saw to the characters.
            let value = match attribute {
                Attribute::C => value.as_str().try_into().map(DnValue::PrintableString).ok(),
                Attribute::DC => value.as_str().try_into().map(DnValue::Ia5String).ok(),
                _ => None,
            }
            .unwrap_or_else(|| DnValue::Utf8String(value.clone()));
            name.push(kind, value);
        }
        name
    }
}

fn check(attribute: Attribute, value: &str) -> Result<(), DnError> {
    let bad = |why| Err(DnError::BadValue(attribute, why));
    if value.trim().is_empty() {
        return bad("is empty");
    }
    if value.chars().any(char::is_control) {
        return bad("contains a control character");
    }
    if value.chars().count() > attribute.max_len() {
        return bad("is longer than X.520 allows (CN, OU, O: 64 characters, C: 2)");
    }
    match attribute {
        Attribute::C if value.len() != 2 || !value.bytes().all(|b| b.is_ascii_uppercase()) => {
            bad("must be a two-letter country code in capitals")
        }
        Attribute::DC if !value.is_ascii() => bad("must be ASCII"),
        _ => Ok(()),
    }
}

/// Splits at commas that no backslash escapes, resolving escapes; RFC 4514 §3.
fn components(text: &str) -> Result<Vec<String>, DnError> {
    let mut parts = vec![Vec::new()];
    let mut bytes = text.bytes().peekable();
    let unhex = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    while let Some(byte) = bytes.next() {
        let part = match parts.last_mut() {
            Some(part) => part,
            None => return Err(DnError::NoCommonName),
        };
        match byte {
            b',' | b';' => parts.push(Vec::new()),
            b'+' => return Err(DnError::MultiValued),
            b'\\' => match bytes.next() {
                Some(
                    c @ (b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' | b'=' | b' ' | b'#'),
                ) => part.push(c),
                Some(high) => {
                    let low = bytes.next().and_then(unhex);
                    match (unhex(high), low) {
                        (Some(high), Some(low)) => part.push(high << 4 | low),
                        _ => return Err(DnError::BadEscape),
                    }
                }
                None => return Err(DnError::BadEscape),
            },
            other => part.push(other),
        }
    }
    parts
        .into_iter()
        .map(|p| String::from_utf8(p).map_err(|_| DnError::BadEscape))
        .collect()
}

impl FromStr for Dn {
    type Err = DnError;

    fn from_str(text: &str) -> Result<Self, DnError> {
        let mut dn: Vec<(Attribute, String)> = Vec::new();
        for part in components(text)? {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| DnError::NoEquals(part.trim().to_owned()))?;
            let (key, value) = (key.trim(), value.trim());
            let attribute = Attribute::ALL
                .iter()
                .find(|(_, name)| name.eq_ignore_ascii_case(key))
                .map(|(a, _)| *a)
                .ok_or_else(|| DnError::UnknownAttribute(key.to_owned()))?;
            check(attribute, value)?;
            if dn.iter().any(|(a, _)| *a == attribute) {
                return Err(DnError::Twice(attribute));
            }
            dn.push((attribute, value.to_owned()));
        }
        if dn.iter().all(|(a, _)| *a != Attribute::CN) {
            return Err(DnError::NoCommonName);
        }
        Ok(Self(dn))
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (attribute, value)) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{attribute}=")?;
            let last = value.chars().count().saturating_sub(1);
            for (at, c) in value.chars().enumerate() {
                let escape = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
                    || (c == '#' && at == 0)
                    || (c == ' ' && (at == 0 || at == last));
                if escape {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_round_trips_and_takes_a_generation() {
        let dn: Dn = "CN=Quickstart CA, O=Example\\, Inc.,C=DE".parse().unwrap();
        assert_eq!(dn.to_string(), "CN=Quickstart CA,O=Example\\, Inc.,C=DE");
        assert_eq!(
            dn.with_generation(2).unwrap().to_string(),
            "CN=Quickstart CA G2,O=Example\\, Inc.,C=DE"
        );
        let second = dn.with_generation(2).unwrap();
        assert_eq!(second.without_generation(), (dn.clone(), Some(2)));
        assert_eq!(dn.without_generation(), (dn, None));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        assert_eq!("O=Example".parse::<Dn>(), Err(DnError::NoCommonName));
        assert_eq!(
            "CN=a,CN=b".parse::<Dn>(),
            Err(DnError::Twice(Attribute::CN))
        );
        assert_eq!("CN=a+O=b".parse::<Dn>(), Err(DnError::MultiValued));
        for text in [
            "",
            "CN",
            "CN=",
            "CN=a,X=b",
            "CN=a,C=Germany",
            "CN=a\\",
            "CN=a\\zz",
            "CN=a\u{7}",
        ] {
            assert!(text.parse::<Dn>().is_err(), "{text}");
        }
        assert!(format!("CN={}", "x".repeat(65)).parse::<Dn>().is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_parses_round_trips(text in "(CN=|O=|,|\\\\|[a-z ;+#\"é]){0,12}") {
            if let Ok(dn) = text.parse::<Dn>() {
                prop_assert_eq!(dn.to_string().parse::<Dn>().unwrap(), dn);
            }
        }
    }
}
