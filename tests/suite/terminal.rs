//! What a person sees on a terminal of 80 columns.

use crate::support::{kpki::Kpki, terminal};

#[test]
fn errors_break_between_words_on_a_terminal_and_nowhere_else() {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    kpki.ok(&["init-ca", "--no-passphrase"]);
    let Some(shown) = terminal::run(&kpki, 40, &["renew", "nobody"], "") else {
        return;
    };
    assert_eq!(shown.code, Some(1), "{}", shown.stdout);
    assert!(shown.stdout.lines().count() > 2, "{}", shown.stdout);
    for line in shown.stdout.lines() {
        assert!(line.len() <= 40 || !line.contains(' '), "{line:?}");
    }
    let piped = kpki.run(&["renew", "nobody"]);
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&shown.stdout), words(&piped.stderr));
    assert_eq!(piped.stderr.lines().count(), 2, "{}", piped.stderr);
}

/// The lines of a list on a terminal of so many columns, none of which is longer than that.
fn lines(kpki: &Kpki, columns: u16, arguments: &[&str]) -> Option<Vec<String>> {
    let shown = terminal::run(kpki, columns, arguments, "")?.expect_code(0);
    let lines: Vec<String> = shown.stdout.lines().map(str::to_owned).collect();
    for line in &lines {
        assert!(
            line.chars().count() <= columns.into(),
            "{columns}: {line:?}"
        );
        assert_eq!(line.trim_end(), line);
    }
    Some(lines)
}

#[test]
fn lists_take_the_room_that_the_terminal_has() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let hosts: Vec<String> = (1..4)
        .map(|n| format!("kafka1.zone{n}.example.com"))
        .collect();
    let mut issue = vec!["issue", "kafka1"];
    issue.extend(hosts.iter().flat_map(|host| ["--host", host]));
    kpki.ok(&issue);
    kpki.ok(&["issue", "--client", "alice"]);
    let heads = |columns| {
        let lines = lines(&kpki, columns, &["list"])?;
        // Every name and host is there, however narrow it is.
        let text = lines.join(" ");
        for word in hosts
            .iter()
            .map(String::as_str)
            .chain(["ca", "kafka1", "alice"])
        {
            assert!(text.contains(word), "{columns}: {text}");
        }
        let heads = lines[0].split_whitespace().map(str::to_owned);
        Some((heads.collect::<Vec<_>>(), lines.len()))
    };
    let Some((narrow, lines)) = heads(60) else {
        return;
    };
    assert_eq!(narrow, ["NAME", "STATUS", "UNTIL", "SAN"]);
    assert!(lines > 4, "the hosts take lines of their own");
    let (usual, lines) = heads(80).unwrap();
    assert_eq!(usual, ["NAME", "STATUS", "UNTIL", "SERIAL", "KIND", "SAN"]);
    assert!(lines > 4);
    let (wide, lines) = heads(200).unwrap();
    let all = ["NAME", "STATUS", "UNTIL", "SERIAL", "KIND", "SAN"];
    assert_eq!((&wide[..], lines), (&all.map(str::to_owned)[..], 4));
    // What goes to a program is the same everywhere.
    let piped = kpki.ok(&["list"]).stdout;
    assert_eq!(piped.lines().count(), 4, "{piped}");
    assert_eq!(
        piped
            .lines()
            .next()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>(),
        all
    );
    // A serial number is shortened to what `kpki revoke` takes.
    let alice = terminal::run(&kpki, 80, &["list"], "").unwrap().stdout;
    let alice = alice.lines().find(|line| line.contains("alice")).unwrap();
    let serial = alice.split_whitespace().nth(3).unwrap();
    assert_eq!(serial.len(), 12, "{alice}");
    let said = kpki.ok(&["revoke", serial, "-q", "--json"]).json();
    assert_eq!(said["revoked"][0]["name"], "alice", "{said}");
}

#[test]
fn the_journal_and_what_a_policy_means_fit_as_well() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&[
        "issue",
        "--client",
        "alice",
        "a-client-with-a-long-name",
        "another-one",
    ]);
    kpki.write(
        "policy.yaml",
        "clients:\n  - name: alice\n    roles:\n      - produce: {topic: a-topic-with-a-long-name}\n",
    );
    for columns in [60, 80, 160] {
        let Some(log) = lines(&kpki, columns, &["log"]) else {
            return;
        };
        let who = log[0].split_whitespace().any(|head| head == "who");
        assert_eq!(who, columns > 80, "{log:#?}");
        assert!(log.join(" ").contains("alice"), "{log:#?}");
        let rights = lines(&kpki, columns, &["acl", "expand", "policy.yaml"]).unwrap();
        let right = "Allow Write on Topic `a-topic-with-a-long-name`";
        assert!(
            rights.iter().any(|line| line.contains(right)),
            "{rights:#?}"
        );
        let source = rights.iter().any(|line| line.ends_with("policy.yaml:4:9"));
        assert_eq!(source, columns > 60, "{rights:#?}");
    }
}

/// Whatever ends a command that asks for a passphrase, the terminal shows again what is typed.
#[test]
fn an_interrupted_prompt_leaves_the_terminal_as_it_was() {
    for (typed, command, code) in [
        ("abc\u{3}", ":", 130),
        ("", "kill -INT $pid", 130),
        ("abc", "kill -TERM $pid", 143),
        ("", "kill -QUIT $pid", 131),
        ("", "kill -HUP $pid", 129),
    ] {
        let mut kpki = Kpki::new();
        kpki.without_env("KPKI_CA_PASSPHRASE");
        let Some(shown) = terminal::at_prompt(&kpki, &["init-ca"], typed, command) else {
            return;
        };
        let shown = shown.stdout;
        assert!(shown.contains("New CA passphrase: "), "{shown}");
        assert!(!shown.contains("error:"), "{shown}");
        assert!(shown.contains(&format!("ended with {code}\n")), "{shown}");
        assert!(shown.contains("isig icanon iexten echo "), "{shown}");
        assert!(!kpki.path("out").exists());
    }
}

#[test]
fn a_prompt_that_was_answered_is_followed_by_another() {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let typed = "several words\nseveral words\n";
    let Some(shown) = terminal::at_prompt(&kpki, &["init-ca"], typed, ":") else {
        return;
    };
    assert!(shown.stdout.contains("ended with 0\n"), "{}", shown.stdout);
    assert!(shown.stdout.contains(" echo "), "{}", shown.stdout);
    assert!(kpki.path("out/ca/ca.key").exists());
}
