//! Faults that were found once, each with a test that names it: odd directories, lost and foreign files, changed minds.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Stdio,
};

use kpki::keystore::StoreProfile;

use crate::support::{kpki::Kpki, openssl::openssl};

fn up(policy: &str) -> Kpki {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", policy);
    kpki.ok(&["up", "policy.yaml"]);
    kpki
}

const BROKER: &str = "brokers: [{name: kafka1}]\n";
const ALICE: &str =
    "brokers: [{name: kafka1}]\nclients: [{name: alice, auth: [tls, scram-sha-512]}]\n";

/// A promise of `init-ca` that meets another CA must not replace it.
#[test]
fn an_interrupted_ca_does_not_overwrite_one_that_was_restored() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let interrupted = kpki.path("out/.commit-x");
    fs::create_dir(&interrupted).unwrap();
    fs::rename(kpki.path("out/ca"), interrupted.join("ca")).unwrap();
    let other = Kpki::new();
    other.ok(&["init-ca"]);
    fs::rename(other.path("out/ca"), kpki.path("out/ca")).unwrap();
    let key = fs::read(kpki.path("out/ca/ca.key")).unwrap();
    let said = kpki.run(&["issue", "kafka1"]).expect_code(1);
    assert!(
        said.stderr
            .contains("appeared while an interrupted command was creating a CA"),
        "{}",
        said.stderr
    );
    assert_eq!(fs::read(kpki.path("out/ca/ca.key")).unwrap(), key);
    // Without another CA the promise is kept, also by a command that only uses one.
    fs::remove_dir_all(kpki.path("out/ca")).unwrap();
    kpki.ok(&["issue", "kafka1"]);
}

#[test]
fn no_new_ca_is_made_over_the_remains_of_an_old_one_or_a_link_to_nowhere() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--intermediate"]);
    for file in ["ca.key", "ca.crt"] {
        fs::rename(kpki.path("out/ca").join(file), kpki.path(file)).unwrap();
    }
    let root = fs::read(kpki.path("out/ca/root.key")).unwrap();
    assert!(
        kpki.run(&["init-ca"])
            .expect_code(1)
            .stderr
            .contains("a CA already exists")
    );
    assert!(
        kpki.run(&["issue", "a"])
            .expect_code(1)
            .stderr
            .contains("incomplete: ca.crt is missing")
    );
    assert_eq!(fs::read(kpki.path("out/ca/root.key")).unwrap(), root);

    let kpki = Kpki::new();
    fs::create_dir(kpki.path("out")).unwrap();
    symlink(kpki.path("gone/ca"), kpki.path("out/ca")).unwrap();
    kpki.write("policy.yaml", BROKER);
    for command in [&["init-ca"][..], &["up", "policy.yaml"]] {
        assert!(
            kpki.run(command)
                .expect_code(1)
                .stderr
                .contains("cannot list out/ca")
        );
    }
}

#[test]
fn a_missing_part_of_the_ca_is_named() {
    for (made, file) in [
        ("", "inventory.jsonl"),
        ("", "truststore.password"),
        ("--intermediate", "intermediate.crt"),
    ] {
        let kpki = Kpki::new();
        kpki.ok(if made.is_empty() {
            &["init-ca"]
        } else {
            &["init-ca", "--intermediate"]
        });
        fs::remove_file(kpki.path("out/ca").join(file)).unwrap();
        let said = kpki.run(&["issue", "a"]).expect_code(1);
        assert!(
            said.stderr
                .contains(&format!("incomplete: {file} is missing")),
            "{}",
            said.stderr
        );
    }
}

/// Two default CAs have the same subject: only the key tells them apart.
#[test]
fn leaves_of_another_ca_of_the_same_name_are_reissued() {
    let kpki = up(BROKER);
    fs::rename(kpki.path("out/ca"), kpki.path("old")).unwrap();
    let again = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        again
            .stdout
            .contains("reissued  broker kafka1: it was issued by another CA"),
        "{}",
        again.stdout
    );
    let verify = [
        "verify",
        "-CAfile",
        "out/kafka1/ca.crt",
        "out/kafka1/kafka1.crt",
    ];
    let Some(verified) = openssl(kpki.dir(), &verify) else {
        return;
    };
    verified.expect_code(0);
}

#[test]
fn a_client_that_becomes_a_broker_gets_a_servers_certificate() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "kafka1"]);
    kpki.write("policy.yaml", BROKER);
    let again = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        again
            .stdout
            .contains("reissued  broker kafka1: it is now a broker"),
        "{}",
        again.stdout
    );
    let verify = [
        "verify",
        "-purpose",
        "sslserver",
        "-CAfile",
        "out/ca/ca.crt",
        "out/kafka1/kafka1.crt",
    ];
    let Some(verified) = openssl(kpki.dir(), &verify) else {
        return;
    };
    verified.expect_code(0);
}

