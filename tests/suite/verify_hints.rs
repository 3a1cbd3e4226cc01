//! The next steps that `kpki verify` names: those that work, whatever is wrong.

use serde_json::Value;

use crate::{
    probe::serve_kafka1,
    support::{
        clock::{DAY, move_by},
        kpki::Kpki,
        ports,
        s_server::SServer,
    },
    verify::{only, verify},
};

/// A server with the certificate that kafka1 has now.
fn serve(kpki: &Kpki, options: &str) -> Option<SServer> {
    let files = "-cert out/kafka1/kafka1.crt -key out/kafka1/kafka1.key -CAfile out/ca/ca.crt";
    SServer::start(kpki.dir(), &format!("{files} {options}"))
}

const WANTS: &str = "-Verify 3 -verify_return_error";

/// The hint of the fault with this code.
fn hint(document: &Value, code: &str) -> String {
    let mut checks = document["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["code"] == code);
    let check = check.unwrap_or_else(|| panic!("{code}: {document:#}"));
    check["hint"].as_str().unwrap().to_owned()
}

#[test]
fn who_has_expired_is_restarted_or_renewed_and_not_reloaded() {
    let mut kpki = Kpki::new();
    if !move_by(&mut kpki, -500 * DAY) {
        return;
    }
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    kpki.ok(&["issue", "--client", "alice"]);
    kpki.without_env("LD_PRELOAD");
    let Some(server) = serve(&kpki, "") else {
        return;
    };
    let expired = verify(&kpki, &[&server.address()]);
    assert_eq!(
        hint(&expired, "expired"),
        "kpki renew kafka1, copy its directory to its machine, then restart it: nothing can connect to it to reload it"
    );
    kpki.ok(&["renew", "kafka1"]);
    let renewed = verify(&kpki, &[&server.address()]);
    for code in ["expired", "outdated"] {
        assert_eq!(
            hint(&renewed, code),
            "copy the directory of kafka1 to its machine, then restart it: nothing can connect to it to reload it"
        );
    }

    let as_alice = |options: &str| {
        let server = serve(&kpki, &format!("{WANTS} {options}")).unwrap();
        verify(&kpki, &[&server.address(), "--identity", "alice"])
    };
    let refused = hint(&as_alice(""), "certificate-refused");
    assert!(
        refused.starts_with("it expired on ") && refused.ends_with(": kpki renew alice"),
        "{refused}"
    );
    kpki.ok(&["renew", "alice"]);
    assert_eq!(as_alice("")["ok"], true);
    kpki.ok(&["revoke", "alice", "--reason", "superseded"]);
    let refused = as_alice("-crl_check -CRL out/ca/crl.pem");
    let refused = hint(&refused, "certificate-refused");
    assert!(
        refused.starts_with("it was revoked on ")
            && refused.ends_with(" (superseded); for a new one: kpki renew alice --new-key"),
        "{refused}"
    );
}

#[test]
fn a_broker_whose_new_certificate_lacks_a_host_is_restarted_and_others_are_reloaded() {
    let kpki = Kpki::new();
    let up = |hosts: &str| {
        let brokers = format!("brokers: [{{name: kafka1, hosts: [{hosts}]}}]");
        kpki.write("policy.yaml", &format!("cluster: {{name: t}}\n{brokers}\n"));
        kpki.ok(&["up", "policy.yaml"]);
        let newest = kpki.certificates().pop().unwrap();
        newest["serial"].as_str().unwrap().to_owned()
    };
    let first = up("localhost, old.example");
    let Some(server) = serve(&kpki, "") else {
        return;
    };
    let second = up("localhost");
    let restart = "copy the directory of kafka1 to its machine, then restart it: a running broker refuses the new certificate, which lacks DNS:old.example";
    let found = verify(&kpki, &[&server.address()]);
    only(
        &found,
        "outdated",
        &format!("(serial number {first}); the newest is valid until "),
    );
    only(&found, "outdated", &format!("(serial number {second})"));
    assert_eq!(hint(&found, "outdated"), restart);
    kpki.ok(&["revoke", &first, "--reason", "superseded"]);
    let found = verify(&kpki, &[&server.address()]);
    assert_eq!(hint(&found, "revoked"), restart);
    // There is a newer one that is good: no renewal is needed.
    up("localhost, old.example");
    let found = verify(&kpki, &[&server.address()]);
    assert_eq!(
        hint(&found, "revoked"),
        "copy the directory of kafka1 to its machine, then kpki reload kafka1"
    );
    kpki.ok(&["revoke", "kafka1", "--reason", "superseded"]);
    let found = verify(&kpki, &[&server.address()]);
    assert_eq!(
        hint(&found, "revoked"),
        "kpki renew kafka1 --new-key, copy its directory to its machine, then kpki reload kafka1"
    );
}

#[test]
fn an_identity_without_a_certificate_here_is_not_asked_for_an_identity() {
    let kpki = Kpki::new();
    kpki.write(
        "policy.yaml",
        "cluster: {name: t}
brokers: [{name: kafka1, hosts: [localhost]}]
clients: [{name: cons, auth: scram-sha-512}, {name: far, key: external}]
",
    );
    kpki.ok(&["up", "policy.yaml"]);
    let request = ["issue", "far", "--csr-only", "--client"];
    kpki.ok(&[&request[..], &["--out", "elsewhere"]].concat());
    kpki.ok(&["sign", "elsewhere/far/far.csr", "--client"]);
    for (name, next) in [
        (
            "cons",
            "connect as an identity with a certificate, or connect cons to a listener that requires none",
        ),
        (
            "far",
            "the key of far is elsewhere: check from its machine, or connect as another identity",
        ),
    ] {
        let Some(server) = serve(&kpki, WANTS) else {
            return;
        };
        let found = verify(&kpki, &[&server.address(), "--identity", name]);
        only(
            &found,
            "certificate-required",
            &format!("a client certificate is required, and {name} has none here: "),
        );
        assert_eq!(hint(&found, "certificate-required"), next);
    }
}

/// They named `kpki renew`, which refuses.
#[test]
fn whose_key_is_elsewhere_gets_its_next_certificate_by_a_request() {
    let kpki = Kpki::with_open_ca();
    kpki.ok(&["issue", "kafka1", "--csr-only"]);
    kpki.ok(&["sign", "out/kafka1/kafka1.csr", "--out-file", "kafka1.crt"]);
    kpki.ok(&["issue", "kafka1", "--install-cert", "kafka1.crt"]);
    let port = ports::range(&[0, 1]);
    serve_kafka1(&kpki, port);
    let wrong = ["--server-name", "boot.example.com"];
    let address = format!("127.0.0.1:{port}");
    let found = verify(&kpki, &[&[&address[..]][..], &wrong].concat());
    assert_eq!(
        hint(&found, "wrong-host"),
        "connect with a name that it has, or sign a new request from its machine that adds this one: kpki sign kafka1.csr --name kafka1 --broker --host kafka1 --host boot.example.com > kafka1.crt"
    );
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster: {{controller_port: {}, listeners: [{{name: SSL, port: {port}, protocol: SSL}}]}}
brokers: [{{name: kafka1, hosts: [localhost], key: external}}]
",
            port + 1
        ),
    );
    let found = verify(&kpki, &["policy.yaml"]);
    let listeners = found["listeners"].as_array().unwrap();
    let kafka1 = listeners.iter().find(|l| l["listener"] == "SSL").unwrap();
    assert_eq!(
        hint(kafka1, "wrong-host"),
        "have localhost among the hosts of kafka1 in policy.yaml; kpki up policy.yaml then shows how to sign a new request from its machine; restart the broker with that certificate"
    );
    kpki.ok(&["revoke", "kafka1", "--reason", "superseded"]);
    let found = verify(&kpki, &[&address]);
    assert_eq!(
        hint(&found, "revoked"),
        "sign a request for a new key from the machine of kafka1 (kpki sign --new-key), take the certificate there, then restart it: kpki reloads only brokers whose keys are here"
    );
}

#[test]
fn a_policy_without_brokers_is_not_all_good() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", "clients: [{name: alice}]\n");
    for policy in ["-", "policy.yaml"] {
        let refused = kpki
            .run(&["verify", policy, "--json"])
            .expect_code(2)
            .json();
        let error = &refused["error"];
        assert_eq!(error["code"], "usage");
        assert!(
            error["message"].as_str().unwrap().contains("no brokers"),
            "{error}"
        );
    }
}
