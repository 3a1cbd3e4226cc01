//! Everything that a policy asks for: what is missing is made, what is due is renewed, the rest stays as it is.

use rayon::prelude::*;
use rcgen::KeyPair;
use time::{Duration, OffsetDateTime};

use super::{
    BootstrapError,
    ca::Ca,
    files::{self, Cluster},
    identity::{OnDisk, Wanted, enrol},
    member::{Member, ScramState},
    random,
};
use crate::{
    keystore::StoreProfile,
    pki::{Authority, Certificate, IdentityName},
    policy::ValidatedPolicy,
    scram::Credential,
    state::{FileSpec, Inventory, Lock, OutDir, Record, Staging, read_optional},
};

/// So many identities are signed, written and synced together: enough that one sync costs little for each, few
/// enough that their keys and stores take little memory.
const BATCH: usize = 128;

/// What happens, or would happen, to an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is not there yet.
    Create,
    /// Its certificate does not fit the policy any more; says why.
    Reissue(String),
    /// Its certificate ends soon; says when.
    Renew(String),
    /// Some of its files are written, its certificate stays.
    Update,
    /// Nothing.
    Keep,
}

impl Action {
    /// The word of `--json`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Reissue(_) => "reissued",
            Self::Renew(_) => "renewed",
            Self::Update => "updated",
            Self::Keep => "unchanged",
        }
    }

    /// Why, where that needs saying.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Reissue(why) | Self::Renew(why) => Some(why),
            _ => None,
        }
    }
}

/// One member with what shall happen to it.
#[derive(Debug)]
pub struct Step<'a> {
    /// Who.
    pub member: Member<'a>,
    /// What.
    pub action: Action,
    /// The certificate that it shall have.
    wanted: Option<Wanted>,
    /// What there is.
    disk: OnDisk,
    scram: Option<ScramState>,
    /// The files that differ from what is on disk, for [`Action::Update`].
    changed: Vec<FileSpec>,
}

impl Step<'_> {
    /// True where a certificate has to be signed.
    pub fn signs(&self) -> bool {
        self.wanted.is_some() && !matches!(self.action, Action::Update | Action::Keep)
    }

    /// The names of the files that [`Action::Update`] writes.
    pub fn updated(&self) -> impl Iterator<Item = &str> {
        self.changed.iter().map(|file| file.name.as_str())
    }
}

/// The whole plan: nothing has been written yet.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Everyone, in the order in which they are written.
    pub steps: Vec<Step<'a>>,
    /// Identities on disk that the policy does not name. They are never deleted.
    pub undeclared: Vec<IdentityName>,
    /// The CA ends before a leaf's usual time.
    pub ca_ends: Option<OffsetDateTime>,
    cluster_id: String,
}

/// What `plan` and `execute` work on.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The policy.
    pub policy: &'a ValidatedPolicy,
    /// The output directory.
    pub out: &'a OutDir,
    /// How stores are encoded.
    pub profile: StoreProfile,
    /// The time.
    pub now: OffsetDateTime,
}

/// Compares the policy with the disk. Without a CA everything is to be made.
///
/// # Errors
/// Everything on disk that cannot be read, and every host that the CA may not sign for.
pub fn plan<'a>(
    setting: Setting<'a>,
    ca: Option<&Ca>,
    lock: Option<&Lock>,
) -> Result<Plan<'a>, Vec<BootstrapError>> {
    let Setting { policy, out, .. } = setting;
    let members = Member::all(policy);
    let cluster_id = files::cluster_id(out).map_err(|e| vec![e])?;

    let scram: Vec<_> = members
        .par_iter()
        .map(|m| ScramState::load_or_derive(out, *m, policy))
        .collect();
    let (scram, mut errors) = partition(scram);
    if !errors.is_empty() {
        return Err(errors);
    }
    let credentials = scram
        .iter()
        .flatten()
        .flat_map(|s| s.credentials.clone())
        .collect();
    let cluster = cluster(setting, ca, lock, credentials, &cluster_id).map_err(|e| vec![e])?;
    let steps: Vec<_> = members
        .into_par_iter()
        .zip(&scram)
        .map(|(member, scram)| survey(setting, ca, cluster.as_ref(), member, scram.as_ref()))
        .collect();
    let (surveyed, more) = partition(steps);
    errors.extend(more);
    if !errors.is_empty() {
        return Err(errors);
    }
    let steps: Vec<Step<'a>> = surveyed
        .into_iter()
        .zip(scram)
        .map(|(step, scram)| Step { scram, ..step })
        .collect();
    let undeclared = out
        .identities()
        .map_err(|e| vec![e.into()])?
        .into_iter()
        .filter(|name| steps.iter().all(|s| s.member.name() != name))
        .collect();
    let ca_ends = ca
        .and_then(Ca::signer)
        .map(|c| c.not_after)
        .filter(|end| *end < setting.now + Duration::days(policy.ca.leaf_valid_days.into()));
    Ok(Plan {
        steps,
        undeclared,
        ca_ends,
        cluster_id,
    })
}

