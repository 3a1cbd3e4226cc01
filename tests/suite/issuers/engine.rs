//! The PKI secrets engine of a real Vault.

use serde_json::{Value, json};

use super::{contains, error, verify};
use crate::support::kpki::Kpki;
use crate::support::openssl::openssl;
use crate::support::vault::Vault;

/// The role that docs/issuers.md shows, but for this.
fn role(change: Value) -> Value {
    let mut role = json!({
        "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "max_ttl": "9600h",
    });
    let change = change.as_object().unwrap().clone();
    role.as_object_mut().unwrap().extend(change);
    role
}

/// An engine with a root at `root`, and one with an intermediate at `pki`. Returns the root, PEM.
fn engines(vault: &Vault) -> String {
    vault.mount("root");
    let wanted = json!({"common_name": "Engine Root", "key_type": "ec", "ttl": "87000h"});
    let mut root = vault.write("root/root/generate/internal", wanted);
    vault.mount("pki");
    intermediate(vault, "pki", "60000h");
    serde_json::from_value(root["data"]["certificate"].take()).unwrap()
}

/// Gives the engine at `mount` another CA, below the root; returns its issuer.
fn intermediate(vault: &Vault, mount: &str, ttl: &str) -> Value {
    let wanted = json!({"common_name": format!("Engine at {mount}"), "key_type": "ec"});
    let path = format!("{mount}/intermediate/generate/internal");
    let request = vault.write(&path, wanted);
    let wanted = json!({"csr": request["data"]["csr"], "ttl": ttl});
    let signed = vault.write("root/root/sign-intermediate", wanted);
    let signed = json!({"certificate": signed["data"]["certificate"]});
    let made = vault.write(&format!("{mount}/intermediate/set-signed"), signed);
    made["data"]["imported_issuers"][0].clone()
}

struct Tried {
    vault: Vault,
    kpki: Kpki,
    /// What the engine at `root` has, PEM.
    root: String,
}

impl Tried {
    /// With a role `kafka`, and a token that may use the roles of every engine. `None`: there is no Vault here.
    fn new() -> Option<Self> {
        let mut kpki = Kpki::new();
        let vault = Vault::start(kpki.dir())?;
        let root = engines(&vault);
        vault.write("pki/roles/kafka", role(json!({})));
        let policy = "path \"+/sign/*\" { capabilities = [\"update\"] }";
        vault.write("sys/policies/acl/kpki", json!({"policy": policy}));
        kpki.without_env("KPKI_CA_PASSPHRASE")
            .env("VAULT_TOKEN", &vault.token(&["kpki"]));
        Some(Self { vault, kpki, root })
    }

    /// The same, where the intermediate's engine knows the root.
    fn with_root() -> Option<Self> {
        let tried = Self::new()?;
        let root = json!({"pem_bundle": tried.root});
        tried.vault.write("pki/issuers/import/cert", root);
        Some(tried)
    }

    fn policy(&self, more: &str) {
        let text = format!(
            "ca:
  issuer:
    vault: {{url: '{}'{more}}}
brokers:
  - {{name: kafka1, hosts: [kafka1, kafka1.example.com, '*.kafka.example.com', 10.0.0.11, '2001:db8::1']}}
  - {{name: kafka2, key: rsa-2048}}
clients:
  - {{name: orders_service}}
  - {{name: audit, hosts: []}}
  - {{name: kettle, hosts: [kettle.example.com]}}
",
            self.vault.url
        );
        self.kpki.write("policy.yaml", &text);
    }

    /// Has certificates made for as many clients, `app1` and so on.
    fn many(&self, clients: usize, mount: &str) {
        let names = (1..=clients).map(|n| format!("  - {{name: app{n}}}\n"));
        let text = format!(
            "ca:\n  issuer:\n    vault: {{url: '{}', mount: {mount}, role: kafka}}\nclients:\n{}",
            self.vault.url,
            names.collect::<String>()
        );
        self.kpki.write("policy.yaml", &text);
        self.kpki.ok(&["up", "policy.yaml"]);
    }

    /// OpenSSL's judgement of all of them; and there is nothing left to do.
    fn judge(&self) {
        for (name, purpose) in [
            ("kafka1", "sslserver"),
            ("kafka1", "sslclient"),
            ("kafka2", "sslserver"),
            ("orders_service", "sslclient"),
            ("audit", "sslclient"),
            ("kettle", "sslclient"),
        ] {
            let _ = verify(&self.kpki, name, purpose);
        }
        let dry = ["up", "--dry-run", "--exit-code", "policy.yaml"];
        self.kpki.ok(&dry);
    }

    /// `up` fails with this code and these words, and writes nothing.
    fn up_fails(&self, more: &str, code: &str, word: &str) {
        self.policy(more);
        let up = ["--out", "new", "up", "policy.yaml"];
        let (found, said) = error(&self.kpki, &up);
        assert!(found == code && said.contains(word), "{found}: {said}");
        assert!(!self.kpki.path("new/kafka1").exists());
    }

