//! `kpki acl apply`

use clap::Args;
use serde_json::json;

use super::{
    super::{CliError, Done, Failure, Global, cluster::Connection, policy},
    observed,
    plan::{self, Deletion},
    ui::{GREEN, RED, Ui},
};
use crate::{
    acl::RawBinding,
    admin::{AclFilter, Batch},
};

/// Make the cluster's ACLs what the policy says
///
/// What is missing is created, as the policy is the reviewed thing. Deletions happen with --prune only, and only of
/// managed principals.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl apply policies/quickstart.yaml
  kpki acl apply policies/quickstart.yaml --prune --yes
  kpki acl apply policies/quickstart.yaml --bootstrap-server localhost:9093 --command-config admin.properties")]
pub struct Apply {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: String,
    #[command(flatten)]
    deletion: Deletion,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Apply {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let read = policy::read_policy_file(&self.policy)?;
        let mut admin = self
            .connection
            .connect(ui, Some(&read.policy), &global.out)?;
        let observed = observed::of_cluster(&mut admin, &read)?;
        let plan = plan::make(&read, &observed, self.deletion);
        plan::show(ui, &plan);
        if !plan.refusals.is_empty() {
            return Err(CliError::new(
                "plan-refused",
                "the plan must not be applied as it is; nothing was changed",
            )
            .into());
        }
        if !plan.deletes.is_empty() && !self.yes {
            return Err(CliError::new(
                "confirmation-needed",
                "deletions have to be confirmed; nothing was changed",
            )
            .hint("say --yes")
            .into());
        }
        let creates: Vec<RawBinding> = plan.creates.iter().map(|b| b.as_raw().clone()).collect();
        let mut failed = Vec::new();
        let mut created = 0;
        for (binding, result) in admin.create_acls(&creates, &mut Batch::default())? {
            match result {
                Ok(()) => created += 1,
                Err(error) => failed.push((binding, error.to_string())),
            }
        }
        let mut deleted = 0;
        if failed.is_empty() {
            let filters: Vec<AclFilter> = plan.deletes.iter().map(AclFilter::from).collect();
            let results = admin.delete_acls(&filters, &mut Batch::default())?;
            for (binding, result) in plan.deletes.iter().zip(results) {
                match result {
                    Ok(_) => deleted += 1,
                    Err(error) => failed.push((binding.clone(), error.to_string())),
                }
            }
        }
        for (binding, error) in &failed {
            ui.complain(format!("{RED}failed:{RED:#} {binding}: {error}"));
        }
        ui.say(format!(
            "{GREEN}applied{GREEN:#}  {created} created, {deleted} deleted"
        ));
        let failures: Vec<_> = failed
            .iter()
            .map(|(acl, error)| json!({"acl": acl, "error": error}))
            .collect();
        ui.document(&json!({"created": created, "deleted": deleted, "failed": failures}));
        match (failed.is_empty(), created + deleted) {
            (true, _) => Ok(()),
            (false, 0) => Err(Failure::Said),
            (false, _) => Err(Failure::Partly),
        }
    }
}
