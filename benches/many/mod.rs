//! A thousand identities, and what has to be done for them whatever the command: for the benches of whole commands.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use kpki::{
    bootstrap::{
        ca::{self, Ca},
        context::{Asked, Context},
        plan::plan,
        trust::Trust,
        up::execute,
    },
    issuer::local::{CaSpec, NewCa},
    pki::KeyProtection,
    policy,
    secret::Secret,
    state::{Lock, OutDir},
};
use rayon::prelude::*;
use sha2::Sha256;

pub const IDENTITIES: usize = 1000;
/// The CA's.
pub const PASSPHRASE: &str = "bench";
const ITERATIONS: u32 = 10_000;

pub type Failed = Box<dyn std::error::Error>;

/// The whole of `kpki up`: in an empty directory from the CA, its key's derivation included, to the last sync.
pub fn up(policy: &policy::ValidatedPolicy, out: &Path) -> Result<Duration, Failed> {
    let begin = Instant::now();
    let out = OutDir::new(out);
    out.create()?;
    let lock = Lock::acquire(out.root(), Duration::ZERO, |_| ())?;
    let passphrase = Secret::new(PASSPHRASE.into());
    let spec = CaSpec {
        subject: policy.ca.subject.clone(),
        generation: 1,
        key: policy.ca.key,
        days: policy.ca.valid_days,
        intermediate: false,
        name_constraints: Vec::new(),
    };
    let now = time::OffsetDateTime::now_utc();
    let context = Context {
        policy,
        out: &out,
        profile: None,
        now,
        asked: Asked::default(),
    };
    if Ca::exists(&out)? {
        let ca = Ca::open(&out)?;
        let planned = plan(context, &ca.trust).map_err(|e| format!("{e:?}"))?;
        execute(context, &planned, &ca.trust, None, &lock, &|_| ())?;
    } else {
        let new = NewCa::make(&spec, now)?;
        let trust = Trust::new(&new)?;
        let planned = plan(context, &trust).map_err(|e| format!("{e:?}"))?;
        let protection = KeyProtection::Passphrase(passphrase);
        let issuer = ca::write(&out, &lock, new, &trust, &protection)?;
        execute(context, &planned, &trust, Some(&*issuer), &lock, &|_| ())?;
    }
    Ok(begin.elapsed())
}

/// A policy of so many clients with certificates.
pub fn clients(count: usize) -> Result<policy::ValidatedPolicy, Failed> {
    let mut text = "clients:\n".to_owned();
    for n in 0..count {
        text.push_str(&format!("  - {{name: client{n}, auth: tls}}\n"));
    }
    Ok(policy::parse("bench", &text, &|_| Ok(Vec::new())).map_err(|e| format!("{e:?}"))?)
}

/// Two PBKDF2 for each store, one after the other, on all cores. The derivation of its integrity check comes on
/// top, so this is less than what has to be done.
pub fn floor() -> Duration {
    let begin = Instant::now();
    (0..2 * IDENTITIES).into_par_iter().for_each(|n| {
        let mut key = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(
            b"abcdefghijklmnopqrstuvwxyz012345",
            &n.to_le_bytes(),
            ITERATIONS,
            &mut key,
        );
        std::hint::black_box(key);
    });
    begin.elapsed()
}

/// The most memory that this process has had, in MB, as Linux counts it.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1000)
}
