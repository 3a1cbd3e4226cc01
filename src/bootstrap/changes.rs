//! What happens to each file, and what its reader must do for it to take effect.

use std::collections::BTreeSet;

use super::{identity::OnDisk, member};
use crate::{
    config::{Properties, STORAGE_ARGS, Text, changed_settings, masked_diff},
    pki::Host,
    policy::FileNames,
};

/// What must be done for a changed file to take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing: it is not in use yet, or is only read when a disk is formatted or a user is created.
    Nothing,
    /// A broker loads it without a restart, once it is told to (KIP-226).
    Reload,
    /// Its reader must be restarted.
    Restart,
}

impl Needs {
    /// The word of `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Reload => "reload",
            Self::Restart => "restart",
        }
    }
}

/// One file that is written, or would be.
#[derive(Debug)]
pub struct FileChange {
    /// Its name in the identity's directory.
    pub file: String,
    /// Whether it is new.
    pub create: bool,
    /// What it needs.
    pub needs: Needs,
    /// The changed settings of an existing Java properties file.
    pub settings: Vec<String>,
    /// A unified diff without secrets, if requested; for a key, a store or a password, a sentence.
    pub diff: Option<String>,
}

/// Whose files they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Nobody: they are all new.
    Nobody,
    /// A broker.
    Broker,
    /// A dedicated controller, which cannot be reloaded like a broker.
    Controller,
    /// A client.
    Client,
    /// A SCRAM user, which only has a password.
    User,
}

/// The texts for files whose contents are not shown.
const HIDDEN: &str = "a key, a store or a password: it changes, but is not shown\n";
const NEW_HIDDEN: &str = "a key, a store or a password: it is new, and not shown\n";

/// Judges the change of one file. `new` is unknown for what is only signed or chosen when it is written; `certificate`
/// is what a changed certificate needs. `old_is_ours` says whether kpki wrote the old file, `shown` whether the change is
/// to be shown.
pub(super) fn change(
    reader: Reader,
    names: &FileNames,
    certificate: Needs,
    path: &str,
    file: &str,
    (old, new): (Option<&[u8]>, Option<&[u8]>),
    (old_is_ours, shown): (bool, bool),
) -> FileChange {
    let plain = !is_hidden(names, file) && !is_certificate(names, file);
    let settings = match (old, new) {
        (Some(old), Some(new)) if plain => changed_settings(file, old, new, old_is_ours),
        _ => None,
    };
    let same = old.is_some() && (old == new || settings.as_ref().is_some_and(Vec::is_empty));
    let is = |name: &String| file == name;
    let needs = match reader {
        _ if same => Needs::Nothing,
        Reader::Nobody | Reader::User => Needs::Nothing,
        _ if is_scram(file) || file == STORAGE_ARGS => Needs::Nothing,
        Reader::Client => match settings.as_deref() {
            Some([only])
                if only.ends_with("bootstrap.servers") && finds_the_cluster(only, old, new) =>
            {
                Needs::Nothing
            }
            _ => Needs::Restart,
        },
        Reader::Controller => Needs::Restart,
        Reader::Broker if is(&names.truststore) || is(&names.ca) => Needs::Reload,
        Reader::Broker if is_certificate(names, file) || is(&names.keystore) => certificate,
        Reader::Broker if is(&names.key) || is(&names.pem) => certificate,
        Reader::Broker => Needs::Restart,
    };
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let diff = shown.then(|| match new {
        Some(new) if plain => {
            let (old, new) = (text(old), text(Some(new)));
            let old = match old_is_ours {
                true => Text::Ours(&old),
                false => Text::Theirs(&old),
            };
            masked_diff(path, old, Text::Ours(&new))
        }
        _ if is_certificate(names, file) && old.is_none() => {
            "a certificate: it is new\n".to_owned()
        }
        _ if is_certificate(names, file) => "a certificate: it changes\n".to_owned(),
        _ if old.is_none() => NEW_HIDDEN.to_owned(),
        _ => HIDDEN.to_owned(),
    });
    FileChange {
        file: file.to_owned(),
        create: old.is_none(),
        needs,
        settings: settings.unwrap_or_default(),
        diff,
    }
}

