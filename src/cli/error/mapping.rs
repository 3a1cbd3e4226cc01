//! What the errors of the other rooms are to a person: a code, a text and what to do next.

use std::{io, path::Path};

use serde_json::json;

use super::{
    super::shell::{quote, quote_path},
    CliError, Code,
};
use crate::{
    admin::AdminError,
    apply::scram::UnknownUsers,
    bootstrap::{
        BootstrapError,
        backup::{self, BackupError},
        ca::CaError,
        context::Danger,
        edits::Edit,
        revoke::RevokeError,
        rotate::{AcceptedAgain, RotationError, Taken},
        sign::command_again,
        verify::TruststoreError,
    },
    config::ConfigError,
    issuer::{IssuerError, Why},
    keystore::StoreError,
    pki::{ChainProblem, Kind, PkiError, Reason, SealError},
    random::NoRandomness,
    scram::ScramError,
    state::{Inventory, Phase, StateError},
};

/// The code of an error with an external issuer.
fn of_far(why: Why) -> Code {
    match why {
        Why::Unreachable => Code::IssuerUnreachable,
        Why::Untrusted => Code::IssuerUntrusted,
        Why::Forbidden => Code::IssuerForbidden,
        Why::Refused => Code::IssuerRefused,
        Why::Sealed => Code::IssuerSealed,
        Why::BadAnswer => Code::IssuerAnswer,
        Why::Settings => Code::IssuerSettings,
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        let code = match &error {
            AdminError::Properties(_) => Code::ClientProperties,
            AdminError::NotBuilt => Code::NotBuilt,
            AdminError::Settings(_) | AdminError::Key(_) => Code::ConnectionSettings,
            AdminError::Unreachable { .. } => Code::Unreachable,
            AdminError::UnknownHost { .. } => Code::UnknownHost,
            AdminError::WrongProtocol { .. } => Code::WrongProtocol,
            AdminError::Untrusted { .. } => Code::Untrusted,
            AdminError::Expired { .. } => Code::Expired,
            AdminError::NotYetValid { .. } => Code::NotYetValid,
            AdminError::WrongHostName { .. } => Code::WrongHostName,
            AdminError::ClientCertificate { .. } => Code::CertificateRefused,
            AdminError::Tls { .. } => Code::Tls,
            AdminError::Authentication { .. } => Code::LoginFailed,
            AdminError::TimedOut { .. } => Code::TimedOut,
            AdminError::ConnectionLost { .. } => Code::ConnectionLost,
            AdminError::NotAuthorized { .. } => Code::NotAuthorized,
            AdminError::NoScramRequests { .. } => Code::NoScramRequests,
            AdminError::NoSettingRequests { .. } => Code::RestartNeeded,
            AdminError::SecurityDisabled { .. } => Code::NoAuthorizer,
            AdminError::TooManyBindings { .. } => Code::TooManyBindings,
            AdminError::AnswerTooLarge { .. } => Code::AnswerTooLarge,
            AdminError::Hidden { .. } | AdminError::Refused { .. } => Code::Refused,
            AdminError::Unsupported { .. } => Code::Unsupported,
        };
        Self::new(code, error.to_string()).maybe_hint(error.hint())
    }
}

/// How one file of the CA is taken from a backup.
fn copied(file: &Path) -> String {
    backup::one_file(file).join(", then ")
}

/// The command that empties a file.
fn emptied(file: &str) -> String {
    format!(": > {}", crate::shell::quote(file))
}

impl From<UnknownUsers> for CliError {
    fn from(error: UnknownUsers) -> Self {
        let hint = match error.known.is_empty() {
            true => "the policy has no SCRAM users: give a client `auth: scram-sha-512`".to_owned(),
            false => format!("its SCRAM users are {}", error.known.join(", ")),
        };
        Self::new(Code::NotAScramUser, error.to_string())
            .hint(hint)
            .usage()
    }
}

