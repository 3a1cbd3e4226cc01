//! Vault's interface, by a server of the tests, whose answers are those of the engine of Vault 1.14.1.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, DnType, DnValue, SanType};
use serde_json::json;

use super::far::{Ca, TOKEN, vault, vault_answer, vault_over_tls};
use super::{contains, error, verify};
use crate::support::http::{Answer, Server, json};
use crate::support::kpki::Kpki;

fn policy(url: &str, more: &str) -> String {
    format!(
        "ca:\n  issuer:\n    vault: {{url: '{url}', role: kafka{more}}}\nbrokers:\n  - {{name: kafka1, hosts: [kafka1, 10.0.0.11]}}\nclients:\n  - {{name: orders_service}}\n"
    )
}

/// A Vault that signs all that it is asked for, after it said each of these once.
fn honest(ca: &Arc<Ca>, first: Vec<u16>) -> (Server, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let sign = move |ca: &Ca, csr: &str| match first.get(count.fetch_add(1, Ordering::Relaxed)) {
        Some(0) => Answer::Raw(Vec::new()),
        Some(status) => json(*status, &json!({"errors": ["not now"]})),
        None => json(200, &vault_answer(&ca.sign(csr, &|_| ()))),
    };
    (vault(Arc::clone(ca), Box::new(sign)), asked)
}

fn kpki() -> Kpki {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE")
        .env("VAULT_TOKEN", TOKEN);
    kpki
}

#[test]
fn vault_signs_and_what_passes_is_waited_for() {
    let ca = Arc::new(Ca::new());
    // Too many requests, a connection that ends, a server that restarts.
    let (server, asked) = honest(&ca, vec![429, 0, 503]);
    let mut kpki = kpki();
    kpki.write("policy.yaml", &policy(&server.url(), ""));
    let said = kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(
        asked.load(Ordering::Relaxed),
        5,
        "two requests, and three attempts in vain"
    );
    // Vault gave 30 days where the policy has 397.
    assert!(said.stderr.contains("30 days"), "{}", said.stderr);
    for (name, purpose) in [("kafka1", "sslserver"), ("orders_service", "sslclient")] {
        if verify(&kpki, name, purpose).is_none() {
            return;
        }
    }
    // Certificates that end before `renew_before_days` are not due from their first day.
    kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"])
        .expect_code(0);
    assert!(!contains(&kpki.path("out"), TOKEN.as_bytes()));
    // The token from a file.
    kpki.without_env("VAULT_TOKEN");
    let (code, said) = error(&kpki, &["renew", "kafka1"]);
    assert!(
        code == "passphrase-missing" && said.contains("VAULT_TOKEN"),
        "{said}"
    );
    let token = kpki.write("token", &format!("{TOKEN}\n"));
    kpki.set_mode("token", 0o600);
    let more = format!(", token_file: {}", token.display());
    kpki.write("policy.yaml", &policy(&server.url(), &more));
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["renew", "kafka1"]);
    // The same Vault at another address, without the policy's being told: it is not there any more.
    drop(server);
    let (code, _) = error(&kpki, &["renew", "kafka1"]);
    assert_eq!(code, "issuer-unreachable");
    let (server, _) = honest(&ca, Vec::new());
    kpki.write("policy.yaml", &policy(&server.url(), &more));
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["renew", "kafka1"]);
    // Another CA than the one that clients trust.
    let (server, _) = honest(&Arc::new(Ca::new()), Vec::new());
    kpki.write("policy.yaml", &policy(&server.url(), &more));
    kpki.ok(&["up", "policy.yaml"]);
    let before = fs::read(kpki.path("out/kafka1/kafka1.crt")).unwrap();
    let (code, said) = error(&kpki, &["renew", "kafka1"]);
    assert!(
        code == "issuer-answer" && said.contains("not signed by"),
        "{said}"
    );
    assert_eq!(
        fs::read(kpki.path("out/kafka1/kafka1.crt")).unwrap(),
        before
    );
}

