//! `kpki bundle`

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};

use super::{
    CliError, Code, Done, Global,
    guard::secure_identities,
    init_ca::{take_lock, tidy},
    ui::Ui,
};
use crate::{
    bootstrap::{archive, bundle::Bundle},
    pki::IdentityName,
    state::OutDir,
};

/// Pack an identity's files into an archive for their machine
///
/// The archive is written to standard output. It contains the files that kpki wrote, with their modes, and with the
/// owner given by `owner:` or --owner, else root. The same files give the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki bundle kafka1 | ssh kafka1 tar -x -C /etc/kafka/secrets
  kpki bundle kafka1 | ssh kafka1 sudo -u kafka tar -x -C /etc/kafka/secrets
  kpki bundle alice --archive zip > alice.zip")]
pub struct Bundling {
    /// The identity
    #[arg(value_name = "NAME")]
    name: IdentityName,
    /// The archive format
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Archive::Tar)]
    archive: Archive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Archive {
    /// A tar archive
    Tar,
    /// A zip archive
    Zip,
}

impl Bundling {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let usage = match self.archive {
            Archive::Tar => format!("kpki bundle {0} | ssh {0} tar -x -C DIRECTORY", self.name),
            Archive::Zip => format!("kpki bundle {0} --archive zip > {0}.zip", self.name),
        };
        if global.json {
            let why = "an archive is not a JSON document: leave out --json";
            return Err(CliError::misuse(why, usage).into());
        }
        if io::stdout().is_terminal() {
            let why = "an archive with keys would go to the terminal";
            return Err(CliError::misuse(why, usage).into());
        }
        let out = OutDir::new(&global.out);
        tidy(&out, ui)?;
        secure_identities(&out, std::slice::from_ref(&self.name), ui)?;
        let lock = take_lock(&out, ui)?;
        let bundle = Bundle::read(&out, &lock, &self.name)?;
        // The reader may be slow.
        drop(lock);
        for (path, what) in &bundle.remarks {
            ui.warn(format!("{} {what}", path.display()));
        }
        let Bundle {
            files, owner, time, ..
        } = bundle;
        let packed = match self.archive {
            Archive::Tar => archive::tar(&files, owner, time),
            Archive::Zip => archive::zip(&files, owner, time),
        };
        let packed = packed.map_err(|error| {
            CliError::new(Code::Failed, format!("the archive cannot be made: {error}"))
        })?;
        ui.bytes(&packed);
        Ok(())
    }
}
