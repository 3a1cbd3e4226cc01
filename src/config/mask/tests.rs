use super::{
    super::diff::{added_settings, changed_settings, masked_diff},
    Text::{Ours, Theirs},
};

const OURS: &str = "node.id=1\nlog.dirs=/var/lib/kafka\nssl.key.password=correct horse\n";

/// Everything that is shown of a `server.properties` to which somebody appended lines.
fn shown(lines: &str) -> String {
    let theirs = format!("{OURS}{lines}\n");
    let (old, new) = (theirs.as_bytes(), OURS.as_bytes());
    format!(
        "{}{}{:?}{:?}",
        masked_diff("f.properties", Ours(OURS), Theirs(&theirs)),
        masked_diff("f.properties", Theirs(&theirs), Ours(OURS)),
        added_settings(new, old),
        changed_settings("f.properties", old, new, false),
    )
}

/// A path with a word like `secrets` was hidden, so that a change of it could not be reviewed.
#[test]
fn a_path_is_shown_whatever_its_words_are() {
    let ours = |path: &str| format!("ssl.keystore.location={path}/a.p12\n--config {path}/a\n");
    let (old, new) = (ours("/etc/kafka/secrets"), ours("/etc/kafka/passwords"));
    let diff = masked_diff("f.properties", Ours(&old), Theirs(&new));
    for line in [
        "-ssl.keystore.location=/etc/kafka/secrets/a.p12",
        "+ssl.keystore.location=/etc/kafka/passwords/a.p12",
        "---config /etc/kafka/secrets/a",
    ] {
        assert!(diff.contains(line), "{diff}");
    }
    for line in [
        "sasl.password=/etc/hunter2",
        "my.path=/etc/hunter2",
        "ssl.keystore.location=/etc/secrets/a?hunter2",
        "ssl.keystore.location=/etc/a secret=hunter2",
        "ssl.keystore.location=//me:hunter2@h/token",
    ] {
        assert!(!shown(line).contains("hunter2"), "{line}");
    }
}

#[test]
fn of_others_only_known_values_are_shown() {
    for (lines, name) in [
        ("ssl.keystore.key : hunter2", "+ssl.keystore.key : [secret "),
        ("my.api.key: hunter2", "+my.api.key: [secret "),
        ("my.api.key hunter2", "+[a line that is not a setting]"),
        ("my.api.key  = hunter2", "+my.api.key  = [secret "),
        (
            "x.y=1\nx.y=http://me:hunter2@h/",
            "+x.y=[hidden]\n+x.y=[hidden]",
        ),
        (
            "x.z=1\nx.z=\\\n  hunter2hunter2",
            "+x.z=[hidden]\n+[hidden]",
        ),
        ("ssl.key.pa\\\nssword=hunter2", "not a setting]\n+[hidden]"),
        ("a.b=x\\\nfoo.bar=hunter2", "+a.b=[hidden]\n+[hidden]"),
        ("a.b=x\\\\\nnum.x=2", "+num.x=2"),
        (
            "my.http.header=Authorization: Bearer hunter2",
            "+my.http.header=[hidden]",
        ),
        (
            "basic.auth.header=Basic hunter2",
            "+basic.auth.header=[hidden]",
        ),
        ("my.url=https://h/x?sig=hunter2", "+my.url=[hidden]"),
        ("listeners=https://h/x?sig=hunter2", "+listeners=[hidden]"),
        (
            "my.jdbc=jdbc:oracle:thin:scott/hunter2@//h",
            "+my.jdbc=[hidden]",
        ),
        ("my.url=http:\\/\\/me:hunter2@h/", "+my.url=[hidden]"),
        ("listeners=http:\\/\\/me:hunter2@h/", "+listeners=[hidden]"),
        ("confluent.license=hunter2", "+confluent.license=[hidden]"),
        ("log.hunter=hunter2", "+log.hunter=[hidden]"),
        ("hunter2.hunter2", "+[a line that is not a setting]"),
        ("hunter2.hunter2=1", "+[a line that is not a setting]"),
        ("my.password=hunter2=[x]", "+my.password=[secret "),
        (
            "SCRAM-SHA-512=[name=a,name=hunter2,iterations=hunter2]",
            "[name=a,[secret ",
        ),
        ("Secrethunter2=", "+[a line that is not a setting]"),
        (
            "ssl.key.p\\u0061ssword=hunter2",
            "+[a line that is not a setting]",
        ),
        (
            "\u{a0}#x.password=\\\nhunter2.y=1",
            "not a setting]\n+[hidden]",
        ),
        (
            "#x\rx.password=\\\nhunter.y=hunter2",
            "+[a line that is not a setting]",
        ),
    ] {
        let shown = shown(lines);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(name), "no {name} in {shown}");
    }
}

