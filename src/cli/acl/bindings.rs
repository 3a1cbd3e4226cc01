//! Bindings to look at: those of a policy, or of an export.

use clap::Args;

use super::{
    super::policy::{self, Text},
    CliError, Code, Failure, ReadPolicy,
};
use crate::{
    acl::{Interner, KafkaVersion, RawBinding, Settings, super_users},
    document::Source,
};

/// Broker settings that a policy contains and an export does not.
#[derive(Debug, Args)]
pub struct Brokers {
    /// The brokers' super.users, separated by `;`, in addition to those of the policy
    #[arg(long, value_name = "USERS")]
    pub super_users: Option<String>,
    /// The brokers have allow.everyone.if.no.acl.found=true
    #[arg(long)]
    pub allow_everyone: bool,
    /// The brokers' Kafka version, such as 4.3 [default: the policy's, else the newest release]
    #[arg(long, value_name = "VERSION")]
    pub kafka_version: Option<KafkaVersion>,
}

pub enum Bindings {
    Policy(Box<ReadPolicy>),
    Export(Exported),
}

/// Bindings of a cluster, one per line.
pub struct Exported {
    /// The file's name.
    pub name: std::sync::Arc<str>,
    pub bindings: Vec<RawBinding>,
    /// The line of each.
    pub lines: Vec<u32>,
}

impl Exported {
    /// Where a binding is defined.
    pub fn source(&self, at: usize) -> Source {
        Source {
            file: self.name.clone(),
            line: self.lines.get(at).map_or(0, |line| *line as usize),
            column: 1,
        }
    }
}

/// Reads a policy or an export, distinguished by extension, else by content; `-` is standard input.
pub fn read(path: &str) -> Result<Bindings, Failure> {
    let text = policy::read_text(path)?;
    Ok(match is_export(path, &text.text) {
        true => Bindings::Export(parse_export(&text)?),
        false => Bindings::Policy(Box::new(policy::parse_policy(path, &text)?)),
    })
}

pub fn read_export(path: &str) -> Result<Exported, Failure> {
    parse_export(&policy::read_text(path)?)
}

fn is_export(path: &str, text: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let ends = |with: &[&str]| with.iter().any(|end| lower.ends_with(end));
    if ends(&[".jsonl", ".ndjson", ".json"]) {
        return true;
    }
    if ends(&[".yaml", ".yml"]) {
        return false;
    }
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| {
        let value = serde_json::from_str::<serde_json::Value>(line);
        value.is_ok_and(|value| value.get("resource_type").is_some())
    })
}

fn parse_export(text: &Text) -> Result<Exported, Failure> {
    let mut interner = Interner::default();
    let (mut bindings, mut lines) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let mut binding: RawBinding = serde_json::from_str(line).map_err(|e| {
            CliError::new(
                Code::ExportMalformed,
                format!("{}:{number}: not an ACL binding: {}", text.name, plain(&e)),
            )
            .hint(r#"each line is like {"resource_type":"TOPIC","pattern_type":"LITERAL","name":"orders","principal":"User:a","host":"*","operation":"READ","permission":"ALLOW"}, as kpki acl expand POLICY --json prints them"#)
            .usage()
        })?;
        interner.share_texts(&mut binding);
        bindings.push(binding);
        lines.push(number);
    }
    Ok(Exported {
        name: text.name.as_str().into(),
        bindings,
        lines,
    })
}

/// What is wrong with one line of JSON, in our own words.
pub fn plain(error: &serde_json::Error) -> String {
    if !error.is_data() {
        return format!("it is not JSON from column {} on", error.column());
    }
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(what, _)| what);
    let rest = |start: &str| text.strip_prefix(start);
    if let Some(key) = rest("missing field ") {
        return format!("{key} is missing");
    }
    if let Some(key) = rest("duplicate field ") {
        return format!("{key} is given twice");
    }
    if let Some((key, known)) = rest("unknown field ").and_then(|r| r.split_once(", expected ")) {
        return format!(
            "unknown key {key}; expected one of {}",
            known.trim_start_matches("one of ")
        );
    }
    if let Some((found, wanted)) = rest("invalid type: ").and_then(|r| r.split_once(", expected "))
    {
        let wanted = match wanted.starts_with("struct ") {
            true => "an object {…}",
            false => wanted,
        };
        return format!("found {found} where {wanted} is expected");
    }
    text.to_owned()
}

impl Brokers {
    /// The settings of the brokers: a policy's, and those given here.
    pub fn settings(&self, policy: Option<&ReadPolicy>) -> Result<Settings, Failure> {
        let mut settings = policy.map_or_else(Settings::default, |read| read.policy.settings());
        if let Some(text) = &self.super_users {
            let hint = "write it as in server.properties: --super-users 'User:kafka1;User:admin'";
            let given = super_users(text).map_err(|e| {
                let error = CliError::new(Code::BadSuperUsers, format!("--super-users: {e}"));
                error.hint(hint).usage()
            })?;
            settings.super_users.extend(given);
        }
        settings.allow_everyone_if_no_acl_found |= self.allow_everyone;
        settings.version = self.kafka_version.unwrap_or(settings.version);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Request;

    #[test]
    fn what_is_wrong_with_a_line_is_said_without_the_librarys_words() {
        let said = |line: &str| plain(&serde_json::from_str::<Request>(line).unwrap_err());
        assert_eq!(said("nonsense"), "it is not JSON from column 2 on");
        assert_eq!(said("{\"principal\":"), "it is not JSON from column 13 on");
        assert_eq!(said("{}"), "`principal` is missing");
        assert_eq!(
            said("{\"principal\":3}"),
            "found integer `3` where a string is expected"
        );
        assert_eq!(
            said("3"),
            "found integer `3` where an object {…} is expected"
        );
    }
}