#[test]
fn renewal_keeps_owner_profile_and_every_layout() {
    let kpki = up(BROKER);
    kpki.ok(&[
        "up",
        "policy.yaml",
        "--layout",
        "script-sh",
        "--store-profile",
        "legacy",
    ]);
    let root = fs::metadata(kpki.path("out")).unwrap().uid() == 0;
    if root {
        kpki.ok(&["up", "policy.yaml", "--owner", "1000:1001"]);
    }
    let read = |file: &str| fs::read(kpki.path("out/kafka1").join(file)).unwrap();
    let (modern, classic) = (read("kafka1.keystore.p12"), read("kafka1.keystore.jks"));
    kpki.ok(&["renew", "kafka1"]);
    assert_ne!(read("kafka1.keystore.p12"), modern);
    assert_ne!(read("kafka1.keystore.jks"), classic);
    assert!(
        classic.len() > 500
            && StoreProfile::of(&read("kafka1.keystore.jks")) == StoreProfile::Legacy
    );
    assert!(StoreProfile::of(&read("kafka1.keystore.p12")) == StoreProfile::Jdk);
    if root {
        for file in ["kafka1.keystore.p12", "kafka1.key", "kafka1.crt"] {
            let meta = fs::metadata(kpki.path("out/kafka1").join(file)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (1000, 1001), "{file}");
        }
        assert!(
            kpki.ok(&["up", "policy.yaml", "--owner", "1000:1001"])
                .stdout
                .contains("unchanged  1 of 1")
        );
    }
    // Without a word about the profile, stores stay as they are.
    let classic = read("kafka1.keystore.jks");
    kpki.ok(&["up", "policy.yaml", "--layout", "script-sh"]);
    assert_eq!(read("kafka1.keystore.jks"), classic);
}

#[test]
fn a_key_store_that_does_not_open_or_holds_another_certificate_is_written_anew() {
    let kpki = up(BROKER);
    let store = kpki.path("out/kafka1/kafka1.keystore.p12");
    let before = fs::read(&store).unwrap();
    kpki.ok(&["renew", "kafka1"]);
    for bad in [b"garbage".to_vec(), before] {
        fs::write(&store, bad).unwrap();
        assert!(
            kpki.ok(&["up", "policy.yaml"])
                .stdout
                .contains("updated  broker kafka1")
        );
        assert!(
            kpki.ok(&["up", "policy.yaml"])
                .stdout
                .contains("unchanged  1 of 1")
        );
    }
    fs::write(kpki.path("out/kafka1/keystore_creds"), "anotherpassword\n").unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    let open = [
        "pkcs12",
        "-in",
        "out/kafka1/kafka1.keystore.p12",
        "-passin",
        "pass:anotherpassword",
        "-noout",
    ];
    let Some(opened) = openssl(kpki.dir(), &open) else {
        return;
    };
    opened.expect_code(0);
}

#[test]
fn what_stands_in_the_way_is_named_before_anything_is_signed() {
    let signed = |kpki: &Kpki| {
        fs::read_to_string(kpki.path("out/ca/inventory.jsonl"))
            .unwrap()
            .lines()
            .count()
    };
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1}, {name: kafka2}, {name: kafka3}]\n",
    );
    kpki.write("out/kafka1", "a file");
    fs::create_dir(kpki.path("elsewhere")).unwrap();
    symlink(kpki.path("elsewhere"), kpki.path("out/kafka2")).unwrap();
    fs::create_dir(kpki.path("out/kafka3")).unwrap();
    fs::set_permissions(kpki.path("out/kafka3"), fs::Permissions::from_mode(0o777)).unwrap();
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    for reason in [
        "out/kafka1 is in the place of an identity's directory",
        "out/kafka2 is in the place of an identity's directory",
        "out/kafka3 can be written by others",
        "hint: move out/kafka1 away",
    ] {
        assert!(said.contains(reason), "{reason} is not in {said}");
    }
    assert_eq!(signed(&kpki), 1);
    kpki.ok(&["issue", "other"]);
}

/// A directory given away with --owner belongs to somebody else: what its owner links there must not be read as root.
#[test]
fn links_and_pipes_in_an_identitys_directory_are_not_followed() {
    let kpki = up(ALICE);
    let password = kpki.path("out/alice/scram.password");
    fs::remove_file(&password).unwrap();
    symlink("../ca/ca.key", &password).unwrap();
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1);
    assert!(
        said.stderr.contains("scram.password is a symbolic link"),
        "{}",
        said.stderr
    );
    fs::remove_file(&password).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&password)
            .status()
            .unwrap()
            .success()
    );
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1);
    assert!(
        said.stderr.contains("scram.password is not a regular file"),
        "{}",
        said.stderr
    );
}

