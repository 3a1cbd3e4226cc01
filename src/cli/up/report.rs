//! What `kpki up` did or would do, for people and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{
        CliError,
        shell::kpki,
        ui::{BOLD, DIM, GREEN, Ui, YELLOW, named},
    },
    NAMED,
    next::{Line, next_steps},
};
use crate::bootstrap::{
    changes::{FileChange, Needs},
    context::Context,
    member::Member,
    plan::Plan,
    rfc3339, sign,
    step::Step,
};
use crate::pki::{Host, IdentityName, Reason};
use crate::plan::Action;
use crate::state::Revocation;

/// Up to this many of a kind are listed; beyond that, only their number.
const LISTED: usize = 20;

const CA_KEY: &str = "ca/ca.key";
/// The files of a new CA.
const NEW_CA: [&str; 5] = [
    "ca/ca.crt",
    CA_KEY,
    "ca/inventory.jsonl",
    "ca/truststore.p12",
    "ca/truststore.password",
];

pub struct UpReport<'a> {
    pub context: Context<'a>,
    /// The policy's path, as it was given.
    pub file: &'a str,
    pub made_ca: bool,
    /// In a dry run, the errors without it.
    pub refused: Vec<CliError>,
    pub dry_run: bool,
    pub ui: &'a Ui,
}

