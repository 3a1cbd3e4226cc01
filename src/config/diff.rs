//! Compares two versions of a file: a unified diff without secrets, and the settings that differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use zeroize::Zeroizing;

use super::Properties;

/// Parts of a line after which its value is hidden: names of Kafka's settings of type PASSWORD, JAAS options, keys in
/// PEM, and escapes, which could spell any of them.
const SECRET: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "jaas",
    "credential",
    "token",
    "user.info",
    ".key=",
    "-----begin",
    "\\u",
];

/// The minimum length of secrets that are also hidden in other lines; shorter ones would hide ordinary words.
const RECOGNISABLE: usize = 8;

/// If there are more secrets than this, they belong to a cluster's users and do not occur elsewhere in the file.
const FEW: usize = 100;

/// Enough for two versions of ten thousand lines without a common line, which takes seconds. Larger comparisons are
/// refused, because the owner of a directory may have put anything there.
const MOST_EFFORT: usize = 400_000_000;

/// A unified diff. Each secret is replaced with `[secret N]`, equal secrets with the same number, so that it shows
/// whether one changes, but never what it is.
pub fn masked_diff(path: &str, old: &str, new: &str) -> String {
    let mut mask = Mask::default();
    let (old, new) = (mask.text(old), mask.text(new));
    let (old, new) = (mask.everywhere(&old), mask.everywhere(&new));
    let (were, are) = (old.lines().count(), new.lines().count());
    if effort(&old, &new) > MOST_EFFORT {
        return format!("too much to show: {were} lines compared with {are}\n");
    }
    let diff = similar::TextDiff::from_lines(&*old, &*new);
    let mut unified = diff.unified_diff();
    unified
        .context_radius(2)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .missing_newline_hint(false)
        .to_string()
}

/// The approximate number of steps to compare two versions: their lines, times the lines that only one has.
fn effort(old: &str, new: &str) -> usize {
    let mut balance: HashMap<&str, isize> = HashMap::new();
    let mut lines = 0;
    for (text, sign) in [(old, -1), (new, 1)] {
        for line in text.lines() {
            *balance.entry(line).or_default() += sign;
            lines += 1;
        }
    }
    let single: usize = balance.values().map(|n| n.unsigned_abs()).sum();
    single.saturating_mul(lines)
}

