//! `kpki backup` and `kpki restore`.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use crate::support::{kpki::Kpki, random, terminal};

fn with_ca() -> Kpki {
    let mut kpki = Kpki::new();
    kpki.env("KPKI_BACKUP_PASSPHRASE", "another passphrase");
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki
}

/// Every file of the CA but the journal, which goes on.
fn ca(kpki: &Kpki, out: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(kpki.path(out).join("ca")).unwrap();
    let files = files.map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    });
    files.filter(|(name, _)| name != "journal.jsonl").collect()
}

fn lines(kpki: &Kpki) -> usize {
    let log = kpki.json(&["log", "--json"]);
    log.as_array().unwrap().len()
}

#[test]
fn a_backup_is_restored_whole_and_only_its_passphrase_opens_it() {
    let mut kpki = with_ca();
    kpki.ok(&["backup", "b"]);
    assert_eq!(kpki.mode("b"), 0o600);
    let text = fs::read_to_string(kpki.path("b")).unwrap();
    assert!(text.starts_with("kpki backup v1\nkdf: argon2id m=65536 t=3 p=4\n"));
    let before = ca(&kpki, "out");
    let restored = kpki.json(&["restore", "b", "--out", "fresh", "--json"]);
    assert_eq!(restored["certificates"], 2);
    assert_eq!(ca(&kpki, "fresh"), before);
    for (file, mode) in [("", 0o700), ("ca.key", 0o600), ("ca.crt", 0o644)] {
        assert_eq!(kpki.mode(&format!("fresh/ca/{file}")), mode, "{file}");
    }
    // It signs, under its own passphrase and with serials of its own.
    kpki.ok(&["issue", "kafka2", "--out", "fresh"]);
    // What was lost comes back; what is there is no reason to refuse.
    fs::remove_file(kpki.path("out/ca/ca.key")).unwrap();
    fs::write(kpki.path("out/ca/ca.crt"), "damaged").unwrap();
    kpki.ok(&["restore", "b"]);
    assert_eq!(ca(&kpki, "out"), before);
    assert_eq!(lines(&kpki), 4, "init-ca, issue, backup, restore");
    let exists = kpki.run(&["backup", "b"]).expect_code(1);
    assert!(exists.stderr.contains("b already exists"));
    // The CA's passphrase is another one.
    kpki.env("KPKI_BACKUP_PASSPHRASE", "a passphrase of the tests");
    let wrong = kpki
        .run(&["restore", "b", "--out", "x", "--json"])
        .expect_code(1);
    assert_eq!(wrong.json()["error"]["code"], "wrong-passphrase");
    assert!(!kpki.path("x").exists());
    kpki.env("KPKI_BACKUP_PASSPHRASE", "short");
    kpki.run(&["backup", "c"]).expect_code(1);
    kpki.without_env("KPKI_BACKUP_PASSPHRASE");
    let missing = kpki.run(&["backup", "c"]).expect_code(1).stderr;
    assert!(missing.contains("--backup-passphrase-file"), "{missing}");
    assert!(!kpki.path("c").exists());
    kpki.write("p", "from a file\n");
    kpki.run(&["backup", "c", "--backup-passphrase-file", "p"])
        .expect_code(1);
    kpki.set_mode("p", 0o600);
    kpki.ok(&["backup", "c", "--backup-passphrase-file", "p"]);
    let typed = "on a terminal\non a terminal\n";
    if let Some(asked) = terminal::run(&kpki, 80, &["backup", "d"], typed) {
        asked.expect_code(0);
    }
}

/// Found by a tester: the brokers that `up` wrote after a restore were of another cluster.
#[test]
fn what_is_restored_is_of_the_same_cluster() {
    let kpki = with_ca();
    kpki.write("p.yaml", "brokers: [{name: kafka7, hosts: [kafka7]}]\n");
    kpki.ok(&["up", "p.yaml"]);
    kpki.ok(&["backup", "b"]);
    let id = |out: &str| fs::read_to_string(kpki.path(out).join("cluster.id")).unwrap();
    let before = id("out");
    for out in ["fresh", "out"] {
        kpki.ok(&["restore", "b", "--out", out]);
        kpki.ok(&["up", "p.yaml", "--out", out]);
        assert_eq!(id(out), before, "{out}");
    }
    // Beside another cluster's, nothing is restored: with a CA, and without one.
    kpki.write("other/cluster.id", "AAAAAAAAAAAAAAAAAAAAAA\n");
    kpki.ok(&["restore", "b", "--out", "again"]);
    kpki.write("again/cluster.id", "AAAAAAAAAAAAAAAAAAAAAA\n");
    kpki.ok(&["issue", "kafka8"]);
    kpki.ok(&["backup", "c"]);
    let ca_before = ca(&kpki, "again");
    for (out, file) in [("other", "b"), ("again", "b"), ("again", "c")] {
        let refused = kpki.run(&["restore", file, "--out", out, "--json"]);
        let error = refused.expect_code(1).json()["error"].take();
        assert_eq!(error["code"], "backup-other", "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("cluster.id is AAAAAAAAAAAAAAAAAAAAAA"),
            "{message}"
        );
        assert!(message.contains(before.trim()), "{message}");
        assert_eq!(id(out), "AAAAAAAAAAAAAAAAAAAAAA\n");
    }
    assert!(!kpki.path("other/ca/ca.crt").exists());
    assert_eq!(ca(&kpki, "again"), ca_before);
    fs::rename(
        kpki.path("other/cluster.id"),
        kpki.path("other/cluster.id.old"),
    )
    .unwrap();
    kpki.ok(&["restore", "b", "--out", "other"]);
    assert_eq!(id("other"), before);
}