impl From<BootstrapError> for CliError {
    fn from(error: BootstrapError) -> Self {
        let text = error.to_string();
        match error {
            BootstrapError::Exists(name) => CliError::new(Code::IdentityExists, text).hint(format!(
                "kpki renew {name} replaces its certificate; kpki up POLICY also changes its hosts"
            )),
            BootstrapError::Revoked(revocation) => {
                let name = &revocation.name;
                CliError::new(Code::Revoked, text).hint(match revocation.reason {
                    Reason::CertificateHold => {
                        format!("it is on hold; kpki revoke {name} --reason removeFromCRL reinstates it")
                    }
                    _ => format!(
                        "kpki renew {name} --new-key gives it a new key and certificate anyway (kpki issue --new-key if its directory is gone, kpki sign --new-key if its key is elsewhere)"
                    ),
                })
            }
            BootstrapError::Clash { .. } => CliError::new(Code::NameClash, text)
                .hint("Java keystores and some file systems ignore case; choose another name"),
            BootstrapError::Forgotten { .. } => CliError::new(Code::InventoryIncomplete, text).hint(
                "lines of the inventory were lost: restore it from a backup; without one, move the CRL away, revoke again what it lists (openssl crl -noout -text -in FILE), and run kpki crl",
            ),
            BootstrapError::Damaged { .. } => CliError::new(Code::IdentityDamaged, text).hint(
                "move its directory away; kpki up POLICY, or kpki issue NAME if no policy describes it, then gives it a new key and certificate",
            ),
            BootstrapError::Password { name, file, .. } => {
                CliError::new(Code::IdentityDamaged, text).hint(format!(
                    "write the right one into it, or empty the file ({}) and run kpki renew {name} for a new one",
                    emptied(&file)
                ))
            }
            BootstrapError::Edited { path, edit, .. } => {
                CliError::new(Code::Edited, text).hint(edited(&path, &edit))
            }
            BootstrapError::Dangerous { danger, .. } => CliError::new(Code::DangerousChange, text)
                .hint(format!("{}; --allow {} proceeds anyway", dangerous(danger), danger.word())),
            BootstrapError::ClusterId(_) => CliError::new(Code::ClusterIdLost, text).hint(
                "write the id into that file: it is cluster.id in meta.properties, in any broker's log.dirs; --allow cluster-id makes a new one, and then every disk must be formatted again",
            ),
            BootstrapError::OtherKind { was, .. } => {
                let option = match was {
                    Kind::Client => "--client",
                    _ => "--broker",
                };
                CliError::new(Code::OtherKind, text)
                    .hint(format!("{option} keeps its kind; an identity of another kind needs another name"))
            }
            BootstrapError::OthersCertificate { .. } => CliError::new(Code::BadCertificate, text)
                .hint("give the chain that was signed for this identity's request, leaf certificate first"),
            BootstrapError::NoKey(name) => CliError::new(Code::IdentityUnknown, text)
                .hint(format!("kpki issue {name} --csr-only makes a key and a request on the machine where the key stays")),
            BootstrapError::KeyHere(name) => CliError::new(Code::KeyHere, text).hint(format!(
                "kpki renew {name} renews it; if its key is to be elsewhere from now on, move its directory away first"
            )),
            BootstrapError::KeyElsewhere(last) => CliError::new(Code::RequestNeeded, text).hint(format!(
                "make one on its machine with openssl req -new -key or kpki issue {} --csr-only; then run kpki {}",
                last.name,
                command_again(&last)
            )),
            BootstrapError::Unknown { .. } => {
                CliError::new(Code::IdentityUnknown, text).hint("kpki issue NAME makes a new one")
            }
            BootstrapError::NoRecord { name, .. } => CliError::new(Code::InventoryIncomplete, text)
                .hint(format!(
                    "if kpki made it, restore the inventory from a backup; else move the directory away, and kpki issue {name} makes a new one"
                )),
            BootstrapError::Backup(error) => error.into(),
            BootstrapError::Brought(problem) => {
                CliError::new(Code::CaRefused, text).hint(unfit(&problem))
            }
            BootstrapError::Ca(error) => error.into(),
            BootstrapError::Rotation(error) => error.into(),
            BootstrapError::Issuer(error) => error.into(),
            BootstrapError::State(error) => error.into(),
            BootstrapError::Pki(error) => error.into(),
            BootstrapError::Store(error) => error.into(),
            BootstrapError::Scram(error) => error.into(),
            BootstrapError::Random(error) => error.into(),
            BootstrapError::Config(error) => error.into(),
        }
    }
}

