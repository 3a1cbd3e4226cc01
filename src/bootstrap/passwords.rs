//! SCRAM passwords between the disk and a cluster.
//!
//! The disk is the authority, because a cluster never discloses a password: whatever is sent to a cluster was written
//! and synced here first. Two things follow.
//!
//! Credentials with other iterations or another mechanism, for the same password, are first written to `scram.json`
//! (and to what broker disks are formatted with), salt included, and then sent to the cluster. If the command is killed
//! in between, the next run sees the difference and sends the same again.
//!
//! A new password is first written to `scram.password.next`, beside the one in use. Until that file is removed, the
//! cluster may have either, and both are on the disk. The rotation is committed: the next run sends the new password
//! again, which is right whatever the cluster has, then moves it and all files that contain it into place, in one step,
//! and removes `scram.password.next`. `kpki up` leaves that file alone, but creates one itself if a password was lost.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BootstrapError,
    ca::Ca,
    changes::is_scram,
    context::Context,
    cut_off::revoked_users,
    edits::Edit,
    files,
    identity::read_secret,
    member::{Member, NEXT, PASSWORD, ScramState},
    nodes::Nodes,
    plan,
    planned::Planned,
    restore,
};
use crate::{
    config::STORAGE_ARGS,
    pki::IdentityName,
    policy::ValidatedPolicy,
    random,
    scram::{Credential, ScramInfo},
    secret::Secret,
    state::{FileSpec, Lock, OutDir, Owners, Staging, Written, read_plain},
};

/// The members of a policy that log in with SCRAM.
fn members(policy: &ValidatedPolicy) -> impl Iterator<Item = Member<'_>> {
    let all = Member::all(policy).into_iter();
    all.filter(|member| !member.scram(policy).0.is_empty())
}

/// The credentials that a policy describes.
pub fn desired(policy: &ValidatedPolicy) -> Vec<ScramInfo> {
    members(policy)
        .flat_map(|member| {
            let (mechanisms, iterations) = member.scram(policy);
            mechanisms.into_iter().map(move |mechanism| ScramInfo {
                user: member.name().to_string(),
                mechanism,
                iterations,
            })
        })
        .collect()
}

/// The users whose password, or keystore password, is not on the disk: `kpki up` creates them.
pub fn missing<'a>(
    out: &OutDir,
    policy: &'a ValidatedPolicy,
) -> Result<Vec<&'a IdentityName>, BootstrapError> {
    let mut missing = Vec::new();
    let revoked = revoked_users(out)?;
    for member in members(policy) {
        let name = member.name();
        if revoked.contains(name.as_str()) {
            continue;
        }
        let mut needed = vec![PASSWORD.to_owned()];
        if member.leaf(policy).is_some() || member.asks_for(policy).is_some() {
            needed.push(files::names(policy, name).password);
        }
        for file in needed {
            if read_secret(out, name, &file)?.is_none() {
                missing.push(name);
                break;
            }
        }
    }
    Ok(missing)
}

/// The password on disk of a SCRAM user of the policy, in use or about to be.
pub fn on_disk(
    out: &OutDir,
    policy: &ValidatedPolicy,
    user: &str,
) -> Result<Option<Secret>, BootstrapError> {
    let name = members(policy)
        .map(Member::name)
        .find(|n| n.as_str() == user);
    name.map_or(Ok(None), |name| read_secret(out, name, PASSWORD))
}

/// The passwords that have not been sent to the cluster yet, by user: those of unfinished rotations, and replacements
/// of lost ones.
pub fn begun(
    out: &OutDir,
    policy: &ValidatedPolicy,
) -> Result<BTreeMap<String, Secret>, BootstrapError> {
    let mut begun = BTreeMap::new();
    for name in members(policy).map(Member::name) {
        if let Some(next) = read_secret(out, name, NEXT)? {
            begun.insert(name.to_string(), next);
        }
    }
    Ok(begun)
}

