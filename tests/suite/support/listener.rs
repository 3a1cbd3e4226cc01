//! A broker's TLS, as its directory has it, by OpenSSL's server.

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::kpki::Kpki;

/// kafka1's listener; it ends when this is dropped.
pub struct Listener(Child);

impl Listener {
    /// With what lies in kafka1's directory now. It wants a client's certificate.
    pub fn start(kpki: &Kpki, port: u16) -> Self {
        Self::start_with(kpki, port, &[])
    }

    /// The same, and it refuses whom the list of the CA revokes, as that is now.
    pub fn start_checking(kpki: &Kpki, port: u16) -> Self {
        let checks = [
            "-crl_check",
            "-CRL",
            "../ca/crl.pem",
            "-verify_return_error",
        ];
        Self::start_with(kpki, port, &checks)
    }

    fn start_with(kpki: &Kpki, port: u16, more: &[&str]) -> Self {
        let port = format!("127.0.0.1:{port}");
        let files = [
            "-cert_chain",
            "kafka1.crt",
            "-cert",
            "kafka1.crt",
            "-key",
            "kafka1.key",
        ];
        let child = Command::new("openssl")
            .args([
                "s_server", "-quiet", "-accept", &port, "-Verify", "1", "-CAfile", "ca.crt",
            ])
            .args(files)
            .args(more)
            .current_dir(kpki.path("out/kafka1"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let listener = Self(child.unwrap());
        let begin = Instant::now();
        while TcpStream::connect(&port).is_err() {
            assert!(begin.elapsed().as_secs() < 20, "no answer at {port}");
            sleep(Duration::from_millis(20));
        }
        listener
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
