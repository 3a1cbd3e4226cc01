//! `kpki policy`, and how every verb reads one.

mod import;
mod new;

use std::{cell::RefCell, collections::BTreeMap, path::Path};

use clap::Subcommand;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    CliError, Code, Done, Failure, fail,
    ui::{GREEN, Ui},
};
use crate::{
    document::MARK,
    plan::count,
    policy::{self, ValidatedPolicy},
    state,
};

/// A policy contains no secrets.
const POLICY_MODE: u32 = 0o644;

/// Write, import or check a policy file, or print its JSON Schema
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Check a policy and change nothing
    #[command(after_help = "Example:\n  kpki policy check policies/quickstart.yaml")]
    Check {
        /// The policy file; `-` is standard input
        #[arg(value_name = "POLICY")]
        policy: String,
    },
    /// Print the policy's JSON Schema, for editors
    #[command(after_help = "Example:\n  kpki policy schema > policies/policy.schema.json")]
    Schema,
    New(new::New),
    Import(import::Import),
}

impl Policy {
    pub(super) fn run(self, ui: &Ui) -> Done {
        match self {
            Self::Check { policy } => {
                let valid = read_policy(&policy)?;
                let counts = [
                    (valid.brokers.len(), "brokers"),
                    (valid.clients.len(), "clients"),
                    (valid.users.len(), "users"),
                    (valid.acls.len(), "acls"),
                    (valid.tests.len(), "tests"),
                ];
                let text = counts.map(|(n, what)| count(n, what.trim_end_matches('s')));
                let text = text.join(", ");
                let policy = shown(&policy);
                ui.say(format!("{GREEN}valid{GREEN:#}  {policy}: {text}"));
                let counts: BTreeMap<_, _> = counts.map(|(n, what)| (what, n)).into();
                ui.document(&serde_json::json!({"valid": true, "counts": counts}));
            }
            Self::Schema => ui.raw(&format!("{:#}\n", policy::json_schema())),
            Self::New(verb) => return verb.run(ui),
            Self::Import(verb) => return verb.run(ui),
        }
        Ok(())
    }
}

/// Parses a generated policy, so that an invalid one is never printed or written.
fn checked(text: &str) -> Result<ValidatedPolicy, Failure> {
    policy::parse("the new policy", text, &|_| Ok(Vec::new())).map_err(Failure::Policy)
}

/// Prints a generated policy to standard output, or writes it to a new file. `more` are further fields of the `--json`
/// document.
fn deliver(ui: &Ui, text: &str, file: Option<&Path>, more: &[(&str, Value)]) -> Done {
    if let Some(file) = file {
        let shown = file.display();
        if file.symlink_metadata().is_ok() {
            return fail(
                Code::FileExists,
                format!("{shown} already exists"),
                "choose another name: existing files are never overwritten",
            );
        }
        state::write_new(file, text.as_bytes(), POLICY_MODE)?;
        ui.say(format!("{GREEN}wrote{GREEN:#}  {shown}"));
    } else if !ui.json {
        ui.raw(text);
    }
    let mut document = serde_json::json!({"text": text, "file": file});
    for (key, value) in more {
        document[key] = value.clone();
    }
    ui.document(&document);
    Ok(())
}

pub struct ReadPolicy {
    pub policy: ValidatedPolicy,
    /// Hex SHA-256 of its text followed by the texts of the files that it includes.
    pub sha256: String,
}

pub struct Text {
    /// The path, or `standard input`.
    pub name: String,
    /// Without a byte order mark.
    pub text: String,
    /// Whether it began with one.
    marked: bool,
}

/// Reads and checks a policy with the files that it includes; `-` is standard input.
pub fn read_policy(path: &str) -> Result<ValidatedPolicy, Failure> {
    Ok(read_policy_file(path)?.policy)
}

/// The same, with the digest of what was read.
pub fn read_policy_file(path: &str) -> Result<ReadPolicy, Failure> {
    parse_policy(path, &read_text(path)?)
}

