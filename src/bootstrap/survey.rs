//! What a policy asks for, held against what is on the disk. Nothing is written here but a truststore that was never
//! encoded before.

use std::collections::BTreeSet;

use rayon::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{
    BootstrapError,
    ca::Ca,
    files::{self, Cluster},
    folded::Folded,
    identity::{OnDisk, Wanted},
    member::{Member, ScramState},
};
use crate::{
    keystore::{StoreProfile, pkcs12},
    pki::{Certificate, Host, IdentityName, Kind},
    policy::ValidatedPolicy,
    scram::Credential,
    secret::Secret,
    state::{FileSpec, Inventory, Lock, OutDir, Owners, Record, check_owner, read_plain},
};

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
    /// Files of kpki's in its directory that the policy no longer asks for. They are never deleted.
    pub superfluous: Vec<String>,
    /// Its password and credentials, where it logs in by SCRAM.
    pub scram: Option<ScramState>,
    /// The certificate that it shall have.
    pub(super) wanted: Option<Wanted>,
    /// What there is.
    pub(super) disk: OnDisk,
    /// How its stores are encoded.
    pub(super) profile: StoreProfile,
    /// The files that differ from what is on disk, for [`Action::Update`].
    pub(super) changed: Vec<FileSpec>,
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

/// The whole plan.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Everyone, in the order in which they are written.
    pub steps: Vec<Step<'a>>,
    /// Identities on disk that the policy does not name. They are never deleted.
    pub undeclared: Vec<IdentityName>,
    /// The CA ends before a leaf's usual time.
    pub ca_ends: Option<OffsetDateTime>,
    pub(super) cluster_id: String,
}

/// What a run works on.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The policy.
    pub policy: &'a ValidatedPolicy,
    /// The output directory.
    pub out: &'a OutDir,
    /// How stores are encoded; `None`: as they were, and as the JDK does where there are none.
    pub profile: Option<StoreProfile>,
    /// The time.
    pub now: OffsetDateTime,
}

/// Compares the policy with the disk. Without a CA everything is to be made; all that can be said without one is
/// checked all the same.
///
/// # Errors
/// Everything on disk that cannot be read or written over, every host that the CA may not sign for, every
/// configuration that cannot be written.
pub fn plan<'a>(
    setting: Setting<'a>,
    ca: Option<&Ca>,
    lock: Option<&Lock>,
) -> Result<Plan<'a>, Vec<BootstrapError>> {
    let Setting { policy, out, .. } = setting;
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

    let cluster_id = files::cluster_id(out).map_err(one)?;
    let scram = members
        .par_iter()
        .map(|m| ScramState::load_or_derive(out, *m, policy))
        .collect();
    let scram: Vec<Option<ScramState>> = all(scram)?;
    let credentials = scram
        .iter()
        .flatten()
        .flat_map(|s| s.credentials.clone())
        .collect();
    let nobody = Secret::new("a password that is never written".to_owned());
    let cluster = cluster(setting, ca, lock, credentials, &cluster_id, &nobody).map_err(one)?;
    let steps = members
        .into_par_iter()
        .zip(scram)
        .map(|(member, scram)| survey(setting, ca.zip(inventory.as_ref()), &cluster, member, scram))
        .collect();
    let steps: Vec<Step<'a>> = all(steps)?;
    let declared: BTreeSet<&IdentityName> = steps.iter().map(|s| s.member.name()).collect();
    let undeclared = there
        .into_iter()
        .filter(|name| !declared.contains(name))
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

