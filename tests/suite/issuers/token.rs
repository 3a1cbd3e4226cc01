//! A CA whose key is in a token.

use std::fs;

use super::{contains, error, verify};
use crate::support::kpki::Kpki;
use crate::support::openssl::openssl;
use crate::support::softhsm::{PIN, SoftHsm};

/// A CA for each kind of key, in a token of SoftHSM.
#[test]
fn a_key_in_a_token_signs() {
    let mut kpki = Kpki::new();
    let Some(hsm) = SoftHsm::new(&mut kpki) else {
        return;
    };
    kpki.without_env("KPKI_CA_PASSPHRASE")
        .env("KPKI_PKCS11_PIN", PIN);
    hsm.token("kafka");
    for key in ["ecdsa-p256", "ecdsa-p384", "rsa-2048"] {
        let uri = hsm.uri("kafka", key);
        let made = kpki.json(&["init-ca", "--key-uri", &uri, "--key", key, "--json"]);
        assert_eq!(made["key"], uri.as_str());
        kpki.ok(&["issue", "kafka1"]);
        kpki.ok(&["issue", "--client", "orders"]);
        kpki.ok(&["renew", "kafka1"]);
        for (name, purpose) in [("kafka1", "sslserver"), ("orders", "sslclient")] {
            if verify(&kpki, name, purpose).is_none() {
                return;
            }
        }
        assert!(!kpki.path("out/ca/ca.key").exists());
        // The list of what is revoked is signed in the token as well.
        kpki.ok(&["revoke", "orders", "--reason", "keyCompromise"]);
        kpki.ok(&["crl"]);
        let list = [
            "crl",
            "-in",
            "out/ca/crl.pem",
            "-CAfile",
            "out/ca/ca.crt",
            "-noout",
            "-text",
        ];
        let judged = openssl(kpki.dir(), &list).unwrap().expect_code(0);
        assert!(judged.stderr.contains("verify OK"), "{}", judged.stderr);
        assert!(
            judged.stdout.contains("Key Compromise"),
            "{}",
            judged.stdout
        );
        assert!(
            !contains(&kpki.path("out"), PIN.as_bytes()),
            "the PIN stands in out"
        );
        fs::rename(kpki.path("out"), kpki.path(key)).unwrap();
    }
    // The key of the first one is there: a CA that is made anew is signed by it.
    kpki.ok(&["init-ca", "--key-uri", &hsm.uri("kafka", "ecdsa-p256")]);
    let key_of = |out: &str| {
        let text = fs::read(kpki.path(format!("{out}/ca/ca.crt"))).unwrap();
        let der = kpki::keystore::pem::parse_certificates(&text)
            .unwrap()
            .remove(0);
        kpki::pki::Certificate::from_der(&der)
            .unwrap()
            .public_key_info
    };
    assert_eq!(key_of("out"), key_of("ecdsa-p256"));
}

#[test]
fn a_policy_names_the_token_and_a_file_with_its_pin() {
    let mut kpki = Kpki::new();
    let Some(hsm) = SoftHsm::new(&mut kpki) else {
        return;
    };
    kpki.without_env("KPKI_CA_PASSPHRASE");
    hsm.token("kafka");
    let pin = kpki.write("pin", PIN);
    kpki.set_mode("pin", 0o600);
    let uri = format!(
        "{}&pin-source=file:{}",
        hsm.uri("kafka", "ca"),
        pin.display()
    );
    let text = format!(
        "ca:\n  subject: CN=Token CA\n  issuer: {{pkcs11: {{uri: '{uri}'}}}}\nbrokers: [{{name: kafka1}}]\n"
    );
    kpki.write("policy.yaml", &text);
    // Nothing is made in the token for a look.
    kpki.ok(&["up", "--dry-run", "policy.yaml"]);
    kpki.ok(&["up", "policy.yaml"]);
    let root = fs::read(kpki.path("out/ca/ca.crt")).unwrap();
    verify(&kpki, "kafka1", "sslserver");
    kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"])
        .expect_code(0);
    kpki.set_mode("pin", 0o644);
    let (code, _) = error(&kpki, &["renew", "kafka1"]);
    assert_eq!(code, "passphrase-exposed");
    kpki.set_mode("pin", 0o600);
    kpki.write("pin", "000000");
    let (code, said) = error(&kpki, &["renew", "kafka1"]);
    assert_eq!(code, "issuer-forbidden", "{said}");
    assert!(
        said.contains("refuses the PIN: it is wrong") && !said.contains("000000"),
        "{said}"
    );
    kpki.write("pin", PIN);
    // Another key than that of the CA's certificate.
    kpki.ok(&[
        "--out",
        "other",
        "init-ca",
        "--key-uri",
        &uri.replace("object=ca", "object=other"),
    ]);
    fs::write(kpki.path("other/ca/ca.crt"), &root).unwrap();
    let (code, said) = error(&kpki, &["--out", "other", "issue", "kafka9"]);
    assert_eq!(code, "issuer-settings", "{said}");
    assert!(
        said.contains("a different key") && !kpki.path("other/kafka9").exists(),
        "{said}"
    );
    // A token that is gone.
    fs::rename(kpki.path("tokens"), kpki.path("away")).unwrap();
    fs::create_dir(kpki.path("tokens")).unwrap();
    let (code, said) = error(&kpki, &["renew", "kafka1"]);
    assert_eq!(code, "issuer-settings", "{said}");
    assert!(said.contains("no initialised token"), "{said}");
    hsm.token("elsewhere");
    let (_, said) = error(&kpki, &["renew", "kafka1"]);
    assert!(said.contains("its tokens are elsewhere"), "{said}");
    hsm.token("kafka");
    let (_, said) = error(&kpki, &["renew", "kafka1"]);
    assert!(said.contains("has no such private key"), "{said}");
    let library = kpki.write("no-library.so", "no library");
    kpki.write(
        "policy.yaml",
        &text.replace(hsm.library, &library.display().to_string()),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let (code, said) = error(&kpki, &["renew", "kafka1"]);
    assert_eq!(code, "issuer-settings", "{said}");
    assert!(said.contains("module-path"), "{said}");
    // A PIN in the policy is refused, and not repeated.
    kpki.write(
        "policy.yaml",
        &text.replace("pin-source=file:", "pin-value=987654"),
    );
    let refused = kpki.run(&["up", "policy.yaml"]).expect_code(2);
    assert!(
        refused.stderr.contains("it contains the PIN"),
        "{}",
        refused.stderr
    );
}
