//! A server on 127.0.0.1 that answers as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs::default_provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What was asked.
pub struct Request {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What is answered.
pub enum Answer {
    /// A status and a body.
    Body(u16, Vec<u8>),
    /// Every byte of it, behind which the connection ends.
    Raw(Vec<u8>),
}

pub fn json(status: u16, value: &serde_json::Value) -> Answer {
    Answer::Body(status, value.to_string().into_bytes())
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// It ends when this is dropped.
pub struct Server {
    ended: Arc<AtomicBool>,
    scheme: &'static str,
    port: u16,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(None, Arc::new(handler))
    }

    /// Over TLS, with this certificate.
    pub fn start_tls(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::start_with(Some(Arc::new(config)), Arc::new(handler))
    }

    fn start_with(tls: Option<Arc<ServerConfig>>, handler: Arc<Handler>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), handler) = (client, Arc::clone(&handler)) else {
                    continue;
                };
                // Whoever asks no more is gone.
                let _ = client.set_read_timeout(Some(Duration::from_secs(60)));
                let session = tls.clone().map(|tls| ServerConnection::new(tls).unwrap());
                std::thread::spawn(move || match session {
                    Some(session) => serve(StreamOwned::new(session, client), &*handler),
                    None => serve(client, &*handler),
                });
            }
        });
        Self {
            ended,
            scheme,
            port,
        }
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(client: impl Read + Write, handler: &Handler) {
    let mut reader = BufReader::new(client);
    while let Some(request) = read(&mut reader) {
        let (bytes, last) = match handler(&request) {
            Answer::Raw(bytes) => (bytes, true),
            Answer::Body(status, body) => {
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                ([head.into_bytes(), body].concat(), false)
            }
        };
        let client = reader.get_mut();
        if client
            .write_all(&bytes)
            .and_then(|()| client.flush())
            .is_err()
            || last
        {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n == "content-length");
    let length = length.map_or(Some(0), |(_, value)| value.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        path,
        headers,
        body,
    })
}