#[test]
fn a_wildcard_that_the_issuer_put_first_is_not_where_a_client_finds_the_broker() {
    let sign = |ca: &Ca, csr: &str| {
        let sorted = ca.sign(csr, &|params| params.subject_alt_names.reverse());
        json(200, &vault_answer(&sorted))
    };
    let server = vault(Arc::new(Ca::new()), Box::new(sign));
    let mut kpki = kpki();
    let hosts = "hosts: [kafka1.example.com, '*.kafka1.example.com']";
    let text = policy(&server.url(), "").replace("hosts: [kafka1, 10.0.0.11]", hosts);
    kpki.write("policy.yaml", &text);
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["issue", "--client", "reports"]);
    let client = fs::read_to_string(kpki.path("out/reports/client.properties")).unwrap();
    assert!(
        client.contains("bootstrap.servers=kafka1.example.com:9093\n"),
        "{client}"
    );
    // There is nothing left to do here: the list is Vault's.
    let revoke = ["revoke", "reports", "--reason", "superseded"];
    let said = kpki.ok(&revoke).stderr;
    assert!(said.contains("revoke there as well"), "{said}");
    kpki.without_env("VAULT_TOKEN");
    let said = kpki.ok(&revoke).stderr;
    assert!(
        said.contains("revoke there as well") && !said.contains("kpki crl"),
        "{said}"
    );
}

/// Every run said that the hosts of those whose keys are elsewhere change.
#[test]
fn a_client_whose_name_vault_adds_is_not_due_again() {
    let sign = |ca: &Ca, csr: &str| {
        let own = |params: &mut CertificateParams| {
            let client = matches!(params.distinguished_name.get(&DnType::CommonName),
                Some(DnValue::Utf8String(name)) if name.eq_ignore_ascii_case("far"));
            if client || params.subject_alt_names.is_empty() {
                params.subject_alt_names = vec![SanType::DnsName("far".try_into().unwrap())];
            }
        };
        json(200, &vault_answer(&ca.sign(csr, &own)))
    };
    let server = vault(Arc::new(Ca::new()), Box::new(sign));
    let kpki = kpki();
    for far in ["far", "Far"] {
        let out = format!("out-{far}");
        let on = |arguments: &[&str]| kpki.run(&[arguments, &["--out", &out]].concat());
        let clients = format!("clients: [{{name: {far}, hosts: []}}]\n");
        let text = policy(&server.url(), "");
        let text = text.split("clients:").next().unwrap().to_owned() + &clients;
        kpki.write("policy.yaml", &text);
        on(&["up", "policy.yaml"]).expect_code(0);
        on(&["up", "--dry-run", "--exit-code", "policy.yaml"]).expect_code(0);
        // The same for a key that is elsewhere.
        let there = format!("there-{far}");
        let request = ["issue", far, "--csr-only", "--client", "--out", &there];
        kpki.ok(&request);
        fs::remove_dir_all(kpki.path(format!("{out}/{far}"))).unwrap();
        kpki.write(
            "policy.yaml",
            &text.replace("hosts: []", "hosts: [], key: external"),
        );
        on(&["up", "policy.yaml"]).expect_code(0);
        let csr = format!("{there}/{far}/{far}.csr");
        on(&["sign", &csr, "--client"]).expect_code(0);
        let said = on(&["up", "policy.yaml"]).expect_code(0).stderr;
        assert!(!said.contains("sign"), "{said}");
        let status = on(&["status", "policy.yaml", "--json"]).expect_code(0);
        assert_eq!(status.json()["due"], json!([]));
    }
}

