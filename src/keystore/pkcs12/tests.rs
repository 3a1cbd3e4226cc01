use p12_keystore::Pkcs12ImportPolicy;
use proptest::prelude::*;

use super::*;
use crate::keystore::fixture::{Identity, identity, password};

fn entry<'a>(alias: &'a str, identity: &'a Identity) -> KeyEntry<'a> {
    KeyEntry {
        alias,
        key_pkcs8: &identity.key,
        chain: &identity.chain,
    }
}

const PROFILES: [StoreProfile; 2] = [StoreProfile::Jdk, StoreProfile::Legacy];

#[test]
fn a_key_store_holds_one_key_with_its_chain_in_order_under_the_folded_alias() {
    let kafka1 = identity("kafka1");
    for profile in PROFILES {
        let bytes = keystore(&entry("Kafka1", &kafka1), &password(), profile).unwrap();
        let contents = open(&bytes, &password()).unwrap();
        assert_eq!(contents.keys.len(), 1);
        assert_eq!(contents.keys[0].alias, "kafka1");
        assert_eq!(*contents.keys[0].key_pkcs8, kafka1.key);
        assert_eq!(contents.keys[0].chain, kafka1.chain);
        assert_eq!(contents.trusted, []);
        assert_eq!(contents.ignored, []);
    }
}

#[test]
fn a_trust_store_holds_its_certificates_and_no_key() {
    let chain = identity("x").chain;
    let entries = [("CaRoot", chain[2].clone()), ("old", chain[1].clone())];
    for profile in PROFILES {
        let bytes = truststore(&entries, &password(), profile).unwrap();
        let contents = open(&bytes, &password()).unwrap();
        assert!(contents.keys.is_empty() && contents.ignored.is_empty());
        let found: Vec<_> = contents
            .trusted
            .iter()
            .map(|t| (t.alias.as_str(), t.cert.clone()))
            .collect();
        assert_eq!(
            found,
            [("caroot", chain[2].clone()), ("old", chain[1].clone())]
        );
    }
}

#[test]
fn profiles_write_the_algorithms_they_promise() {
    // DER of the object identifiers: PBES2, HMAC-SHA-256, AES-256-CBC; and pbeWithSHAAnd3-KeyTripleDES-CBC.
    let pbes2: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 5, 13];
    let hmac_sha256: &[u8] = &[42, 134, 72, 134, 247, 13, 2, 9];
    let aes256: &[u8] = &[96, 134, 72, 1, 101, 3, 4, 1, 42];
    let triple_des: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 12, 1, 3];
    // INTEGER 10,000, 50,000 and 100,000; the store's last bytes are the MAC's iteration count.
    let (ten, fifty, hundred) = ([2, 2, 39, 16], [2, 3, 0, 195, 80], [2, 3, 1, 134, 160]);
    let count =
        |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).filter(|w| *w == part).count();

    let kafka1 = identity("kafka1");
    let jdk = keystore(&entry("kafka1", &kafka1), &password(), StoreProfile::Jdk).unwrap();
    for part in [pbes2, hmac_sha256, aes256] {
        assert_eq!(count(&jdk, part), 2);
    }
    assert_eq!(count(&jdk, &ten), 3);
    assert!(jdk.ends_with(&ten));

    let old = keystore(&entry("kafka1", &kafka1), &password(), StoreProfile::Legacy).unwrap();
    assert_eq!((count(&old, pbes2), count(&old, triple_des)), (0, 2));
    assert_eq!(count(&old, &fifty), 2);
    assert!(old.ends_with(&hundred));
}

#[test]
fn two_stores_of_one_identity_share_no_salt() {
    let kafka1 = identity("kafka1");
    let write = || keystore(&entry("kafka1", &kafka1), &password(), StoreProfile::Jdk).unwrap();
    assert_ne!(write(), write());
}

#[test]
fn a_key_with_somebody_elses_certificate_is_refused() {
    let (kafka1, kafka2) = (identity("kafka1"), identity("kafka2"));
    let mixed = Identity {
        key: kafka1.key,
        chain: kafka2.chain,
    };
    let error = keystore(&entry("a", &mixed), &password(), StoreProfile::Jdk).unwrap_err();
    assert_eq!(error, StoreError::KeyMismatch("CN=kafka2".into()));
    assert!(error.hint().is_some());
}

