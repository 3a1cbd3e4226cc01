//! The replacement of the CA, killed at random instants.

use std::{fs, path::Path};

use kpki::{keystore::pem::parse_certificates, pki::Certificate};

use super::{Killer, POLICY, check};
use crate::support::kpki::Kpki;

const VERBS: [&str; 4] = ["start", "next", "finish", "abort"];

fn certificates(file: &Path) -> Vec<Certificate> {
    let Ok(text) = fs::read(file) else {
        return Vec::new();
    };
    let ders = parse_certificates(&text).unwrap();
    ders.iter()
        .map(|der| Certificate::from_der(der).unwrap())
        .collect()
}

/// Whoever has a certificate is trusted by everyone, in whatever state the directory was left.
fn everyone_trusts_everyone(out: &Path) {
    let names = ["kafka1", "kafka2", "kafka3", "alice", "bob"];
    let trusted = names.map(|name| certificates(&out.join(name).join("ca.crt")));
    for name in names {
        let leaf = certificates(&out.join(name).join(format!("{name}.crt")));
        for (other, trusted) in names.iter().zip(&trusted) {
            let Some(leaf) = leaf.first() else { continue };
            let good = trusted.iter().any(|ca| leaf.is_signed_by(ca));
            assert!(good, "{other} does not trust {name}");
        }
    }
}

#[test]
fn a_hundred_kills_of_a_rotation_cut_nobody_off() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut killer = Killer::new(seed);
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    kpki.ok(&["init-ca", "--no-passphrase"]);
    kpki.ok(&["up", "policy.yaml"]);
    let out = kpki.path("out");
    let state = || {
        let status = kpki.json(&["rotate-ca", "status", "--json"]);
        status["state"].as_str().unwrap().to_owned()
    };
    while killer.killed < 100 {
        assert!(
            killer.rounds < 600,
            "only {} of {} were killed",
            killer.killed,
            killer.rounds
        );
        let back = killer.random.below(4) == 0;
        let kind = match state().as_str() {
            "none" => 0,
            "retiring" => 2,
            _ if back => 3,
            _ => 1,
        };
        let force: &[&str] = if kind == 0 { &[] } else { &["--force"] };
        killer.strike(kind, &kpki, &[&["rotate-ca", VERBS[kind]], force].concat());
        check(&kpki);
        everyone_trusts_everyone(&out);
    }
    for _ in 0..8 {
        match state().as_str() {
            "none" => break,
            "retiring" => kpki.ok(&["rotate-ca", "finish", "--force"]),
            _ => kpki.ok(&["rotate-ca", "next", "--force"]),
        };
    }
    assert_eq!(state(), "none");
    kpki.ok(&["up", "policy.yaml"]);
    everyone_trusts_everyone(&out);
    assert_eq!(certificates(&out.join("alice/ca.crt")).len(), 1);
    for left in fs::read_dir(out.join("ca")).unwrap() {
        let name = left.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.contains("standby") && !name.contains("retired"),
            "{name}"
        );
    }
}
