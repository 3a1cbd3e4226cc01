//! What an identity costs: a P-256 key, its certificate and its key store, against the key derivation that the
//! format demands and nobody can save. The last line is the ratio of the two, which stays below [`BOUND`].

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use criterion::Criterion;
use hmac::{Hmac, KeyInit, Mac};
use kpki::{
    keystore::{StoreProfile, pkcs12},
    secret::Secret,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest, Sha256};

const BOUND: f64 = 1.3;
const ITERATIONS: u32 = 10_000;
const PASSWORD: &str = "abcdefghijklmnopqrstuvwxyz012345";

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Result<Ca, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// A key, a certificate and a key store, as `kpki issue` makes them.
fn identity(ca: &Ca, password: &Secret) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let key = KeyPair::generate()?;
    let cert = CertificateParams::new(vec!["kafka1".into()])?.signed_by(&key, ca)?;
    let entry = pkcs12::KeyEntry {
        alias: "kafka1",
        key_pkcs8: key.serialized_der(),
        chain: &[cert.der().clone()],
    };
    Ok(pkcs12::keystore(&entry, password, StoreProfile::Jdk)?)
}

/// The derivations of one key store with one entry: a PBKDF2 for the certificates, one for the key, and the
/// key of the integrity check with its HMAC. `pbkdf2` is the function under measurement.
fn derivation(pbkdf2: impl Fn(&[u8], &mut [u8])) -> [u8; 32] {
    let mut key = [0; 32];
    for salt in [[1; 32], [2; 32]] {
        pbkdf2(black_box(&salt), &mut key);
        black_box(&key);
    }
    let mut mac = hmac_sha256(&mac_key(PASSWORD, &[3; 8]));
    mac.update(&[4; 1_000]);
    mac.finalize().into_bytes().into()
}

/// RFC 7292 appendix B.2 with SHA-256, for one block of output and an ID of 3: a MAC key.
fn mac_key(password: &str, salt: &[u8]) -> [u8; 32] {
    let mut password: Vec<u8> = password.encode_utf16().flat_map(u16::to_be_bytes).collect();
    password.extend([0, 0]);
    let fill = |bytes: &[u8]| -> Vec<u8> {
        let len = bytes.len().div_ceil(64) * 64;
        bytes.iter().copied().cycle().take(len).collect()
    };
    let mut digest = Sha256::new_with_prefix([3; 64])
        .chain_update(fill(salt))
        .chain_update(fill(&password));
    let mut hash = digest.finalize_reset();
    for _ in 1..ITERATIONS {
        digest.update(hash);
        hash = digest.finalize_reset();
    }
    hash.into()
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes a key of any length (RFC 2104 §2)"
)]
fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length")
}

fn rustcrypto(salt: &[u8], key: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha256>(PASSWORD.as_bytes(), salt, ITERATIONS, key);
}

fn aws_lc(salt: &[u8], key: &mut [u8]) {
    use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
    let iterations = std::num::NonZeroU32::new(ITERATIONS).unwrap_or(std::num::NonZeroU32::MIN);
    derive(
        PBKDF2_HMAC_SHA256,
        iterations,
        salt,
        PASSWORD.as_bytes(),
        key,
    );
}

/// The same `pbkdf2` function as in [`rustcrypto`], but compiled in the crate that the key store uses, where it
/// comes out a fifth faster; with a block of AES, as the crate does not hand out the key.
fn pkcs5(salt: &[u8], key: &mut [u8]) {
    use pkcs8::pkcs5::pbes2::Parameters;
    let block = Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, salt, [0; 16])
        .and_then(|parameters| parameters.encrypt(PASSWORD, &[]));
    let block = block.unwrap_or_default();
    key[..block.len()].copy_from_slice(&block);
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (ca, password) = (ca()?, Secret::new(PASSWORD.into()));
    // Both sides of the ratio do the same derivation, or the ratio says nothing.
    assert_eq!(derivation(rustcrypto), derivation(aws_lc));
    identity(&ca, &password)?;

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("identity", |b| b.iter(|| identity(&ca, &password)));
    criterion.bench_function("derivation/rustcrypto", |b| {
        b.iter(|| derivation(rustcrypto));
    });
    criterion.bench_function("derivation/aws-lc", |b| b.iter(|| derivation(aws_lc)));
    criterion.bench_function("derivation/pkcs5", |b| b.iter(|| derivation(pkcs5)));
    criterion.final_summary();

    // `cargo test` runs benches once, unoptimised: nothing to measure there.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    // Taken in turns, so that a busy machine slows all alike.
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..301 {
        times[0].push(time(|| identity(&ca, &password)));
        times[1].push(time(|| derivation(rustcrypto)));
        times[2].push(time(|| derivation(aws_lc)));
        times[3].push(time(|| derivation(pkcs5)));
    }
    let [whole, rustcrypto, aws_lc, pkcs5] = times.map(median);
    println!("derivation: pbkdf2 {rustcrypto:.2?}, aws-lc {aws_lc:.2?}, pkcs5 {pkcs5:.2?}");
    // Against the fastest, as what is slower could have been saved.
    let ratio = whole.as_secs_f64() / rustcrypto.min(aws_lc).min(pkcs5).as_secs_f64();
    println!("identity: {whole:.2?}, ratio {ratio:.3} (bound {BOUND})");
    Ok(if ratio <= BOUND {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
