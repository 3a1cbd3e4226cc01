//! What is in the output directory and not in the inventory, and the other way round.

use std::{fs, os::unix::fs::symlink};

use super::{cluster, faults, obey, sh};

#[test]
fn a_link_or_a_file_in_the_place_of_a_directory_is_said() {
    let kpki = cluster();
    let place = kpki.path("out/kafka1");
    fs::rename(&place, kpki.path("elsewhere")).unwrap();
    symlink(kpki.path("elsewhere"), &place).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["owner kafka1"]);
    assert_eq!(obey(&kpki, "p.yaml"), "rm out/kafka1");
    fs::write(&place, "x").unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["owner kafka1"]);
    assert_eq!(obey(&kpki, "p.yaml"), "mv out/kafka1 out/kafka1.old");
    fs::rename(kpki.path("elsewhere"), &place).unwrap();
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
}

#[test]
fn a_directory_that_is_gone_is_no_fault_but_said() {
    let kpki = cluster();
    sh(&format!("rm -r '{}'", kpki.path("out/carol").display()));
    let said = kpki.ok(&["doctor"]);
    assert!(
        said.stderr.contains("without a directory in out: carol;"),
        "{said:?}"
    );
    let said = kpki.ok(&["renew", "--all"]);
    assert!(
        said.stderr
            .contains("not renewed, because out has no directories of theirs: carol;"),
        "{said:?}"
    );
    // It is far from due.
    let said = kpki.ok(&["renew", "--due"]);
    assert!(!said.stderr.contains("carol"), "{said:?}");
    kpki.ok(&["issue", "--client", "carol"]);
    assert!(!kpki.ok(&["doctor"]).stderr.contains("carol"));
}

#[test]
fn a_key_without_a_record_is_said() {
    let kpki = cluster();
    let out = kpki.path("out");
    sh(&format!(
        "cd '{}' && cp -a kafka1 kafka9 && mkdir data",
        out.display()
    ));
    assert_eq!(faults(&kpki, &["--fix"], 3), ["inventory kafka9"]);
    assert_eq!(obey(&kpki, "p.yaml"), "mv out/kafka9 out/.kafka9.old");
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
    // A key whose certificate is made elsewhere.
    kpki.ok(&["issue", "kafka8", "--csr-only"]);
    assert!(faults(&kpki, &[], 0).is_empty());
    // Lost lines, about which two commands sent each other in a circle.
    let path = out.join("ca/inventory.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let rest = whole
        .lines()
        .filter(|line| !line.contains("\"name\":\"kafka1\""));
    fs::write(
        &path,
        rest.map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    assert_eq!(faults(&kpki, &[], 3), ["inventory kafka1"]);
    let said = kpki.run(&["issue", "kafka1"]).expect_code(1).stderr;
    assert!(
        said.contains("the inventory has no record of a certificate of kafka1"),
        "{said}"
    );
    let said = kpki.run(&["renew", "kafka1"]).expect_code(1).stderr;
    assert!(
        said.contains("the inventory has no record of a certificate of kafka1"),
        "{said}"
    );
    assert!(
        said.contains("restore the inventory from a backup"),
        "{said}"
    );
    fs::write(&path, whole).unwrap();
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
}
