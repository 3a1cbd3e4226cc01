//! The CRL of 100,000 revoked certificates beside the one that `openssl ca -gencrl` makes; `kpki list` and `kpki status`
//! of as many, beside reading each line of the same inventory as JSON on one core. Each is a whole run of the program,
//! medians of [`ROUNDS`] in turns.

use std::{
    error::Error,
    fmt::Write,
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

const CERTIFICATES: usize = 100_000;
const ROUNDS: usize = 7;
const INVENTORY: &str = "out/ca/inventory.jsonl";
/// What a CRL may take, as a multiple of OpenSSL's.
const CRL: f64 = 1.0;
/// What a list may take, as a multiple of reading the lines.
const LIST: f64 = 1.5;

/// A serial number like kpki's own.
fn serial(n: usize) -> String {
    // Scattered as random ones are; the first digit keeps it positive.
    format!(
        "4{:015x}{:024x}",
        (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4,
        n
    )
}

/// A CA without a passphrase, whose derivation would be measured as well, with all certificates on record.
fn sign(dir: &Path, revoked: bool) -> Result<(), Box<dyn Error>> {
    fs::create_dir(dir)?;
    run(kpki(dir).args(["-q", "init-ca", "--no-passphrase"]))?;
    let inventory = dir.join(INVENTORY);
    let mut lines = fs::read_to_string(&inventory)?;
    for n in 0..CERTIFICATES {
        let (serial, sha) = (serial(n), format!("{n:064x}"));
        writeln!(
            lines,
            r#"{{"v":1,"name":"client-{n}","kind":"client","serial":"{serial}","subject":"CN=client-{n}","sans":["DNS:client-{n}.example.com","IP:10.0.0.1"],"not_before":"2026-11-21T11:00:00Z","not_after":"2099-12-23T12:00:00Z","issuer":"CN=Kafka CA G1","key":"ecdsa-p256","key_sha256":"{sha}","sha256":"{sha}"}}"#
        )?;
    }
    for n in (0..CERTIFICATES).filter(|_| revoked) {
        writeln!(
            lines,
            r#"{{"v":2,"event":"revoked","at":"2026-11-21T12:00:00Z","serial":"{}","name":"client-{n}","reason":"keyCompromise"}}"#,
            serial(n)
        )?;
    }
    Ok(fs::write(&inventory, lines)?)
}

/// The same for OpenSSL: its database of certificates, and the same key.
fn sign_with_openssl(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut index = String::new();
    for n in 0..CERTIFICATES {
        let serial = serial(n).to_uppercase();
        writeln!(
            index,
            "R\t991223120000Z\t261121120000Z,keyCompromise\t{serial}\tunknown\t/CN=client-{n}"
        )?;
    }
    fs::write(dir.join("index.txt"), index)?;
    fs::write(dir.join("crlnumber"), "01\n")?;
    fs::write(
        dir.join("openssl.cnf"),
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n",
    )?;
    fs::write(dir.join("password"), "password\n")?;
    run(kpki(dir).args([
        "-q",
        "ca",
        "export-key",
        "--out-file",
        "sealed.pem",
        "--password-file",
        "password",
    ]))?;
    run(Command::new("openssl").current_dir(dir).args([
        "pkey",
        "-in",
        "sealed.pem",
        "-passin",
        "file:password",
        "-out",
        "key.pem",
    ]))
}

fn kpki(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpki"));
    command.current_dir(dir).env_remove("KPKI_OUT");
    command
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.status()?.success() {
        true => Ok(()),
        false => Err(format!("failed: {command:?}").into()),
    }
}

fn time(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    run(command)?;
    Ok(start.elapsed())
}

/// What any program that reads the inventory has to do, on one core.
fn read_lines(dir: &Path) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    for line in fs::read(dir.join(INVENTORY))?.split(|byte| *byte == b'\n') {
        if !line.is_empty() {
            std::hint::black_box(serde_json::from_slice::<serde_json::Value>(line)?);
        }
    }
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // `cargo test` runs benches once, unoptimised: nothing to measure there.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let dir = tempfile::tempdir()?;
    let (revoked, valid) = (&dir.path().join("revoked"), &dir.path().join("valid"));
    sign(revoked, true)?;
    sign_with_openssl(revoked)?;
    sign(valid, false)?;
    let gencrl = [
        "ca",
        "-config",
        "openssl.cnf",
        "-gencrl",
        "-keyfile",
        "key.pem",
        "-cert",
        "out/ca/ca.crt",
        "-out",
        "openssl.crl",
    ];
    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(time(kpki(revoked).args(["-q", "crl"]))?);
        times[1].push(time(
            Command::new("openssl").current_dir(revoked).args(gencrl),
        )?);
        times[2].push(time(kpki(valid).args(["list", "--json"]))?);
        times[3].push(time(kpki(valid).args(["status", "--json"]))?);
        times[4].push(read_lines(valid)?);
    }
    let [crl, openssl, list, status, floor] = times.map(median);
    let over = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    let results = [
        ("kpki crl", crl, "openssl ca -gencrl", openssl, CRL),
        ("kpki list", list, "reading the lines", floor, LIST),
        ("kpki status", status, "reading the lines", floor, LIST),
    ];
    for (what, time, beside, baseline, bound) in results {
        println!(
            "{CERTIFICATES} certificates: {what} {time:.0?}, {beside} {baseline:.0?}, ratio {:.2} (bound {bound})",
            over(time, baseline)
        );
    }
    let good = |(_, time, _, baseline, bound)| over(time, baseline) <= bound;
    Ok(match results.into_iter().all(good) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
