//! `kpki renew`

use clap::Args;
use rayon::prelude::*;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    CliError, Code, Done, Failure, Global,
    error::{complain, completed, several},
    guard::secure_identities,
    init_ca::{take_lock, tidy},
    passphrase,
    shell::kpki,
    ui::{BOLD, GREEN, Ui, named},
    up::{NAMED, loses_hosts},
};
use crate::{
    bootstrap::{
        BootstrapError,
        ca::Ca,
        changes::Needs,
        forgotten,
        renew::{Candidate, Chosen, Renewal, renew},
        sign::command_again,
    },
    keystore::StoreProfile,
    pki::{Host, IdentityName, Kind},
    state::{Inventory, OutDir, Owners},
};

/// Replace the certificates of existing identities
///
/// Hosts and validity are taken from the inventory; paths and passwords stay the same. So does the key, unless
/// --new-key is given or the key on disk is not the one that was signed. `kpki up` also renews what is due by its
/// policy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki renew kafka1
  kpki renew kafka1 kafka2 --new-key
  kpki renew kafka1 --host kafka1.example.org
  kpki renew orders-service --days 90
  kpki renew --due")]
pub struct Renew {
    /// The identities
    #[arg(value_name = "NAME")]
    names: Vec<IdentityName>,
    /// Renew all identities that have a directory
    #[arg(long, conflicts_with_all = ["names", "hosts"])]
    all: bool,
    /// Renew those that are due: in the last third of their validity, the first certificate also in its last 30 days
    #[arg(long, conflicts_with_all = ["names", "hosts", "all"])]
    due: bool,
    /// Also make a new key
    #[arg(long)]
    new_key: bool,
    /// A further DNS name or IP address for the certificate (may be repeated)
    #[arg(long = "host", value_name = "H")]
    hosts: Vec<Host>,
    /// Validity of the new certificates in days; they never outlive the CA [default: as before]
    #[arg(long, value_name = "N", value_parser = super::whole_number::<1, 36_500>)]
    days: Option<u32>,
    /// Encryption of PKCS12 stores: default, or legacy for Java 8 before 8u301 [default: as before]
    #[arg(long, value_name = "PROFILE")]
    store_profile: Option<StoreProfile>,
}

impl Renew {
    pub(super) fn run(mut self, global: &Global, ui: &Ui) -> Done {
        if self.names.is_empty() && !self.all && !self.due {
            let error = CliError::misuse(
                "no identity is named",
                "kpki renew NAME... renews these, --due all that are due, --all all of them",
            );
            return Err(error.into());
        }
        let out = OutDir::new(&global.out);
        self.names.sort();
        self.names.dedup();
        if self.names.len() > 1 && !self.hosts.is_empty() {
            let error = CliError::new(Code::HostsShared, "--host can only be used with one NAME");
            let hint = "renew them one by one, or change the policy and run kpki up";
            return Err(error.hint(hint).usage().into());
        }
        tidy(&out, ui)?;
        let ca = Ca::open(&out)?;
        let renewal = Renewal {
            new_key: self.new_key,
            hosts: std::mem::take(&mut self.hosts),
            days: self.days,
            profile: self.store_profile,
            now: OffsetDateTime::now_utc(),
        };
        // Unknown names are reported before a passphrase is asked for.
        let names = self.chosen(&out, &ca, renewal.now, Some(ui))?;
        if names.is_empty() {
            ui.document(&json!([]));
            return Ok(());
        }
        secure_identities(&out, &names, ui)?;
        self.read(&out, &ca, &names, &renewal)?;
        let issuer = ca.open_issuer(passphrase::existing(global, &ca.issuer)?.as_ref())?;
        let lock = take_lock(&out, ui)?;
        ca.check_unchanged(&out, &lock)?;
        let names = self.chosen(&out, &ca, renewal.now, None)?;
        let (mut inventory, candidates, mut left) = self.read(&out, &ca, &names, &renewal)?;
        for candidate in &candidates {
            warn(candidate, ui);
        }
        let bar = ui.progress(candidates.len() as u64, "identities");
        let progress = |n| bar.inc(n as u64);
        let (issuer, now) = (&*issuer, renewal.now);
        let done = renew(
            &out,
            &lock,
            &mut inventory,
            issuer,
            &candidates,
            now,
            &progress,
        )?;
        bar.finish_and_clear();
        for record in &done.records {
            ui.say(format!(
                "{GREEN}renewed{GREEN:#}  {} {}, until {}",
                record.kind.name(),
                record.name,
                record.not_after.date()
            ));
        }
        let is_refused = |c: &&Candidate| done.refused.iter().any(|(name, _)| name == c.name());
        let renewed: Vec<&Candidate> = candidates.iter().filter(|c| !is_refused(c)).collect();
        next(&renewed, &out, ui);
        left.extend(done.refused.into_iter().map(|(name, error)| {
            let mut error = CliError::from(error);
            error.message = format!("{name} keeps its certificate: {}", error.message);
            error
        }));
        if done.records.is_empty() {
            return several(left);
        }
        let all = left.is_empty();
        match complain(ui, left) {
            None => ui.document(&json!(done.records)),
            Some(mut document) => {
                document["renewed"] = json!(done.records);
                ui.document(&document);
            }
        }
        completed(all, true)
    }