/// Refuses to read two inputs from standard input.
pub fn check_stdin(what: &str, paths: [Option<&str>; 2]) -> Done {
    match paths {
        [Some("-"), Some("-")] => Err(CliError::misuse(
            format!("{what} cannot both be standard input"),
            "write one of them to a file",
        )
        .into()),
        _ => Ok(()),
    }
}

/// What a file is called that is named on the command line.
pub fn shown(path: &str) -> &str {
    match path {
        "-" => "standard input",
        path => path,
    }
}

/// Reads a text file, or for `-` standard input.
pub fn read_text(path: &str) -> Result<Text, Failure> {
    let name = shown(path);
    let bytes = match path {
        "-" => state::read_stdin(),
        path => state::read_text(Path::new(path)),
    };
    let bytes = bytes.map_err(|e| {
        CliError::new(Code::PolicyUnreadable, e.to_string())
            .hint("the argument is the path of a file, or - for standard input")
    })?;
    let mut text = utf8(name, bytes)?;
    let marked = text.starts_with(MARK);
    if marked {
        text.drain(..MARK.len());
    }
    Ok(Text {
        name: name.to_owned(),
        text,
        marked,
    })
}

/// Checks a policy that was read from `path`.
pub fn parse_policy(path: &str, text: &Text) -> Result<ReadPolicy, Failure> {
    let dir = match path {
        "-" => Path::new(""),
        path => Path::new(path).parent().unwrap_or(Path::new("")),
    };
    // What `cat POLICY INCLUDED… | sha256sum` prints: each file is read once, and what is hashed is what is parsed.
    let mark = if text.marked { MARK } else { "" };
    let digest = RefCell::new(Sha256::new_with_prefix(mark).chain_update(&text.text));
    let read = RefCell::new(BTreeMap::new());
    let include = |pattern: &str| {
        let mut files = Vec::new();
        for path in state::matching(dir, pattern)? {
            let mut read = read.borrow_mut();
            let text = match read.get(&path) {
                Some(text) => String::clone(text),
                None => {
                    let text = included(dir, &path)?;
                    digest.borrow_mut().update(&text);
                    read.insert(path.clone(), text.clone());
                    text
                }
            };
            files.push((dir.join(&path).display().to_string(), text));
        }
        Ok(files)
    };
    let policy = policy::parse(&text.name, &text.text, &include)
        .map_err(|diagnostics| mistaken(text).unwrap_or(Failure::Policy(diagnostics)))?;
    let sha256 = digest.into_inner().finalize();
    Ok(ReadPolicy {
        policy,
        sha256: sha256.iter().map(|b| format!("{b:02x}")).collect(),
    })
}

/// Another of kpki's own files, given instead of a policy.
fn mistaken(text: &Text) -> Option<Failure> {
    let name = &text.name;
    let begins = |with: &str| text.text.trim_start().starts_with(with);
    let (what, hint) = if begins("{") && text.text.contains("\"policy_sha256\"") {
        ("a saved plan", format!("kpki acl apply {name} applies it"))
    } else if begins("{\"resource_type\"") {
        let hint =
            "kpki acl export --observed ACLS.jsonl --format policy converts them to a policy";
        ("ACL bindings as JSON lines", hint.to_owned())
    } else {
        return None;
    };
    let message = format!("{name} contains {what}, but a policy is needed");
    Some(CliError::misuse(message, hint).into())
}

/// The text of a file below the policy's directory.
fn included(dir: &Path, path: &Path) -> Result<String, String> {
    let bytes = state::read_below(dir, path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", dir.join(path).display()))
}

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = valid.split(|b| *b == b'\n').count();
        let message = format!("{name}, line {line}: not UTF-8");
        let error = CliError::new(Code::PolicyNotUtf8, message);
        error.hint("save the policy as UTF-8").usage().into()
    })
}