#[test]
fn chains_that_java_would_cut_or_confuse_are_refused() {
    let write = |identity: &Identity| {
        keystore(&entry("a", identity), &password(), StoreProfile::Jdk).unwrap_err()
    };
    let mut kafka1 = identity("kafka1");
    let root = kafka1.chain.remove(2);
    let inter = std::mem::replace(&mut kafka1.chain[1], root);
    assert_eq!(
        write(&kafka1).to_string(),
        "the chain is broken: `CN=kafka1` was issued by `CN=Intermediate`, but `CN=Root` comes after it"
    );
    let root = std::mem::replace(&mut kafka1.chain[1], inter);
    kafka1.chain.push(root.clone());
    kafka1.chain.push(root);
    assert_eq!(write(&kafka1), StoreError::SameSubject("CN=Root".into()));
    kafka1.chain = vec![];
    assert_eq!(write(&kafka1), StoreError::NoChain);
    kafka1.chain = vec![vec![0x30, 0].into()];
    assert!(matches!(write(&kafka1), StoreError::Certificate(1, _)));
}

#[test]
fn keys_that_are_not_pkcs8_are_refused() {
    let mut kafka1 = identity("kafka1");
    kafka1.key = vec![0x30, 3, 2, 1, 0];
    let error = keystore(&entry("a", &kafka1), &password(), StoreProfile::Jdk).unwrap_err();
    assert_eq!(error, StoreError::Key);
}

#[test]
fn aliases_and_passwords_that_java_cannot_use_are_refused() {
    let kafka1 = identity("kafka1");
    for alias in ["", " ", "a\nb", "\u{1f511}"] {
        let error = keystore(&entry(alias, &kafka1), &password(), StoreProfile::Jdk);
        assert!(matches!(error, Err(StoreError::Alias(..))), "{alias:?}");
    }
    for bad in ["", "12345", "pässwörd", "secret\n", "secret\t"] {
        let secret = Secret::new(bad.into());
        let error = keystore(&entry("a", &kafka1), &secret, StoreProfile::Jdk).unwrap_err();
        assert!(matches!(error, StoreError::UnusablePassword(_)), "{bad:?}");
        assert!(bad.is_empty() || !error.to_string().contains(bad));
    }
    let root = &kafka1.chain[2];
    let twice = [("CA", root.clone()), ("ca", root.clone())];
    assert_eq!(
        truststore(&twice, &password(), StoreProfile::Jdk),
        Err(StoreError::SameAlias("ca".into()))
    );
    assert_eq!(
        truststore(&[], &password(), StoreProfile::Jdk),
        Err(StoreError::NoEntries)
    );
}

#[test]
fn a_wrong_password_and_other_formats_are_told_apart() {
    let kafka1 = identity("kafka1");
    let wrong = Secret::new("not the password".into());
    for profile in PROFILES {
        let bytes = keystore(&entry("a", &kafka1), &password(), profile).unwrap();
        assert_eq!(open(&bytes, &wrong), Err(StoreError::WrongPassword));
        let cut = open(&bytes[..bytes.len() - 1], &password()).unwrap_err();
        assert!(matches!(cut, StoreError::NotPkcs12(_)), "{cut}");
    }
    for (bytes, what) in [
        (&b""[..], "an empty file"),
        (&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], "a JKS store"),
        (b"\n-----BEGIN CERTIFICATE-----\n", "a PEM text"),
        (b"hello", "an unknown format"),
    ] {
        assert_eq!(
            open(bytes, &password()),
            Err(StoreError::NotPkcs12(what)),
            "{what}"
        );
    }
}

#[test]
fn without_an_integrity_check_a_wrong_password_is_still_one() {
    let kafka1 = identity("kafka1");
    let wrong = Secret::new("not the password".into());
    let mut answers = vec![];
    for _ in 0..8 {
        let bytes = keystore(&entry("a", &kafka1), &password(), StoreProfile::Jdk).unwrap();
        let bytes = without_mac(&bytes);
        assert_eq!(open(&bytes, &password()).unwrap().keys.len(), 1);
        answers.push(open(&bytes, &wrong).unwrap_err());
    }
    // One in 256 passes for padding and is reported as damage; not most of eight.
    let right = answers.iter().filter(|e| **e == StoreError::WrongPassword);
    assert!(right.count() > 4, "{answers:?}");
}

