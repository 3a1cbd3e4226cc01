//! What a cluster keeps however its policy's lists change: the ids of its brokers and its own, its voters, and the
//! listeners by which it is found. Taken from the record of what was written or, if an older kpki left none, from the
//! files themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BootstrapError,
    context::{Context, Danger},
};
use crate::{
    acl::Principal,
    config::{self, NodeFacts, Properties, STORAGE_ARGS},
    pki::{Host, IdentityName},
    policy::{Broker, Cluster, LAYOUTS, Mode, ValidatedPolicy},
    random,
    state::{OutDir, Written, read_plain, read_record, write_atomic},
};

/// The KRaft cluster's id, in the output directory: every broker is formatted with the same.
pub const CLUSTER_ID: &str = "cluster.id";

/// The cluster, as its files will describe it.
#[derive(Debug)]
pub struct Nodes {
    /// The policy's brokers in its order, each with its id.
    pub brokers: Vec<Broker>,
    /// The KRaft cluster's id.
    pub cluster_id: String,
    /// Whether that id was lost, and restored from the files that disks are formatted with.
    pub recovered: bool,
    /// The listeners that `bootstrap_servers` means, by their ports.
    bootstrap: BTreeSet<String>,
    /// What was written before, by the broker's name; also for brokers that are no longer in the policy.
    before: BTreeMap<String, NodeFacts>,
}

impl Nodes {
    /// Gives every broker its id and the cluster its own.
    pub fn find(
        context: Context<'_>,
        written: &Written,
        there: &[IdentityName],
    ) -> Result<Self, BootstrapError> {
        let Context { policy, out, .. } = context;
        let before = before(policy, out, written, there)?;
        let (cluster_id, recovered) = cluster_id(context, &before)?;
        Ok(Self {
            brokers: numbered(&policy.brokers, &before),
            cluster_id,
            recovered,
            bootstrap: ports(&policy.cluster.bootstrap_servers),
            before,
        })
    }

    /// What a broker's new configuration commits it to, as far as other nodes depend on it, and what it gives to no one
    /// else.
    pub fn facts(
        &self,
        server_properties: &[u8],
        broker: &Broker,
        cluster: &Cluster,
        super_users: &[Principal],
    ) -> Option<NodeFacts> {
        let mut facts = NodeFacts::of(&Properties::parse(server_properties).ok()?)?;
        facts.bootstrap = facts.at(&self.bootstrap).map(str::to_owned).collect();
        facts.cluster = (cluster.mode == Mode::Kraft).then(|| self.cluster_id.clone());
        facts.hosts = broker.hosts.iter().map(Host::tagged).collect();
        facts.super_users = super_users.iter().map(ToString::to_string).collect();
        facts.mapping_rules = Some(cluster.principal_mapping_rules.to_string());
        Some(facts)
    }

    /// Every dangerous change that was not allowed: those of single brokers, and once those of all of them.
    pub fn dangers(&self, context: Context<'_>, new: &[(&str, &NodeFacts)]) -> Vec<BootstrapError> {
        let mut found: Vec<(Danger, String, Vec<&str>)> = Vec::new();
        for (name, new) in new {
            let Some(old) = self.before.get(*name) else {
                continue;
            };
            let mut note = |danger, change: String| match found
                .iter_mut()
                .find(|(d, c, _)| *d == danger && *c == change)
            {
                Some((_, _, names)) => names.push(name),
                None => found.push((danger, change, vec![name])),
            };
            if old.id != new.id {
                note(
                    Danger::NodeId,
                    format!("node.id from {} to {}", old.id, new.id),
                );
            }
            if old.voters != new.voters {
                note(Danger::Voters, voters(old, new));
            }
            if let (Some(was), Some(is)) = (&old.cluster, &new.cluster)
                && was != is
            {
                note(
                    Danger::ClusterId,
                    format!("the cluster's id from {was} to {is}"),
                );
            }
            for (listener, change) in self.listeners(old, new) {
                note(
                    Danger::Listeners,
                    format!("the listener {listener} {change}"),
                );
            }
        }
        found.retain(|(danger, _, _)| !context.asked.dangers.contains(danger));
        let errors = found.into_iter().map(|(danger, change, names)| {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            BootstrapError::Dangerous {
                danger,
                change,
                names,
            }
        });
        errors.collect()
    }

