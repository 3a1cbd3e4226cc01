//! A replacement of the CA that is not as its record says.

use std::fs;

use super::{POLICY, faults, sh};
use crate::support::kpki::Kpki;

/// As in the other tests, without a passphrase, whose derivation takes most of the time.
fn cluster() -> Kpki {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    kpki.write("p.yaml", POLICY);
    kpki.ok(&["init-ca", "--no-passphrase"]);
    kpki.ok(&["up", "p.yaml"]);
    kpki.ok(&["issue", "--client", "carol"]);
    kpki
}

fn rotate(kpki: &Kpki, verb: &str) {
    let force: &[&str] = if verb == "start" { &[] } else { &["--force"] };
    kpki.ok(&[&["rotate-ca", verb], force].concat());
}

fn state(kpki: &Kpki) -> String {
    let status = kpki.json(&["rotate-ca", "status", "--json"]);
    format!(
        "{} {}",
        status["state"].as_str().unwrap(),
        status["generation"]
    )
}

/// What is repaired is said once, and then there is nothing.
fn is_fixed(kpki: &Kpki, expected: &str) {
    assert_eq!(faults(kpki, &[], 3), [expected]);
    assert_eq!(faults(kpki, &["--fix"], 0), [format!("{expected} fixed")]);
    assert!(faults(kpki, &["p.yaml"], 0).is_empty());
}

/// The command that is said of the only fault.
fn command(kpki: &Kpki) -> String {
    let said = kpki.run(&["doctor", "--json"]).expect_code(3).json();
    said["faults"][0]["command"].as_str().unwrap().to_owned()
}

#[test]
fn every_step_of_a_rotation_is_sound_and_its_lost_record_is_written_again() {
    let kpki = cluster();
    let record = kpki.path("out/ca/rotation.json");
    for (verb, expected) in [
        ("start", "trusting 2"),
        ("next", "reissuing 2"),
        ("abort", "trusting 2"),
        ("next", "reissuing 2"),
        ("next", "retiring 2"),
    ] {
        rotate(&kpki, verb);
        assert!(faults(&kpki, &["p.yaml"], 0).is_empty(), "{expected}");
        let before = fs::read_to_string(&record).unwrap();
        fs::remove_file(&record).unwrap();
        is_fixed(&kpki, "rotation -");
        assert_eq!(state(&kpki), expected);
        let after = fs::read_to_string(&record).unwrap();
        let of = |text: &str| text.split("\"since\"").next().unwrap().to_owned();
        assert_eq!(of(&before), of(&after));
        // What is no record of a rotation at all.
        fs::write(&record, "x").unwrap();
        assert_eq!(faults(&kpki, &["--fix"], 3), ["rotation -"]);
        fs::write(&record, after).unwrap();
    }
    rotate(&kpki, "finish");
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
}

#[test]
fn a_step_that_was_put_on_record_and_never_made_is_taken_back() {
    let kpki = cluster();
    let step = |state: &str, generation: u32| {
        let inventory = kpki.path("out/ca/inventory.jsonl");
        let mut text = fs::read_to_string(&inventory).unwrap();
        text += &format!(
            "{{\"v\":2,\"event\":\"rotation\",\"at\":\"2026-11-21T10:00:00Z\",\"state\":\"{state}\",\"generation\":{generation}}}\n"
        );
        fs::write(&inventory, text).unwrap();
    };
    step("trusting", 2);
    is_fixed(&kpki, "rotation -");
    rotate(&kpki, "start");
    for state in ["reissuing", "none"] {
        step(state, 2);
        is_fixed(&kpki, "rotation -");
    }
    rotate(&kpki, "next");
    rotate(&kpki, "next");
    step("none", 2);
    is_fixed(&kpki, "rotation -");
    rotate(&kpki, "finish");
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
}

