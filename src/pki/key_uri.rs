//! The PKCS#11 URI (RFC 7512) of a key in a token.

use std::{fmt, path::PathBuf, str::FromStr};

/// A PKCS#11 URI that names one key: `pkcs11:token=kpki;object=ca?module-path=/usr/lib/softhsm/libsofthsm2.so`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUri {
    text: String,
    /// The token's label.
    pub token: Option<String>,
    /// The token's serial number.
    pub serial: Option<String>,
    /// The key's label.
    pub object: Option<String>,
    /// The key's id.
    pub id: Option<Vec<u8>>,
    /// The PKCS#11 library for the token.
    pub module: PathBuf,
    /// The file with the token's PIN.
    pub pin_file: Option<PathBuf>,
}

/// Why a text is not such a URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyUriError {
    /// It begins differently.
    #[error("it does not begin with `pkcs11:`")]
    Scheme,
    /// Something that is not of the form `name=value`.
    #[error("`{0}` is not of the form name=value")]
    Form(String),
    /// An attribute that kpki does not know.
    #[error(
        "unknown attribute `{0}`; known are token, serial, object, id, module-path and pin-source"
    )]
    Unknown(String),
    /// An attribute that occurs twice.
    #[error("`{0}` occurs twice")]
    Twice(String),
    /// The PIN itself.
    #[error(
        "it contains the PIN, which must stay secret: name a file that contains it, pin-source=file:/path"
    )]
    Pin,
    /// A value that cannot be read.
    #[error("the value of `{0}` is not valid")]
    Value(String),
    /// No key is named.
    #[error("it does not name a key: add object=LABEL or id=%01")]
    NoKey,
    /// No token is named.
    #[error("it does not name a token: add token=LABEL or serial=NUMBER")]
    NoToken,
    /// No library is named.
    #[error(
        "it does not name a library: add ?module-path=/usr/lib/softhsm/libsofthsm2.so, or that of your token"
    )]
    NoModule,
}

impl FromStr for KeyUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, KeyUriError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(KeyUriError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut token, mut serial, mut object, mut id) = (None, None, None, None);
        let (mut module, mut pin) = (None, None);
        let parts = path.split(';').chain(query.split('&'));
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| KeyUriError::Form(part.to_owned()))?;
            let invalid = || KeyUriError::Value(name.to_owned());
            let place = match name {
                "token" => &mut token,
                "serial" => &mut serial,
                "object" => &mut object,
                "id" => &mut id,
                "module-path" => &mut module,
                "pin-source" => &mut pin,
                "pin-value" => return Err(KeyUriError::Pin),
                // It always names a private key.
                "type" if value == "private" => continue,
                _ => return Err(KeyUriError::Unknown(name.to_owned())),
            };
            let bytes = percent_decoded(value).filter(|bytes| !bytes.is_empty());
            if place.replace(bytes.ok_or_else(invalid)?).is_some() {
                return Err(KeyUriError::Twice(name.to_owned()));
            }
        }
        let text_of = |name: &str, bytes: Option<Vec<u8>>| {
            let text = bytes.map(String::from_utf8).transpose();
            text.ok()
                .filter(|text| !text.iter().any(|t| t.chars().any(char::is_control)))
                .ok_or_else(|| KeyUriError::Value(name.to_owned()))
        };
        let path_of = |name: &str, bytes: Option<Vec<u8>>| {
            let Some(text) = text_of(name, bytes)? else {
                return Ok(None);
            };
            let path = text.strip_prefix("file:").unwrap_or(&text);
            // `file:///etc/pin` is the long form of `file:/etc/pin`.
            let path = path.strip_prefix("//").unwrap_or(path);
            match path.starts_with('/') {
                true => Ok(Some(PathBuf::from(path))),
                false => Err(KeyUriError::Value(name.to_owned())),
            }
        };
        let found = Self {
            text: text.to_owned(),
            token: text_of("token", token)?,
            serial: text_of("serial", serial)?,
            object: text_of("object", object)?,
            id,
            module: path_of("module-path", module)?.ok_or(KeyUriError::NoModule)?,
            pin_file: path_of("pin-source", pin)?,
        };
        if found.object.is_none() && found.id.is_none() {
            return Err(KeyUriError::NoKey);
        }
        if found.token.is_none() && found.serial.is_none() {
            return Err(KeyUriError::NoToken);
        }
        Ok(found)
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// RFC 3986 §2.1; nothing else than printable ASCII stands in a URI.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            b if b.is_ascii_graphic() => b,
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_uri_says_is_read() {
        let text = "pkcs11:token=My%20Token;object=ca;id=%01%ff;type=private?pin-source=file:/run/pin&module-path=/usr/lib/x.so";
        let uri: KeyUri = text.parse().unwrap();
        assert_eq!(uri.token.as_deref(), Some("My Token"));
        assert_eq!(uri.object.as_deref(), Some("ca"));
        assert_eq!(uri.id, Some(vec![1, 255]));
        assert_eq!(uri.pin_file, Some("/run/pin".into()));
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let module = "?module-path=/x.so";
        for (text, word) in [
            ("", "begin"),
            ("pkcs11", "begin"),
            ("pkcs11:", "library"),
            (&format!("pkcs11:{module}"), "not name a key"),
            (&format!("pkcs11:object=ca{module}"), "not name a token"),
            (&format!("pkcs11:token=t{module}"), "not name a key"),
            ("pkcs11:token=t;object=ca", "library"),
            (&format!("pkcs11:token=t;object{module}"), "name=value"),
            (&format!("pkcs11:token=t;object={module}"), "object"),
            (
                &format!("pkcs11:token=t;object=a;object=b{module}"),
                "twice",
            ),
            (&format!("pkcs11:token=t;object=%zz{module}"), "object"),
            (&format!("pkcs11:token=t;object=%4{module}"), "object"),
            (&format!("pkcs11:token=t;object=%ff{module}"), "object"),
            (&format!("pkcs11:token=t;object=%0a{module}"), "object"),
            (&format!("pkcs11:token=t;object=a b{module}"), "object"),
            (
                &format!("pkcs11:token=t;object=a{module}&pin-value=1"),
                "the PIN",
            ),
            (
                &format!("pkcs11:token=t;object=a{module}&pin-source=pin"),
                "pin-source",
            ),
            (
                &format!("pkcs11:token=t;object=a{module}&pin-source=|cat"),
                "pin-source",
            ),
            (&format!("pkcs11:token=t;object=a;x=y{module}"), "`x`"),
            ("pkcs11:token=t;object=a?module-path=x.so", "module-path"),
        ] {
            let error = text.parse::<KeyUri>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(pkcs11:)?\\PC{0,60}") {
            let _ = text.parse::<KeyUri>();
        }
    }
}
