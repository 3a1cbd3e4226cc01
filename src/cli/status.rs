//! `kpki status`

mod drift;
pub mod here;
mod metrics;
mod rotation;

use std::{mem::ManuallyDrop, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use self::{drift::Drift, metrics::Unasked};
use super::{
    Done, Failure, Global,
    cluster::Connection,
    policy::read_policy,
    shell,
    ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW, named},
    utf8_path,
};
use crate::{
    bootstrap::{
        ca::Ca,
        cut_off::revoked_super_users,
        due::{self, Behind, Due, DueCode},
        lists, revoke,
        rotate::Ask,
        served, sign,
    },
    pki::Reason,
    policy::ValidatedPolicy,
    state::{Inventory, OutDir, Record},
};

/// How long to wait for a broker.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many are shown on one screen.
const SHOWN: usize = 10;

/// Show what must be done now, most urgent first, and the command for it
///
/// Reports what has expired or expires soon, from the inventory. With a policy, it also checks which certificates its
/// brokers serve, by a TLS handshake, and whether the cluster has the policy's ACLs and SCRAM users. What cannot be
/// checked, such as a broker that does not answer, is listed with the reason. The exit code is 3 if something must be
/// done.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki status
  kpki status policies/quickstart.yaml
  kpki status policies/quickstart.yaml --metrics /var/lib/node_exporter/kpki.prom")]
pub struct Status {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    /// Also write a file for the textfile collector of Prometheus node_exporter; its name must end in .prom
    #[arg(long, value_name = "FILE", value_parser = prom_file)]
    metrics: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// node_exporter ignores all other files.
fn prom_file(text: &str) -> Result<PathBuf, String> {
    let path = utf8_path(text)?;
    match path.extension().is_some_and(|end| end == "prom") {
        true => Ok(path),
        false => Err("its name must end in .prom: node_exporter reads no other files".to_owned()),
    }
}

/// What could not be checked, and why.
struct Unchecked {
    what: Vec<String>,
    why: String,
}

impl Status {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let policy = self.policy.as_deref().map(read_policy).transpose()?;
        let out = OutDir::new(&global.out);
        let now = OffsetDateTime::now_utc();
        Ca::require(&out)?;
        // Freeing a million strings one by one takes longer than exiting.
        let inventory = ManuallyDrop::new(Inventory::read(&out)?);
        let current = due::current(&inventory, now);
        let ending = due::ending(&inventory, &current, policy.as_ref(), now);
        let mut found = here::due(&out, &inventory, &current, &ending, Ask::Brokers, now)?;
        let mut unreachable = 0;
        let mut unchecked = Vec::new();
        if policy.is_none() {
            look_for_revoked(&inventory, now, ui);
        }
        if let Some(policy) = &policy {
            let answers = served::ask(policy, &out, PATIENCE)?;
            let behind = due::behind(&inventory, &answers, now);
            let behind = behind.iter().map(|b| not_served(b, &inventory, &out, now));
            found.extend(behind);
            super_users(&mut found, &inventory, policy, &out, now)?;
            let mut awaited = awaited(&inventory, policy, &out);
            awaited.retain(|due| {
                found
                    .iter()
                    .all(|f| (f.code, &f.name) != (due.code, &due.name))
            });
            found.extend(awaited);
            for answer in &answers {
                if let Err(error) = &answer.served {
                    unreachable += 1;
                    unchecked.push(Unchecked {
                        what: vec![format!("{} on {}", answer.node, answer.at.listener)],
                        why: format!("{}: {error}", answer.at.address),
                    });
                }
            }
            let drift = match answers.is_empty() || answers.iter().any(|a| a.served.is_ok()) {
                true => drift::drift(ui, policy, &out, &self.connection),
                false => Drift::unknown("no broker answers".to_owned()),
            };
            if drift.unchecked.is_some() {
                let perhaps = let_in_perhaps(&found, &inventory, policy, &out, now);
                found.extend(perhaps);
            }
            found.extend(drift.found);
            unchecked.extend(drift.unchecked);
        }
        if let Some(unpublished) = lists::unpublished(&out, &Ca::trust(&out)?, &inventory, now)? {
            ui.warn(unpublished);
        }
        due::sort(&mut found, now);
        show(ui, &current, &found, &unchecked, now);
        if let Some(path) = &self.metrics {
            let unasked = Unasked {
                listeners: unreachable,
                anything: !unchecked.is_empty(),
            };
            metrics::write(path, &current, &found, unasked, now)?;
        }
        let mut document = json!({"ok": found.is_empty(), "due": found});
        if !unchecked.is_empty() {
            let what = unchecked.iter().flat_map(|unchecked| &unchecked.what);
            document["unchecked"] = what.cloned().collect();
        }
        ui.document(&document);
        match found.is_empty() {
            true => Ok(()),
            false => Err(Failure::No),
        }
    }
}

