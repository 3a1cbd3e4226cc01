//! A connection between a client and a broker that a test can cut, delay and freeze. It sees TLS records and no more:
//! who asked how many bytes, and how many came back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the client sent without a break, and what the server sent then.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exchange {
    pub asked: usize,
    pub answered: usize,
}

/// What becomes of some bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Forward,
    Delay(Duration),
    /// They are dropped, and the connection ends.
    Cut,
    /// They are dropped, and nothing comes any more.
    Freeze,
}

/// Asked before each part of an answer: the connection's number, and its exchanges with the part in the last one.
type Decide = dyn Fn(usize, &[Exchange]) -> Act + Send + Sync;

/// It ends when this is dropped.
pub struct Proxy {
    decide: Arc<Mutex<Arc<Decide>>>,
    ended: Arc<AtomicBool>,
    port: u16,
}

impl Proxy {
    /// Forwards every byte until told otherwise.
    pub fn start(port: u16, to: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let forward: Arc<Decide> = Arc::new(|_, _: &[Exchange]| Act::Forward);
        let decide = Arc::new(Mutex::new(forward));
        let ended = Arc::new(AtomicBool::new(false));
        let (decides, end) = (Arc::clone(&decide), Arc::clone(&ended));
        std::thread::spawn(move || {
            let number = AtomicUsize::new(0);
            for client in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", to)))
                else {
                    continue;
                };
                let number = number.fetch_add(1, Ordering::Relaxed);
                connection(number, client, server, &decides);
            }
        });
        Proxy {
            decide,
            ended,
            port,
        }
    }

    /// What to do from now on, with connections that there are and with new ones.
    pub fn decide(&self, decide: impl Fn(usize, &[Exchange]) -> Act + Send + Sync + 'static) {
        *self.decide.lock().unwrap() = Arc::new(decide);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn connection(
    number: usize,
    client: TcpStream,
    server: TcpStream,
    decides: &Arc<Mutex<Arc<Decide>>>,
) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let exchanges = Arc::new(Mutex::new(Vec::<Exchange>::new()));
    let (Ok(mut from), Ok(mut to)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let asked = Arc::clone(&exchanges);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            {
                let mut all = asked.lock().unwrap();
                match all.last_mut() {
                    Some(last) if last.answered == 0 => last.asked += count,
                    _ => all.push(Exchange {
                        asked: count,
                        answered: 0,
                    }),
                }
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
    let (mut from, mut to) = (server, client);
    let decides = Arc::clone(decides);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        let mut frozen = false;
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let seen = {
                let mut all = exchanges.lock().unwrap();
                if all.is_empty() {
                    all.push(Exchange::default());
                }
                if let Some(last) = all.last_mut() {
                    last.answered += count;
                }
                all.clone()
            };
            let decide = Arc::clone(&decides.lock().unwrap());
            match if frozen {
                Act::Freeze
            } else {
                decide(number, &seen)
            } {
                Act::Forward => {}
                Act::Delay(time) => std::thread::sleep(time),
                Act::Cut => break,
                Act::Freeze => {
                    frozen = true;
                    continue;
                }
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}