/// The lock was a file once, which people remove as stale.
#[test]
fn nothing_that_could_be_removed_keeps_two_writers_apart() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let children: Vec<_> = (0..6)
        .map(|n| {
            let name = format!("kafka{n}");
            kpki.command(&["issue", &name])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        let hidden = fs::read_dir(kpki.path("out"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap());
        let locks: Vec<_> = hidden.filter(|n| n.contains("lock")).collect();
        assert!(locks.is_empty(), "{locks:?}");
        assert!(child.wait().unwrap().success());
    }
    let inventory = fs::read_to_string(kpki.path("out/ca/inventory.jsonl")).unwrap();
    assert_eq!(inventory.lines().count(), 7);
}

#[test]
fn a_policy_that_cannot_be_carried_out_leaves_no_ca_behind() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", BROKER);
    fs::create_dir(kpki.path("open")).unwrap();
    fs::set_permissions(kpki.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    let said = kpki
        .run(&["--out", "open", "up", "policy.yaml"])
        .expect_code(1);
    assert!(
        said.stderr.contains("can be written by everyone"),
        "{}",
        said.stderr
    );
    kpki.run(&["--out", "a\nb", "up", "policy.yaml"])
        .expect_code(2);
    kpki.run(&["up", "policy.yaml", "--owner", "4294967295:0"])
        .expect_code(2);
    assert!(!kpki.path("open/ca").exists() && !kpki.path("out").exists());
}

/// A passphrase file that can be read only once, such as a pipe.
#[test]
fn the_passphrase_of_a_new_ca_is_read_once() {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    kpki.write("policy.yaml", BROKER);
    kpki.run_with_input(
        &["--ca-passphrase-file", "/dev/stdin", "up", "policy.yaml"],
        "a secret of the tests\n",
    )
    .expect_code(0);
    kpki.env("KPKI_CA_PASSPHRASE_FILE", "")
        .env("KPKI_CA_PASSPHRASE", "a secret of the tests");
    kpki.ok(&["issue", "a"]);
}

#[test]
fn a_foreign_directory_is_not_hidden_from_version_control_and_the_user_is_warned() {
    let kpki = Kpki::new();
    kpki.write("src/main.rs", "");
    let said = kpki.ok(&["--out", ".", "init-ca"]);
    assert!(
        said.stderr.contains("warning: . was not created by kpki"),
        "{}",
        said.stderr
    );
    assert!(!kpki.path(".gitignore").exists());
}

#[test]
fn a_constrained_ca_refuses_a_dotted_name_that_openssl_would_refuse() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--name-constraint", "example.com"]);
    let said = kpki
        .run(&["issue", "--client", "alice.prod"])
        .expect_code(1);
    assert!(
        said.stderr
            .contains("`alice.prod` is outside the CA's name constraints"),
        "{}",
        said.stderr
    );
    kpki.ok(&["issue", "--client", "alice"]);
    let Some(verified) = openssl(
        kpki.dir(),
        &["verify", "-CAfile", "out/ca/ca.crt", "out/alice/alice.crt"],
    ) else {
        return;
    };
    verified.expect_code(0);
}

#[test]
fn a_lost_scram_password_is_said_and_superfluous_files_are_reported() {
    let kpki = up(ALICE);
    fs::remove_file(kpki.path("out/alice/scram.password")).unwrap();
    let said = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        said.stderr
            .contains("warning: the SCRAM password of alice was lost"),
        "{}",
        said.stderr
    );
    assert!(
        said.stdout.contains(
            "to send the new SCRAM credentials of alice to a running cluster:\n    kpki scram apply policy.yaml\n"
        ),
        "{}",
        said.stdout
    );
    kpki.write("policy.yaml", &ALICE.replace("[tls, scram-sha-512]", "tls"));
    let said = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        said.stdout.contains("superfluous  alice still has client-scram-sha-512.properties, scram.json, scram.password"),
        "{}",
        said.stdout
    );
}

#[test]
fn another_ca_beside_the_first_reaches_the_truststores_too() {
    let kpki = up(BROKER);
    let before = fs::read(kpki.path("out/kafka1/kafka1.truststore.p12")).unwrap();
    let other = Kpki::new();
    other.ok(&["init-ca"]);
    let both = [
        fs::read(kpki.path("out/ca/ca.crt")).unwrap(),
        fs::read(other.path("out/ca/ca.crt")).unwrap(),
    ]
    .concat();
    fs::write(kpki.path("out/ca/ca.crt"), both).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    let after = fs::read(kpki.path("out/kafka1/kafka1.truststore.p12")).unwrap();
    assert_ne!(before, after);
    assert_eq!(after, fs::read(kpki.path("out/ca/truststore.p12")).unwrap());
}

