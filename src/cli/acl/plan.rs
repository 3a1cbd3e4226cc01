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
    ReadPolicy, count, number,
    observed::{self, Observed},
    pruned,
    saved::Saved,
    ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW},
};
use crate::{
    acl::{Binding, Principal},
    admin::inexpressible,
    plan::{self, Change, Managed, Remark, Right, SavedPlan, observed_digest},
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
    deletion: Deletion,
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
pub struct Deletion {
    /// Also delete what managed principals have beyond the policy
    #[arg(long)]
    pub prune: bool,
    /// The most deletions [default: a fifth of the managed bindings, at least 10]
    #[arg(long, value_name = "N", value_parser = number)]
    pub max_deletes: Option<usize>,
}

impl Plan {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        if self.policy == "-" && self.observed.as_deref() == Some("-") {
            return Err(CliError::new(
                Code::Usage,
                "policy and ACLs cannot both be standard input",
            )
            .hint("write one of them to a file")
            .usage()
            .into());
        }
        if self.save.as_deref() == Some(Path::new("-")) {
            return Err(CliError::new(
                Code::Usage,
                "a plan is saved to a file, not to standard output",
            )
            .hint("give --save FILE; --json prints the plan")
            .usage()
            .into());
        }
        if let Some(path) = &self.save {
            check_place(path)?;
        }
        let read = policy::read_policy_file(&self.policy)?;
        let mut left = Vec::new();
        let (observed, cluster) = match &self.observed {
            Some(path) => (observed::of_export(path, &read)?, None),
            None => {
                let connection = &self.connection;
                let properties = connection.properties(ui, Some(&read.policy), &global.out)?;
                let mut admin = connect(ui, &properties)?;
                compare_id(ui, &read.policy, &global.out, &admin)?;
                left = pruned::left(ui, &OutDir::new(&global.out), admin.cluster_id());
                let observed = observed::of_cluster(ui, &mut admin, &properties, &read)?;
                (observed, Some(connection.planned(&properties, &admin)))
            }
        };
        let plan = make(&read, &observed, self.deletion);
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

/// The plan that takes the cluster to the policy.
pub fn make(read: &ReadPolicy, observed: &Observed, deletion: Deletion) -> plan::Plan {
    let bindings = read.policy.bindings.iter();
    let desired: Vec<Binding> = bindings.map(|b| b.binding.clone()).collect();
    let mut plan = plan::plan(&plan::Inputs {
        desired: &desired,
        observed: &observed.bindings,
        managed: &Managed::of(&read.policy.managed()),
        prune: deletion.prune,
        max_deletes: deletion.max_deletes,
        operator: observed.operator.as_ref().map(Principal::as_str),
        operator_doubt: observed.operator_doubt.as_deref(),
        settings: &observed.settings,
    });
    let unnamed = plan.creates.iter().filter(|b| inexpressible(b).is_some());
    let refusals: Vec<Remark> = unnamed.map(by_hand).collect();
    plan.refusals.extend(refusals);
    plan
}

/// What librdkafka has no words for has to be created by Kafka's own tool.
fn by_hand(binding: &Binding) -> Remark {
    Remark {
        code: "inexpressible".into(),
        message: format!(
            "kpki's Kafka client cannot create {binding}; create it with Kafka's own tool, then run this again:\n  {}",
            super::by_hand::command(binding)
        ),
    }
}

/// Prints a plan for people: every change where they are at most so many, else their number for each principal.
pub fn show(ui: &Ui, plan: &plan::Plan, most: usize) {
    let each = plan.creates.len() + plan.deletes.len() <= most;
    for group in plan::groups(plan) {
        if !each {
            let creates = group.changes.iter().filter(|c| c.0 == Change::Create);
            let creates = creates.count();
            let deletes = group.changes.len() - creates;
            ui.say(format!(
                "{BOLD}{}{BOLD:#}  {GREEN}+{creates}{GREEN:#} {RED}-{deletes}{RED:#}",
                Printable(group.principal)
            ));
            continue;
        }
        ui.say(format!("{BOLD}{}{BOLD:#}", Printable(group.principal)));
        for (change, binding) in group.changes {
            let colour = match change {
                Change::Create => GREEN,
                Change::Delete => RED,
            };
            let sign = change.sign();
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
        ui.complain(format!("{YELLOW}warning:{YELLOW:#} {}", warning.message));
    }
}

/// Refuses to put a plan in the place of something else, such as the policy or a device; an earlier plan is replaced.
fn check_place(path: &Path) -> Done {
    let Ok(meta) = std::fs::metadata(path) else {
        return Ok(());
    };
    // One that is damaged is replaced by the very command that its error names.
    let is_plan = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.trim().is_empty() || Saved::is_meant(&text)
    };
    let named = path.extension().is_some_and(|end| end == "plan");
    if meta.is_file() && (named || state::read_text(path).is_ok_and(|text| is_plan(&text))) {
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
