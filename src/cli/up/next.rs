//! What to do next, so that what was written is used: each command on a line of its own, to be copied.

use super::{
    super::shell::{self, quote},
    named,
};
use crate::{
    bootstrap::{
        changes::Needs,
        context::Context,
        files,
        member::{Member, ScramState},
        plan::Plan,
        step::Step,
    },
    config::STORAGE_ARGS,
    plan::Action,
    policy::Mode,
};

/// So many commands of one kind are written out.
const WRITTEN_OUT: usize = 5;

/// A line of it.
pub enum Line {
    /// A sentence, which may be wrapped.
    Says(String),
    /// A command, which may not.
    Command(String),
}

impl Line {
    /// The line itself.
    pub fn text(&self) -> &str {
        match self {
            Self::Says(text) | Self::Command(text) => text,
        }
    }
}

/// The steps that are left to the one who ran `kpki up`.
pub fn next_steps(context: Context<'_>, plan: &Plan<'_>, file: &str) -> Vec<Line> {
    let Context { policy, out, .. } = context;
    let changed = |step: &&Step<'_>| step.action != Action::Keep;
    let mut lines = Vec::new();
    if !plan.steps.iter().any(|s| changed(&s)) {
        return lines;
    }
    if let Some(dir) = files::install_dir(policy) {
        lines.push(Line::Says(format!(
            "copy each changed directory to its machine, as {dir}"
        )));
    }
    // What is new has never run; the rest may be running.
    let (new, running): (Vec<_>, Vec<_>) = plan
        .steps
        .iter()
        .filter(|s| matches!(s.member, Member::Broker(_)))
        .partition(|s| s.action == Action::Create);
    start(context, &new, &mut lines);
    keep_running(context, &running, &mut lines);
    let created = plan.steps.iter().any(|s| s.action == Action::Create);
    if created && !policy.bindings.is_empty() {
        lines.push(Line::Says(
            "once the brokers run, give them the policy's ACLs:".to_owned(),
        ));
        lines.push(Line::Command(command(context, "acl apply", file)));
    }
    let derived = plan
        .steps
        .iter()
        .filter(|s| s.scram.as_ref().is_some_and(ScramState::is_new))
        .map(|s| s.member.name().as_str());
    let derived: Vec<&str> = derived.collect();
    if !running.is_empty() && !derived.is_empty() {
        lines.push(Line::Says(format!(
            "a cluster that runs already gets the new SCRAM credentials of {} by:",
            named(&derived)
        )));
        lines.push(Line::Command(command(context, "scram apply", file)));
    }
    let mut clients = plan.steps.iter().filter(changed);
    if let Some(step) = clients.find(|s| matches!(s.member, Member::Client(_))) {
        let name = step.member.name();
        let file = out
            .identity(name)
            .join(files::names(policy, name).client_properties);
        lines.push(Line::Says(
            "every Kafka tool takes a client's settings, as in:".to_owned(),
        ));
        lines.push(Line::Command(format!(
            "--command-config {}",
            quote(&file.display().to_string())
        )));
    }
    lines
}

/// A file of an identity, as the machine that it is for sees it.
fn place(context: Context<'_>, step: &Step<'_>, file: &str) -> String {
    let dir = match files::install_dir(context.policy) {
        Some(dir) => dir.trim_end_matches('/').to_owned(),
        None => {
            let root = context.out.absolute().unwrap_or_default();
            root.join(step.member.name().as_str()).display().to_string()
        }
    };
    format!("{dir}/{file}")
}

fn each(brokers: &[&Step<'_>], lines: &mut Vec<Line>, command: impl Fn(&Step<'_>) -> String) {
    let mut commands: Vec<String> = brokers.iter().map(|step| command(step)).collect();
    // Where each machine has the same directory, so are the commands.
    commands.dedup();
    let more = commands.len().saturating_sub(WRITTEN_OUT);
    commands.truncate(WRITTEN_OUT);
    lines.extend(commands.into_iter().map(Line::Command));
    if more > 0 {
        lines.push(Line::Says(format!("and so for the {more} others")));
    }
}

/// The first start of new brokers.
fn start(context: Context<'_>, new: &[&Step<'_>], lines: &mut Vec<Line>) {
    if new.is_empty() {
        return;
    }
    if context.policy.cluster.mode == Mode::Kraft {
        lines.push(Line::Says(
            "once per new broker, before its first start:".to_owned(),
        ));
        each(new, lines, |step| {
            let path = place(context, step, STORAGE_ARGS);
            format!("kafka-storage.sh {}", quote(&format!("@{path}")))
        });
    }
    lines.push(Line::Says("then start it:".to_owned()));
    each(new, lines, |step| {
        let names = files::names(context.policy, step.member.name());
        let path = place(context, step, &names.server_properties);
        format!("kafka-server-start.sh {}", quote(&path))
    });
}

/// What brokers that run need for their new files.
fn keep_running(context: Context<'_>, running: &[&Step<'_>], lines: &mut Vec<Line>) {
    let those = |needs| {
        let brokers = running
            .iter()
            .filter(move |s| s.action != Action::Keep && s.needs() == needs);
        brokers.copied().collect::<Vec<&Step<'_>>>()
    };
    let name = |step: &&Step<'_>| step.member.name().as_str().to_owned();
    let restart: Vec<String> = those(Needs::Restart).iter().map(name).collect();
    if !restart.is_empty() {
        let names: Vec<&str> = restart.iter().map(String::as_str).collect();
        lines.push(Line::Says(format!(
            "restart the brokers that run, one after the other, each once the one before is in sync again: {}",
            named(&names)
        )));
    }
    let reload = those(Needs::Reload);
    if !reload.is_empty() {
        lines.push(Line::Says(
            "these brokers take up their new stores while they run, once they are on their machines:".to_owned(),
        ));
        let names: Vec<&str> = reload.iter().map(|s| s.member.name().as_str()).collect();
        let names = match names.len() > WRITTEN_OUT {
            true => "--brokers".to_owned(),
            false => names.join(" "),
        };
        let out = shell::kpki(context.out.root());
        lines.push(Line::Command(format!("{out} reload {names}")));
    }
    if restart.is_empty() && reload.is_empty() && !those(Needs::Nothing).is_empty() {
        lines.push(Line::Says(
            "brokers that run need nothing: what changed is read by new disks and new nodes only"
                .to_owned(),
        ));
    }
}

/// The words of a command that names the output directory and the policy.
fn command(context: Context<'_>, verb: &str, policy: &str) -> String {
    format!(
        "{} {verb} {}",
        shell::kpki(context.out.root()),
        shell::path(policy)
    )
}
