//! What a policy asks for, held against what is on the disk. Nothing is written here but a truststore that was never
//! encoded before.

use std::collections::BTreeSet;

use rayon::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{
    BootstrapError,
    ca::Ca,
    changes::{FileChange, Needs},
    compare,
    files::{self, Cluster},
    folded::Folded,
    identity::{LeafSpec, OnDisk},
    member::{Member, New, ScramState},
    nodes::{Danger, Nodes},
};
use crate::{
    config::NodeFacts,
    keystore::StoreProfile,
    pki::{Host, IdentityName},
    plan::Action,
    policy::ValidatedPolicy,
    scram::Credential,
    secret::Secret,
    state::{FileSpec, Inventory, Lock, OutDir, Owners, Writing, Written, check_owner, read_plain},
};

/// One member with what shall happen to it.
#[derive(Debug)]
pub struct Step<'a> {
    /// Who.
    pub member: Member<'a>,
    /// What.
    pub action: Action,
    /// Why it gets another certificate, where it does.
    pub reason: Option<String>,
    /// Files of kpki's in its directory that the policy no longer asks for. They are never deleted.
    pub superfluous: Vec<String>,
    /// Its password and credentials, where it logs in by SCRAM.
    pub scram: Option<ScramState>,
    /// The certificate that it shall have.
    pub(super) leaf: Option<LeafSpec>,
    /// What there is.
    pub(super) disk: OnDisk,
    /// How its stores are encoded.
    pub(super) profile: StoreProfile,
    /// The files that differ from what is on disk, for [`Action::Update`].
    pub(super) changed: Vec<FileSpec>,
    /// Every file that is written, and what its reader has to do for it.
    pub changes: Vec<FileChange>,
    /// The hosts that its new certificate no longer names.
    pub lost_hosts: Vec<Host>,
    /// Files that are right and not on record, as an older kpki wrote them.
    pub(super) adopted: Option<Writing>,
}

impl Step<'_> {
    /// True where a certificate has to be signed.
    pub fn signs(&self) -> bool {
        self.leaf.is_some() && !matches!(self.action, Action::Update | Action::Keep)
    }

    /// What has to be done for all of it.
    pub fn needs(&self) -> Needs {
        let each = self.changes.iter().map(|change| change.needs);
        each.max().unwrap_or(Needs::Nothing)
    }
}

/// The whole plan.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Everyone, in the order in which they are written.
    pub steps: Vec<Step<'a>>,
    /// Identities on disk that the policy does not name. They are never deleted.
    pub undeclared: Vec<IdentityName>,
    /// The CA ends before a leaf's usual time.
    pub ca_ends: Option<OffsetDateTime>,
    /// The brokers' ids, and the cluster's.
    pub nodes: Nodes,
    /// The record of what was written is mostly about states long gone.
    pub(super) wasteful: bool,
}

/// What was asked for by name, as it is not done otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Changes that a running cluster does not survive by itself.
    pub dangers: &'a [Danger],
    /// Edited files to be overwritten: `kafka1/server.properties`.
    pub overwrite: &'a [String],
}

/// What a plan is for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// Only to find what is wrong.
    Check,
    /// To be shown.
    Show,
    /// To be carried out, under the writers' lock.
    Do(&'a Lock),
}

impl<'a> Purpose<'a> {
    fn lock(self) -> Option<&'a Lock> {
        match self {
            Self::Do(lock) => Some(lock),
            Self::Check | Self::Show => None,
        }
    }

    fn made(self) -> New {
        match self {
            Self::Do(_) => New::Derived,
            Self::Check | Self::Show => New::ToCome,
        }
    }
}

/// What a run works on.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The policy.
    pub policy: &'a ValidatedPolicy,
    /// The output directory.
    pub out: &'a OutDir,
    /// How stores are encoded; `None`: as they were, and as the JDK does where there are none.
    pub profile: Option<StoreProfile>,
    /// The time.
    pub now: OffsetDateTime,
    /// What was asked for by name.
    pub asked: Asked<'a>,
}

