//! `kpki policy new`

use std::{
    io::{BufRead, IsTerminal},
    path::PathBuf,
};

use clap::Args;

use super::{
    super::{
        CliError, Code, Done, Failure, new_path, one_of, shell,
        ui::{BOLD, RED, Ui},
    },
    checked, deliver,
};
use crate::{
    pki::{Host, IdentityName},
    policy::{Draft, DraftClient, DraftNode, LAYOUTS, Layout, lint},
};

/// A single broker on this machine, and its names.
const BROKER: &str = "kafka1=localhost,kafka1";
const CLUSTER: &str = "kafka";
const CLIENT: &str = "app";

/// Write a first policy, with comments
///
/// On a terminal, it asks for everything that is not given as an option; otherwise, or with --yes, it uses the
/// defaults, a single broker on this machine and one client. An admin client is always added.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki policy new --out-file policy.yaml
  kpki policy new --broker k1=k1.example.com,10.0.0.11 --client app=scram-sha-512 > policy.yaml")]
pub struct New {
    /// The cluster's display name
    #[arg(long, value_name = "TEXT", value_parser = cluster_name)]
    cluster: Option<String>,
    /// A broker, with its host names and addresses, the advertised one first (may be repeated)
    #[arg(long = "broker", value_name = "NAME=HOST,…", value_parser = node)]
    brokers: Vec<DraftNode>,
    /// A dedicated controller (may be repeated); without any, the brokers are also controllers
    #[arg(long = "controller", value_name = "NAME=HOST,…", value_parser = node)]
    controllers: Vec<DraftNode>,
    /// The image or recipe that the files are for
    #[arg(long, value_name = "NAME", value_parser = one_of(LAYOUTS, |l| l.name, |l| l.about))]
    layout: Option<&'static Layout>,
    /// A client, and how it authenticates: tls (the default), scram-sha-512 or scram-sha-256 (may be repeated)
    #[arg(long = "client", value_name = "NAME=AUTH", value_parser = client)]
    clients: Vec<DraftClient>,
    /// Use the defaults without asking
    #[arg(short, long)]
    yes: bool,
    /// The file to write, instead of standard output; existing files are never overwritten
    #[arg(long, value_name = "FILE", value_parser = new_path)]
    out_file: Option<PathBuf>,
}

impl New {
    pub(super) fn run(mut self, ui: &Ui) -> Done {
        let out_file = self.out_file.take();
        let draft = self.draft(ui)?;
        let text = draft.write();
        let policy = checked(&text)?;
        for finding in lint::policy(&policy, &policy.settings()) {
            ui.warn(format!("{}; {}", finding.message, finding.hint));
        }
        deliver(ui, &text, out_file.as_deref(), &[])?;
        if let Some(file) = out_file {
            ui.note(format!(
                "{BOLD}next:{BOLD:#} add what each client may do, then: kpki up {}",
                shell::quote_path(&file)
            ));
        }
        Ok(())
    }

    /// The draft, from the options, the answers and the defaults.
    fn draft(self, ui: &Ui) -> Result<Draft, Failure> {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let questions = Questions {
            ui,
            asked: terminal && !self.yes && !ui.quiet,
        };
        let layouts: Vec<&str> = LAYOUTS.iter().map(|layout| layout.name).collect();
        let layout = |word: &str| {
            let found = LAYOUTS.iter().find(|layout| layout.name == word);
            found.ok_or_else(|| format!("{word} is not a layout"))
        };
        Ok(Draft {
            cluster: questions.one("The cluster's name", CLUSTER, self.cluster, cluster_name)?,
            brokers: questions.several(
                "Brokers, each as NAME or NAME=HOST,HOST",
                BROKER,
                self.brokers,
                node,
            )?,
            controllers: questions.several(
                "Dedicated controllers, in the same form; without any, the brokers are also controllers",
                "",
                self.controllers,
                node,
            )?,
            layout: questions.one(
                &format!("The layout of the files, one of {}", layouts.join(", ")),
                Layout::DEFAULT.name,
                self.layout,
                layout,
            )?,
            clients: questions.several(
                "Clients besides the admin, each as NAME or NAME=scram-sha-512",
                CLIENT,
                self.clients,
                client,
            )?,
        })
    }
}

/// Supplies what the options do not say.
struct Questions<'a> {
    ui: &'a Ui,
    /// Whether to ask; otherwise the defaults are used.
    asked: bool,
}

impl Questions<'_> {
    fn one<T>(
        &self,
        question: &str,
        default: &str,
        given: Option<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        match given {
            Some(given) => Ok(given),
            None => self.ask(question, default, parse),
        }
    }

    /// The answer is a list of words, separated by spaces.
    fn several<T>(
        &self,
        question: &str,
        default: &str,
        given: Vec<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Failure> {
        if !given.is_empty() {
            return Ok(given);
        }
        self.ask(question, default, |answer| {
            answer.split_whitespace().map(&parse).collect()
        })
    }

    /// Asks until the answer is valid; an empty answer is the default.
    fn ask<T>(
        &self,
        question: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        loop {
            let mut typed = String::new();
            if self.asked {
                let shown = if default.is_empty() { "none" } else { default };
                self.ui.ask(format!("{BOLD}{question}{BOLD:#} [{shown}]: "));
                let read = std::io::stdin().lock().read_line(&mut typed);
                if !read.is_ok_and(|bytes| bytes > 0) {
                    let message = "the questions were not answered; nothing was written";
                    return Err(CliError::new(Code::NotConfirmed, message)
                        .hint("kpki policy new --help lists the options that answer them")
                        .into());
                }
            }
            let answer = match typed.trim() {
                "" => default,
                typed => typed,
            };
            match parse(answer) {
                Ok(value) => return Ok(value),
                Err(why) if self.asked => self.ui.complain(format!("{RED}{why}{RED:#}")),
                // Cannot happen: the defaults are valid.
                Err(why) => return Err(CliError::new(Code::Failed, why).into()),
            }
        }
    }
}

fn cluster_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("the cluster's name must not be empty".to_owned()),
        text if text.chars().any(char::is_control) => {
            Err("the cluster's name must be a single line of text".to_owned())
        }
        text => Ok(text.to_owned()),
    }
}

/// `kafka1` or `kafka1=kafka1.example.com,10.0.0.11`
fn node(text: &str) -> Result<DraftNode, String> {
    let (name, hosts) = text.split_once('=').unwrap_or((text, ""));
    let hosts = hosts.split(',').filter(|host| !host.is_empty());
    let hosts = hosts.map(|host| host.parse::<Host>().map_err(|e| e.to_string()));
    Ok(DraftNode {
        name: name.parse::<IdentityName>().map_err(|e| e.to_string())?,
        hosts: hosts.collect::<Result<_, _>>()?,
    })
}

/// `app` or `app=scram-sha-512`
fn client(text: &str) -> Result<DraftClient, String> {
    let (name, auth) = text.split_once('=').unwrap_or((text, Draft::AUTHS[0]));
    let auth = Draft::AUTHS.iter().find(|known| **known == auth);
    let known = || {
        format!(
            "a client must authenticate with one of {}",
            Draft::AUTHS.join(", ")
        )
    };
    Ok(DraftClient {
        name: name.parse::<IdentityName>().map_err(|e| e.to_string())?,
        auth: auth.ok_or_else(known)?,
    })
}
