//! A real step-ca, with a root, an intermediate and a provisioner of its own.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

use super::{go, ports};

/// What the provisioner's key is sealed under.
pub const PASSWORD: &str = "a password of the tests";
/// The public half of that key, and its private half as step-ca's own library sealed it.
const PUBLIC: &str = include_str!("../issuers/provisioner.json");
const SEALED: &str = include_str!("../issuers/provisioner.jwe");

/// Longer than it takes to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// It ends when this is dropped.
pub struct StepCa {
    child: Child,
    pub url: String,
    pub fingerprint: String,
    /// Its root, PEM.
    pub root: PathBuf,
}

fn ca(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_after = rcgen::date_time_ymd(2055, 1, 1);
    (params, KeyPair::generate().unwrap())
}

/// A provisioner's entry of ca.json, which signs for so long.
pub fn provisioner(name: &str, longest: &str) -> Value {
    let key: Value = serde_json::from_str(PUBLIC).unwrap();
    json!({
        "type": "JWK",
        "name": name,
        "key": key,
        "encryptedKey": SEALED.trim(),
        "claims": {"maxTLSCertDuration": longest, "defaultTLSCertDuration": "24h"},
    })
}

impl StepCa {
    /// Starts one that keeps its files in `directory`. `None`: it cannot be built here, and the test is skipped.
    pub fn start(directory: &Path) -> Option<Self> {
        Self::start_with(directory, &[])
    }

    /// The same, with further provisioners.
    pub fn start_with(directory: &Path, more: &[Value]) -> Option<Self> {
        let program = go::step_ca()?;
        fs::create_dir_all(directory).unwrap();
        let [port] = ports::free();
        let (root, root_key) = ca("Step Root");
        let root = root.self_signed(&root_key).unwrap();
        let (below, key) = ca("Step Intermediate");
        let issuer = Issuer::from_ca_cert_der(root.der(), &root_key).unwrap();
        let below = below.signed_by(&key, &issuer).unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let root_file = write("root.crt", &root.pem());
        let mut provisioners = vec![provisioner("somebody", "24h"), provisioner("kpki", "9600h")];
        provisioners.extend(more.iter().cloned());
        let config = json!({
            "root": root_file,
            "crt": write("intermediate.crt", &below.pem()),
            "key": write("intermediate.key", &key.serialize_pem()),
            "address": format!("127.0.0.1:{port}"),
            "dnsNames": ["127.0.0.1"],
            "logger": {"format": "text"},
            // Tokens are remembered there.
            "db": {"type": "badgerv2", "dataSource": directory.join("db")},
            "authority": {
                "provisioners": provisioners,
            },
        });
        let config = write("ca.json", &config.to_string());
        let log = fs::File::create(directory.join("log")).unwrap();
        let child = Command::new(program)
            .arg(config)
            .env("STEPPATH", directory)
            .env("HOME", directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut started = Self {
            child,
            url: format!("https://127.0.0.1:{port}"),
            fingerprint: kpki::pki::sha256(root.der()),
            root: root_file,
        };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = started.child.try_wait().unwrap();
            let log = || fs::read_to_string(directory.join("log")).unwrap();
            assert!(ended.is_none(), "step-ca ended: {}", log());
            assert!(
                begin.elapsed() < PATIENCE,
                "step-ca does not listen: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(started)
    }

    /// What a policy says of it.
    pub fn policy(&self, provisioner: &str, password_file: &Path) -> String {
        format!(
            "step_ca: {{url: '{}', fingerprint: {}, provisioner: {provisioner}, password_file: {}}}",
            self.url,
            self.fingerprint,
            password_file.display()
        )
    }
}

impl Drop for StepCa {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
