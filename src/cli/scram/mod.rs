//! `kpki scram`: one file per verb.

mod apply;
mod arguments;
mod derive;
mod plan;

use clap::{Args, Subcommand};

use super::{Done, Global, ui::Ui};

/// Derive SCRAM credentials, plan and apply the policy's users
#[derive(Debug, Args)]
pub struct Scram {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Derive(derive::Derive),
    Plan(plan::Plan),
    Apply(apply::Apply),
}

impl Scram {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        match self.verb {
            Verb::Derive(verb) => verb.run(ui),
            Verb::Plan(verb) => verb.run(global, ui),
            Verb::Apply(verb) => verb.run(global, ui),
        }
    }
}
