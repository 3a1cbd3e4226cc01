//! `kpki bundle`, unpacked by tar and unzip.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::support::{kpki::Kpki, leave_out, skip, terminal};

fn with_broker() -> Kpki {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--layout", "apache-kafka"]);
    kpki
}

fn bundle(kpki: &Kpki, arguments: &[&str]) -> Output {
    let arguments = [&["bundle", "kafka1"], arguments].concat();
    let mut command = kpki.command(&arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Unpacks an archive into a directory of its own, as this user.
fn unpack(kpki: &Kpki, archive: &[u8], into: &str, program: &str, arguments: &[&str]) -> bool {
    let there = kpki.path(into);
    fs::create_dir(&there).unwrap();
    fs::write(kpki.path("archive"), archive).unwrap();
    let mut command = Command::new(program);
    let command = command.args(arguments).arg("../archive").current_dir(there);
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            true
        }
        Err(error) => {
            skip(&format!("{program}: {error}"));
            false
        }
    }
}

fn same(one: &Path, other: &Path) {
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(one), names(other));
    for name in names(one) {
        let (a, b) = (one.join(&name), other.join(&name));
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap(), "{name:?}");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode();
        assert_eq!(mode(&a), mode(&b), "{name:?}");
    }
}

#[test]
fn an_archive_unpacks_to_the_same_files_and_modes_at_its_top() {
    let kpki = with_broker();
    let tar = bundle(&kpki, &[]);
    assert!(says(&tar).is_empty(), "{}", says(&tar));
    assert!(unpack(&kpki, &tar.stdout, "tar", "tar", &["-x", "-f"]));
    same(&kpki.path("out/kafka1"), &kpki.path("tar"));
    let zip = bundle(&kpki, &["--archive", "zip"]);
    if unpack(&kpki, &zip.stdout, "zip", "unzip", &["-q", "-X"]) {
        same(&kpki.path("out/kafka1"), &kpki.path("zip"));
    }
    // The same state, the same bytes.
    assert_eq!(bundle(&kpki, &[]).stdout, tar.stdout);
    assert_eq!(bundle(&kpki, &["--archive", "zip"]).stdout, zip.stdout);
}

#[test]
fn the_owner_is_the_one_that_was_given_else_root() {
    let kpki = with_broker();
    let list = |kpki: &Kpki| {
        fs::write(kpki.path("archive"), bundle(kpki, &[]).stdout).unwrap();
        let mut tar = Command::new("tar");
        let tar = tar.args(["-t", "-v", "--numeric-owner", "-f", "archive"]);
        let output = tar.current_dir(kpki.dir()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = list(&kpki);
    assert!(listed.lines().all(|l| l.contains(" 0/0 ")), "{listed}");
    if !rustix::process::geteuid().is_root() {
        return leave_out("only root gives directories away");
    }
    fs::remove_dir_all(kpki.path("out/kafka1")).unwrap();
    kpki.ok(&["issue", "kafka1", "--owner", "1000:1001"]);
    let listed = list(&kpki);
    assert!(
        listed.lines().all(|l| l.contains(" 1000/1001 ")),
        "{listed}"
    );
    // Whoever has the directory has no say elsewhere.
    let path = kpki.path("out/kafka1/server.properties");
    fs::write(&path, "super.users=User:mallory\n").unwrap();
    let refused = kpki.run(&["bundle", "kafka1"]).expect_code(1);
    assert!(refused.stdout.is_empty());
    assert!(refused.stderr.contains("was edited by hand"), "{refused:?}");
}

#[test]
fn what_kpki_did_not_write_is_left_out_and_said() {
    let kpki = with_broker();
    let whole = bundle(&kpki, &[]).stdout;
    kpki.write("out/kafka1/notes.txt", "mine");
    // A name of kpki's, but never written there.
    kpki.write("out/kafka1/client.properties", "x=y");
    symlink("/etc/hostname", kpki.path("out/kafka1/spring.yaml")).unwrap();
    fs::create_dir(kpki.path("out/kafka1/directory")).unwrap();
    let packed = bundle(&kpki, &[]);
    assert_eq!(packed.stdout, whole);
    for file in ["notes.txt", "client.properties", "spring.yaml", "directory"] {
        assert!(says(&packed).contains(&format!("{file} ")), "{file}");
    }
    // Where nothing says what kpki wrote, links are not followed either.
    fs::remove_file(kpki.path("out/written.jsonl")).unwrap();
    fs::remove_file(kpki.path("out/kafka1/kafka1.key")).unwrap();
    symlink(
        kpki.path("out/ca/ca.key"),
        kpki.path("out/kafka1/kafka1.key"),
    )
    .unwrap();
    let packed = bundle(&kpki, &[]);
    assert!(says(&packed).contains("kafka1.key is a symbolic link"));
    assert!(unpack(&kpki, &packed.stdout, "there", "tar", &["-x", "-f"]));
    assert!(!kpki.path("there/kafka1.key").exists());
}

/// It was packed without a word, and the broker did not start.
#[test]
fn what_is_missing_or_revoked_is_said() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--install-dir", "/x"]);
    let whole = bundle(&kpki, &[]);
    assert!(says(&whole).is_empty(), "{}", says(&whole));
    for file in ["kafka1.keystore.p12", "keystore_creds", "kafka1.key"] {
        fs::remove_file(kpki.path("out/kafka1").join(file)).unwrap();
    }
    let packed = bundle(&kpki, &[]);
    assert!(!packed.stdout.is_empty());
    assert_eq!(
        says(&packed),
        "warning: out/kafka1 lacks kafka1.key, kafka1.keystore.p12, keystore_creds, which kpki wrote there: kpki up POLICY writes what is missing again\n"
    );
    // As does the doctor.
    let doctor = kpki.run(&["doctor"]).expect_code(3).stdout;
    assert!(doctor.contains("  kpki up POLICY\n"), "{doctor}");
    kpki.write(
        "policy.yaml",
        "cluster: {name: t, install_dir: /x}\nbrokers: [{name: kafka1}]\n",
    );
    kpki.ok(&["up", "policy.yaml"]);
    let whole = bundle(&kpki, &[]);
    assert!(says(&whole).is_empty(), "{}", says(&whole));
    kpki.ok(&["revoke", "kafka1", "--reason", "keyCompromise"]);
    let revoked = bundle(&kpki, &[]);
    assert_eq!(revoked.stdout, whole.stdout);
    let said = says(&revoked);
    assert!(
        said.starts_with("warning: out/kafka1 has a certificate that was revoked on ")
            && said.ends_with(" (keyCompromise); for a good one: kpki renew kafka1 --new-key\n"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn an_archive_that_would_do_no_good_is_not_made() {
    let kpki = with_broker();
    let unknown = kpki.run(&["bundle", "kafka2"]).expect_code(1);
    assert!(unknown.stderr.contains("there is no identity `kafka2`"));
    kpki.run(&["bundle", "kafka1", "--json"]).expect_code(2);
    if let Some(shown) = terminal::run(&kpki, 200, &["bundle", "kafka1"], "") {
        let shown = shown.expect_code(2).stdout;
        assert!(shown.contains("would go to the terminal"), "{shown}");
    }
    // Files that a machine does not find are said.
    kpki.ok(&["issue", "kafka3"]);
    let mut there = kpki.command(&["bundle", "kafka3"]);
    let there = says(&there.output().unwrap());
    assert!(there.contains("install_dir"), "{there}");
}