#[test]
fn a_backup_is_not_restored_over_a_newer_state_or_another_ca() {
    let kpki = with_ca();
    kpki.ok(&["backup", "old"]);
    kpki.ok(&["issue", "kafka2"]);
    kpki.ok(&["backup", "new"]);
    let now = ca(&kpki, "out");
    let refused = |kpki: &Kpki, arguments: &[&str], code: &str, says: &str| {
        let refused = kpki.run(arguments).expect_code(1);
        assert_eq!(refused.json()["error"]["code"], code);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    };
    refused(
        &kpki,
        &["restore", "old", "--json"],
        "backup-older",
        "1 more line,",
    );
    assert_eq!(ca(&kpki, "out"), now);
    // An older state of the same CA takes the newer backup, whatever was killed there.
    kpki.ok(&["restore", "old", "--out", "older"]);
    let inventory = kpki.path("older/ca/inventory.jsonl");
    let mut text = fs::read_to_string(&inventory).unwrap();
    text.push_str("{\"v\":1,\"na");
    fs::write(&inventory, text).unwrap();
    kpki.ok(&["restore", "new", "--out", "older"]);
    assert_eq!(ca(&kpki, "older"), now);
    // Two that went their own ways, and another CA.
    kpki.ok(&["restore", "old", "--out", "fork"]);
    kpki.ok(&["issue", "kafka3", "--out", "fork"]);
    let fork = ca(&kpki, "fork");
    let into = ["restore", "new", "--out", "fork", "--json"];
    refused(&kpki, &into, "backup-other", "a different history");
    assert_eq!(ca(&kpki, "fork"), fork);
    kpki.ok(&["init-ca", "--out", "other"]);
    let into = ["restore", "new", "--out", "other", "--json"];
    refused(&kpki, &into, "backup-other", "a different history");
    // Nothing says whose these are.
    fs::remove_file(kpki.path("other/ca/inventory.jsonl")).unwrap();
    refused(&kpki, &into, "backup-other", "a different history");
    // What is not in the backup may belong to another state of the CA.
    kpki.write("out/ca/root.key", "x");
    kpki.set_mode("out/ca/root.key", 0o600);
    refused(
        &kpki,
        &["restore", "new", "--json"],
        "obstacle",
        "root.key is not in the backup",
    );
    assert!(!kpki.path("out").join("written.jsonl.next").exists());
}

