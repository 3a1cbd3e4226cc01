//! CAs that would not work everywhere are refused whole, with every reason, before anything is written.

use crate::support::kpki::Kpki;

use super::company::{CA, Company, ISSUING};

#[test]
fn a_ca_that_is_not_fit_is_refused_with_the_reason() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    let below = |name: &str, issuer: &str, key: &str, extensions: &[&str]| {
        company.ca(name, &format!("/CN={name}"), Some(issuer), key, extensions);
    };
    below(
        "no-ca",
        "root",
        "P-256",
        &["basicConstraints=critical,CA:FALSE"],
    );
    below(
        "no-sign",
        "root",
        "P-256",
        &[CA[0], "keyUsage=critical,digitalSignature"],
    );
    below(
        "code",
        "root",
        "P-256",
        &[CA[0], CA[1], "extendedKeyUsage=codeSigning"],
    );
    below(
        "dirs",
        "root",
        "P-256",
        &[
            CA[0],
            CA[1],
            "nameConstraints=critical,permitted;dirName:dn",
        ],
    );
    below(
        "odd",
        "root",
        "P-256",
        &[CA[0], CA[1], "1.2.3.4=critical,ASN1:NULL"],
    );
    below("weak", "root", "1024", &CA);
    below("under-short", "issuing", "P-256", &CA);
    company.ca(
        "root2",
        "/DC=com/DC=example/CN=Example Root",
        None,
        "P-384",
        &CA,
    );
    company.ca("twin", ISSUING, Some("issuing"), "P-256", &CA);
    company.openssl(&["genpkey", "-algorithm", "ED25519", "-out", "ed.key"]);
    company.ca("ed", "/CN=ed", Some("root"), "ed", &CA);
    company.join("short.pem", &["under-short", "issuing", "policy", "root"]);
    company.join("twins.pem", &["twin", "issuing", "policy", "root"]);
    company.join("half.pem", &["issuing", "policy"]);
    company.join("swapped.pem", &["issuing", "policy", "root2"]);
    let mut cases = vec![
        (
            "short.pem",
            "under-short.key",
            "allows 0 CAs below it (path length), but there are 1",
        ),
        (
            "twins.pem",
            "twin.key",
            "is the subject of two certificates in the chain",
        ),
        (
            "half.pem",
            "issuing.key",
            "the certificate of its issuer `CN=Example Root,DC=example,DC=com` is missing",
        ),
        (
            "swapped.pem",
            "issuing.key",
            "names `CN=Example Root,DC=example,DC=com` as its issuer, but was not signed with that CA's key",
        ),
        (
            "chain.pem",
            "root2.key",
            "none of the certificates belongs to the key",
        ),
        ("issuing.key", "issuing.key", "contains no certificate"),
        ("chain.pem", "chain.pem", "contains no private key"),
    ];
    let single = [
        ("no-ca", "is not a CA certificate"),
        ("no-sign", "lacks keyCertSign"),
        ("code", "is not for both TLS servers and clients"),
        ("dirs", "constrains the subjects below it"),
        ("odd", "has the critical extension 1.2.3.4"),
        ("weak", "is weak or damaged"),
        ("ed", "neither RSA nor ECDSA"),
    ];
    let files: Vec<_> = single
        .iter()
        .map(|(name, _)| (format!("{name}.pem"), format!("{name}.key")))
        .collect();
    for ((name, why), (chain, key)) in single.iter().zip(&files) {
        company.join(chain, &[name, "root"]);
        cases.push((chain, key, why));
    }
    for (chain, key, why) in cases {
        let refused = kpki
            .run(&["init-ca", "--import-cert", chain, "--import-key", key])
            .expect_code(1);
        assert!(
            refused.stderr.contains(why),
            "{chain} {key}: {}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains("hint: ") || refused.stderr.contains("contains no"),
            "{}",
            refused.stderr
        );
        assert!(!kpki.path("out").exists(), "{chain}");
    }
    // Several reasons come at once.
    company.join("two.pem", &["no-sign", "root"]);
    company.ca(
        "both",
        "/CN=both",
        Some("root"),
        "P-256",
        &[
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
        ],
    );
    company.join("both.pem", &["both", "root"]);
    let both = kpki
        .run(&[
            "init-ca",
            "--import-cert",
            "both.pem",
            "--import-key",
            "both.key",
        ])
        .expect_code(1);
    assert!(
        both.stderr.contains("CA:TRUE") && both.stderr.contains("keyCertSign"),
        "{}",
        both.stderr
    );

    // Nothing is overwritten, and the command that is meant is named.
    kpki.ok(&super::IMPORT);
    let again = kpki.run(&super::IMPORT).expect_code(1);
    assert!(
        again
            .stderr
            .contains("a CA already exists in out/ca\nhint: kpki rotate-ca start replaces it"),
        "{}",
        again.stderr
    );
    for option in ["--request", "--intermediate"] {
        let exists = kpki
            .run(&["init-ca", option, "--json"])
            .expect_code(1)
            .json();
        assert_eq!(exists["error"]["code"], "ca-exists");
    }
    let twice = ["init-ca", "--import-key", "issuing.key", "--request"];
    kpki.run(&twice).expect_code(2);
}