impl UpReport<'_> {
    /// What the user must know before anything is done.
    pub fn warn(&self, plan: &Plan<'_>) {
        if plan.nodes.recovered {
            self.ui.note(format!(
                "note: cluster.id was lost; the brokers' files say that it is {}",
                plan.nodes.cluster_id
            ));
        }
        for step in &plan.steps {
            if !step.lost_hosts.is_empty() {
                self.ui
                    .warn(loses_hosts(step.member.name(), &step.lost_hosts));
            }
        }
        for revocation in plan.steps.iter().filter_map(|step| step.revoked.as_ref()) {
            self.ui.warn(revoked(revocation));
        }
        for step in &plan.steps {
            if let Some(until) = step.elsewhere_until {
                let name = step.member.name();
                self.ui.warn(format!(
                    "the key of {name} is elsewhere, but its `key: external` is gone from the policy: it will get a new key and certificate here, and goes on with the old ones, valid until {}, until these are on its machine",
                    until.date()
                ));
            }
        }
        self.warn_of_waiting(plan);
        let lost = |s: &&Step<'_>| s.scram.as_ref().is_some_and(|s| s.lost);
        let mut lost = plan
            .steps
            .iter()
            .filter(lost)
            .map(|s| s.member.name())
            .peekable();
        if lost.peek().is_some() {
            self.ui.warn(format!(
                "the SCRAM password of {} was lost and replaced; kpki scram apply sends the new one to a running cluster",
                named(lost, NAMED)
            ));
        }
    }

    /// Identities whose certificates need a request from their own machines, with the command that signs it.
    fn warn_of_waiting(&self, plan: &Plan<'_>) {
        let Context { policy, out, .. } = self.context;
        for step in &plan.steps {
            let name = step.member.name();
            let (Some(why), Some((kind, hosts))) = (&step.waits, step.member.asks_for(policy))
            else {
                continue;
            };
            let command = sign::command(name.as_str(), kind, hosts.iter().map(Host::to_string));
            self.ui.warn(format!(
                "the key of {name} is elsewhere, and {why}: with a request from its machine, run"
            ));
            self.ui
                .complain(format!("  {} {command}", kpki(out.root())));
        }
    }

    /// Prints everything. Returns whether there was anything to do.
    pub fn print(&self, plan: &Plan<'_>) -> bool {
        let Self { ui, .. } = self;
        let mut groups: Vec<Vec<&Step<'_>>> = Vec::new();
        for step in plan.steps.iter().filter(|s| s.action != Action::Keep) {
            let kind = |s: &Step<'_>| (s.action.done(), s.member.word());
            match groups.iter_mut().find(|group| kind(group[0]) == kind(step)) {
                Some(group) => group.push(step),
                None => groups.push(vec![step]),
            }
        }
        for group in &groups {
            match group.len() > LISTED && !ui.verbose && !self.dry_run {
                true => self.summary(group),
                false => group.iter().for_each(|step| self.step(step)),
            }
        }
        self.leftovers(plan);
        self.refusals();
        if let Some(end) = plan.ca_ends {
            ui.warn(format!(
                "the CA expires on {}: no certificate is valid for longer",
                end.date()
            ));
        }
        let next = match self.dry_run {
            true => Vec::new(),
            false => next_steps(self.context, plan, self.file),
        };
        if !next.is_empty() {
            ui.say(format!("\n{BOLD}next:{BOLD:#}"));
        }
        for line in &next {
            match line {
                Line::Says(text) => ui.below(text),
                Line::Command(command) => ui.say(format!("    {command}")),
            }
        }
        ui.document(&self.document(plan, &next));
        self.made_ca || !groups.is_empty() || !self.refused.is_empty()
    }

    /// What would be refused, and the option that permits it.
    fn refusals(&self) {
        for error in &self.refused {
            // The lines below are a diff that was shown.
            let what = error.message.lines().next().unwrap_or_default();
            let what = what.trim_end_matches(':');
            self.ui.warn(format!("kpki up would refuse this: {what}"));
            if let Some(hint) = &error.hint {
                self.ui.complain(format!("{BOLD}hint:{BOLD:#} {hint}"));
            }
        }
    }

    fn tense(&self) -> &'static str {
        if self.dry_run { "would be " } else { "" }
    }

    fn summary(&self, group: &[&Step<'_>]) {
        let first = group[0];
        let names = group.iter().map(|s| s.member.name());
        self.ui.say(format!(
            "{GREEN}{}{}{GREEN:#}  {} {}s: {}  {DIM}(-v lists them){DIM:#}",
            self.tense(),
            first.action.done(),
            group.len(),
            first.member.word(),
            named(names, NAMED)
        ));
        for needs in [Needs::Restart, Needs::Reload] {
            let those = group.iter().filter(|s| s.needs() == needs).count();
            if those > 0 {
                let what = instruction(needs, first);
                self.ui.say(format!("  {what}: {those} of them"));
            }
        }
    }

    fn step(&self, step: &Step<'_>) {
        let name = step.member.name();
        let reason = step.reason.as_deref();
        let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
        let dir = self.context.out.identity(name);
        self.ui.say(format!(
            "{GREEN}{}{}{GREEN:#}  {} {name}{reason}  {DIM}{}{DIM:#}",
            self.tense(),
            step.action.done(),
            step.member.word(),
            dir.display()
        ));
        if step.action == Action::Create && step.changes.iter().all(|c| c.create) {
            for change in &step.changes {
                let path = dir.join(&change.file);
                self.ui.detail(format!("  {}", path.display()));
            }
        } else {
            self.needs(step);
        }
        for change in step.changes.iter().filter(|_| self.dry_run) {
            self.diff(name.as_str(), change);
        }
    }

    /// What must be done, and for which files.
    fn needs(&self, step: &Step<'_>) {
        for needs in [Needs::Restart, Needs::Reload, Needs::Nothing] {
            let files = step.changes.iter().filter(|change| change.needs == needs);
            let files: Vec<String> = files.map(described).collect();
            if !files.is_empty() {
                let what = instruction(needs, step);
                self.ui.below(format!("{what}: {}", files.join(", ")));
            }
        }
    }

    fn diff(&self, name: &str, change: &FileChange) {
        let path = format!("{name}/{}", change.file);
        match change.diff.as_deref() {
            Some(diff) if diff.starts_with("--- ") => {
                let lines = diff.trim_end().lines().map(|line| format!("    {line}"));
                self.ui.say(lines.collect::<Vec<_>>().join("\n"));
            }
            Some(sentence) if !sentence.is_empty() => {
                self.ui.say(format!("    {path}: {}", sentence.trim_end()));
            }
            _ => {}
        }
    }

    /// What exists but is not in this policy.
    fn leftovers(&self, plan: &Plan<'_>) {
        let Self { ui, context, .. } = self;
        let superfluous = plan.steps.iter().filter(|s| !s.superfluous.is_empty());
        let superfluous: Vec<_> = superfluous.collect();
        if superfluous.len() > LISTED && !ui.verbose {
            ui.say(format!(
                "{YELLOW}superfluous{YELLOW:#}  {} identities still have files that the policy no longer needs: {}; -v lists them",
                superfluous.len(),
                named(superfluous.iter().map(|s| s.member.name()), NAMED)
            ));
        } else {
            for step in superfluous {
                ui.say(format!(
                    "{YELLOW}superfluous{YELLOW:#}  {} still has {}; remove what you no longer need",
                    step.member.name(),
                    step.superfluous.join(", ")
                ));
            }
        }
        let kept = plan.steps.iter().filter(|s| s.action == Action::Keep);
        let (kept, all) = (kept.count(), plan.steps.len());
        if kept > 0 {
            ui.say(format!("unchanged  {kept} of {all} identities"));
        }
        let root = context.out.root().display();
        let undeclared = &plan.undeclared;
        if undeclared.len() > LISTED && !ui.verbose {
            ui.say(format!(
                "{YELLOW}undeclared{YELLOW:#}  {} are in {root} but not in the policy; they were left as they are",
                named(undeclared, NAMED)
            ));
        } else {
            for name in undeclared {
                ui.say(format!(
                    "{YELLOW}undeclared{YELLOW:#}  {name} is in {root} but not in the policy; it was left as it is"
                ));
            }
        }
    }

    fn document(&self, plan: &Plan<'_>, next: &[Line]) -> Value {
        let Context { policy, out, .. } = self.context;
        let identities = plan.steps.iter().map(|step| {
            json!({
                "name": step.member.name().as_str(),
                "kind": step.member.word(),
                "action": step.action.done(),
                "reason": step.reason.as_deref(),
                "revoked": step.revoked.as_ref().map(|r| r.reason),
                "needs": step.needs().word(),
                "superfluous": step.superfluous,
                "directory": out.identity(step.member.name()),
            })
        });
        let mut changes: Vec<Value> = Vec::new();
        if self.made_ca {
            let here = policy.ca.issuer.is_none();
            let files = NEW_CA.into_iter().filter(|file| here || *file != CA_KEY);
            changes.extend(files.map(
                |path| json!({"path": path, "action": Action::Create.verb(), "needs": "nothing", "diff": "a file of the CA: it is new, and not shown\n"}),
            ));
        }
        for step in &plan.steps {
            changes.extend(step.changes.iter().map(|change| {
                let action = match change.create {
                    true => Action::Create,
                    false => Action::Update,
                };
                json!({
                    "path": format!("{}/{}", step.member.name(), change.file),
                    "action": action.verb(),
                    "needs": change.needs.word(),
                    "diff": change.diff,
                })
            }));
        }
        let ids = plan.nodes.brokers.iter().map(|b| (b.name.as_str(), b.id));
        json!({
            "dry_run": self.dry_run,
            "ca": if self.made_ca { "created" } else { "unchanged" },
            "identities": identities.collect::<Vec<_>>(),
            "changes": changes,
            "refused": self.refused.iter().map(CliError::as_json).collect::<Vec<_>>(),
            "ids": ids.collect::<BTreeMap<_, _>>(),
            "undeclared": plan.undeclared.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
            "ca_ends": plan.ca_ends.map(rfc3339),
            "cluster": policy.cluster.name,
            "next": next.iter().map(Line::text).collect::<Vec<_>>(),
        })
    }
}

