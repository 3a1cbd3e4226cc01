//! Which Kafka a policy is meant for, and everything in which its releases differ: no other file has a number of one.

use std::{fmt, str::FromStr};

/// A Kafka release, without its patch number: what a broker accepts does not change within a minor release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KafkaVersion {
    /// 4 of 4.3.
    pub major: u16,
    /// 3 of 4.3.
    pub minor: u16,
}

impl KafkaVersion {
    /// The first release that kpki knows: prefixed ACLs are of 2.0.
    pub const OLDEST: KafkaVersion = KafkaVersion::new(2, 0);
    /// The last releases of the major versions that get no more of them.
    const LAST: [KafkaVersion; 2] = [KafkaVersion::new(2, 8), KafkaVersion::new(3, 9)];
    /// kpki knows every release of this major version, those to come included.
    pub const NEWEST_MAJOR: u16 = 4;
    /// The release that is assumed where none is named. Deliberately not 4.4, which matches address ranges:
    /// on a 4.3 broker a `DENY` from `10.0.0.0/8` is stored and has no effect.
    pub const ASSUMED: KafkaVersion = KafkaVersion::new(4, 3);
    /// The first release with KRaft for production.
    pub const FIRST_KRAFT: KafkaVersion = KafkaVersion::new(3, 3);
    /// The last release with ZooKeeper.
    pub const LAST_ZOOKEEPER: KafkaVersion = KafkaVersion::new(3, 9);
    /// The first release with the class `AclAuthorizer` (KIP-504); the one before it went in 3.0.
    pub const ACL_AUTHORIZER: KafkaVersion = KafkaVersion::new(2, 4);
    /// The first release that accepts TLS 1.3's post-handshake messages (KIP-573).
    pub const TLS_1_3: KafkaVersion = KafkaVersion::new(2, 6);
    /// The first release that lets a controller advertise its listener, for `--bootstrap-controller`.
    pub const ADVERTISED_CONTROLLERS: KafkaVersion = KafkaVersion::new(3, 9);
    /// The first release with share groups (KIP-932), which have a topic of their own.
    pub const SHARE_GROUPS: KafkaVersion = KafkaVersion::new(4, 0);
    /// The first release in which Write on a topic includes idempotent writing; before, that needed IdempotentWrite on the
    /// cluster (KIP-679).
    pub const WRITE_IS_IDEMPOTENT: KafkaVersion = KafkaVersion::new(2, 8);
    /// The first release whose groups have a configuration to describe and alter.
    pub const GROUP_CONFIGS: KafkaVersion = KafkaVersion::new(4, 0);
    /// The first release that knows `TwoPhaseCommit` (KIP-939).
    pub const TWO_PHASE_COMMIT: KafkaVersion = KafkaVersion::new(4, 1);
    /// The first release that matches hosts written as ranges (KIP-1276), at metadata version 4.4-IV1.
    pub const HOST_RANGES: KafkaVersion = KafkaVersion::new(4, 4);

    /// What kpki knows, in words.
    pub fn known() -> String {
        let ended = Self::LAST.map(|last| format!("{}.0 to {last}", last.major));
        format!("{} and {}.x", ended.join(", "), Self::NEWEST_MAJOR)
    }

    /// Whether kpki knows it.
    pub fn is_known(self) -> bool {
        let mut last = Self::LAST.iter();
        let is_real = last.all(|last| self.major != last.major || self <= *last);
        is_real && self >= Self::OLDEST && self.major <= Self::NEWEST_MAJOR
    }

    /// The release `major.minor`.
    pub const fn new(major: u16, minor: u16) -> KafkaVersion {
        KafkaVersion { major, minor }
    }
}

impl Default for KafkaVersion {
    fn default() -> Self {
        KafkaVersion::ASSUMED
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that names no Kafka release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Kafka version; write it like `4.3`")]
pub struct NotAVersion(pub String);

impl FromStr for KafkaVersion {
    type Err = NotAVersion;

    /// Reads `4.3`; a patch number, as in `4.3.1`, is checked and left out.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let number = |part: Option<&str>| {
            // No release is written with a zero before its number.
            part.filter(|p| *p == "0" || !p.starts_with('0'))
                .filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|p| p.parse::<u16>().ok())
        };
        let mut parts = text.split('.');
        let version = (number(parts.next()), number(parts.next()));
        let patch_reads = parts.next().is_none_or(|p| number(Some(p)).is_some());
        match version {
            (Some(major), Some(minor)) if patch_reads && parts.next().is_none() => {
                Ok(KafkaVersion { major, minor })
            }
            _ => Err(NotAVersion(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered_by_number_not_by_text() {
        let read = |text: &str| text.parse::<KafkaVersion>();
        assert_eq!(read("4.3"), Ok(KafkaVersion::new(4, 3)));
        assert_eq!(read("4.3.1"), Ok(KafkaVersion::new(4, 3)));
        assert!(read("3.10").unwrap() > read("3.9").unwrap());
        assert!(read("4.0").unwrap() > read("3.10").unwrap());
        for wrong in [
            "", "4", "4.", ".3", "4.x", "4.3.x", "4.3.1.0", "+4.3", "4.3-IV0", " 4.3", "99999.1",
            "04.3", "4.03",
        ] {
            assert_eq!(read(wrong), Err(NotAVersion(wrong.to_owned())), "{wrong}");
        }
        assert_eq!(KafkaVersion::new(4, 3).to_string(), "4.3");
    }

    #[test]
    fn only_releases_that_exist_or_may_come_are_known() {
        for known in ["2.0", "2.8", "3.0", "3.9", "4.0", "4.3", "4.12"] {
            assert!(known.parse::<KafkaVersion>().unwrap().is_known(), "{known}");
        }
        for unknown in ["1.1", "2.9", "3.10", "5.0"] {
            let version: KafkaVersion = unknown.parse().unwrap();
            assert!(!version.is_known(), "{unknown}");
        }
    }
}
