//! `kpki rotate-ca`

mod start;

use clap::{Args, Subcommand};
use serde_json::json;
use start::Start;
use time::OffsetDateTime;

use super::{
    Done, Failure, Global, crl,
    error::until_finished,
    init_ca::{take_lock, tidy},
    passphrase,
    shell::kpki,
    table::{Column::*, table},
    ui::{BOLD, GREEN, Ui},
};
use crate::{
    bootstrap::{
        ca::Ca,
        forgotten,
        lists::{self, CRL, Lists},
        rfc3339,
        rotate::{Outcome, Pending, Rotating, Seen, Step, Tools},
    },
    pki::Kind,
    state::{Inventory, Lock, OutDir, Phase, Rotation},
};

/// Replace the CA without an outage, in steps
///
/// First all identities trust both the old and the new CA; then the new one re-issues every certificate; then the old
/// one is no longer trusted. After each step, copy the directories, and reload or restart brokers and clients.
#[derive(Debug, Subcommand)]
pub enum RotateCa {
    /// Create, request or import the next CA, and make all identities trust both
    ///
    /// By default, it is a new CA like the present one, with a root of its own. Instead, it can be an intermediate below
    /// a company's root: --request makes its key and a certificate request, while the present CA continues to work, and
    /// --install-cert starts the rotation with the answer. Or an existing CA is imported with its key.
    #[command(after_help = "\
Examples:
  kpki rotate-ca start
  kpki rotate-ca start --key ecdsa-p384 --days 3650
  kpki rotate-ca start --request --out-file next-ca.csr
  kpki rotate-ca start --install-cert answer.pem
  kpki rotate-ca start --import-cert chain.pem --import-key ca-key.pem")]
    Start(Start),
    /// Show how far each identity is, and what to do next
    #[command(after_help = "\
Examples:
  kpki rotate-ca status
  kpki rotate-ca status --json")]
    Status,
    /// Take the next step: the new CA re-issues all certificates; then the old one is no longer trusted
    #[command(after_help = "\
Examples:
  kpki rotate-ca next
  kpki rotate-ca next --force")]
    Next(Go),
    /// End the rotation, and permanently delete the old CA's key
    #[command(after_help = "\
Examples:
  kpki rotate-ca finish")]
    Finish(Go),
    /// Go back: from the new CA's certificates to the old one's, then to trusting only the old CA; or drop a request
    #[command(after_help = "\
Examples:
  kpki rotate-ca abort")]
    Abort(Go),
}

#[derive(Debug, Args)]
pub struct Go {
    /// Go on even if the last step was not confirmed everywhere, which can cut off those without it, or if revoked
    /// certificates would be accepted again
    #[arg(long)]
    force: bool,
}

