//! Hides secrets in the lines of a configuration file, and whatever in it is neither kpki's nor a setting.

use std::collections::{BTreeMap, HashSet};

use zeroize::Zeroizing;

use super::{
    foreign::{self, Line},
    known::{is_name, is_plain, is_plain_in_document, is_secret},
};
use crate::scram::Mechanism;

/// A file's text, and who wrote it.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// kpki.
    Ours(&'a str),
    /// Somebody who may have changed any line.
    Theirs(&'a str),
}

/// The minimum length of secrets that are also hidden in other lines; shorter ones would hide ordinary words.
const RECOGNISABLE: usize = 8;

/// If there are more secrets than this, they belong to a cluster's users and do not occur elsewhere in the file.
const FEW: usize = 100;

/// Stands for a line that is not a setting: it may be a part of a value that was edited by hand, and secret.
pub(super) const NO_SETTING: &str = "a line that is not a setting";

/// Stands for what others wrote and is not known to be harmless.
const HIDDEN: &str = "[hidden]";

/// The secrets found so far, with their numbers.
pub(super) struct Mask<'a> {
    secrets: BTreeMap<String, usize>,
    /// The lines that kpki wrote.
    ours: HashSet<&'a str>,
    /// What stands in front of their values.
    names: HashSet<&'a str>,
    format: Format,
}

#[derive(PartialEq)]
enum Format {
    Properties,
    Yaml,
    Json,
}

impl Drop for Mask<'_> {
    fn drop(&mut self) {
        std::mem::take(&mut self.secrets)
            .into_keys()
            .for_each(|secret| drop(Zeroizing::new(secret)));
    }
}

impl<'a> Mask<'a> {
    pub(super) fn new(path: &str, old: Text<'a>, new: Text<'a>) -> Self {
        let ours = [old, new].into_iter().filter_map(|text| match text {
            Text::Ours(text) => Some(text.lines()),
            Text::Theirs(_) => None,
        });
        let ours: HashSet<&str> = ours.flatten().collect();
        Self {
            secrets: BTreeMap::new(),
            names: ours.iter().filter_map(|line| name(line)).collect(),
            ours,
            format: match path.rsplit_once('.') {
                Some((_, "yaml")) => Format::Yaml,
                Some((_, "json")) => Format::Json,
                _ => Format::Properties,
            },
        }
    }

    fn tag(&mut self, secret: &str) -> String {
        let next = self.secrets.len() + 1;
        let number = self.secrets.entry(secret.to_owned()).or_insert(next);
        format!("[secret {number}]")
    }

    /// A text with its secrets masked, and, if it is somebody else's, everything that is not known to be harmless.
    pub(super) fn text(&mut self, text: Text<'_>) -> Zeroizing<String> {
        let (Text::Ours(all) | Text::Theirs(all)) = text;
        let mut shown = Zeroizing::new(String::with_capacity(all.len()));
        match text {
            Text::Ours(text) => self.our_text(text, &mut shown),
            Text::Theirs(text) if self.format == Format::Properties => {
                self.their_properties(text, &mut shown);
            }
            Text::Theirs(text) => self.their_document(text, &mut shown),
        }
        shown
    }

