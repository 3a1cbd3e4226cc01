//! Compares one member's files with what they should be.

use std::collections::BTreeSet;

use time::Duration;

use super::{
    BootstrapError, Errors,
    changes::{self, Needs, Reader},
    context::Context,
    edits::Evidence,
    identity::{self, Credentials},
    member::Member,
    planned::{Planned, ToCome},
    renew::due_by,
    step::Step,
    trust::Trust,
};
use crate::{
    keystore::{StoreProfile, pkcs12},
    pki::{Certificate, Host, LeafSpec},
    plan::Action,
    policy::{FileNames, IssuerSettings, NodeRole},
    secret::SecretBytes,
    state::{FileSpec, Inventory, OutDir, Record, Revocation, Writing, WrittenEntry, read_plain},
};

/// What a member is compared with.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    /// The context of the run.
    pub context: Context<'a>,
    /// The CA's public part.
    pub trust: &'a Trust,
    /// The inventory.
    pub inventory: &'a Inventory,
    /// The last certificate that was signed for the member.
    pub record: Option<&'a Record>,
    /// Its revocation.
    pub revoked: Option<&'a Revocation>,
    /// The record of the member's directory.
    pub entry: Option<&'a WrittenEntry>,
    /// The names of its files.
    pub names: &'a FileNames,
    /// Whether it has a directory.
    pub there: bool,
}