#[test]
fn excessive_iteration_counts_are_refused() {
    let kafka1 = identity("kafka1");
    let bytes = keystore(&entry("a", &kafka1), &password(), StoreProfile::Jdk).unwrap();
    let store =
        KeyStore::from_pkcs12(&bytes, password().expose(), Pkcs12ImportPolicy::Strict).unwrap();
    let secret = password();
    let writer = || store.writer(secret.expose());
    for hostile in [
        writer().mac_iterations(1_000_001),
        writer().encryption_iterations(1_000_001),
    ] {
        let error = open(&hostile.write().unwrap(), &password()).unwrap_err();
        assert!(error.to_string().contains("1,000,000"), "{error}");
    }
}

#[test]
fn certificates_that_java_ignores_are_shown_as_such() {
    // As OpenSSL writes a trust store: certificates that are neither linked to a key nor marked as trusted.
    let (kafka1, other) = (identity("kafka1"), identity("other"));
    let mut certs: Vec<_> = kafka1.chain.clone();
    certs.push(other.chain[0].clone());
    let certs = certs.iter().map(|c| Certificate::from_der(c).unwrap());
    let chain = PrivateKeyChain::new("id", PrivateKey::from_der(&kafka1.key).unwrap(), certs);
    let mut store = KeyStore::new();
    store.add_entry("a", KeyStoreEntry::PrivateKeyChain(chain));
    let secret = password();
    let bytes = store.writer(secret.expose()).write().unwrap();
    let contents = open(&bytes, &password()).unwrap();
    assert_eq!(contents.keys[0].chain, kafka1.chain);
    assert_eq!(contents.ignored, other.chain[..1]);
}

#[test]
fn debug_shows_no_key() {
    let kafka1 = identity("kafka1");
    let bytes = keystore(&entry("a", &kafka1), &password(), StoreProfile::Jdk).unwrap();
    let shown = format!("{:?}", open(&bytes, &password()).unwrap().keys);
    assert!(shown.contains("key_pkcs8: \"…\""), "{shown}");
}

/// The same store without its `MacData`, the last element of the outer SEQUENCE (RFC 7292 §4).
fn without_mac(store: &[u8]) -> Vec<u8> {
    // 30 82 LL LL, 02 01 03, then the authenticated safe: 30 82 LL LL …
    let (version, safe) = store[4..].split_at(3);
    assert_eq!((version, &safe[..2]), (&[2, 1, 3][..], &[0x30, 0x82][..]));
    let safe_len = usize::from(u16::from_be_bytes([safe[2], safe[3]])) + 4;
    let mut out = vec![0x30, 0x82];
    out.extend(u16::try_from(3 + safe_len).unwrap().to_be_bytes());
    out.extend(version);
    out.extend(&safe[..safe_len]);
    out
}

/// A store without integrity check and with one iteration, so that changed bytes reach all of the reader.
fn quick_store() -> Vec<u8> {
    let x = identity("x");
    let certs = x.chain.iter().map(|c| Certificate::from_der(c).unwrap());
    let chain = PrivateKeyChain::new("id", PrivateKey::from_der(&x.key).unwrap(), certs);
    let ca = Certificate::from_der(&x.chain[2]).unwrap();
    let mut store = KeyStore::new();
    store.add_entry("a", KeyStoreEntry::PrivateKeyChain(chain));
    store.add_entry("ca", KeyStoreEntry::Certificate(ca));
    let secret = password();
    let writer = store.writer(secret.expose());
    without_mac(&writer.encryption_iterations(1).write().unwrap())
}

proptest! {
    #[test]
    fn open_never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = open(&bytes, &password());
    }

    #[test]
    fn open_never_panics_on_damaged_stores(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        static STORE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(quick_store);
        let mut bytes = STORE.clone();
        *at.get_mut(&mut bytes) = byte;
        if shorten {
            bytes.truncate(cut.index(STORE.len()));
        }
        let _ = open(&bytes, &password());
    }

    #[test]
    fn any_ascii_password_opens_what_it_wrote(password in "[ -~]{6,40}") {
        let x = identity("x");
        let secret = Secret::new(password);
        let bytes = truststore(&[("ca", x.chain[2].clone())], &secret, StoreProfile::Jdk).unwrap();
        prop_assert_eq!(&open(&bytes, &secret).unwrap().trusted[0].cert, &x.chain[2]);
    }
}
