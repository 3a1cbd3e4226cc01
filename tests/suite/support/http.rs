//! A server on 127.0.0.1 that answers as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    port: u16,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let (end, handler): (_, Arc<Handler>) = (Arc::clone(&ended), Arc::new(handler));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), handler) = (client, Arc::clone(&handler)) else {
                    continue;
                };
                std::thread::spawn(move || serve(client, &*handler));
            }
        });
        Self { ended, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut client: TcpStream, handler: &Handler) {
    // Whoever asks no more is gone.
    let _ = client.set_read_timeout(Some(Duration::from_secs(60)));
    let Ok(reader) = client.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(reader);
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
        if client.write_all(&bytes).is_err() || last {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
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
