//! Requests to a CA over HTTP: limited in time and size, and repeated if that may help.

use std::{
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};
use rustls_pki_types::CertificateDer;
use ureq::{
    Agent,
    http::{HeaderMap, HeaderValue, Request, header},
    tls::{Certificate, RootCerts, TlsConfig},
    unversioned::transport::DefaultConnector,
};

use super::{
    IssuerError,
    far::{Who, Why, shown},
    resolver::Remembering,
};

/// The number of concurrent requests.
const PARALLEL: usize = 16;
/// The maximum number of attempts for a request.
const ATTEMPTS: u32 = 5;
/// The wait before the second attempt; it doubles after each attempt.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait that a server may request.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The time limit of one attempt, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// The part of it for the connection.
const PATIENCE_TO_CONNECT: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const MAX_ANSWER: u64 = 1024 * 1024;

/// An answer.
pub(super) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    wait: Option<Duration>,
}

impl Reply {
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the server limits the rate of requests.
    fn is_too_early(&self) -> bool {
        self.status == 429
    }

    /// Whether the same request may get another answer a little later.
    fn may_change(&self) -> bool {
        matches!(self.status, 412 | 429 | 500..=599) && self.status != 501
    }
}

/// A request.
pub(super) struct Question<'a> {
    /// The path below the server's URL.
    pub path: &'a str,
    /// Headers besides those of HTTP itself.
    pub headers: HeaderMap,
    /// A JSON body, made again for each attempt; `None`: a GET.
    pub body: Option<&'a (dyn Fn() -> Result<Vec<u8>, IssuerError> + Sync)>,
}

impl<'a> Question<'a> {
    /// A GET without headers of its own.
    pub(super) fn get(path: &'a str) -> Self {
        Self {
            path,
            headers: HeaderMap::new(),
            body: None,
        }
    }
}

/// A server, with the connections to it.
pub(super) struct Server {
    agent: Agent,
    url: String,
    pub who: Who,
    /// One request has used up all attempts: the others do not wait any more.
    given_up: AtomicBool,
    /// The number of requests that were granted.
    granted: AtomicUsize,
    /// Tells that an answer that would normally be retried will not change.
    is_final: fn(&Reply) -> bool,
    /// Where its trusted certificates come from.
    trust: &'static str,
    /// Made for the first requests that go out together; `None`: threads cannot be created.
    pool: OnceLock<Option<ThreadPool>>,
}