/// The text of a backup with its checksum made right again.
fn with_checksum(text: &str) -> String {
    let body = &text[..text.rfind("sha256: ").unwrap()];
    let sum: String = Sha256::digest(body.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("{body}sha256: {sum}\n")
}

#[test]
fn hostile_backups_are_refused_in_bounded_time_and_memory() {
    let kpki = with_ca();
    kpki.ok(&["backup", "b"]);
    let text = fs::read_to_string(kpki.path("b")).unwrap();
    let mut places = random::values(0..text.len());
    let mut bits = random::values(0..7);
    let mut hostile: Vec<Vec<u8>> = Vec::new();
    // Cut, changed in a byte, and the same with a checksum that fits.
    for _ in 0..30 {
        let at = places.next().unwrap();
        hostile.push(text.as_bytes()[..at].to_vec());
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1_u8 << bits.next().unwrap();
        hostile.push(bytes);
    }
    let field = text.find("files: ").unwrap() + 7;
    for at in [0, 100, 1000] {
        let mut bytes = text.clone().into_bytes();
        bytes[field + at] = if bytes[field + at] == b'A' {
            b'B'
        } else {
            b'A'
        };
        hostile.push(with_checksum(&String::from_utf8(bytes).unwrap()).into());
    }
    for (from, to) in [
        // 1 TiB, and more than there is of everything.
        ("m=65536", "m=1073741824"),
        ("m=65536", "m=4294967295"),
        ("m=65536", "m=99999999999999999999"),
        ("m=65536", "m=-1"),
        ("m=65536", ""),
        ("t=3", "t=4294967295"),
        ("p=4", "p=16777215"),
        ("p=4", "p=0"),
        ("argon2id", "none"),
        ("kdf: argon2id m=65536 t=3 p=4", "kdf: none"),
        ("xchacha20-poly1305", "none"),
        ("salt: ", "salt: AA"),
        ("nonce: ", "nonce: AAAA"),
        ("files: ", "key: "),
        ("kpki backup v1", "kpki backup v2"),
        ("kpki backup v1", "kpki sealed key v1"),
        ("t=3", "t=1"),
    ] {
        assert!(text.contains(from), "{from}");
        hostile.push(with_checksum(&text.replacen(from, to, 1)).into());
    }
    hostile.push(Vec::new());
    hostile.push(vec![0; 100_000]);
    hostile.push(vec![b'\n'; 100_000]);
    hostile.push(fs::read(kpki.path("out/ca/ca.key")).unwrap());
    assert!(hostile.len() >= 60, "{}", hostile.len());
    for (at, bytes) in hostile.iter().enumerate() {
        if *bytes == text.as_bytes() {
            continue;
        }
        fs::write(kpki.path("hostile"), bytes).unwrap();
        let begin = Instant::now();
        // The size of everything that it may map: the derivation's 64 MiB and what a program is.
        let mut shell = std::process::Command::new("sh");
        for (name, value) in kpki.command(&[]).get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        let line = "ulimit -v 4000000; exec \"$0\" restore hostile --out x --json";
        let refused = shell
            .args(["-c", line, env!("CARGO_BIN_EXE_kpki")])
            .current_dir(kpki.dir())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{at}: {said}");
        assert!(!said.contains("panicked"), "{at}: {said}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{at}");
        assert!(!kpki.path("x").exists(), "{at}: {said}");
    }
}

/// Kills a command after a while that grows from run to run, until it ends by itself.
fn kill_at_every_instant(kpki: &Kpki, arguments: &[&str], mut check: impl FnMut()) -> usize {
    let mut killed = 0;
    let mut after = Duration::ZERO;
    loop {
        let mut command = kpki.command(arguments);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{arguments:?} after {killed} kills");
                break true;
            }
            if begin.elapsed() >= after {
                child.kill().unwrap();
                child.wait().unwrap();
                break false;
            }
            sleep(Duration::from_micros(200));
        };
        if ended {
            return killed;
        }
        killed += 1;
        check();
        after += Duration::from_millis(5).max(after / 20);
    }
}

fn no_leftovers(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let left = [".new-", ".commit-", ".kpki-"];
        assert!(!left.iter().any(|begin| name.starts_with(begin)), "{name}");
    }
}

#[test]
fn a_backup_or_restore_that_is_killed_at_any_instant_is_finished_by_the_next() {
    let kpki = with_ca();
    let file = kpki.path("b");
    let killed = kill_at_every_instant(&kpki, &["backup", "b"], || {
        // There whole, as its name is given last; then the next would refuse.
        let _ = fs::remove_file(&file);
    });
    let now = ca(&kpki, "out");
    let fresh = || fs::remove_dir_all(kpki.path("fresh"));
    let restored = kill_at_every_instant(&kpki, &["restore", "b", "--out", "fresh"], || {
        if kpki.path("fresh/ca").exists() {
            assert_eq!(ca(&kpki, "fresh"), now);
        }
    });
    assert_eq!(ca(&kpki, "fresh"), now);
    no_leftovers(&kpki.path("fresh"));
    let _ = fresh();
    // Over an older state.
    kpki.ok(&["issue", "kafka2"]);
    kpki.ok(&["restore", "b", "--out", "fresh"]);
    kpki.ok(&["backup", "c"]);
    let now = ca(&kpki, "out");
    let over = kill_at_every_instant(&kpki, &["restore", "c", "--out", "fresh"], || {
        let there = ca(&kpki, "fresh");
        assert!(now["inventory.jsonl"].starts_with(&there["inventory.jsonl"]));
    });
    assert_eq!(ca(&kpki, "fresh"), now);
    no_leftovers(&kpki.path("fresh"));
    kpki.ok(&["issue", "kafka3", "--out", "fresh"]);
    assert!(killed + restored + over > 15, "{killed} {restored} {over}");
}
