//! `kpki up`

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Done, Failure, Global,
    init_ca::take_lock,
    passphrase,
    policy::read_policy,
    ui::{BOLD, DIM, GREEN, Ui, YELLOW},
};
use crate::{
    bootstrap::{
        ca::{Ca, CaSpec},
        files,
        member::Member,
        rfc3339,
        up::{Action, Plan, Setting, execute, plan},
    },
    config::STORAGE_ARGS,
    keystore::StoreProfile,
    policy::{Mode, ValidatedPolicy},
    state::OutDir,
};

/// Make everything that a policy asks for
///
/// The CA if it is missing, a certificate and stores for every broker and client, SCRAM credentials, server.properties
/// and client.properties. What is there stays byte for byte; what is due is renewed; nothing is ever deleted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki up policies/quickstart.yaml
  kpki up --dry-run policies/quickstart.yaml
  KPKI_CA_PASSPHRASE_FILE=/run/secrets/ca kpki --out /srv/kpki up cluster.yaml")]
pub struct Up {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: String,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shape: Shape,
}

/// How files are named and encoded, beyond what the policy says.
#[derive(Debug, Args)]
pub struct Shape {
    /// File names and password files for the image or recipe that reads them: default or script-sh
    #[arg(long, value_name = "NAME", value_parser = known_layout)]
    layout: Option<String>,
    /// Give the files to this user and group, for containers that read as another user; needs root
    #[arg(long, value_name = "UID:GID", value_parser = owner)]
    owner: Option<(u32, u32)>,
    /// How PKCS12 stores are encrypted: default, or legacy for Java 8 before 8u301
    #[arg(long, value_name = "PROFILE", default_value_t = StoreProfile::Jdk)]
    store_profile: StoreProfile,
}

impl Shape {
    /// Puts what was said on the command line over what the policy says.
    pub fn apply(&self, policy: &mut ValidatedPolicy) {
        if let Some(layout) = &self.layout {
            policy.cluster.layout.clone_from(layout);
        }
        if self.owner.is_some() {
            policy.cluster.owner = self.owner;
        }
    }

    /// The profile of the stores.
    pub fn profile(&self) -> StoreProfile {
        self.store_profile
    }
}

fn known_layout(text: &str) -> Result<String, String> {
    let known: Vec<&str> = crate::config::LAYOUTS.iter().map(|l| l.name).collect();
    if known.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("known layouts: {}", known.join(", ")))
    }
}

fn owner(text: &str) -> Result<(u32, u32), String> {
    text.split_once(':')
        .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)))
        .ok_or_else(|| "write numbers, as in 1000:1000".to_owned())
}

impl Up {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let mut policy = read_policy(&self.policy)?;
        self.shape.apply(&mut policy);
        let out = OutDir::new(&global.out);
        let setting = Setting {
            policy: &policy,
            out: &out,
            profile: self.shape.profile(),
            now: OffsetDateTime::now_utc(),
        };
        if self.dry_run {
            let ca = if Ca::exists(&out) {
                Some(Ca::open(&out)?)
            } else {
                None
            };
            let planned = plan(setting, ca.as_ref(), None).map_err(several)?;
            report(setting, &planned, ca.is_none(), true, ui);
            return Ok(());
        }
        let new_ca = if Ca::exists(&out) {
            None
        } else {
            // Bad hosts and damaged files are said before anybody thinks of a passphrase.
            plan(setting, None, None).map_err(several)?;
            Some(passphrase::new(global)?)
        };
        out.create()?;
        let lock = take_lock(&out, ui)?;
        let (ca, made_ca) = match &new_ca {
            Some(protection) if !Ca::exists(&out) => {
                let spec = CaSpec {
                    subject: policy.ca.subject.clone(),
                    key: policy.ca.key,
                    days: policy.ca.valid_days,
                    intermediate: false,
                    name_constraints: Vec::new(),
                };
                (
                    Ca::create(&out, &lock, &spec, protection, setting.now)?,
                    true,
                )
            }
            _ => (Ca::open(&out)?, false),
        };
        let mut planned = plan(setting, Some(&ca), Some(&lock)).map_err(several)?;
        let authority = if planned.steps.iter().any(|s| s.signs()) {
            Some(ca.unseal(passphrase::existing(global, &ca)?.as_ref())?)
        } else {
            None
        };
        let work = planned
            .steps
            .iter()
            .filter(|s| s.action != Action::Keep)
            .count();
        let bar = ui.progress(work as u64, "identities");
        execute(
            setting,
            &mut planned,
            &ca,
            authority.as_ref(),
            &lock,
            &|done| bar.inc(done as u64),
        )?;
        bar.finish_and_clear();
        report(setting, &planned, made_ca, false, ui);
        Ok(())
    }
}

