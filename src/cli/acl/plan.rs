//! `kpki acl plan`

use std::path::Path;

use clap::Args;

use super::{
    super::{
        CliError, Code, Done, Failure, Global,
        cluster::{Connection, compare_id},
        connect::connect,
        policy, shell, utf8_path,
    },
    bindings, count, number, pruned,
    ui::{BOLD, DIM, GREEN, RED, Ui},
};
use crate::{
    apply::{acl, observed},
    plan::{AclPlan, Action, Deletion, Managed, Right, SavedPlan, by_principal, observed_digest},
    printable::{Printable, printable_json},
    state::{self, OutDir},
};

/// Plans hold no secrets.
const PLAN_MODE: u32 = 0o644;

/// Say what has to change so that the cluster has the policy's ACLs
///
/// Nothing is changed. Deletions are planned with --prune only, and only for principals that the policy manages:
/// those under `manage`, else its clients and the principals under `acls`.
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
    /// An export of the ACLs to plan from instead of asking the cluster, as JSON lines; `-` is standard input
    #[arg(long, value_name = "ACLS.jsonl", conflicts_with_all = ["bootstrap_server", "command_config"])]
    observed: Option<String>,
    #[command(flatten)]
    deletion: DeletionOptions,
    /// Write the plan to a file, to be reviewed and applied later
    #[arg(long, value_name = "FILE", value_parser = utf8_path)]
    save: Option<std::path::PathBuf>,
    /// Exit with 3 when there is something to change
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What may be deleted.
#[derive(Debug, Clone, Copy, Args)]
pub struct DeletionOptions {
    /// Also delete what managed principals have beyond the policy
    #[arg(long)]
    pub prune: bool,
    /// The most deletions [default: a fifth of the managed bindings, at least 10]
    #[arg(long, value_name = "N", value_parser = number)]
    pub max_deletes: Option<usize>,
}

impl From<DeletionOptions> for Deletion {
    fn from(options: DeletionOptions) -> Self {
        Self {
            prune: options.prune,
            max_deletes: options.max_deletes,
        }
    }
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
        let plan = acl::plan(&read.policy, &observed, self.deletion.into());
        let saved = SavedPlan {
            cluster,
            policy: self.policy.clone(),
            policy_sha256: read.sha256.clone(),
            observed_sha256: observed_digest(
                &observed.bindings,
                &Managed::of(&read.policy.managed()),
            ),
            kafka_version: read.policy.version().to_string(),
            prune: self.deletion.prune,
            ..SavedPlan::of(&plan)
        };
        if let Some(path) = &self.save {
            save(path, &saved)?;
        }
        // The document says it all.
        if !ui.json {
            show(ui, &plan, usize::MAX);
            for refusal in &plan.refusals {
                ui.complain(format!(
                    "{RED}not to be applied as it is:{RED:#} {}",
                    refusal.message
                ));
            }
        }
        if let Some(path) = &self.save {
            // The plan holds how to connect.
            ui.note(format!(
                "saved to {}; once it is reviewed:\n  {} acl apply {}",
                path.display(),
                shell::kpki(&global.out),
                shell::quote(&path.display().to_string())
            ));
        }
        ui.document(&saved);
        pruned::advise(ui, &left);
        match self.exit_code && !plan.is_empty() {
            _ if !left.is_empty() => Err(Failure::Partly),
            true => Err(Failure::No),
            false => Ok(()),
        }
    }
}

/// Prints a plan for people: every change where they are at most so many, else their number for each principal.
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
    let mut line = match plan.is_empty() {
        true => format!("{GREEN}nothing to change{GREEN:#}"),
        false => format!(
            "{} to create, {} to delete",
            plan.creates.len(),
            plan.deletes.len()
        ),
    };
    line.push_str(&format!(", {} unchanged", plan.unchanged));
    if plan.left_alone > 0 {
        line.push_str(&format!(
            "{DIM}; {} in the cluster that {} not in the policy: left alone{DIM:#}",
            count(plan.left_alone, "binding"),
            if plan.left_alone == 1 { "is" } else { "are" }
        ));
    }
    ui.say(line);
    for warning in &plan.warnings {
        ui.warn(&warning.message);
    }
}

/// Refuses to put a plan in the place of something else, such as the policy or a device; an earlier plan is replaced.
fn check_place(path: &Path) -> Done {
    // One that is damaged is replaced by the very command that its error names.
    let is_plan = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.trim().is_empty() || SavedPlan::is_meant(&text)
    };
    let named = path.extension().is_some_and(|end| end == "plan");
    let is_saved = || named || state::read_text(path).is_ok_and(|text| is_plan(&text));
    if !path.exists() || path.is_file() && is_saved() {
        return Ok(());
    }
    Err(CliError::new(
        Code::FileExists,
        format!("{} is there already, and no saved plan", path.display()),
    )
    .hint("choose another path for --save, or move it away")
    .into())
}

fn save(path: &Path, saved: &SavedPlan) -> Result<(), Failure> {
    let text = printable_json(serde_json::to_string_pretty(saved).unwrap_or_default()) + "\n";
    state::write_atomic(path, text.as_bytes(), PLAN_MODE, None).map_err(|e| {
        CliError::new(Code::PlanUnwritable, e.to_string())
            .hint("choose another path for --save")
            .into()
    })
}
