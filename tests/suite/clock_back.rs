//! A clock that jumps back: nothing comes twice, lists are of now, and status says what is dated later.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::{
    clock::{DAY, move_by},
    kpki::Kpki,
    openssl::openssl,
};

fn due(kpki: &Kpki) -> Vec<String> {
    let status = kpki.run(&["status", "--json"]).json();
    let due = status["due"].as_array().unwrap().iter();
    due.map(|due| {
        format!(
            "{} {}",
            due["name"].as_str().unwrap(),
            due["command"].as_str().unwrap()
        )
    })
    .collect()
}

#[test]
fn what_was_signed_while_the_clock_was_ahead_is_said_and_signed_anew() {
    let mut kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1"]);
    kpki.ok(&["issue", "--client", "alice", "bob"]);
    if !move_by(&mut kpki, 800 * DAY) {
        return;
    }
    kpki.ok(&["renew", "kafka1"]);
    kpki.ok(&["revoke", "alice"]);
    kpki.ok(&["crl"]);
    kpki.env("CLOCK_MOVED_BY", "0");
    // Neither is good yet, and whoever checks the list refuses everybody.
    assert_eq!(due(&kpki), ["kafka1 kpki renew kafka1", "crl kpki crl"]);
    kpki.run(&["doctor"]).expect_code(3);
    let list = kpki.json(&["crl", "--json"]);
    assert_eq!(list["number"], 3);
    // Her certificate ended long before the list that the clock was ahead for, and has not ended now.
    assert_eq!(
        list["revoked"], 1,
        "she left the list with her certificate still good"
    );
    let made = OffsetDateTime::parse(list["this_update"].as_str().unwrap(), &Rfc3339).unwrap();
    assert!(made <= OffsetDateTime::now_utc());
    let crl = ["crl", "-in", "out/ca/crl.pem", "-noout", "-text"];
    if let Some(text) = openssl(kpki.dir(), &crl) {
        let year = OffsetDateTime::now_utc().year().to_string();
        let since = text
            .stdout
            .lines()
            .find(|l| l.contains("Revocation Date"))
            .unwrap();
        assert!(since.contains(&year), "{since}");
        for (name, code) in [("alice", 2), ("bob", 0)] {
            let leaf = format!("out/{name}/{name}.crt");
            let verify = [
                "verify",
                "-crl_check",
                "-CRLfile",
                "out/ca/crl.pem",
                "-CAfile",
                "out/ca/ca.crt",
                &leaf,
            ];
            assert_eq!(
                openssl(kpki.dir(), &verify).unwrap().code,
                Some(code),
                "{name}"
            );
        }
    }
    kpki.ok(&["renew", "kafka1"]);
    assert!(due(&kpki).is_empty());
    kpki.ok(&["doctor"]);

    // Behind the CA's own beginning.
    kpki.env("CLOCK_MOVED_BY", &(-30 * DAY).to_string());
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert_eq!(status["due"][0]["code"], "clock", "{status}");
    kpki.ok(&["renew", "--all", "--new-key"]);
    kpki.ok(&["rotate-ca", "start"]);
    let behind = kpki.json(&["crl", "--json"]);
    assert_eq!(behind["number"], 5, "the start of the rotation made one");
    kpki.certificates();
    kpki.env("CLOCK_MOVED_BY", "0");
    kpki.ok(&["crl"]);
    kpki.ok(&["doctor"]);
    for verb in ["next", "next", "finish"] {
        kpki.ok(&["rotate-ca", verb, "--force"]);
    }
    kpki.ok(&["doctor"]);
    assert!(due(&kpki).is_empty());
}
