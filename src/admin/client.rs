//! The connection: from properties to a librdkafka client, and from its errors to their cause.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::{
    causes,
    error::AdminError,
    ffi::Handle,
    properties::ClientProperties,
    raw::{Answered, AnsweringCluster, BrokerError, Event, Wait, code},
};
use crate::{keystore::pem, secret::Secret};

/// How long to wait if no broker answers at all. Failures that a retry cannot fix are reported at once.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the first, second and third client wait for their first answer. librdkafka asks one broker that it
/// considers the controller (in KRaft, any) and waits only for that one: if it is frozen, nothing happens, but a new
/// client gets another. With a broker that takes a second for each answer, a SCRAM login takes ten.
const ATTEMPTS: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(60);
/// How long to wait for the answer to a repeatable request, before a new client repeats it.
const FIRST_ANSWER: Duration = Duration::from_secs(15);
/// How often a request is sent if its answer is lost with the connection.
const SENT: usize = 5;
/// After how long a waiting user is told the reason.
const QUIET: Duration = Duration::from_secs(1);

/// The largest answer that is received, in bytes.
///
/// librdkafka puts every name of an answer about ACLs on its thread's stack (`RD_KAFKAP_STR_DUPA` in a loop), up to 32
/// bytes for a name of one, and ends the process at more than 100,000 resources in an answer, or ACLs on a resource. A
/// binding takes 15 bytes of an answer or more (`User:abc`, `*`), usually 50, so this many bytes hold fewer than 100,000
/// and fit on the stack, which `ffi` makes large where it can.
pub const LARGEST_ANSWER: usize = if cfg!(all(target_os = "linux", target_env = "gnu")) {
    1_500_000
} else if cfg!(target_os = "linux") {
    // musl: 128 KiB of stack.
    16_000
} else {
    // macOS: 512 KiB.
    70_000
};

/// Kafka's code of the operation Describe on the cluster, and of Alter.
pub(super) const DESCRIBE: i32 = 8;
pub(super) const ALTER: i32 = 7;
pub(super) const NEEDS_DESCRIBE: &str = "it needs Describe on the cluster";

/// How a list is processed: in chunks, with pauses between them.
pub struct Batch<'a> {
    /// Entries in a request, at most 10,000, which is what KRaft takes.
    pub size: usize,
    /// The pause between requests, so that the controller can answer the brokers' heartbeats.
    pub pause: Duration,
    /// Once true, no further request is sent.
    pub stop: &'a AtomicBool,
    /// Called after each request with the entries done and the total.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// Never true: for work that cannot be stopped.
static NEVER: AtomicBool = AtomicBool::new(false);

impl Default for Batch<'_> {
    fn default() -> Self {
        // Leaks nothing: the closure has no size.
        let progress = Box::leak(Box::new(|_, _| {}));
        Self {
            size: 1_000,
            pause: Duration::ZERO,
            stop: &NEVER,
            progress,
        }
    }
}

impl Batch<'_> {
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn chunk(&self) -> usize {
        self.size.clamp(1, 10_000)
    }
}

/// A client of one cluster.
pub struct Admin {
    pub(super) settings: Vec<(&'static str, Secret)>,
    servers: String,
    cluster_id: Option<String>,
    pub(super) handle: Handle,
    pub(super) timeout: Duration,
}

/// The outcome of a request without an answer.
pub(super) enum RequestFailure {
    TooLarge,
    Error(BrokerError),
    /// No client could be made.
    Client(AdminError),
}

/// Whether a request may be sent again if there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Repeating it would do something else, or hide what the first one did.
    Never,
    /// It only reads, or is idempotent.
    Safe,
}

impl Admin {
    /// Connects and logs in: within 10 seconds if no broker answers, within 35 if one does.
    ///
    /// # Errors
    /// Why no broker could be talked to: see the variants of [`AdminError`].
    pub fn connect(properties: &ClientProperties) -> Result<Self, AdminError> {
        Self::connect_telling(properties, &mut |_| ())
    }

