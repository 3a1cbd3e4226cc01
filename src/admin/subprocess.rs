//! Answers that could crash the receiving process, received in a separate one.
//!
//! librdkafka aborts the process if an answer about ACLs has more than 100,000 resources, or ACLs on a resource, and
//! keeps all their names on a thread's stack. If an answer about SCRAM users is an error and truncated, it frees memory
//! that was never allocated. A child process that does nothing else may crash without harm.

use std::{
    io::{self, Write},
    mem::ManuallyDrop,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    answers::{Listed, ScramUsers},
    ffi::Handle,
    raw::{Answered, BrokerError, Event, Pattern, Wait, code},
};
use crate::secret::Secret;

/// The internal command that a child is started with.
pub const COMMAND: &str = "receive-acls";

/// The largest answer that a child receives, in bytes: some millions of bindings.
const LARGEST: usize = 200_000_000;

/// The program that has [`COMMAND`]; if it is not set, such answers are not received.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Sets the program that has the command [`COMMAND`]; only the first call counts.
pub fn receive_with(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// The request to a child, on its standard input because it contains passwords.
#[derive(Serialize, Deserialize)]
struct Question<'a> {
    settings: Vec<(String, Zeroizing<String>)>,
    about: About<'a>,
    timeout_ms: u64,
}

/// What is requested.
#[derive(Serialize, Deserialize)]
enum About<'a> {
    /// The bindings that match.
    Acls(Pattern<'a>),
    /// These users' credentials, or everyone's.
    Scram(Vec<String>),
}

/// Describes ACLs in a child. `None`: unknown, because the child ended without an answer.
pub(super) fn describe_acls(
    settings: &[(&'static str, Secret)],
    filter: &Pattern<'_>,
    timeout: Duration,
) -> Option<Answered<Listed>> {
    let about = About::Acls(filter.clone());
    let answer = ask(PROGRAM.get()?, settings, about, timeout)?;
    // An answer of this size is not a refusal, which would be an empty list.
    let empty = matches!(&answer, Ok(Listed { bindings, .. }) if bindings.is_empty());
    (!empty).then_some(answer)
}

/// Describes SCRAM users in a child. `None`: there is no program for it.
pub(super) fn describe_scram(
    settings: &[(&'static str, Secret)],
    users: &[&str],
    timeout: Duration,
) -> Option<Answered<ScramUsers>> {
    let about = About::Scram(users.iter().map(|user| (*user).to_owned()).collect());
    let answer = ask(PROGRAM.get()?, settings, about, timeout);
    let text = "the broker's answer cannot be read".to_owned();
    Some(answer.unwrap_or_else(|| Err(BrokerError::new(code::BAD_MSG, text))))
}

/// Runs a child, which answers on its standard output. `None`: it ended without an answer.
fn ask<T: DeserializeOwned>(
    program: &Path,
    settings: &[(&'static str, Secret)],
    about: About<'_>,
    timeout: Duration,
) -> Option<Answered<T>> {
    let owned = |text: &str| Zeroizing::new(text.to_owned());
    let settings = settings.iter();
    let question = Question {
        settings: settings
            .map(|(name, value)| ((*name).to_owned(), owned(value.expose())))
            .collect(),
        about,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    };
    let mut child = Ended(
        Command::new(program)
            .arg(COMMAND)
            // Ctrl-C is handled by the parent, which stops between two requests: a child must not end because of it,
            // which would look like an answer that is too large.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // If librdkafka aborts, its message goes there.
            .stderr(Stdio::null())
            .spawn()
            .ok()?,
    );
    let mut stdin = child.0.stdin.take()?;
    // Allocated with more than the final size, so that growing leaves no copy in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 16));
    serde_json::to_writer(&mut *text, &question).ok()?;
    stdin.write_all(&text).ok()?;
    drop(stdin);
    serde_json::from_reader(io::BufReader::new(child.0.stdout.take()?)).ok()
}

/// A child that does not outlive the request.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child's side: one question, one answer. False if it could not be answered at all.
pub fn serve() -> bool {
    let Some(question) = read() else {
        return false;
    };
    let largest = LARGEST.to_string();
    let settings: Vec<(&str, &str)> = question
        .settings
        .iter()
        .map(|(name, value)| match name.as_str() {
            "receive.message.max.bytes" => (name.as_str(), largest.as_str()),
            name => (name, value.as_str()),
        })
        .collect();
    // The parent has a client with these settings, so only memory for large stacks can be missing, which smaller
    // answers do not need.
    let Ok(handle) = Handle::new(&settings, LARGEST) else {
        return false;
    };
    // The process is about to exit, and an answer that came too late must not be freed.
    let handle = ManuallyDrop::new(handle);
    let timeout = Duration::from_millis(question.timeout_ms);
    let mut too_large = false;
    let watch = &mut |event: Event| {
        too_large |= event.is_too_large_an_answer();
        !too_large
    };
    let wait = Wait { timeout, watch };
    match &question.about {
        About::Acls(filter) => {
            let answer = handle.describe_acls(filter, wait);
            !too_large && tell(&answer)
        }
        About::Scram(users) => {
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            let answer = handle.describe_scram(&users, wait);
            !too_large && tell(&answer)
        }
    }
}

fn tell<T: Serialize>(answer: &Answered<T>) -> bool {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut stdout, answer).is_ok() && stdout.flush().is_ok()
}

/// The parent's complete input, wiped after use.
fn read() -> Option<Question<'static>> {
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 16));
    io::Read::read_to_end(&mut io::stdin().lock(), &mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