impl RotateCa {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        tidy(&out, ui)?;
        let now = OffsetDateTime::now_utc();
        if let Self::Status = &self {
            return status(&Rotating::read(&out, now)?, ui);
        }
        // Without a CA there is nothing to lock either.
        Ca::open(&out)?;
        let lock = take_lock(&out, ui)?;
        let rotating = Rotating::read(&out, now)?;
        forgotten::check(&out, &rotating.ca.trust, &rotating.inventory, now)?;
        let phase = rotating.rotation.map(|rotation| rotation.phase);
        match &self {
            Self::Start(start) => {
                start.check(&rotating)?;
                if start.is_request() {
                    return start.request(rotating, &lock, global, ui);
                }
            }
            Self::Abort(_) if phase.is_none() && rotating.is_requested() => {
                return start::drop_request(&rotating, &lock, ui);
            }
            _ => {}
        }
        let signs = match &self {
            Self::Start(_) => true,
            Self::Next(_) => phase == Some(Phase::Trusting) || rotating.unfinished()?.1,
            Self::Abort(_) => phase == Some(Phase::Reissuing) || rotating.unfinished()?.1,
            Self::Finish(_) | Self::Status => rotating.unfinished()?.1,
        };
        let passphrase = match signs {
            true => passphrase::existing(global, &rotating.ca.issuer)?,
            false => None,
        };
        let lists = |lock: &Lock| -> Result<Lists, Failure> {
            let ca = Ca::open(&out)?;
            let mut inventory = Inventory::read(&out)?;
            let keys = lists::open(&out, &ca, passphrase.as_ref(), &inventory, now)?;
            forgotten::check(&out, &ca.trust, &inventory, now)?;
            let next = keys.next_lists(&inventory, crl::DAYS, now);
            Ok(lists::write(&out, lock, &mut inventory, &keys, next, now)?)
        };
        // Certificates are checked with the CRL of their issuer, so there must be one of each trusted CA.
        let keeps_lists = signs && out.ca_file(CRL).exists();
        let rotating = match &self {
            Self::Next(_) if keeps_lists && !lists::are_whole(&out, &rotating.ca.trust)? => {
                lists(&lock)?;
                Rotating::read(&out, now)?
            }
            _ => rotating,
        };
        let bar = ui.progress(2, "identities");
        let progress = |done: usize, all: usize| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        };
        let tools = |lock, force| Tools {
            lock,
            passphrase: passphrase.as_ref(),
            force,
            progress: &progress,
        };
        let outcome = match self {
            Self::Start(start) => start.run(rotating, tools(&lock, false), ui)?,
            Self::Next(go) => {
                let remains = rotating.remains();
                let outcome = rotating.next(tools(&lock, go.force))?;
                if let Some(old) = remains.filter(|_| !outcome.finished_only) {
                    ui.warn(format!(
                        "{old} is below the same root, so what it has signed is still trusted; if others may know its key, have its certificate revoked by the CA that issued it"
                    ));
                }
                outcome
            }
            Self::Finish(go) => rotating.finish(tools(&lock, go.force))?,
            Self::Abort(go) => rotating.abort(tools(&lock, go.force))?,
            Self::Status => return Ok(()),
        };
        bar.finish_and_clear();
        report(&Rotating::read(&out, now)?, &outcome, ui)?;
        if keeps_lists {
            let shown = out.ca_file(CRL);
            match lists(&lock) {
                Ok(lists) => lists.all().for_each(|list| {
                    ui.note(format!(
                        "{} has a new CRL of {}",
                        shown.display(),
                        list.issuer
                    ));
                }),
                Err(why) => ui.warn(format!(
                    "{} was not written again: {}; run `{} crl`",
                    shown.display(),
                    why.only().map_or("", |error| &error.message),
                    kpki(out.root())
                )),
            }
        }
        Ok(())
    }
}