#[test]
fn what_keeps_vault_from_signing_is_said_with_what_to_do() {
    for (status, says, code, hint) in [
        (503, "Vault is sealed", "issuer-sealed", "unseal"),
        (
            403,
            "permission denied",
            "issuer-forbidden",
            "`update` on pki/sign/kafka",
        ),
        (
            400,
            "unknown role: kafka",
            "issuer-settings",
            "vault write pki/roles/kafka",
        ),
        (
            400,
            "common name kafka1 not allowed by this role",
            "issuer-refused",
            "allowed_domains",
        ),
        (
            400,
            "common name battle.key_type.TTL not allowed by this role",
            "issuer-refused",
            "allowed_domains",
        ),
        (
            400,
            "role requires a minimum of a 4096-bit key, but CSR's key is 2048 bits",
            "issuer-refused",
            "key_type",
        ),
        (
            400,
            "role requires keys of type rsa",
            "issuer-refused",
            "key_type",
        ),
        (
            400,
            "cannot satisfy request, as TTL would result in notAfter that is beyond the expiration of the CA certificate",
            "issuer-refused",
            "leaf_valid_days",
        ),
        (
            404,
            "no handler for route",
            "issuer-settings",
            "vault secrets list",
        ),
        (307, "", "issuer-settings", "active"),
    ] {
        let sign = move |_: &Ca, _: &str| json(status, &json!({"errors": [says]}));
        let server = vault(Arc::new(Ca::new()), Box::new(sign));
        let kpki = kpki();
        kpki.write("policy.yaml", &policy(&server.url(), ""));
        let (found, said) = error(&kpki, &["up", "policy.yaml"]);
        assert_eq!(found, code, "{said}");
        assert!(said.contains(says) && said.contains(hint), "{said}");
        assert!(!kpki.path("out/kafka1").exists() && !said.contains(TOKEN));
    }
    // A wrong token, and a chain that ends before the root.
    let ca = Arc::new(Ca::new());
    let (server, asked) = honest(&ca, Vec::new());
    let mut kpki = kpki();
    kpki.env("VAULT_TOKEN", "hvs.another");
    kpki.write("policy.yaml", &policy(&server.url(), ""));
    let (code, said) = error(&kpki, &["up", "policy.yaml"]);
    assert_eq!(
        (code.as_str(), asked.load(Ordering::Relaxed)),
        ("issuer-forbidden", 0)
    );
    assert!(
        said.contains("occurred: * permission denied * invalid token"),
        "{said}"
    );
    // Nor is the token to blame for a path without an engine, or an engine without a CA.
    for (mount, hint) in [
        ("nowhere", "vault secrets list"),
        ("empty", "import its CA"),
    ] {
        let kpki = super::vault::kpki();
        let more = format!(", mount: {mount}");
        kpki.write("policy.yaml", &policy(&server.url(), &more));
        let (code, said) = error(&kpki, &["up", "policy.yaml"]);
        assert!(code == "issuer-settings" && said.contains(hint), "{said}");
    }
    let below = ca.below.pem();
    let server = Server::start(move |request| match request.path.as_str() {
        "/v1/pki/ca/pem" | "/v1/pki/ca_chain" => Answer::Body(200, below.clone().into_bytes()),
        _ => json(403, &json!({"errors": ["permission denied"]})),
    });
    let kpki = super::vault::kpki();
    kpki.write("policy.yaml", &policy(&server.url(), ""));
    let (code, said) = error(&kpki, &["up", "policy.yaml"]);
    assert!(
        code == "issuer-settings" && said.contains("root_file"),
        "{said}"
    );
    assert!(!kpki.path("out/ca").exists());
    let root = kpki.write("root.crt", &ca.root.pem());
    let more = format!(", root_file: {}", root.display());
    kpki.write("policy.yaml", &policy(&server.url(), &more));
    kpki.ok(&["up", "--dry-run", "policy.yaml"]);
}

#[test]
fn over_https_vault_is_believed_by_the_ca_in_the_policy_and_by_no_other() {
    let (ca, tls) = (Arc::new(Ca::new()), Ca::new());
    let asked = Arc::new(AtomicUsize::new(0));
    let at = |host: &str| {
        let count = Arc::clone(&asked);
        let sign = move |ca: &Ca, csr: &str| {
            count.fetch_add(1, Ordering::Relaxed);
            json(200, &vault_answer(&ca.sign(csr, &|_| ())))
        };
        vault_over_tls(Arc::clone(&ca), Box::new(sign), &tls, host)
    };
    let kpki = kpki();
    let roots = |file: &str, pem: String| {
        let path = kpki.write(file, &pem);
        format!(", ca_file: {}", path.display())
    };
    let right = roots("right.crt", tls.root.pem());
    let wrong = roots("wrong.crt", ca.root.pem());
    // Neither a CA of somebody else's nor a certificate for another host gets a request, or the token.
    for (host, file) in [("127.0.0.1", &wrong), ("vault.example.com", &right)] {
        let server = at(host);
        kpki.write("policy.yaml", &policy(&server.url(), file));
        let (code, said) = error(&kpki, &["up", "policy.yaml"]);
        assert_eq!(code, "issuer-untrusted", "{said}");
        assert!(said.contains("ca_file"), "{said}");
        assert!(!kpki.path("out/kafka1").exists());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let server = at("127.0.0.1");
    kpki.write("policy.yaml", &policy(&server.url(), &right));
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    kpki.ok(&["renew", "kafka1"]);
    let _ = verify(&kpki, "kafka1", "sslserver");
    // A bundle that has the CA among others, and one that is not there.
    let both = roots("both.crt", ca.root.pem() + &tls.root.pem());
    kpki.write("policy.yaml", &policy(&server.url(), &both));
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["renew", "kafka1"]);
    fs::remove_file(kpki.path("both.crt")).unwrap();
    let said = kpki.run(&["renew", "kafka1"]).expect_code(1).stderr;
    assert!(said.contains("both.crt"), "{said}");
    // Without one there is nothing to believe it by.
    kpki.write("policy.yaml", &policy(&server.url(), ""));
    let said = kpki
        .run(&["policy", "check", "policy.yaml"])
        .expect_code(2)
        .stderr;
    assert!(said.contains("ca_file"), "{said}");
}
