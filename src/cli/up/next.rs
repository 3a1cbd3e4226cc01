//! What to do next for the files to take effect: each command on a line of its own, to be copied.

use super::{
    super::{
        shell::{self, quote, quote_path},
        ui::named,
    },
    NAMED,
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

/// How many commands of one kind are written out.
const WRITTEN_OUT: usize = 5;

pub enum Line {
    /// A sentence, which may be wrapped.
    Says(String),
    /// A command, which may not be wrapped.
    Command(String),
}

impl Line {
    fn says(text: &str) -> Self {
        Self::Says(text.to_owned())
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Says(text) | Self::Command(text) => text,
        }
    }
}

/// What remains to be done after `kpki up`.
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
    // New brokers have never run; the others may be running.
    let (new, running): (Vec<_>, Vec<_>) = plan
        .steps
        .iter()
        .filter(|s| matches!(s.member, Member::Broker(_)))
        .partition(|s| s.action == Action::Create);
    start(context, &new, &mut lines);
    keep_running(context, &running, &mut lines);
    let created = plan.steps.iter().any(|s| s.action == Action::Create);
    if created && !policy.bindings.is_empty() {
        lines.push(Line::says("once the brokers run, apply the policy's ACLs:"));
        lines.push(Line::Command(command(context, "acl apply", file)));
    }
    let new = |s: &&Step<'_>| s.scram.as_ref().is_some_and(ScramState::is_new);
    let mut derived = plan
        .steps
        .iter()
        .filter(new)
        .map(|s| s.member.name())
        .peekable();
    if !running.is_empty() && derived.peek().is_some() {
        lines.push(Line::Says(format!(
            "to send the new SCRAM credentials of {} to a running cluster:",
            named(derived, NAMED)
        )));
        lines.push(Line::Command(command(context, "scram apply", file)));
    }
    let mut clients = plan.steps.iter().filter(changed);
    if let Some(step) = clients.find(|s| matches!(s.member, Member::Client(_))) {
        let name = step.member.name();
        let names = files::names(policy, name);
        let file = quote_path(&out.identity(name).join(names.client_properties));
        lines.push(Line::says("Kafka's tools take a client's settings, as in:"));
        lines.push(Line::Command(format!("--command-config {file}")));
    }
    lines
}

/// The path of an identity's file on the machine that it is for.
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
    // If every machine has the same directory, the commands are the same.
    commands.dedup();
    let more = commands.len().saturating_sub(WRITTEN_OUT);
    commands.truncate(WRITTEN_OUT);
    lines.extend(commands.into_iter().map(Line::Command));
    if more > 0 {
        lines.push(Line::Says(format!("and likewise for the {more} others")));
    }
}

/// The first start of new brokers.
fn start(context: Context<'_>, new: &[&Step<'_>], lines: &mut Vec<Line>) {
    if new.is_empty() {
        return;
    }
    if context.policy.cluster.mode == Mode::Kraft {
        lines.push(Line::says("once per new broker, before its first start:"));
        each(new, lines, |step| {
            let path = place(context, step, STORAGE_ARGS);
            format!("kafka-storage.sh {}", quote(&format!("@{path}")))
        });
    }
    lines.push(Line::says("then start it:"));
    each(new, lines, |step| {
        let names = files::names(context.policy, step.member.name());
        let path = place(context, step, &names.server_properties);
        format!("kafka-server-start.sh {}", quote(&path))
    });
}

/// What running brokers need for their new files.
fn keep_running(context: Context<'_>, running: &[&Step<'_>], lines: &mut Vec<Line>) {
    let those = |needs| {
        let brokers = running
            .iter()
            .filter(move |s| s.action != Action::Keep && s.needs() == needs);
        brokers.copied().collect::<Vec<&Step<'_>>>()
    };
    let restart = those(Needs::Restart);
    if !restart.is_empty() {
        lines.push(Line::Says(format!(
            "restart the running brokers one at a time, each once the previous one is in sync again: {}",
            named(restart.iter().map(|s| s.member.name()), NAMED)
        )));
    }
    let reload = those(Needs::Reload);
    if !reload.is_empty() {
        lines.push(Line::says(
            "these brokers can load their new stores without a restart, once the files are on their machines:",
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
        lines.push(Line::says(
            "running brokers need nothing: what changed is only read when formatting disks and starting new nodes",
        ));
    }
}

fn command(context: Context<'_>, verb: &str, policy: &str) -> String {
    let kpki = shell::kpki(context.out.root());
    format!("{kpki} {verb} {}", shell::path(policy))
}