    /// The same; `waiting` is called once with the servers, if it takes longer than a second.
    ///
    /// # Errors
    /// As [`Admin::connect`].
    pub fn connect_telling(
        properties: &ClientProperties,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<Self, AdminError> {
        let settings = settings(properties)?;
        let servers = properties.bootstrap_servers.clone();
        let (handle, cluster) = greet(&settings, &servers, CONNECT, waiting)?;
        Ok(Self {
            settings,
            servers,
            cluster_id: cluster.id,
            handle,
            timeout: REQUEST,
        })
    }

    /// How long a request may take, 60 seconds unless set. Returns what it was before.
    pub fn set_timeout(&mut self, timeout: Duration) -> Duration {
        std::mem::replace(&mut self.timeout, timeout)
    }

    /// Where the client connected to.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// The cluster's id, as reported when connecting. Brokers since 0.10.1 have one.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// What this principal may do with the cluster; `None` if the brokers are too old to report it.
    pub(super) fn cluster_operations(
        &mut self,
        what: &'static str,
    ) -> Result<Option<Vec<i32>>, AdminError> {
        let cluster = self.ask(what, Repeat::Safe, |handle, wait| {
            handle.describe_cluster(wait)
        })?;
        Ok(cluster.operations)
    }

    /// The error of a request that got no answer.
    pub(super) fn failed(&self, what: &'static str, error: BrokerError) -> AdminError {
        causes::request(what, &self.servers, error)
    }

    /// Runs a request and recognises an answer that is larger than [`LARGEST_ANSWER`]; a new client is then made, and
    /// also if a repeatable request got no answer.
    pub(super) fn run<T>(
        &mut self,
        repeat: Repeat,
        request: impl Fn(&Handle, Wait<'_>) -> Answered<T>,
    ) -> Result<T, RequestFailure> {
        let mut left = self.timeout;
        let mut patience = match repeat {
            Repeat::Never => left,
            Repeat::Safe => FIRST_ANSWER,
        };
        let mut sent = 0;
        loop {
            sent += 1;
            let begun = Instant::now();
            let mut too_large = false;
            let wait = Wait {
                timeout: patience.min(left),
                watch: &mut |event| {
                    too_large |= event.is_too_large_an_answer();
                    !too_large
                },
            };
            let result = request(&self.handle, wait);
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(_) if too_large => {
                    self.handle =
                        start(&self.settings, ATTEMPTS[1]).map_err(RequestFailure::Client)?;
                    return Err(RequestFailure::TooLarge);
                }
                Err(error) => error,
            };
            left = left.saturating_sub(begun.elapsed());
            if repeat == Repeat::Never || !error.is_silence() || left < QUIET || sent == SENT {
                return Err(RequestFailure::Error(error));
            }
            if error.code != code::TRANSPORT {
                // It may be slow: the next one may use all the remaining time.
                patience = self.timeout;
            }
            let within = CONNECT.min(left);
            match greet(&self.settings, &self.servers, within, &mut |_| ()) {
                // The address may lead to another cluster by now.
                Ok((handle, cluster)) if cluster.id == self.cluster_id => self.handle = handle,
                Ok(_) | Err(_) => return Err(RequestFailure::Error(error)),
            }
        }
    }

    /// [`Admin::run`] for requests whose answers are small.
    pub(super) fn ask<T>(
        &mut self,
        what: &'static str,
        repeat: Repeat,
        request: impl Fn(&Handle, Wait<'_>) -> Answered<T>,
    ) -> Result<T, AdminError> {
        match self.run(repeat, request) {
            Ok(answer) => Ok(answer),
            Err(RequestFailure::TooLarge) => Err(AdminError::AnswerTooLarge(what)),
            Err(RequestFailure::Error(error)) => Err(self.failed(what, error)),
            Err(RequestFailure::Client(error)) => Err(error),
        }
    }
}

/// Makes a client and gets a first answer, or the reason why there is none. `silence` is how long to wait if no broker
/// answers.
fn greet(
    settings: &[(&'static str, Secret)],
    servers: &str,
    silence: Duration,
    waiting: &mut dyn FnMut(&str),
) -> Result<(Handle, AnsweringCluster), AdminError> {
    let begun = Instant::now();
    let (mut happened, mut told, mut heard) = (Vec::new(), false, false);
    let mut attempts = ATTEMPTS.iter();
    let mut patience = ATTEMPTS[0];
    loop {
        let handle = start(settings, patience)?;
        let left = silence.saturating_sub(begun.elapsed());
        let watch = &mut |event| {
            if !told && begun.elapsed() >= QUIET {
                told = true;
                waiting(servers);
            }
            let error = match event {
                Event::Error(error) => error,
                // Closed connections are only reported in the log.
                Event::Log(line) if line.contains("Disconnected") => {
                    BrokerError::new(code::TRANSPORT, line)
                }
                _ => return true,
            };
            let all_down = error.code == code::ALL_BROKERS_DOWN;
            happened.push(error);
            // A refused password or certificate stays refused; a broker that is down, or another address of the same
            // name, may still answer.
            let final_ = happened
                .iter()
                .any(|e| matches!(e.code, code::AUTHENTICATION | code::SSL) || causes::is_alert(e));
            !(all_down && final_)
        };
        let timeout = if heard { patience } else { patience.min(left) };
        let answer = handle.describe_cluster(Wait { timeout, watch });
        let last = match answer {
            Ok(cluster) => return Ok((handle, cluster)),
            Err(last) => last,
        };
        heard |= handle.was_answered();
        let next = match last.code {
            // With so little time left, no connection is possible.
            _ if !last.is_silence() || !heard && begun.elapsed() + QUIET >= silence => None,
            code::TRANSPORT if begun.elapsed() < silence => Some(patience),
            _ => {
                attempts.next();
                attempts.as_slice().first().copied()
            }
        };
        let Some(next) = next else {
            let x509_error = handle.x509_error();
            return Err(causes::connection(servers, x509_error, &happened, last));
        };
        patience = next;
        if last.code == code::TRANSPORT {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A client that must get its answer within this time.
fn start(settings: &[(&'static str, Secret)], patience: Duration) -> Result<Handle, AdminError> {
    if cfg!(not(feature = "live")) {
        return Err(AdminError::NotBuilt);
    }
    let mut settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.expose()))
        .collect();
    // For TCP, TLS and login together: less than the total, so that another broker can be tried.
    let setup = (patience * 4 / 5).as_millis().to_string();
    settings.push(("socket.connection.setup.timeout.ms", &setup));
    Handle::new(&settings, LARGEST_ANSWER).map_err(AdminError::Settings)
}

/// librdkafka's settings: stores are passed as PEM in memory, so that files and passwords go nowhere else.
fn settings(from: &ClientProperties) -> Result<Vec<(&'static str, Secret)>, AdminError> {
    let mut settings = Vec::new();
    let mut set = |name, value: &str| settings.push((name, Secret::new(value.to_owned())));
    let protocol = match (&from.tls, &from.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    set("bootstrap.servers", &from.bootstrap_servers);
    set("security.protocol", protocol);
    set("client.id", "kpki");
    set("receive.message.max.bytes", &LARGEST_ANSWER.to_string());
    set("log.queue", "true");
    set("enable.metrics.push", "false");
    set("socket.connection.setup.timeout.ms", "8000");
    set("reconnect.backoff.max.ms", "1000");
    if let Some(tls) = &from.tls {
        let algorithm = if tls.check_host { "https" } else { "none" };
        set("ssl.endpoint.identification.algorithm", algorithm);
        if tls.trusted.is_empty() {
            set("ssl.ca.location", "probe");
        } else {
            set("ssl.ca.pem", &pem::certificates(&tls.trusted));
        }
        if let Some(identity) = &tls.identity {
            let key = pem::key(&identity.key_pkcs8).map_err(AdminError::Key)?;
            set("ssl.key.pem", key.expose());
            set("ssl.certificate.pem", &pem::certificates(&identity.chain));
        }
    }
    if let Some(sasl) = &from.sasl {
        set("sasl.mechanism", &sasl.mechanism);
        set("sasl.username", &sasl.user);
        set("sasl.password", sasl.password.expose());
    }
    Ok(settings)
}