#[test]
fn what_a_ca_may_not_do_is_said_first_and_then_holds() {
    let kpki = Kpki::new();
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    let limits = "nameConstraints=critical,permitted;DNS:example.com,permitted;IP:10.0.0.0/255.0.0.0,excluded;DNS:old.example.com";
    company.ca(
        "upper",
        "/CN=Upper",
        Some("root"),
        "P-256",
        &[CA[0], CA[1], CA[2], limits],
    );
    company.ca_for(
        "lower",
        "/CN=Lower",
        Some("upper"),
        "P-256",
        &[CA[0], "keyUsage=critical,keyCertSign", CA[2]],
        "30",
    );
    company.join("limited.pem", &["root", "upper", "lower", "policy"]);
    let arguments = [
        "init-ca",
        "--no-passphrase",
        "--import-cert",
        "limited.pem",
        "--import-key",
        "lower.key",
    ];
    let said = kpki.ok(&arguments).stderr;
    for expected in [
        "CN=Upper can only sign for these names: example.com, 10.0.0.0/8, not old.example.com",
        "CN=Lower expires on ",
        "lacks cRLSign",
        "not part of the chain: CN=Policy CA",
    ] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
    // The limits of the CA above hold for everything below it.
    for host in [
        "kafka1.example.org",
        "kafka1.old.example.com",
        "192.168.0.1",
    ] {
        let refused = kpki
            .run(&["issue", "kafka1", "--host", host, "--json"])
            .expect_code(1)
            .json();
        assert_eq!(refused["error"]["code"], "outside-constraints", "{host}");
    }
    kpki.ok(&[
        "issue",
        "kafka1",
        "--host",
        "kafka1.example.com",
        "--host",
        "10.1.1.1",
    ]);
    super::verify(&kpki, "kafka1", "sslserver");
    let listed = kpki.json(&["list", "--json"]);
    let end = |name: &str| {
        let all = listed.as_array().unwrap().iter();
        all.filter(|c| c["name"] == name)
            .map(|c| c["not_after"].clone())
            .next_back()
            .unwrap()
    };
    assert_eq!(
        end("kafka1"),
        end("intermediate"),
        "no leaf outlives its CA"
    );
    assert_eq!(kpki.run(&["crl"]).code, Some(1));
}

#[test]
fn a_key_under_an_old_cipher_is_refused_with_its_name_and_what_converts_it() {
    let mut kpki = Kpki::new();
    kpki.env("KPKI_IMPORT_PASSWORD", "the old password");
    let Some(company) = Company::new(&kpki) else {
        return;
    };
    company.ca("small", "/CN=Small CA", None, "P-256", &CA);
    let pass = "pass:the old password";
    let providers = ["-provider", "legacy", "-provider", "default"];
    let refused = |key: &str, cipher: &str| {
        let import = ["init-ca", "--import-cert", "small.crt", "--import-key", key];
        let error = kpki.run(&[&import[..], &["--json"]].concat());
        let error = error.expect_code(1).json()["error"].take();
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        let (message, hint) = (text("message"), text("hint"));
        assert!(
            message.contains(&format!("is encrypted with {cipher},")),
            "{message}"
        );
        assert!(!kpki.path("out/ca/ca.key").exists());
        hint
    };
    let command =
        "openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW -provider legacy -provider default";
    for (cipher, form) in [
        ("PBE-MD5-DES", "PEM"),
        ("PBE-MD5-DES", "DER"),
        ("PBE-SHA1-DES", "PEM"),
        ("PBE-MD5-RC2-64", "PEM"),
        ("PBE-SHA1-RC2-64", "PEM"),
        ("PBE-SHA1-RC4-128", "PEM"),
        ("PBE-SHA1-RC4-40", "PEM"),
    ] {
        let fixed = ["pkcs8", "-topk8", "-in", "small.key", "-passout", pass];
        let how = ["-out", "old.key", "-v1", cipher, "-outform", form];
        company.openssl(&[&fixed[..], &how, &providers].concat());
        let hint = refused("old.key", cipher);
        assert!(hint.contains(command), "{hint}");
    }
    let fixed = [
        "pkcs12",
        "-export",
        "-inkey",
        "small.key",
        "-in",
        "small.crt",
    ];
    let how = ["-out", "old.p12", "-passout", pass, "-legacy"];
    let old = ["-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-3DES"];
    company.openssl(&[&fixed[..], &how, &old].concat());
    let hint = refused("old.p12", "PBE-SHA1-RC4-128");
    assert!(
        hint.contains("openssl pkcs12 -legacy -in OLD -out ALL.pem"),
        "{hint}"
    );
    let inspected = kpki.run(&["store", "inspect", "old.key"]).stdout;
    assert!(
        inspected.contains("encrypted with PBE-SHA1-RC4-40"),
        "{inspected}"
    );
    // The command as it is written, with the passwords that OpenSSL would ask for.
    let command = command.replace("OLD", "old.key").replace("NEW", "new.key");
    let mut command: Vec<&str> = command.split(' ').skip(1).collect();
    command.extend(["-passin", pass, "-passout", pass]);
    company.openssl(&command);
    kpki.ok(&[
        "init-ca",
        "--no-passphrase",
        "--import-cert",
        "small.crt",
        "--import-key",
        "new.key",
    ]);
}
