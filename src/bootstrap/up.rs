//! Doing what a plan says: what is missing is made, what is due is renewed, the rest stays as it is.

use rayon::prelude::*;
use rcgen::KeyPair;

use super::{
    BootstrapError,
    ca::Ca,
    files::{self, Cluster},
    identity::enrol,
    nodes::keep_cluster_id,
    plan::{Context, Plan, Step, cluster},
    random,
};
use crate::{
    pki::Authority,
    plan::Action,
    state::{FileSpec, Inventory, Lock, Owners, Record, Staging, Written},
};

/// So many identities are signed, written and synced together: enough that one sync costs little for each, few
/// enough that their keys and stores take little memory.
const BATCH: usize = 128;

/// Does what a plan says. `progress` is called with the number of members that are done.
///
/// # Errors
/// When something cannot be signed or written. What was done before stays; a second run does the rest.
pub fn execute(
    context: Context<'_>,
    plan: &Plan<'_>,
    ca: &Ca,
    authority: Option<&Authority<KeyPair>>,
    lock: &Lock,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), BootstrapError> {
    let mut inventory = Inventory::read(context.out)?;
    let names = plan.steps.iter().map(|s| s.member.name().as_str());
    Owners::read(context.out, context.policy.cluster.owner)?.record(context.out, lock, names)?;
    keep_cluster_id(context.out, &plan.nodes.cluster_id)?;
    let found = plan.steps.iter().filter_map(|s| s.adopted.clone());
    let found: Vec<_> = found.collect();
    if !found.is_empty() {
        Written::read(context.out)?.adopt(lock, found)?;
    }
    let credentials = plan
        .steps
        .iter()
        .filter_map(|s| s.scram.as_ref())
        .flat_map(|s| s.credentials.clone())
        .collect();
    let cluster = cluster(
        context,
        Some(ca),
        Some(lock),
        credentials,
        &plan.nodes,
        &ca.truststore_password,
    )?;
    let work: Vec<&Step<'_>> = plan
        .steps
        .iter()
        .filter(|s| s.action != Action::Keep)
        .collect();
    for batch in work.chunks(BATCH) {
        let made: Vec<_> = batch
            .par_iter()
            .map(|step| make(context, &cluster, ca, authority, &inventory, step))
            .collect::<Result<_, _>>()?;
        let records = made
            .iter()
            .filter_map(|(record, _)| record.clone())
            .collect();
        let staging = Staging::begin(context.out, lock, context.policy.cluster.owner)?;
        for (step, (_, files)) in batch.iter().zip(&made) {
            staging.check(step.member.name().as_str(), files)?;
        }
        inventory.append(lock, records)?;
        batch
            .par_iter()
            .zip(&made)
            .try_for_each(|(step, (_, files))| staging.add(step.member.name().as_str(), files))?;
        staging.commit()?;
        progress(batch.len());
    }
    if plan.wasteful {
        Written::compact(context.out, lock)?;
    }
    Ok(())
}

/// Signs for one member and encodes its files.
fn make(
    context: Context<'_>,
    cluster: &Cluster<'_>,
    ca: &Ca,
    authority: Option<&Authority<KeyPair>>,
    inventory: &Inventory,
    step: &Step<'_>,
) -> Result<(Option<Record>, Vec<FileSpec>), BootstrapError> {
    if step.action == Action::Update {
        return Ok((None, step.changed.clone()));
    }
    let name = step.member.name();
    let mut files = Vec::new();
    let mut record = None;
    let mut password = step.disk.password.clone();
    if let (Some(leaf), Some(authority)) = (&step.leaf, authority) {
        // The key stays where it is the recorded one and fits: who pinned it, or waits to be told of a new one, is not
        // disturbed.
        let last = inventory.latest(name.as_str());
        let kept =
            last.and_then(|last| step.disk.kept_key(last, authority.certificate(), leaf.key));
        let serial = random::serial(inventory)?;
        let credentials = enrol(leaf, kept, password, ca, authority, serial, context.now)?;
        let names = files::names(context.policy, name);
        files.push(credentials.keystore(name, &names, step.profile)?);
        files.extend(credentials.texts(&names)?);
        record = Some(credentials.record(leaf));
        password = Some(credentials.password);
    }
    files.extend(files::texts(
        cluster,
        step.member,
        step.profile,
        password.as_ref(),
        step.scram.as_ref(),
    )?);
    Ok((record, files))
}
