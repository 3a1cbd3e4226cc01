//! Compares a policy with what is on the disk. Nothing is written here. What takes time or needs the CA's key is
//! deferred: it is derived, encoded or signed when the plan is executed.

use std::collections::BTreeSet;

use rayon::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{
    BootstrapError, Errors,
    compare::Look,
    context::Context,
    files::{self, ClusterFiles},
    folded::Folded,
    identity::{OnDisk, read_secret},
    member::{Derivation, Member, ScramState},
    nodes::Nodes,
    planned::Planned,
    renew::due_by,
    restore, revoke, sign,
    step::Step,
    trust::{Trust, Truststores},
};
use crate::{
    config::NodeFacts,
    keystore::{StoreProfile, pkcs12},
    pki::{Host, IdentityName, Kind},
    plan::Action,
    policy::LAYOUTS,
    printable::Printable,
    random,
    secret::Secret,
    state::{FileSpec, Inventory, OutDir, Owners, Record, Written, check_owner, read_plain},
};

/// The whole plan.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Everyone, in the order in which they are written.
    pub steps: Vec<Step<'a>>,
    /// Identities on disk that the policy does not name. They are never deleted.
    pub undeclared: Vec<IdentityName>,
    /// When the CA expires, if that is before a new leaf certificate would.
    pub ca_ends: Option<OffsetDateTime>,
    /// The brokers' ids, and the cluster's.
    pub nodes: Nodes,
    /// In a dry run, what would be refused.
    pub refused: Vec<BootstrapError>,
    /// Whether the record of what was written is mostly about outdated states.
    pub(super) wasteful: bool,
}

/// Compares the policy with the disk. The CA may be one that is yet to be created.
///
/// # Errors
/// Everything on disk that cannot be read or overwritten, every edited file, every dangerous change, every host that
/// the CA may not sign for, every configuration that cannot be written.
pub fn plan<'a>(context: Context<'a>, trust: &Trust) -> Result<Plan<'a>, Errors> {
    let Context { policy, out, .. } = context;
    check_owner(out.root(), policy.cluster.owner)?;
    out.check()?;
    let owners = Owners::read(out, policy.cluster.owner)?;
    let inventory = Inventory::read(out)?;
    let there = out.identities()?;
    let members = Member::all(policy);
    let folded = Folded::new(&there);
    let clashes = members.iter().filter_map(|m| folded.clash(m.name()));
    let mut errors: Vec<BootstrapError> = clashes.collect();
    let unsafe_ones = members
        .iter()
        .filter_map(|m| out.check_identity(m.name(), &owners).err());
    errors.extend(unsafe_ones.map(BootstrapError::from));
    if !errors.is_empty() {
        return Err(Errors(errors));
    }

    let written = Written::read(out)?;
    let nodes = Nodes::find(context, &written, &there)?;
    let scram = members
        .par_iter()
        .map(|m| Ok(ScramState::load(out, *m, policy)?));
    let (scram, errors) = parted(scram.collect());
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    // A revoked identity without a directory gets none, and so no password.
    let is_out = |m: &Member<'_>| {
        let revoked = revoke::of_identity(&inventory, m.name().as_str());
        revoked.is_some() && !out.identity(m.name()).exists()
    };
    let credentials = members.iter().zip(&scram).filter(|(m, _)| !is_out(m));
    let credentials = credentials
        .filter_map(|(_, scram)| scram.as_ref())
        .flat_map(|s| s.credentials.clone())
        .collect();
    let truststores = restore::kept_truststores(trust, out)?;
    let cluster = cluster(context, trust, truststores, credentials, &nodes)?;
    let steps = members.into_par_iter().zip(scram);
    let steps = steps.map(|(member, scram)| {
        let look = Look {
            context,
            trust,
            inventory: &inventory,
            record: inventory.latest(member.name().as_str()),
            revoked: revoke::of_identity(&inventory, member.name().as_str()),
            entry: written.of(member.name().as_str()),
            names: &files::names(policy, member.name()),
            there: out.identity(member.name()).exists(),
        };
        step(&look, &cluster, member, scram)
    });
    let (steps, mut errors) = parted::<(Step<'a>, Option<NodeFacts>)>(steps.collect());
    let facts = steps
        .iter()
        .filter_map(|(step, facts)| Some((step.member.name().as_str(), facts.as_ref()?)));
    let mut refused = nodes.dangers(context, &facts.collect::<Vec<_>>());
    if !context.asked.dry_run {
        errors.append(&mut refused);
    }
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    drop(cluster);
    let mut steps: Vec<Step<'a>> = steps.into_iter().map(|(step, _)| step).collect();
    refused.extend(steps.iter_mut().flat_map(|step| step.refused.drain(..)));
    let declared: BTreeSet<&IdentityName> = steps.iter().map(|s| s.member.name()).collect();
    let undeclared = there
        .into_iter()
        .filter(|name| !declared.contains(name))
        .collect();
    let leaves_end = context.now + Duration::days(policy.ca.leaf_valid_days.into());
    let ca_ends = trust.signer().not_after;
    Ok(Plan {
        steps,
        undeclared,
        ca_ends: Some(ca_ends).filter(|end| *end < leaves_end),
        nodes,
        refused,
        wasteful: written.is_wasteful(),
    })
}

/// The values, and all errors.
fn parted<T>(results: Vec<Result<T, Errors>>) -> (Vec<T>, Vec<BootstrapError>) {
    let mut values = Vec::with_capacity(results.len());
    let mut wrong = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(Errors(errors)) => wrong.extend(errors),
        }
    }
    (values, wrong)
}

