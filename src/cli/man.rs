//! `kpki man`

use std::{io, path::PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use serde_json::json;

use super::{Cli, CliError, Code, Done, ui::Ui, utf8_path};
use crate::{plan::count, state};

/// Readable by everyone.
const PAGE_MODE: u32 = 0o644;

/// Print a manual page, or write the pages of all commands
///
/// The page of kpki itself, or of the given command. With --dir, the pages of all commands are written to a directory,
/// and replace those of other versions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki man | man -l -
  kpki man acl apply | man -l -
  sudo kpki man --dir /usr/local/share/man/man1")]
pub struct Manual {
    /// The command, such as `acl apply`
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write the pages of all commands to this directory, which is created if it is missing
    #[arg(long, value_name = "DIR", value_parser = utf8_path)]
    dir: Option<PathBuf>,
}

impl Manual {
    pub(super) fn run(self, ui: &Ui) -> Done {
        let mut kpki = Cli::command().disable_help_subcommand(true);
        kpki.build();
        let Some(dir) = &self.dir else {
            let text = page(named(&kpki, &self.command)?)?;
            match ui.json {
                true => ui.document(&json!({"text": text})),
                false => ui.raw(&text),
            }
            return Ok(());
        };
        state::create_dir(dir)?;
        let mut files = Vec::new();
        for command in all(&kpki) {
            let name = command.get_display_name().unwrap_or(command.get_name());
            let path = dir.join(format!("{name}.1"));
            state::write_atomic(&path, page(command)?.as_bytes(), PAGE_MODE, None)?;
            files.push(path);
        }
        let pages = count(files.len(), "page");
        ui.say(format!("wrote {pages} to {}", dir.display()));
        ui.document(&json!({"files": files}));
        Ok(())
    }
}

/// The subcommand of that name.
fn named<'c>(kpki: &'c Command, words: &[String]) -> Result<&'c Command, CliError> {
    words.iter().try_fold(kpki, |command, word| {
        let found = command.find_subcommand(word).filter(|c| !c.is_hide_set());
        found.ok_or_else(|| {
            let message = format!("kpki has no command {}", words.join(" "));
            CliError::misuse(message, "kpki --help lists the commands")
        })
    })
}

/// The command and all below it.
fn all(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().filter(|c| !c.is_hide_set());
    std::iter::once(command)
        .chain(below.flat_map(all))
        .collect()
}

fn page(command: &Command) -> Result<String, CliError> {
    let mut page = Vec::new();
    write(command, &mut page).map_err(|e| CliError::new(Code::Failed, format!("no page: {e}")))?;
    Ok(escaped(&String::from_utf8_lossy(&page)))
}

/// Non-ASCII characters as roff escapes, which do not depend on the file's encoding.
fn escaped(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for c in page.chars() {
        match c.is_ascii() {
            true => text.push(c),
            false => text.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    text
}

fn write(command: &Command, to: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone())
        .source(concat!("kpki ", env!("CARGO_PKG_VERSION")))
        .manual("kpki");
    man.render_title(to)?;
    man.render_name_section(to)?;
    synopsis(command).to_writer(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if command.has_subcommands() {
        man.render_subcommands_section(to)?;
    }
    if let Some(text) = command.get_after_help() {
        examples(&text.to_string()).to_writer(to)?;
    }
    Ok(())
}

/// The command line with every option and the names of the values, which clap_mangen leaves out.
fn synopsis(command: &Command) -> Roff {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut line = vec![bold(name)];
    let shown = || command.get_arguments().filter(|a| !a.is_hide_set());
    for option in shown().filter(|a| !a.is_positional()) {
        line.push(roman(match option.is_required_set() {
            true => format!(" {option}"),
            false => format!(" [{option}]"),
        }));
    }
    for positional in shown().filter(|a| a.is_positional()) {
        line.push(roman(format!(" {positional}")));
    }
    if command.has_subcommands() {
        line.push(roman(" <COMMAND>"));
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text(line);
    roff
}

/// What follows the options: a line that ends with a colon heads the indented lines below it, which stay as they are.
fn examples(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut verbatim = false;
    roff.control("SH", ["NOTES"]);
    for line in text.lines() {
        if line.starts_with("  ") != verbatim {
            verbatim = !verbatim;
            roff.control(if verbatim { "nf" } else { "fi" }, []);
        }
        match line.trim().is_empty() {
            true => roff.control("PP", []),
            false => roff.text([roman(line)]),
        };
    }
    if verbatim {
        roff.control("fi", []);
    }
    roff
}
