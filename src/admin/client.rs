//! The connection: from properties to a librdkafka client, and from its errors to their cause.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{
    error::{self, AdminError},
    ffi::Handle,
    properties::ClientProperties,
    raw::{BrokerError, Cluster, Event, code},
};
use crate::{keystore::pem, secret::Secret};

/// How long a connection may take. Failures that no retry heals are reported at once.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(60);

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

/// How a list is worked through: in chunks, with a stop between them.
pub struct Batch<'a> {
    /// Entries in a request, at most 10,000, which is what KRaft takes.
    pub size: usize,
    /// Between requests, so that the controller can answer the brokers' heartbeats.
    pub pause: Duration,
    /// Once true, no further request is sent.
    pub stop: &'a AtomicBool,
    /// Told after each request: entries done, entries in all.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// Never true: for work that nobody stops.
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

/// What came of a request, beside an answer.
pub(super) enum Failure {
    TooLarge,
    Error(BrokerError),
}

impl Admin {
    /// Connects and logs in, which takes 10 seconds at most.
    ///
    /// # Errors
    /// Why no broker could be talked to: see the variants of [`AdminError`].
    pub fn connect(properties: &ClientProperties) -> Result<Self, AdminError> {
        let settings = settings(properties)?;
        let servers = properties.bootstrap_servers.clone();
        let handle = start(&settings)?;
        let mut admin = Self {
            settings,
            servers,
            cluster_id: None,
            handle,
            timeout: REQUEST,
        };
        admin.cluster_id = admin.greet()?.id;
        Ok(admin)
    }

    /// How long a request may take, 60 seconds unless set. Returns what it was before.
    pub fn set_timeout(&mut self, timeout: Duration) -> Duration {
        std::mem::replace(&mut self.timeout, timeout)
    }

    /// Where the client connected to.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// The cluster's id, as it told when it was connected to. Brokers since 0.10.1 have one.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// Gets a first answer, or the reason why there is none.
    fn greet(&self) -> Result<Cluster, AdminError> {
        let mut happened = Vec::new();
        let answer = self.handle.describe_cluster(CONNECT, &mut |event| {
            let error = match event {
                Event::Error(error) => error,
                // Connections that are closed are in the log alone.
                Event::Log(line) if line.contains("Disconnected") => {
                    BrokerError::new(code::TRANSPORT, line)
                }
                _ => return true,
            };
            let all_down = error.code == code::ALL_BROKERS_DOWN;
            happened.push(error);
            // A refused password or certificate stays refused; a broker that is down, or an address that is one of
            // several of its name, may still answer.
            let final_ = happened
                .iter()
                .any(|e| matches!(e.code, code::AUTHENTICATION | code::SSL) || error::is_alert(e));
            !(all_down && final_)
        });
        match answer {
            Ok(cluster) => Ok(cluster),
            Err(last) => Err(error::connection(
                &self.servers,
                self.handle.x509_error(),
                &happened,
                last,
            )),
        }
    }

    /// What this principal may do with the cluster; `None` where the brokers are too old to say.
    pub(super) fn cluster_operations(
        &mut self,
        what: &'static str,
    ) -> Result<Option<Vec<i32>>, AdminError> {
        let cluster = self.ask(what, |handle, timeout, watch| {
            handle.describe_cluster(timeout, watch)
        })?;
        Ok(cluster.operations)
    }

    /// The error of a request that got no answer.
    pub(super) fn failed(&self, what: &'static str, error: BrokerError) -> AdminError {
        error::request(what, &self.servers, error)
    }

    /// Runs a request and recognises an answer that is larger than [`LARGEST_ANSWER`]; the client is then made anew.
    pub(super) fn run<T>(
        &mut self,
        request: impl FnOnce(&Handle, Duration, &mut dyn FnMut(Event) -> bool) -> Result<T, BrokerError>,
    ) -> Result<T, Failure> {
        let mut too_large = false;
        let result = request(&self.handle, self.timeout, &mut |event| {
            too_large |= event.is_too_large_an_answer();
            !too_large
        });
        match result {
            Ok(answer) => Ok(answer),
            Err(_) if too_large => {
                self.handle = start(&self.settings)
                    .map_err(|e| Failure::Error(BrokerError::unsupported(e.to_string())))?;
                Err(Failure::TooLarge)
            }
            Err(error) => Err(Failure::Error(error)),
        }
    }

    /// [`Admin::run`] for requests whose answers are small.
    pub(super) fn ask<T>(
        &mut self,
        what: &'static str,
        request: impl FnOnce(&Handle, Duration, &mut dyn FnMut(Event) -> bool) -> Result<T, BrokerError>,
    ) -> Result<T, AdminError> {
        match self.run(request) {
            Ok(answer) => Ok(answer),
            Err(Failure::TooLarge) => Err(AdminError::AnswerTooLarge { what }),
            Err(Failure::Error(error)) => Err(self.failed(what, error)),
        }
    }
}

fn start(settings: &[(&'static str, Secret)]) -> Result<Handle, AdminError> {
    if cfg!(not(feature = "live")) {
        return Err(AdminError::NotBuilt);
    }
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.expose()))
        .collect();
    Handle::new(&settings, LARGEST_ANSWER).map_err(AdminError::Settings)
}

/// librdkafka's settings: stores go in as PEM in memory, so that no file and no password goes anywhere else.
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
            let key = pem::key(&identity.key_pkcs8)
                .map_err(|e| AdminError::Settings(format!("the client's key: {e}")))?;
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
