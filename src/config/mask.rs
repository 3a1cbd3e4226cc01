//! Hides secrets in the lines of a configuration file, and whatever in it is neither kpki's nor a setting.

use std::collections::{BTreeMap, HashSet};

use zeroize::Zeroizing;

/// A file's text, and who wrote it.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// kpki.
    Ours(&'a str),
    /// Somebody who may have changed any line.
    Theirs(&'a str),
}

/// Parts of a line after which its value is hidden: names of Kafka's settings of type PASSWORD, JAAS options, keys in
/// PEM, common names of passwords, and escapes, which could spell any of them.
const SECRET: [&str; 10] = [
    "pass",
    "pwd",
    "secret",
    "jaas",
    "credential",
    "token",
    "user.info",
    "key=",
    "-----begin",
    "\\u",
];

/// The minimum length of secrets that are also hidden in other lines; shorter ones would hide ordinary words.
const RECOGNISABLE: usize = 8;

/// If there are more secrets than this, they belong to a cluster's users and do not occur elsewhere in the file.
const FEW: usize = 100;

/// No word of a setting's name is longer, but lines of keys and tokens are.
const LONGEST_WORD: usize = 40;

/// Stands for a line that is not a setting: it may be a part of a value that was edited by hand, and secret.
pub(super) const NO_SETTING: &str = "a line that is not a setting";

/// The secrets found so far, with their numbers.
pub(super) struct Mask<'a> {
    secrets: BTreeMap<String, usize>,
    /// The lines that kpki wrote.
    ours: HashSet<&'a str>,
    is_yaml: bool,
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
        Self {
            secrets: BTreeMap::new(),
            ours: ours.flatten().collect(),
            is_yaml: path.ends_with(".yaml"),
        }
    }

    fn tag(&mut self, secret: &str) -> String {
        let next = self.secrets.len() + 1;
        let number = self.secrets.entry(secret.to_owned()).or_insert(next);
        format!("[secret {number}]")
    }

    /// A text with the values of its secret lines and their continuations masked.
    pub(super) fn text(&mut self, text: Text<'_>) -> Zeroizing<String> {
        let (Text::Ours(text) | Text::Theirs(text)) = text;
        let mut shown = Zeroizing::new(String::with_capacity(text.len()));
        // Lines continued with a backslash, and the content of PEM sections, are secret as well.
        let (mut continued, mut in_pem) = (false, false);
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end_matches(['\n', '\r']);
            let backslashes = line.len() - line.trim_end_matches('\\').len();
            let is_comment = line.trim_start().starts_with(['#', '!']);
            let is_ours = self.ours.contains(line);
            let secret = continued || in_pem || !is_comment && is_secret(line);
            if continued || in_pem {
                shown.push_str(&self.tag(line));
            } else if is_comment && !is_ours {
                shown.push_str("# [a comment]");
            } else if secret && (is_ours || has_name(line)) {
                self.line(line, &mut shown);
            } else if is_ours || !secret && is_setting(line, self.is_yaml) {
                shown.push_str(line);
            } else {
                shown.push_str(&format!("[{NO_SETTING}]"));
            }
            let pem = line.to_ascii_lowercase();
            in_pem = (in_pem || pem.contains("-----begin")) && !pem.contains("-----end");
            continued = secret && backslashes % 2 == 1;
            shown.push_str(&whole[line.len()..]);
        }
        shown
    }

    fn line(&mut self, line: &str, shown: &mut String) {
        // The storage tool's arguments contain much that is not secret: user, mechanism, iterations.
        if let Some((before, inner)) = line.split_once("=[")
            && let Some(inner) = inner.strip_suffix(']')
        {
            let parts: Vec<String> = inner
                .split(',')
                .map(|part| match part.split_once('=') {
                    Some((key @ ("name" | "iterations"), value)) => format!("{key}={value}"),
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

/// The names of the settings of a properties file that can be shown with their values, whoever wrote them.
pub(super) fn plain_names(text: &str) -> HashSet<&str> {
    let plain = text
        .lines()
        .filter(|line| !line.ends_with('\\') && !is_secret(line) && is_setting(line, false));
    let names = plain.map(|line| line[..name_end(line)].trim_end_matches(['=', ':']).trim());
    names.collect()
}

fn is_secret(line: &str) -> bool {
    let text = line.to_ascii_lowercase().replace(" =", "=");
    // A password in a URL is between `://` and `@`.
    let in_url = text
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('@'));
    in_url
        || text.contains("=[") && text.contains("salt")
        || SECRET.iter().any(|word| text.contains(word))
}

/// Where the name of a setting ends, with what separates it from its value.
fn name_end(line: &str) -> usize {
    let start = line.len() - line.trim_start().len();
    let rest = &line[start..];
    let end = rest.find(['=', ':']).or(rest.find([' ', '\t']));
    start + end.map_or(0, |at| at + 1)
}

/// Whether a line begins with something like the name of a setting.
fn has_name(line: &str) -> bool {
    let start = &line[..name_end(line)];
    let name = start.trim_end_matches(['=', ':']);
    let is_followed = name != start;
    let name = name.trim().trim_matches('"');
    is_dotted(name) || is_followed && is_word(name)
}

/// Whether a line of somebody else's is a setting, or the frame of one in JSON, and cannot be a piece of a password, a
/// key or a remark.
fn is_setting(line: &str, is_yaml: bool) -> bool {
    let text = line.trim();
    if text.chars().all(|c| "{}[],".contains(c)) {
        return true;
    }
    if text.contains(char::is_control) {
        return false;
    }
    if let Some(json) = text.strip_prefix('"') {
        let key = json.split_once("\": ").map(|(key, _)| key);
        return key.is_some_and(|key| is_dotted(key) || is_word(key));
    }
    let (name, value) = text.split_at(name_end(text));
    let Some(separator) = name.chars().next_back() else {
        return false;
    };
    let name = name.trim_end_matches(separator).trim_end();
    let is_lower = || !name.contains(|c: char| c.is_ascii_uppercase());
    match separator {
        _ if is_dotted(name) => true,
        // A line of base64 may end with `=`.
        '=' => is_word(name) && is_lower() && !value.trim_matches('=').is_empty(),
        ':' => is_yaml && is_word(name) && (value.is_empty() || value.starts_with(' ')),
        _ => false,
    }
}

/// Words with dots between them, which base64 has not.
pub(super) fn is_dotted(name: &str) -> bool {
    name.contains('.') && name.split('.').all(is_word)
}

fn is_word(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    (1..=LONGEST_WORD).contains(&word.len()) && word.chars().all(plain)
}
