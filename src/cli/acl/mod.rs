//! `kpki acl`: one file per verb.

mod apply;
mod bindings;
pub mod confirm;
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

use clap::{Args, Subcommand};

use super::{CliError, Code, Done, Failure, Global, policy::ReadPolicy, ui, ui::Ui};
use crate::plan::count;

/// Check, try out, plan and apply what the policy says about access
#[derive(Debug, Args)]
pub struct Acl {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
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
        match self.verb {
            Verb::Lint(verb) => verb.run(ui),
            Verb::Test(verb) => verb.run(global, ui),
            Verb::Expand(verb) => verb.run(ui),
            Verb::Plan(verb) => verb.run(global, ui),
            Verb::Apply(verb) => verb.run(global, ui),
            Verb::Explain(verb) => verb.run(global, ui),
            Verb::Export(verb) => verb.run(global, ui),
        }
    }
}

/// A number on the command line.
pub fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| "a whole number is needed, such as 50".to_owned())
}
