//! Files that somebody made to break or to stall whoever imports them.

use std::{
    fs,
    time::{Duration, Instant},
};

use kpki::{
    bootstrap::brought,
    keystore::{ForeignKey, StoreError, pem, pkcs12},
    secret::Secret,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::support::kpki::Kpki;

use super::company::Company;

/// A value with its tag and length (DER).
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let mut out = vec![tag];
    match len {
        0..=127 => out.push(len as u8),
        128..=255 => out.extend([0x81, len as u8]),
        _ => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend(content);
    out
}

fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// A positive number.
fn int(number: u64) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let zeros = octets.iter().take_while(|o| **o == 0).count().min(7);
    let mut octets = octets[zeros..].to_vec();
    if octets[0] >= 0x80 {
        octets.insert(0, 0);
    }
    tlv(2, &octets)
}

const PKCS5: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5];
const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const SHROUDED: &[u8] = &[
    0x06, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2,
];
const TRIPLE_DES: &[u8] = &[0x06, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 3];
const SCRYPT: &[u8] = &[0x06, 9, 0x2b, 0x06, 1, 4, 1, 0xda, 0x47, 4, 11];
const AES: &[u8] = &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
const SHA256: &[u8] = &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SALT: &[u8] = &[4, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// One of PKCS#5's own identifiers.
fn pkcs5(number: u8) -> Vec<u8> {
    tlv(6, &[&PKCS5[..], &[number]].concat())
}

fn pbkdf2(iterations: u64) -> Vec<u8> {
    seq(&[&pkcs5(12), &seq(&[SALT, &int(iterations)])])
}

fn scrypt(cost: u64, block: u64, parallel: u64) -> Vec<u8> {
    seq(&[
        SCRYPT,
        &seq(&[SALT, &int(cost), &int(block), &int(parallel)]),
    ])
}

fn pbes2(derivation: &[u8]) -> Vec<u8> {
    seq(&[
        &pkcs5(13),
        &seq(&[derivation, &seq(&[AES, &tlv(4, &[0; 16])])]),
    ])
}

/// An encrypted key of whatever the algorithm says.
fn encrypted(algorithm: &[u8]) -> Vec<u8> {
    seq(&[algorithm, &tlv(4, &[0x55; 64])])
}

fn content(inner: &[u8]) -> Vec<u8> {
    seq(&[DATA, &tlv(0xa0, &tlv(4, inner))])
}

/// A store of such keys, with a MAC of that algorithm and so many iterations, where it has one.
fn store(keys: &[Vec<u8>], mac: Option<(&[u8], u64)>) -> Vec<u8> {
    let bags: Vec<u8> = keys
        .iter()
        .flat_map(|key| seq(&[SHROUDED, &tlv(0xa0, key)]))
        .collect();
    let safe = content(&seq(&[&content(&seq(&[&bags]))]));
    let mac = mac.map(|(algorithm, iterations)| {
        seq(&[
            &seq(&[algorithm, &tlv(4, &[0; 32])]),
            SALT,
            &int(iterations),
        ])
    });
    seq(&[&int(3), &safe, &mac.unwrap_or_default()])
}

fn open(bytes: &[u8]) -> Result<kpki::keystore::OpenedKey, StoreError> {
    ForeignKey::read(bytes)?.open(Some(&Secret::new("password".to_owned())))
}

#[test]
fn whoever_asks_for_endless_work_is_refused_before_any() {
    let begin = Instant::now();
    let des = |iterations| seq(&[TRIPLE_DES, &seq(&[SALT, &int(iterations)])]);
    let sha = seq(&[SHA256, &[5, 0]]);
    let mac1 = |iterations| {
        let hmac = seq(&[
            &tlv(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9]),
            &[5, 0],
        ]);
        seq(&[&pkcs5(14), &seq(&[&pbkdf2(iterations), &hmac])])
    };
    let mut refused = 0;
    for endless in [1_000_001, 1 << 31, (1 << 31) - 1, 1 << 32, u64::MAX >> 1] {
        for file in [
            store(&[], Some((&sha, endless))),
            store(&[], Some((&mac1(endless), 1))),
            store(&[encrypted(&pbes2(&pbkdf2(endless)))], Some((&sha, 1))),
            store(&[encrypted(&pbes2(&pbkdf2(endless)))], None),
            store(&[encrypted(&des(endless))], None),
            encrypted(&pbes2(&pbkdf2(endless))),
            encrypted(&pbes2(&scrypt(endless.next_power_of_two(), 8, 1))),
            store(&[encrypted(&pbes2(&scrypt(1 << 14, endless, 1)))], None),
            store(&[encrypted(&pbes2(&scrypt(1 << 14, 8, endless)))], None),
        ] {
            for bytes in [file.clone(), pem_of(&file)] {
                // A store as PEM is no form of anything.
                let error = open(&bytes).unwrap_err();
                let is_store = bytes.starts_with(b"-----") && ForeignKey::read(&bytes).is_err();
                assert!(
                    matches!(error, StoreError::Costly(_)) || is_store,
                    "{endless}: {error}"
                );
                refused += 1;
            }
        }
    }
    // Many that are each short of too much.
    let all = vec![encrypted(&pbes2(&pbkdf2(1_000_000))); 11];
    assert!(matches!(
        open(&store(&all, None)),
        Err(StoreError::Costly(_))
    ));
    let deep = (0..200).fold(Vec::new(), |inner, _| seq(&[&inner]));
    assert!(open(&deep).is_err());
    assert!(refused >= 90);
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
}