/// The lines `key=value` that someone added to a file, without secrets.
pub fn added_settings(old: &[u8], new: &[u8]) -> Vec<(String, String)> {
    let (Ok(old), Ok(new)) = (Properties::parse(old), Properties::parse(new)) else {
        return Vec::new();
    };
    new.iter()
        .filter(|(key, value)| old.get(key).is_none() && !is_secret(&format!("{key}={value}")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The settings that differ between two versions of a file: Java properties or, by its name, JSON; `None` if one cannot
/// be read.
pub fn changed_settings(file: &str, old: &[u8], new: &[u8]) -> Option<Vec<String>> {
    if file.ends_with(".json") {
        return changed_keys(old, new);
    }
    if file.ends_with(".yaml") {
        return None;
    }
    let (old, new) = (Properties::parse(old).ok()?, Properties::parse(new).ok()?);
    let mut changed: Vec<String> = new
        .iter()
        .filter(|(key, value)| !old.get(key).is_some_and(|old| is_same(key, old, value)))
        .map(|(key, _)| key.to_owned())
        .collect();
    let gone = old.iter().filter(|(key, _)| new.get(key).is_none());
    changed.extend(gone.map(|(key, _)| match is_setting(key) {
        true => key.to_owned(),
        false => OTHER.to_owned(),
    }));
    changed.sort();
    changed.dedup();
    Some(changed)
}

/// Stands for a line that is no setting: it may be a part of a value that was edited by hand, and secret.
const OTHER: &str = "a line that is not a setting";

/// Whether it looks like the name of a setting: words with dots between them, which base64 has not.
fn is_setting(key: &str) -> bool {
    let is_word = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        !word.is_empty() && word.chars().all(plain)
    };
    key.contains('.') && key.split('.').all(is_word)
}

/// The top-level keys that differ between two JSON objects.
fn changed_keys(old: &[u8], new: &[u8]) -> Option<Vec<String>> {
    let keys = |text| serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(text).ok();
    let (old, new) = (keys(old)?, keys(new)?);
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = all.into_iter().filter(|key| old.get(*key) != new.get(*key));
    Some(changed.cloned().collect())
}

/// True if two values are equivalent: the order of node lists follows the policy and has no meaning.
fn is_same(key: &str, old: &str, new: &str) -> bool {
    let between = match key {
        "super.users" => ';',
        "controller.quorum.voters" => ',',
        _ => return old == new,
    };
    let all = |list: &str| -> BTreeSet<String> { list.split(between).map(str::to_owned).collect() };
    all(old) == all(new)
}

/// The secrets found so far, with their numbers.
#[derive(Default)]
struct Mask(BTreeMap<String, usize>);

impl Drop for Mask {
    fn drop(&mut self) {
        std::mem::take(&mut self.0)
            .into_keys()
            .for_each(|secret| drop(Zeroizing::new(secret)));
    }
}

impl Mask {
    fn tag(&mut self, secret: &str) -> String {
        let next = self.0.len() + 1;
        let number = self.0.entry(secret.to_owned()).or_insert(next);
        format!("[secret {number}]")
    }

    /// A text with the values of its secret lines and their continuations masked.
    fn text(&mut self, text: &str) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(text.len()));
        // Lines continued with a backslash, and the content of PEM sections, are secret as well.
        let (mut continued, mut in_pem) = (false, false);
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end_matches(['\n', '\r']);
            let backslashes = line.len() - line.trim_end_matches('\\').len();
            let secret = continued || in_pem || is_secret(line);
            if continued || in_pem {
                shown.push_str(&self.tag(line));
            } else if secret {
                self.line(line, &mut shown);
            } else {
                shown.push_str(line);
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
                    Some((key, value)) => format!("{key}={}", self.tag(value)),
                    None => self.tag(part),
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
        let skipped = line.len() - line.trim_start_matches(['#', '!', ' ', '\t']).len();
        let (start, rest) = line.split_at(skipped);
        let end = rest.find(['=', ':']).map(|at| at + 1);
        let end = end.or(rest.find([' ', '\t']).map(|at| at + 1)).unwrap_or(0);
        let (key, value) = rest.split_at(end);
        let quoted = value.trim().trim_matches('"');
        shown.push_str(start);
        shown.push_str(key);
        if value.starts_with(' ') {
            shown.push(' ');
        }
        shown.push_str(&self.tag(quoted));
    }

    /// Masks known secrets in other places too.
    fn everywhere(&self, text: &str) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(text.to_owned());
        for (secret, number) in self.0.iter().filter(|_| self.0.len() <= FEW) {
            if secret.len() >= RECOGNISABLE && shown.contains(secret.as_str()) {
                shown =
                    Zeroizing::new(shown.replace(secret.as_str(), &format!("[secret {number}]")));
            }
        }
        shown
    }
}

