//! Secrets that others can read or change, parts of the CA that were lost, and how they are mended.

use std::{fs, os::unix::fs::PermissionsExt};

use kpki::{
    bootstrap::{ca, trust::Trust},
    issuer::local::{CaSpec, NewCa},
    pki::{KeyAlgorithm, KeyProtection},
    secret::Secret,
    state::{Lock, OutDir},
};

use crate::support::{kpki::Kpki, openssl::openssl};

const POLICY: &str = "brokers: [{name: kafka1}]\nclients: [{name: alice}]\n";

fn up() -> Kpki {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    kpki
}

#[test]
fn loosened_modes_are_mended_and_said() {
    let kpki = up();
    let notes = kpki.write("out/kafka1/notes.txt", "the user's own");
    kpki.set_mode("out/kafka1/notes.txt", 0o664);
    for (path, loose, tight, said) in [
        (
            "out/ca/ca.key",
            0o644,
            0o600,
            "could be read by other users (0644); its mode is now 0600; consider",
        ),
        (
            "out/ca/ca.crt",
            0o666,
            0o644,
            "could be changed by other users (0666); its mode is now 0644",
        ),
        (
            "out/kafka1/kafka1.keystore.p12",
            0o666,
            0o600,
            "could be changed by other users (0666)",
        ),
        (
            "out/kafka1/kafka1.key",
            0o640,
            0o600,
            "could be read by other users (0640)",
        ),
        (
            "out/kafka1",
            0o755,
            0o700,
            "could be entered by other users (0755); its mode is now 0700",
        ),
        (
            "out/ca",
            0o755,
            0o700,
            "could be entered by other users (0755)",
        ),
        (
            "out",
            0o755,
            0o700,
            "could be entered by other users (0755)",
        ),
    ] {
        for command in [&["up", "policy.yaml"][..], &["renew", "kafka1"]] {
            kpki.set_mode(path, loose);
            let stderr = kpki.ok(command).stderr;
            assert!(
                stderr.contains(&format!("warning: {path} {said}")),
                "{stderr}"
            );
            assert_eq!(kpki.mode(path), tight, "{path}");
        }
    }
    assert_eq!(kpki.ok(&["up", "policy.yaml"]).stderr, "");
    assert_eq!(
        fs::metadata(notes).unwrap().permissions().mode() & 0o777,
        0o664
    );
}

/// `--out .` in a project: the directory is the user's, open as they like it.
#[test]
fn a_directory_that_is_not_kpkis_own_keeps_its_mode() {
    let kpki = Kpki::new();
    kpki.write("src/main.rs", "");
    kpki.set_mode(".", 0o755);
    kpki.ok(&["--out", ".", "init-ca"]);
    kpki.ok(&["--out", ".", "issue", "kafka1"]);
    assert_eq!((kpki.mode("."), kpki.mode("ca")), (0o755, 0o700));
}

/// A second name of a file that lies elsewhere, put into a directory by whoever owns that.
#[test]
fn a_hard_link_does_not_change_the_mode_of_what_lies_elsewhere() {
    let kpki = up();
    kpki.write("elsewhere", "of the same user");
    kpki.set_mode("elsewhere", 0o644);
    fs::hard_link(kpki.path("elsewhere"), kpki.path("out/alice/spring.yaml")).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(kpki.mode("elsewhere"), 0o644);
}

