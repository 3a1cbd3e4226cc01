//! Manual pages, judged by groff.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use crate::support::{kpki::Kpki, skip};

/// groff's own words about these pages, and what it makes of them.
fn typeset(pages: &[PathBuf]) -> Option<Output> {
    let mut groff = Command::new("groff");
    groff.args(["-man", "-ww", "-Tutf8", "-P-cbou"]).args(pages);
    match groff.stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(_) => {
            skip("the program groff is not there");
            None
        }
    }
}

#[test]
fn there_is_a_page_of_every_command_that_typesets_without_a_warning() {
    let kpki = Kpki::new();
    fs::create_dir(kpki.path("man1")).unwrap();
    let written = kpki.json(&["man", "--dir", "man1", "--json"]);
    let files = written["files"].as_array().unwrap().iter();
    let files: Vec<PathBuf> = files.map(|f| kpki.path(f.as_str().unwrap())).collect();
    for name in ["kpki", "kpki-up", "kpki-acl", "kpki-acl-apply", "kpki-man"] {
        assert!(
            files.contains(&kpki.path(format!("man1/{name}.1"))),
            "{name}"
        );
    }
    assert!(
        !files
            .iter()
            .any(|f| f.to_str().unwrap().contains("receive"))
    );
    assert_eq!(
        fs::read_dir(kpki.path("man1")).unwrap().count(),
        files.len()
    );
    assert_eq!(kpki.mode("man1/kpki.1"), 0o644);
    // Those of another version are replaced.
    kpki.write("man1/kpki.1", "old");
    kpki.ok(&["man", "--dir", "man1"]);
    let page = fs::read_to_string(kpki.path("man1/kpki.1")).unwrap();
    assert_eq!(kpki.ok(&["man"]).stdout, page);
    let Some(output) = typeset(&files) else {
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn a_page_says_what_the_help_says() {
    let kpki = Kpki::new();
    let page = kpki.write("page.1", &kpki.ok(&["man", "acl", "apply"]).stdout);
    let Some(output) = typeset(&[page]) else {
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let help = kpki.ok(&["acl", "apply", "--help"]).stdout;
    let about = format!("kpki-acl-apply - {}", help.lines().next().unwrap());
    assert!(text.contains(&about), "{about}\n{text}");
    assert!(text.contains("--max-deletes"), "{text}");
    assert!(text.contains("KPKI_OUT"), "{text}");
    let (_, synopsis) = text.split_once("SYNOPSIS").unwrap();
    let (synopsis, _) = synopsis.split_once("DESCRIPTION").unwrap();
    let synopsis: Vec<&str> = synopsis.split_whitespace().collect();
    let synopsis = synopsis.join(" ");
    for part in [
        "kpki acl apply ",
        "[--max-deletes <N>]",
        "[--prune]",
        "[--out <DIR>]",
        "<POLICY|PLAN>",
    ] {
        assert!(synopsis.contains(part), "no {part} in {synopsis}");
    }
    // The examples are to be copied line by line.
    let (_, examples) = help.split_once("Examples:\n").unwrap();
    for line in examples.lines().filter(|line| line.starts_with("  kpki ")) {
        assert!(
            text.lines().any(|l| l.trim() == line.trim()),
            "{line}\n{text}"
        );
    }
}

#[test]
fn an_unknown_page_is_a_usage_error() {
    let kpki = Kpki::new();
    for words in [
        &["man", "nothing"][..],
        &["man", "acl", "up"],
        &["man", "receive-acls"],
    ] {
        let error = kpki.run(words).expect_code(2).stderr;
        assert!(error.contains("kpki has no command"), "{error}");
    }
    kpki.write("file", "");
    let error = kpki
        .run(&["man", "--dir", "file/man1", "--json"])
        .expect_code(1);
    assert_eq!(error.json()["error"]["code"], "io");
}

/// It was to be made first, and with which mode was left to the reader.
#[test]
fn the_directory_of_the_pages_is_made() {
    let kpki = Kpki::new();
    kpki.ok(&["man", "--dir", "share/man/man1"]);
    assert!(kpki.path("share/man/man1/kpki-issue.1").exists());
    assert_eq!(kpki.mode("share/man") & 0o700, 0o700);
}
