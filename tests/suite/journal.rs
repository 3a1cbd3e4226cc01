//! The journal, and `kpki log`.

use std::fs;

use crate::support::kpki::Kpki;

fn lines(kpki: &Kpki) -> Vec<serde_json::Value> {
    let log = kpki.json(&["log", "--json"]);
    log.as_array().unwrap().clone()
}

#[test]
fn what_changes_something_leaves_a_line_and_nothing_else_does() {
    let mut kpki = Kpki::new();
    kpki.env("SUDO_USER", "mallory\u{1b}[2J");
    kpki.write(
        "p.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: alice}]\n",
    );
    kpki.ok(&["up", "p.yaml"]);
    kpki.ok(&["up", "p.yaml"]);
    kpki.ok(&["principal", "kafka1"]);
    kpki.run(&["issue", "kafka1"]).expect_code(1);
    kpki.ok(&["renew", "alice", "kafka1", "--new-key", "--days", "9"]);
    let lines = lines(&kpki);
    let command = |at: usize| lines[at]["command"].as_str().unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        (command(0), command(1)),
        ("up p.yaml", "renew alice kafka1 --new-key")
    );
    assert_eq!(
        lines[1]["what"],
        "signed alice, kafka1; wrote alice, kafka1"
    );
    for line in &lines {
        assert_eq!((&line["v"], &line["result"]), (&1.into(), &"done".into()));
        assert_eq!(
            line["who"]["uid"],
            rustix::process::getuid().as_raw(),
            "{line}"
        );
        assert!(!line["host"].as_str().unwrap().is_empty());
        assert!(line["at"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(kpki.mode("out/ca/journal.jsonl"), 0o600);
    // Names that come from elsewhere control no terminal.
    let shown = kpki.ok(&["log"]).stdout;
    assert!(
        shown.contains("renew alice kafka1 --new-key  done"),
        "{shown}"
    );
    assert!(shown.contains("mallory") && !shown.contains('\u{1b}'));
}

#[test]
fn a_command_that_failed_half_way_is_in_the_journal_as_failed() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    let record = kpki.path("out/written.jsonl");
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    kpki.run(&["renew", "kafka1"]).expect_code(1);
    let lines = lines(&kpki);
    let last = lines.last().unwrap();
    assert_eq!(last["command"], "renew kafka1");
    assert_eq!(
        (&last["result"], &last["error"]),
        (&"failed".into(), &"obstacle".into())
    );
    assert_eq!(last["what"], "signed kafka1", "{last}");
}

#[test]
fn a_journal_that_cannot_be_written_fails_no_command() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let path = kpki.path("out/ca/journal.jsonl");
    let first = fs::read_to_string(&path).unwrap();
    // Cut off by a kill: the rest is replaced, not read.
    fs::write(&path, format!("{first}{{\"v\":1,\"at\"")).unwrap();
    kpki.ok(&["issue", "kafka1"]);
    assert_eq!(lines(&kpki).len(), 2);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let done = kpki.ok(&["issue", "kafka2"]);
    assert!(
        done.stderr.contains("could not be recorded in the journal"),
        "{}",
        done.stderr
    );
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "what is this?\n").unwrap();
    let damaged = kpki.run(&["log"]).expect_code(1);
    assert!(
        damaged
            .stderr
            .contains("journal.jsonl, line 1: not a record of a command")
    );
    assert!(!damaged.stderr.contains("what is this"));
    // A link is not followed.
    fs::remove_file(&path).unwrap();
    kpki.write("elsewhere", "mine");
    std::os::unix::fs::symlink(kpki.path("elsewhere"), &path).unwrap();
    kpki.ok(&["issue", "kafka3"]);
    assert_eq!(fs::read_to_string(kpki.path("elsewhere")).unwrap(), "mine");
}

#[test]
fn commands_at_the_same_time_each_leave_their_line() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    std::thread::scope(|scope| {
        for at in 0..8 {
            let kpki = &kpki;
            scope.spawn(move || kpki.ok(&["issue", &format!("kafka{at}")]));
        }
    });
    assert_eq!(lines(&kpki).len(), 9);
}

#[test]
fn a_directory_that_is_not_there_has_no_empty_journal() {
    let kpki = Kpki::new();
    let error = kpki.run(&["--out", "otu", "log", "--json"]).expect_code(1);
    let error = error.json()["error"].take();
    assert_eq!(
        (&error["code"], &error["message"]),
        (&"io".into(), &"there is no directory otu".into())
    );
    std::fs::create_dir(kpki.path("out")).unwrap();
    assert_eq!(kpki.json(&["log", "--json"]), serde_json::json!([]));
}
