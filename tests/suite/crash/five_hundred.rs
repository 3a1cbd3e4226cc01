//! What goes on in a CA's life, killed at random instants: the next run completes, and the doctor finds nothing.

use std::{collections::BTreeMap, fs, path::Path};

use kpki::{
    keystore::pem::parse_certificates,
    pki::{Certificate, KeyAlgorithm, Kind, LeafSpec},
};
use serde_json::Value;

use super::{Killer, check};
use crate::support::kpki::Kpki;

const POLICY: &str = "
brokers: [{name: kafka1}]
clients: [{name: alice, auth: [tls, scram-sha-512]}, {name: bob}]
";

const SIGN: [&str; 5] = ["sign", "far.csr", "--client", "--out-file", "far.crt"];
const RESTORE: [&str; 4] = ["restore", "b", "--out", "fresh"];

/// What was signed is on record, and the numbers of each CA's lists grow.
fn is_recorded(kpki: &Kpki) {
    check(kpki);
    let far = parse_certificates(&fs::read(kpki.path("far.crt")).unwrap()).unwrap();
    let far = Certificate::from_der(&far[0]).unwrap().serial;
    let lines = kpki.inventory();
    let is_far = |line: &Value| line["serial"] == far.as_str();
    assert!(lines.iter().any(is_far), "{far} is not on record");
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["event"] == "crl") {
        let number = line["number"].as_u64().unwrap();
        let last = numbers.insert(line["issuer"].to_string(), number);
        assert!(last.is_none_or(|last| last < number), "{line}");
    }
}

/// The step of a rotation that may come next.
fn step(kpki: &Kpki, killer: &mut Killer) -> Vec<&'static str> {
    let state = kpki.json(&["rotate-ca", "status", "--json"])["state"].take();
    let back = killer.random.below(4) == 0;
    let verb = match state.as_str().unwrap() {
        "none" => return vec!["rotate-ca", "start"],
        "retiring" => "finish",
        _ if back => "abort",
        _ => "next",
    };
    vec!["rotate-ca", verb, "--force"]
}

/// Finishes what was killed: by the same command, which may find that all was done.
fn again(kpki: &Kpki, command: &[&str]) {
    match command[0] {
        "backup" => {
            // Its name is given last, so that it is whole where it is there at all.
            let _ = fs::remove_file(kpki.path("b"));
            kpki.ok(command);
        }
        "rotate-ca" => {
            let said = kpki.run(command);
            if said.code != Some(0) {
                let known = ["the rotation is ", "no CA rotation is in progress"];
                assert!(
                    known.iter().any(|k| said.stderr.contains(k)),
                    "{}",
                    said.stderr
                );
                // It was done all but for the files of some.
                kpki.ok(&["up", "policy.yaml"]);
            }
        }
        _ => {
            kpki.ok(command);
        }
    }
}

#[test]
fn what_is_killed_is_finished_by_the_next_run_and_the_doctor_finds_nothing() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut killer = Killer::new(seed);
    let kpki = Kpki::with_open_ca();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["up", "policy.yaml"]);
    let leaf = LeafSpec {
        name: "far".parse().unwrap(),
        kind: Kind::Client,
        hosts: Vec::new(),
        key: KeyAlgorithm::EcdsaP256,
        days: 1,
    };
    let request = leaf.request(&leaf.key.generate().unwrap()).unwrap();
    fs::write(kpki.path("far.csr"), &*request).unwrap();
    kpki.ok(&SIGN);
    kpki.ok(&["crl"]);
    while killer.killed < 340 {
        assert!(killer.rounds < 2000, "only {} were killed", killer.killed);
        let kind = killer.random.below(8) as usize;
        let command = match kind {
            0 => vec!["renew", "--all", "--new-key"],
            1 => vec!["renew", "kafka1"],
            2 => vec!["revoke", "alice", "--reason", "superseded"],
            3 => vec!["crl", "--der"],
            4 => SIGN.to_vec(),
            5 => {
                let _ = fs::remove_file(kpki.path("b"));
                vec!["backup", "b"]
            }
            6 => {
                let _ = fs::remove_file(kpki.path("b"));
                kpki.ok(&["backup", "b"]);
                if killer.random.below(2) == 0 {
                    let _ = fs::remove_dir_all(kpki.path("fresh"));
                }
                RESTORE.to_vec()
            }
            _ => step(&kpki, &mut killer),
        };
        killer.strike(kind, &kpki, &command);
        is_recorded(&kpki);
        if kind == 6 {
            restored(&kpki);
            continue;
        }
        again(&kpki, &command);
        is_recorded(&kpki);
        if command[0] == "rotate-ca" {
            // Nobody but its owner can have it signed by another CA.
            kpki.ok(&SIGN);
        }
        kpki.is_sound("out", command.join(" "));
        if kind == 2 {
            kpki.ok(&["renew", "alice", "--new-key"]);
        }
    }
    kpki.ok(&["renew", "--all"]);
}

/// A restore that was killed is finished, and what is there is the CA.
fn restored(kpki: &Kpki) {
    let said = kpki.run(&RESTORE);
    // What a rotation removed since lies beside an older state, and is nobody's to remove.
    if said.code == Some(1) && said.stderr.contains("is not in the backup") {
        fs::remove_dir_all(kpki.path("fresh")).unwrap();
        kpki.ok(&RESTORE);
    } else {
        said.expect_code(0);
    }
    kpki.is_sound("fresh", "after the restore");
    let same = |file: &str| {
        let read = |out: &str| fs::read(kpki.path(out).join(file)).unwrap();
        assert!(read("out") == read("fresh"), "{file}");
    };
    same("ca/inventory.jsonl");
    same("ca/ca.key");
    assert!(!Path::new(&kpki.path("fresh/.new-")).exists());
}
