//! `kpki acl plan`

use std::path::Path;

use clap::Args;
use time::OffsetDateTime;

use super::{
    super::{
        CliError, Code, Done, Failure, Global,
        cluster::{Connection, compare_id, connect},
        planned::{DeletionOptions, show_refusals, totals},
        policy, shell, utf8_path, verdict,
    },
    bindings, fail, pruned,
    ui::{BOLD, DIM, GREEN, RED, Ui},
};
use crate::{
    apply::{acl, observed},
    bootstrap::cut_off::cut_off,
    plan::{AclPlan, Action, Managed, Right, SavedPlan, by_principal, observed_digest},
    printable::{Printable, printable_json},
    state::{self, OutDir},
};

/// Plans hold no secrets.
const PLAN_MODE: u32 = 0o644;

/// Show what must change for the cluster to have the policy's ACLs
///
/// Changes nothing. Deletions are planned only with --prune, and only for principals that the policy manages: those
/// under `manage`, or by default its clients and the principals under `acls`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl plan policies/quickstart.yaml
  kpki acl plan policies/quickstart.yaml --prune --save monday.plan
  kpki acl plan policies/quickstart.yaml --command-config admin.properties
  kpki acl plan policies/quickstart.yaml --observed acls.jsonl --exit-code")]
pub struct Plan {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: String,
    /// Plan from exported ACLs (JSON lines) instead of asking the cluster; `-` is standard input
    #[arg(long, value_name = "ACLS.jsonl", conflicts_with_all = ["bootstrap_server", "command_config"])]
    observed: Option<String>,
    #[command(flatten)]
    deletion: DeletionOptions,
    /// Write the plan to a file, to review and apply later
    #[arg(long, value_name = "FILE", value_parser = utf8_path)]
    save: Option<std::path::PathBuf>,
    /// Exit with 3 if there is something to change
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Plan {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let inputs = [Some(self.policy.as_str()), self.observed.as_deref()];
        policy::check_stdin("policy and ACLs", inputs)?;
        if self.save.as_deref() == Some(Path::new("-")) {
            return Err(CliError::misuse(
                "a plan is saved to a file, not to standard output",
                "give --save FILE; --json prints the plan",
            )
            .into());
        }
        if let Some(path) = &self.save {
            check_place(path)?;
        }
        let read = policy::read_policy_file(&self.policy)?;
        let mut left = Vec::new();
        let (observed, cluster) = match &self.observed {
            Some(path) => {
                let bindings = bindings::read_export(path)?.bindings;
                (observed::exported(bindings, &read.policy), None)
            }
            None => {
                let connection = &self.connection;
                let properties = connection.properties(ui, Some(&read.policy), &global.out)?;
                let mut admin = connect(ui, &properties)?;
                compare_id(ui, &read.policy, &global.out, &admin)?;
                left = pruned::left(ui, &OutDir::new(&global.out), &admin);
                let observed =
                    observed::read(&mut admin, &properties, &read.policy, &|n| ui.tell(n))?;
                (observed, Some(connection.planned(&properties, &admin)))
            }
        };
        let out = OutDir::new(&global.out);
        let cut_off = cut_off(&read.policy, &out, OffsetDateTime::now_utc())?;
        let plan = acl::plan(&read.policy, &cut_off, &observed, self.deletion.into());
        let managed = Managed::of(&read.policy.managed());
        let saved = SavedPlan {
            cluster,
            policy: self.policy.clone(),
            policy_sha256: read.sha256.clone(),
            observed_sha256: observed_digest(&observed.bindings, &managed),
            kafka_version: read.policy.version().to_string(),
            prune: self.deletion.prune,
            ..SavedPlan::of(&plan)
        };
        if let Some(path) = &self.save {
            save(path, &saved)?;
        }
        // The JSON document contains everything.
        if !ui.json {
            show(ui, &plan, usize::MAX);
            show_refusals(ui, &plan.refusals);
        }
        if let Some(path) = &self.save {
            // The plan holds how to connect.
            let (kpki, quoted) = (shell::kpki(&global.out), shell::quote_path(path));
            let path = path.display();
            ui.note(format!(
                "saved to {path}; once it is reviewed:\n  {kpki} acl apply {quoted}"
            ));
        }
        ui.document(&saved);
        pruned::advise(ui, &left);
        match left.is_empty() {
            true => verdict(plan.is_empty() || !self.exit_code),
            false => Err(Failure::Partly),
        }
    }
}

/// Prints a plan for people: every change, or if there are too many, their number for each principal.
pub fn show(ui: &Ui, plan: &AclPlan, most: usize) {
    let each = plan.creates.len() + plan.deletes.len() <= most;
    for (principal, changes) in by_principal(plan) {
        if !each {
            let creates = changes.iter().filter(|c| c.0 == Action::Create);
            let creates = creates.count();
            let deletes = changes.len() - creates;
            ui.say(format!(
                "{BOLD}{}{BOLD:#}  {GREEN}+{creates}{GREEN:#} {RED}-{deletes}{RED:#}",
                Printable(principal)
            ));
            continue;
        }
        ui.say(format!("{BOLD}{}{BOLD:#}", Printable(principal)));
        for (action, binding) in changes {
            let colour = match action {
                Action::Delete => RED,
                _ => GREEN,
            };
            let sign = action.sign();
            ui.say(format!("  {colour}{sign} {}{colour:#}", Right(binding)));
        }
    }
    if !each {
        ui.say(format!("{DIM}kpki acl plan shows each change{DIM:#}"));
    }
    let (creates, deletes) = (plan.creates.len(), plan.deletes.len());
    let changes = (!plan.is_empty()).then(|| format!("{creates} to create, {deletes} to delete"));
    totals(ui, changes, plan.unchanged, plan.left_alone, "binding");
    for warning in &plan.warnings {
        ui.warn(&warning.message);
    }
}

/// Refuses to replace anything but an earlier plan, such as the policy or a device.
fn check_place(path: &Path) -> Done {
    // A damaged plan may be replaced: the command in its error message does just that.
    let is_plan = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.trim().is_empty() || SavedPlan::is_meant(&text)
    };
    let named = path.extension().is_some_and(|end| end == "plan");
    let is_saved = || named || state::read_text(path).is_ok_and(|text| is_plan(&text));
    if !path.exists() || path.is_file() && is_saved() {
        return Ok(());
    }
    let message = format!("{} already exists and is not a saved plan", path.display());
    fail(
        Code::FileExists,
        message,
        "choose another path for --save, or move the file away",
    )
}

fn save(path: &Path, saved: &SavedPlan) -> Result<(), Failure> {
    let text = printable_json(serde_json::to_string_pretty(saved).unwrap_or_default()) + "\n";
    state::write_atomic(path, text.as_bytes(), PLAN_MODE, None).map_err(|e| {
        CliError::new(Code::PlanUnwritable, e.to_string())
            .hint("choose another path for --save")
            .into()
    })
}