/// What all identities' files have in common.
pub(super) fn cluster<'a>(
    context: Context<'a>,
    trust: &'a Trust,
    truststores: Truststores,
    credentials: Vec<Derivation>,
    nodes: &'a Nodes,
) -> Result<ClusterFiles<'a>, BootstrapError> {
    Ok(ClusterFiles {
        policy: context.policy,
        root: context.out.absolute()?,
        ca_pem: trust.trusted_pem(),
        truststores,
        truststore_password: &trust.truststore_password,
        credentials,
        nodes,
        super_users: context.policy.super_users(),
    })
}

/// One member's step, and what its configuration commits it to, if it is a broker.
fn step<'a>(
    look: &Look<'_>,
    cluster: &ClusterFiles<'_>,
    member: Member<'a>,
    scram: Option<ScramState>,
) -> Result<(Step<'a>, Option<NodeFacts>), Errors> {
    let Context { policy, out, .. } = look.context;
    let name = member.name();
    let leaf = member.leaf(policy);
    let mut disk = match look.there {
        true => OnDisk::read(out, name, look.names)?,
        false => OnDisk::default(),
    };
    if look.there && disk.password.is_none() {
        disk.password = password_in_another_layout(out, name)?;
    }
    if let Some(leaf) = &leaf {
        disk.check_password(out, name, look.names)?;
        let mut hosts = leaf.hosts.iter();
        hosts.try_for_each(|host| look.trust.signer().check_permitted(host, leaf.kind))?;
    }
    let asks = member.asks_for(policy);
    if let Some((kind, hosts)) = asks {
        let mut hosts = hosts.iter();
        hosts.try_for_each(|host| look.trust.signer().check_permitted(host, kind))?;
    }
    let password = match &disk.password {
        None if leaf.is_some() || asks.is_some() => Some(random::password()?),
        kept => kept.clone(),
    };
    let mut step = Step {
        member,
        action: Action::Create,
        reason: None,
        revoked: leaf.as_ref().and(look.revoked.cloned()),
        waits: asks.and_then(|asked| waits(look, name, asked)),
        elsewhere_until: None,
        superfluous: Vec::new(),
        scram,
        leaf,
        key: None,
        password,
        disk,
        profile: profile(look.context, name, look.there)?,
        files: Vec::new(),
        changes: Vec::new(),
        refused: Vec::new(),
        lost_hosts: Vec::new(),
        adopted: None,
    };
    let mut texts = files::texts(
        cluster,
        member,
        step.profile,
        step.password.as_ref(),
        step.scram.as_ref(),
    )?;
    if let (Some(_), Some(password)) = (asks, &step.password) {
        // For the keystore that is made where the key is.
        let file = FileSpec::password(&look.names.password, password);
        texts.push(Planned::Known(file));
    }
    let facts = texts.iter().find_map(|file| match file {
        Planned::Known(file) => file.node.as_deref().cloned(),
        Planned::ToCome(..) => None,
    });
    if look.there {
        step.superfluous = superfluous(look, &step, &texts);
    }
    look.compare(&mut step, texts)?;
    Ok((step, facts))
}

/// The password of an identity whose files had other names: whoever was told it need not be told another one.
fn password_in_another_layout(
    out: &OutDir,
    name: &IdentityName,
) -> Result<Option<Secret>, BootstrapError> {
    for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
        let keystore = read_plain(&out.identity(name).join(&names.keystore))?;
        let password = read_secret(out, name, &names.password)?;
        let opens = |password: &Secret| {
            keystore
                .as_ref()
                .is_some_and(|store| pkcs12::open(store, password).is_ok())
        };
        if let Some(password) = password.filter(opens) {
            return Ok(Some(password));
        }
    }
    Ok(None)
}

/// Why an identity whose key is elsewhere needs a new certificate, if it does.
fn waits(look: &Look<'_>, name: &IdentityName, asked: (Kind, &[Host])) -> Option<String> {
    let signer = &look.trust.signer().subject;
    if let Some(record) = look.record.filter(|r| r.external && r.issuer != *signer) {
        return Some(format!(
            "it was issued by another CA, {}",
            Printable(&record.issuer)
        ));
    }
    let Context { policy, now, .. } = look.context;
    let is_due = |r: &&Record| due_by(policy, r.not_before, r.not_after) <= now;
    sign::lacks(look.record, name, asked).or_else(|| {
        let ends = look.record.filter(is_due)?.not_after.date();
        Some(format!("it expires on {ends}"))
    })
}

/// How a member's stores are encoded: as requested, else as before.
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
            // A store that is not in the new format may be damaged; one in the old format has a truststore in the same
            // format.
            if profile == StoreProfile::Jdk || Trust::has_legacy_truststore(context.out) {
                return Ok(profile);
            }
        }
    }
    Ok(StoreProfile::Jdk)
}

/// Files that kpki wrote to a member's directory for an earlier version of the policy.
fn superfluous(look: &Look<'_>, step: &Step<'_>, texts: &[Planned]) -> Vec<String> {
    let (name, names) = (step.member.name(), look.names);
    let mut wanted: BTreeSet<&str> = texts.iter().map(Planned::name).collect();
    if step.leaf.is_some() || step.member.asks_for(look.context.policy).is_some() {
        wanted.extend(names.of_certificate());
    }
    let mut found = look.context.out.files(name);
    found.retain(|file| !wanted.contains(file.as_str()));
    if found.is_empty() {
        return found;
    }
    let known = files::known_names(name);
    found.retain(|file| known.contains(file));
    found.sort();
    found
}
