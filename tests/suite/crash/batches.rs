//! More identities than are renewed together, and the renewal killed between them.

use std::{
    fs,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::check;
use crate::support::kpki::Kpki;

/// Two batches and a part of a third.
const CLIENTS: usize = 520;

fn lines(kpki: &Kpki) -> usize {
    let text = fs::read_to_string(kpki.path("out/ca/inventory.jsonl")).unwrap();
    text.lines().count()
}

/// `renew --due` had nothing to do where the last renewal was killed after it had recorded a batch and before it had
/// written it: by the inventory, nobody was due.
#[test]
fn whoever_was_signed_for_and_has_an_old_certificate_is_due() {
    let kpki = Kpki::new();
    let clients = (0..CLIENTS).map(|n| format!("  - {{name: c{n}, auth: tls}}\n"));
    let clients: String = clients.collect();
    kpki.write("policy.yaml", &format!("clients:\n{clients}"));
    kpki.ok(&["up", "policy.yaml"]);
    let due = || kpki.json(&["renew", "--due", "--json"]);
    let renewed = |said: &Value| said.as_array().unwrap().len();
    assert_eq!(renewed(&due()), 0);

    let before = lines(&kpki);
    let mut child = kpki
        .command(&["renew", "--all"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    // The second batch is on record, and the first is being written.
    while lines(&kpki) < before + CLIENTS / 2 + 1 {
        assert!(child.try_wait().unwrap().is_none(), "too late");
        assert!(begun.elapsed() < Duration::from_secs(300));
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    check(&kpki);

    let status = || kpki.run(&["status", "--json"]);
    let said = status().expect_code(3).json();
    let behind = said["due"].as_array().unwrap();
    assert!(behind.iter().all(|due| due["code"] == "expires"), "{said}");
    // What was already being moved to its place is finished, and not renewed again.
    assert!((1..=behind.len()).contains(&renewed(&due())));
    status().expect_code(0);
    assert_eq!(renewed(&due()), 0);
    kpki.ok(&["doctor", "policy.yaml"]);
    kpki.ok(&["up", "policy.yaml", "--dry-run", "--exit-code"]);
}
