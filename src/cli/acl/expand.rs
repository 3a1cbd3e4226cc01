//! `kpki acl expand`

use clap::Args;

use super::{
    super::{
        Done,
        policy::read_policy,
        table::{Column::*, table as draw},
        ui::json_line,
    },
    count,
    ui::{BOLD, DIM, Ui},
};
use crate::{
    plan::Right,
    policy::{PolicyBinding, ValidatedPolicy},
};

/// Print every ACL binding that a policy expands to, without a cluster
///
/// Grouped by principal, each binding with the line of the policy that it comes from. With --json, one binding per
/// line, in the format of `acl export --format jsonl`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl expand policies/quickstart.yaml
  kpki acl expand policies/quickstart.yaml --json > acls.jsonl")]
pub struct Expand {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: String,
}

impl Expand {
    pub(super) fn run(self, ui: &Ui) -> Done {
        let policy = read_policy(&self.policy)?;
        if ui.json {
            let lines = policy
                .bindings
                .iter()
                .map(|said| json_line(&said.binding) + "\n");
            ui.raw(&lines.collect::<String>());
        } else {
            table(ui, &policy);
        }
        Ok(())
    }
}

fn table(ui: &Ui, policy: &ValidatedPolicy) {
    let mut all: Vec<&PolicyBinding> = policy.bindings.iter().collect();
    // A stable sort: each principal keeps the policy's order.
    all.sort_by(|a, b| a.binding.principal.cmp(&b.binding.principal));
    let mut principals = 0;
    for group in all.chunk_by(|a, b| a.binding.principal == b.binding.principal) {
        principals += 1;
        ui.answer(format!("{BOLD}{}{BOLD:#}", group[0].binding.principal));
        let rows = group.iter().map(|said| {
            let right = Right(&said.binding).to_string();
            [right, format!("{DIM}{}{DIM:#}", said.source)]
        });
        ui.answer(draw(ui, [Whole(""), Spare("")], rows.collect()));
    }
    if all.is_empty() {
        ui.note("the policy grants nothing: no client has `roles`, and there are no `acls`");
    } else {
        ui.note(format!(
            "{} for {}",
            count(all.len(), "binding"),
            count(principals, "principal")
        ));
    }
}