fn several(errors: Vec<crate::bootstrap::BootstrapError>) -> Failure {
    Failure::Several(errors.into_iter().map(Into::into).collect())
}

/// Says what was done, or would be, and what to do next.
fn report(setting: Setting<'_>, plan: &Plan<'_>, made_ca: bool, dry_run: bool, ui: &Ui) {
    let Setting { policy, out, .. } = setting;
    let tense = if dry_run { "would be " } else { "" };
    if made_ca {
        ui.say(format!(
            "{GREEN}{tense}created{GREEN:#}  the CA, {}",
            out.ca().display()
        ));
    }
    for step in plan.steps.iter().filter(|s| s.action != Action::Keep) {
        let reason = step
            .action
            .reason()
            .map(|r| format!(": {r}"))
            .unwrap_or_default();
        let dir = out.identity(step.member.name());
        ui.say(format!(
            "{GREEN}{tense}{}{GREEN:#}  {} {}{reason}  {DIM}{}{DIM:#}",
            step.action.word(),
            step.member.word(),
            step.member.name(),
            dir.display()
        ));
        for file in step.updated() {
            ui.detail(format!("  {}", dir.join(file).display()));
        }
    }
    let kept = plan
        .steps
        .iter()
        .filter(|s| s.action == Action::Keep)
        .count();
    if kept > 0 {
        ui.say(format!(
            "unchanged  {kept} of {} identities",
            plan.steps.len()
        ));
    }
    for name in &plan.undeclared {
        ui.say(format!(
            "{YELLOW}undeclared{YELLOW:#}  {name} is in {} but not in the policy; it was left as it is",
            out.root().display()
        ));
    }
    if let Some(end) = plan.ca_ends {
        ui.warn(format!(
            "the CA ends on {}: no certificate is valid for longer",
            end.date()
        ));
    }
    let next = next_steps(setting, plan, dry_run);
    if !next.is_empty() {
        ui.say(format!("\n{BOLD}next:{BOLD:#}"));
        for line in &next {
            ui.say(format!("  {line}"));
        }
    }
    let identities: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            json!({
                "name": step.member.name().as_str(),
                "kind": step.member.word(),
                "action": step.action.word(),
                "reason": step.action.reason(),
                "directory": out.identity(step.member.name()),
            })
        })
        .collect();
    ui.document(&json!({
        "dry_run": dry_run,
        "ca": if made_ca { "created" } else { "unchanged" },
        "identities": identities,
        "undeclared": plan.undeclared.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
        "ca_ends": plan.ca_ends.map(rfc3339),
        "cluster": policy.cluster.name,
        "next": next,
    }));
}

fn next_steps(setting: Setting<'_>, plan: &Plan<'_>, dry_run: bool) -> Vec<String> {
    let Setting { policy, out, .. } = setting;
    let changed = |step: &&crate::bootstrap::up::Step<'_>| step.action != Action::Keep;
    let mut lines = Vec::new();
    if dry_run || !plan.steps.iter().any(|s| changed(&s)) {
        return lines;
    }
    let brokers: Vec<_> = plan
        .steps
        .iter()
        .filter(changed)
        .filter(|s| matches!(s.member, Member::Broker(_)))
        .collect();
    let install = files::install_dir(policy);
    if let Some(dir) = install {
        lines.push(format!("copy each directory to its machine, as {dir}"));
    }
    if let Some(step) = brokers.first() {
        let name = step.member.name();
        let place = match install {
            Some(dir) => dir.to_owned(),
            None => out
                .absolute()
                .unwrap_or_default()
                .join(name.as_str())
                .display()
                .to_string(),
        };
        let properties = files::names(policy, name).server_properties;
        let each = if brokers.len() > 1 {
            ", and so for each broker"
        } else {
            ""
        };
        if policy.cluster.mode == Mode::Kraft {
            lines.push(format!(
                "once per broker, before its first start:  kafka-storage.sh @{place}/{STORAGE_ARGS}"
            ));
        }
        lines.push(format!("kafka-server-start.sh {place}/{properties}{each}"));
    }
    if let Some(step) = plan
        .steps
        .iter()
        .filter(changed)
        .find(|s| matches!(s.member, Member::Client(_)))
    {
        let name = step.member.name();
        let file = files::names(policy, name).client_properties;
        lines.push(format!(
            "clients: {}/{name}/{file} works with every Kafka tool (--command-config)",
            out.root().display()
        ));
    }
    lines
}
