//! The command line: one file per verb, and the only place that talks to a person.

mod acl;
mod backup;
mod brought;
mod bundle;
mod ca;
mod cluster;
mod code;
mod completions;
mod crl;
mod doctor;
mod error;
mod guard;
mod init_ca;
mod inspect;
mod issue;
mod journal;
mod list;
mod man;
mod new_store;
mod passphrase;
mod place;
mod planned;
mod policy;
mod principal;
mod reload;
mod renew;
mod report;
mod revoke;
mod rotate_ca;
mod scram;
mod shell;
mod sign;
mod status;
mod store;
mod store_file;
mod table;
mod tip;
mod token;
mod trust;
mod ui;
mod up;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{
    Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use crate::admin::subprocess;
pub use code::Code;
use error::{CliError, Failure, completed, fail, verdict};
use ui::Ui;

/// PKI and security bootstrap for Apache Kafka.
///
/// A private CA, certificates and stores per broker and client, their configuration, SCRAM users and ACLs:
/// everything a self-managed cluster needs to be encrypted, authenticated and authorised, from one reviewed
/// YAML policy.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true, after_help = FIRST_STEPS)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  kpki up policies/quickstart.yaml     a whole cluster's security, from nothing
  kpki init-ca && kpki issue kafka1    the same by hand: a CA, then one identity

Exit codes: 0 done, 1 failed, 2 usage or invalid policy, 3 the answer is no, 4 partly applied.";

/// The output directory's variable.
const OUT_VARIABLE: &str = "KPKI_OUT";

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// The output directory
    #[arg(
        long,
        env = OUT_VARIABLE,
        default_value = "out",
        value_name = "DIR",
        value_parser = utf8_path, global = true
    )]
    out: PathBuf,
    /// File with the CA passphrase [else: KPKI_CA_PASSPHRASE_FILE, KPKI_CA_PASSPHRASE, or asked]
    #[arg(long, value_name = "FILE", global = true)]
    ca_passphrase_file: Option<PathBuf>,
    /// Print one JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Print only errors and warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more details
    #[arg(short, long, global = true)]
    verbose: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: ColorChoice,
}

#[derive(Debug, Subcommand)]
enum Command {
    InitCa(init_ca::InitCa),
    #[command(subcommand)]
    Ca(ca::Ca),
    Issue(issue::Issue),
    Up(up::Up),
    Renew(renew::Renew),
    #[command(subcommand)]
    RotateCa(rotate_ca::RotateCa),
    Reload(reload::Reload),
    Status(status::Status),
    Verify(verify::Verify),
    Inspect(inspect::Inspect),
    Revoke(revoke::Revoke),
    Crl(crl::Crl),
    List(list::List),
    Sign(sign::Sign),
    Bundle(bundle::Bundling),
    Report(report::Report),
    Log(journal::Log),
    Backup(backup::Make),
    Restore(backup::Restore),
    Doctor(doctor::Examination),
    #[command(subcommand)]
    Scram(scram::Scram),
    #[command(subcommand)]
    Policy(policy::Policy),
    #[command(subcommand)]
    Acl(acl::Acl),
    Principal(principal::Principal),
    #[command(subcommand)]
    Store(store::Store),
    #[command(subcommand)]
    Trust(trust::Trust),
    Completions(completions::Completions),
    Man(man::Manual),
    /// A helper process used by kpki itself
    #[command(name = subprocess::COMMAND, hide = true)]
    ReceiveAcls,
}

/// Makes a crash leave no core file, which would have passphrases and keys in it; the processes that kpki starts inherit
/// the limit. On Linux, nor may another process of the user read its memory, and no handler of core dumps gets it.
fn leave_no_core() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit cannot be refused.
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// An empty KPKI_OUT means as much as none, as in Compose files that set variables without a value; clap would take it
/// for a value, even beside an explicit `--out`.
fn without_empty(command: clap::Command) -> clap::Command {
    match std::env::var_os(OUT_VARIABLE).is_some_and(|dir| dir.is_empty()) {
        true => command.mut_arg("out", |out| out.env(None::<&str>)),
        false => command,
    }
}