fn pem_of(der: &[u8]) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let body = STANDARD.encode(der);
    format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----\n")
        .into_bytes()
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn mutated(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.below(256) as u8),
            2 => drop(bytes.drain(at..(at + random.below(40)).min(bytes.len()))),
            3 => {
                let part = bytes[at..(at + random.below(80)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                if let Some(octet) = bytes.get_mut(at) {
                    *octet ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

#[test]
fn mutated_stores_keys_and_chains_break_nothing() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random(seed);
    company.openssl(&[
        "pkcs12",
        "-export",
        "-inkey",
        "issuing.key",
        "-in",
        "chain.pem",
        "-out",
        "ca.p12",
        "-passout",
        "pass:password",
        "-iter",
        "2",
    ]);
    company.openssl(&[
        "pkcs8",
        "-topk8",
        "-in",
        "issuing.key",
        "-out",
        "sealed.key",
        "-passout",
        "pass:password",
        "-iter",
        "2",
    ]);
    let read = |file: &str| fs::read(kpki.path(file)).unwrap();
    let chain = pem::parse_certificates(&read("chain.pem")).unwrap();
    let good = open(&read("issuing.key")).unwrap();
    let now = OffsetDateTime::now_utc();
    assert!(brought::read(&good.pkcs8, &chain, now).is_ok());
    assert!(open(&read("ca.p12")).is_ok() && open(&read("sealed.key")).is_ok());
    let begin = Instant::now();
    let mut tried = 0;
    for file in ["ca.p12", "sealed.key", "issuing.key", "chain.pem"] {
        let bytes = read(file);
        for _ in 0..60 {
            let bad = mutated(&bytes, &mut random);
            if let Ok(opened) = open(&bad) {
                let _ = brought::read(
                    &opened.pkcs8,
                    &[&chain[..], &opened.certificates].concat(),
                    now,
                );
            }
            let _ = pem::parse_certificates(&bad)
                .map(|all| brought::read(&good.pkcs8, &all, now).is_ok());
            let _ = pkcs12::open(&bad, &Secret::new("password".to_owned()));
            tried += 1;
        }
    }
    // Certificates that are read, and say something else than they did.
    for which in 0..chain.len() {
        for _ in 0..60 {
            let bad = CertificateDer::from(mutated(&chain[which], &mut random));
            let same = bad == chain[which];
            let mut all = chain.clone();
            all[which] = bad;
            let taken = brought::read(&good.pkcs8, &all, now).is_ok();
            assert!(
                !taken || same,
                "a certificate was changed, and is believed (seed {seed})"
            );
            tried += 1;
        }
    }
    assert!(tried >= 400);
    assert!(
        begin.elapsed() < Duration::from_secs(120),
        "{:?}",
        begin.elapsed()
    );

    // And by the command itself: an error, never a panic, and nothing is written.
    for _ in 0..15 {
        for file in ["ca.p12", "chain.pem"] {
            fs::write(kpki.path("bad"), mutated(&read(file), &mut random)).unwrap();
            let arguments = [
                "--out",
                "x",
                "init-ca",
                "--import-cert",
                "bad",
                "--import-key",
                "bad",
            ];
            let mut command = kpki.command(&arguments);
            let output = command
                .env("KPKI_IMPORT_PASSWORD", "password")
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                // What was changed stood between two sections.
                Some(0) => fs::remove_dir_all(kpki.path("x")).unwrap(),
                code => {
                    assert_eq!(code, Some(1), "{text}");
                    assert!(
                        text.contains("error: ") && !text.contains("panicked"),
                        "{text}"
                    );
                    assert!(!kpki.path("x").exists());
                }
            }
        }
    }
}

#[test]
fn heaps_of_certificates_that_all_sign_each_other_end() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    // Twelve of one name and key, none of which is a root: every one fits above every other.
    let mut names = Vec::new();
    for at in 0..12 {
        let name = format!("loop{at}");
        fs::copy(kpki.path("policy.key"), kpki.path(format!("{name}.key"))).unwrap();
        fs::copy(kpki.path("policy.key"), kpki.path("same.key")).unwrap();
        fs::copy(kpki.path("policy.crt"), kpki.path("same.crt")).unwrap();
        company.ca(
            &name,
            "/CN=policy of none",
            Some("same"),
            "P-521",
            &super::company::CA,
        );
        names.push(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    company.join("heap.pem", &names);
    let begin = Instant::now();
    let refused = kpki
        .run(&[
            "init-ca",
            "--import-cert",
            "heap.pem",
            "--import-key",
            "loop0.key",
        ])
        .expect_code(1);
    assert!(refused.stderr.contains("is missing"), "{}", refused.stderr);
    let many = vec!["root"; 2]
        .into_iter()
        .chain(names)
        .collect::<Vec<_>>()
        .repeat(6);
    company.join("many.pem", &many);
    kpki.run(&[
        "init-ca",
        "--import-cert",
        "many.pem",
        "--import-key",
        "loop0.key",
    ])
    .expect_code(1);
    assert!(begin.elapsed() < Duration::from_secs(30));
}
