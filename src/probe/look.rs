//! Everything a client can learn about a listener: TLS, whether the client certificate is accepted, whether it is
//! Kafka, its SASL mechanisms, and a login. All within one time limit.

use std::{
    io::{self, ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use super::{
    Identity, OldTls, ProbeError, Served,
    handshake::{Shaken, shake},
    kafka,
    login::{Login, LoginError},
    old,
    wire::Wire,
};
use crate::scram::Mechanism;

/// How long to wait for an answer of Kafka if the listener may be something else.
const KAFKA: Duration = Duration::from_secs(2);
/// How long a TLS 1.3 server may take to accept or refuse a client certificate before kpki sends a request.
const VERDICT: Duration = Duration::from_secs(1);

/// What to check, and as which client.
pub struct Question<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// The requested server name.
    pub server_name: &'a str,
    /// Whether the listener should speak TLS.
    pub tls: bool,
    /// Whether the listener should be Kafka.
    pub kafka: bool,
    /// The certificate to use if one is requested.
    pub identity: Option<Identity<'a>>,
    /// The user to log in as if the listener has SASL.
    pub login: Option<Login<'a>>,
    /// Whether to log in to a listener with this certificate.
    pub trusts: &'a (dyn Fn(&Served) -> bool + Sync),
}

/// The protocol of a listener.
#[derive(Debug)]
pub enum Speaks {
    /// TLS.
    Tls(Served),
    /// Kafka's protocol, without TLS.
    Plain,
    /// Only TLS before 1.2, or only cipher suites that rustls lacks; and how the handshake failed.
    Old(OldTls, ProbeError),
    /// None of these.
    Nothing(ProbeError),
}

/// What the listener said about the client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCert {
    /// It requested none.
    NotAsked,
    /// It requested one, and the connection stays open.
    Accepted,
    /// It requested one, and closed the connection.
    Refused(ProbeError),
    /// It requested one, and said nothing more.
    Unseen,
}

/// The answers of a broker or controller.
#[derive(Debug)]
pub struct Kafka {
    /// Its SASL mechanisms; `None` if it has no SASL, or does not say.
    pub mechanisms: Option<Vec<String>>,
    /// The result of the login; `None` if there was none.
    pub login: Option<Result<Mechanism, LoginError>>,
}

/// Everything that was found out about a listener.
#[derive(Debug)]
pub struct Sighting {
    /// Its protocol.
    pub speaks: Speaks,
    /// What it said about the client certificate.
    pub client: ClientCert,
    /// `None` if it does not answer Kafka requests.
    pub kafka: Option<Kafka>,
}

impl Sighting {
    fn of(speaks: Speaks) -> Self {
        Self {
            speaks,
            client: ClientCert::NotAsked,
            kafka: None,
        }
    }
}

/// Checks a listener within this time.
pub fn look(question: &Question<'_>, timeout: Duration) -> Sighting {
    let deadline = Instant::now() + timeout;
    let known = question.login.as_ref().map_or(&[][..], |l| l.mechanisms);
    let first = known.first().copied().unwrap_or(Mechanism::Sha512);
    let seen = look_choosing(question, first, deadline);
    // The listener closes the connection of a client that chose a mechanism which it does not have.
    let offered = seen.kafka.as_ref().and_then(|k| k.mechanisms.as_ref());
    let other = known.iter().skip(1).find(|m| {
        offered
            .is_some_and(|o| o.iter().any(|o| o == m.name()) && o.iter().all(|o| o != first.name()))
    });
    match other {
        Some(other) => look_choosing(question, *other, deadline),
        None => seen,
    }
}

fn look_choosing(question: &Question<'_>, mechanism: Mechanism, deadline: Instant) -> Sighting {
    if !question.tls {
        match plain(question, mechanism, deadline) {
            Ok(seen) => return seen,
            Err(
                error @ (ProbeError::Silent
                | ProbeError::Slow
                | ProbeError::NoConnection
                | ProbeError::Refused),
            ) => return Sighting::of(Speaks::Nothing(error)),
            Err(_) => {}
        }
    }
    let Question {
        address,
        server_name,
        identity,
        ..
    } = *question;
    let error = match shake(address, server_name, identity, deadline) {
        Ok(shaken) => return over_tls(shaken, question, mechanism, deadline),
        Err(error) => error,
    };
    use ProbeError::{Alert, Closed, Cut, NotTls, Tls};
    if question.tls
        && matches!(error, Closed | Cut | NotTls(_))
        && let Ok(seen) = plain(question, mechanism, deadline)
    {
        return seen;
    }
    if matches!(error, Closed | Cut | Alert(_) | Tls(_))
        && let Some(old) = old::ask(address, server_name, deadline)
        // rustls ended this handshake itself, so it understood the server.
        && !(old.version == "TLS 1.2" && matches!(error, Tls(_)))
    {
        return Sighting::of(Speaks::Old(old, error));
    }
    Sighting::of(Speaks::Nothing(error))
}

