//! One member's files held against what they should be.

use std::collections::BTreeSet;

use time::Duration;

use super::{
    BootstrapError,
    ca::Ca,
    changes::{self, Needs, Reader},
    edits::Evidence,
    identity::{Credentials, LeafSpec, OnDisk},
    member::Member,
    plan::{Context, Step},
};
use crate::{
    keystore::{StoreProfile, pkcs12},
    pki::{Certificate, Host, Kind},
    plan::Action,
    policy::{FileNames, NodeRole},
    state::{Entry, FileSpec, OutDir, Record, Writing, read_plain},
};

/// What a member is looked at with.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    /// What the run works on.
    pub context: Context<'a>,
    /// The CA, where there is one.
    pub ca: Option<&'a Ca>,
    /// The last certificate that was signed for the member.
    pub record: Option<&'a Record>,
    /// What was recorded of the member's directory.
    pub entry: Option<&'a Entry>,
    /// What its files are called.
    pub names: &'a FileNames,
    /// Whether it has a directory.
    pub there: bool,
    /// Whether the changes are to be shown.
    pub shown: bool,
}

/// A file as it shall be: its name, and its contents where they are known before it is signed.
type Wish = (String, Option<FileSpec>);

impl Look<'_> {
    /// Decides what is done for the member, and finds every file that changes.
    ///
    /// # Errors
    /// What cannot be read, and every file that somebody edited.
    pub(super) fn compare(
        &self,
        step: &mut Step<'_>,
        texts: Vec<FileSpec>,
    ) -> Result<(), Vec<BootstrapError>> {
        let one = |error: BootstrapError| vec![error];
        if let (Some(ca), Some(leaf)) = (self.ca, &step.disk.certificate) {
            // What lies behind the leaf is the CA's to say.
            step.disk.chain = ca.chain(leaf);
        }
        let credentials = step.leaf.as_ref().and(step.disk.credentials());
        let store = match step.leaf {
            Some(_) => self.read(step, &self.names.keystore).map_err(one)?,
            None => None,
        };
        // A store whose bytes and whose making are on record needs no look into it, which takes three derivations.
        let proven = match (&credentials, &store, self.entry) {
            (Some(credentials), Some(store), Some(entry)) => {
                let made = entry.made_from(&self.names.keystore, store);
                made == Some(credentials.made_from(step.profile).as_str())
            }
            _ => false,
        };
        let together = proven || step.disk.belongs_together();
        if let (Some(ca), true) = (self.ca, self.there) {
            (step.action, step.reason) = match (&step.leaf, &step.disk.certificate) {
                (None, _) => (Action::Keep, None),
                (Some(_), None) => (Action::Create, None),
                (Some(spec), Some(leaf)) => certificate_action(
                    self.context,
                    ca,
                    spec,
                    leaf,
                    &step.disk,
                    self.record,
                    together,
                ),
            };
        }
        let mut wishes: Vec<Wish> = texts
            .into_iter()
            .map(|f| (f.name.clone(), Some(f)))
            .collect();
        if step.signs() {
            wishes.extend(self.signed(step));
        } else if let Some(credentials) = &credentials {
            let good = proven
                || store
                    .as_deref()
                    .is_some_and(|s| holds(s, credentials, step.profile));
            let texts = credentials.texts(self.names).map_err(one)?;
            wishes.extend(texts.into_iter().map(|f| (f.name.clone(), Some(f))));
            let store = store.filter(|_| good).map(|bytes| FileSpec {
                made_from: Some(credentials.made_from(step.profile)),
                ..FileSpec::secret(&self.names.keystore, bytes)
            });
            wishes.push((self.names.keystore.clone(), store));
        }
        let found = self.differences(step, &wishes)?;
        let mut changed = Vec::new();
        if step.action != Action::Keep {
            return Ok(());
        }
        let differing = wishes
            .into_iter()
            .zip(found)
            .filter(|(_, differs)| *differs);
        for ((_, file), _) in differing {
            match (file, &credentials) {
                (Some(file), _) => changed.push(file),
                // Only a key store is not known before it is encoded.
                (None, Some(credentials)) => {
                    let made = credentials.keystore(step.member.name(), self.names, step.profile);
                    changed.push(made.map_err(one)?);
                }
                (None, None) => {}
            }
        }
        if !changed.is_empty() {
            step.action = Action::Update;
        }
        step.changed = changed;
        Ok(())
    }

    fn read(&self, step: &Step<'_>, file: &str) -> Result<Option<Vec<u8>>, BootstrapError> {
        if !self.there {
            return Ok(None);
        }
        let path = self.context.out.identity(step.member.name()).join(file);
        // An empty file is one that a crash of the machine or a full disk left, and nobody's work.
        Ok(read_plain(&path)?.filter(|bytes| !bytes.is_empty()))
    }

    /// What a new certificate brings with it. Password and key stay where they can, and with them their files.
    fn signed(&self, step: &Step<'_>) -> Vec<Wish> {
        let names = self.names;
        let mut files = vec![&names.keystore, &names.certificate, &names.pem];
        if step.disk.password.is_none() {
            files.push(&names.password);
        }
        let signer = self.ca.and_then(Ca::signer);
        let kept = match (self.record, signer, &step.leaf) {
            (Some(record), Some(signer), Some(spec)) => {
                step.disk.kept_key(record, signer, spec.key)
            }
            _ => None,
        };
        if kept.is_none() {
            files.push(&names.key);
        }
        files.into_iter().map(|name| (name.clone(), None)).collect()
    }

    /// Which files differ from what they shall be. Notes each in the step, and what is right and not on record.
    fn differences(
        &self,
        step: &mut Step<'_>,
        wishes: &[Wish],
    ) -> Result<Vec<bool>, Vec<BootstrapError>> {
        let name = step.member.name().as_str();
        let dir = self.context.out.identity(step.member.name());
        let owner = self.context.policy.cluster.owner;
        let foreign =
            |file: &str| owner.is_some_and(|owner| !OutDir::is_owned(&dir.join(file), owner));
        let given_away = self.there && foreign("");
        let certificate = self.certificate_needs(step);
        let reader = match step.member {
            _ if !self.there => Reader::Nobody,
            Member::Broker(broker) if broker.role == NodeRole::Controller => Reader::Controller,
            Member::Broker(_) => Reader::Broker,
            Member::Client(_) => Reader::Client,
            Member::User(_) => Reader::User,
        };
        let (mut found, mut right, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for (file, wish) in wishes {
            let old = match self.read(step, file) {
                Ok(old) => old,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let new = wish.as_ref().map(|spec| &*spec.bytes);
            let path = format!("{name}/{file}");
            if let Some(old) = &old
                && new != Some(old)
                && !self.context.asked.overwrite.contains(&path)
                && let Some(edit) = self.evidence(&step.disk).edit(&path, file, old, new)
            {
                let shown = dir.join(file).display().to_string();
                errors.push(BootstrapError::Edited { path, shown, edit });
                continue;
            }
            let differs = new.is_none() || old.as_deref() != new || given_away || foreign(file);
            found.push(differs);
            if differs {
                // A file that vanished and comes back as it was is missed by nobody who has read it.
                let lost = old.is_none()
                    && new.is_some_and(|new| self.entry.is_some_and(|e| e.is_last(file, new)));
                let before = if lost { new } else { old.as_deref() };
                let mut change = changes::change(
                    reader,
                    self.names,
                    certificate,
                    &path,
                    file,
                    (before, new),
                    self.shown,
                );
                change.create = old.is_none();
                step.changes.push(change);
            } else if let Some(spec) = wish
                && !self.entry.is_some_and(|entry| entry.is_current(spec))
            {
                right.push(spec.clone());
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if !right.is_empty() {
            step.adopted = Some(Writing::of(name, &right));
        }
        if let (true, Some(spec), Member::Broker(_)) = (step.signs(), &step.leaf, step.member) {
            step.lost_hosts = changes::lost_hosts(&step.disk, &spec.hosts);
        }
        Ok(found)
    }

    fn evidence<'b>(&'b self, disk: &'b OnDisk) -> Evidence<'b> {
        Evidence {
            entry: self.entry,
            ca: self.ca,
            disk,
            names: self.names,
        }
    }

    fn certificate_needs(&self, step: &Step<'_>) -> Needs {
        let (Some(spec), true) = (&step.leaf, step.signs()) else {
            // The same key and certificate, encoded anew.
            return Needs::Reload;
        };
        let signer = self.ca.and_then(Ca::signer);
        let leaf = step.disk.certificate.as_ref();
        let stays = leaf
            .zip(signer)
            .is_some_and(|(leaf, signer)| leaf.is_issued_by(signer));
        changes::certificate_needs(&step.disk, &spec.hosts, stays)
    }
}

/// A store's bytes differ at each encoding, so it is judged by what is in it.
fn holds(bytes: &[u8], credentials: &Credentials, profile: StoreProfile) -> bool {
    StoreProfile::of(bytes) == profile
        && pkcs12::open(bytes, &credentials.password).is_ok_and(|contents| {
            matches!(&contents.keys[..], [key] if key.chain == credentials.chain && **key.key_pkcs8 == *credentials.key)
                && contents.trusted.is_empty()
        })
}

/// What the policy and the time ask of a certificate that is there.
fn certificate_action(
    context: Context<'_>,
    ca: &Ca,
    spec: &LeafSpec,
    leaf: &Certificate,
    disk: &OnDisk,
    record: Option<&Record>,
    together: bool,
) -> (Action, Option<String>) {
    let keep = (Action::Keep, None);
    let reissue = |why: String| (Action::Reissue, Some(why));
    let Some(signer) = ca.signer() else {
        return keep;
    };
    if !record.is_some_and(|record| record.is_of(leaf, signer)) {
        let why = if leaf.is_issued_by(signer) {
            "its certificate is not the one that was signed last".to_owned()
        } else {
            format!("it was issued by another CA, {}", leaf.issuer)
        };
        let kept = record.and_then(|record| disk.kept_key(record, signer, spec.key));
        let key = match kept {
            Some(_) => "",
            None => "; it gets a new key",
        };
        return reissue(format!("{why}{key}"));
    }
    if disk.key.is_none() || disk.password.is_none() {
        return reissue("its key or password file is missing".to_owned());
    }
    if !together {
        return reissue("its key and certificate do not belong together".to_owned());
    }
    if leaf.server_auth != (spec.kind == Kind::Broker) {
        return reissue(format!("it is now a {}", spec.kind.name()));
    }
    if leaf.key != Some(spec.key) {
        return reissue(format!("the key shall be {}", spec.key));
    }
    let (were, shall_be): (BTreeSet<&Host>, BTreeSet<&Host>) =
        (leaf.hosts.iter().collect(), spec.hosts.iter().collect());
    if were != shall_be {
        let list = |hosts: &[Host]| {
            hosts
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        return reissue(format!(
            "hosts were {}, shall be {}",
            list(&leaf.hosts),
            list(&spec.hosts)
        ));
    }
    let due = leaf.not_after - Duration::days(context.policy.ca.renew_before_days.into());
    // Under a CA that ends soon a new certificate would end no later, and be due again at once.
    let gained =
        (context.now + Duration::days(spec.days.into())).min(signer.not_after) - leaf.not_after;
    if due <= context.now && gained >= Duration::DAY {
        let why = format!("it ends on {}", leaf.not_after.date());
        return (Action::Renew, Some(why));
    }
    keep
}