#[test]
fn names_that_get_lost_and_known_values_are_seen() {
    let text = shown("log.dirs=/srv\nnum.io.threads=16\nmy.own.header=x\n");
    for part in [
        "+log.dirs=/srv\n",
        "+num.io.threads=16\n",
        "+my.own.header=[hidden]\n",
        "[(\"num.io.threads\", \"16\")]",
        "[\"log.dirs\", \"my.own.header\", \"num.io.threads\"]",
        " ssl.key.password=[secret 1]\n",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    // What kpki wrote itself stays as it is, escapes and all.
    let ours = "my.header=token hunter\nlog.dirs=/\\u00E4\nhunter2.x=1\n";
    assert_eq!(masked_diff("f", Ours(ours), Theirs(ours)), "");
    let gone = |ours| changed_settings("f", b"hunter2.x=1", b"", ours).unwrap();
    assert_eq!(gone(true), ["hunter2.x"]);
    assert_eq!(gone(false), ["a line that is not a setting"]);
}

#[test]
fn of_others_yaml_only_what_kpki_writes_is_shown() {
    let ours = "# How\nspring:\n  kafka:\n    bootstrap-servers: \"a:1\"\n    ssl:\n      key-password: \"correct horse\"\n      key-store-type: \"JKS\"\n";
    for (lines, part) in [
        ("credentials:\n  value: hunter2", "+[hidden]\n+[hidden]\n"),
        (
            "credentials:\n      key-store-type: hunter2",
            "+[hidden]\n+[hidden]\n",
        ),
        (
            "      key-password: >-\n        part: hunter2",
            "+      key-password: [secret 2]\n+[hidden]\n",
        ),
        ("jaas: |\n  a.b hunter2", "+[hidden]\n+[hidden]\n"),
        ("pw: hunter2", "+[hidden]\n"),
        ("      key: hunter2", "+[hidden]\n"),
        (
            "x: \"a\n      key-store-type: hunter2\"",
            "+[hidden]\n+[hidden]\n",
        ),
        (
            "      key-store-type: |\t\n       a: hunter2",
            "+[hidden]\n+[hidden]\n",
        ),
        (
            "      key-store-type: hunter2 # hunter2",
            "+      key-store-type: [hidden]\n",
        ),
        (
            "      key-store-type: \"PEM\"",
            "+      key-store-type: \"PEM\"\n",
        ),
        ("# hunter2", "+# [a comment]\n"),
    ] {
        let theirs = format!("{ours}{lines}\n");
        let diff = masked_diff("f.yaml", Ours(ours), Theirs(&theirs));
        assert!(!diff.contains("hunter2"), "{diff}");
        assert!(diff.contains(part), "no {part} in {diff}");
    }
}

#[test]
fn of_others_json_only_what_kpki_writes_is_shown() {
    let ours = "{\n  \"protocol\": \"SSL\",\n  \"key\": \"/a.key\",\n  \"password\": null\n}\n";
    for (line, part) in [
        (
            "  \"protocol\": \"SASL_SSL\",",
            "+  \"protocol\": \"SASL_SSL\",\n",
        ),
        (
            "  \"protocol\": \"SSL\", \"x\": \"hunter2\",",
            "+  \"protocol\": [hidden]\n",
        ),
        ("  \"password\": \"hunter2\"", "+  \"password\": \"[secret "),
        ("  \"key\": \"hunter2\",", "+  \"key\": \"[secret "),
        (
            "  \"x\": {\n    \"protocol\": \"hunter2\"\n  },",
            "+[hidden]\n+[hidden]\n+  },\n",
        ),
        (
            "\"x\":\n{\n  \"protocol\": \"hunter2\"\n},",
            "+[hidden]\n+{\n+[hidden]\n+},\n",
        ),
        ("  \"hunter2\": 1", "+[hidden]\n"),
    ] {
        let theirs = ours.replace("\n}\n", &format!("\n{line}\n}}\n"));
        let diff = masked_diff("f.json", Ours(ours), Theirs(&theirs));
        assert!(!diff.contains("hunter2"), "{diff}");
        assert!(diff.contains(part), "no {part} in {diff}");
    }
    let changed = changed_settings("f.json", b"{\"hunter2\": 1}", b"{\"key\": 1}", false);
    assert_eq!(changed.unwrap(), ["a line that is not a setting", "key"]);
}