/// The state in `--json`, including that of no rotation.
fn word(rotating: &Rotating<'_>) -> &'static str {
    rotating.rotation.map_or(Rotation::OVER, |r| r.phase.word())
}

fn status(rotating: &Rotating<'_>, ui: &Ui) -> Done {
    let seen = rotating.status()?;
    let generation = rotating.generation();
    let pending = rotating.pending()?;
    let next = match &pending {
        Some(_) => awaited(rotating),
        None => next(rotating, &seen)?,
    };
    ui.answer(match rotating.rotation {
        None => format!("no rotation is in progress; the CA is generation {generation}"),
        Some(rotation) => format!(
            "{BOLD}{}{BOLD:#} since {}, from generation {} to {generation}",
            rotation.phase.word(),
            rotation.since.date(),
            rotation.from
        ),
    });
    if let Some(Pending { request, since }) = &pending {
        ui.answer(format!(
            "a request for the next CA, {}, is pending{}",
            request.subject,
            since.map_or(String::new(), |since| format!(" since {}", since.date()))
        ));
    }
    let rows = seen.iter().filter(|s| s.step != Step::None).map(|seen| {
        let served = seen.served.as_deref();
        [
            seen.name.to_string(),
            seen.kind.map_or("", Kind::name).to_owned(),
            seen.step.word().to_owned(),
            served.map_or("", |s| &s[..s.len().min(8)]).to_owned(),
            seen.why.to_string(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        let columns = [Whole(""), Spare(""), Whole(""), Spare(""), Prose("")];
        ui.answer(table(ui, columns, rows));
    }
    ui.answer(format!("{BOLD}next:{BOLD:#} {next}"));
    let identities = seen
        .iter()
        .map(|s| json!({"name": s.name.as_str(), "step": s.step.word(), "served": s.served}));
    ui.document(&json!({
        "state": word(rotating),
        "generation": generation,
        "identities": identities.collect::<Vec<_>>(),
        "request": pending.map(|Pending { request, since }| {
            json!({"subject": request.subject, "since": since.map(rfc3339)})
        }),
        "next": next,
    }));
    Ok(())
}

/// What to do while a request is pending.
fn awaited(rotating: &Rotating<'_>) -> String {
    let rotate = rotate(rotating);
    format!(
        "have the request signed ({rotate} start --request prints it), then {rotate} start --install-cert FILE; {rotate} abort drops it"
    )
}

/// What to do now.
fn next(rotating: &Rotating<'_>, seen: &[Seen]) -> Result<String, Failure> {
    let some = |step| seen.iter().any(|s| s.step == step);
    let rotate = rotate(rotating);
    let verb = match rotating.rotation.map(|rotation| rotation.phase) {
        None if some(Step::Write) => {
            return Ok(format!(
                "{rotate} finish, which completes an interrupted command"
            ));
        }
        None => return Ok(format!("{rotate} start begins one")),
        Some(Phase::Trusting | Phase::Reissuing) => format!("{rotate} next"),
        Some(Phase::Retiring) => format!("{rotate} finish"),
    };
    if some(Step::Write) {
        return Ok(format!("{verb}, which completes an interrupted command"));
    }
    let sign = match some(Step::Sign) {
        true => "sign a new request of every identity whose key is elsewhere (kpki sign), ",
        false => "",
    };
    let copy = match some(Step::Install) || some(Step::Unseen) {
        true => {
            "copy each directory to its machine, reload or restart the brokers one at a time and restart the clients, then "
        }
        false => "",
    };
    let mut brokers = seen.iter().filter(|s| s.kind == Some(Kind::Broker));
    let force = match brokers.clone().count() {
        // Nothing has to be confirmed.
        _ if rotating.is_only_prepared() || rotating.changes_no_trust()? => "",
        0 => " (with --force once you know that the brokers, none of which is known here, have it)",
        _ if brokers.any(|s| s.step == Step::Unseen) => {
            " (with --force once you know that the brokers that cannot be asked have it)"
        }
        _ => "",
    };
    let before = before_the_end(rotating)?;
    Ok(format!(
        "{sign}{copy}{}{verb}{force}{before}",
        publish(rotating)
    ))
}

/// What must come before `finish`, so that no revoked certificate is accepted again.
fn before_the_end(rotating: &Rotating<'_>) -> Result<String, Failure> {
    let found = rotating.accepted_again()?;
    let wait = |found| format!("; before that, {}", until_finished(&found));
    Ok(found.map_or(String::new(), wait))
}

/// The verb, with its output directory unless that is the default.
fn rotate(rotating: &Rotating<'_>) -> String {
    format!("{} rotate-ca", kpki(rotating.out.root()))
}

/// Programs that check CRLs would refuse the next CA's certificates without its CRL.
fn publish(rotating: &Rotating<'_>) -> String {
    let at = |url| format!("publish the CRL of the next CA (kpki crl --der) at {url}, then ");
    rotating.next_crl_url().map_or(String::new(), at)
}

fn report(rotating: &Rotating<'_>, outcome: &Outcome, ui: &Ui) -> Done {
    for found in &outcome.distrust {
        ui.warn(found);
    }
    for (name, why) in &outcome.unseen {
        ui.warn(format!(
            "{name} was not confirmed to have the previous step: {why}"
        ));
    }
    if let Some(found) = &outcome.accepted_again {
        ui.warn(found.to_string());
    }
    if outcome.finished_only {
        ui.note("an interrupted step was completed; no further step was started");
    }
    let state = word(rotating);
    let trusted: Vec<String> = rotating
        .ca
        .trust
        .trusted()
        .map(|c| c.subject.to_string())
        .collect();
    ui.say(format!(
        "{GREEN}{state}{GREEN:#}  {} signs; trusted: {}",
        rotating.ca.trust.signer().subject,
        trusted.join(" and ")
    ));
    ui.say(format!(
        "  wrote {} truststores and {} certificates",
        outcome.trust, outcome.leaves
    ));
    let rotate = rotate(rotating);
    let is_unchanged = (outcome.trust, outcome.leaves) == (0, 0);
    let todo = match rotating.rotation.map(|rotation| rotation.phase) {
        None if is_unchanged => {
            "nothing in the directories has changed; the rotation is over".to_owned()
        }
        None => {
            "copy each changed directory to its machine once more; the rotation is over".to_owned()
        }
        Some(phase) => {
            let then = match phase {
                Phase::Retiring => {
                    let before = before_the_end(rotating)?;
                    format!("{rotate} finish, which permanently deletes the old CA's key{before}")
                }
                _ => format!("{rotate} next"),
            };
            let copy = match is_unchanged {
                true => {
                    "nothing in the directories has changed, so there is nothing to copy".to_owned()
                }
                false => format!(
                    "copy each directory to its machine, reload or restart the brokers one at a time and restart the clients; {rotate} status shows who has it"
                ),
            };
            format!("{copy}; then {}{then}", publish(rotating))
        }
    };
    ui.say(format!("\n{BOLD}next:{BOLD:#} {todo}"));
    ui.document(&json!({
        "state": state,
        "generation": rotating.generation(),
        "truststores": outcome.trust,
        "certificates": outcome.leaves,
        "finished_only": outcome.finished_only,
        "next": todo,
    }));
    Ok(())
}