/// What to do about a CA that is not taken.
fn unfit(problem: &ChainProblem) -> String {
    match problem {
        ChainProblem::OtherKey(Some(_)) => "give the CA certificate that was issued for this request or key, and its issuers up to the root".to_owned(),
        ChainProblem::OtherKey(None) => "give the certificate that was issued for this request or key".to_owned(),
        ChainProblem::NoIssuer { issuer, .. } => format!(
            "get the certificate of `{issuer}` and its issuers up to the root, and append them to the file"
        ),
        ChainProblem::NotSigned { .. } => "one of them is from an earlier or later generation, or another CA has the same name: give certificates that belong together".to_owned(),
        ChainProblem::TooMany => "give only the certificates of the CA's own chain".to_owned(),
        ChainProblem::TooDeep(_) => "have the CA signed by one that is closer to the root".to_owned(),
        ChainProblem::Unfit { .. } => "have the issuing CA make another certificate, or create a new CA: kpki init-ca".to_owned(),
    }
}

/// More settings than this are not listed.
const SUGGESTED: usize = 20;

/// What to put into the policy, or how to discard the edit.
fn edited(path: &str, edit: &Edit) -> String {
    let drop = format!("--overwrite {} replaces the file", quote(path));
    match edit {
        Edit::ForeignCa(_) => format!(
            "trusting further CAs is not supported yet: keep them in a store of their own; {drop}"
        ),
        Edit::ByHand { added, .. } if added.is_empty() || added.len() > SUGGESTED => {
            format!(
                "put the settings to keep into the policy, from which this file is written; {drop}"
            )
        }
        Edit::ByHand { added, .. } => {
            let name = path.split('/').next().unwrap_or_default();
            let yaml: Vec<String> = added
                .iter()
                .map(|(key, value)| format!("{}: {}", json!(key), json!(value)))
                .collect();
            format!(
                "the added settings belong in the policy, under {name}: properties: {{{}}}; {drop}",
                yaml.join(", ")
            )
        }
    }
}

/// Why the change breaks a running cluster, and what it requires.
fn dangerous(danger: Danger) -> &'static str {
    match danger {
        Danger::NodeId => {
            "a formatted disk only starts with its own id: leave `id` out, or write the previous one; a new id needs the disk to be formatted again"
        }
        Danger::Voters => {
            "static voters must be identical on all nodes at once: this requires an outage in which every node is stopped and started with its new file; format a new controller's disk first"
        }
        Danger::ClusterId => {
            "formatted disks only start with their own cluster id: put the old one back into cluster.id; a new id needs the disks of every node to be formatted again"
        }
        Danger::Listeners => {
            "brokers and clients that were not restarted yet could no longer connect: add the new listener beside the old one, restart, move everyone to it, and remove the old one in a later step"
        }
    }
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> Self {
        let text = error.to_string();
        let apart = "kpki restore FILE --out elsewhere restores the backup to another directory, to compare or to copy single files from";
        let (code, hint) = match error {
            BackupError::Sealed(SealError::LaterVersion(_) | SealError::Costly(_)) => (
                Code::BackupVersion,
                "use the version of kpki that made it".to_owned(),
            ),
            BackupError::Sealed(SealError::WrongPassphrase) => (
                Code::WrongPassphrase,
                "give the passphrase that the backup was made with, which is not the CA passphrase"
                    .to_owned(),
            ),
            BackupError::Sealed(SealError::Derivation(_) | SealError::Memory(_)) => (
                Code::KeyDerivation,
                "free some memory: 64 MiB are needed".to_owned(),
            ),
            BackupError::Sealed(_) | BackupError::Contents(_) => (
                Code::BackupDamaged,
                "take another copy of it, or an older backup".to_owned(),
            ),
            BackupError::Packing(_) => (Code::Failed, "free some memory".to_owned()),
            BackupError::Newer { .. } => (
                Code::BackupOlder,
                format!(
                    "if the CA works, there is nothing to restore; {apart}: if only the key is lost, cp -p elsewhere/ca/ca.key to its place"
                ),
            ),
            BackupError::Other(dir) => (
                Code::BackupOther,
                format!(
                    "if the CA works, there is nothing to restore; {apart}. If it cannot be repaired: mv {0} {0}.old, and restore again",
                    quote(&dir)
                ),
            ),
            BackupError::OtherCluster { file, there, .. } => (
                Code::BackupOther,
                format!(
                    "{apart}. If no broker's disk is formatted with {there} (cluster.id in meta.properties): mv {0} {0}.old, and restore again",
                    quote(&file)
                ),
            ),
            BackupError::Beside(_) => (
                Code::Obstacle,
                "move it out of that directory, and restore again".to_owned(),
            ),
        };
        Self::new(code, text).hint(hint)
    }
}

