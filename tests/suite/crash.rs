//! Nothing is lost: kpki killed at random instants, and what the next run makes of it.

mod batches;
mod brought;
mod five_hundred;
mod rotation;

use std::{
    fs,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use kpki::{bootstrap::rfc3339, pki::Certificate};

use crate::support::kpki::Kpki;

const POLICY: &str = "
brokers: [{name: kafka1}, {name: kafka2}, {name: kafka3}]
clients:
  - {name: alice, auth: [tls, scram-sha-512]}
  - {name: bob, auth: scram-sha-256}
";

/// How many files a whole identity has.
fn expected_files(name: &str) -> usize {
    match name {
        "bob" => 5,
        "alice" => 11,
        _ => 9,
    }
}

/// A small generator with a printed seed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// What must hold at every instant.
fn check(kpki: &Kpki) {
    let out = &kpki.path("out");
    let records = kpki.certificates();
    assert_eq!(
        out.join("ca/ca.key").exists(),
        out.join("ca/ca.crt").exists()
    );
    assert_eq!(out.join("ca/ca.key").exists(), !records.is_empty());
    let Ok(entries) = fs::read_dir(out) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !path.is_dir() || name == "ca" || name.starts_with('.') {
            continue;
        }
        for file in fs::read_dir(&path).unwrap() {
            let file = file.unwrap().path();
            assert_ne!(
                fs::metadata(&file).unwrap().len(),
                0,
                "{} is empty",
                file.display()
            );
        }
        let certificate = path.join(format!("{name}.crt"));
        if let Ok(pem) = fs::read(&certificate) {
            let der = kpki::keystore::pem::parse_certificates(&pem).unwrap();
            let serial = Certificate::from_der(&der[0]).unwrap().serial;
            assert!(
                records.iter().any(|r| r["serial"] == serial.as_str()),
                "{name} has a certificate without a record"
            );
            assert!(
                path.join(format!("{name}.key")).exists(),
                "{name} has a certificate without its key"
            );
        }
    }
    // A key that is still being put in its place has its record as well.
    for hidden in fs::read_dir(out).unwrap().map(|e| e.unwrap().path()) {
        let Ok(dirs) = fs::read_dir(&hidden) else {
            continue;
        };
        if !hidden
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with('.')
        {
            continue;
        }
        for dir in dirs.map(|d| d.unwrap().path()) {
            let name = dir.file_name().unwrap().to_str().unwrap();
            // A new CA brings its inventory with it, and a change of one finds it there.
            let recorded = if name == "ca" {
                dir.join("inventory.jsonl").exists() || out.join("ca/inventory.jsonl").exists()
            } else {
                records.iter().any(|r| r["name"] == name)
            };
            if dir.join(format!("{name}.key")).exists() {
                assert!(recorded, "{name} has a key without a record");
            }
        }
    }
}

/// Kills runs at random instants within the time that such a run takes on this machine just now.
struct Killer {
    random: Random,
    /// How long the last run of each kind took that ended by itself, in microseconds.
    lasts: [u64; 8],
    killed: usize,
    rounds: usize,
}

impl Killer {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            lasts: [200_000; 8],
            killed: 0,
            rounds: 0,
        }
    }

    fn strike(&mut self, kind: usize, kpki: &Kpki, arguments: &[&str]) {
        let begin = Instant::now();
        let mut child = kpki
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Duration::from_micros(self.random.below(self.lasts[kind]));
        self.rounds += 1;
        loop {
            if child.try_wait().unwrap().is_some() {
                // Too late: the machine is faster than it was.
                self.lasts[kind] = u64::try_from(begin.elapsed().as_micros()).unwrap();
                return;
            }
            if begin.elapsed() >= deadline {
                child.kill().unwrap();
                self.killed += usize::from(!child.wait().unwrap().success());
                // Slower machines are followed as well.
                self.lasts[kind] += self.lasts[kind] / 50;
                return;
            }
            sleep(Duration::from_micros(100));
        }
    }
}

fn complete(kpki: &Kpki) {
    // A first host is a voter's, so that another one is a change to be asked for.
    kpki.ok(&["up", "policy.yaml", "--allow", "voters"]);
    check(kpki);
    let out = kpki.path("out");
    for name in ["kafka1", "kafka2", "kafka3", "alice", "bob"] {
        let count = fs::read_dir(out.join(name)).unwrap().count();
        assert_eq!(count, expected_files(name), "{name}");
    }
    let hidden: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.starts_with(".new") || n.starts_with(".commit") || n.starts_with(".kpki"))
        .collect();
    assert!(hidden.is_empty(), "left behind: {hidden:?}");
}

/// Runs `up` and `issue` again and again, kills them at random instants, and lets the next run finish.
#[test]
fn two_hundred_kills_lose_nothing() {
    let seed = std::process::id().into();
    println!(
        "seed {seed} at {}",
        rfc3339(time::OffsetDateTime::now_utc())
    );
    let mut killer = Killer::new(seed);
    let mut kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    while killer.killed < 200 {
        assert!(
            killer.rounds < 1000,
            "only {} of {} runs were killed while at work",
            killer.killed,
            killer.rounds
        );
        let kind = killer.random.below(4) as usize;
        match kind {
            // From nothing.
            0 => {
                kpki = Kpki::new();
                kpki.write("policy.yaml", POLICY);
                killer.strike(kind, &kpki, &["up", "policy.yaml"]);
            }
            // A certificate anew, over what is there.
            1 => {
                complete(&kpki);
                let hosts = format!(
                    "{{name: kafka1, hosts: [h{}]}}",
                    killer.random.below(1 << 30)
                );
                kpki.write("policy.yaml", &POLICY.replace("{name: kafka1}", &hosts));
                killer.strike(kind, &kpki, &["up", "policy.yaml", "--allow", "voters"]);
            }
            // Identities that are missing.
            2 => {
                complete(&kpki);
                for name in ["kafka2", "alice"] {
                    fs::remove_dir_all(kpki.path("out").join(name)).unwrap();
                }
                killer.strike(kind, &kpki, &["up", "policy.yaml"]);
            }
            _ => {
                complete(&kpki);
                let name = format!("x{}", killer.random.below(1 << 30));
                killer.strike(kind, &kpki, &["issue", &name]);
                check(&kpki);
                if kpki.path("out").join(&name).exists() {
                    assert_eq!(
                        fs::read_dir(kpki.path("out").join(&name)).unwrap().count(),
                        9
                    );
                } else {
                    // Where it was promised already, the next run keeps the promise before it looks.
                    let next = kpki.run(&["issue", &name]);
                    let kept = next.stderr.contains("interrupted command")
                        && next.stderr.contains("already exists");
                    assert!(next.code == Some(0) || kept, "{}", next.stderr);
                    assert_eq!(
                        fs::read_dir(kpki.path("out").join(&name)).unwrap().count(),
                        9
                    );
                }
            }
        }
        if kpki.path("out").exists() {
            check(&kpki);
        }
    }
    complete(&kpki);
}
