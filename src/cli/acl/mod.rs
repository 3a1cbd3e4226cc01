//! `kpki acl`: one file per verb.

mod apply;
mod bindings;
mod by_hand;
pub mod confirm;
mod decider;
mod delete_filters;
mod execute;
mod expand;
mod explain;
mod export;
mod held;
mod lint;
mod observed;
mod plan;
mod prune;
mod pruned;
mod saved;
mod suggest;
mod test;

use clap::{Args, Subcommand};

use super::{CliError, Code, Done, Failure, Global, policy::ReadPolicy, ui, ui::Ui};

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

/// "1 binding", "2 bindings".
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// A number on the command line.
pub fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| "a whole number is needed, such as 50".to_owned())
}
