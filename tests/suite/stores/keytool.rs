//! Judged by, and reading the stores of, the keytool of the JDK that is installed.

use super::*;
use crate::support::keytool::QUICK;

/// The making of a key entry `app`.
const GENERATE: &str = "-genkeypair -alias App -keyalg EC -groupname secp256r1 -dname CN=app";

pub fn keytool(folder: &Folder, args: &str) -> String {
    let args = format!("{} {args} -storepass:file password", QUICK.join(" "));
    folder.run("keytool", &args)
}

#[test]
fn keytool_lists_one_key_with_its_chain_in_order() {
    let Some(folder) = Folder::with(&["keytool"]) else {
        return;
    };
    for (key, profile, deep) in cases() {
        // PKCS#12 bytes under the names and with the type that existing configurations have.
        folder.write("k.keystore.jks", identity(key, deep).keystore(profile));
        let text = keytool(&folder, "-list -v -keystore k.keystore.jks -storetype JKS");
        let case = format!("{key} {profile}:\n{text}");
        assert!(text.contains("Your keystore contains 1 entry"), "{case}");
        assert_eq!(
            values(&text, "Alias name:"),
            ["kafka1.example.com"],
            "{case}"
        );
        assert_eq!(values(&text, "Entry type:"), ["PrivateKeyEntry"], "{case}");
        let owners = ["CN=Kafka1.EXAMPLE.com", "CN=Test Intermediate, O=Example"];
        let (len, owners) = if deep {
            ("2", &owners[..])
        } else {
            ("1", &owners[..1])
        };
        assert_eq!(values(&text, "Certificate chain length:"), [len], "{case}");
        assert_eq!(values(&text, "Owner:"), owners, "{case}");
    }
}

#[test]
fn keytool_lists_every_certificate_of_a_truststore_as_trusted() {
    let Some(folder) = Folder::with(&["keytool"]) else {
        return;
    };
    for profile in [StoreProfile::Jdk, StoreProfile::Legacy] {
        let store = identity(KeyAlgorithm::EcdsaP256, false).truststore(profile);
        for (file, kind) in [("t.truststore.jks", "JKS"), ("t.p12", "PKCS12")] {
            folder.write(file, &store);
            let text = keytool(
                &folder,
                &format!("-list -v -keystore {file} -storetype {kind}"),
            );
            assert_eq!(values(&text, "Alias name:"), ["ca-old", "caroot"], "{text}");
            assert_eq!(
                values(&text, "Entry type:"),
                ["trustedCertEntry"; 2],
                "{text}"
            );
        }
    }
}

#[test]
fn keytool_takes_the_key_out_with_the_store_password() {
    // Importing into another store decrypts the key, which listing does not.
    let Some(folder) = Folder::with(&["keytool"]) else {
        return;
    };
    let id = identity(KeyAlgorithm::Rsa2048, true);
    for profile in [StoreProfile::Jdk, StoreProfile::Legacy] {
        let (from, to) = (format!("{profile}.p12"), format!("{profile}-copy.p12"));
        folder.write(&from, id.keystore(profile));
        folder.run(
            "keytool",
            &format!(
                "-importkeystore -srckeystore {from} -srcstorepass:file password \
                 -destkeystore {to} -deststorepass:file password -deststoretype PKCS12"
            ),
        );
        let copy = folder.read(&to).unwrap();
        assert_eq!(copy.keys.len(), 1);
        assert_eq!(copy.keys[0].alias, "kafka1.example.com");
        assert_eq!(copy.keys[0].chain, id.chain);
        assert_eq!(*copy.keys[0].key_pkcs8, id.key);
    }
}

#[test]
fn profiles_have_the_iteration_counts_that_the_jdk_writes() {
    let Some(folder) = Folder::with(&["keytool", "openssl"]) else {
        return;
    };
    let facts = |file: &str| {
        let info = format!("pkcs12 -in {file} -info -noout -legacy -passin file:password");
        let text = folder.run("openssl", &info);
        [
            values(&text, "MAC:").concat(),
            values(&text, "Shrouded Keybag:").concat(),
        ]
    };
    // The second is what Java wrote before 8u301; today's still does when asked.
    for (profile, option) in [
        (StoreProfile::Jdk, ""),
        (StoreProfile::Legacy, "-J-Dkeystore.pkcs12.legacy"),
    ] {
        let java = format!("{profile}-java.p12");
        keytool(&folder, &format!("{option} {GENERATE} -keystore {java}"));
        folder.write(
            "kpki.p12",
            identity(KeyAlgorithm::EcdsaP256, false).keystore(profile),
        );
        assert_eq!(facts("kpki.p12"), facts(&java));
    }
}

#[test]
fn stores_made_by_keytool_are_read_as_keytool_shows_them() {
    let Some(folder) = Folder::with(&["keytool"]) else {
        return;
    };
    let id = identity(KeyAlgorithm::EcdsaP256, false);
    folder.write("ca.pem", id.ca_pem());
    for (file, option) in [("new.p12", ""), ("old.p12", "-J-Dkeystore.pkcs12.legacy")] {
        keytool(&folder, &format!("{option} {GENERATE} -keystore {file}"));
        let import = "-importcert -noprompt -alias CARoot -file ca.pem";
        keytool(&folder, &format!("{option} {import} -keystore {file}"));
        let contents = folder.read(file).unwrap();
        assert_eq!(contents.keys.len(), 1);
        assert_eq!(contents.keys[0].alias, "app");
        let [cert] = &contents.keys[0].chain[..] else {
            panic!("{contents:?}")
        };
        assert_eq!(Certificate::from_der(cert).unwrap().subject, "CN=app");
        assert_eq!(contents.trusted.len(), 1);
        assert_eq!(contents.trusted[0].alias, "caroot");
        assert_eq!(contents.trusted[0].cert, id.root);
        assert_eq!(contents.ignored, []);
    }
}

#[test]
fn a_real_jks_store_is_named_as_one() {
    let Some(folder) = Folder::with(&["keytool"]) else {
        return;
    };
    keytool(
        &folder,
        &format!("{GENERATE} -keystore a.jks -storetype JKS -keypass:file password"),
    );
    let error = folder.read("a.jks").unwrap_err();
    assert_eq!(error, StoreError::NotPkcs12("a JKS store"));
    assert!(error.hint().unwrap().contains("kpki store convert"));
}