/// True if one of the servers that a client knows is still there: it learns of the others from that one.
fn finds_the_cluster(key: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> bool {
    let servers = |bytes: Option<&[u8]>| -> BTreeSet<String> {
        let parsed = Properties::parse(bytes.unwrap_or_default()).unwrap_or_default();
        let list = parsed.get(key).unwrap_or_default();
        list.split(',').map(|s| s.trim().to_owned()).collect()
    };
    !servers(old).is_disjoint(&servers(new))
}

/// What a running broker needs for a new certificate: it loads one of the same subject with no host missing, if the
/// others already trust its issuer (`SslFactory.CertificateEntries.ensureCompatible`).
pub(super) fn certificate_needs(disk: &OnDisk, hosts: &[Host], issuer_stays: bool) -> Needs {
    match &disk.certificate {
        Some(leaf) if issuer_stays && leaf.hosts.iter().all(|h| hosts.contains(h)) => Needs::Reload,
        _ => Needs::Restart,
    }
}

/// The hosts that a certificate names but the next one will not.
pub(super) fn lost_hosts(disk: &OnDisk, hosts: &[Host]) -> Vec<Host> {
    let were = disk.certificate.iter().flat_map(|leaf| &leaf.hosts);
    were.filter(|host| !hosts.contains(host)).cloned().collect()
}

/// Files with SCRAM passwords and what was derived from them.
pub(super) fn is_scram(file: &str) -> bool {
    member::FILES.contains(&file) || file == member::NEXT
}

fn is_certificate(names: &FileNames, file: &str) -> bool {
    file == names.certificate || file == names.ca
}

/// Files whose contents are never shown.
pub(super) fn is_hidden(names: &FileNames, file: &str) -> bool {
    let secret = [
        Some(&names.keystore),
        Some(&names.truststore),
        Some(&names.key),
        Some(&names.pem),
        Some(&names.password),
        names.key_password.as_ref(),
        names.truststore_password.as_ref(),
    ];
    is_scram(file) || secret.into_iter().flatten().any(|name| name == file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Layout;

    fn needs(reader: Reader, file: &str, old: Option<&str>, new: Option<&str>) -> Needs {
        let names = Layout::DEFAULT.files("x");
        let texts = (old.map(str::as_bytes), new.map(str::as_bytes));
        change(
            reader,
            &names,
            Needs::Reload,
            "x/f",
            file,
            texts,
            (true, false),
        )
        .needs
    }

    #[test]
    fn brokers_restart_only_for_what_they_cannot_reload() {
        use Needs::*;
        let broker = |file, old, new| needs(Reader::Broker, file, Some(old), Some(new));
        assert_eq!(broker("server.properties", "a=1\n", "a=2\n"), Restart);
        assert_eq!(
            broker("server.properties", "#1\na=1\n", "#2\na=1\n"),
            Nothing
        );
        assert_eq!(broker("format-storage.args", "a", "b"), Nothing);
        assert_eq!(broker("scram.json", "a", "b"), Nothing);
        assert_eq!(broker("ca.crt", "a", "b"), Reload);
        assert_eq!(broker("keystore_creds", "a", "b"), Restart);
        let controller = needs(Reader::Controller, "ca.crt", Some("a"), Some("b"));
        assert_eq!(controller, Restart);
        assert_eq!(needs(Reader::Broker, "x.crt", Some("a"), None), Reload);
        assert_eq!(
            needs(Reader::Broker, "server.properties", None, Some("a=1")),
            Restart
        );
        assert_eq!(
            needs(Reader::Nobody, "server.properties", None, Some("a=1")),
            Nothing
        );
    }

    #[test]
    fn clients_restart_and_users_do_nothing() {
        let servers = |new| {
            let old = Some("bootstrap.servers=a:1,b:1");
            needs(Reader::Client, "client.properties", old, Some(new))
        };
        assert_eq!(servers("bootstrap.servers=b:1,c:1"), Needs::Nothing);
        assert_eq!(servers("bootstrap.servers=c:1"), Needs::Restart);
        let client = |file| needs(Reader::Client, file, Some("a=1"), Some("a=2"));
        assert_eq!(client("client.properties"), Needs::Restart);
        assert_eq!(client("scram.json"), Needs::Nothing);
        assert_eq!(
            needs(Reader::User, "scram.password", Some("a"), Some("b")),
            Needs::Nothing
        );
    }
}
