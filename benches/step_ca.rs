//! What 1,000 identities that step-ca signs cost (keys, requests, tokens, checks, the record of each, and finding the
//! provisioner's key), against the same step-ca's signing of 1,000 requests that were made before, over as many
//! connections.

#[path = "../tests/suite/support/mod.rs"]
#[allow(unused, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    digest,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use kpki::{
    bootstrap::{
        ca::Ca,
        identity::{Applicant, enrol},
    },
    pki::{KeyAlgorithm, Kind, LeafSpec, hex},
    policy::{IssuerSettings, StepCaSettings},
    random,
    secret::Secret,
    state::{Inventory, Lock, OutDir},
};
use rayon::prelude::*;
use serde_json::json;
use support::step_ca::{PASSWORD, StepCa};
use time::OffsetDateTime;
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// The time of kpki as a multiple of that of step-ca.
const BOUND: f64 = 1.5;
const IDENTITIES: usize = 1000;
const ROUNDS: usize = 7;
/// As many as `kpki up` has signed together, and requests under way at once.
const BATCH: usize = 256;
const CONNECTIONS: usize = 16;

type Failed = Box<dyn std::error::Error>;

fn leaves() -> Result<Vec<LeafSpec>, Failed> {
    let leaves = (0..IDENTITIES).map(|n| {
        let name = format!("client{n}.example.com");
        Ok(LeafSpec {
            name: name.parse()?,
            kind: Kind::Client,
            hosts: vec![name.parse()?],
            key: KeyAlgorithm::EcdsaP256,
            days: 30,
        })
    });
    leaves.collect()
}

/// kpki, from nothing but the address to the last record.
fn through_kpki(ca: &StepCa, leaves: &[LeafSpec]) -> Result<Duration, Failed> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let out = OutDir::new(dir.path().join("out"));
    out.create()?;
    let lock = Lock::acquire(out.root(), Duration::ZERO, |_| ())?;
    let settings = IssuerSettings::StepCa(StepCaSettings {
        url: ca.url.clone(),
        fingerprint: ca.fingerprint.clone(),
        provisioner: "kpki".to_owned(),
        password_file: None,
    });
    let begin = Instant::now();
    let far = Ca::elsewhere(&out, &settings)?;
    far.write(&out, &lock)?;
    let issuer = far.open_issuer(Some(&Secret::new(PASSWORD.to_owned())))?;
    let mut inventory = Inventory::read(&out)?;
    for batch in leaves.chunks(BATCH) {
        let applicants = batch.iter().map(|leaf| {
            Ok(Applicant {
                leaf,
                key: None,
                password: random::password()?,
            })
        });
        let applicants = applicants.collect::<Result<Vec<_>, Failed>>()?;
        let now = OffsetDateTime::now_utc();
        for answer in enrol(applicants, &*issuer, &mut inventory, &lock, now)? {
            answer?;
        }
    }
    Ok(begin.elapsed())
}

/// Requests with their tokens, ready to be sent.
fn prepared(ca: &StepCa, leaves: &[LeafSpec], key: &EcdsaKeyPair) -> Result<Vec<Vec<u8>>, Failed> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let part = |value: &serde_json::Value| BASE64.encode(value.to_string());
    let bodies = leaves.iter().map(|leaf| {
        let pair = leaf.key.generate()?;
        let csr = kpki::keystore::pem::request(&leaf.request(&pair)?);
        let header = part(&json!({"alg": "ES256", "kid": "bench", "typ": "JWT"}));
        let claims = part(&json!({
            "iss": "bench",
            "aud": format!("{}/1.0/sign", ca.url),
            "sub": leaf.name.as_str(),
            "sans": [leaf.name.as_str()],
            "iat": now, "nbf": now, "exp": now + 300,
            "jti": hex(&random::octets::<32>()?),
        }));
        let signed = format!("{header}.{claims}");
        let digest = digest::digest(&digest::SHA256, signed.as_bytes());
        let signature = key.sign_digest(&digest).map_err(|_| "no signature")?;
        let token = format!("{signed}.{}", BASE64.encode(signature.as_ref()));
        Ok(serde_json::to_vec(&json!({"csr": csr, "ott": token}))?)
    });
    bodies.collect()
}

/// A client that does nothing but send and receive.
fn step_ca_alone(ca: &StepCa, bodies: &[Vec<u8>]) -> Result<Duration, Failed> {
    let root = Certificate::from_pem(&std::fs::read(&ca.root)?)?;
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::from([root]))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    let agent: Agent = Agent::config_builder()
        .tls_config(tls)
        .max_idle_connections_per_host(CONNECTIONS)
        .build()
        .into();
    let url = format!("{}/1.0/sign", ca.url);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(CONNECTIONS)
        .build()?;
    let begin = Instant::now();
    let sent: Result<(), ureq::Error> = pool.install(|| {
        let each = bodies.par_iter();
        each.try_for_each(|body| {
            let mut response = agent
                .post(&url)
                .header("Content-Type", "application/json")
                .send(&body[..])?;
            response.body_mut().read_to_vec()?;
            Ok(())
        })
    });
    sent?;
    Ok(begin.elapsed())
}

fn main() -> Result<ExitCode, Failed> {
    // `cargo test` runs benches once, unoptimised: nothing to measure there.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let point = key.public_key().as_ref();
    let bench = json!({
        "type": "JWK",
        "name": "bench",
        "key": {
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "bench",
            "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]),
        },
    });
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let Some(ca) = StepCa::start_with(dir.path(), &[bench]) else {
        return Ok(ExitCode::SUCCESS);
    };
    let leaves = leaves()?;
    // In turns, each round with its own ratio: a busy machine slows both alike, and the median is what usually happens.
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let bodies = prepared(&ca, &leaves, &key)?;
        let (kpki, alone) = (through_kpki(&ca, &leaves)?, step_ca_alone(&ca, &bodies)?);
        rounds.push((kpki.as_secs_f64() / alone.as_secs_f64(), kpki, alone));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, kpki, alone) = rounds[ROUNDS / 2];
    println!(
        "1,000 identities through step-ca: {kpki:.2?}; step-ca's signing of 1,000 requests: {alone:.2?}; {ratio:.2} times (at most {BOUND}; {:.2} to {:.2} in {ROUNDS} rounds)",
        rounds[0].0,
        rounds[ROUNDS - 1].0
    );
    Ok(match ratio <= BOUND {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