    /// Takes these settings, after which this one is not renewed, with this code and these words.
    fn refused(&self, more: &str, name: &str, code: &str, words: &[&str]) -> String {
        self.policy(more);
        self.kpki.ok(&["up", "policy.yaml"]);
        let (found, said) = error(&self.kpki, &["renew", name]);
        assert_eq!(found, code, "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
        said
    }

    /// The same with another role.
    fn role_refuses(&self, change: Value, name: &str, code: &str, words: &[&str]) {
        self.vault.write("pki/roles/other", role(change));
        self.refused(", role: other", name, code, words);
    }
}

#[test]
fn a_real_engine_signs_with_its_intermediate_and_not_while_it_is_sealed() {
    let Some(mut tried) = Tried::new() else {
        return;
    };
    // It does not know the root.
    tried.up_fails(", role: kafka", "issuer-settings", "root_file");
    let root = tried.kpki.write("root.crt", &tried.root);
    let more = format!(", role: kafka, root_file: {}", root.display());
    tried.policy(&more);
    tried.kpki.ok(&["up", "policy.yaml"]);
    tried.judge();
    // With a token from a file, and a role that takes names from the request's parameters.
    tried.kpki.without_env("VAULT_TOKEN");
    let token = tried.vault.token(&["kpki"]);
    let file = tried.kpki.write("token", &format!("{token}\n"));
    tried.kpki.set_mode("token", 0o600);
    let change = json!({"use_csr_common_name": false, "use_csr_sans": false});
    tried.vault.write("pki/roles/other", role(change));
    let more = more.replace("kafka,", "other,") + &format!(", token_file: {}", file.display());
    tried.policy(&more);
    tried.kpki.ok(&["up", "policy.yaml"]);
    tried.kpki.ok(&["renew", "--all"]);
    tried.judge();
    tried.kpki.ok(&["issue", "--client", "reports"]);
    let _ = verify(&tried.kpki, "reports", "sslclient");
    assert!(!contains(&tried.kpki.path("out"), token.as_bytes()));
    // A CA that ends soon: certificates end with it.
    tried.vault.mount("short");
    intermediate(&tried.vault, "short", "240h");
    tried.vault.write("short/roles/kafka", role(json!({})));
    tried.policy(&more.replace("role: other", "mount: short, role: kafka"));
    let said = tried.kpki.ok(&["--out", "short", "up", "policy.yaml"]);
    assert!(
        said.stderr.contains("no certificate is valid for longer"),
        "{}",
        said.stderr
    );
    let dry = ["--out", "short", "up", "--dry-run", "--exit-code"];
    tried.kpki.ok(&[&dry[..], &["policy.yaml"]].concat());
    // A role that ends sooner than that.
    let day = role(json!({"max_ttl": "24h"}));
    tried.vault.write("pki/roles/day", day);
    tried.policy(&more.replace("role: other", "role: day"));
    let said = tried.kpki.ok(&["--out", "day", "up", "policy.yaml"]);
    assert!(
        said.stderr.contains("certificates of 24 hours") && said.stderr.contains("every 8 hours"),
        "{}",
        said.stderr
    );
    // Whoever is sealed is waited for by nobody, and signs again afterwards.
    tried.vault.seal();
    tried.refused(&more, "kafka1", "issuer-sealed", &["unseal"]);
    tried.up_fails(&more, "issuer-sealed", "unseal");
    tried.vault.unseal();
    tried.kpki.ok(&["renew", "kafka1"]);
    tried.judge();
}

#[test]
fn a_real_engine_signs_with_its_root_for_many_at_once_and_revokes() {
    let Some(tried) = Tried::new() else {
        return;
    };
    tried.vault.write("root/roles/kafka", role(json!({})));
    tried.many(100, "root");
    assert_eq!(tried.kpki.certificates().len(), 101);
    assert!(!tried.kpki.path("out/ca/intermediate.crt").exists());
    tried.kpki.is_sound("out", "a hundred certificates");
    let _ = verify(&tried.kpki, "app1", "sslclient");
    let _ = verify(&tried.kpki, "app100", "sslclient");
    // What is revoked here and there is on the list from there.
    let revoke = ["revoke", "app1", "--reason", "superseded"];
    tried.kpki.ok(&revoke);
    let text = std::fs::read_to_string(tried.kpki.path("out/app2/app2.crt")).unwrap();
    tried
        .vault
        .write("root/revoke", json!({"certificate": text}));
    let list = tried.vault.read("root/crl/pem");
    tried.kpki.write("list.pem", &list);
    for (name, code) in [("app2", 2), ("app3", 0)] {
        let certificate = format!("out/{name}/{name}.crt");
        let arguments = ["verify", "-crl_check", "-CRLfile", "list.pem", "-CAfile"];
        let arguments = [&arguments[..], &["out/ca/ca.crt", &certificate]].concat();
        if let Some(judged) = openssl(tried.kpki.dir(), &arguments) {
            judged.expect_code(code);
        }
    }
}

#[test]
fn a_real_engine_with_a_quota_signs_for_all_one_after_another() {
    let Some(tried) = Tried::with_root() else {
        return;
    };
    let quota = json!({"path": "pki/sign/kafka", "rate": 2, "interval": "1s"});
    tried.vault.write("sys/quotas/rate-limit/slow", quota);
    tried.many(14, "pki");
    let _ = verify(&tried.kpki, "app14", "sslclient");
}

#[test]
fn what_keeps_a_real_engine_from_signing_is_said_with_what_to_do() {
    let Some(mut tried) = Tried::with_root() else {
        return;
    };
    // Neither a path without an engine nor an engine without a CA is the token's fault.
    tried.vault.mount("empty");
    let nowhere = ", role: kafka, mount: nowhere";
    tried.up_fails(nowhere, "issuer-settings", "vault secrets list");
    let empty = ", role: kafka, mount: empty";
    tried.up_fails(empty, "issuer-settings", "no CA at empty");
    assert!(!tried.kpki.path("new/ca").exists());
    tried.policy(", role: kafka");
    tried.kpki.ok(&["up", "policy.yaml"]);
    tried.judge();
    let words = ["unknown role: nobody", "vault write pki/roles/nobody"];
    tried.refused(", role: nobody", "audit", "issuer-settings", &words);
    // Names, keys and times that the role does not allow; a name is not taken for one of those words.
    let narrow = json!({"allow_any_name": false, "allowed_domains": "example.org"});
    for name in ["kafka1", "orders_service", "kettle"] {
        let words = ["not allowed by this role", "allowed_domains"];
        tried.role_refuses(narrow.clone(), name, "issuer-refused", &words);
    }
    let hosts = json!({"enforce_hostnames": true});
    let words = ["orders_service not allowed", "enforce_hostnames=false"];
    tried.role_refuses(hosts, "orders_service", "issuer-refused", &words);
    for (name, key) in [("audit", "rsa"), ("kafka2", "ec")] {
        let key = json!({"key_type": key});
        tried.role_refuses(key, name, "issuer-refused", &["keys of type", "key_type"]);
    }
    let long = json!({"key_type": "rsa", "key_bits": 4096});
    tried.role_refuses(long, "kafka2", "issuer-refused", &["4096-bit", "key_type"]);
    let addresses = json!({"allow_ip_sans": false});
    let words = ["IP Subject", "allow_ip_sans"];
    tried.role_refuses(addresses, "kafka1", "issuer-refused", &words);
    let wildcards = json!({"allow_wildcard_certificates": false});
    let words = ["*.kafka.example.com not allowed", "allow_wildcard_cert"];
    tried.role_refuses(wildcards, "kafka1", "issuer-refused", &words);
    let end = json!({"not_after": "2060-01-01T00:00:00Z"});
    let words = ["remove not_after from the role"];
    tried.role_refuses(end, "audit", "issuer-settings", &words);
    // Roles that make something else of a request.
    let neither = json!({
        "use_csr_sans": false, "ext_key_usage": "EmailProtection",
        "server_flag": false, "client_flag": false,
    });
    for (change, name, word) in [
        (json!({"organization": "Example"}), "audit", "subject"),
        (json!({"client_flag": false}), "audit", "clientAuth"),
        (json!({"server_flag": false}), "kafka1", "serverAuth"),
        (
            json!({"key_usage": "KeyAgreement"}),
            "audit",
            "digitalSignature",
        ),
        (neither, "kafka1", "serverAuth"),
    ] {
        tried.role_refuses(change, name, "issuer-answer", &[word, "role"]);
    }
    let other = json!({"issuer_ref": intermediate(&tried.vault, "pki", "60000h")});
    let words = ["not signed by", "issuer_ref"];
    tried.role_refuses(other, "audit", "issuer-answer", &words);
    // Tokens that may do something else, that are none any more, and that are nobody's.
    let [other, over] = [["default"], ["kpki"]].map(|policies| tried.vault.token(&policies));
    tried
        .vault
        .write("auth/token/revoke", json!({"token": over}));
    for token in [&other, &over, "hvs.nobodys"] {
        tried.kpki.env("VAULT_TOKEN", token);
        let words = ["permission denied", "`update` on pki/sign/kafka"];
        let said = tried.refused(", role: kafka", "audit", "issuer-forbidden", &words);
        assert!(!said.contains(token) && !said.contains("\\n"), "{said}");
    }
    // What was there is there still, and Vault is no longer.
    tried.judge();
    drop(tried.vault);
    let (code, said) = error(&tried.kpki, &["renew", "audit"]);
    assert_eq!(code, "issuer-unreachable", "{said}");
}
