//! `kpki completions`, and the answers to a shell's completion requests.

use std::{
    collections::BTreeSet,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Arg, Args, Command, CommandFactory, builder::PossibleValuesParser};
use clap_complete::{
    CompleteEnv, CompletionCandidate,
    engine::{ArgValueCompleter, PathCompleter, ValueCompleter},
    env::Shells,
};
use serde_json::json;

use super::{Cli, CliError, Code, Done, ui::Ui};
use crate::{
    acl::Operation,
    bootstrap::context::Danger,
    pki::KeyAlgorithm,
    scram::Mechanism,
    state::{Inventory, OutDir, Record},
};

/// The environment variable that names the requesting shell.
const ASKED_BY: &str = "KPKI_COMPLETE";

/// Print a completion script for a shell
///
/// The script calls kpki itself to complete commands, options and their values, the identities in the output directory
/// and policy files. It belongs to this version of kpki; load it when the shell starts, as in the examples.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(kpki completions bash)     in ~/.bashrc
  source <(kpki completions zsh)      in ~/.zshrc, after compinit
  kpki completions fish | source      in ~/.config/fish/config.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = PossibleValuesParser::new(Shells::builtins().names()))]
    shell: String,
}

impl Completions {
    pub(super) fn run(self, ui: &Ui) -> Done {
        let mut script = Vec::new();
        if let Some(shell) = Shells::builtins().completer(&self.shell) {
            let written = shell.write_registration(ASKED_BY, "kpki", "kpki", "kpki", &mut script);
            written.map_err(|e| CliError::new(Code::Failed, format!("no script: {e}")))?;
        }
        let text = String::from_utf8_lossy(&script);
        match ui.json {
            true => ui.document(&json!({"shell": self.shell, "text": text})),
            false => ui.raw(&text),
        }
        Ok(())
    }
}