impl From<RevokeError> for CliError {
    fn from(error: RevokeError) -> Self {
        let text = error.to_string();
        match error {
            RevokeError::Unknown(_) => CliError::new(Code::CertificateUnknown, text).hint(
                "kpki list shows them; to remove a SCRAM user without a certificate, take it out of the policy and run kpki scram apply --prune",
            ),
            RevokeError::Ambiguous(_) => CliError::new(Code::CertificateUnknown, text)
                .hint("give more digits: kpki list --json shows all of them"),
            RevokeError::Authority(_) => CliError::new(Code::CaNotRevoked, text)
                .hint("if the CA's key was compromised, replace the CA: kpki rotate-ca"),
            RevokeError::NotHeld(_) => CliError::new(Code::NotHeld, text)
                .hint("kpki renew NAME --new-key gives the identity a new certificate"),
        }
    }
}

impl From<CaError> for CliError {
    fn from(error: CaError) -> Self {
        let text = error.to_string();
        match error {
            CaError::Exists(_) => CliError::new(Code::CaExists, text)
                .hint("kpki issue NAME uses it; to start over, choose another --out, or move the directory away"),
            CaError::Waiting(_) => CliError::new(Code::CaWaits, text).hint(
                "kpki init-ca --request prints the request again, kpki init-ca --install-cert FILE installs the signed certificate",
            ),
            CaError::NoRequest(_) => CliError::new(Code::CaMissing, text).hint(
                "kpki init-ca --request makes one; to import a CA with its key: kpki init-ca --import-cert FILE --import-key FILE",
            ),
            CaError::Missing(_) => CliError::new(Code::CaMissing, text)
                .hint("kpki init-ca makes one; --out DIR (or KPKI_OUT) selects another output directory"),
            CaError::Incomplete { dir, file } => CliError::new(Code::CaIncomplete, text).hint(match file {
                "ca.crt" => format!("restore it from a backup; every identity's directory has a copy, which can be copied to {dir}/ca.crt"),
                "truststore.password" => format!("restore it from a backup; it is also in every server.properties and client.properties as ssl.truststore.password: write it to {dir}/{file} as the only line"),
                Inventory::FILE => "restore it from a backup; kpki never makes a new CA over an old one".to_owned(),
                _ => format!("take it from a backup: {}; kpki never makes a new CA over an old one", copied(&Path::new(&dir).join(file))),
            }),
            CaError::ForeignPassword(file) => CliError::new(Code::CaDamaged, text).hint(format!(
                "write the right one to the file, as the only line: it is ssl.truststore.password in every server.properties and client.properties. Or take it from a backup: {}. If no identity was issued yet, move truststore.p12 in the same directory away instead",
                copied(Path::new(&file))
            )),
            CaError::OtherIssuer { is, .. } => CliError::new(Code::OtherIssuer, text).hint(format!(
                "kpki does not change a CA's issuer: choose another --out for the new CA, or name the current issuer ({is}) in the policy"
            )),
            CaError::KeyElsewhere(..) => CliError::new(Code::KeyElsewhere, text)
                .hint("export it where it is kept, if that is possible there"),
            CaError::NoRootKey(_) => CliError::new(Code::NoRootKey, text)
                .hint("without --root, kpki ca export-key exports the CA's only key"),
            CaError::RootKeyAway(_) => CliError::new(Code::NoRootKey, text)
                .hint("it is meant to be kept off this machine: put the file back while it is needed"),
            CaError::Damaged { .. } => CliError::new(Code::CaDamaged, text)
                .hint("restore it from a backup; every identity's directory has a copy of ca.crt, and kpki rewrites ca.crt once the damaged one is moved away"),
        }
    }
}