#[test]
fn a_passphrase_file_that_others_can_read_is_refused() {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    kpki.write("pass", "a secret of the tests\n");
    for open in [0o644, 0o640, 0o604, 0o622] {
        kpki.set_mode("pass", open);
        let said = kpki
            .run(&["--ca-passphrase-file", "pass", "init-ca"])
            .expect_code(1)
            .stderr;
        assert!(
            said.contains("the passphrase file pass can be read by other users"),
            "{said}"
        );
        assert!(said.contains("hint: chmod 600 pass"), "{said}");
    }
    kpki.env("KPKI_CA_PASSPHRASE_FILE", "pass");
    let said = kpki.run(&["--json", "init-ca"]).expect_code(1).json();
    assert_eq!(said["error"]["code"], "passphrase-exposed");
    assert!(!kpki.path("out/ca").exists());
    kpki.set_mode("pass", 0o600);
    kpki.ok(&["init-ca"]);
    // Neither a pipe, nor a link to a file that nobody else reads.
    std::os::unix::fs::symlink("pass", kpki.path("link")).unwrap();
    kpki.env("KPKI_CA_PASSPHRASE_FILE", "link");
    kpki.ok(&["issue", "kafka1"]);
    kpki.env("KPKI_CA_PASSPHRASE_FILE", "/dev/stdin");
    kpki.run_with_input(&["issue", "kafka2"], "a secret of the tests\n")
        .expect_code(0);
    kpki.env("KPKI_CA_PASSPHRASE_FILE", "/dev/zero");
    let said = kpki.run(&["issue", "kafka3"]).expect_code(1).stderr;
    assert!(said.contains("it is too large for a passphrase"), "{said}");
}

