//! Answers about ACLs that are too large for this process, received in one of their own.
//!
//! librdkafka ends the process where an answer has more than 100,000 resources, or ACLs on a resource, and keeps the
//! names of all of them on a thread's stack. A child that does nothing else may end; nothing is lost with it.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    ffi::Handle,
    raw::{AnyBinding, BrokerError, Pattern},
};
use crate::secret::Secret;

/// The name of the command that a child is started with, which is not for people.
pub const COMMAND: &str = "receive-acls";

/// The largest answer that a child receives, in bytes: some millions of bindings.
const LARGEST: usize = 200_000_000;

/// The program that has [`COMMAND`]; where none is set, such answers are not received.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says which program has the command [`COMMAND`]; the first word counts.
pub fn receive_with(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// What a child is asked, on its standard input: there are passwords in it.
#[derive(Deserialize)]
struct Question {
    settings: Vec<(String, Zeroizing<String>)>,
    filter: Filter,
    timeout_ms: u64,
}

/// The same, as it is written.
#[derive(Serialize)]
struct Asked<'a> {
    settings: &'a [(&'a str, &'a str)],
    filter: Filter,
    timeout_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Filter {
    codes: [i32; 4],
    name: Option<String>,
    principal: Option<String>,
    host: Option<String>,
}

/// What it answers, on its standard output.
#[derive(Serialize, Deserialize)]
enum Answer {
    /// The bindings.
    Bindings(Vec<AnyBinding>),
    /// Code and text.
    Error(i32, String),
}

impl From<&Pattern<'_>> for Filter {
    fn from(pattern: &Pattern<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            codes: [
                pattern.resource_type,
                pattern.pattern_type,
                pattern.operation,
                pattern.permission,
            ],
            name: owned(pattern.name),
            principal: owned(pattern.principal),
            host: owned(pattern.host),
        }
    }
}

impl Filter {
    fn pattern(&self) -> Pattern<'_> {
        let [resource_type, pattern_type, operation, permission] = self.codes;
        Pattern {
            resource_type,
            pattern_type,
            name: self.name.as_deref(),
            principal: self.principal.as_deref(),
            host: self.host.as_deref(),
            operation,
            permission,
        }
    }
}

/// Describes ACLs in a child. `None`: there is no telling, as the child ended without an answer.
pub(super) fn describe_acls(
    settings: &[(&'static str, Secret)],
    filter: &Pattern<'_>,
    timeout: Duration,
) -> Option<Result<Vec<AnyBinding>, BrokerError>> {
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.expose()))
        .collect();
    let question = Asked {
        settings: &settings,
        filter: filter.into(),
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    };
    let mut child = Ended(
        Command::new(PROGRAM.get()?)
            .arg(COMMAND)
            // Ctrl-C is the parent's to hear, which stops between two requests: a child that it ends is no large answer.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Where librdkafka ends it, it says so there.
            .stderr(Stdio::null())
            .spawn()
            .ok()?,
    );
    let mut stdin = child.0.stdin.take()?;
    // Of more than the final size, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 16));
    serde_json::to_writer(&mut *text, &question).ok()?;
    stdin.write_all(&text).ok()?;
    drop(stdin);
    let answer = serde_json::from_reader(io::BufReader::new(child.0.stdout.take()?)).ok()?;
    Some(match answer {
        // An answer of this size is no refusal, which would be an empty list.
        Answer::Bindings(bindings) if bindings.is_empty() => return None,
        Answer::Bindings(bindings) => Ok(bindings),
        Answer::Error(code, text) => Err(BrokerError::new(code, text)),
    })
}

/// A child that does not outlive the question.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child's side: one question, one answer. False if it could not be answered at all.
pub fn serve() -> bool {
    // No file may keep the passwords if it is ended.
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    let question: Question = match read() {
        Some(question) => question,
        None => return false,
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
    // The parent has a client with these settings: what is missing here is the room for such stacks, and smaller answers
    // need none.
    let Ok(handle) = Handle::new(&settings, LARGEST) else {
        return false;
    };
    let timeout = Duration::from_millis(question.timeout_ms);
    let mut too_large = false;
    let answer = handle.describe_acls(&question.filter.pattern(), timeout, &mut |event| {
        too_large |= event.is_too_large_an_answer();
        !too_large
    });
    if too_large {
        return false;
    }
    let answer = match answer {
        Ok(bindings) => Answer::Bindings(bindings),
        Err(error) => Answer::Error(error.code, error.text),
    };
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut stdout, &answer).is_ok() && stdout.flush().is_ok()
}

/// Everything that the parent writes, wiped after it is read.
fn read() -> Option<Question> {
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 16));
    io::Read::read_to_end(&mut io::stdin().lock(), &mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