/// The warning about an identity that gets no certificate.
fn revoked(revocation: &Revocation) -> String {
    let Revocation {
        name, at, reason, ..
    } = revocation;
    let anew = match reason {
        Reason::CertificateHold => {
            format!("kpki revoke {name} --reason removeFromCRL ends the hold")
        }
        _ => format!("kpki renew {name} --new-key issues a new one"),
    };
    format!(
        "the certificate of {name} was revoked on {} ({reason}), so it is not renewed; {anew}",
        at.date()
    )
}

/// The warning about a broker whose certificate names fewer hosts than the one that it runs with.
pub fn loses_hosts(name: &IdentityName, hosts: &[Host]) -> String {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let hosts = hosts.join(" and ");
    format!(
        "the certificate of the broker {name} will no longer name {hosts}: a running broker refuses to load such a certificate, and then silently refuses every change of its dynamic configuration until it is restarted. So restart it"
    )
}

fn instruction(needs: Needs, step: &Step<'_>) -> &'static str {
    match (needs, step.member) {
        (Needs::Restart, Member::Broker(_)) => "needs a restart",
        (Needs::Restart, _) => "the client must be restarted",
        (Needs::Reload, _) => "needs a reload, or a restart",
        (Needs::Nothing, Member::Broker(_)) => "needs nothing while it is running",
        (Needs::Nothing, _) => "nothing needs to be done for",
    }
}

fn described(change: &FileChange) -> String {
    match change.settings.is_empty() {
        true => change.file.clone(),
        false => format!("{} ({})", change.file, named(&change.settings, NAMED)),
    }
}