/// When a rotation can end that would end the revocation of certificates.
pub fn until_finished(found: &AcceptedAgain) -> String {
    format!(
        "wait until {}, when the last revoked certificate of {} has expired, or have that CA's own certificate revoked by the CA that issued it and use --force",
        found.until.date(),
        found.ca
    )
}

impl From<RotationError> for CliError {
    fn from(error: RotationError) -> Self {
        let text = error.to_string();
        match error {
            RotationError::Running(_) => CliError::new(Code::RotationRunning, text)
                .hint("kpki rotate-ca status shows the next step; kpki rotate-ca abort goes back"),
            RotationError::None => {
                CliError::new(Code::NoRotation, text).hint("kpki rotate-ca start begins one")
            }
            RotationError::NotYet(Phase::Retiring) => CliError::new(Code::RotationOrder, text)
                .hint("kpki rotate-ca finish is the last step"),
            RotationError::NotYet(_) => CliError::new(Code::RotationOrder, text)
                .hint("kpki rotate-ca next is the next step; kpki rotate-ca status shows what to do before it"),
            RotationError::TooLate => CliError::new(Code::RotationOrder, text)
                .hint("kpki rotate-ca finish ends this rotation; start another one for another CA"),
            RotationError::NotEverywhere(_) => CliError::new(Code::RotationNotEverywhere, text).hint(
                "copy the directories, reload or restart, and check again with kpki rotate-ca status; --force proceeds anyway, which can cut off those without the last step",
            ),
            RotationError::AcceptedAgain(found) => {
                CliError::new(Code::RotationAcceptsAgain, text).hint(format!(
                    "{}; kpki crl renews its CRL meanwhile",
                    until_finished(&found)
                ))
            }
            RotationError::Elsewhere(_) => CliError::new(Code::RotationElsewhere, text)
                .hint("replace the CA where its key is kept, and start from the new CA"),
            RotationError::Subject(_) => CliError::new(Code::BadSubject, text)
                .hint("give the next CA's subject, as in --subject 'CN=Kafka CA,O=Example'")
                .usage(),
            RotationError::Requested(_) => CliError::new(Code::CaWaits, text).hint(
                "kpki rotate-ca start --request prints the request again, kpki rotate-ca start --install-cert FILE installs the signed certificate, kpki rotate-ca abort drops the request",
            ),
            RotationError::NoRequest(_) => CliError::new(Code::NoRotation, text)
                .hint("kpki rotate-ca start --request makes one"),
            RotationError::Taken(_, taken) => CliError::new(Code::CaRefused, text).hint(match taken {
                Taken::Root => "give the certificate of the root as it is trusted now, in ca.crt",
                _ => "a request of kpki rotate-ca start --request has a new key, and a subject of its own: have it signed with that subject",
            }),
        }
    }
}