/// Every SCRAM user's password and credentials, as they are or will be on the disk.
pub struct Passwords<'a> {
    context: Context<'a>,
    ca: &'a Ca,
    lock: &'a Lock,
    nodes: Nodes,
    written: Written,
    now: BTreeMap<&'a str, ScramState>,
    /// Those whose credentials on disk differ from the policy.
    derived: Vec<&'a str>,
    next: BTreeMap<&'a str, ScramState>,
    /// The rotations started by this run, which were never sent to the cluster before.
    fresh: BTreeSet<&'a str>,
}

impl<'a> Passwords<'a> {
    /// Reads them; none may be [`missing`].
    pub fn read(context: Context<'a>, ca: &'a Ca, lock: &'a Lock) -> Result<Self, BootstrapError> {
        let (mut now, mut derived) = (BTreeMap::new(), Vec::new());
        let owners = Owners::read(context.out, context.policy.cluster.owner)?;
        for member in members(context.policy) {
            context.out.check_identity(member.name(), &owners)?;
            let name = member.name().as_str();
            if let Some(state) = ScramState::load(context.out, member, context.policy)? {
                derived.extend(state.is_new().then_some(name));
                now.insert(name, state.derive()?);
            }
        }
        let written = Written::read(context.out)?;
        Ok(Self {
            context,
            ca,
            lock,
            nodes: Nodes::find(context, &written, &context.out.identities()?)?,
            written,
            now,
            derived,
            next: BTreeMap::new(),
            fresh: BTreeSet::new(),
        })
    }

    /// Writes to disk what is about to be sent to the cluster: credentials that differ from the policy, and the
    /// passwords of rotated users, which are new unless a rotation was started before.
    ///
    /// Returns the users whose directories have new files besides those passwords. On failure nothing is written.
    pub fn begin(
        &mut self,
        rotate: &BTreeSet<String>,
    ) -> Result<Vec<IdentityName>, BootstrapError> {
        let rotated = rotate.iter().map(String::as_str);
        self.check_edits(&rotated.chain(self.derived.iter().copied()).collect())?;
        let mut written = match self.derived.is_empty() {
            true => Vec::new(),
            false => self.files(&self.derived)?,
        };
        let changed = written.iter().map(|(name, _)| name.clone()).collect();
        let mut begun = begun(self.context.out, self.context.policy)?;
        for member in members(self.context.policy) {
            let name = member.name();
            if !rotate.contains(name.as_str()) {
                continue;
            }
            let password = match begun.remove(name.as_str()) {
                Some(password) => password,
                None => {
                    let password = random::password()?;
                    let file = FileSpec::password(NEXT, &password);
                    written.push((name.clone(), vec![file]));
                    self.fresh.insert(name.as_str());
                    password
                }
            };
            let state = ScramState::new(member, self.context.policy, password, &[]);
            self.next.insert(name.as_str(), state.derive()?);
        }
        self.write(&written)?;
        Ok(changed)
    }

    /// The password and the credential for an entry of [`desired`], for the cluster.
    pub fn credential(&self, info: &ScramInfo) -> Option<(&Secret, &Credential)> {
        let user = info.user.as_str();
        let state = self.next.get(user).or_else(|| self.now.get(user))?;
        let credential = state.derived().find(|c| c.mechanism == info.mechanism)?;
        Some((&state.password, credential))
    }

    /// Moves new passwords that the cluster has into place, with all files that contain them. The next run writes what
    /// could not be written.
    pub fn finish(&mut self, rotated: &[&str]) -> Result<(), BootstrapError> {
        let mut names = Vec::new();
        for user in rotated {
            if let Some((name, state)) = self.next.remove_entry(*user) {
                self.now.insert(name, state);
                names.push(name);
            }
        }
        let written = self.files(&names)?;
        self.write(&written)?;
        self.forget(&names)
    }

    /// Withdraws rotations that certainly did not reach the cluster. One started by an earlier run stays, because it is
    /// unknown how far that got.
    pub fn withdraw(&mut self, refused: &[&str]) -> Result<(), BootstrapError> {
        let fresh: Vec<&str> = refused
            .iter()
            .copied()
            .filter(|user| self.fresh.contains(user))
            .collect();
        self.forget(&fresh)
    }