/// All values, or all errors.
fn all<T>(results: Vec<Result<T, BootstrapError>>) -> Result<Vec<T>, Vec<BootstrapError>> {
    let mut good = Vec::with_capacity(results.len());
    let mut bad = Vec::new();
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => bad.push(error),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// What all identities' files have in common. `nobody` stands in for the truststore's password without a CA.
pub(super) fn cluster<'a>(
    setting: Setting<'a>,
    ca: Option<&'a Ca>,
    lock: Option<&Lock>,
    credentials: Vec<Credential>,
    cluster_id: &'a str,
    nobody: &'a Secret,
) -> Result<Cluster<'a>, BootstrapError> {
    let mut stores = [Vec::new(), Vec::new()];
    if let Some(ca) = ca {
        let legacy =
            setting.profile == Some(StoreProfile::Legacy) || Ca::has_legacy_truststore(setting.out);
        for (store, profile) in stores
            .iter_mut()
            .zip([StoreProfile::Jdk, StoreProfile::Legacy])
        {
            if profile == StoreProfile::Jdk || legacy {
                *store = match lock {
                    Some(lock) => ca.truststore(setting.out, lock, profile)?,
                    None => ca
                        .kept_truststore(setting.out, profile)?
                        .unwrap_or_default(),
                };
            }
        }
    }
    let [truststore, legacy_truststore] = stores;
    Ok(Cluster {
        policy: setting.policy,
        root: setting.out.absolute()?,
        ca_pem: ca.map(Ca::trusted_pem).unwrap_or_default(),
        truststore,
        legacy_truststore,
        truststore_password: ca.map_or(nobody, |ca| &ca.truststore_password),
        credentials,
        cluster_id,
        super_users: setting.policy.super_users(),
    })
}

fn survey<'a>(
    setting: Setting<'a>,
    ca: Option<(&Ca, &Inventory)>,
    cluster: &Cluster<'_>,
    member: Member<'a>,
    scram: Option<ScramState>,
) -> Result<Step<'a>, BootstrapError> {
    let Setting { policy, out, .. } = setting;
    let name = member.name();
    let wanted = member.wanted(policy);
    let there = out.identity(name).exists();
    let disk = if there {
        OnDisk::read(out, name, &files::names(policy, name))?
    } else {
        OnDisk::default()
    };
    if let (Some(wanted), Some(signer)) = (&wanted, ca.and_then(|(ca, _)| ca.signer())) {
        wanted
            .hosts
            .iter()
            .try_for_each(|host| signer.check_permitted(host, wanted.kind))?;
    }
    let mut step = Step {
        member,
        action: Action::Create,
        superfluous: Vec::new(),
        scram,
        wanted,
        disk,
        profile: profile(setting, name, there)?,
        changed: Vec::new(),
    };
    let any = Secret::new("any".to_owned());
    let password = step
        .disk
        .password
        .as_ref()
        .or(step.wanted.as_ref().map(|_| &any));
    let texts = files::texts(cluster, member, step.profile, password, step.scram.as_ref())?;
    let Some((ca, inventory)) = ca.filter(|_| there) else {
        return Ok(step);
    };
    step.action = match (&step.wanted, &step.disk.certificate) {
        (None, _) => Action::Keep,
        (Some(_), None) => Action::Create,
        (Some(wanted), Some(leaf)) => {
            let record = inventory.latest(name.as_str());
            judge(setting, ca, wanted, leaf, &step.disk, record)
        }
    };
    if let (Action::Keep, Some(leaf)) = (&step.action, &step.disk.certificate) {
        // What lies behind the leaf is the CA's to say as well.
        step.disk.chain = ca.chain(leaf);
    }
    step.superfluous = superfluous(setting, &step, &texts);
    if step.action == Action::Keep {
        step.changed = outdated(setting, &step, texts)?;
        if !step.changed.is_empty() {
            step.action = Action::Update;
        }
    }
    Ok(step)
}

/// How a member's stores are encoded: as asked for, else as they were.
pub(super) fn profile(
    setting: Setting<'_>,
    name: &IdentityName,
    there: bool,
) -> Result<StoreProfile, BootstrapError> {
    if let Some(profile) = setting.profile {
        return Ok(profile);
    }
    let names = files::names(setting.policy, name);
    for file in [&names.keystore, &names.truststore]
        .into_iter()
        .filter(|_| there)
    {
        if let Some(store) = read_plain(&setting.out.identity(name).join(file))? {
            return Ok(StoreProfile::of(&store));
        }
    }
    Ok(StoreProfile::Jdk)
}