impl From<IssuerError> for CliError {
    fn from(error: IssuerError) -> Self {
        let text = error.to_string();
        match error {
            IssuerError::Changed(_) => CliError::new(Code::CaChanged, text).hint("run the command again"),
            IssuerError::NotAKey(_) => CliError::new(Code::CaDamaged, text).hint("restore ca.key from a backup"),
            IssuerError::KeyUri(_) => CliError::new(Code::IssuerSettings, text)
                .hint("write it as pkcs11:token=kpki;object=kafka-ca?module-path=/usr/lib/softhsm/libsofthsm2.so"),
            IssuerError::Subject(_) => {
                CliError::new(Code::BadSubject, text).hint("for example --subject 'CN=Kafka CA,O=Example'").usage()
            }
            IssuerError::Sealed { path, source } => match source {
                SealError::WrongPassphrase => CliError::new(Code::WrongPassphrase, text)
                    .hint("give the passphrase that the CA was made with; if it is the right one, the file was changed: restore it from a backup"),
                SealError::PassphraseNeeded => CliError::new(Code::PassphraseMissing, text)
                    .hint("give it with --ca-passphrase-file FILE, KPKI_CA_PASSPHRASE_FILE or KPKI_CA_PASSPHRASE"),
                SealError::Damaged(_) | SealError::NotASealedKey => CliError::new(Code::CaKeyDamaged, text).hint(format!(
                    "take it from a backup: {}. Only a replacement of the CA changes it, so any backup made since the last one will do",
                    copied(&path)
                )),
                SealError::LaterVersion(_) => CliError::new(Code::CaKeyVersion, text).hint("use that version of kpki, or a newer one"),
                SealError::Costly(_) => CliError::new(Code::CaKeyVersion, text)
                    .hint("this version of kpki wrote no such file: use the one that did, or restore it from a backup"),
                SealError::Derivation(_) | SealError::Memory(_) | SealError::Cipher(_) => {
                    CliError::new(Code::KeyDerivation, text).hint("deriving a key from the passphrase needs 64 MiB of memory")
                }
            },
            IssuerError::Far(error) => CliError::new(of_far(error.why), text).hint(error.hint),
            IssuerError::Damaged { .. } => {
                CliError::new(Code::CaDamaged, text).hint("restore it from a backup")
            }
            IssuerError::NotOpened | IssuerError::SerialTwice(_) => {
                CliError::new(Code::Certificate, text).hint("run the command again")
            }
            IssuerError::OwnList => CliError::new(Code::NoCrl, text)
                .hint("revoke the certificate there as well, and use the CRL from there"),
            IssuerError::State(error) => error.into(),
            IssuerError::Pki(error) => error.into(),
            IssuerError::Random(error) => error.into(),
        }
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        let text = error.to_string();
        match error {
            StateError::Io { source, .. } => {
                CliError::new(Code::Io, text).hint(match source.kind() {
                    io::ErrorKind::PermissionDenied => "run kpki as the directory's owner, or choose another --out; files for another user need root and --owner",
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space and run the command again; what was there before is unchanged",
                    io::ErrorKind::ReadOnlyFilesystem => "choose another --out; nothing was changed",
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => "another file is in the way; choose another --out, or move it away",
                    io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => "check the path",
                    _ => "nothing is lost: fix the cause, then run the command again",
                })
            }
            StateError::Named { source, path, .. } => {
                CliError::new(Code::Io, text).hint(match source.kind() {
                    io::ErrorKind::PermissionDenied => format!(
                        "run kpki as a user who may, or choose another place: see ls -ld {} {}",
                        quote_path(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))),
                        quote_path(&path)
                    ),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "free some space and run the command again; what was there before is unchanged".to_owned()
                    }
                    io::ErrorKind::ReadOnlyFilesystem => "choose another place; nothing was changed".to_owned(),
                    io::ErrorKind::AlreadyExists => "another file is in the way; choose another name, or move it away".to_owned(),
                    _ => "check the path".to_owned(),
                })
            }
            StateError::TooLarge { .. } => CliError::new(Code::Io, text)
                .hint("check that it is the file that you mean"),
            StateError::Foreign { path, uid } => CliError::new(Code::ForeignOwner, text).hint(format!(
                "run kpki as that user; or, if nobody else could have changed anything in it, take ownership: chown -R {} {1}. To give an identity's directory to a user, use `owner:` in the policy or --owner {uid}:GID",
                rustix::process::geteuid().as_raw(),
                quote_path(&path)
            )),
            StateError::Unfinished { cause, waiting } => {
                let first = CliError::from(*cause).hint.unwrap_or_default();
                CliError::new(Code::Unfinished, text).hint(format!(
                    "{first}. The next command that writes completes the rest, which is in {}; until then, commands that only read still work",
                    waiting.display()
                ))
            }
            StateError::Writable { path, .. } => CliError::new(Code::Obstacle, text).hint(format!(
                "remove that permission with chmod go-w {}; first check that everything in it is yours",
                quote_path(&path)
            )),
            StateError::Locked { .. } => CliError::new(Code::Locked, text)
                .hint("run the command again once the other one is done, or stop the other one; KPKI_LOCK_TIMEOUT is the number of seconds to wait"),
            StateError::Obstacle { path, .. } => CliError::new(Code::Obstacle, text).hint(format!(
                "move {} away: kpki needs regular files in directories of its own",
                path.display()
            )),
            StateError::BadInventory { .. } => CliError::new(Code::InventoryDamaged, text)
                .hint("restore the inventory from a backup; kpki does not sign without a valid one"),
            StateError::BadJournal { path, .. } => CliError::new(Code::RecordDamaged, text).hint(format!(
                "restore it from a backup, or move {} away: the next change starts a new journal",
                path.display()
            )),
            StateError::BadWritten { path, .. } => CliError::new(Code::RecordDamaged, text).hint(format!(
                "restore it from a backup, or move {} away: the existing files then count as written by kpki, and the brokers' ids are taken from them",
                path.display()
            )),
        }
    }
}

