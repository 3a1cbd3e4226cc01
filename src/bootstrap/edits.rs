//! Edits to kpki's own files, which are not overwritten silently.

use super::{changes, identity::OnDisk, trust::Trust};
use crate::{
    config::{Text, added_settings, masked_diff},
    keystore::{pem, pkcs12},
    pki::Certificate,
    policy::FileNames,
    printable::Name,
    state::WrittenEntry,
};

/// How many changed lines are shown.
const SHOWN: usize = 100;

/// How a file differs from what kpki wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It was changed.
    ByHand {
        /// The changes, without secrets: a unified diff from what kpki writes; empty if the contents are not shown.
        diff: String,
        /// Added settings that no line written by kpki sets.
        added: Vec<(String, String)>,
    },
    /// It also trusts other CAs; their subjects.
    ForeignCa(Vec<Name>),
}

impl Edit {
    /// What is wrong with the file, to follow its name.
    pub(super) fn message(&self) -> String {
        match self {
            Self::ByHand { diff, .. } if diff.is_empty() => "was edited by hand".to_owned(),
            Self::ByHand { diff, .. } => {
                let all = diff.trim_end().lines();
                let more = all.clone().count().saturating_sub(SHOWN);
                let lines = all.take(SHOWN).map(|line| format!("\n    {line}"));
                let rest = match more {
                    0 => String::new(),
                    more => format!("\n    … and {more} more lines"),
                };
                format!("was edited by hand:{}{rest}", lines.collect::<String>())
            }
            Self::ForeignCa(subjects) => {
                let subjects: Vec<String> = subjects.iter().map(Name::to_string).collect();
                format!("also trusts {}", subjects.join(" and "))
            }
        }
    }
}

/// What an edit is detected with.
#[derive(Clone, Copy)]
pub(super) struct Evidence<'a> {
    /// kpki's record of the directory.
    pub entry: Option<&'a WrittenEntry>,
    /// The CA's public part.
    pub trust: &'a Trust,
    /// The identity's key and passwords.
    pub disk: &'a OnDisk,
    /// The names of its files.
    pub names: &'a FileNames,
}

impl Evidence<'_> {
    /// Judges a file that is about to be overwritten. `None` for what kpki itself wrote earlier, for what is damaged,
    /// and for what was written before there was a record.
    pub(super) fn edit(
        &self,
        path: &str,
        file: &str,
        old: &[u8],
        new: Option<&[u8]>,
    ) -> Option<Edit> {
        // kpki uses the passwords in there, whoever chose them.
        if changes::is_scram(file) || file == self.names.password {
            return None;
        }
        let foreign = self.entry.is_some_and(|entry| entry.is_foreign(file, old));
        let unrecorded = self.entry.is_none_or(|entry| !entry.is_recorded(file));
        if file == self.names.truststore || file == self.names.ca {
            if !foreign && !unrecorded {
                return None;
            }
            let found = self.trusted(file, old);
            let ours = |found: &Certificate| self.trust.trusted().any(|c| c.der == found.der);
            let others = found.iter().filter(|c| !ours(c)).map(|c| c.subject.clone());
            let others: Vec<Name> = others.collect();
            // Without a record, a store that trusts only others may contain an earlier CA of this cluster.
            if !others.is_empty() && (foreign || found.iter().any(ours)) {
                return Some(Edit::ForeignCa(others));
            }
            if file == self.names.truststore {
                return None;
            }
        }
        if !foreign {
            return None;
        }
        let by_hand = |diff, added| Some(Edit::ByHand { diff, added });
        if file == self.names.keystore {
            let more = self.holds_more(old);
            return more.then(|| by_hand(String::new(), Vec::new()))?;
        }
        let Some(new) = new.filter(|_| !changes::is_hidden(self.names, file)) else {
            return by_hand(String::new(), Vec::new());
        };
        let text = String::from_utf8_lossy;
        let diff = masked_diff(path, Text::Ours(&text(new)), Text::Theirs(&text(old)));
        let added = match file.ends_with(".properties") {
            true => added_settings(new, old),
            false => Vec::new(),
        };
        by_hand(diff, added)
    }

    /// The CAs that a truststore or a file of CA certificates trusts; none, if it cannot be read.
    fn trusted(&self, file: &str, bytes: &[u8]) -> Vec<Certificate> {
        let ders = if file == self.names.ca {
            pem::parse_certificates(bytes).unwrap_or_default()
        } else {
            let Ok(contents) = pkcs12::open(bytes, &self.trust.truststore_password) else {
                return Vec::new();
            };
            let trusted = contents.trusted.into_iter().map(|t| t.cert);
            trusted.chain(contents.ignored).collect()
        };
        let certificates = ders.iter().map(Certificate::from_der);
        certificates.filter_map(Result::ok).collect()
    }

    /// True if a keystore can be opened but contains something else than the one key; one that cannot be opened is
    /// damaged.
    fn holds_more(&self, bytes: &[u8]) -> bool {
        let password = self.disk.password.as_ref();
        let Some(Ok(contents)) = password.map(|password| pkcs12::open(bytes, password)) else {
            return false;
        };
        let key = self.disk.key.as_deref();
        !contents.trusted.is_empty()
            || contents.keys.len() > 1
            || contents
                .keys
                .iter()
                .any(|k| Some(k.key_pkcs8.as_slice()) != key)
    }
}