#[test]
fn what_a_rotation_lacks_or_left_is_said_with_what_mends_it() {
    let kpki = cluster();
    let ca = kpki.path("out/ca");
    rotate(&kpki, "start");
    // The other CA's root, in the CA's own file and in others'.
    let both = fs::read_to_string(ca.join("ca.crt")).unwrap();
    let end = both.find("-----END CERTIFICATE-----\n").unwrap() + 26;
    fs::write(ca.join("ca.crt"), &both[..end]).unwrap();
    is_fixed(&kpki, "rotation -");
    assert_eq!(fs::read_to_string(ca.join("ca.crt")).unwrap(), both);
    fs::write(kpki.path("out/bob/ca.crt"), &both[..end]).unwrap();
    is_fixed(&kpki, "truststore bob");
    // Its key.
    let key = fs::read(ca.join("standby.key")).unwrap();
    fs::remove_file(ca.join("standby.key")).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["rotation -"]);
    assert_eq!(command(&kpki), "kpki restore FILE");
    fs::copy(ca.join("ca.key"), ca.join("standby.key")).unwrap();
    assert_eq!(faults(&kpki, &["--fix"], 3), ["ca-key -"]);
    fs::write(ca.join("standby.key"), key).unwrap();
    // A step that one was away for.
    for (verb, expected) in [
        ("next", "kpki rotate-ca next"),
        ("next", "kpki rotate-ca finish"),
    ] {
        let out = kpki.path("out").display().to_string();
        if verb == "next" && expected.ends_with("next") {
            sh(&format!("mv '{out}/alice' '{out}/../away'"));
        }
        rotate(&kpki, verb);
        if expected.ends_with("next") {
            sh(&format!("mv '{out}/../away' '{out}/alice'"));
            assert_eq!(faults(&kpki, &[], 3), ["rotation alice"]);
            assert_eq!(command(&kpki), expected);
            kpki.ok(&["rotate-ca", "next"]);
            assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
            sh(&format!("mv '{out}/alice' '{out}/../away'"));
            rotate(&kpki, "abort");
            sh(&format!("mv '{out}/../away' '{out}/alice'"));
            assert_eq!(faults(&kpki, &["--fix"], 3), ["rotation alice"]);
            kpki.ok(&["rotate-ca", "next"]);
            assert_eq!(state(&kpki), "trusting 2", "it finished the step before");
            rotate(&kpki, "next");
        }
    }
    let out = kpki.path("out").display().to_string();
    sh(&format!(
        "mkdir '{out}/../kept' && cp -a '{out}'/ca/retired-* '{out}/../kept'"
    ));
    rotate(&kpki, "finish");
    sh(&format!("cp -a '{out}'/../kept/* '{out}/ca'"));
    is_fixed(&kpki, "rotation -");
    assert!(!ca.join("retired-g1.key").exists());
}

#[test]
fn one_who_was_away_for_a_whole_rotation_is_renewed() {
    let kpki = cluster();
    let out = kpki.path("out").display().to_string();
    sh(&format!("mv '{out}/carol' '{out}/../away'"));
    for verb in ["start", "next", "next", "finish"] {
        rotate(&kpki, verb);
    }
    sh(&format!("mv '{out}/../away' '{out}/carol'"));
    let found = faults(&kpki, &["--fix"], 3);
    assert!(found.contains(&"rotation carol".to_owned()), "{found:?}");
    assert_eq!(command(&kpki), "kpki renew carol");
    kpki.ok(&["renew", "carol"]);
    assert!(faults(&kpki, &["p.yaml"], 0).is_empty());
}

#[test]
fn the_commands_name_the_output_directory_and_a_damaged_journal_is_said() {
    let kpki = Kpki::new();
    kpki.write("p.yaml", POLICY);
    kpki.ok(&["up", "p.yaml", "--out", "my out"]);
    fs::write(kpki.path("my out/kafka1/kafka1.pem"), "x").unwrap();
    let doctor = || {
        kpki.run(&["doctor", "--json", "--out", "my out"])
            .expect_code(3)
            .json()
    };
    let said = doctor();
    assert_eq!(
        said["faults"][0]["command"],
        "kpki --out 'my out' doctor --fix"
    );
    kpki.ok(&["doctor", "--fix", "--out", "my out"]);
    fs::write(kpki.path("my out/ca/journal.jsonl"), "garbage\n").unwrap();
    let said = doctor();
    assert_eq!(said["faults"][0]["code"], "journal");
    let command = said["faults"][0]["command"].as_str().unwrap();
    sh(&format!("cd '{}' && {command}", kpki.dir().display()));
    kpki.ok(&["doctor", "--out", "my out"]);
}
