//! Every form in which other programs keep the key of a CA.

use std::fs;

use crate::support::{keytool::keytool, kpki::Kpki};

use super::{company::Company, verify};

#[test]
fn keys_come_in_every_form() {
    let mut kpki = Kpki::new();
    kpki.env("KPKI_IMPORT_PASSWORD", "the file's own");
    kpki.write("password", "the file's own\n");
    kpki.set_mode("password", 0o600);
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    company.ca("small", "/CN=Small CA", None, "P-256", &super::company::CA);
    let pass = "pass:the file's own";
    for ca in ["issuing", "small"] {
        let key = format!("{ca}.key");
        let to = |file: &str, options: &[&str]| {
            let file = format!("{ca}-{file}");
            company.openssl(&[&["pkcs8", "-topk8", "-in", &key, "-out", &file], options].concat());
        };
        let sealed = ["-passout", pass];
        to("aes.key", &sealed);
        to(
            "sha1.key",
            &[&sealed[..], &["-v2", "des3", "-v2prf", "hmacWithSHA1"]].concat(),
        );
        to(
            "pbes1.key",
            &[&sealed[..], &["-v1", "PBE-SHA1-3DES"]].concat(),
        );
        to("scrypt.key", &[&sealed[..], &["-scrypt"]].concat());
        to("plain.der", &["-nocrypt", "-outform", "DER"]);
        to("sealed.der", &[&sealed[..], &["-outform", "DER"]].concat());
        let tool = if ca == "small" { "ec" } else { "rsa" };
        let old = format!("{ca}-old.key");
        let traditional: &[&str] = if ca == "small" {
            &[]
        } else {
            &["-traditional"]
        };
        company.openssl(&[&[tool, "-in", &key, "-out", &old], traditional].concat());
        let begin = fs::read_to_string(kpki.path(&old)).unwrap();
        assert!(
            begin.contains("BEGIN RSA PRIVATE KEY") || begin.contains("BEGIN EC PRIVATE KEY"),
            "{begin}"
        );
    }
    let export = |store: &str, options: &[&str]| {
        let fixed = [
            "pkcs12",
            "-export",
            "-inkey",
            "issuing.key",
            "-in",
            "issuing.crt",
            "-certfile",
            "above.pem",
            "-out",
            store,
            "-passout",
            pass,
        ];
        company.openssl(&[&fixed[..], options].concat());
    };
    company.join("above.pem", &["root", "policy"]);
    export("ca.p12", &[]);
    export("legacy.p12", &["-legacy"]);
    let mut made = 0;
    let mut import = |arguments: &[&str]| {
        made += 1;
        let out = format!("out{made}");
        let fixed = ["--out", &out, "init-ca", "--no-passphrase"];
        kpki.ok(&[&fixed[..], arguments].concat());
        kpki.ok(&["--out", &out, "issue", "--client", "alice"]);
        fs::rename(kpki.path(&out), kpki.path("out")).unwrap();
        verify(&kpki, "alice", "sslclient");
        // The key is kept as PKCS#8, whatever it was.
        let text = fs::read_to_string(kpki.path("out/ca/ca.key")).unwrap();
        assert!(text.contains("kdf: none"));
        fs::rename(kpki.path("out"), kpki.path(&out)).unwrap();
    };
    for (ca, chain) in [("issuing", "chain.pem"), ("small", "small.crt")] {
        for form in [
            "aes.key",
            "sha1.key",
            "pbes1.key",
            "scrypt.key",
            "plain.der",
            "sealed.der",
            "old.key",
        ] {
            import(&[
                "--import-cert",
                chain,
                "--import-key",
                &format!("{ca}-{form}"),
            ]);
        }
    }
    import(&[
        "--import-key",
        "ca.p12",
        "--import-password-file",
        "password",
    ]);
    import(&["--import-key", "legacy.p12"]);
    import(&["--import-key", "ca.p12", "--import-cert", "ca.p12"]);
    import(&["--import-key", "issuing.key", "--import-cert", "ca.p12"]);
    let to_jks = [
        "-importkeystore",
        "-noprompt",
        "-srckeystore",
        "ca.p12",
        "-srcstorepass",
        "the file's own",
        "-destkeystore",
        "ca.jks",
        "-deststoretype",
        "JKS",
        "-deststorepass",
        "the file's own",
    ];
    if let Some(made) = keytool(kpki.dir(), &to_jks) {
        made.unwrap();
        import(&["--import-key", "ca.jks"]);
        import(&["--import-key", "issuing.key", "--import-cert", "ca.jks"]);
    }

    // Never an argument; asked for where nobody gave it.
    kpki.without_env("KPKI_IMPORT_PASSWORD");
    let missing = kpki
        .run(&["--out", "x", "--json", "init-ca", "--import-key", "ca.p12"])
        .expect_code(1)
        .json();
    assert_eq!(missing["error"]["code"], "passphrase-missing");
    for way in ["--import-password-file", "KPKI_IMPORT_PASSWORD", "terminal"] {
        assert!(
            missing["error"]["hint"].as_str().unwrap().contains(way),
            "{missing}"
        );
    }
    kpki.write("wrong", "another\n");
    kpki.set_mode("wrong", 0o600);
    for file in [
        "ca.p12",
        "legacy.p12",
        "issuing-aes.key",
        "issuing-scrypt.key",
    ] {
        let arguments = [
            "--out",
            "x",
            "--json",
            "init-ca",
            "--import-cert",
            "chain.pem",
            "--import-key",
            file,
            "--import-password-file",
            "wrong",
        ];
        let wrong = kpki.run(&arguments).expect_code(1).json();
        assert_eq!(
            wrong["error"]["code"], "wrong-passphrase",
            "{file}: {wrong}"
        );
    }
    kpki.set_mode("password", 0o644);
    let exposed = [
        "--out",
        "x",
        "--json",
        "init-ca",
        "--import-key",
        "ca.p12",
        "--import-password-file",
        "password",
    ];
    assert_eq!(
        kpki.run(&exposed).expect_code(1).json()["error"]["code"],
        "passphrase-exposed"
    );
    assert!(!kpki.path("x").exists());
}
