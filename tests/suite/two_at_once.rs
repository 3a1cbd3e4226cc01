//! Two operators at once, with every pair of commands that change a CA: both are done, or one is told to try again.

use std::process::Stdio;

use serde_json::Value;

use crate::support::kpki::Kpki;

/// What one of two may be told, with nothing changed.
const LATE: [&str; 6] = [
    "ca-changed",
    "rotation-order",
    "rotation-running",
    "no-rotation",
    "backup-older",
    "backup-other",
];

#[test]
fn two_operators_at_once_lose_nothing() {
    let clients: Vec<String> = (0..40).map(|n| format!("client{n}")).collect();
    let names: Vec<&str> = clients.iter().map(String::as_str).collect();
    let kpki = Kpki::at_work(&names);
    kpki.ok(&["crl"]);
    let (mut number, mut late) = (0, 0);
    for first in 0..8 {
        for second in first..8 {
            let state = kpki.json(&["rotate-ca", "status", "--json"])["state"].take();
            let commands = [first, second].map(|kind| {
                number += 1;
                command(kind, number, &names, state.as_str().unwrap())
            });
            let started = commands.clone().map(|command| {
                let words: Vec<&str> = command.split(' ').collect();
                let mut command = kpki.command(&[&["--json"], &words[..]].concat());
                let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
                command.stderr(Stdio::piped()).spawn().unwrap()
            });
            for (child, command) in started.into_iter().zip(&commands) {
                let output = child.wait_with_output().unwrap();
                if output.status.success() {
                    continue;
                }
                let said: Value = serde_json::from_slice(&output.stdout).unwrap();
                late += 1;
                if said["crl"].is_null() && said["revoked"].is_array() {
                    // On record, but the CA was replaced before the list was signed.
                    kpki.ok(&["crl"]);
                    continue;
                }
                let code = said["error"]["code"].as_str().unwrap_or_default();
                assert!(LATE.contains(&code), "{commands:?}: {command}: {said}");
            }
            if commands.iter().any(|c| c.starts_with("rotate-ca")) {
                // Nobody but its owner can have it signed by another CA.
                let request = "elsewhere/far/far.csr";
                kpki.ok(&["sign", request, "--client", "--out-file", "again.crt"]);
            }
            kpki.is_sound("out", commands.join(" and "));
        }
    }
    println!("{late} of {number} were told to try again");
    kpki.certificates();
    kpki.ok(&["renew", "--all"]);
}

/// A command of a kind, which no earlier one has made needless.
fn command(kind: u32, number: usize, clients: &[&str], state: &str) -> String {
    match kind {
        0 => "renew --all".to_owned(),
        1 => format!("renew {} --new-key", clients[number % 20]),
        2 => format!("revoke {}", clients[20 + number % 20]),
        3 => "crl --der".to_owned(),
        4 => format!("sign elsewhere/far/far.csr --client --out-file far{number}.crt"),
        5 => format!("backup b{number}"),
        6 => format!("issue new{number} --client"),
        _ => match state {
            "none" => "rotate-ca start".to_owned(),
            "retiring" => "rotate-ca finish --force".to_owned(),
            _ => "rotate-ca next --force".to_owned(),
        },
    }
}