/// The identities whose last certificates are revoked and have not expired.
fn revoked(inventory: &Inventory, now: OffsetDateTime) -> Vec<&Record> {
    let revoked = revoke::revoked_identities(inventory).into_iter();
    revoked.filter(|record| record.not_after > now).collect()
}

/// Notes what is not checked without a policy: whether the cluster still accepts revoked identities.
fn look_for_revoked(inventory: &Inventory, now: OffsetDateTime, ui: &Ui) {
    let revoked = revoked(inventory, now);
    if !revoked.is_empty() {
        ui.note(format!(
            "revoked but not expired: {}; {} status POLICY checks whether the cluster still accepts them",
            named(revoked.iter().map(|record| &record.name), SHOWN),
            shell::kpki(&ui.out)
        ));
    }
}

/// Whether it is said of an identity that it is revoked and not cut off.
fn is_said(due: &Due, name: &str) -> bool {
    due.code == DueCode::Revoked && due.name == name
}

/// The revoked super users, to whom ACLs do not apply, as long as the brokers accept their certificates.
fn super_users(
    found: &mut Vec<Due>,
    inventory: &Inventory,
    policy: &ValidatedPolicy,
    out: &OutDir,
    now: OffsetDateTime,
) -> Result<(), Failure> {
    for (record, principal) in revoked_super_users(policy, inventory, now) {
        let name = &record.name;
        let Some(revocation) = inventory.revocation(&record.serial) else {
            continue;
        };
        if served::refuse(policy, out, record, PATIENCE)? {
            continue;
        }
        let why = format!("{principal} is a super user, to whom ACLs do not apply");
        if let Some(due) = found.iter_mut().find(|due| is_said(due, name)) {
            due.message += &format!("; {why}");
            continue;
        }
        let kpki = shell::kpki(out.root());
        let up = format!("{kpki} up {}", shell::path(&policy.places.file.file));
        let removed = format!("remove it from the policy, run {up}, and restart the brokers");
        // What has no directory is not renewed.
        let is_here = record.external || out.root().join(name).is_dir();
        let (how, command) = match (revocation.reason, is_here) {
            (Reason::CertificateHold, _) => (format!("reinstate it, or {removed}"), None),
            (_, true) => (
                format!("give it a new key and certificate, or {removed}"),
                None,
            ),
            (_, false) => (removed, Some(up)),
        };
        let undone = || format!("{kpki} {}", sign::undone_by(record, revocation));
        found.push(Due {
            code: DueCode::Revoked.into(),
            name: name.clone(),
            message: format!(
                "its certificate was revoked on {} ({}), but {why}, and the brokers were not seen to refuse it: {how}",
                revocation.at.date(),
                revocation.reason
            ),
            command: command.unwrap_or_else(undone),
            by: Some(revocation.at),
        });
    }
    Ok(())
}

/// What must be assumed while the cluster cannot be asked: that it still accepts revoked identities.
fn let_in_perhaps(
    found: &[Due],
    inventory: &Inventory,
    policy: &ValidatedPolicy,
    out: &OutDir,
    now: OffsetDateTime,
) -> Option<Due> {
    let mut revoked = revoked(inventory, now);
    revoked.retain(|record| !found.iter().any(|due| is_said(due, &record.name)));
    let since = revoked
        .iter()
        .filter_map(|record| Some(inventory.revocation(&record.serial)?.at));
    let by = since.min()?;
    Some(Due {
        code: DueCode::Drift.into(),
        name: "acl".to_owned(),
        message: format!(
            "the cluster may still accept what is revoked, as its ACLs and SCRAM users could not be compared: {}",
            named(revoked.iter().map(|record| &record.name), SHOWN)
        ),
        command: format!(
            "{} acl apply {}",
            shell::kpki(out.root()),
            shell::path(&policy.places.file.file)
        ),
        by: Some(by),
    })
}

/// "expires on 2026-12-24, in 33 days"
fn ends(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let date = at.date();
    let days = (at - now).whole_days();
    match (at <= now, days) {
        (true, 0) => format!("expired today ({date})"),
        (true, days) => format!("expired on {date}, {} ago", count_of_days(-days)),
        (false, 0) => format!("expires within a day ({date})"),
        (false, days) => format!("expires on {date}, in {}", count_of_days(days)),
    }
}