#[test]
fn a_short_passphrase_is_refused_for_a_new_ca_and_opens_an_old_one() {
    let mut kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.env("KPKI_CA_PASSPHRASE", "pässwör");
    for command in [&["--json", "init-ca"][..], &["--json", "up", "policy.yaml"]] {
        let said = kpki.run(command).expect_code(1).json();
        assert_eq!(said["error"]["code"], "passphrase-short");
        let hint = said["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("--no-passphrase"), "{hint}");
    }
    assert!(!kpki.path("out/ca").exists());
    let out = OutDir::new(kpki.path("out"));
    out.create().unwrap();
    let lock = Lock::acquire(out.root(), std::time::Duration::ZERO, |_| ()).unwrap();
    let spec = CaSpec {
        subject: "CN=Kafka CA".parse().unwrap(),
        generation: 1,
        key: KeyAlgorithm::EcdsaP256,
        days: 10,
        intermediate: false,
        name_constraints: Vec::new(),
    };
    let short = KeyProtection::Passphrase(Secret::new("pässwör".into()));
    let now = time::OffsetDateTime::now_utc();
    let new = NewCa::make(&spec, now).unwrap();
    let trust = Trust::new(&new).unwrap();
    ca::write(&out, &lock, new, &trust, &short).unwrap();
    drop(lock);
    kpki.ok(&["issue", "kafka1"]);
}

/// The checksum tells accidents; whoever alters the file on purpose mends it.
#[test]
fn a_sealed_key_that_was_altered_on_purpose_is_not_called_intact() {
    use sha2::{Digest, Sha256};
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let path = kpki.path("out/ca/ca.key");
    let text = fs::read_to_string(&path).unwrap().replace("t=3", "t=2");
    let body = &text[..text.rfind("sha256: ").unwrap()];
    let sum: String = Sha256::digest(body)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    fs::write(&path, format!("{body}sha256: {sum}\n")).unwrap();
    let said = kpki.run(&["issue", "kafka1"]).expect_code(1).stderr;
    assert!(
        said.contains("wrong passphrase, or the file was altered"),
        "{said}"
    );
    assert!(
        said.contains("restore it from a backup") && !said.contains("intact"),
        "{said}"
    );
}

#[test]
fn a_lost_truststore_password_or_ca_certificate_is_taken_from_where_it_also_stands() {
    for layout in ["default", "script-sh", "apache-kafka"] {
        for lost in [
            &["truststore.password"][..],
            &["ca.crt"],
            &["truststore.password", "ca.crt"],
            &["truststore.password", "truststore.p12"],
            &["ca.crt", "truststore.p12"],
        ] {
            let kpki = Kpki::new();
            kpki.write("policy.yaml", POLICY);
            kpki.ok(&["up", "policy.yaml", "--layout", layout]);
            let read = |file: &str| fs::read(kpki.path("out/ca").join(file)).unwrap();
            let before: Vec<_> = lost.iter().map(|file| read(file)).collect();
            for file in lost {
                fs::remove_file(kpki.path("out/ca").join(file)).unwrap();
            }
            let dry = ["up", "--dry-run", "policy.yaml", "--layout", layout];
            let said = kpki.run(&dry).expect_code(1).stderr;
            assert!(said.contains("incomplete"), "{said}");
            let said = kpki.ok(&["up", "policy.yaml", "--layout", layout]).stderr;
            for (file, before) in lost.iter().zip(before) {
                if *file != "truststore.p12" {
                    assert_eq!(read(file), before, "{file}");
                    let line =
                        format!("warning: out/ca/{file} was lost; it was restored from out/");
                    assert!(said.contains(&line), "{said}");
                }
            }
        }
    }
}

#[test]
fn a_planted_ca_certificate_or_password_does_not_become_the_cas() {
    let kpki = up();
    let other = up();
    let theirs = fs::read(other.path("out/ca/ca.crt")).unwrap();
    for name in ["kafka1", "alice"] {
        fs::write(kpki.path("out").join(name).join("ca.crt"), &theirs).unwrap();
    }
    fs::write(
        kpki.path("out/alice/client.properties"),
        "ssl.truststore.password=theirs\n",
    )
    .unwrap();
    let mine = fs::read(kpki.path("out/ca/ca.crt")).unwrap();
    fs::remove_file(kpki.path("out/ca/ca.crt")).unwrap();
    fs::rename(kpki.path("out/ca/truststore.p12"), kpki.path("store")).unwrap();
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    assert!(
        said.contains("incomplete: ca.crt is missing\nhint: "),
        "{said}"
    );
    assert!(
        said.contains("every identity's directory has a copy"),
        "{said}"
    );
    fs::rename(kpki.path("store"), kpki.path("out/ca/truststore.p12")).unwrap();
    fs::remove_file(kpki.path("out/ca/truststore.password")).unwrap();
    // What was planted is not overwritten unasked.
    let mut up = vec!["up", "policy.yaml"];
    let refused = kpki.run(&up).expect_code(1).stderr;
    assert!(
        refused.contains("out/alice/ca.crt also trusts"),
        "{refused}"
    );
    for planted in ["alice/ca.crt", "kafka1/ca.crt", "alice/client.properties"] {
        up.extend(["--overwrite", planted]);
    }
    kpki.ok(&up);
    assert_eq!(fs::read(kpki.path("out/ca/ca.crt")).unwrap(), mine);
    let Some(verified) = openssl(
        kpki.dir(),
        &[
            "verify",
            "-CAfile",
            "out/alice/ca.crt",
            "out/alice/alice.crt",
        ],
    ) else {
        return;
    };
    verified.expect_code(0);
}

/// A file that was copied over another is damage like any other, and may be a secret.
#[test]
fn what_stands_in_the_place_of_a_record_is_not_shown() {
    let kpki = up();
    let secret = "pa55w0rdpa55w0rdpa55w0rd";
    for (file, code) in [
        ("ca/inventory.jsonl", "inventory-damaged"),
        ("ca/ca.crt", "ca-damaged"),
        ("written.jsonl", "record-damaged"),
    ] {
        let path = kpki.path("out").join(file);
        let sound = fs::read(&path).unwrap();
        fs::write(&path, format!("\"{secret}\"\n")).unwrap();
        let out = kpki.run(&["up", "policy.yaml", "--json"]).expect_code(1);
        assert_eq!(out.json()["error"]["code"], code);
        let said = out.stdout + &out.stderr;
        assert!(said.contains(&format!("out/{file}")), "{said}");
        assert!(!said.contains(secret) && !said.contains("struct"), "{said}");
        fs::write(&path, sound).unwrap();
    }
}

#[test]
fn the_root_key_of_a_ca_without_an_intermediate_is_said_to_be_its_only_one() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.write("password", "export password\n");
    let export = [
        "ca",
        "export-key",
        "--root",
        "--out-file",
        "x",
        "--password-file",
        "password",
    ];
    let said = kpki.run(&export).expect_code(1).stderr;
    assert!(
        said.contains("has no intermediate, so there is no separate root key"),
        "{said}"
    );
    assert!(
        said.contains("hint: without --root, kpki ca export-key exports"),
        "{said}"
    );
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--intermediate"]);
    kpki.write("password", "export password\n");
    kpki.ok(&export);
    fs::remove_file(kpki.path("x")).unwrap();
    fs::remove_file(kpki.path("out/ca/root.key")).unwrap();
    let said = kpki.run(&export).expect_code(1).stderr;
    assert!(
        said.contains("the root key is not on this machine"),
        "{said}"
    );
}