    fn our_text(&mut self, text: &str, shown: &mut String) {
        // Lines continued with a backslash, and the content of PEM sections, are secret as well.
        let (mut continued, mut in_pem) = (false, false);
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end_matches(['\n', '\r']);
            let backslashes = line.len() - line.trim_end_matches('\\').len();
            let is_comment = line.trim_start().starts_with(['#', '!']);
            let secret = continued || in_pem || !is_comment && is_secret(line);
            if continued || in_pem {
                shown.push_str(&self.tag(line));
            } else if is_comment {
                shown.push_str(line);
            } else {
                self.our_line(line, shown);
            }
            let pem = line.to_ascii_lowercase();
            in_pem = (in_pem || pem.contains("-----begin")) && !pem.contains("-----end");
            continued = secret && backslashes % 2 == 1;
            shown.push_str(&whole[line.len()..]);
        }
    }

    fn our_line(&mut self, line: &str, shown: &mut String) {
        match is_secret(line) {
            true => self.line(line, shown),
            false => shown.push_str(line),
        }
    }

    /// Names that look like settings, and the values of known ones.
    fn their_properties(&mut self, text: &str, shown: &mut String) {
        for (line, end, kind) in foreign::lines(text) {
            let is_ours = self.ours.contains(line);
            match kind {
                Line::Blank => shown.push_str(line),
                Line::Comment if is_ours => shown.push_str(line),
                Line::Comment => shown.push_str("# [a comment]"),
                Line::Piece => shown.push_str(HIDDEN),
                Line::Setting { value: Some(_), .. } | Line::Other if is_ours => {
                    self.our_line(line, shown);
                }
                Line::Setting { name, start, value } if is_name(name) || self.is_our_name(name) => {
                    match value {
                        Some(_) if is_secret(&format!("{name}=")) || is_scram(line) => {
                            self.line(line, shown);
                        }
                        Some(value) if is_plain(name, &value) => shown.push_str(line),
                        _ => shown.push_str(&format!("{start}{HIDDEN}")),
                    }
                }
                Line::Setting { .. } if is_scram(line) => self.line(line, shown),
                Line::Setting { .. } | Line::Other => shown.push_str(&format!("[{NO_SETTING}]")),
            }
            shown.push_str(end);
        }
    }

    fn is_our_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Of YAML and JSON, the names that kpki itself writes at the same place, and the values of known ones.
    fn their_document(&mut self, text: &str, shown: &mut String) {
        let is_json = self.format == Format::Json;
        // Deeper lines belong to what is hidden; after a text over several lines, any may.
        let (mut hidden_below, mut hides_all) = (None, false);
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end_matches(['\n', '\r']);
            let content = line.trim_start_matches(' ');
            let indent = line.len() - content.len();
            hides_all |= line.contains(char::is_control);
            if hides_all || hidden_below.is_some_and(|above| indent > above) {
                shown.push_str(HIDDEN);
            } else if !content.is_empty() {
                let is_ours = self.ours.contains(line);
                let opens = match content {
                    "{" => is_json && shown.is_empty(),
                    _ => is_ours && line.ends_with([':', '{', '[']),
                };
                hidden_below = (!opens).then_some(indent);
                hides_all = !is_ours && !is_json && is_unfinished(value(line));
                let is_frame = is_json && content.chars().all(|c| "{}[],".contains(c));
                if is_frame || is_ours && content.starts_with('#') {
                    shown.push_str(line);
                } else if is_ours {
                    self.our_line(line, shown);
                } else if content.starts_with('#') {
                    shown.push_str("# [a comment]");
                } else {
                    self.their_entry(line, shown);
                }
            }
            shown.push_str(&whole[line.len()..]);
        }
    }

    fn their_entry(&mut self, line: &str, shown: &mut String) {
        let Some(start) = name(line).filter(|name| self.is_our_name(name)) else {
            return shown.push_str(HIDDEN);
        };
        let key = start.trim().trim_matches('"');
        if is_secret(&format!("{key}=")) {
            self.line(line, shown);
        } else if scalar(value(line)).is_some_and(|value| is_plain_in_document(key, &value)) {
            shown.push_str(line);
        } else {
            shown.push_str(&format!("{start}: {HIDDEN}"));
        }
    }

    fn line(&mut self, line: &str, shown: &mut String) {
        // The storage tool's arguments contain much that is not secret: user, mechanism, iterations.
        if is_scram(line)
            && let Some((before, inner)) = line.split_once("=[")
            && let Some(inner) = inner.strip_suffix(']')
        {
            let is_number = |text: &str| text.parse::<u32>().is_ok();
            let parts: Vec<String> = inner
                .split(',')
                .enumerate()
                .map(|(at, part)| match part.split_once('=') {
                    Some(("name", value)) if at == 0 => format!("name={value}"),
                    Some(("iterations", value)) if is_number(value) => {
                        format!("iterations={value}")
                    }
                    Some((key @ ("salt" | "saltedpassword" | "password"), value)) => {
                        format!("{key}={}", self.tag(value))
                    }
                    _ => self.tag(part),
                })
                .collect();
            shown.push_str(&format!("{before}=[{}]", parts.join(",")));
            return;
        }
        // JSON: the key, the comma and the quotes stay.
        if let Some((key, value)) = line.split_once("\": ")
            && key.trim_start().starts_with('"')
        {
            let (value, comma) = match value.strip_suffix(',') {
                Some(value) => (value, ","),
                None => (value, ""),
            };
            let shown_value = match value {
                "null" | "true" | "false" | "{" | "[" | "{}" | "[]" => value.to_owned(),
                _ => format!("\"{}\"", self.tag(value.trim_matches('"'))),
            };
            shown.push_str(&format!("{key}\": {shown_value}{comma}"));
            return;
        }
        let (key, value) = line.split_at(name_end(line));
        let quoted = value.trim().trim_matches('"');
        shown.push_str(key);
        if value.starts_with(' ') {
            shown.push(' ');
        }
        shown.push_str(&self.tag(quoted));
    }

    /// Masks known secrets in other places too.
    pub(super) fn everywhere(&self, text: &str) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(text.to_owned());
        for (secret, number) in self.secrets.iter().filter(|_| self.secrets.len() <= FEW) {
            if secret.len() >= RECOGNISABLE && shown.contains(secret.as_str()) {
                shown =
                    Zeroizing::new(shown.replace(secret.as_str(), &format!("[secret {number}]")));
            }
        }
        shown
    }
}

/// Where the name of a setting ends, with what separates it from its value.
fn name_end(line: &str) -> usize {
    let start = line.len() - line.trim_start().len();
    let rest = &line[start..];
    let end = rest.find(['=', ':']).or(rest.find([' ', '\t']));
    start + end.map_or(0, |at| at + 1)
}

/// What stands in front of a value, without the separator.
fn name(line: &str) -> Option<&str> {
    let start = &line[..name_end(line)];
    let end = start.char_indices().next_back();
    end.map(|(end, _)| &start[..end])
        .filter(|name| !name.trim().is_empty())
}

/// What follows a name.
fn value(line: &str) -> &str {
    line[name_end(line)..].trim()
}

/// A value of YAML or JSON that is a single plain or quoted word.
fn scalar(value: &str) -> Option<String> {
    let value = value.strip_suffix(',').unwrap_or(value);
    let is_word = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    match value.starts_with('"') {
        true => serde_json::from_str(value).ok(),
        false => value.chars().all(is_word).then(|| value.to_owned()),
    }
}

/// Whether a value of YAML begins with a quote or bracket that its last character does not close.
fn is_unfinished(value: &str) -> bool {
    let mut all = value.chars();
    let closing = match all.next() {
        Some(quote @ ('"' | '\'')) => quote,
        Some('[') => ']',
        Some('{') => '}',
        _ => return false,
    };
    all.next_back() != Some(closing)
}

/// Whether a line is a user for the storage tool.
fn is_scram(line: &str) -> bool {
    let is_of = |mechanism: &Mechanism| {
        line.strip_prefix(mechanism.name())
            .is_some_and(|rest| rest.starts_with("=["))
    };
    line.ends_with(']') && Mechanism::ALL.iter().any(is_of)
}

#[cfg(test)]
mod tests;