/// Compares the policy with the disk. Without a CA everything is to be made; all that can be said without one is
/// checked all the same.
///
/// # Errors
/// Everything on disk that cannot be read or written over, every file that somebody edited, every change that the
/// cluster would not survive, every host that the CA may not sign for, every configuration that cannot be written.
pub fn plan<'a>(
    context: Context<'a>,
    ca: Option<&Ca>,
    purpose: Purpose<'_>,
) -> Result<Plan<'a>, Vec<BootstrapError>> {
    let Context { policy, out, .. } = context;
    let one = |error: BootstrapError| vec![error];
    check_owner(out.root(), policy.cluster.owner).map_err(|e| one(e.into()))?;
    out.check().map_err(|e| one(e.into()))?;
    let owners = Owners::read(out, policy.cluster.owner).map_err(|e| one(e.into()))?;
    let inventory = match ca {
        Some(_) => Some(Inventory::read(out).map_err(|e| one(e.into()))?),
        None => None,
    };
    let there = out.identities().map_err(|e| one(e.into()))?;
    let members = Member::all(policy);
    let folded = Folded::new(&there);
    let mut errors: Vec<BootstrapError> = members
        .iter()
        .filter_map(|m| folded.clash(m.name()))
        .collect();
    errors.extend(
        members
            .iter()
            .filter_map(|m| out.check_identity(m.name(), &owners).err())
            .map(Into::into),
    );
    if !errors.is_empty() {
        return Err(errors);
    }

    let written = Written::read(out).map_err(|e| one(e.into()))?;
    let nodes = Nodes::find(context, &written, &there).map_err(one)?;
    let scram = members
        .par_iter()
        .map(|m| ScramState::load(out, *m, policy, purpose.made()).map_err(one))
        .collect();
    let scram: Vec<Option<ScramState>> = all(scram)?;
    let credentials = scram
        .iter()
        .flatten()
        .flat_map(|s| s.credentials.clone())
        .collect();
    let nobody = Secret::new("a password that is never written".to_owned());
    let lock = purpose.lock();
    let cluster = cluster(context, ca, lock, credentials, &nodes, &nobody).map_err(one)?;
    let steps = members
        .into_par_iter()
        .zip(scram)
        .map(|(member, scram)| {
            let ca = ca.zip(inventory.as_ref());
            step(context, purpose, ca, &cluster, &written, member, scram)
        })
        .collect();
    let (steps, mut errors) = both::<(Step<'a>, Option<NodeFacts>)>(steps);
    let facts = steps
        .iter()
        .filter_map(|(step, facts)| Some((step.member.name().as_str(), facts.as_ref()?)));
    errors.extend(nodes.dangers(context, &facts.collect::<Vec<_>>()));
    if !errors.is_empty() {
        return Err(errors);
    }
    let steps: Vec<Step<'a>> = steps.into_iter().map(|(step, _)| step).collect();
    let declared: BTreeSet<&IdentityName> = steps.iter().map(|s| s.member.name()).collect();
    let undeclared = there
        .into_iter()
        .filter(|name| !declared.contains(name))
        .collect();
    let ca_ends = ca
        .and_then(Ca::signer)
        .map(|c| c.not_after)
        .filter(|end| *end < context.now + Duration::days(policy.ca.leaf_valid_days.into()));
    drop(cluster);
    Ok(Plan {
        steps,
        undeclared,
        ca_ends,
        nodes,
        wasteful: written.is_wasteful(),
    })
}

/// All values, or all errors.
fn all<T>(results: Vec<Result<T, Vec<BootstrapError>>>) -> Result<Vec<T>, Vec<BootstrapError>> {
    let (good, bad) = both(results);
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// The values, and the errors.
fn both<T>(results: Vec<Result<T, Vec<BootstrapError>>>) -> (Vec<T>, Vec<BootstrapError>) {
    let mut good = Vec::with_capacity(results.len());
    let mut bad = Vec::new();
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(errors) => bad.extend(errors),
        }
    }
    (good, bad)
}

/// What all identities' files have in common. `nobody` stands in for the truststore's password without a CA.
pub(super) fn cluster<'a>(
    context: Context<'a>,
    ca: Option<&'a Ca>,
    lock: Option<&Lock>,
    credentials: Vec<Credential>,
    nodes: &'a Nodes,
    nobody: &'a Secret,
) -> Result<Cluster<'a>, BootstrapError> {
    let mut stores = [Vec::new(), Vec::new()];
    if let Some(ca) = ca {
        let legacy =
            context.profile == Some(StoreProfile::Legacy) || Ca::has_legacy_truststore(context.out);
        for (store, profile) in stores
            .iter_mut()
            .zip([StoreProfile::Jdk, StoreProfile::Legacy])
        {
            if profile == StoreProfile::Jdk || legacy {
                *store = match lock {
                    Some(lock) => ca.truststore(context.out, lock, profile)?,
                    None => ca
                        .kept_truststore(context.out, profile)?
                        .unwrap_or_default(),
                };
            }
        }
    }
    let [truststore, legacy_truststore] = stores;
    Ok(Cluster {
        policy: context.policy,
        root: context.out.absolute()?,
        ca_pem: ca.map(Ca::trusted_pem).unwrap_or_default(),
        truststore,
        legacy_truststore,
        truststore_password: ca.map_or(nobody, |ca| &ca.truststore_password),
        credentials,
        nodes,
        super_users: context.policy.super_users(),
    })
}

