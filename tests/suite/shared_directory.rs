//! An output directory that others own, could have written to, or have put things into.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown, symlink},
    process::{Command, Stdio},
};

use crate::support::{kpki::Kpki, leave_out};

const POLICY: &str = "brokers: [{name: kafka1}]\n";

fn up() -> Kpki {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    kpki
}

/// Gives a tree to another user, which root alone can.
fn give(kpki: &Kpki, path: &str, uid: u32) -> bool {
    if fs::metadata(kpki.dir()).unwrap().uid() != 0 {
        leave_out("not root, so nothing can be given to another user");
        return false;
    }
    for entry in fs::read_dir(kpki.path(path)).into_iter().flatten() {
        chown(entry.unwrap().path(), Some(uid), Some(uid)).unwrap();
    }
    chown(kpki.path(path), Some(uid), Some(uid)).unwrap();
    true
}

fn code(kpki: &Kpki, arguments: &[&str]) -> String {
    let arguments = [&["--json"], arguments].concat();
    let json = kpki.run(&arguments).expect_code(1).json();
    json["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn an_output_directory_of_another_user_is_refused() {
    let kpki = up();
    kpki.write("password", "export password\n");
    if !give(&kpki, "out", 1000) {
        return;
    }
    for command in [
        &["up", "policy.yaml"][..],
        &["up", "--dry-run", "policy.yaml"],
        &["issue", "kafka2"],
        &["renew", "kafka1"],
        &["init-ca"],
        &["principal", "kafka1"],
        &[
            "ca",
            "export-key",
            "--out-file",
            "x",
            "--password-file",
            "password",
        ],
    ] {
        assert_eq!(code(&kpki, command), "foreign-owner", "{command:?}");
    }
    let said = kpki.run(&["up", "policy.yaml"]).stderr;
    assert!(
        said.contains("error: out belongs to another user (uid 1000)"),
        "{said}"
    );
    assert!(said.contains("chown -R 0 out"), "{said}");
    assert!(!kpki.path("x").exists());
    // The CA alone is enough.
    give(&kpki, "out", 0);
    give(&kpki, "out/ca", 1000);
    assert_eq!(code(&kpki, &["up", "policy.yaml"]), "foreign-owner");
    // So is one file of it, and a link of somebody's in the place of the whole.
    give(&kpki, "out/ca", 0);
    chown(kpki.path("out/ca/ca.crt"), Some(1000), None).unwrap();
    assert_eq!(code(&kpki, &["up", "policy.yaml"]), "foreign-owner");
    chown(kpki.path("out/ca/ca.crt"), Some(0), None).unwrap();
    fs::rename(kpki.path("out"), kpki.path("elsewhere")).unwrap();
    symlink(kpki.path("elsewhere"), kpki.path("out")).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    std::os::unix::fs::lchown(kpki.path("out"), Some(1000), None).unwrap();
    assert_eq!(code(&kpki, &["up", "policy.yaml"]), "foreign-owner");
}

#[test]
fn what_others_could_have_written_to_is_refused_with_the_command_that_helps() {
    let kpki = up();
    for (path, open, closed) in [
        ("out", 0o770, 0o700),
        ("out", 0o707, 0o700),
        ("out/ca", 0o720, 0o700),
        ("out/kafka1", 0o730, 0o700),
    ] {
        kpki.set_mode(path, open);
        let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
        assert!(
            said.contains(&format!("error: {path} can be written by")),
            "{said}"
        );
        assert!(said.contains(&format!("chmod go-w {path}")), "{said}");
        assert_eq!(kpki.mode(path), open, "nothing is changed by a refusal");
        kpki.set_mode(path, closed);
        kpki.ok(&["up", "policy.yaml"]);
    }
    // The command is one as it stands.
    let named = ["--out", "my $dir", "up", "policy.yaml"];
    kpki.ok(&named);
    kpki.set_mode("my $dir", 0o777);
    let said = kpki.run(&named).expect_code(1).stderr;
    assert!(said.contains("chmod go-w 'my $dir'"), "{said}");
}

/// `chmod 666` on a file and a directory that others may enter: that is all it takes to have `renew` sign other hosts.
#[test]
fn an_inventory_that_others_could_have_altered_is_not_believed() {
    let kpki = up();
    let inventory = kpki.path("out/ca/inventory.jsonl");
    let text = fs::read_to_string(&inventory).unwrap();
    fs::write(&inventory, text.replace("DNS:kafka1", "DNS:evil")).unwrap();
    for dir in ["out", "out/ca"] {
        kpki.set_mode(dir, 0o755);
    }
    for path in [
        "out/ca/inventory.jsonl",
        "out/ca/ca.crt",
        "out/written.jsonl",
        "out/cluster.id",
    ] {
        let closed = kpki.mode(path);
        kpki.set_mode(path, closed | 0o022);
        for command in [&["renew", "kafka1"][..], &["up", "policy.yaml"]] {
            let said = kpki.run(command).expect_code(1).stderr;
            assert!(
                said.contains(&format!("error: {path} can be written by others")),
                "{said}"
            );
            assert!(said.contains(&format!("chmod go-w {path}")), "{said}");
        }
        assert_eq!(kpki.mode("out/ca"), 0o755, "nothing is mended");
        assert_eq!(kpki.mode(path), closed | 0o022);
        kpki.set_mode(path, closed);
    }
    fs::write(&inventory, text).unwrap();
    kpki.ok(&["renew", "kafka1"]);
    // Where nobody else can enter the directory, nobody else wrote the file.
    kpki.set_mode("out/ca/inventory.jsonl", 0o666);
    kpki.ok(&["renew", "kafka1"]);
    assert_eq!(kpki.mode("out/ca/inventory.jsonl"), 0o600);
}

/// As git makes it for those whose files their group may write.
#[test]
fn a_clone_under_umask_002_works() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.write("out/.gitignore", "*\n!.gitignore\n");
    kpki.set_mode("out", 0o775);
    kpki.set_mode("out/.gitignore", 0o664);
    kpki.ok(&["up", "--dry-run", "policy.yaml"]);
    assert_eq!(kpki.mode("out"), 0o775, "--dry-run changes nothing");
    let mut command = Command::new("sh");
    let built = kpki.command(&["up", "policy.yaml"]);
    command
        .args(["-c", "umask 002; exec \"$0\" up policy.yaml"])
        .arg(built.get_program())
        .current_dir(kpki.dir())
        .env_clear()
        .envs(
            built
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    let said = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{stderr}");
    assert!(
        stderr.contains("out could be changed by other users (0775); its mode is now 0700"),
        "{stderr}"
    );
    for path in ["out", "out/ca", "out/kafka1"] {
        assert_eq!(kpki.mode(path), 0o700, "{path}");
    }
    assert_eq!(kpki.ok(&["up", "policy.yaml"]).stderr, "");
}

#[test]
fn whoever_makes_a_directory_first_gets_no_key_for_it() {
    let kpki = up();
    kpki.write("two.yaml", "brokers: [{name: kafka1}, {name: kafka2}]\n");
    fs::create_dir(kpki.path("out/kafka2")).unwrap();
    kpki.set_mode("out/kafka2", 0o700);
    if !give(&kpki, "out/kafka2", 1000) {
        return;
    }
    assert_eq!(code(&kpki, &["up", "two.yaml"]), "foreign-owner");
    // Another's directory under the name of one that was made, as after a swap.
    give(&kpki, "out/kafka1", 1000);
    assert_eq!(code(&kpki, &["renew", "kafka1"]), "foreign-owner");
    assert_eq!(code(&kpki, &["up", "policy.yaml"]), "foreign-owner");
    assert_eq!(
        code(&kpki, &["up", "policy.yaml", "--owner", "1001:1001"]),
        "foreign-owner"
    );
    let said = kpki.run(&["renew", "kafka1"]).stderr;
    assert!(said.contains("--owner 1000:GID"), "{said}");
    // Once it is said, it is known from then on.
    kpki.ok(&["up", "policy.yaml", "--owner", "1000:1000"]);
    kpki.ok(&["renew", "kafka1"]);
    let meta = fs::metadata(kpki.path("out/kafka1/kafka1.key")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (1000, 1000));
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(fs::read_dir(kpki.path("out/kafka2")).unwrap().count(), 0);
}

#[test]
fn a_link_named_commit_moves_nobodys_home() {
    let kpki = up();
    for (file, text) in [("home/kafka2/mail", "mine"), ("home/kafka1/mail", "mine")] {
        kpki.write(file, text);
    }
    for link in [
        ".commit-1",
        ".new-Ab12cd",
        ".kpki-Ab12cd",
        "ca/.kpki-Ab12ce",
    ] {
        symlink(kpki.path("home"), kpki.path("out").join(link)).unwrap();
    }
    // Other things under such names.
    kpki.write("out/.commit-a b/kafka2/x", "");
    kpki.write("out/.new-file", "");
    fs::create_dir(kpki.path("out/.kpki-dir")).unwrap();
    kpki.write("out/.commit-open/kafka2/x", "");
    kpki.set_mode("out/.commit-open", 0o777);
    let said = kpki.ok(&["issue", "other"]).stderr;
    for name in [
        ".commit-1",
        ".new-Ab12cd",
        ".kpki-Ab12cd",
        "ca/.kpki-Ab12ce",
    ] {
        let warning = format!(
            "warning: out/{name} is a link, which kpki does not create, so it is left alone"
        );
        assert!(said.contains(&warning), "{warning} is not in {said}");
        assert!(
            fs::symlink_metadata(kpki.path("out").join(name))
                .unwrap()
                .is_symlink()
        );
    }
    for name in [
        ".commit-a b/kafka2/x",
        ".new-file",
        ".kpki-dir",
        ".commit-open/kafka2/x",
    ] {
        assert!(kpki.path("out").join(name).exists(), "{name}");
    }
    assert_eq!(
        fs::read_to_string(kpki.path("home/kafka2/mail")).unwrap(),
        "mine"
    );
    assert!(!kpki.path("out/kafka2").exists() && !kpki.path("out/kafka1/mail").exists());
}

#[test]
fn nothing_in_a_promise_is_moved_that_kpki_does_not_make() {
    let kpki = up();
    kpki.write("home/secret", "mine");
    fs::create_dir_all(kpki.path("out/.commit-Ab12cd/kafka2")).unwrap();
    symlink(kpki.path("home"), kpki.path("out/.commit-Ab12cd/kafka3")).unwrap();
    symlink(
        kpki.path("home/secret"),
        kpki.path("out/.commit-Ab12cd/kafka2/kafka2.key"),
    )
    .unwrap();
    kpki.write("out/.commit-Ab12cd/.ssh/authorized_keys", "");
    fs::create_dir(kpki.path("out/.commit-Ab12cd/kafka4")).unwrap();
    symlink(
        kpki.path("home/secret"),
        kpki.path("out/.commit-Ab12cd/kafka4/kafka4.key"),
    )
    .unwrap();
    fs::create_dir(kpki.path("out/kafka2")).unwrap();
    assert_eq!(code(&kpki, &["issue", "other"]), "unfinished");
    assert_eq!(
        fs::read_to_string(kpki.path("home/secret")).unwrap(),
        "mine"
    );
    for name in ["kafka3", "kafka4", ".ssh"] {
        assert!(!kpki.path("out").join(name).exists(), "{name}");
    }
    assert_eq!(fs::read_dir(kpki.path("out/kafka2")).unwrap().count(), 0);
}

#[test]
fn no_promise_blocks_later_commands() {
    let kpki = up();
    let promises = || {
        let names = fs::read_dir(kpki.path("out")).unwrap();
        let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
        names
            .filter(|n| n.starts_with(".commit") || n.starts_with(".new"))
            .count()
    };
    // What a commit cannot place is found before it is promised.
    let key = fs::read(kpki.path("out/kafka1/kafka1.key")).unwrap();
    fs::remove_file(kpki.path("out/kafka1/kafka1.pem")).unwrap();
    fs::create_dir(kpki.path("out/kafka1/kafka1.pem")).unwrap();
    let said = kpki
        .run(&["renew", "kafka1", "--new-key"])
        .expect_code(1)
        .stderr;
    assert!(
        said.contains(
            "out/kafka1/kafka1.pem is a directory in the place of a file that is to be written"
        ),
        "{said}"
    );
    assert_eq!(promises(), 0);
    let inventory = || fs::read_to_string(kpki.path("out/ca/inventory.jsonl")).unwrap();
    assert_eq!(
        inventory().lines().count(),
        2,
        "nothing is signed for nothing"
    );
    assert_eq!(fs::read(kpki.path("out/kafka1/kafka1.key")).unwrap(), key);
    kpki.ok(&["issue", "other"]);
    fs::remove_dir(kpki.path("out/kafka1/kafka1.pem")).unwrap();

    // An obstacle that came after the promise: the rest is done, and what is in the way is named.
    for file in ["kafka1/kafka1.pem", "kafka5/a", "kafka6/a", "other/b"] {
        kpki.write(&format!("out/.commit-Ab12cd/{file}"), "promised");
    }
    kpki.write("out/kafka5/a/b", "a directory");
    for _ in 0..2 {
        let said = kpki.run(&["issue", "another"]).expect_code(1).stderr;
        assert!(said.contains("out/kafka5/a is a directory"), "{said}");
        assert!(said.contains("hint: move out/kafka5/a away"), "{said}");
    }
    for done in ["kafka1/kafka1.pem", "kafka6/a", "other/b"] {
        let text = fs::read_to_string(kpki.path("out").join(done)).unwrap();
        assert_eq!(text, "promised", "{done}");
    }
    kpki.write("password", "export password\n");
    let overwrite = ["--overwrite", "kafka1/kafka1.pem"];
    kpki.ok(&[&["up", "--dry-run", "policy.yaml"][..], &overwrite].concat());
    kpki.ok(&["principal", "kafka1"]);
    kpki.ok(&[
        "ca",
        "export-key",
        "--out-file",
        "x",
        "--password-file",
        "password",
    ]);
    fs::rename(kpki.path("out/kafka5/a"), kpki.path("away")).unwrap();
    kpki.ok(&["issue", "another"]);
    assert_eq!(
        fs::read_to_string(kpki.path("out/kafka5/a")).unwrap(),
        "promised"
    );
    assert_eq!(promises(), 0);
}

/// A mount on the same file system cannot be moved into, which no device number shows.
#[test]
fn a_mounted_directory_is_found_before_anything_is_promised() {
    let kpki = up();
    fs::create_dir(kpki.path("volume")).unwrap();
    kpki.set_mode("volume", 0o700);
    // In a mount namespace of its own, so that nothing stays mounted.
    let built = kpki.command(&[]);
    let tried = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind volume out/kafka1 || exit 77; exec \"$0\" up policy.yaml")
        .arg(built.get_program())
        .current_dir(kpki.dir())
        .env_clear()
        .envs(
            built
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .output();
    let Ok(said) = tried else {
        return leave_out("there is no unshare");
    };
    let stderr = String::from_utf8_lossy(&said.stderr);
    if said.status.code() != Some(1) || stderr.contains("unshare") {
        leave_out(&format!("no mount namespace to be had: {stderr}"));
        return;
    }
    assert!(stderr.contains("out/kafka1 is a mount point"), "{stderr}");
    kpki.ok(&["issue", "other"]);
}

#[test]
fn a_lock_is_not_waited_for_without_end() {
    let mut kpki = up();
    kpki.env("KPKI_LOCK_TIMEOUT", "1");
    let held = fs::File::open(kpki.path("out")).unwrap();
    held.lock().unwrap();
    let begin = std::time::Instant::now();
    let said = kpki.run(&["issue", "kafka2"]).expect_code(1).stderr;
    assert!(
        (1..20).contains(&begin.elapsed().as_secs()),
        "{:?}",
        begin.elapsed()
    );
    let who = format!("process {} (", std::process::id());
    for line in ["waiting for ", "error: out is locked by "] {
        let who = if cfg!(target_os = "linux") { &who } else { "" };
        assert!(said.contains(&format!("{line}{who}")), "{said}");
    }
    assert_eq!(code(&kpki, &["issue", "kafka2"]), "locked");
    assert!(!kpki.path("out/kafka2").exists());
    kpki.env("KPKI_LOCK_TIMEOUT", "soon");
    kpki.run(&["issue", "kafka2"]).expect_code(2);
    drop(held);
    kpki.env("KPKI_LOCK_TIMEOUT", "0");
    kpki.ok(&["issue", "kafka2"]);
}

#[test]
fn a_link_in_the_place_of_a_record_or_of_a_file_of_the_ca_is_not_followed() {
    let kpki = up();
    kpki.ok(&["crl"]);
    let elsewhere = kpki.path("elsewhere");
    for file in [
        "ca/ca.crt",
        "ca/ca.key",
        "ca/crl.pem",
        "ca/crl.url",
        "ca/inventory.jsonl",
        "ca/rotation.json",
        "ca/truststore.password",
        "cluster.id",
        "written.jsonl",
    ] {
        let path = kpki.path("out").join(file);
        let was = fs::read(&path).ok();
        fs::write(&elsewhere, was.as_deref().unwrap_or(b"a secret")).unwrap();
        let before = fs::read(&elsewhere).unwrap();
        let _ = fs::remove_file(&path);
        symlink(&elsewhere, &path).unwrap();
        let inventory = || fs::read(kpki.path("out/ca/inventory.jsonl")).unwrap();
        let signed = inventory();
        // Each of these files is read by one of them at least.
        let mut refused = 0;
        for command in [
            &["rotate-ca", "status"][..],
            &["renew", "kafka1"],
            &["up", "policy.yaml"],
            &["crl"],
        ] {
            let done = kpki.run(command);
            if done.stderr.contains("is a symbolic link") {
                refused += 1;
            }
        }
        assert!(refused > 0, "{file}");
        assert_eq!(fs::read(&elsewhere).unwrap(), before, "{file}");
        let records = ["ca/inventory.jsonl", "written.jsonl", "cluster.id"];
        if records.contains(&file) {
            assert_eq!(refused, 4, "{file}");
            assert_eq!(inventory(), signed, "{file}: nothing was signed");
        }
        if path.is_symlink() {
            let said = kpki.run(&["doctor", "--json"]).expect_code(3).json();
            let faults = said["faults"].as_array().unwrap();
            assert_eq!(faults.len(), 1, "{said}");
            assert_eq!(faults[0]["code"], "owner");
            assert_eq!(faults[0]["command"], format!("rm out/{file}"));
            fs::remove_file(&path).unwrap();
            if let Some(was) = was {
                fs::write(&path, was).unwrap();
                kpki.set_mode(&format!("out/{file}"), 0o600);
            }
        }
        kpki.ok(&["crl"]);
    }
    kpki.ok(&["doctor", "policy.yaml"]);
}

/// The file that a command names may well be a link: it is its user's own.
#[test]
fn a_link_that_is_named_on_the_command_line_is_followed() {
    let kpki = up();
    symlink("policy.yaml", kpki.path("link.yaml")).unwrap();
    kpki.ok(&["up", "link.yaml"]);
}
