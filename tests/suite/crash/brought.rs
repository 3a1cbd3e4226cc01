//! The import of a CA, the request for the certificate of one and its answer, killed at random instants.

use std::{fs, path::Path};

use super::Killer;
use crate::{brought::company::Company, support::kpki::Kpki};

/// The sealed key of the CA or of its request, wherever it is by now.
fn keys(out: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(out) else {
        return Vec::new();
    };
    let dirs = entries.map(|e| e.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name == "ca" || name.starts_with(".commit-")
    });
    let dirs = dirs.map(|dir| {
        if dir.ends_with("ca") {
            dir
        } else {
            dir.join("ca")
        }
    });
    let files = dirs.flat_map(|dir| ["ca.key", "request.key"].map(|file| dir.join(file)));
    files
        .filter_map(|file| fs::read(file).ok())
        .filter(|bytes| !bytes.is_empty())
        .collect()
}

/// The command itself, unless the promise of a killed one was kept meanwhile.
fn again(kpki: &Kpki, arguments: &[&str]) {
    let next = kpki.run(arguments);
    let kept = next.stderr.contains("a CA already exists");
    assert!(next.code == Some(0) || kept, "{}", next.stderr);
}

#[test]
fn a_ca_that_is_brought_is_there_or_not() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut killer = Killer::new(seed);
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    let out = kpki.path("out");
    let request = ["init-ca", "--request", "--no-passphrase"];
    let install = ["init-ca", "--install-cert", "answer.pem"];
    while killer.killed < 45 {
        assert!(killer.rounds < 400, "only {} were killed", killer.killed);
        let _ = fs::remove_dir_all(&out);
        killer.strike(0, &kpki, &crate::brought::IMPORT);
        again(&kpki, &crate::brought::IMPORT);
        kpki.ok(&["issue", "--client", "alice"]);

        fs::remove_dir_all(&out).unwrap();
        killer.strike(1, &kpki, &request);
        let csr = kpki.ok(&request).stdout;
        assert_eq!(kpki.ok(&request).stdout, csr);
        kpki.write("kafka.csr", &csr);
        let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
        company.sign("kafka.csr", "kafka.crt", "root", extensions);
        company.join("answer.pem", &["kafka", "root"]);
        let key = keys(&out);
        assert_eq!(key.len(), 1);
        killer.strike(2, &kpki, &install);
        let found = keys(&out);
        assert!(found.iter().all(|found| *found == key[0]) && !found.is_empty());
        again(&kpki, &install);
        assert_eq!(fs::read(out.join("ca/ca.key")).unwrap(), key[0]);
        kpki.ok(&["issue", "--client", "alice"]);
        kpki.ok(&["doctor"]);
    }
}

/// The request for the next CA and its answer: whatever was interrupted, the same command completes it, and the CA works
/// at every instant.
#[test]
fn a_request_for_the_next_ca_is_there_or_not() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut killer = Killer::new(seed);
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    kpki.ok(&crate::brought::IMPORT);
    kpki.ok(&["issue", "--client", "alice"]);
    let out = kpki.path("out");
    let request = ["rotate-ca", "start", "--request", "--subject", "CN=Next"];
    let install = ["rotate-ca", "start", "--install-cert", "answer.pem"];
    let state = || {
        let status = kpki.json(&["rotate-ca", "status", "--json"]);
        (
            status["state"].clone(),
            status["request"]["subject"].clone(),
        )
    };
    while killer.killed < 40 {
        assert!(killer.rounds < 400, "only {} were killed", killer.killed);
        killer.strike(0, &kpki, &request);
        kpki.ok(&["renew", "alice"]);
        let csr = kpki.ok(&request).stdout;
        assert_eq!(kpki.ok(&request).stdout, csr);
        if killer.rounds.is_multiple_of(4) {
            killer.strike(1, &kpki, &["rotate-ca", "abort"]);
            let (_, subject) = state();
            assert_eq!(out.join("ca/request.key").exists(), !subject.is_null());
            assert_eq!(out.join("ca/request.csr").exists(), !subject.is_null());
            continue;
        }
        kpki.write("kafka.csr", &csr);
        let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
        company.sign("kafka.csr", "kafka.crt", "root", extensions);
        company.join("answer.pem", &["kafka", "root"]);
        killer.strike(2, &kpki, &install);
        kpki.ok(&["renew", "alice"]);
        if state().0 == "none" {
            let next = kpki.run(&install);
            let kept = next.stderr.contains("a CA rotation is already in progress");
            assert!(next.code == Some(0) || kept, "{}", next.stderr);
        }
        assert_eq!(state(), ("trusting".into(), serde_json::Value::Null));
        kpki.ok(&["doctor"]);
        killer.strike(3, &kpki, &["rotate-ca", "abort"]);
        if state().0 != "none" {
            kpki.ok(&["rotate-ca", "abort"]);
        }
        kpki.ok(&["doctor"]);
        kpki.certificates();
    }
}
