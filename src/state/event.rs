//! The inventory's lines other than certificates: its second format.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::pki::Reason;

/// The version of these lines.
const VERSION: u8 = 2;

/// Something that happened to a certificate, or to the CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A certificate was revoked, or reinstated.
    Revoked(Revocation),
    /// A CRL was signed.
    Crl(CrlIssue),
    /// A rotation of the CA took a step.
    Rotation(RotationStep),
    /// The certificate of the next CA was requested.
    CaRequested(CaRequest),
}

/// The revocation of a certificate, or its reinstatement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The certificate's serial number, lower-case hex.
    pub serial: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// A CRL that was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrlIssue {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Its number.
    pub number: u64,
    /// The subject of the CA that signed it.
    pub issuer: String,
}

/// A step of replacing the CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationStep {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The new phase.
    pub state: String,
    /// The generation of the CA.
    pub generation: u32,
}

/// A request for the certificate of the next CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaRequest {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The requested subject.
    pub subject: String,
}

/// The field that distinguishes the kinds of line.
#[derive(Deserialize)]
struct Head {
    v: u8,
    event: Option<String>,
}

impl Event {
    /// Reads a line. `None`: it is not in this format.
    pub(super) fn parse(line: &str) -> Option<Result<Self, String>> {
        // As kpki itself writes most of them: read once, not twice.
        if line.starts_with(r#"{"v":2,"event":"revoked","#)
            && let Ok(revocation) = serde_json::from_str(line)
        {
            return Some(Ok(Self::Revoked(revocation)));
        }
        let head: Head = serde_json::from_str(line).ok()?;
        let event = match head.v {
            0 | 1 => return None,
            VERSION => head.event.unwrap_or_default(),
            later => {
                return Some(Err(format!(
                    "written in format {later} by a newer version of kpki"
                )));
            }
        };
        let read = match event.as_str() {
            "revoked" => serde_json::from_str(line).map(Self::Revoked),
            "crl" => serde_json::from_str(line).map(Self::Crl),
            "rotation" => serde_json::from_str(line).map(Self::Rotation),
            "ca-requested" => serde_json::from_str(line).map(Self::CaRequested),
            // Any other content is not quoted.
            _ => return Some(Err("an event of a newer version of kpki".to_owned())),
        };
        Some(read.map_err(|e| format!("not a record of an event, at column {}", e.column())))
    }

    /// The event as its line.
    pub(super) fn to_line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u8,
            #[serde(flatten)]
            event: &'a Event,
        }
        let line = Line {
            v: VERSION,
            event: self,
        };
        // Strings, numbers and dates up to the year 9999 always serialize.
        let mut line = serde_json::to_string(&line).unwrap_or_default();
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back() {
        let at = time::macros::datetime!(2026-11-21 12:00 UTC);
        let revoked = Event::Revoked(Revocation {
            at,
            serial: "4a".into(),
            name: "a".into(),
            reason: Reason::KeyCompromise,
        });
        assert_eq!(
            revoked.to_line(),
            "{\"v\":2,\"event\":\"revoked\",\"at\":\"2026-11-21T12:00:00Z\",\"serial\":\"4a\",\"name\":\"a\",\"reason\":\"keyCompromise\"}\n"
        );
        let crl = Event::Crl(CrlIssue {
            at,
            number: 7,
            issuer: "CN=CA".into(),
        });
        let rotation = Event::Rotation(RotationStep {
            at,
            state: "trusting".into(),
            generation: 2,
        });
        let requested = Event::CaRequested(CaRequest {
            at,
            subject: "CN=CA G2".into(),
        });
        for event in [revoked, crl, rotation, requested] {
            assert_eq!(Event::parse(&event.to_line()), Some(Ok(event)));
        }
    }

    #[test]
    fn what_a_later_kpki_wrote_is_not_passed_over() {
        let error = |line: &str| Event::parse(line).unwrap().unwrap_err();
        assert!(
            error(r#"{"v":3,"event":"revoked"}"#).contains("format 3 by a newer version of kpki")
        );
        assert!(error(r#"{"v":2,"event":"secret"}"#).contains("newer version of kpki"));
        assert!(error(r#"{"v":2,"event":"crl"}"#).contains("not a record"));
        assert!(Event::parse(r#"{"v":1,"name":"a"}"#).is_none());
    }
}