    /// Which identities are renewed, and messages about those that are not.
    fn chosen(
        &self,
        out: &OutDir,
        ca: &Ca,
        now: OffsetDateTime,
        ui: Option<&Ui>,
    ) -> Result<Vec<IdentityName>, Failure> {
        if !self.names.is_empty() {
            return Ok(self.names.clone());
        }
        let inventory = Inventory::read(out)?;
        let signer = ca.trust.signer();
        let chosen = Chosen::find(out, &inventory, signer, Some(now).filter(|_| self.due))?;
        let Some(ui) = ui else {
            return Ok(chosen.names);
        };
        if !chosen.bounded.is_empty() {
            ui.warn(format!(
                "the CA itself expires on {}, and new certificates would expire with it, as those of {} already do: replace the CA",
                signer.not_after.date(),
                named(&chosen.bounded, NAMED)
            ));
        }
        if !chosen.external.is_empty() {
            ui.warn(format!(
                "not renewed, because their keys are elsewhere: {}; with requests from their machines, run",
                named(&chosen.external, NAMED)
            ));
            let last = chosen.external.iter();
            let last = last.filter_map(|name| inventory.latest(name.as_str()));
            for record in last.take(NAMED) {
                ui.complain(format!("  {} {}", kpki(out.root()), command_again(record)));
            }
        }
        if !chosen.absent.is_empty() {
            ui.warn(format!(
                "not renewed, because {} has no directories of theirs: {}; kpki up POLICY or kpki issue NAME makes them again",
                out.root().display(),
                named(&chosen.absent, NAMED)
            ));
        }
        if !chosen.revoked.is_empty() {
            ui.warn(format!(
                "the certificates of {} are revoked, so they are not renewed; kpki renew NAME --new-key issues a new one",
                named(&chosen.revoked, NAMED)
            ));
        }
        if chosen.names.is_empty() {
            ui.say(match &chosen.next {
                Some((name, due)) => {
                    format!("nothing to renew; next is {name}, due on {}", due.date())
                }
                None => "nothing to renew".to_owned(),
            });
        }
        Ok(chosen.names)
    }

    /// All identities. If they were not named, one that cannot be renewed does not stop the others: its error is
    /// returned separately.
    fn read(
        &self,
        out: &OutDir,
        ca: &Ca,
        names: &[IdentityName],
        renewal: &Renewal,
    ) -> Result<(Inventory, Vec<Candidate>, Vec<CliError>), Failure> {
        let inventory = Inventory::read(out)?;
        forgotten::check(out, &ca.trust, &inventory, renewal.now)?;
        let owners = Owners::read(out, None)?;
        let signer = ca.trust.signer();
        let read = names
            .par_iter()
            .map(|name| Candidate::read(out, &inventory, &owners, signer, name, renewal));
        let all: Vec<Result<Candidate, BootstrapError>> = read.collect();
        let (mut candidates, mut errors) = (Vec::new(), Vec::new());
        for result in all {
            match result {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => errors.push(CliError::from(error)),
            }
        }
        if !self.names.is_empty() || candidates.is_empty() {
            several(std::mem::take(&mut errors))?;
        }
        Ok((inventory, candidates, errors))
    }
}

/// What the user must know before a candidate is renewed.
fn warn(candidate: &Candidate, ui: &Ui) {
    if let Some(found) = candidate.distrust() {
        ui.warn(found);
    }
    let name = candidate.name();
    if !candidate.lost_hosts().is_empty() {
        ui.warn(loses_hosts(name, candidate.lost_hosts()));
    }
    if let Some(old) = candidate.old_subject() {
        ui.warn(format!(
            "the certificate in the directory of the broker {name} has the subject {old}, but the new one has CN={name}: a running broker refuses another subject, so restart it"
        ));
    }
}

/// What remains to be done after the renewal.
fn next(renewed: &[&Candidate], out: &OutDir, ui: &Ui) {
    let those = |needs, is: fn(Kind) -> bool| {
        let those = renewed.iter().filter(|c| c.needs == needs && is(c.kind()));
        those.map(|c| c.name().as_str()).collect::<Vec<_>>()
    };
    if renewed.is_empty() {
        return;
    }
    ui.say(format!(
        "\n{BOLD}next:{BOLD:#} copy each directory to its machine"
    ));
    let reload = those(Needs::Reload, |kind| kind == Kind::Broker);
    if !reload.is_empty() {
        ui.say("then make running brokers load their new keystores:");
        let kpki = kpki(out.root());
        ui.say(format!("  {kpki} reload {}", reload.join(" ")));
    }
    let restart = those(Needs::Restart, |kind| kind == Kind::Broker);
    if !restart.is_empty() {
        let names = named(&restart, restart.len());
        ui.say(format!("restart, one after the other: {names}"));
    }
    let clients = those(Needs::Restart, |kind| kind != Kind::Broker);
    if !clients.is_empty() {
        let names = named(&clients, NAMED);
        ui.say(format!("restart the clients: {names}"));
    }
}