    /// The changed listeners that brokers or clients depend on.
    fn listeners(&self, old: &NodeFacts, new: &NodeFacts) -> Vec<(String, String)> {
        let mut used: BTreeSet<&str> = [old.inter_broker.as_str(), &new.inter_broker].into();
        used.extend(old.at(&self.bootstrap));
        used.extend(old.bootstrap.iter().map(String::as_str));
        let mut changed = Vec::new();
        for name in used {
            let (was, is) = (old.listeners.get(name), new.listeners.get(name));
            let change = match (was, is) {
                (Some(was), Some(is)) if was != is => format!("from {was} to {is}"),
                (Some(was), None) => format!("({was}), which would be removed"),
                // Brokers that were not restarted yet do not have it.
                (None, Some(is)) => {
                    format!("({is}), which would be new and immediately used between brokers")
                }
                _ => continue,
            };
            changed.push((name.to_owned(), change));
        }
        changed
    }
}

fn voters(old: &NodeFacts, new: &NodeFacts) -> String {
    let list = |voters: &BTreeSet<String>| match voters.is_empty() {
        true => "none".to_owned(),
        false => voters.iter().cloned().collect::<Vec<_>>().join(","),
    };
    format!(
        "controller.quorum.voters from {} to {}",
        list(&old.voters),
        list(&new.voters)
    )
}

/// The ports of `host:port`.
fn ports(servers: &[String]) -> BTreeSet<String> {
    let ports = servers.iter().filter_map(|s| s.rsplit_once(':'));
    ports.map(|(_, port)| port.to_owned()).collect()
}

/// First ids in the policy, then those assigned before, then for each new broker its place in the list or the lowest id
/// never used here: the disk of a removed broker may come back, and it is formatted with its id.
fn numbered(brokers: &[Broker], before: &BTreeMap<String, NodeFacts>) -> Vec<Broker> {
    let mut brokers = brokers.to_vec();
    let mut taken: BTreeSet<u32> = brokers.iter().filter_map(|b| b.id).collect();
    for broker in brokers.iter_mut().filter(|b| b.id.is_none()) {
        let given = before.get(broker.name.as_str()).map(|facts| facts.id);
        broker.id = given.filter(|id| taken.insert(*id));
    }
    taken.extend(before.values().map(|facts| facts.id));
    for (place, broker) in (1..).zip(&mut brokers) {
        if broker.id.is_none() && taken.insert(place) {
            broker.id = Some(place);
        }
    }
    for broker in brokers.iter_mut().filter(|b| b.id.is_none()) {
        broker.id = (1..).find(|id| !taken.contains(id));
        taken.extend(broker.id);
    }
    brokers
}

/// What was written before, and for whom.
fn before(
    policy: &ValidatedPolicy,
    out: &OutDir,
    written: &Written,
    there: &[IdentityName],
) -> Result<BTreeMap<String, NodeFacts>, BootstrapError> {
    let mut before: BTreeMap<String, NodeFacts> = written
        .nodes()
        .map(|(name, facts)| (name.to_owned(), facts.clone()))
        .collect();
    let declared: BTreeSet<&IdentityName> = policy.brokers.iter().map(|b| &b.name).collect();
    for name in there {
        let mine = declared.contains(name);
        // What was recorded as something else is not a broker of an older kpki.
        if before.contains_key(name.as_str()) || (!mine && written.of(name.as_str()).is_some()) {
            continue;
        }
        match unrecorded(out, name) {
            Ok(facts) => before.extend(facts.map(|facts| (name.to_string(), facts))),
            // What the policy does not name may be anything.
            Err(error) if mine => return Err(error),
            Err(_) => {}
        }
    }
    Ok(before)
}

/// What a broker's files say, as an older kpki wrote them.
pub(super) fn unrecorded(
    out: &OutDir,
    name: &IdentityName,
) -> Result<Option<NodeFacts>, BootstrapError> {
    let dir = out.identity(name);
    let names = LAYOUTS
        .iter()
        .map(|l| l.files(name.as_str()).server_properties);
    for file in names.collect::<BTreeSet<_>>() {
        let Some(bytes) = read_plain(&dir.join(file))? else {
            continue;
        };
        let settings = Properties::parse(&bytes).ok();
        if let Some(mut facts) = settings.as_ref().and_then(NodeFacts::of) {
            if let Some(args) = read_plain(&dir.join(STORAGE_ARGS))? {
                facts.cluster = config::formatted_for(&String::from_utf8_lossy(&args));
            }
            return Ok(Some(facts));
        }
    }
    Ok(None)
}

