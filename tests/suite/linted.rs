//! Every kind of certificate and list that kpki signs, before zlint and pkilint: no finding that is a warning or worse.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    brought::{IMPORT, company::Company},
    support::{kpki::Kpki, root, skip},
};

/// The linters, after building them if need be; or what is missing to do so.
fn linters() -> Result<PathBuf, String> {
    for (program, argument) in [("go", "version"), ("python3", "--version")] {
        let started = Command::new(program)
            .arg(argument)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !started.is_ok_and(|status| status.success()) {
            return Err(format!("there is no {program}"));
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let directory = target.join("lint");
    fs::create_dir_all(&directory).unwrap();
    // Another test run may be at it.
    let lock = File::create(directory.join("build.lock")).unwrap();
    lock.lock().unwrap();
    let built = Command::new(root().join("tests/lint/build"))
        .arg(&directory)
        .output()
        .unwrap();
    match built.status.success() {
        true => Ok(directory),
        false => Err(String::from_utf8_lossy(&built.stderr).into_owned()),
    }
}

/// Whatever zlint, which always ends with 0, calls a warning or worse.
fn zlint(linters: &Path, file: &Path) -> Vec<String> {
    let output = Command::new(linters.join("zlint"))
        .args(["-includeSources=RFC5280,RFC5480,RFC5891", "-format", "pem"])
        .arg(file)
        .output()
        .unwrap();
    let lints: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let lints = lints.as_object().unwrap();
    assert!(lints.len() > 2, "{lints:?}");
    let found = lints.iter().filter(|(name, found)| {
        let bad = ["warn", "error", "fatal"];
        // Of lists it asks all that it knows, what public CAs have to obey included: they put nobody on hold.
        bad.contains(&found["result"].as_str().unwrap_or("fatal")) && !name.starts_with("e_cab_")
    });
    found
        .map(|(name, found)| format!("zlint {name}: {found}"))
        .collect()
}

/// The same of pkilint, whose exit code is the number of findings.
fn pkilint(linters: &Path, tool: &str, arguments: &[&str], files: &[&Path]) -> Vec<String> {
    let output = Command::new(linters.join("pkilint").join(tool))
        .args(["lint", "-s", "WARNING"])
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    match output.status.success() && text.trim_ascii().is_empty() {
        true => Vec::new(),
        false => vec![format!("{tool}: {}", String::from_utf8_lossy(&text))],
    }
}

/// One section of a PEM file as a file of its own, which is all that some linters read.
fn parted(kpki: &Kpki, file: &str) -> Vec<PathBuf> {
    let text = fs::read_to_string(kpki.path(file)).unwrap();
    let sections = text.split_inclusive("-----END CERTIFICATE-----\n");
    let parts = sections.enumerate().map(|(at, section)| {
        let name = format!("{}-{at}.pem", file.replace('/', "-"));
        kpki.write(&name, section)
    });
    parts.collect()
}

/// Host names have a dot in them, as pkilint knows no others.
#[test]
fn linters_find_nothing_in_certificates_and_lists() {
    let linters = match linters() {
        Ok(linters) => linters,
        Err(why) => return skip(&why),
    };
    let kpki = Kpki::new();
    kpki.ok(&[
        "--out",
        "plain",
        "init-ca",
        "--subject",
        "CN=Test CA,O=Example\\, Inc.,C=DE",
    ]);
    kpki.ok(&[
        "--out",
        "plain",
        "issue",
        "kafka1.example.com",
        "--host",
        "10.0.0.1",
        "--host",
        "::1",
    ]);
    kpki.ok(&[
        "--out",
        "plain",
        "issue",
        "--client",
        "alice.example.com",
        "with_underscore",
    ]);
    let rsa = [
        "init-ca",
        "--key",
        "rsa-2048",
        "--intermediate",
        "--name-constraint",
        "example.com",
    ];
    kpki.ok(&[&["--out", "rsa"], &rsa[..]].concat());
    kpki.ok(&[
        "--out",
        "rsa",
        "issue",
        "kafka1.example.com",
        "--host",
        "kafka1.example.com",
        "--key",
        "rsa-2048",
    ]);
    kpki.ok(&[
        "--out",
        "rsa",
        "issue",
        "--client",
        "alice.example.com",
        "--key",
        "ecdsa-p384",
    ]);
    kpki.ok(&[
        "--out",
        "rsa",
        "issue",
        "--client",
        "bob.example.com",
        "--key",
        "rsa-2048",
    ]);
    let policy = "ca: {key: ecdsa-p384, crl_url: 'http://pki.example.com/kafka.crl'}\nbrokers: [{name: kafka1, hosts: [kafka1.example.com]}]\nclients: [{name: alice, hosts: []}]\n";
    kpki.write("policy.yaml", policy);
    kpki.ok(&["--out", "listed", "up", "policy.yaml"]);
    let reasons = [
        "unspecified",
        "keyCompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        "certificateHold",
        "privilegeWithdrawn",
    ];
    kpki.ok(&["--out", "plain", "crl"]);
    fs::copy(kpki.path("plain/ca/crl.pem"), kpki.path("empty.pem")).unwrap();
    for reason in reasons {
        kpki.ok(&["--out", "plain", "issue", "--client", reason]);
        kpki.ok(&["--out", "plain", "revoke", reason, "--reason", reason]);
    }
    kpki.ok(&[
        "--out",
        "rsa",
        "revoke",
        "alice.example.com",
        "--reason",
        "keyCompromise",
    ]);

    // Of a CA that somebody else made, with a name that kpki's own CAs do not have.
    let imported = Company::new(&kpki).is_some();
    if imported {
        kpki.ok(&[&["--out", "brought"], &IMPORT[..]].concat());
        kpki.ok(&["--out", "brought", "issue", "kafka1.example.com"]);
        kpki.ok(&["--out", "brought", "crl"]);
    }

    let mut found = Vec::new();
    for (leaf, signer) in [
        (
            "plain/kafka1.example.com/kafka1.example.com.crt",
            "plain/ca/ca.crt",
        ),
        (
            "plain/alice.example.com/alice.example.com.crt",
            "plain/ca/ca.crt",
        ),
        (
            "plain/with_underscore/with_underscore.crt",
            "plain/ca/ca.crt",
        ),
        (
            "rsa/kafka1.example.com/kafka1.example.com.crt",
            "rsa/ca/intermediate.crt",
        ),
        (
            "rsa/alice.example.com/alice.example.com.crt",
            "rsa/ca/intermediate.crt",
        ),
        (
            "rsa/bob.example.com/bob.example.com.crt",
            "rsa/ca/intermediate.crt",
        ),
        ("rsa/ca/intermediate.crt", "rsa/ca/ca.crt"),
        ("listed/kafka1/kafka1.crt", "listed/ca/ca.crt"),
        ("listed/alice/alice.crt", "listed/ca/ca.crt"),
        (
            "brought/kafka1.example.com/kafka1.example.com.crt",
            "brought/ca/intermediate.crt",
        ),
    ] {
        if leaf.starts_with("brought") && !imported {
            continue;
        }
        let (leaf, signer) = (
            parted(&kpki, leaf).remove(0),
            parted(&kpki, signer).remove(0),
        );
        let of = |what: Vec<String>| {
            what.into_iter()
                .map(|w| format!("{}: {w}", leaf.display()))
                .collect::<Vec<_>>()
        };
        found.extend(of(zlint(&linters, &leaf)));
        found.extend(of(pkilint(&linters, "lint_pkix_cert", &[], &[&leaf])));
        let pair = kpki.path("pair.pem");
        fs::write(
            &pair,
            [fs::read(&signer).unwrap(), fs::read(&leaf).unwrap()].concat(),
        )
        .unwrap();
        found.extend(of(pkilint(
            &linters,
            "lint_pkix_signer_signee_cert_chain",
            &[],
            &[&signer, &leaf],
        )));
    }
    for ca in ["plain", "rsa", "listed"] {
        let ca = parted(&kpki, &format!("{ca}/ca/ca.crt")).remove(0);
        found.extend(zlint(&linters, &ca));
        found.extend(pkilint(&linters, "lint_pkix_cert", &[], &[&ca]));
    }
    for crl in [
        "plain/ca/crl.pem",
        "rsa/ca/crl.pem",
        "empty.pem",
        "brought/ca/crl.pem",
    ] {
        let crl = kpki.path(crl);
        if !crl.exists() {
            continue;
        }
        found.extend(zlint(&linters, &crl));
        found.extend(pkilint(
            &linters,
            "lint_crl",
            &["-t", "CRL", "-p", "PKIX"],
            &[&crl],
        ));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