/// Kafka without TLS.
fn plain(
    question: &Question<'_>,
    mechanism: Mechanism,
    deadline: Instant,
) -> Result<Sighting, ProbeError> {
    let mut wire = Wire::connect(question.address, deadline)?;
    let is_kafka = kafka::is_kafka(&mut wire);
    is_kafka.map_err(|error| wire.failure(Some(error)))?;
    // Log in without TLS only if no TLS was expected.
    let login = question.login.as_ref().filter(|_| !question.tls);
    Ok(Sighting {
        kafka: Some(ask_sasl(&mut wire, login, mechanism)),
        ..Sighting::of(Speaks::Plain)
    })
}

fn over_tls(
    shaken: Shaken,
    question: &Question<'_>,
    mechanism: Mechanism,
    deadline: Instant,
) -> Sighting {
    let Shaken {
        served,
        mut wire,
        mut connection,
        refused,
    } = shaken;
    let sighting = |served, client, kafka| Sighting {
        speaks: Speaks::Tls(served),
        client,
        kafka,
    };
    if let Some(error) = refused {
        return sighting(served, ClientCert::Refused(error), None);
    }
    let asked = served.client_authorities.is_some();
    // In TLS 1.3, the client's handshake ends before the server has checked its certificate. Only then it sends tickets.
    let mut open = asked && served.protocol == "TLSv1.3";
    let begun = Instant::now();
    if open {
        wire.set_deadline(deadline.min(begun + VERDICT));
        let heard = loop {
            if connection.tls13_tickets_received() > 0 {
                break Ok(());
            }
            match connection.complete_io(&mut wire) {
                Ok((0, 0)) => break Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        match heard {
            Ok(()) => open = false,
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => {
                let error = wire.failure(Some(error));
                return sighting(served, ClientCert::Refused(error), None);
            }
        }
    }
    let patience = match question.kafka || open {
        true => deadline,
        false => deadline.min(Instant::now() + KAFKA),
    };
    wire.set_deadline(patience);
    let mut stream = rustls::Stream::new(&mut connection, &mut wire);
    let answer = kafka::is_kafka(&mut stream);
    let is_kafka = answer.is_ok();
    wire.set_deadline(deadline);
    let tickets = connection.tls13_tickets_received() > 0;
    let client = match (&answer, asked) {
        (_, false) => ClientCert::NotAsked,
        (Ok(()), true) => ClientCert::Accepted,
        (Err(_), true) if !open || tickets => ClientCert::Accepted,
        // An answer in another protocol.
        (Err(error), true) if error.kind() == ErrorKind::InvalidData && !is_tls(error) => {
            ClientCert::Accepted
        }
        (Err(error), true) if error.kind() == ErrorKind::TimedOut => ClientCert::Unseen,
        (Err(_), true) => ClientCert::Refused(wire.failure(answer.err())),
    };
    if !is_kafka {
        return sighting(served, client, None);
    }
    let login = question.login.as_ref();
    let login = login.filter(|_| (question.trusts)(&served));
    let mut stream = rustls::Stream::new(&mut connection, &mut wire);
    let kafka = ask_sasl(&mut stream, login, mechanism);
    connection.send_close_notify();
    let _ = connection.write_tls(&mut wire);
    sighting(served, client, Some(kafka))
}

fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|e| e.is::<rustls::Error>())
}

fn ask_sasl(
    stream: &mut (impl Read + Write),
    login: Option<&Login<'_>>,
    mechanism: Mechanism,
) -> Kafka {
    let (sasl, failed) = match kafka::offered(stream, mechanism) {
        Ok(sasl) => (sasl, None),
        Err(error) => (None, Some(LoginError::from(error))),
    };
    let login = login.and_then(|login| match (&sasl, failed) {
        (Some(sasl), _) if sasl.chosen => {
            Some(kafka::log_in(stream, login, mechanism).map(|()| mechanism))
        }
        (Some(_), _) => Some(Err(LoginError::NotOffered)),
        (None, Some(failed)) => Some(Err(failed)),
        (None, None) => None,
    });
    Kafka {
        mechanisms: sasl.map(|sasl| sasl.offered),
        login,
    }
}