impl Server {
    /// A server whose certificate is signed by one of `roots`. `trust` is where those come from.
    pub(super) fn new(
        who: Who,
        url: &str,
        roots: &[CertificateDer<'_>],
        trust: &'static str,
        is_final: fn(&Reply) -> bool,
    ) -> Self {
        let roots = roots
            .iter()
            .map(|der| Certificate::from_der(der).to_owned());
        Self::with(who, url, Some(RootCerts::from(roots)), trust, is_final)
    }

    /// A server that cannot be authenticated yet: nothing that it sends may be trusted as such.
    pub(super) fn unverified(who: Who, url: &str) -> Self {
        Self::with(who, url, None, "", |_| false)
    }

    fn with(
        who: Who,
        url: &str,
        roots: Option<RootCerts>,
        trust: &'static str,
        is_final: fn(&Reply) -> bool,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
        let tls = match roots {
            Some(roots) => tls.root_certs(roots),
            None => tls.disable_verification(true),
        };
        let config = Agent::config_builder()
            .tls_config(tls.build())
            // The reason for an error is in the body.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Tokens must only be sent to the server itself.
            .proxy(None)
            .user_agent(concat!("kpki/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE_TO_CONNECT))
            .max_idle_connections(PARALLEL)
            .max_idle_connections_per_host(PARALLEL)
            .build();
        Self {
            agent: Agent::with_parts(config, DefaultConnector::new(), Remembering::default()),
            url: url.trim_end_matches('/').to_owned(),
            who,
            given_up: AtomicBool::new(false),
            granted: AtomicUsize::new(0),
            is_final,
            trust,
            pool: OnceLock::new(),
        }
    }

    /// Does the same for each, several at a time; the answers are in the order of the requests.
    pub(super) fn in_parallel<T: Sync, A: Send>(
        &self,
        requests: &[T],
        answer: impl Fn(&T) -> A + Sync,
    ) -> Vec<A> {
        let make = || ThreadPoolBuilder::new().num_threads(PARALLEL).build().ok();
        let pool = match requests {
            [] | [_] => None,
            _ => self.pool.get_or_init(make).as_ref(),
        };
        match pool {
            Some(pool) => pool.install(|| requests.par_iter().map(&answer).collect()),
            None => requests.iter().map(answer).collect(),
        }
    }

    /// Sends a request, repeatedly if that may help.
    ///
    /// # Errors
    /// If there is no answer. A refusal is an answer.
    pub(super) fn ask(&self, question: &Question<'_>) -> Result<Reply, IssuerError> {
        let (mut attempt, mut wait) = (1, FIRST_WAIT);
        let mut granted = self.granted.load(Ordering::Relaxed);
        loop {
            let last = attempt >= ATTEMPTS || self.given_up.load(Ordering::Relaxed);
            let body = question.body.map(|make| make()).transpose()?;
            let reply = self.once(question, body);
            let queues = granted > 0 && reply.as_ref().is_ok_and(Reply::is_too_early);
            let refused = match reply {
                Ok(reply) if reply.may_change() && !(self.is_final)(&reply) => {
                    if last && !queues {
                        return Ok(self.ended_by(reply));
                    }
                    Some(reply)
                }
                Ok(reply) => return Ok(self.ended_by(reply)),
                Err(error) if last || !is_passing(&error) => {
                    self.given_up.store(true, Ordering::Relaxed);
                    return Err(self.no_answer(&error));
                }
                Err(_) => None,
            };
            let pause = refused.as_ref().and_then(|reply| reply.wait);
            thread::sleep(pause.unwrap_or(wait).clamp(FIRST_WAIT, LONGEST_WAIT));
            let before = mem::replace(&mut granted, self.granted.load(Ordering::Relaxed));
            (attempt, wait) = match refused {
                // Whose turn comes later waits as long as others have theirs.
                Some(_) if queues && granted > before => (1, FIRST_WAIT),
                Some(reply) if last => return Ok(self.ended_by(reply)),
                _ => (attempt + 1, wait * 2),
            };
        }
    }

    /// Notes how a request ended.
    fn ended_by(&self, reply: Reply) -> Reply {
        self.given_up.store(reply.may_change(), Ordering::Relaxed);
        if reply.is_good() {
            self.granted.fetch_add(1, Ordering::Relaxed);
        }
        reply
    }

    fn once(&self, question: &Question<'_>, body: Option<Vec<u8>>) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder().uri(format!("{}{}", self.url, question.path));
        if let Some(headers) = request.headers_mut() {
            headers.extend(question.headers.clone());
            headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        }
        let mut response = match body {
            None => self.agent.run(request.method("GET").body(())?)?,
            Some(body) => {
                let json = request
                    .method("POST")
                    .header(header::CONTENT_TYPE, "application/json");
                self.agent.run(json.body(&body[..])?)?
            }
        };
        let wait = response.headers().get(header::RETRY_AFTER);
        let wait = wait.and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Reply {
            status: response.status().as_u16(),
            wait: wait.map(Duration::from_secs),
            body: response
                .body_mut()
                .with_config()
                .limit(MAX_ANSWER)
                .read_to_vec()?,
        })
    }

    fn no_answer(&self, error: &ureq::Error) -> IssuerError {
        let fails = |why, what: String, hint: &str| self.who.fails(why, what, hint);
        if let Some(tls) = of_tls(error) {
            let what = format!("is not trusted: {}", shown(&tls.to_string()));
            return fails(Why::Untrusted, what, self.trust);
        }
        match error {
            ureq::Error::BodyExceedsLimit(_) => self
                .who
                .bad_answer(format!("sends an answer of more than {MAX_ANSWER} bytes")),
            ureq::Error::Timeout(of) => fails(
                Why::Unreachable,
                match of {
                    ureq::Timeout::Connect => format!(
                        "accepts no connection within {} seconds",
                        PATIENCE_TO_CONNECT.as_secs()
                    ),
                    _ => format!("does not answer within {} seconds", PATIENCE.as_secs()),
                },
                "check that it is running and that no firewall drops connections; then run the command again to continue",
            ),
            ureq::Error::HostNotFound => fails(
                Why::Unreachable,
                "has a host name that cannot be resolved".to_owned(),
                "correct `url` in the policy, or this machine's name resolution",
            ),
            error => fails(
                Why::Unreachable,
                format!("cannot be reached: {}", shown(&error.to_string())),
                "check that it is running and listens there; then run the command again to continue",
            ),
        }
    }
}

fn of_tls(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(tls) => Some(tls),
        ureq::Error::Io(io) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// Whether the same request may be answered a little later.
fn is_passing(error: &ureq::Error) -> bool {
    let connection = matches!(
        error,
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed
    );
    connection && of_tls(error).is_none()
}
