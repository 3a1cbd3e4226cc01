//! `openssl s_server`, and certificates that no CA of today would sign.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{kpki::Kpki, openssl::openssl, ports};

/// A start takes a few milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of TLS on 127.0.0.1. It is ended when this is dropped.
pub struct SServer {
    child: Child,
    pub port: u16,
}

impl SServer {
    /// Starts it in `directory` with these options, and waits until it listens. `None`: there is no openssl here.
    pub fn start(directory: &Path, options: &str) -> Option<Self> {
        openssl(directory, &["version"])?;
        let [port] = ports::free();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .args(options.split_whitespace())
            .current_dir(directory)
            // It ends with its input.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { child, port };
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "openssl s_server {options}: {ended:?}");
            assert!(Instant::now() < deadline, "openssl s_server {options}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A CA `root`, an intermediate `sub` below it, and leaves that `openssl` signs: `NAME.crt` and `NAME.key` below `pki/`.
pub struct TestCa<'a> {
    kpki: &'a Kpki,
}

impl<'a> TestCa<'a> {
    /// `None`: there is no openssl here.
    pub fn make(kpki: &'a Kpki) -> Option<Self> {
        let ca = Self { kpki };
        kpki.write(
            "pki/ca.cnf",
            "[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
        );
        for name in ["root", "stranger"] {
            ca.run(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.crt -subj /CN={name} -days 30"
            ))?;
        }
        ca.request("sub", EC)?;
        ca.run("x509 -req -in sub.csr -CA root.crt -CAkey root.key -CAcreateserial -out sub.crt -days 30 -extfile ca.cnf -extensions ca")?;
        Some(ca)
    }

    fn run(&self, arguments: &str) -> Option<()> {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        openssl(&self.kpki.path("pki"), &arguments)?.expect_code(0);
        Some(())
    }

    fn request(&self, name: &str, key: &str) -> Option<()> {
        self.run(&format!(
            "req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ))
    }

    /// A leaf of `ca` with a key of this kind, these extensions, and whatever else `openssl x509` is to be told.
    pub fn leaf(
        &self,
        name: &str,
        ca: &str,
        key: &str,
        extensions: &str,
        more: &str,
    ) -> Option<()> {
        self.kpki.write(&format!("pki/{name}.cnf"), extensions);
        self.request(name, key)?;
        let days = if more.contains("-days") {
            ""
        } else {
            "-days 30"
        };
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {ca}.crt -CAkey {ca}.key -CAcreateserial -out {name}.crt -extfile {name}.cnf {days} {more}"
        ))
    }

    /// One whose time is from `begin` to `end`, seconds from now.
    pub fn leaf_in_time(&self, name: &str, begin: i64, end: i64) -> Option<()> {
        self.request(name, EC)?;
        let at = |seconds: i64| {
            let format =
                time::macros::format_description!("[year][month][day][hour][minute][second]Z");
            let at = time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
            at.format(format).unwrap()
        };
        self.kpki.write(
            "pki/db.cnf",
            &format!(
                "[ca]\ndefault_ca=it\n[it]\ndatabase=index.txt\nserial=db.srl\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n[leaf]\n{SAN}"
            ),
        );
        self.kpki.write("pki/index.txt", "");
        self.run(&format!(
            "ca -batch -config db.cnf -rand_serial -cert root.crt -keyfile root.key -in {name}.csr -out {name}.crt -notext -startdate {} -enddate {} -extensions leaf",
            at(begin),
            at(end)
        ))
    }

    /// Serves it.
    pub fn serve(&self, name: &str, options: &str) -> Option<SServer> {
        let options = format!("-cert {name}.crt -key {name}.key {options}");
        SServer::start(&self.kpki.path("pki"), &options)
    }
}

pub const EC: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
pub const SAN: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