impl From<PkiError> for CliError {
    fn from(error: PkiError) -> Self {
        let text = error.to_string();
        match error {
            PkiError::AuthorityExpired(_) => CliError::new(Code::CaExpired, text).hint(
                "the certificates that it signed are no longer trusted either: replace it with `kpki rotate-ca start`",
            ),
            PkiError::OutsideConstraints { kind, .. } => CliError::new(Code::OutsideConstraints, text)
                .hint(match kind {
                    Kind::Client => "a client's name that is a valid host name is also a SAN of its certificate: choose a name without dots and, in the policy, `hosts: []`; or give it a host that the CA permits",
                    _ => "choose a host that the CA permits, or make a CA with another --name-constraint",
                }),
            PkiError::NoHost(_) => CliError::new(Code::NoHost, text).hint("give one with --host"),
            PkiError::TooLong(_) => CliError::new(Code::BadValidity, text)
                .hint("give a lower --days")
                .usage(),
            PkiError::KeyMismatch(_) => {
                CliError::new(Code::CaDamaged, text).hint("restore ca.key and ca.crt from one backup")
            }
            PkiError::NotACertificate(_) => {
                CliError::new(Code::BadCertificate, text).hint("restore the file from a backup")
            }
            PkiError::Name(_) | PkiError::Library(_) => CliError::new(Code::Certificate, text),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::UnfitKey => Code::CaRefused,
            _ => Code::Store,
        };
        Self::new(code, error.to_string()).maybe_hint(error.hint())
    }
}

impl From<TruststoreError> for CliError {
    fn from(error: TruststoreError) -> Self {
        let text = error.to_string();
        match error {
            TruststoreError::State(error) => error.into(),
            TruststoreError::Store { source, .. } => {
                Self::new(Code::Store, text).hint(match source {
                    StoreError::WrongPassword => {
                        "--truststore-password-file names the file with its password"
                    }
                    other => other.hint().unwrap_or("give PEM, DER, PKCS12 or JKS"),
                })
            }
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(Code::Config, error.to_string()).maybe_hint(error.hint())
    }
}

impl From<ScramError> for CliError {
    fn from(error: ScramError) -> Self {
        let hint = error.hint();
        CliError::new(Code::Scram, error.to_string())
            .maybe_hint(hint)
            .usage()
    }
}

impl From<NoRandomness> for CliError {
    fn from(error: NoRandomness) -> Self {
        CliError::new(Code::NoRandomness, error.to_string())
            .hint("run the command again once the system is up")
    }
}
