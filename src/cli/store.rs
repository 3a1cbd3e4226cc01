//! `kpki store`: one file per verb.

mod convert;
mod inspect;

use clap::Subcommand;

use super::{Done, ui::Ui};

/// Inspect and convert keystores and truststores
#[derive(Debug, Subcommand)]
pub enum Store {
    Inspect(inspect::Inspect),
    Convert(convert::Convert),
}

impl Store {
    pub(super) fn run(self, ui: &Ui) -> Done {
        match self {
            Self::Inspect(verb) => verb.run(ui),
            Self::Convert(verb) => verb.run(ui),
        }
    }
}