/// Parses the command line, runs it and reports errors.
pub fn main() -> ExitCode {
    leave_no_core();
    let command = without_empty(Cli::command().color(ui::colour_choice()));
    if let Some(exit) = completions::answer(&command) {
        return exit;
    }
    let parsed = command.clone().try_get_matches();
    let parsed = parsed.and_then(|matches| {
        let words = journal::words(&command, &matches);
        Ok((Cli::from_arg_matches(&matches)?, words))
    });
    let (cli, words) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return error::usage(error, &command),
    };
    let ui = Ui::new(&cli.global);
    if let Ok(program) = std::env::current_exe() {
        subprocess::receive_with(program);
    }
    let done = match cli.command {
        Command::InitCa(verb) => verb.run(&cli.global, &ui),
        Command::Ca(verb) => verb.run(&cli.global, &ui),
        Command::Issue(verb) => verb.run(&cli.global, &ui),
        Command::Up(verb) => verb.run(&cli.global, &ui),
        Command::Renew(verb) => verb.run(&cli.global, &ui),
        Command::RotateCa(verb) => verb.run(&cli.global, &ui),
        Command::Reload(verb) => verb.run(&cli.global, &ui),
        Command::Status(verb) => verb.run(&cli.global, &ui),
        Command::Verify(verb) => verb.run(&cli.global, &ui),
        Command::Inspect(verb) => verb.run(&cli.global, &ui),
        Command::Revoke(verb) => verb.run(&cli.global, &ui),
        Command::Crl(verb) => verb.run(&cli.global, &ui),
        Command::List(verb) => verb.run(&cli.global, &ui),
        Command::Sign(verb) => verb.run(&cli.global, &ui),
        Command::Bundle(verb) => verb.run(&cli.global, &ui),
        Command::Report(verb) => verb.run(&cli.global, &ui),
        Command::Log(verb) => verb.run(&cli.global, &ui),
        Command::Backup(verb) => verb.run(&cli.global, &ui),
        Command::Restore(verb) => verb.run(&cli.global, &ui),
        Command::Doctor(verb) => verb.run(&cli.global, &ui),
        Command::Scram(verb) => verb.run(&cli.global, &ui),
        Command::Policy(verb) => verb.run(&ui),
        Command::Acl(verb) => verb.run(&cli.global, &ui),
        Command::Principal(verb) => verb.run(&cli.global, &ui),
        Command::Store(verb) => verb.run(&ui),
        Command::Trust(verb) => verb.run(&ui),
        Command::Completions(verb) => verb.run(&ui),
        Command::Man(verb) => verb.run(&ui),
        Command::ReceiveAcls => match subprocess::serve() {
            true => Ok(()),
            false => Err(Failure::AlreadyReported),
        },
    };
    journal::keep(&cli.global, words, &done, &ui);
    let exit = match done {
        Ok(()) => ExitCode::SUCCESS,
        // The output is part of the work, so a failure to write it counts.
        Err(Failure::No) => Failure::No.report(&ui),
        Err(error) => return error.report(&ui),
    };
    match ui.unwritten() {
        None => exit,
        Some(error) => error::unwritable(&error),
    }
}

/// A path that is valid UTF-8, because configuration files and JSON contain it.
fn utf8_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a path must not be empty or contain control characters".to_owned());
    }
    Ok(text.into())
}

/// The path of a file to write. `-` is no such path: elsewhere it is standard input, and a file of that name is hardly
/// wanted.
fn new_path(text: &str) -> Result<PathBuf, String> {
    match text {
        "-" => Err(
            "it is not standard output here: give a file's path, `./-` for a file of that name"
                .to_owned(),
        ),
        text => utf8_path(text),
    }
}

/// A whole number within bounds, with the same message as in a policy.
fn whole_number<const MIN: u32, const MAX: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|n| (MIN..=MAX).contains(n));
    number.ok_or_else(|| match MAX {
        u32::MAX => format!("it must be a whole number of at least {MIN}"),
        _ => format!("it must be a whole number from {MIN} to {MAX}"),
    })
}

/// One of a table's entries by its name; help and errors list them all.
fn one_of<T: Sync>(
    table: &'static [T],
    name: fn(&T) -> &'static str,
    about: fn(&T) -> &'static str,
) -> impl TypedValueParser<Value = &'static T> {
    let values = table
        .iter()
        .map(|entry| PossibleValue::new(name(entry)).help(about(entry)));
    PossibleValuesParser::new(values).try_map(move |text| {
        table
            .iter()
            .find(|entry| name(entry) == text)
            .ok_or("not in the table")
    })
}

/// The result of a verb.
type Done = Result<(), Failure>;
