//! Judged by, and reading the stores of, OpenSSL.

use super::*;

#[test]
fn openssl_opens_every_store_and_finds_the_algorithms_of_its_profile() {
    let Some(folder) = Folder::with(&["openssl"]) else {
        return;
    };
    for (key, profile, deep) in cases() {
        let id = identity(key, deep);
        folder.write("k.p12", id.keystore(profile));
        let text = folder.run(
            "openssl",
            "pkcs12 -in k.p12 -info -nodes -passin file:password",
        );
        let (mac, pbe) = match profile {
            StoreProfile::Jdk => (
                "MAC: sha256, Iteration 10000",
                "PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256",
            ),
            StoreProfile::Legacy => (
                "MAC: sha1, Iteration 100000",
                "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 50000",
            ),
        };
        assert!(text.contains(mac), "{key} {profile}: {text}");
        assert_eq!(text.matches(pbe).count(), 2, "{key} {profile}: {text}");
        assert_eq!(pem::parse_certificates(text.as_bytes()).unwrap(), id.chain);
        assert_eq!(*pem::parse_key(text.as_bytes()).unwrap(), id.key);

        folder.write("t.p12", id.truststore(profile));
        let text = folder.run("openssl", "pkcs12 -in t.p12 -nokeys -passin file:password");
        let certs = pem::parse_certificates(text.as_bytes()).unwrap();
        assert_eq!((certs.len(), &certs[1]), (2, &id.root), "{text}");
    }
}

#[test]
fn stores_made_by_openssl_are_read_as_java_would() {
    let Some(folder) = Folder::with(&["keytool", "openssl"]) else {
        return;
    };
    let id = identity(KeyAlgorithm::Rsa2048, true);
    folder.write("id.pem", id.pem_keystore().expose());
    for (file, options) in [
        ("default.p12", "-name Kafka1"),
        ("legacy.p12", "-name Kafka1 -legacy"),
        ("no-mac.p12", "-name Kafka1 -nomac"),
        ("plain-certs.p12", "-name Kafka1 -certpbe NONE"),
        ("unnamed.p12", ""),
    ] {
        let export = format!("pkcs12 -export -in id.pem {options} -out {file}");
        folder.run("openssl", &format!("{export} -passout file:password"));
        let contents = folder.read(file).unwrap();
        assert_eq!(contents.keys.len(), 1, "{file}");
        assert_eq!(contents.keys[0].chain, id.chain, "{file}");
        assert_eq!(*contents.keys[0].key_pkcs8, id.key, "{file}");
        assert!(contents.trusted.is_empty() && contents.ignored.is_empty());
        let alias = if options.is_empty() { "1" } else { "kafka1" };
        assert_eq!(contents.keys[0].alias, alias, "{file}");
        let text = super::keytool::keytool(&folder, &format!("-list -v -keystore {file}"));
        assert_eq!(values(&text, "Alias name:"), [alias], "{file}");
    }
    // What "my truststore is empty" usually is: certificates without the attribute that Java looks for.
    folder.write("ca.pem", id.ca_pem());
    let export = "pkcs12 -export -nokeys -in ca.pem -out t.p12 -passout file:password";
    folder.run("openssl", export);
    let contents = folder.read("t.p12").unwrap();
    assert!(contents.keys.is_empty() && contents.trusted.is_empty());
    assert_eq!(contents.ignored, std::slice::from_ref(&id.root));
    let text = super::keytool::keytool(&folder, "-list -keystore t.p12");
    assert!(text.contains("Your keystore contains 0 entries"), "{text}");
}

#[test]
fn openssl_reads_keys_and_chains_from_pem() {
    let Some(folder) = Folder::with(&["openssl"]) else {
        return;
    };
    for (key, _, deep) in cases() {
        let id = identity(key, deep);
        folder.write("id.pem", id.pem_keystore().expose());
        folder.write("ca.pem", id.ca_pem());
        let text = folder.run("openssl", "pkey -in id.pem -check -noout");
        assert!(text.contains("valid"), "{text}");
        // OpenSSL writes the same text, so nothing in it is kpki's own invention.
        let same = folder.run("openssl", "pkcs8 -topk8 -nocrypt -in id.pem");
        assert_eq!(same, pem::key(&id.key).unwrap().expose(), "{key}");
        let text = folder.run("openssl", "verify -CAfile ca.pem -untrusted id.pem id.pem");
        assert!(text.contains("id.pem: OK"), "{key}: {text}");
    }
}