/// One member's step, and what its configuration commits it to, if it is a broker.
fn step<'a>(
    context: Context<'a>,
    purpose: Purpose<'_>,
    ca: Option<(&Ca, &Inventory)>,
    cluster: &Cluster<'_>,
    written: &Written,
    member: Member<'a>,
    scram: Option<ScramState>,
) -> Result<(Step<'a>, Option<NodeFacts>), Vec<BootstrapError>> {
    let Context { policy, out, .. } = context;
    let one = |error: BootstrapError| vec![error];
    let name = member.name();
    let names = files::names(policy, name);
    let leaf = member.leaf(policy);
    let there = out.identity(name).exists();
    let disk = match there {
        true => OnDisk::read(out, name, &names).map_err(one)?,
        false => OnDisk::default(),
    };
    if let (Some(leaf), Some(signer)) = (&leaf, ca.and_then(|(ca, _)| ca.signer())) {
        let mut hosts = leaf.hosts.iter();
        let refused = hosts.try_for_each(|host| signer.check_permitted(host, leaf.kind));
        refused.map_err(|e| one(e.into()))?;
    }
    let mut step = Step {
        member,
        action: Action::Create,
        reason: None,
        superfluous: Vec::new(),
        scram,
        leaf,
        disk,
        profile: profile(context, name, there).map_err(one)?,
        changed: Vec::new(),
        changes: Vec::new(),
        lost_hosts: Vec::new(),
        adopted: None,
    };
    let any = Secret::new("any".to_owned());
    let password = step
        .disk
        .password
        .as_ref()
        .or(step.leaf.as_ref().map(|_| &any));
    let texts = files::texts(cluster, member, step.profile, password, step.scram.as_ref());
    let texts = texts.map_err(one)?;
    let facts = texts.iter().find_map(|file| file.node.clone());
    if there && ca.is_some() {
        step.superfluous = superfluous(context, &step, &texts);
    }
    let look = compare::Look {
        context,
        ca: ca.map(|(ca, _)| ca),
        record: ca.and_then(|(_, inventory)| inventory.latest(name.as_str())),
        entry: written.of(name.as_str()),
        names: &names,
        there,
        shown: matches!(purpose, Purpose::Show),
    };
    look.compare(&mut step, texts)?;
    Ok((step, facts))
}

/// How a member's stores are encoded: as asked for, else as they were.
pub(super) fn profile(
    context: Context<'_>,
    name: &IdentityName,
    there: bool,
) -> Result<StoreProfile, BootstrapError> {
    if let Some(profile) = context.profile {
        return Ok(profile);
    }
    let names = files::names(context.policy, name);
    for file in [&names.keystore, &names.truststore]
        .into_iter()
        .filter(|_| there)
    {
        if let Some(store) = read_plain(&context.out.identity(name).join(file))? {
            let profile = StoreProfile::of(&store);
            // What does not look like a new store may be a damaged one. An old one has a truststore to go with it.
            if profile == StoreProfile::Jdk || Ca::has_legacy_truststore(context.out) {
                return Ok(profile);
            }
        }
    }
    Ok(StoreProfile::Jdk)
}

/// Files that kpki wrote into a member's directory when the policy said something else.
fn superfluous(context: Context<'_>, step: &Step<'_>, texts: &[FileSpec]) -> Vec<String> {
    let name = step.member.name();
    let names = files::names(context.policy, name);
    let mut wanted: BTreeSet<&str> = texts.iter().map(|f| f.name.as_str()).collect();
    if step.leaf.is_some() {
        wanted.extend(
            [
                &names.keystore,
                &names.key,
                &names.certificate,
                &names.pem,
                &names.password,
            ]
            .map(String::as_str),
        );
    }
    let mut found = context.out.files(name);
    found.retain(|file| !wanted.contains(file.as_str()));
    if found.is_empty() {
        return found;
    }
    let known = files::known_names(name);
    found.retain(|file| known.contains(file));
    found.sort();
    found
}