#[test]
fn names_that_differ_in_case_from_what_is_there_are_refused_by_up_as_well() {
    let kpki = up(BROKER);
    kpki.write(
        "policy.yaml",
        "brokers: [{name: KAFKA1, hosts: [kafka1]}]\n",
    );
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1);
    assert!(
        said.stderr
            .contains("the name `KAFKA1` differs from the existing `kafka1`"),
        "{}",
        said.stderr
    );
}

#[test]
fn brokers_issued_one_by_one_are_said_to_be_clusters_of_their_own() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    assert!(
        !kpki
            .ok(&["issue", "kafka1", "kafka2"])
            .stdout
            .contains("note:")
    );
    assert!(
        !kpki
            .ok(&["issue", "--client", "alice"])
            .stdout
            .contains("note:")
    );
    let third = kpki.ok(&["issue", "kafka3"]).stdout;
    assert!(
        third.contains(
            "note: according to their server.properties, these brokers form a separate cluster"
        ),
        "{third}"
    );
}

#[test]
fn a_damaged_identity_is_told_from_one_that_is_not_there() {
    let kpki = up(BROKER);
    fs::remove_file(kpki.path("out/kafka1/kafka1.keystore.p12")).unwrap();
    let said = kpki.run(&["renew", "kafka1"]).expect_code(1);
    assert!(
        said.stderr
            .contains("out/kafka1 is damaged: it does not contain a keystore"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_file_to_read_is_never_to_be_moved_away() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    for (arguments, most) in [
        (["inspect", "/dev/zero"], "256 MiB"),
        (["sign", "/dev/zero"], "64 KiB"),
    ] {
        let said = kpki.run(&arguments).expect_code(1).stderr;
        assert!(
            said.contains(&format!("/dev/zero is larger than {most}")) && !said.contains("move"),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_created_is_named() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    // Where not even root may create a file.
    let closed = match rustix::process::geteuid().is_root() {
        true => "/sys",
        false => "closed",
    };
    if closed == "closed" {
        fs::create_dir(kpki.path(closed)).unwrap();
        kpki.set_mode(closed, 0o500);
    }
    for dir in [closed, "nowhere"] {
        let file = format!("{dir}/t.pem");
        let add = ["trust", "add", "out/ca/ca.crt", "--out-file", &file];
        let said = kpki.run(&add).expect_code(1).stderr;
        assert!(
            said.contains(&format!("cannot create {file}: ")) && !said.contains("another --out"),
            "{said}"
        );
    }
    let said = kpki.run(&["man", "--dir", closed]).expect_code(1).stderr;
    assert!(
        said.contains(&format!("cannot create {closed}/kpki.1: ")),
        "{said}"
    );
}

#[test]
fn what_is_neither_an_address_nor_a_policy_is_told_both() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    for what in ["localhost", "localhost:0", "localhost:99999", ":1", "a.b.c"] {
        let said = kpki.run(&["verify", what]).expect_code(2).stderr;
        assert!(
            said.contains("HOST:PORT, with a port from 1 to 65535"),
            "{what}: {said}"
        );
    }
    for what in ["nothing.yaml", "teams/nothing"] {
        let said = kpki.run(&["verify", what]).expect_code(1).stderr;
        assert!(said.contains(&format!("cannot read {what}: ")), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_crash_leaves_no_core_file() {
    use std::os::unix::process::ExitStatusExt;

    let kpki = Kpki::new();
    // As many octets as the caller may allow; then it waits for its input.
    let script = "ulimit -S -c \"$(ulimit -H -c)\"; exec \"$0\" policy check -";
    let mut child = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_kpki")])
        .current_dir(kpki.dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let limits = format!("/proc/{}/limits", child.id());
    let begin = std::time::Instant::now();
    loop {
        let limits = fs::read_to_string(&limits).unwrap();
        let line = limits.lines().find(|line| line.contains("core file"));
        let mut words = line.unwrap().split_whitespace().skip(4);
        if (words.next(), words.next()) == (Some("0"), Some("0")) {
            break;
        }
        assert!(begin.elapsed().as_secs() < 60, "{limits}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::ABORT).unwrap();
    let status = child.wait().unwrap();
    assert!(
        status.signal().is_some() && !status.core_dumped(),
        "{status}"
    );
}