/// The id that the cluster's disks are formatted with, from where it was recorded.
pub fn kept_cluster_id(out: &OutDir) -> Result<Option<String>, BootstrapError> {
    let path = out.root().join(CLUSTER_ID);
    let Some(bytes) = read_record(&path)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if config::is_cluster_id(&text) {
        return Ok(Some(text));
    }
    let path = path.display();
    let why = format!("{path} does not contain a cluster id of 22 characters");
    Err(BootstrapError::ClusterId(why))
}

/// The cluster's id: the one on disk, else the one that the brokers' disks are formatted with, else a new one. True if
/// it was lost and restored.
fn cluster_id(
    context: Context<'_>,
    before: &BTreeMap<String, NodeFacts>,
) -> Result<(String, bool), BootstrapError> {
    let Context { policy, out, .. } = context;
    let path = out.root().join(CLUSTER_ID);
    if let Some(id) = kept_cluster_id(out)? {
        return Ok((id, false));
    }
    let known: BTreeSet<&String> = before.values().filter_map(|f| f.cluster.as_ref()).collect();
    let running = policy.cluster.mode == Mode::Kraft && !before.is_empty();
    let known: Vec<&String> = known.into_iter().collect();
    match &known[..] {
        [only] => return Ok(((*only).clone(), true)),
        _ if !running || context.asked.dangers.contains(&Danger::ClusterId) => {}
        [] => {
            return Err(BootstrapError::ClusterId(format!(
                "{} is missing, and no {STORAGE_ARGS} contains the id that the brokers' disks are formatted with",
                path.display()
            )));
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            return Err(BootstrapError::ClusterId(format!(
                "{} is missing, and the brokers' files contain different ids: {}",
                path.display(),
                ids.join(", ")
            )));
        }
    }
    Ok((config::cluster_id(random::octets()?), false))
}

/// Writes the cluster's id, if it is not on disk.
pub(super) fn keep_cluster_id(out: &OutDir, id: &str) -> Result<(), BootstrapError> {
    let path = out.root().join(CLUSTER_ID);
    if !path.exists() {
        write_atomic(&path, format!("{id}\n").as_bytes(), 0o644, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(name: &str, id: Option<u32>) -> Broker {
        let policy = format!("brokers: [{{name: {name}}}]");
        let policy = crate::policy::parse("p", &policy, &|_| Ok(Vec::new())).unwrap();
        let mut broker = policy.brokers[0].clone();
        broker.id = id;
        broker
    }

    fn ids(brokers: &[(&str, Option<u32>)], before: &[(&str, u32)]) -> Vec<u32> {
        let brokers: Vec<Broker> = brokers.iter().map(|(n, id)| broker(n, *id)).collect();
        let before = before.iter().map(|(name, id)| {
            let facts = NodeFacts {
                id: *id,
                ..NodeFacts::default()
            };
            ((*name).to_owned(), facts)
        });
        let numbered = numbered(&brokers, &before.collect());
        numbered.into_iter().map(|b| b.id.unwrap()).collect()
    }

    #[test]
    fn an_id_once_given_stays_and_is_given_to_nobody_else() {
        let (a, b, c) = (("a", None), ("b", None), ("c", None));
        assert_eq!(ids(&[a, b, c], &[]), [1, 2, 3]);
        assert_eq!(ids(&[c, a, b], &[("a", 1), ("b", 2)]), [3, 1, 2]);
        assert_eq!(ids(&[b], &[("a", 1), ("b", 2)]), [2]);
        assert_eq!(ids(&[b, c], &[("a", 1), ("b", 2)]), [2, 3], "not a's");
        assert_eq!(ids(&[a, b], &[("a", 1), ("b", 2), ("c", 3)]), [1, 2]);
        assert_eq!(ids(&[b, a], &[("b", 7)]), [7, 2]);
    }

    #[test]
    fn ids_that_are_said_go_first() {
        assert_eq!(ids(&[("a", None), ("b", Some(1))], &[]), [2, 1]);
        assert_eq!(ids(&[("a", None), ("b", Some(1))], &[("a", 1)]), [2, 1]);
        assert_eq!(ids(&[("a", Some(101)), ("b", None)], &[]), [101, 2]);
    }
}