fn is_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let text = line.trim_start();
    // kpki's own comments are sentences; a commented-out setting contains `=`, or begins with a setting's name.
    if let Some(comment) = text.strip_prefix(['#', '!']) {
        let first = comment.split_whitespace().next().unwrap_or_default();
        if !text.contains('=') && !is_setting(first.trim_end_matches(':')) {
            return false;
        }
    }
    let text = text.replace(" =", "=");
    text.contains("=[") && text.contains("salt") || SECRET.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_numbered_and_never_shown() {
        let old = "# SASL: users log in by name and password.\nnode.id=1\nssl.key.password=hunter2hunter2\nssl.keystore.password=hunter2hunter2\nx=a\n";
        let new = "# SASL: users log in by name and password.\nnode.id=1\nssl.key.password=correct horse\nssl.keystore.password=hunter2hunter2\nx=hunter2hunter2\n";
        insta::assert_snapshot!(masked_diff("f", old, new), @"
        --- a/f
        +++ b/f
        @@ -1,5 +1,5 @@
         # SASL: users log in by name and password.
         node.id=1
        -ssl.key.password=[secret 1]
        +ssl.key.password=[secret 2]
         ssl.keystore.password=[secret 1]
        -x=a
        +x=[secret 1]
        ");
    }

    #[test]
    fn every_form_of_a_secret_is_masked() {
        for line in [
            "#sasl.password: hunter2",
            "!sasl.password hunter2",
            "      # ssl.key.password: hunter2",
            "sasl.jaas.config=x required username=\"a\" password=\"hunter2\";",
            "#ssl.key.password = hunter2",
            "ssl.key.password hunter2",
            "ssl.key.password: hunter2",
            "ssl.key.p\\u0061ssword=hunter2",
            "      trust-store-password: \"hunter2\"",
            "ssl.keystore.key=hunter2",
            "ssl.keystore.key = \\\n hunter2",
            "x=-----BEGIN PRIVATE KEY----- \\\n hunter2 \\\n hunter2",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
            "SCRAM-SHA-512=[name=a,iterations=8192,salt=\"hunter2\",saltedpassword=\"hunter2\"]",
            "sasl.password=hunter2",
            "confluent.basic.auth.user.info=a:hunter2",
        ] {
            let diff = masked_diff("f", "", line);
            assert!(
                diff.contains("[secret 1]") && !diff.contains("hunter2"),
                "{diff}"
            );
        }
        let diff = masked_diff(
            "f",
            "",
            "SCRAM-SHA-512=[name=a,iterations=8192,salt=\"x\",saltedpassword=\"y\"]",
        );
        assert!(
            diff.contains("[name=a,iterations=8192,salt=[secret 1],"),
            "{diff}"
        );
    }

    #[test]
    fn what_would_take_minutes_to_compare_is_not_compared() {
        let many = |key: &str, n| -> String { (0..n).map(|i| format!("{key}{i}=1\n")).collect() };
        assert_eq!(
            masked_diff("f", &many("a", 50), &many("b", 100_000)),
            "too much to show: 50 lines compared with 100000\n"
        );
        // If they have most lines in common.
        let diff = masked_diff("f", &many("a", 100_000), &many("a", 100_002));
        assert!(diff.ends_with("+a100001=1\n"), "{diff}");
    }

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(masked_diff("f", "a=b\n", "a=b\n"), "");
    }

    #[test]
    fn settings_are_told_from_comments() {
        let old = b"# one\na=1\nb.x=2\n";
        let changed_settings = |old, new| changed_settings("f", old, new);
        assert_eq!(changed_settings(old, b"#two\nb.x = 2\na=1\n"), Some(vec![]));
        assert_eq!(
            changed_settings(b"super.users=User:a;User:b", b"super.users=User:b;User:a"),
            Some(vec![])
        );
        assert_eq!(
            changed_settings(old, b"a=1\nc=3\n"),
            Some(vec!["b.x".into(), "c".into()])
        );
        // Lines of a key that was pasted in are no names to show.
        assert_eq!(
            changed_settings(b"a=1\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n", b"a=1\n"),
            Some(vec![OTHER.into()])
        );
        assert_eq!(
            added_settings(old, b"a=5\nc=3\nx.password=4\n"),
            [("c".to_owned(), "3".to_owned())]
        );
    }

    #[test]
    fn json_stays_json_without_its_secrets() {
        let old =
            "{\n  \"user\": \"app\",\n  \"password\": \"hunter2hunter2\",\n  \"key\": null\n}\n";
        let new = old.replace("hunter2hunter2", "correct \\\"horse");
        assert_eq!(
            changed_settings("f.json", old.as_bytes(), new.as_bytes()),
            Some(vec!["password".to_owned()])
        );
        insta::assert_snapshot!(masked_diff("f.json", old, &new), @r#"
        --- a/f.json
        +++ b/f.json
        @@ -1,5 +1,5 @@
         {
           "user": "app",
        -  "password": "[secret 1]",
        +  "password": "[secret 2]",
           "key": null
         }
        "#);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_password_shows(before in "\\PC{0,60}", after in "\\PC{0,60}") {
            let text = format!("{before}\nssl.key.password=xyzzyxyzzy\n{after}");
            prop_assert!(!masked_diff("f", &before, &text).contains("xyzzyxyzzy"));
            prop_assert!(!masked_diff("f", &text, &after).contains("xyzzyxyzzy"));
        }
    }
}
