//! Stores that lie.

use std::time::{Duration, Instant};

use kpki::{
    keystore::{Passwords, open},
    secret::Secret,
};
use proptest::{
    prelude::Rng,
    test_runner::{RngAlgorithm, TestRng},
};

use super::*;

/// 10,000 stores with changed, cut and repeated bytes: an answer each, in no time.
#[test]
fn ten_thousand_mutated_stores_are_answered_without_a_panic() {
    let seeds = seeds();
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    let secret = Secret::new(PASSWORD.to_owned());
    for round in 0..10_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        let mut below = |most: usize| rng.next_u32() as usize % most;
        for _ in 0..1 + below(8) {
            let at = below(bytes.len());
            match below(5) {
                0 => bytes[at] = below(256) as u8,
                1 => bytes[at] ^= 1 << below(8),
                2 => bytes.truncate(at.max(8)),
                3 => bytes[at] = 0xff,
                _ => {
                    let part = bytes[at..].to_vec();
                    bytes.extend(part);
                }
            }
        }
        // The password is tried on one in ten, as its derivation is what takes time.
        let store = (round % 10 == 0).then_some(&secret);
        let started = Instant::now();
        let _ = open(&bytes, Passwords { store, key: None });
        longest = longest.max(started.elapsed());
    }
    eprintln!("10,000 in {:?}, the longest {longest:?}", begun.elapsed());
    assert!(longest < Duration::from_secs(60), "{longest:?}");
}

/// Small stores of each format, with few iterations.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for file in [
        "go-legacy.p12",
        "go-pbmac1.p12",
        "bouncycastle.p12",
        "python.p12",
        "leaf.pem",
    ] {
        seeds.push(std::fs::read(made(file)).unwrap());
    }
    for file in ["small.jks", "small.jceks"] {
        seeds.push(std::fs::read(made(file)).unwrap());
    }
    seeds
}

#[test]
fn a_store_that_asks_for_endless_work_is_refused_at_once() {
    // BouncyCastle leaves the length of the whole open, so only MacData's own has to grow by the two octets.
    let store = std::fs::read(made("bouncycastle-aes.p12")).unwrap();
    let written = [2, 3, 1, 0x90, 0];
    let at = store.windows(5).rposition(|part| part == written).unwrap();
    let is_mac_data =
        |from: &usize| store[*from] == 0x30 && from + 2 + usize::from(store[from + 1]) == at + 5;
    let mac_data = (0..at).find(is_mac_data).unwrap();
    let mut hostile = [&store[..at], &[2, 5, 0, 0x80, 0, 0, 0], &store[at + 5..]].concat();
    hostile[mac_data + 1] += 2;
    let kpki = Kpki::new();
    std::fs::write(kpki.path("hostile.p12"), hostile).unwrap();
    kpki.write("password", PASSWORD);
    let begun = Instant::now();
    let refused = kpki.run(&[
        "store",
        "inspect",
        "hostile.p12",
        "--password-file",
        "password",
    ]);
    assert!(
        refused.stderr.contains("2147483648 iterations"),
        "{refused:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn lengths_that_lie_in_jks_are_refused_without_their_memory() {
    let head = |count: u32| {
        [
            &[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2][..],
            &count.to_be_bytes(),
        ]
        .concat()
    };
    let end = [0; 20];
    let entry = [
        0, 0, 0, 2, 0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, b'X', b'.', b'5', b'0', b'9', 0xff,
        0xff, 0xff, 0xff,
    ];
    for (bytes, says) in [
        (
            [head(u32::MAX), end.to_vec()].concat(),
            "claims to have 4294967295 entries",
        ),
        (
            [head(1), entry.to_vec(), end.to_vec()].concat(),
            "damaged or truncated",
        ),
        ([head(1), end.to_vec()].concat(), "damaged or truncated"),
        (head(0), "damaged or truncated"),
        (b"\xfe\xed\xfe\xed".to_vec(), "damaged or truncated"),
    ] {
        let error = open(&bytes, Passwords::default()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
