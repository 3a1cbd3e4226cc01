//! `kpki acl`: one file per verb.

mod apply;
mod bindings;
mod decider;
mod expand;
mod explain;
mod export;
mod lint;
mod plan;
mod pruned;
mod saved;
mod suggest;
mod test;

use clap::Subcommand;

use super::{CliError, Code, Done, Failure, Global, fail, policy::ReadPolicy, ui, ui::Ui};
use crate::plan::count;

/// Check, test, plan and apply the ACLs of a policy
#[derive(Debug, Subcommand)]
pub enum Acl {
    Lint(lint::Lint),
    Test(test::Test),
    Expand(expand::Expand),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Explain(Box<explain::Explain>),
    Export(export::Export),
}

impl Acl {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        match self {
            Self::Lint(verb) => verb.run(ui),
            Self::Test(verb) => verb.run(global, ui),
            Self::Expand(verb) => verb.run(ui),
            Self::Plan(verb) => verb.run(global, ui),
            Self::Apply(verb) => verb.run(global, ui),
            Self::Explain(verb) => verb.run(global, ui),
            Self::Export(verb) => verb.run(global, ui),
        }
    }
}