/// What the policy and the time ask of a certificate that is there.
fn judge(
    setting: Setting<'_>,
    ca: &Ca,
    wanted: &Wanted,
    leaf: &Certificate,
    disk: &OnDisk,
    record: Option<&Record>,
) -> Action {
    let Some(signer) = ca.signer() else {
        return Action::Keep;
    };
    if !record.is_some_and(|record| record.is_of(leaf, signer)) {
        let why = if leaf.is_issued_by(signer) {
            "its certificate is not the one that was signed last".to_owned()
        } else {
            format!("it was issued by another CA, {}", leaf.issuer)
        };
        let kept = record.and_then(|record| disk.kept_key(record, signer, wanted.key));
        let key = match kept {
            Some(_) => "",
            None => "; it gets a new key",
        };
        return Action::Reissue(format!("{why}{key}"));
    }
    if disk.key.is_none() || disk.password.is_none() {
        return Action::Reissue("its key or password file is missing".to_owned());
    }
    if !disk.belongs_together() {
        return Action::Reissue("its key and certificate do not belong together".to_owned());
    }
    if leaf.server_auth != (wanted.kind == Kind::Broker) {
        return Action::Reissue(format!("it is now a {}", wanted.kind.name()));
    }
    if leaf.key != Some(wanted.key) {
        return Action::Reissue(format!("the key shall be {}", wanted.key));
    }
    let (were, shall_be): (BTreeSet<&Host>, BTreeSet<&Host>) =
        (leaf.hosts.iter().collect(), wanted.hosts.iter().collect());
    if were != shall_be {
        let list = |hosts: &[Host]| {
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
    step: &Step<'_>,
    texts: Vec<FileSpec>,
) -> Result<Vec<FileSpec>, BootstrapError> {
    let name = step.member.name();
    let dir = setting.out.identity(name);
    let names = files::names(setting.policy, name);
    let credentials = step.wanted.as_ref().and(step.disk.credentials());
    let mut wanted = texts;
    let mut changed = Vec::new();
    if let Some(credentials) = &credentials {
        wanted.extend(credentials.texts(&names)?);
        let store = read_plain(&dir.join(&names.keystore))?;
        // A store's bytes differ at each encoding, so it is judged by what is in it.
        let good = store.is_some_and(|bytes| {
            StoreProfile::of(&bytes) == step.profile
                && pkcs12::open(&bytes, &credentials.password).is_ok_and(|contents| {
                    matches!(&contents.keys[..], [key] if key.chain == credentials.chain && **key.key_pkcs8 == *credentials.key)
                })
        });
        if !good {
            changed.push(credentials.keystore(name, &names, step.profile)?);
        }
    }
    let owner = setting.policy.cluster.owner;
    let foreign = |file: &str| owner.is_some_and(|owner| !OutDir::is_owned(&dir.join(file), owner));
    if let (Some(credentials), true) =
        (&credentials, changed.is_empty() && foreign(&names.keystore))
    {
        changed.push(credentials.keystore(name, &names, step.profile)?);
    }
    for file in wanted {
        let differs = read_plain(&dir.join(&file.name))?.as_deref() != Some(&*file.bytes);
        if differs || foreign(&file.name) || foreign("") {
            changed.push(file);
        }
    }
    Ok(changed)
}

/// Files that kpki wrote into a member's directory when the policy said something else.
fn superfluous(setting: Setting<'_>, step: &Step<'_>, texts: &[FileSpec]) -> Vec<String> {
    let name = step.member.name();
    let names = files::names(setting.policy, name);
    let mut wanted: BTreeSet<&str> = texts.iter().map(|f| f.name.as_str()).collect();
    if step.wanted.is_some() {
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
    let known = files::known_names(name);
    let mut found = setting.out.files(name);
    found.retain(|file| known.contains(file) && !wanted.contains(file.as_str()));
    found.sort();
    found
}
