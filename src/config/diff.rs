//! Compares two versions of a file: a unified diff without secrets, and the settings that differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Properties, foreign,
    known::{is_dotted, is_plain},
    mask::{Mask, NO_SETTING, Text},
};

/// Enough for two versions of ten thousand lines without a common line, which takes seconds. Larger comparisons are
/// refused, because the owner of a directory may have put anything there.
const MOST_EFFORT: usize = 400_000_000;

/// A unified diff. Each secret is replaced with `[secret N]`, equal secrets with the same number, so that it shows
/// whether one changes, but never what it is. Of what others wrote, comments and lines that are no settings are hidden.
pub fn masked_diff(path: &str, old: Text<'_>, new: Text<'_>) -> String {
    let mut mask = Mask::new(path, old, new);
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

/// The settings that someone added to a file, if their values are known not to be secret.
pub fn added_settings(old: &[u8], new: &[u8]) -> Vec<(String, String)> {
    let (Ok(old), Ok(new)) = (Properties::parse(old), Properties::parse(new)) else {
        return Vec::new();
    };
    new.iter()
        .filter(|(key, value)| old.get(key).is_none() && is_plain(key, value))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The settings that differ between two versions of a file: Java properties or, by its name, JSON; `None` if one cannot
/// be read. Of an old file that is not kpki's, only what looks like a name is shown.
pub fn changed_settings(
    file: &str,
    old: &[u8],
    new: &[u8],
    old_is_ours: bool,
) -> Option<Vec<String>> {
    if file.ends_with(".json") {
        return changed_keys(old, new);
    }
    if file.ends_with(".yaml") {
        return None;
    }
    let text = String::from_utf8_lossy(old);
    let names = foreign::names(&text);
    let (old, new) = (Properties::parse(old).ok()?, Properties::parse(new).ok()?);
    let mut changed: Vec<String> = new
        .iter()
        .filter(|(key, value)| !old.get(key).is_some_and(|old| is_same(key, old, value)))
        .map(|(key, _)| key.to_owned())
        .collect();
    let gone = old.iter().filter(|(key, _)| new.get(key).is_none());
    changed.extend(gone.map(|(key, _)| {
        match names.contains(key) || old_is_ours && is_dotted(key) {
            true => key.to_owned(),
            false => NO_SETTING.to_owned(),
        }
    }));
    changed.sort();
    changed.dedup();
    Some(changed)
}

/// The top-level keys that differ between two JSON objects, as far as the new one has them.
fn changed_keys(old: &[u8], new: &[u8]) -> Option<Vec<String>> {
    let keys = |text| serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(text).ok();
    let (old, new) = (keys(old)?, keys(new)?);
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = all.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let mut shown: Vec<String> = changed
        .map(|key| match new.contains_key(key) {
            true => key.clone(),
            false => NO_SETTING.to_owned(),
        })
        .collect();
    shown.sort();
    shown.dedup();
    Some(shown)
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

#[cfg(test)]
mod tests {
    use super::{
        Text::{Ours, Theirs},
        *,
    };
    use proptest::prelude::*;

    #[test]
    fn secrets_are_numbered_and_never_shown() {
        let old = "# SASL: users log in by name and password.\nnode.id=1\nssl.key.password=hunter2hunter2\nssl.keystore.password=hunter2hunter2\nx=a\n";
        let new = "# SASL: users log in by name and password.\nnode.id=1\nssl.key.password=correct horse\nssl.keystore.password=hunter2hunter2\nx=hunter2hunter2\n";
        insta::assert_snapshot!(masked_diff("f", Ours(old), Theirs(new)), @"
        --- a/f
        +++ b/f
        @@ -1,5 +1,5 @@
         # SASL: users log in by name and password.
         node.id=1
        -ssl.key.password=[secret 1]
        +ssl.key.password=[secret 2]
         ssl.keystore.password=[secret 1]
        -x=a
        +x=[hidden]
        ");
    }

    #[test]
    fn every_form_of_a_secret_is_masked() {
        for line in [
            "sasl.jaas.config=x required username=\"a\" password=\"hunter2\";",
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
            for new in [Ours(line), Theirs(line)] {
                let diff = masked_diff("f", Ours(""), new);
                assert!(!diff.contains("hunter2"), "{diff}");
                let is_ours = matches!(new, Ours(_));
                assert!(!is_ours || diff.contains("[secret 1]"), "{diff}");
            }
        }
        let line = "SCRAM-SHA-512=[name=a,iterations=8192,salt=\"x\",saltedpassword=\"y\"]";
        let diff = masked_diff("f", Ours(""), Theirs(line));
        assert!(
            diff.contains("[name=a,iterations=8192,salt=[secret 1],"),
            "{diff}"
        );
    }

    #[test]
    fn of_what_others_wrote_only_settings_are_shown() {
        let ours = "# TLS, as kpki says: key=value\nnode.id=1\n";
        for line in [
            "#old X hunter2",
            "# ssl.keystore.password=hunter2",
            "  ! sasl.password hunter2",
            "      # ssl.key.password: hunter2",
            "# node.id=hunter2",
            "hunter2",
            "hunter2 is the password",
            "the old one: hunter2",
            "admin:hunter2",
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBGhunter2==",
            "Hunter2x=",
            "http.proxy=http://me:hunter2@proxy:8080",
            "my.pwd=hunter2",
            "node.id=1\r#hunter2",
            "\"hunter2\",",
        ] {
            let theirs = format!("{ours}{line}\n");
            for (diff, kept) in [
                (
                    masked_diff("f", Ours(ours), Theirs(&theirs)),
                    "kpki says: key=value",
                ),
                (masked_diff("f", Theirs(&theirs), Ours(ours)), " node.id=1"),
            ] {
                assert!(!diff.to_lowercase().contains("hunter2"), "{diff}");
                assert!(diff.contains(kept), "{diff}");
            }
            let yaml = masked_diff("f.yaml", Ours(ours), Theirs(&theirs));
            assert!(!yaml.to_lowercase().contains("hunter2"), "{yaml}");
        }
        for (file, line) in [
            ("f", "acks=all"),
            ("f", "listener.name.in.ssl.client.auth = none"),
            ("f", "log.dirs: /srv/kafka,/srv/more"),
            ("f", "kafka.log.retention.hours=72"),
            ("f", "my.own.header=[hidden]"),
            ("f.json", "],"),
        ] {
            let diff = masked_diff(file, Ours(ours), Theirs(&format!("{ours}{line}\n")));
            assert!(diff.contains(&format!("\n+{line}\n")), "{diff}");
        }
        let said = added_settings(
            b"",
            b"acks=all\nhunter2\nABchunter2=\nadmin:hunter2\nx.y=hunter2\n",
        );
        assert_eq!(said, [("acks".to_owned(), "all".to_owned())]);
    }

    #[test]
    fn what_would_take_minutes_to_compare_is_not_compared() {
        let many = |key: &str, n| -> String { (0..n).map(|i| format!("{key}{i}=1\n")).collect() };
        assert_eq!(
            masked_diff("f", Ours(&many("a", 50)), Theirs(&many("b", 100_000))),
            "too much to show: 50 lines compared with 100000\n"
        );
        // If they have most lines in common.
        let diff = masked_diff("f", Ours(&many("a", 100_000)), Theirs(&many("a", 100_002)));
        assert!(
            diff.ends_with("+[a line that is not a setting]\n"),
            "{diff}"
        );
    }

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(masked_diff("f", Theirs("a=b\n"), Ours("a=b\n")), "");
    }

    #[test]
    fn settings_are_told_from_comments() {
        let old = b"# one\na=1\nb.x=2\n";
        let changed_settings = |old, new| changed_settings("f", old, new, true);
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
            Some(vec![NO_SETTING.into()])
        );
        assert_eq!(
            added_settings(old, b"a=5\nretries=3\nx.password=4\n"),
            [("retries".to_owned(), "3".to_owned())]
        );
    }

    #[test]
    fn json_stays_json_without_its_secrets() {
        let old =
            "{\n  \"user\": \"app\",\n  \"password\": \"hunter2hunter2\",\n  \"key\": null\n}\n";
        let new = old.replace("hunter2hunter2", "correct \\\"horse");
        assert_eq!(
            changed_settings("f.json", old.as_bytes(), new.as_bytes(), true),
            Some(vec!["password".to_owned()])
        );
        insta::assert_snapshot!(masked_diff("f.json", Theirs(old), Ours(&new)), @r#"
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
            for diff in [
                masked_diff("f", Ours(&before), Theirs(&text)),
                masked_diff("f", Theirs(&text), Ours(&after)),
                masked_diff("f", Ours(&text), Ours(&after)),
            ] {
                prop_assert!(!diff.contains("xyzzyxyzzy"), "{}", diff);
            }
        }
    }
}
