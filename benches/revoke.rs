//! The list of 100,000 revoked certificates beside the one that `openssl ca -gencrl` makes, and `kpki list` of as many.
//! Each is a whole run of the program, medians of [`ROUNDS`] in turns. Fails where one of kpki's takes longer than
//! [`BOUND`], or the list of revoked ones longer than OpenSSL's.

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
const BOUND: Duration = Duration::from_millis(300);

/// A serial number like kpki's own.
fn serial(n: usize) -> String {
    // Scattered as random ones are; the first digit keeps it positive.
    format!(
        "4{:015x}{:024x}",
        (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4,
        n
    )
}

/// A CA without a passphrase, whose derivation would be measured as well, with all certificates on record and revoked.
fn fill(dir: &Path) -> Result<(), Box<dyn Error>> {
    run(kpki(dir).args(["-q", "init-ca", "--no-passphrase"]))?;
    let inventory = dir.join("out/ca/inventory.jsonl");
    let mut lines = fs::read_to_string(&inventory)?;
    for n in 0..CERTIFICATES {
        let (serial, sha) = (serial(n), format!("{n:064x}"));
        writeln!(
            lines,
            r#"{{"v":1,"name":"client-{n}","kind":"client","serial":"{serial}","subject":"CN=client-{n}","sans":["DNS:client-{n}.example.com","IP:10.0.0.1"],"not_before":"2026-11-21T11:00:00Z","not_after":"2099-12-23T12:00:00Z","issuer":"CN=Kafka CA G1","key":"ecdsa-p256","key_sha256":"{sha}","sha256":"{sha}"}}"#
        )?;
    }
    for n in 0..CERTIFICATES {
        writeln!(
            lines,
            r#"{{"v":2,"event":"revoked","at":"2026-11-21T12:00:00Z","serial":"{}","name":"client-{n}","reason":"keyCompromise"}}"#,
            serial(n)
        )?;
    }
    fs::write(&inventory, lines)?;
    // The same for OpenSSL: its database of certificates, and the same key.
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
    let dir = dir.path();
    fill(dir)?;
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
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(time(kpki(dir).args(["-q", "crl"]))?);
        times[1].push(time(Command::new("openssl").current_dir(dir).args(gencrl))?);
        times[2].push(time(kpki(dir).args(["list", "--json"]))?);
    }
    let [crl, openssl, list] = times.map(median);
    println!(
        "{CERTIFICATES} revoked: kpki crl {crl:.0?}, openssl ca -gencrl {openssl:.0?}, ratio {:.2} (bounds {BOUND:?} and 1)",
        crl.as_secs_f64() / openssl.as_secs_f64()
    );
    println!("{CERTIFICATES} certificates, each revoked: kpki list {list:.0?} (bound {BOUND:?})");
    Ok(match crl <= BOUND && crl < openssl && list <= BOUND {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