fn partition<T, E>(results: Vec<Result<T, E>>) -> (Vec<T>, Vec<E>) {
    let mut good = Vec::with_capacity(results.len());
    let mut bad = Vec::new();
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => bad.push(error),
        }
    }
    (good, bad)
}

/// What all identities' files have in common; `None` as long as there is no CA.
fn cluster<'a>(
    setting: Setting<'a>,
    ca: Option<&'a Ca>,
    lock: Option<&Lock>,
    credentials: Vec<Credential>,
    cluster_id: &'a str,
) -> Result<Option<Cluster<'a>>, BootstrapError> {
    let Some(ca) = ca else { return Ok(None) };
    let truststore = match lock {
        Some(lock) => Some(ca.truststore(setting.out, lock, setting.profile)?),
        None => ca.kept_truststore(setting.out, setting.profile)?,
    };
    Ok(Some(Cluster {
        policy: setting.policy,
        root: setting.out.absolute()?,
        ca_pem: ca.trusted_pem(),
        truststore: truststore.unwrap_or_default(),
        truststore_password: &ca.truststore_password,
        credentials,
        cluster_id,
        super_users: setting.policy.super_users(),
    }))
}

fn survey<'a>(
    setting: Setting<'a>,
    ca: Option<&Ca>,
    cluster: Option<&Cluster<'_>>,
    member: Member<'a>,
    scram: Option<&ScramState>,
) -> Result<Step<'a>, BootstrapError> {
    let Setting { policy, out, .. } = setting;
    let wanted = member.wanted(policy);
    let names = files::names(policy, member.name());
    let disk = OnDisk::read(out, member.name(), &names)?;
    if let (Some(wanted), Some(signer)) = (&wanted, ca.and_then(Ca::signer)) {
        wanted
            .hosts
            .iter()
            .try_for_each(|host| signer.check_permitted(host))?;
    }
    let mut step = Step {
        member,
        action: Action::Keep,
        wanted,
        disk,
        scram: None,
        changed: Vec::new(),
    };
    let (Some(ca), Some(cluster)) = (ca, cluster) else {
        step.action = Action::Create;
        return Ok(step);
    };
    if let Some(wanted) = &step.wanted {
        step.action = match &step.disk.certificate {
            None => Action::Create,
            Some(leaf) => judge(setting, ca, wanted, leaf, &step.disk),
        };
    } else if !out.identity(member.name()).exists() {
        step.action = Action::Create;
    }
    if step.action == Action::Keep {
        step.changed = outdated(setting, cluster, &step, scram)?;
        if !step.changed.is_empty() {
            step.action = Action::Update;
        }
    }
    Ok(step)
}

