//! Judged by the JDK's key stores and TLS, through the factory with which Kafka's brokers and clients use them.

use super::*;
use crate::support::java::{Judge, Session, judge};

type Properties<'a> = Vec<(&'a str, &'a str)>;

/// Both sides with the same stores, each wanting the other's certificate; they agree, and see who the other is.
fn shake_hands(judge: &Judge, stores: &Properties<'_>, case: &str) -> Session {
    let mut server = stores.clone();
    server.push(("ssl.client.auth", "required"));
    let session = judge.handshake(&server, stores, "localhost");
    let session = session.unwrap_or_else(|e| panic!("{case}: {e:?}"));
    assert_eq!(session.server_subject, "CN=Kafka1.EXAMPLE.com", "{case}");
    let client = session.client_subject.as_deref();
    assert_eq!(client, Some("CN=Kafka1.EXAMPLE.com"), "{case}");
    session
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_jdk_finds_the_key_and_the_chain_under_the_folded_alias() {
    let Some(judge) = judge() else { return };
    let folder = Folder::new();
    for (key, profile, deep) in cases() {
        let path = folder.write("k.keystore.jks", identity(key, deep).keystore(profile));
        for kind in ["JKS", "PKCS12"] {
            let case = format!("{key} {profile} {kind}");
            let entries = judge.keystore(&path, Some(PASSWORD), kind).unwrap();
            let [entry] = &entries[..] else {
                panic!("{case}: {entries:?}")
            };
            assert_eq!(entry.alias, "kafka1.example.com", "{case}");
            assert_eq!(entry.kind, "PrivateKeyEntry", "{case}");
            let algorithm = if key.is_rsa() { "RSA" } else { "EC" };
            assert_eq!(entry.key_algorithm.as_deref(), Some(algorithm), "{case}");
            let subjects: Vec<_> = entry.chain.iter().map(|c| c.subject.as_str()).collect();
            let expected = ["CN=Kafka1.EXAMPLE.com", "CN=Test Intermediate,O=Example"];
            assert_eq!(subjects, expected[..1 + usize::from(deep)], "{case}");
        }
        let wrong = judge.keystore(&path, Some("wrong password"), "PKCS12");
        assert_eq!(wrong.unwrap_err().class, "IOException");
    }
}

#[test]
fn the_jdk_finds_every_trusted_certificate() {
    let Some(judge) = judge() else { return };
    let folder = Folder::new();
    for profile in [StoreProfile::Jdk, StoreProfile::Legacy] {
        let store = identity(KeyAlgorithm::EcdsaP256, false).truststore(profile);
        let path = folder.write("t.truststore.jks", store);
        for kind in ["JKS", "PKCS12"] {
            let entries = judge.keystore(&path, Some(PASSWORD), kind).unwrap();
            let mut found: Vec<_> = entries.iter().map(|e| (&*e.alias, &*e.kind)).collect();
            found.sort_unstable();
            assert_eq!(
                found,
                [
                    ("ca-old", "trustedCertEntry"),
                    ("caroot", "trustedCertEntry")
                ]
            );
        }
    }
}

#[test]
fn servers_and_clients_shake_hands_with_pkcs12_stores() {
    let Some(judge) = judge() else { return };
    let folder = Folder::new();
    for (key, profile, deep) in cases() {
        let id = identity(key, deep);
        let keystore = folder.write("k.keystore.jks", id.keystore(profile));
        let truststore = folder.write("k.truststore.jks", id.truststore(profile));
        for (kind, protocol) in [("JKS", "TLSv1.3"), ("PKCS12", "TLSv1.2")] {
            let stores = vec![
                ("ssl.keystore.location", text(&keystore)),
                ("ssl.keystore.password", PASSWORD),
                ("ssl.keystore.type", kind),
                ("ssl.key.password", PASSWORD),
                ("ssl.truststore.location", text(&truststore)),
                ("ssl.truststore.password", PASSWORD),
                ("ssl.truststore.type", kind),
                ("ssl.enabled.protocols", protocol),
                ("ssl.protocol", protocol),
            ];
            let case = format!("{key} {profile} {deep} {kind}");
            assert_eq!(shake_hands(judge, &stores, &case).protocol, protocol);
        }
    }
}

#[test]
fn servers_and_clients_shake_hands_with_pem_stores() {
    let Some(judge) = judge() else { return };
    let folder = Folder::new();
    for (key, _, deep) in cases().filter(|case| case.1 == StoreProfile::Jdk) {
        let id = identity(key, deep);
        let keystore = folder.write("k.pem", id.pem_keystore().expose());
        let ca = id.ca_pem();
        let truststore = folder.write("ca.pem", &ca);
        let case = format!("{key} {deep} PEM");
        let files = vec![
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", text(&keystore)),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", text(&truststore)),
        ];
        shake_hands(judge, &files, &case);

        // The same texts inside the properties, which Kafka reads by other code.
        let (secret, chain) = (pem::key(&id.key).unwrap(), pem::certificates(&id.chain));
        let inline = vec![
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.key", secret.expose()),
            ("ssl.keystore.certificate.chain", &chain),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", &ca),
        ];
        shake_hands(judge, &inline, &case);
    }
}