impl Look<'_> {
    /// Decides what is done for the member, and finds every file that changes.
    pub(super) fn compare(
        &self,
        step: &mut Step<'_>,
        mut files: Vec<Planned>,
    ) -> Result<(), Errors> {
        if step.revoked.is_some() {
            // It only gets a certificate if that is requested by name, and no files until it has a directory.
            step.leaf = None;
            if !self.there {
                step.action = Action::Keep;
                step.scram = None;
                return Ok(());
            }
        }
        if let Some(leaf) = &step.disk.certificate {
            // The chain above the leaf is determined by the CA.
            step.disk.chain = self.trust.chain(leaf);
        }
        let credentials = step.leaf.as_ref().and(step.disk.credentials());
        let store = match step.leaf {
            Some(_) => self.read(step, &self.names.keystore)?,
            None => None,
        };
        // A store whose bytes and inputs are on record is not opened, which would take three key derivations.
        let proven = match (&credentials, &store, self.entry) {
            (Some(credentials), Some(store), Some(entry)) => {
                let made = entry.made_from(&self.names.keystore, store);
                made == Some(credentials.made_from(step.profile).as_str())
            }
            _ => false,
        };
        if self.there {
            (step.action, step.reason) = match (&step.leaf, &step.disk.certificate) {
                (None, _) => (Action::Keep, None),
                (Some(_), None) => (Action::Create, None),
                (Some(spec), Some(leaf)) => {
                    let together = proven || step.disk.belongs_together();
                    self.certificate_action(step, spec, leaf, together)
                }
            };
        }
        if step.signs() {
            step.key = self.kept_key(step);
            let elsewhere = self.record.filter(|r| r.external && step.key.is_none());
            let until = elsewhere.map(|record| record.not_after);
            step.elsewhere_until = until.filter(|until| *until > self.context.now);
            files.extend(self.signed(step)?);
        } else if let Some(credentials) = &credentials {
            let texts = credentials.texts(self.names)?;
            files.extend(texts.map(Planned::Known));
            let is_good = |store: &Vec<u8>| proven || holds(store, credentials, step.profile);
            files.push(match store.filter(is_good) {
                Some(bytes) => Planned::Known(FileSpec {
                    made_from: Some(credentials.made_from(step.profile)),
                    ..FileSpec::secret(&self.names.keystore, bytes)
                }),
                None => Planned::to_come(&self.names.keystore, ToCome::KeyStore),
            });
        }
        self.keep_differing(step, &mut files)?;
        if step.action == Action::Keep && !files.is_empty() {
            step.action = Action::Update;
        }
        step.files = files;
        Ok(())
    }

    fn read(&self, step: &Step<'_>, file: &str) -> Result<Option<Vec<u8>>, BootstrapError> {
        if !self.there {
            return Ok(None);
        }
        let path = self.context.out.identity(step.member.name()).join(file);
        // An empty file was left by a machine crash or a full disk, and is not an edit.
        Ok(read_plain(&path)?.filter(|bytes| !bytes.is_empty()))
    }

    /// The files of a new certificate. Password and key stay if possible, and so do their files.
    fn signed(&self, step: &Step<'_>) -> Result<Vec<Planned>, BootstrapError> {
        let names = self.names;
        let mut files = vec![
            Planned::to_come(&names.keystore, ToCome::KeyStore),
            Planned::to_come(&names.certificate, ToCome::Pem),
            Planned::to_come(&names.pem, ToCome::Pem),
        ];
        let password = step.password.as_ref();
        let password = password.map(|password| FileSpec::password(&names.password, password));
        files.extend(password.map(Planned::Known));
        files.push(match &step.key {
            Some(key) => Planned::Known(identity::key_file(names, key)?),
            None => Planned::to_come(&names.key, ToCome::Pem),
        });
        Ok(files)
    }

    /// Keeps those files that differ from the disk. Notes each in the step, and also those that are right but not on
    /// record.
    fn keep_differing(&self, step: &mut Step<'_>, files: &mut Vec<Planned>) -> Result<(), Errors> {
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
        let evidence = Evidence {
            entry: self.entry,
            trust: self.trust,
            disk: &step.disk,
            names: self.names,
        };
        let (mut right, mut errors) = (Vec::new(), Vec::new());
        let (mut changes, mut refused) = (Vec::new(), Vec::new());
        files.retain(|planned| {
            let file = planned.name();
            let old = match self.read(step, file) {
                Ok(old) => old,
                Err(error) => {
                    errors.push(error);
                    return false;
                }
            };
            let new = planned.shown();
            let path = format!("{name}/{file}");
            if let Some(old) = &old
                && new != Some(old)
                && !self.context.asked.overwrite.contains(&path)
                && let Some(edit) = evidence.edit(&path, file, old, new)
            {
                let error = BootstrapError::Edited {
                    path: path.clone(),
                    shown: dir.join(file).display().to_string(),
                    edit,
                };
                if !self.context.asked.dry_run {
                    errors.push(error);
                    return false;
                }
                refused.push(error);
            }
            if let Planned::Known(spec) = planned
                && old.as_deref() == Some(&*spec.bytes)
                && !given_away
                && !foreign(file)
            {
                if !self.entry.is_some_and(|entry| entry.is_current(spec)) {
                    right.push(spec.clone());
                }
                return false;
            }
            // If a missing file is written again unchanged, programs that have read it need nothing.
            let same = |new: &&[u8]| self.entry.is_some_and(|e| e.is_last(file, new));
            let before = old.as_deref().or(new.filter(same));
            let is_ours = |old: &[u8]| {
                self.entry
                    .is_some_and(|e| e.is_recorded(file) && !e.is_foreign(file, old))
            };
            let mut change = changes::change(
                reader,
                self.names,
                certificate,
                &path,
                file,
                (before, new),
                (before.is_none_or(is_ours), self.context.asked.dry_run),
            );
            change.create = old.is_none();
            changes.push(change);
            true
        });
        if !errors.is_empty() {
            return Err(Errors(errors));
        }
        step.changes = changes;
        step.refused = refused;
        if !right.is_empty() {
            step.adopted = Some(Writing::of(name, &right));
        }
        if let (true, Some(spec), Member::Broker(_)) = (step.signs(), &step.leaf, step.member) {
            step.lost_hosts = changes::lost_hosts(&step.disk, &spec.hosts);
        }
        Ok(())
    }

    fn certificate_needs(&self, step: &Step<'_>) -> Needs {
        let (Some(spec), true) = (&step.leaf, step.signs()) else {
            // The same key and certificate in a new encoding.
            return Needs::Reload;
        };
        let leaf = step.disk.certificate.as_ref();
        let now = self.context.now;
        // Nobody can connect to a broker with an expired certificate to make it reload.
        let stays = leaf.is_some_and(|leaf| self.trust.vouches_for(leaf) && leaf.not_after > now);
        changes::certificate_needs(&step.disk, &spec.hosts, stays)
    }

    /// The key that may be kept.
    fn kept_key(&self, step: &Step<'_>) -> Option<SecretBytes> {
        let (record, spec) = (self.record?, step.leaf.as_ref()?);
        let signer = self.trust.signer();
        step.disk.kept_key(record, signer, spec.key)
    }

    /// What the policy and the time require of an existing certificate.
    fn certificate_action(
        &self,
        step: &Step<'_>,
        spec: &LeafSpec,
        leaf: &Certificate,
        together: bool,
    ) -> (Action, Option<String>) {
        let reissue = |why: String| (Action::Reissue, Some(why));
        let Self {
            context, record, ..
        } = *self;
        let (signer, disk) = (self.trust.signer(), &step.disk);
        if !record.is_some_and(|record| record.is_of(leaf, signer)) {
            let why = if leaf.is_issued_by(signer) {
                "its certificate is not the last one that was signed".to_owned()
            } else {
                format!("it was issued by another CA, {}", leaf.issuer)
            };
            let key = match self.kept_key(step) {
                Some(_) => "",
                None => "; it gets a new key",
            };
            return reissue(format!("{why}{key}"));
        }
        if !self.trust.vouches_for(leaf) {
            return reissue(format!("{} is no longer trusted", leaf.issuer));
        }
        if disk.key.is_none() || disk.password.is_none() {
            return reissue("its key or password file is missing".to_owned());
        }
        if !together {
            return reissue("its key and certificate do not match".to_owned());
        }
        // Not by its extended key usage: external issuers may give every usage to everyone.
        if record.is_some_and(|record| record.kind != spec.kind) {
            return reissue(format!("it is now a {}", spec.kind.name()));
        }
        if leaf.key != Some(spec.key) {
            return reissue(format!("the key must be {}", spec.key));
        }
        let (were, shall_be): (BTreeSet<&Host>, BTreeSet<&Host>) =
            (leaf.hosts.iter().collect(), spec.hosts.iter().collect());
        if were != shall_be && !spec.is_named_alone(&leaf.hosts) {
            let list = |hosts: &[Host]| {
                let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
                match &hosts[..] {
                    [] => "none".to_owned(),
                    hosts => hosts.join(" "),
                }
            };
            let (were, are) = (list(&leaf.hosts), list(&spec.hosts));
            return reissue(format!("hosts change from {were} to {are}"));
        }
        // An external CA has its own CRLs.
        let own = context
            .policy
            .ca
            .issuer
            .as_ref()
            .is_some_and(IssuerSettings::has_own_ca);
        let list = context.policy.ca.crl_url.as_ref();
        let of_its_ca = self.inventory.successor(self.trust.signer_of(leaf));
        let list = list.map(|url| url.of_generation(of_its_ca).to_string());
        if !own && leaf.crl_urls.iter().ne(&list) {
            return reissue(match list {
                Some(url) => format!("its CRL distribution point must be {url}"),
                None => "it has a CRL distribution point, but the policy has none".to_owned(),
            });
        }
        let due = due_by(context.policy, leaf.not_before, leaf.not_after);
        // Under a CA that expires soon, a new certificate would expire no later, and be due again at once.
        let gained =
            (context.now + Duration::days(spec.days.into())).min(signer.not_after) - leaf.not_after;
        if due <= context.now && gained >= Duration::DAY {
            let why = format!("it expires on {}", leaf.not_after.date());
            return (Action::Renew, Some(why));
        }
        (Action::Keep, None)
    }
}

/// A store's bytes differ at each encoding, so it is compared by its contents.
pub(super) fn holds(bytes: &[u8], credentials: &Credentials, profile: StoreProfile) -> bool {
    StoreProfile::of(bytes) == profile
        && pkcs12::open(bytes, &credentials.password).is_ok_and(|contents| {
            matches!(&contents.keys[..], [key] if key.chain == credentials.chain && **key.key_pkcs8 == *credentials.key)
                && contents.trusted.is_empty()
        })
}