fn count_of_days(days: i64) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Identities of the policy whose keys are elsewhere, and that lack their certificates.
fn awaited(inventory: &Inventory, policy: &ValidatedPolicy, out: &OutDir) -> Vec<Due> {
    let kpki = shell::kpki(out.root());
    let due = due::awaited(inventory, policy);
    let due = due.map(|(name, why, command)| Due {
        code: DueCode::RequestNeeded.into(),
        name: name.to_string(),
        message: format!("its key is elsewhere, and {why}: sign a request from its machine"),
        command: format!("{kpki} {command}"),
        by: None,
    });
    due.collect()
}

fn not_served(
    behind: &Behind<'_>,
    inventory: &Inventory,
    out: &OutDir,
    now: OffsetDateTime,
) -> Due {
    let Behind {
        node,
        served,
        latest,
        ..
    } = behind;
    let listeners = behind.listeners.join(", ");
    let what = match (behind.revocation, behind.is_ours) {
        (Some(revocation), _) => format!(
            "still serves a certificate on {listeners} that was revoked on {} ({})",
            revocation.at.date(),
            revocation.reason
        ),
        (None, true) => format!(
            "still serves an earlier certificate on {listeners}, which {}",
            ends(served.not_after, now)
        ),
        (None, false) => format!(
            "serves a certificate on {listeners} that this CA did not sign for it (serial number {})",
            served.serial
        ),
    };
    let kpki = shell::kpki(out.root());
    let copied = format!("once {} is on its machine", out.identity(node).display());
    let (how, load) = match behind.can_reload {
        true => (
            format!("it can load the new one without a restart, {copied}"),
            format!("{kpki} reload {node}"),
        ),
        false => (
            format!("it loads the new one only at a restart, {copied}"),
            format!("restart {node}"),
        ),
    };
    let last = inventory.revocation(&latest.serial);
    let (message, command) = match last {
        None => (format!("{what}; {how}"), load),
        Some(last) => {
            let which = match behind.served.serial == latest.serial {
                true => "",
                false => ", and its last one is revoked",
            };
            let undone = sign::undone_by(latest, last);
            let then = match last.reason {
                Reason::CertificateHold => String::new(),
                _ => format!(": after the command below, {how}: {load}"),
            };
            (format!("{what}{which}{then}"), format!("{kpki} {undone}"))
        }
    };
    let revoked = behind.revocation.or(last);
    Due {
        code: match revoked {
            Some(_) => DueCode::Revoked.into(),
            None => DueCode::NotServed.into(),
        },
        name: node.to_string(),
        message,
        command,
        by: Some(revoked.map_or(served.not_after, |revocation| revocation.at)),
    }
}

fn show(ui: &Ui, current: &[&Record], found: &[Due], unchecked: &[Unchecked], now: OffsetDateTime) {
    for Unchecked { what, why } in unchecked.iter().take(SHOWN) {
        ui.warn(format!("not checked: {}: {why}", what.join(" and ")));
    }
    let more = unchecked.len().saturating_sub(SHOWN);
    if more > 0 {
        ui.warn(format!(
            "not checked: {more} more; --json lists all of them"
        ));
    }
    if found.is_empty() {
        let mut next: Option<&Record> = None;
        let mut count = 0;
        for record in current.iter().filter(|r| r.not_after > now) {
            count += 1;
            if next.is_none_or(|next| record.not_after < next.not_after) {
                next = Some(record);
            }
        }
        let first = next.map_or(String::new(), |next| {
            format!(
                "; the first to expire is {}, on {}",
                next.name,
                next.not_after.date()
            )
        });
        let noun = if count == 1 {
            "certificate"
        } else {
            "certificates"
        };
        let nothing = match unchecked.is_empty() {
            true => format!("{GREEN}nothing to do{GREEN:#}"),
            false => format!("{YELLOW}nothing to do as far as checked{YELLOW:#}"),
        };
        ui.say(format!(
            "{nothing}  {DIM}{count} {noun} in use{first}{DIM:#}"
        ));
        return;
    }
    for due in found.iter().take(SHOWN) {
        ui.say(line(due, now));
        ui.say(format!("    {}", due.command));
    }
    let more = found.len().saturating_sub(SHOWN);
    if more > 0 {
        ui.say(format!("and {more} more; --json lists all of them"));
    }
}

/// What is due, in a line.
pub fn line(due: &Due, now: OffsetDateTime) -> String {
    let colour = match due.is_late(now) {
        true => RED,
        false => YELLOW,
    };
    format!(
        "{colour}{}{colour:#}  {BOLD}{}{BOLD:#}: {}",
        due.code.name(),
        due.name,
        due.message
    )
}
