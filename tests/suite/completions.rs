//! What a shell completes, asked as the shell itself asks.

use std::{os::unix::fs::symlink, process::Command};

use crate::support::kpki::Kpki;

/// A directory with a policy, another file and two identities; the program is on the `PATH` of the shells in it.
fn filled() -> Kpki {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki.ok(&["issue", "--client", "alice"]);
    kpki.ok(&["--out", "other", "init-ca"]);
    kpki.ok(&["--out", "other", "issue", "--client", "bob"]);
    kpki.write("policies/team a.yaml", "cluster: {}\n");
    kpki.write("policies/notes.txt", "");
    kpki.write("request.csr", "");
    kpki.write("saved.plan", "");
    kpki.write("policy.yml", "");
    std::fs::create_dir(kpki.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_kpki"), kpki.path("bin/kpki")).unwrap();
    let path = format!(
        "{}:{}",
        kpki.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    kpki.env("PATH", &path);
    kpki
}

/// What bash offers for the last of these words, which is not finished.
fn offered(kpki: &Kpki, words: &[&str]) -> Vec<String> {
    let script = r#"
        source <(kpki completions bash)
        complete -p kpki >&2
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _clap_complete_kpki kpki "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, "bash"]).args(words);
    bash.current_dir(kpki.dir()).env_clear();
    for (name, value) in kpki.command(&[]).get_envs() {
        bash.env(name, value.unwrap());
    }
    let output = bash.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("-F _clap_complete_kpki kpki"), "{errors}");
    let offered = String::from_utf8(output.stdout).unwrap();
    offered.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_their_values() {
    let kpki = filled();
    assert_eq!(offered(&kpki, &["kpki", "rev"]), ["revoke"]);
    assert_eq!(
        offered(&kpki, &["kpki", "acl", "ex"]),
        ["expand", "explain", "export"]
    );
    assert_eq!(offered(&kpki, &["kpki", "renew", "--new"]), ["--new-key"]);
    let reasons = offered(&kpki, &["kpki", "revoke", "--reason", "s"]);
    assert_eq!(reasons, ["superseded"]);
    for (line, words) in [
        ("issue x --key rsa-2", "rsa-2048"),
        ("up policy.yml --store-profile le", "legacy"),
        ("up policy.yml --allow cl", "cluster-id"),
        ("up policy.yml --layout ap", "apache-kafka"),
        ("acl explain policy.yml --operation Wr", "Write"),
        ("acl explain policy.yml --topic al", ""),
        ("scram derive --mechanism SCRAM-SHA-5", "SCRAM-SHA-512"),
    ] {
        let line: Vec<&str> = ["kpki"].into_iter().chain(line.split(' ')).collect();
        assert_eq!(offered(&kpki, &line), [words], "{line:?}");
    }
    assert_eq!(offered(&kpki, &["kpki", "man", "bac"]), ["backup"]);
    assert_eq!(
        offered(&kpki, &["kpki", "man", "acl", "ex"]),
        ["expand", "explain", "export"]
    );
    let rotate = ["kpki", "scram", "apply", "policy.yml", "--rotate", "al"];
    assert_eq!(offered(&kpki, &rotate), ["alice"]);
}

#[test]
fn bash_completes_the_names_of_identities_and_the_files_that_a_command_reads() {
    let mut kpki = filled();
    assert_eq!(
        offered(&kpki, &["kpki", "renew", ""])[..2],
        ["alice", "kafka1"]
    );
    assert_eq!(offered(&kpki, &["kpki", "revoke", "al"]), ["alice"]);
    assert_eq!(
        offered(&kpki, &["kpki", "renew", "alice", "ka"]),
        ["kafka1"]
    );
    assert_eq!(
        offered(&kpki, &["kpki", "--out", "other", "bundle", "b"]),
        ["bob"]
    );
    assert_eq!(
        offered(&kpki, &["kpki", "up", "policies/"]),
        ["policies/team a.yaml"]
    );
    assert_eq!(
        offered(&kpki, &["kpki", "up", "po"]),
        ["policy.yml", "policies/"]
    );
    assert_eq!(
        offered(&kpki, &["kpki", "acl", "apply", "s"]),
        ["saved.plan"]
    );
    assert_eq!(offered(&kpki, &["kpki", "sign", "r"]), ["request.csr"]);
    kpki.env("KPKI_OUT", "other");
    assert_eq!(offered(&kpki, &["kpki", "reload", "b"]), ["bob"]);
    kpki.env("KPKI_OUT", "nothing");
    assert_eq!(offered(&kpki, &["kpki", "reload", "b"]), [""]);
}

/// Those without a certificate were offered as well.
#[test]
fn only_who_has_a_certificate_is_offered_where_one_is_needed() {
    let kpki = filled();
    kpki.write(
        "policy.yml",
        "brokers: [{name: kafka1}]
clients: [{name: alice}, {name: cons, auth: scram-sha-512}, {name: far, key: external}]
",
    );
    kpki.ok(&["up", "policy.yml"]);
    let offered = |verb: &str| offered(&kpki, &["kpki", verb, ""]);
    let names = |verb: &str| {
        let mut names = offered(verb);
        names.retain(|name| !name.starts_with('-'));
        names
    };
    assert_eq!(names("renew"), ["alice", "kafka1"]);
    assert_eq!(names("revoke"), ["alice", "kafka1"]);
    assert_eq!(names("bundle"), ["alice", "cons", "far", "kafka1"]);
    // Its certificate can be revoked, but not renewed here.
    let request = ["issue", "far", "--csr-only", "--client", "--out", "there"];
    kpki.ok(&request);
    kpki.ok(&["sign", "there/far/far.csr"]);
    assert_eq!(names("renew"), ["alice", "kafka1"]);
    assert_eq!(names("revoke"), ["alice", "far", "kafka1"]);
}

#[test]
fn each_shell_has_a_script_that_asks_kpki() {
    let kpki = Kpki::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = kpki.ok(&["completions", shell]).stdout;
        assert!(script.contains("KPKI_COMPLETE"), "{shell}: {script}");
        let document = kpki.json(&["completions", shell, "--json"]);
        assert_eq!(document["shell"], shell);
        assert_eq!(document["text"], script);
    }
    let unknown = kpki.run(&["completions", "csh"]).expect_code(2);
    assert!(
        unknown.stderr.contains("bash, elvish, fish"),
        "{}",
        unknown.stderr
    );
}
