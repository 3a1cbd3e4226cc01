//! A company's CAs, as OpenSSL makes them.

use std::fs;

use crate::support::{kpki::Kpki, openssl::openssl};

pub const ROOT: &str = "/DC=com/DC=example/CN=Example Root";
pub const POLICY: &str = "/O=Example/OU=PKI/OU=Policy/CN=Policy CA";
pub const ISSUING: &str = "/DC=com/DC=example/CN=Issuing CA";

/// The extensions of a CA.
pub const CA: [&str; 3] = [
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign",
    "subjectKeyIdentifier=hash",
];

/// Certificates and keys by name in a directory of kpki's. Nothing is made where there is no OpenSSL.
pub struct Company<'k> {
    kpki: &'k Kpki,
}

impl<'k> Company<'k> {
    /// With a root, a CA below it, and one below that: `root`, `policy` and `issuing`, and `chain.pem` of all three in no
    /// good order. `None`: there is no OpenSSL here.
    pub fn new(kpki: &'k Kpki) -> Option<Self> {
        openssl(kpki.dir(), &["version"])?;
        kpki.write(
            "openssl.cnf",
            "[req]\ndistinguished_name=none\n[none]\n[dn]\nO=Example\n",
        );
        let company = Self { kpki };
        company.ca("root", ROOT, None, "P-384", &CA);
        company.ca("policy", POLICY, Some("root"), "P-521", &CA);
        let limited = ["basicConstraints=critical,CA:TRUE,pathlen:0", CA[1], CA[2]];
        company.ca("issuing", ISSUING, Some("policy"), "2048", &limited);
        company.join("chain.pem", &["root", "issuing", "policy"]);
        Some(company)
    }

    /// Runs it, and expects that it works.
    pub fn openssl(&self, arguments: &[&str]) -> String {
        openssl(self.kpki.dir(), arguments)
            .unwrap()
            .expect_code(0)
            .stdout
    }

    /// A CA, or whatever else its extensions make of it.
    pub fn ca(
        &self,
        name: &str,
        subject: &str,
        issuer: Option<&str>,
        key: &str,
        extensions: &[&str],
    ) {
        self.ca_for(name, subject, issuer, key, extensions, "3000");
    }

    pub fn ca_for(
        &self,
        name: &str,
        subject: &str,
        issuer: Option<&str>,
        key: &str,
        extensions: &[&str],
        days: &str,
    ) {
        let file = |end: &str| format!("{name}.{end}");
        let (key_file, certificate) = (file("key"), file("crt"));
        if !self.kpki.path(&key_file).exists() {
            let curve = format!("ec_paramgen_curve:{key}");
            let bits = format!("rsa_keygen_bits:{key}");
            let (algorithm, option) = match key.starts_with('P') {
                true => ("EC", &curve),
                false => ("RSA", &bits),
            };
            self.openssl(&[
                "genpkey",
                "-algorithm",
                algorithm,
                "-pkeyopt",
                option,
                "-out",
                &key_file,
            ]);
        }
        let mut arguments: Vec<String> = [
            "req",
            "-config",
            "openssl.cnf",
            "-x509",
            "-new",
            "-key",
            &key_file,
            "-out",
            &certificate,
            "-subj",
            subject,
            "-days",
            days,
        ]
        .map(str::to_owned)
        .into();
        if let Some(issuer) = issuer {
            arguments.extend(["-CA".to_owned(), format!("{issuer}.crt")]);
            arguments.extend(["-CAkey".to_owned(), format!("{issuer}.key")]);
            arguments.extend(["-addext", "authorityKeyIdentifier=keyid:always"].map(str::to_owned));
        }
        for extension in extensions {
            arguments.extend(["-addext".to_owned(), (*extension).to_owned()]);
        }
        self.openssl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Puts certificates one after the other into a file.
    pub fn join(&self, file: &str, names: &[&str]) {
        let read = |name: &&str| fs::read_to_string(self.kpki.path(format!("{name}.crt"))).unwrap();
        self.kpki
            .write(file, &names.iter().map(read).collect::<String>());
    }

    /// Signs a request as that of a CA.
    pub fn sign(&self, request: &str, answer: &str, issuer: &str, extensions: &str) {
        self.kpki.write("ext.cnf", extensions);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            &format!("{issuer}.crt"),
            "-CAkey",
            &format!("{issuer}.key"),
            "-days",
            "2000",
            "-extfile",
            "ext.cnf",
            "-out",
            answer,
        ]);
    }
}
