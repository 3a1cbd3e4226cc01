//! A CA rotation in progress: which identities lack its last step, and the command that continues it.

use time::OffsetDateTime;

use super::{Failure, count_of_days};
use crate::{
    bootstrap::{
        brought,
        due::{Due, DueCode},
        rotate::{Ask, Rotating, Seen, Step},
        running::{is_controller_alone, nodes},
        sign,
    },
    cli::{error::until_finished, shell, ui::named},
    pki::Kind,
    state::{Inventory, OutDir, Phase, Record, Rotation},
};

/// How many names are shown.
const NAMED: usize = 5;

/// What is due for a rotation, if one is in progress. `ending` are the certificates that have expired or expire soon.
///
/// # Errors
/// If the output directory cannot be read.
pub fn due(
    out: &OutDir,
    inventory: &Inventory,
    ending: &[&Record],
    ask: Ask,
    now: OffsetDateTime,
) -> Result<Option<Due>, Failure> {
    let cas = ending
        .iter()
        .filter(|r| matches!(r.kind, Kind::Ca | Kind::Intermediate));
    let by = cas.map(|record| record.not_after).min();
    let Some(rotation) = Rotation::read(out)? else {
        return requested(out, by, now);
    };
    let rotating = Rotating::read(out, now)?;
    let seen = rotating.seen(ask)?;
    let (last, next) = match rotation.phase {
        Phase::Trusting if rotating.is_only_prepared() => {
            ("the new CA is below the root that everyone trusts", "next")
        }
        Phase::Trusting => ("the new CA is being added to every truststore", "next"),
        Phase::Reissuing => ("every certificate is being re-issued by the new CA", "next"),
        Phase::Retiring if rotating.changes_no_trust()? => (
            "the old CA no longer signs, but its root is still trusted",
            "finish",
        ),
        Phase::Retiring => (
            "the old CA is being removed from every truststore",
            "finish",
        ),
    };
    let is_free = rotating.is_only_prepared() || rotating.changes_no_trust()?;
    let kpki = shell::kpki(out.root());
    let (waits, command) = match rotating.accepted_again()? {
        Some(found) => (until_finished(&found), format!("{kpki} rotate-ca status")),
        None if is_free && rotating.unfinished()? == (false, false) => (
            "nothing has to be copied".to_owned(),
            format!("{kpki} rotate-ca {next}"),
        ),
        None => waits(out, inventory, &seen, &format!("rotate-ca {next}"))?,
    };
    Ok(Some(Due {
        code: DueCode::Rotation.into(),
        name: "ca".to_owned(),
        message: format!(
            "the CA is being replaced (step `{}` {}): {last}; {waits}",
            rotation.phase.word(),
            since(rotation.since, now)
        ),
        command,
        by,
    }))
}

/// "since 2026-11-21, 3 days ago"
fn since(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let ago = match (now - at).whole_days() {
        ..1 => String::new(),
        days => format!(", {} ago", count_of_days(days)),
    };
    format!("since {}{ago}", at.date())
}

/// What is due for a request for the next CA's certificate.
fn requested(
    out: &OutDir,
    by: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<Option<Due>, Failure> {
    let rotate = format!("{} rotate-ca", shell::kpki(out.root()));
    let request = match brought::pending(out) {
        Ok(None) => return Ok(None),
        Ok(Some(request)) => request,
        Err(error) => {
            return Ok(Some(Due {
                code: DueCode::Rotation.into(),
                name: "ca".to_owned(),
                message: format!(
                    "the request for the next CA is damaged: {error}; its answer can still be installed, and if there is none, drop it with `{rotate} abort`"
                ),
                command: format!("{rotate} start --install-cert FILE"),
                by,
            }));
        }
    };
    let at = Inventory::read(out)?.ca_requested();
    let since = at.map_or(String::new(), |at| format!(" {}", since(at, now)));
    Ok(Some(Due {
        code: DueCode::Rotation.into(),
        name: "ca".to_owned(),
        message: format!(
            "a request for the next CA, {}, is pending{since}: have it signed and install the answer, or drop it with `{rotate} abort`",
            request.subject
        ),
        command: format!("{rotate} start --install-cert FILE"),
        by,
    }))
}

/// What the rotation is waiting for, and the command that continues it.
fn waits(
    out: &OutDir,
    inventory: &Inventory,
    seen: &[Seen],
    next: &str,
) -> Result<(String, String), Failure> {
    let kpki = shell::kpki(out.root());
    let with = |step: Step| seen.iter().filter(move |s| s.step == step);
    let names = |of: &[&Seen]| named(of.iter().map(|s| &s.name), NAMED);
    let is_broker = |s: &&Seen| s.kind == Some(Kind::Broker);
    if with(Step::Write).next().is_some() {
        let waits = "a command was interrupted, and this finishes it".to_owned();
        return Ok((waits, format!("{kpki} {next}")));
    }
    let mut last = with(Step::Sign).filter_map(|s| inventory.latest(s.name.as_str()));
    if let Some(first) = last.next() {
        let all: Vec<&Seen> = with(Step::Sign).collect();
        let waits = format!(
            "the keys of these identities are elsewhere, so each needs a new request: {}",
            names(&all)
        );
        return Ok((waits, format!("{kpki} {}", sign::command_again(first))));
    }
    let install: Vec<&Seen> = with(Step::Install).filter(is_broker).collect();
    if !install.is_empty() {
        let waits = format!(
            "the new files of {} must be copied to their machines and loaded there",
            names(&install)
        );
        let known = nodes(out)?;
        let runs_on = |s: &&&Seen| !known.get(&s.name).is_some_and(is_controller_alone);
        let reload: Vec<&str> = install
            .iter()
            .filter(runs_on)
            .map(|s| s.name.as_str())
            .collect();
        let command = match &reload[..] {
            [] => format!("restart {}", install[0].name),
            reload => format!("{kpki} reload {}", reload.join(" ")),
        };
        return Ok((waits, command));
    }
    let unseen: Vec<&Seen> = with(Step::Unseen).filter(is_broker).collect();
    if !unseen.is_empty() {
        let each = unseen.iter().map(|s| format!("{} ({})", s.name, s.why));
        let waits = format!(
            "cannot check who has loaded them: {}; once you know that all have, continue with `{kpki} {next} --force`",
            named(each, NAMED)
        );
        return Ok((waits, format!("{kpki} rotate-ca status")));
    }
    let clients = "continue after every client has its new files and was restarted";
    Ok(match seen.iter().any(|s| is_broker(&s)) {
        true => (
            format!("every broker has loaded them; {clients}"),
            format!("{kpki} {next}"),
        ),
        false => (
            format!("there is no broker here to check; {clients}"),
            format!("{kpki} {next} --force"),
        ),
    })
}