#[test]
fn no_tip_leads_from_one_command_to_its_opposite() {
    let kpki = Kpki::new();
    let tip = |word: &str| kpki.run(&[word]).expect_code(2).stderr;
    let revoke = tip("revoke");
    assert!(!revoke.contains("renew"), "{revoke}");
    let apply = tip("apply");
    assert!(
        apply.contains("there is 'kpki scram apply', and 'kpki acl apply'")
            && !apply.contains("policy"),
        "{apply}"
    );
    assert!(tip("renw").contains("a similar subcommand exists: 'renew'"));
    assert!(tip("explain").contains("'kpki acl explain'"));
    let json = kpki.run(&["--json", "apply"]).expect_code(2).json();
    assert!(
        json["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("kpki acl apply"),
        "{json}"
    );
}

#[test]
fn the_hint_for_a_clients_name_outside_of_the_constraints_is_a_clients() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--name-constraint", "example.com"]);
    let said = kpki
        .run(&["issue", "--client", "alice.prod"])
        .expect_code(1)
        .stderr;
    assert!(
        said.contains("hint: a client's name that is a valid host name"),
        "{said}"
    );
    kpki.write("policy.yaml", "clients: [{name: alice}]\n");
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    assert!(said.contains("`hosts: []`"), "{said}");
    kpki.write("policy.yaml", "clients: [{name: alice, hosts: []}]\n");
    kpki.ok(&["up", "policy.yaml"]);
}

#[test]
fn a_host_of_digits_alone_is_refused_in_a_policy() {
    let kpki = Kpki::new();
    kpki.write(
        "policy.yaml",
        "brokers: [{name: kafka1, hosts: [\"123\"]}, {name: \"456\"}]\n",
    );
    let said = kpki
        .run(&["policy", "check", "policy.yaml"])
        .expect_code(2)
        .stderr;
    for host in ["123", "456"] {
        assert!(
            said.contains(&format!(
                "`{host}` is not a host name: TLS clients do not accept a name of digits only"
            )),
            "{said}"
        );
    }
    // A client is not reached: such a name stands in the CN alone.
    kpki.write("policy.yaml", "clients: [{name: \"456\"}]\n");
    kpki.ok(&["up", "policy.yaml"]);
}

#[test]
fn no_temporary_name_is_shown() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    let limited = std::process::Command::new("sh")
        // Files of at most 2 KiB: the inventory's line is written, the key is not.
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 4; exec \"$0\" issue kafka2 --key rsa-4096",
        ])
        .arg(kpki.command(&[]).get_program())
        .current_dir(kpki.dir())
        .env("KPKI_CA_PASSPHRASE", "a passphrase of the tests")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stderr);
    assert_eq!(limited.status.code(), Some(1), "{said}");
    assert!(
        !said.contains(".new-") && !said.contains("os error"),
        "{said}"
    );
    assert!(
        said.contains("error: cannot write out/kafka2/kafka2."),
        "{said}"
    );
    assert!(!kpki.path("out/kafka2").exists());
}