/// Answers a shell's completion request; `None`: there is none.
pub fn answer(command: &Command) -> Option<ExitCode> {
    let here = env::current_dir().ok();
    let answer = CompleteEnv::with_factory(|| completable(command.clone())).var(ASKED_BY);
    match answer.try_complete(env::args_os(), here.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        // Errors are not visible during completion.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// The command with what completes its values: their names in the help say what they are.
fn completable(command: Command) -> Command {
    let verb = command.get_name().to_owned();
    command
        .mut_args(|arg| match Offer::of(&verb, &arg) {
            Some(offer) => arg.add(ArgValueCompleter::new(offer)),
            None => arg,
        })
        .mut_subcommands(completable)
}

/// Which identities.
#[derive(Debug, Clone, Copy)]
enum Identities {
    /// Those with a directory.
    All,
    /// Those whose keys and certificates are here.
    Renewable,
    /// Those with a certificate, wherever they are.
    Certified,
}

impl Identities {
    fn names(self, out: &OutDir) -> BTreeSet<String> {
        let there = out.identities().unwrap_or_default();
        let there = there.iter().map(ToString::to_string).collect();
        // An inventory that cannot be read is reported by the command.
        match (self, Inventory::read(out)) {
            (Self::All, _) => there,
            (_, Err(_)) => BTreeSet::new(),
            (Self::Renewable | Self::Certified, Ok(signed)) => {
                let is_here = |r: &&Record| !r.external && there.contains(&r.name);
                let is_meant = |r: &&Record| matches!(self, Self::Certified) || is_here(r);
                let meant = signed.current().filter(is_meant);
                meant.map(|record| record.name.clone()).collect()
            }
        }
    }
}

/// What a value may be.
#[derive(Debug, Default)]
struct Offer {
    identities: Option<Identities>,
    commands: bool,
    /// Words that the program knows without looking.
    words: Vec<&'static str>,
    /// Files that end so.
    endings: Vec<String>,
}

impl Offer {
    /// By the name of its value, such as `POLICY|PLAN`, and by the command that takes it.
    fn of(verb: &str, arg: &Arg) -> Option<Offer> {
        if !arg.get_possible_values().is_empty() {
            return None;
        }
        let mut offer = Offer::default();
        for name in arg.get_value_names()?.first()?.split('|') {
            match name {
                "NAME" | "USER" => {
                    offer.identities = Some(match verb {
                        "renew" => Identities::Renewable,
                        "revoke" => Identities::Certified,
                        _ => Identities::All,
                    });
                }
                "COMMAND" => offer.commands = true,
                "ALG" => offer.words.extend(KeyAlgorithm::NAMES),
                "PROFILE" => offer.words.extend(["default", "legacy"]),
                "CHANGE" => offer.words.extend(Danger::ALL.map(Danger::word)),
                "OPERATION" => offer.words.extend(Operation::NAMES),
                "MECHANISM" => offer.words.extend(Mechanism::ALL.map(Mechanism::name)),
                "POLICY" => offer.endings.extend(["yaml".to_owned(), "yml".to_owned()]),
                "PLAN" => offer.endings.push("plan".to_owned()),
                // REQUEST.csr
                name => offer
                    .endings
                    .extend(name.rsplit_once('.').map(|(_, end)| end.to_owned())),
            }
        }
        let Offer {
            identities,
            commands,
            words,
            endings,
        } = &offer;
        let any = identities.is_some() || *commands || !words.is_empty() || !endings.is_empty();
        any.then_some(offer)
    }
}

impl ValueCompleter for Offer {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let mut names: Vec<String> = self.words.iter().map(ToString::to_string).collect();
        if let Some(identities) = self.identities {
            let out = out(env::args_os(), env::var_os("KPKI_OUT"));
            names.extend(identities.names(&OutDir::new(&out)));
        }
        if self.commands {
            names.extend(commands(env::args_os()));
        }
        let begun = current.to_string_lossy();
        let begun = names.into_iter().filter(|name| name.starts_with(&*begun));
        let mut found: Vec<CompletionCandidate> = begun.map(CompletionCandidate::new).collect();
        if !self.endings.is_empty() {
            let endings = self.endings.clone();
            let ends = move |path: &Path| {
                let end = path.extension();
                endings
                    .iter()
                    .any(|ending| end.is_some_and(|end| end == ending.as_str()))
            };
            found.extend(PathCompleter::any().filter(ends).complete(current));
        }
        found
    }
}

/// The commands below the one that an unfinished line for `kpki man` names.
fn commands(words: impl Iterator<Item = OsString>) -> Vec<String> {
    let words = words.skip_while(|word| word != "man").skip(1);
    let mut words: Vec<OsString> = words.collect();
    words.pop();
    let kpki = Cli::command();
    let named = words.iter().fold(&kpki, |command, word| {
        command.find_subcommand(word).unwrap_or(command)
    });
    let below = named.get_subcommands().filter(|c| !c.is_hide_set());
    below.map(|c| c.get_name().to_owned()).collect()
}

/// The output directory of an unfinished command line.
fn out(words: impl Iterator<Item = OsString>, variable: Option<OsString>) -> PathBuf {
    let mut words = words.skip_while(|word| word != "--").skip(1);
    let mut out = None;
    while let Some(word) = words.next() {
        if word == "--out" {
            out = words.next();
        } else if let Some(dir) = word.to_str().and_then(|word| word.strip_prefix("--out=")) {
            out = Some(dir.into());
        }
    }
    let variable = variable.filter(|dir| !dir.is_empty());
    out.or(variable).unwrap_or_else(|| "out".into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_directory_is_that_of_the_line_that_is_typed() {
        let of = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            out(words, Some("variable".into())).display().to_string()
        };
        assert_eq!(of("kpki -- kpki renew ka"), "variable");
        assert_eq!(of("kpki -- kpki --out there renew ka"), "there");
        assert_eq!(of("kpki -- kpki renew --out=there ka"), "there");
        assert_eq!(of("kpki -- kpki renew ka --out"), "variable");
        assert_eq!(out(std::iter::empty(), None), Path::new("out"));
    }

    #[test]
    fn the_pages_are_those_of_the_commands() {
        let of = |line: &str| commands(line.split(' ').map(OsString::from));
        assert!(of("kpki -- kpki man ").contains(&"acl".to_owned()));
        assert!(of("kpki -- kpki man ac").contains(&"acl".to_owned()));
        assert!(of("kpki -- kpki man acl ").contains(&"apply".to_owned()));
        assert!(!of("kpki -- kpki man acl ").contains(&"acl".to_owned()));
        assert!(of("kpki -- kpki man up ").is_empty());
    }
}
