//! `kpki up`

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Done, Failure, Global,
    guard::secure_identities,
    init_ca::{begin, tidy},
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
        survey::{Action, Plan, Setting, Step, plan},
        up::execute,
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
    /// How PKCS12 stores are encrypted: default, or legacy for Java 8 before 8u301 [default: as they were]
    #[arg(long, value_name = "PROFILE")]
    store_profile: Option<StoreProfile>,
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
    pub fn profile(&self) -> Option<StoreProfile> {
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
        // Unix reads the highest number as "leave it as it is".
        .filter(|(uid, gid)| *uid != u32::MAX && *gid != u32::MAX)
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
            let ca = if Ca::exists(&out)? {
                Some(Ca::open(&out)?)
            } else {
                None
            };
            let planned = plan(setting, ca.as_ref(), None).map_err(several)?;
            if ca.is_none() {
                ui.say(format!(
                    "{GREEN}would be created{GREEN:#}  the CA, {}",
                    out.ca().display()
                ));
            }
            report(setting, &planned, ca.is_none(), true, ui);
            return Ok(());
        }
        tidy(&out, ui)?;
        let new_ca = if Ca::exists(&out)? {
            None
        } else {
            // Whatever is wrong is said before anybody thinks of a passphrase, and before there is a CA.
            plan(setting, None, None).map_err(several)?;
            Some(passphrase::new(global)?)
        };
        let lock = begin(&out, ui)?;
        let names: Vec<_> = Member::all(&policy).into_iter().map(Member::name).collect();
        secure_identities(&out, names, ui)?;
        let (ca, made) = match new_ca {
            Some(protection) if !Ca::exists(&out)? => {
                let (ca, authority) =
                    Ca::create(&out, &lock, &ca_spec(&policy), &protection, setting.now)?;
                ui.say(format!(
                    "{GREEN}created{GREEN:#}  the CA, {}",
                    out.ca().display()
                ));
                (ca, Some(authority))
            }
            _ => (Ca::open(&out)?, None),
        };
        let made_ca = made.is_some();
        if !made_ca {
            compare_ca(&policy, &ca, ui);
        }
        let planned = plan(setting, Some(&ca), Some(&lock)).map_err(several)?;
        let authority = match made {
            None if planned.steps.iter().any(Step::signs) => {
                Some(ca.unseal(passphrase::existing(global, &ca)?.as_ref())?)
            }
            made => made,
        };
        let work = planned
            .steps
            .iter()
            .filter(|s| s.action != Action::Keep)
            .count();
        let bar = ui.progress(work as u64, "identities");
        execute(setting, &planned, &ca, authority.as_ref(), &lock, &|done| {
            bar.inc(done as u64)
        })?;
        bar.finish_and_clear();
        report(setting, &planned, made_ca, false, ui);
        Ok(())
    }
}

fn ca_spec(policy: &ValidatedPolicy) -> CaSpec {
    CaSpec {
        subject: policy.ca.subject.clone(),
        key: policy.ca.key,
        days: policy.ca.valid_days,
        intermediate: false,
        name_constraints: Vec::new(),
    }
}

/// Says where the CA that is there is not the one that the policy describes: `up` does not replace it.
fn compare_ca(policy: &ValidatedPolicy, ca: &Ca, ui: &Ui) {
    let Some(root) = ca.trusted.first() else {
        return;
    };
    let wanted = policy
        .ca
        .subject
        .with_generation(1)
        .map(|s| s.to_string())
        .unwrap_or_default();
    if root.subject != wanted {
        ui.note(format!(
            "note: the CA is {}, where the policy would make {wanted}; it stays as it is",
            root.subject
        ));
    }
    if root.key != Some(policy.ca.key) {
        ui.note(format!(
            "note: the CA's key is not {}, as the policy has it; it stays as it is",
            policy.ca.key
        ));
    }
}

fn several(errors: Vec<crate::bootstrap::BootstrapError>) -> Failure {
    Failure::Several(errors.into_iter().map(Into::into).collect())
}

/// Says what was done, or would be, and what to do next.
fn report(setting: Setting<'_>, plan: &Plan<'_>, made_ca: bool, dry_run: bool, ui: &Ui) {
    let Setting { policy, out, .. } = setting;
    let tense = if dry_run { "would be " } else { "" };
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
    for step in &plan.steps {
        let name = step.member.name();
        if step.scram.as_ref().is_some_and(|s| s.lost) {
            ui.warn(format!("the SCRAM password of {name} was lost, so there is a new one; a running cluster gets it by kpki scram apply POLICY"));
        }
        if !step.superfluous.is_empty() {
            ui.say(format!(
                "{YELLOW}superfluous{YELLOW:#}  {name} still has {}; remove what you no longer need",
                step.superfluous.join(", ")
            ));
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
                "superfluous": step.superfluous,
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
    let changed = |step: &&Step<'_>| step.action != Action::Keep;
    let mut lines = Vec::new();
    if dry_run || !plan.steps.iter().any(|s| changed(&s)) {
        return lines;
    }
    // What is new has never run; the rest may be running.
    let (brokers, running): (Vec<_>, Vec<_>) = plan
        .steps
        .iter()
        .filter(|s| matches!(s.member, Member::Broker(_)))
        .partition(|s| s.action == Action::Create);
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
    if running.iter().any(|s| s.action != Action::Keep) {
        lines.push(
            "restart the brokers that run, one after the other: they read their new files then"
                .to_owned(),
        );
    }
    let created = plan.steps.iter().any(|s| s.action == Action::Create);
    if created && !policy.bindings.is_empty() {
        lines.push(
            "once the brokers run:  kpki acl apply POLICY  gives them the policy's ACLs".to_owned(),
        );
    }
    let derived: Vec<&str> = plan
        .steps
        .iter()
        .filter(|s| s.scram.as_ref().is_some_and(|s| s.derived))
        .map(|s| s.member.name().as_str())
        .collect();
    if !running.is_empty() && !derived.is_empty() {
        // A line, not a list of everyone.
        let named = derived
            .iter()
            .take(5)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = match derived.len().saturating_sub(5) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        lines.push(format!(
            "a cluster that runs already gets the new SCRAM credentials of {named}{more} by kpki scram apply POLICY"
        ));
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
