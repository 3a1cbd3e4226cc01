//! `kpki scram`: one file per verb.

mod apply;
mod derive;
mod plan;

use clap::Subcommand;
pub use plan::desired;

use super::{Done, Global, ui::Ui};

/// Derive SCRAM credentials; plan and apply the policy's SCRAM users
#[derive(Debug, Subcommand)]
pub enum Scram {
    Derive(derive::Derive),
    Plan(plan::Plan),
    Apply(apply::Apply),
}

impl Scram {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        match self {
            Self::Derive(verb) => verb.run(ui),
            Self::Plan(verb) => verb.run(global, ui),
            Self::Apply(verb) => verb.run(global, ui),
        }
    }
}