    fn forget(&self, users: &[&str]) -> Result<(), BootstrapError> {
        members(self.context.policy)
            .map(Member::name)
            .filter(|name| users.contains(&name.as_str()))
            .try_for_each(|name| self.remove_next(name))
    }

    fn remove_next(&self, name: &IdentityName) -> Result<(), BootstrapError> {
        Ok(self.context.out.remove_file(self.lock, name, NEXT)?)
    }

    /// The files of these members that are not as they should be, and for every broker what its disk is formatted with.
    fn files(&self, users: &[&str]) -> Result<Vec<(IdentityName, Vec<FileSpec>)>, BootstrapError> {
        let Context { policy, out, .. } = self.context;
        let state = |name: &IdentityName| self.now.get(name.as_str());
        // In the order of `kpki up`.
        let credentials = Member::all(policy)
            .into_iter()
            .filter_map(|m| state(m.name()))
            .flat_map(|s| s.credentials.clone())
            .collect();
        let trust = &self.ca.trust;
        let truststores = restore::kept_truststores(trust, out)?;
        let cluster = plan::cluster(self.context, trust, truststores, credentials, &self.nodes)?;
        let mut written = Vec::new();
        for member in Member::all(policy) {
            let name = member.name();
            let dir = out.identity(name);
            let planned = if users.contains(&name.as_str()) {
                let password = read_secret(out, name, &files::names(policy, name).password)?;
                let profile = plan::profile(self.context, name, true)?;
                files::texts(&cluster, member, profile, password.as_ref(), state(name))?
            } else if dir.join(STORAGE_ARGS).exists() {
                // A broker's directory may have been moved to its machine.
                let storage = files::storage(&cluster, member, &cluster.credentials)?;
                storage.into_iter().collect()
            } else {
                continue;
            };
            let mut changed = Vec::new();
            // Only the truststore is not known, which is unrelated to passwords.
            for file in planned.into_iter().filter_map(Planned::known) {
                if read_plain(&dir.join(&file.name))?.as_deref() != Some(&*file.bytes) {
                    changed.push(file);
                }
            }
            if !changed.is_empty() {
                written.push((name.clone(), changed));
            }
        }
        Ok(written)
    }

    /// Refuses to overwrite edited files, before anything that these files must contain is sent to the cluster.
    fn check_edits(&self, users: &BTreeSet<&str>) -> Result<(), BootstrapError> {
        if users.is_empty() {
            return Ok(());
        }
        let Context { policy, out, .. } = self.context;
        for name in Member::all(policy).into_iter().map(Member::name) {
            let Some(entry) = self.written.of(name.as_str()) else {
                continue;
            };
            let names = files::names(policy, name);
            let itself = users.contains(name.as_str());
            for file in out.files(name) {
                let concerned =
                    file == STORAGE_ARGS || (itself && !is_scram(&file) && file != names.password);
                let path = out.identity(name).join(&file);
                if concerned
                    && entry.is_recorded(&file)
                    && read_plain(&path)?.is_some_and(|bytes| entry.is_foreign(&file, &bytes))
                {
                    let edit = Edit::ByHand {
                        diff: String::new(),
                        added: Vec::new(),
                    };
                    return Err(BootstrapError::Edited {
                        path: format!("{name}/{file}"),
                        shown: path.display().to_string(),
                        edit,
                    });
                }
            }
        }
        Ok(())
    }

    fn write(&self, written: &[(IdentityName, Vec<FileSpec>)]) -> Result<(), BootstrapError> {
        if written.is_empty() {
            return Ok(());
        }
        let owner = self.context.policy.cluster.owner;
        let names = written.iter().map(|(name, _)| name.as_str());
        Owners::read(self.context.out, owner)?.record(self.context.out, self.lock, names)?;
        let staging = Staging::begin(self.context.out, self.lock, owner)?;
        for (name, files) in written {
            staging.add(name.as_str(), files)?;
        }
        Ok(staging.commit()?)
    }
}
