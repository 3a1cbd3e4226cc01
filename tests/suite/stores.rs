//! The stores that kpki writes, judged by those who have to read them, and their stores, read by kpki.

mod kafka;
mod keytool;
mod openssl;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use kpki::{
    keystore::{
        StoreError, StoreProfile, pem,
        pkcs12::{self, KeyEntry, StoreContents},
    },
    pki::{self, Authority, AuthorityRequest, Certificate, KeyAlgorithm, Kind, LeafSpec, Serial},
    secret::Secret,
};
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::support::skip;

const PASSWORD: &str = "Zyx98wvu76TSR54qpo32NML10kjiHGFe";
const ALIAS: &str = "Kafka1.EXAMPLE.com";

/// Everything that a store may be made of.
fn cases() -> impl Iterator<Item = (KeyAlgorithm, StoreProfile, bool)> {
    use KeyAlgorithm::{EcdsaP256, EcdsaP384, Rsa2048, Rsa3072};
    [EcdsaP256, EcdsaP384, Rsa2048, Rsa3072]
        .into_iter()
        .flat_map(|key| {
            [StoreProfile::Jdk, StoreProfile::Legacy]
                .into_iter()
                .flat_map(move |profile| [false, true].map(|deep| (key, profile, deep)))
        })
}

/// A key and its chain, issued by the root itself or through an intermediate.
struct Identity {
    key: Vec<u8>,
    /// Leaf, then the intermediate if there is one; the root is not in it.
    chain: Vec<CertificateDer<'static>>,
    root: CertificateDer<'static>,
}

/// The identity of a kind: made once, as RSA keys take their time.
fn identity(algorithm: KeyAlgorithm, deep: bool) -> &'static Identity {
    type Made = Vec<((KeyAlgorithm, bool), &'static Identity)>;
    static MADE: Mutex<Made> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, identity)) = made.iter().find(|(kind, _)| *kind == (algorithm, deep)) {
        return identity;
    }
    let identity = Box::leak(Box::new(Identity::new(algorithm, deep)));
    made.push(((algorithm, deep), identity));
    identity
}

impl Identity {
    fn new(algorithm: KeyAlgorithm, deep: bool) -> Self {
        let now = OffsetDateTime::now_utc();
        let serial = |n| Serial::from_random([n; 20]);
        let subject = "CN=Test Root,O=Example".parse().unwrap();
        let mut request = AuthorityRequest {
            subject: &subject,
            days: 100,
            path_len: 1,
            name_constraints: &[],
            serial: serial(1),
            now,
        };
        let key = algorithm.generate().unwrap();
        let root = pki::self_signed(&request, &key).unwrap();
        let mut ca = authority(&root, key);
        let mut chain = vec![];
        if deep {
            let subject = "CN=Test Intermediate,O=Example".parse().unwrap();
            (request.subject, request.path_len, request.serial) = (&subject, 0, serial(2));
            let key = algorithm.generate().unwrap();
            chain.push(pki::subordinate(&request, &key, &ca).unwrap());
            ca = authority(&chain[0], key);
        }
        let key = algorithm.generate().unwrap();
        let leaf = LeafSpec {
            name: ALIAS.parse().unwrap(),
            kind: Kind::Broker,
            hosts: vec!["localhost".parse().unwrap(), "127.0.0.1".parse().unwrap()],
            key: algorithm,
            days: 10,
        };
        let leaf = pki::sign(&leaf, &key, serial(3), now, &ca).unwrap();
        chain.insert(0, leaf.der);
        Self {
            key: key.serialize_der(),
            chain,
            root,
        }
    }

    fn keystore(&self, profile: StoreProfile) -> Vec<u8> {
        let entry = KeyEntry {
            alias: ALIAS,
            key_pkcs8: &self.key,
            chain: &self.chain,
        };
        pkcs12::keystore(&entry, &password(), profile).unwrap()
    }

    /// The root, and a second CA as in the midst of a CA's replacement.
    fn truststore(&self, profile: StoreProfile) -> Vec<u8> {
        let other = identity(KeyAlgorithm::EcdsaP256, true).chain[1].clone();
        let entries = [("CARoot", self.root.clone()), ("ca-old", other)];
        pkcs12::truststore(&entries, &password(), profile).unwrap()
    }

    fn ca_pem(&self) -> String {
        pem::certificates(std::slice::from_ref(&self.root))
    }

    fn pem_keystore(&self) -> Secret {
        pem::keystore(&self.key, &self.chain).unwrap()
    }
}

/// Where stores lie for other programs, beside a file `password`.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("password", PASSWORD);
        folder
    }

    /// A folder for a test that needs these programs; `None`: one is missing, and the test is skipped.
    fn with(programs: &[&str]) -> Option<Self> {
        for program in programs {
            if let Err(error) = Command::new(path_of(program)).output() {
                skip(&format!("{program}: {error}"));
                return None;
            }
        }
        Some(Self::new())
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(file);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// What a program prints, run in the folder.
    fn run(&self, program: &str, args: &str) -> String {
        let mut command = Command::new(path_of(program));
        command.current_dir(self.0.path()).stdin(Stdio::null());
        let output = command.args(args.split_whitespace()).output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args}: {text}");
        text.into_owned()
    }

    fn read(&self, file: &str) -> Result<StoreContents, StoreError> {
        pkcs12::open(&fs::read(self.0.path().join(file)).unwrap(), &password())
    }
}

/// keytool is the one of `JAVA_HOME`, as the rest of Java is for the tests.
fn path_of(program: &str) -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) if program == "keytool" => PathBuf::from(home).join("bin").join(program),
        _ => program.into(),
    }
}

fn authority(cert: &CertificateDer<'_>, key: KeyPair) -> Authority<KeyPair> {
    Authority::new(Certificate::from_der(cert).unwrap(), key).unwrap()
}

fn password() -> Secret {
    Secret::new(PASSWORD.into())
}

/// What follows `label` on each line that begins with it.
fn values<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    text.lines()
        .filter_map(|line| line.strip_prefix(label))
        .map(str::trim)
        .collect()
}