/// What the policy and the time ask of a certificate that is there.
fn judge(
    setting: Setting<'_>,
    ca: &Ca,
    wanted: &Wanted,
    leaf: &Certificate,
    disk: &OnDisk,
) -> Action {
    let Some(signer) = ca.signer() else {
        return Action::Keep;
    };
    let sorted = |hosts: &[crate::pki::Host]| {
        let mut hosts = hosts.to_vec();
        hosts.sort();
        hosts.dedup();
        hosts
    };
    if leaf.issuer != signer.subject {
        return Action::Reissue(format!("it was issued by {}", leaf.issuer));
    }
    if disk.key.is_none() || disk.password.is_none() {
        return Action::Reissue("its key or password file is missing".to_owned());
    }
    if !disk.belongs_together() {
        return Action::Reissue("its key and certificate do not belong together".to_owned());
    }
    if leaf.key != Some(wanted.key) {
        return Action::Reissue(format!("the key shall be {}", wanted.key));
    }
    if sorted(&leaf.hosts) != sorted(&wanted.hosts) {
        let list = |hosts: &[crate::pki::Host]| {
            hosts
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        return Action::Reissue(format!(
            "hosts were {}, shall be {}",
            list(&leaf.hosts),
            list(&wanted.hosts)
        ));
    }
    let due = leaf.not_after - Duration::days(setting.policy.ca.renew_before_days.into());
    // Under a CA that ends soon a new certificate would end no later, and be due again at once.
    let gained =
        (setting.now + Duration::days(wanted.days.into())).min(signer.not_after) - leaf.not_after;
    if due <= setting.now && gained >= Duration::DAY {
        return Action::Renew(format!("it ends on {}", leaf.not_after.date()));
    }
    Action::Keep
}

/// The files of a member that are not as they should be.
fn outdated(
    setting: Setting<'_>,
    cluster: &Cluster<'_>,
    step: &Step<'_>,
    scram: Option<&ScramState>,
) -> Result<Vec<FileSpec>, BootstrapError> {
    let dir = setting.out.identity(step.member.name());
    let names = files::names(setting.policy, step.member.name());
    let password = step.disk.password.as_ref();
    let mut changed = Vec::new();
    let mut trust_changed = false;
    for file in files::texts(cluster, step.member, password, scram)? {
        if read_optional(&dir.join(&file.name))?.as_deref() != Some(file.bytes.as_slice()) {
            trust_changed |= file.name == names.truststore;
            changed.push(file);
        }
    }
    if let Some(credentials) = step.disk.credentials() {
        // A store's bytes differ at each encoding, so it is written anew only where it is missing, or where the
        // other profile is asked for, which shows in the truststore.
        let missing = |name: &str| !dir.join(name).exists();
        if trust_changed || missing(&names.keystore) || missing(&names.pem) {
            changed.extend(credentials.files(step.member.name(), &names, setting.profile)?);
        }
    }
    Ok(changed)
}

/// Does what a plan says. `progress` is called with the number of members that are done.
///
/// # Errors
/// When something cannot be signed or written. What was done before stays; a second run does the rest.
pub fn execute(
    setting: Setting<'_>,
    plan: &mut Plan<'_>,
    ca: &Ca,
    authority: Option<&Authority<KeyPair>>,
    lock: &Lock,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), BootstrapError> {
    let mut inventory = Inventory::read(setting.out)?;
    files::keep_cluster_id(setting.out, &plan.cluster_id)?;
    let credentials = plan
        .steps
        .iter()
        .filter_map(|s| s.scram.as_ref())
        .flat_map(|s| s.credentials.clone())
        .collect();
    let Some(cluster) = cluster(setting, Some(ca), Some(lock), credentials, &plan.cluster_id)?
    else {
        return Ok(());
    };
    let work: Vec<&Step<'_>> = plan
        .steps
        .iter()
        .filter(|s| s.action != Action::Keep)
        .collect();
    for batch in work.chunks(BATCH) {
        let made: Vec<_> = batch
            .par_iter()
            .map(|step| make(setting, &cluster, ca, authority, &inventory, step))
            .collect::<Result<_, _>>()?;
        let records = made
            .iter()
            .filter_map(|(record, _)| record.clone())
            .collect();
        inventory.append(lock, records)?;
        let staging = Staging::begin(setting.out, lock, setting.policy.cluster.owner)?;
        batch
            .par_iter()
            .zip(&made)
            .try_for_each(|(step, (_, files))| staging.add(step.member.name().as_str(), files))?;
        staging.commit()?;
        progress(batch.len());
    }
    Ok(())
}

/// Signs for one member and encodes its files.
fn make(
    setting: Setting<'_>,
    cluster: &Cluster<'_>,
    ca: &Ca,
    authority: Option<&Authority<KeyPair>>,
    inventory: &Inventory,
    step: &Step<'_>,
) -> Result<(Option<Record>, Vec<FileSpec>), BootstrapError> {
    let name = step.member.name();
    let mut files = Vec::new();
    let mut record = None;
    let mut password = step.disk.password.clone();
    if step.action == Action::Update {
        return Ok((None, step.changed.clone()));
    }
    if let (Some(wanted), Some(authority)) = (&step.wanted, authority) {
        // The key stays where it fits: who pinned it, or waits to be told of a new one, is not disturbed.
        let fits = step.disk.belongs_together()
            && step.disk.certificate.as_ref().and_then(|c| c.key) == Some(wanted.key);
        let kept = step.disk.key.clone().filter(|_| fits);
        let serial = random::serial(inventory)?;
        let credentials = enrol(wanted, kept, password, ca, authority, serial, setting.now)?;
        files.extend(credentials.files(
            name,
            &files::names(setting.policy, name),
            setting.profile,
        )?);
        record = Some(credentials.record(wanted));
        password = Some(credentials.password);
    }
    files.extend(files::texts(
        cluster,
        step.member,
        password.as_ref(),
        step.scram.as_ref(),
    )?);
    Ok((record, files))
}
