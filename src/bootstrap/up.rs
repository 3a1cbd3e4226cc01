//! Executes a plan: what is missing is created, what is due is renewed, the rest stays as it is.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    BATCH, BootstrapError,
    context::Context,
    files::{self, ClusterFiles},
    forgotten,
    identity::{Applicant, Credentials, enrol},
    member::ScramState,
    nodes::keep_cluster_id,
    plan::{Plan, cluster},
    planned::{Planned, ToCome},
    step::Step,
    trust::Trust,
};
use crate::{
    issuer::{Issuer, IssuerError},
    plan::Action,
    state::{FileSpec, Inventory, Lock, Owners, Staging, Written},
};

/// Executes a plan. `progress` is called with the number of members that are done. After a failure, what was done
/// stays, and a second run does the rest.
pub fn execute(
    context: Context<'_>,
    plan: &Plan<'_>,
    trust: &Trust,
    issuer: Option<&dyn Issuer>,
    lock: &Lock,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), BootstrapError> {
    let Context { policy, out, .. } = context;
    let mut inventory = Inventory::read(out)?;
    if plan.steps.iter().any(Step::signs) {
        forgotten::check(out, trust, &inventory, context.now)?;
    }
    let names = plan.steps.iter().map(|s| s.member.name().as_str());
    Owners::read(out, policy.cluster.owner)?.record(out, lock, names)?;
    keep_cluster_id(out, &plan.nodes.cluster_id)?;
    let found = plan.steps.iter().filter_map(|s| s.adopted.clone());
    Written::adopt(out, lock, &found.collect::<Vec<_>>())?;
    let work: Vec<&Step<'_>> = plan
        .steps
        .iter()
        .filter(|s| s.action != Action::Keep)
        .collect();
    let late = Late::make(context, plan, trust, lock, &work)?;
    for batch in work.chunks(BATCH) {
        let staging = Staging::begin(out, lock, policy.cluster.owner)?;
        for step in batch {
            let files = step.files.iter().map(Planned::name);
            staging.check(step.member.name().as_str(), files)?;
        }
        let applicants: Vec<Applicant<'_>> = batch.iter().filter_map(|s| applicant(s)).collect();
        let signed = match issuer {
            _ if applicants.is_empty() => Vec::new(),
            Some(issuer) => enrol(applicants, issuer, &mut inventory, lock, context.now)?,
            None => return Err(IssuerError::NotOpened.into()),
        };
        let mut signed = signed.into_iter();
        let credentials = batch.iter().map(|step| match step.signs() {
            true => signed.next().transpose(),
            false => Ok(step.disk.credentials()),
        });
        let credentials: Vec<_> = credentials.collect();
        let refused = batch
            .par_iter()
            .zip(credentials)
            .map(|(step, credentials)| {
                let credentials = match credentials {
                    Ok(credentials) => credentials,
                    Err(refused) => return Ok(Some(refused)),
                };
                let files = late.files(step, credentials.as_ref())?;
                staging.add(step.member.name().as_str(), &files)?;
                Ok(None)
            });
        let refused: Vec<Option<IssuerError>> = refused.collect::<Result<_, BootstrapError>>()?;
        staging.commit()?;
        if let Some(refused) = refused.into_iter().flatten().next() {
            return Err(refused.into());
        }
        progress(batch.len());
    }
    if plan.wasteful {
        Written::compact(out, lock)?;
    }
    Ok(())
}

/// The request to the issuer for a member.
fn applicant<'a>(step: &'a Step<'_>) -> Option<Applicant<'a>> {
    Some(Applicant {
        leaf: step.leaf.as_ref().filter(|_| step.signs())?,
        key: step.key.clone(),
        password: step.password.clone()?,
    })
}

/// What the plan deferred.
struct Late<'a> {
    cluster: ClusterFiles<'a>,
    scram: BTreeMap<&'a str, ScramState>,
}

impl<'a> Late<'a> {
    /// Derives the SCRAM credentials, and encodes the truststores that are written.
    fn make(
        context: Context<'a>,
        plan: &'a Plan<'a>,
        trust: &'a Trust,
        lock: &Lock,
        work: &[&Step<'_>],
    ) -> Result<Self, BootstrapError> {
        let mut truststores = [None, None];
        let files = work
            .iter()
            .flat_map(|step| step.files.iter().map(|file| (step.profile, file)));
        for (profile, file) in files {
            let store = &mut truststores[profile as usize];
            if matches!(file, Planned::ToCome(_, ToCome::Truststore)) && store.is_none() {
                *store = Some(trust.truststore(context.out, lock, profile)?);
            }
        }
        let steps = plan.steps.par_iter().filter(|_| !work.is_empty());
        let scram = steps.filter_map(|step| {
            let derived = step.scram.as_ref()?.derive();
            Some(derived.map(|derived| (step.member.name().as_str(), derived)))
        });
        let scram: BTreeMap<&str, ScramState> = scram.collect::<Result<_, _>>()?;
        let states = plan
            .steps
            .iter()
            .filter_map(|s| scram.get(s.member.name().as_str()));
        let credentials = states.flat_map(|s| s.credentials.clone()).collect();
        Ok(Self {
            cluster: cluster(context, trust, truststores, credentials, &plan.nodes)?,
            scram,
        })
    }

    /// The files of a member that are written.
    fn files(
        &self,
        step: &Step<'_>,
        credentials: Option<&Credentials>,
    ) -> Result<Vec<FileSpec>, BootstrapError> {
        let name = step.member.name();
        let names = files::names(self.cluster.policy, name);
        let signed = credentials.filter(|_| step.signs());
        let texts = signed.map(|c| c.texts(&names)).transpose()?;
        let files = step.files.iter().map(|file| {
            let (file, what) = match file {
                Planned::Known(file) => return Ok(file.clone()),
                Planned::ToCome(file, what) => (file, what),
            };
            let late = match what {
                ToCome::KeyStore => match credentials {
                    Some(credentials) => Some(credentials.keystore(name, &names, step.profile)?),
                    None => None,
                },
                ToCome::Pem => texts.iter().flatten().find(|f| f.name == *file).cloned(),
                ToCome::Truststore => {
                    let store = self.cluster.truststores[step.profile as usize].as_ref();
                    store.map(|store| FileSpec::secret(file, store.clone()))
                }
                ToCome::Scram => {
                    let state = self.scram.get(name.as_str());
                    state.map(ScramState::credentials_file)
                }
                ToCome::StorageArgs(_) => {
                    files::storage(&self.cluster, step.member, &self.cluster.credentials)?
                        .and_then(Planned::known)
                }
            };
            late.ok_or_else(|| IssuerError::NotOpened.into())
        });
        files.collect()
    }
}
