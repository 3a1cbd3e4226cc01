//! How far each identity is, as far as that can be seen from here.

use std::time::Duration;

use super::work::{Leaf, Place};
use crate::{
    bootstrap::trust::Trust,
    config::Properties,
    pki::{Host, IdentityName, Kind},
    policy::Layout,
    printable::Name,
    probe,
    state::{OutDir, Phase, Record, Rotation, read_plain},
};

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where to ask a broker: a name or address in its certificate, and a port.
struct Question {
    host: Host,
    port: u16,
}

/// What it shows there.
struct Answer {
    /// The serial number of the certificate that it shows, lower-case hex.
    serial: String,
    /// The subjects of the CAs whose client certificates it accepts; empty if it does not say.
    trusted: Vec<Name>,
}

impl Question {
    /// `None` if there is no answer.
    fn ask(&self) -> Option<Answer> {
        let address = format!("{}:{}", self.host.authority(), self.port);
        let served = probe::served(&address, &self.host.to_string(), None, PATIENCE).ok()?;
        Some(Answer {
            serial: served.leaf().ok()?.serial,
            trusted: served.client_authorities.unwrap_or_default(),
        })
    }
}

/// The state of an identity in the current step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to do.
    None,
    /// Its files are not yet written here.
    Write,
    /// Its key is elsewhere, so its owner must request a new certificate.
    Sign,
    /// It does not yet use what was written for it.
    Install,
    /// What it uses cannot be seen from here.
    Unseen,
    /// It uses what was written for it.
    Done,
}

impl Step {
    /// The word of `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Write => "write",
            Self::Sign => "sign",
            Self::Install => "install",
            Self::Unseen => "unseen",
            Self::Done => "done",
        }
    }
}

/// An identity and its observed state.
#[derive(Debug)]
pub struct Seen {
    /// Its name.
    pub name: IdentityName,
    /// Its kind, if it has a certificate.
    pub kind: Option<Kind>,
    /// Where it is.
    pub step: Step,
    /// The reason; empty if it is done.
    pub why: &'static str,
    /// The serial number of the certificate that it shows.
    pub served: Option<String>,
}

/// Whether brokers are asked what they have loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Over the network, as far as their listeners are known.
    Brokers,
    /// Only the output directory is read.
    Nobody,
}

/// Checks every identity, and asks those that can be asked.
pub(super) fn see(
    out: &OutDir,
    trust: &Trust,
    rotation: Option<&Rotation>,
    places: &[Place<'_>],
    ask: Ask,
) -> Vec<Seen> {
    let question = |place| match ask {
        Ask::Brokers => question(out, place).ok_or("its listener is not known"),
        Ask::Nobody => Err("it was not asked"),
    };
    let questions: Vec<_> = places.iter().map(question).collect();
    let answers = probe::each(&questions, |question| question.as_ref().ok()?.ask());
    let asked = questions.iter().zip(answers);
    let seen = places.iter().zip(asked).map(|(place, (question, answer))| {
        let (step, why) = judge(trust, rotation, place, question.as_ref(), answer.as_ref());
        Seen {
            name: place.name.clone(),
            kind: place.record.map(|record| record.kind),
            step,
            why,
            served: answer.map(|answer| answer.serial),
        }
    });
    seen.collect()
}

fn judge(
    trust: &Trust,
    rotation: Option<&Rotation>,
    place: &Place<'_>,
    question: Result<&Question, &&'static str>,
    answer: Option<&Answer>,
) -> (Step, &'static str) {
    if place.trouble.is_some() || place.is_unfinished() {
        return (Step::Write, "its files are not yet written");
    }
    if place.leaf == Leaf::Elsewhere {
        return (
            Step::Sign,
            "its key is elsewhere: sign a new request from its owner",
        );
    }
    let Some(rotation) = rotation else {
        return (Step::None, "");
    };
    let Some(record) = place.record.filter(|r| r.kind == Kind::Broker) else {
        return (Step::Unseen, "a client cannot be asked");
    };
    let Some(answer) = answer else {
        return (
            Step::Unseen,
            match question {
                Ok(_) => "it does not answer",
                Err(why) => why,
            },
        );
    };
    if answer.serial != record.serial {
        return (Step::Install, "it still serves another certificate");
    }
    let trusts = |subject: &Name| answer.trusted.contains(subject);
    let all = trust.trusted().all(|root| trusts(&root.subject));
    let ours = |subject: &Name| trust.trusted().any(|root| root.subject == *subject);
    let more = !answer.trusted.iter().all(ours);
    match (answer.trusted.is_empty(), rotation.phase) {
        // What it serves is signed by the new CA, which it was confirmed to trust before.
        (true, Phase::Reissuing) => (Step::Done, ""),
        (true, _) => (
            Step::Unseen,
            "it requests no client certificate, so it does not show which CAs it trusts",
        ),
        (false, _) if !all => (Step::Install, "it does not yet trust all of ca.crt"),
        (false, Phase::Retiring) if more => (Step::Install, "it still trusts another CA"),
        (false, _) => (Step::Done, ""),
    }
}

/// Where to ask a broker: at a TLS listener, preferably one that shows which CAs it trusts.
fn question(out: &OutDir, place: &Place<'_>) -> Option<Question> {
    let record = place.record.filter(|r| r.kind == Kind::Broker)?;
    // The name is the same in every layout.
    let file = Layout::DEFAULT.files(place.name.as_str()).server_properties;
    let text = read_plain(&out.identity(&place.name).join(file))
        .ok()
        .flatten();
    let settings = text.and_then(|text| Properties::parse(&text).ok());
    listener(&settings?, record)
}

fn listener(settings: &Properties, record: &Record) -> Option<Question> {
    let protocols = settings
        .get("listener.security.protocol.map")
        .unwrap_or_default();
    let is_tls = |name: &str| {
        let mut pairs = protocols
            .split(',')
            .filter_map(|pair| pair.trim().split_once(':'));
        let said = pairs
            .find(|(of, _)| *of == name)
            .map(|(_, protocol)| protocol);
        matches!(said.unwrap_or(name), "SSL" | "SASL_SSL")
    };
    let asks = |name: &str| {
        let key = format!("listener.name.{}.ssl.client.auth", name.to_lowercase());
        let said = settings
            .get(&key)
            .or_else(|| settings.get("ssl.client.auth"));
        matches!(said, Some("required" | "requested"))
    };
    let listeners = settings
        .get("advertised.listeners")
        .or_else(|| settings.get("listeners"))?;
    let listeners = listeners.split(',').filter_map(|listener| {
        let (name, address) = listener.trim().split_once("://")?;
        let (host, port) = address.rsplit_once(':')?;
        is_tls(name).then_some((asks(name), host, port.parse().ok()?))
    });
    let mut listeners: Vec<(bool, &str, u16)> = listeners.collect();
    listeners.sort_by_key(|(asks, ..)| !asks);
    let (_, host, port) = *listeners.first()?;
    let host = host.trim_matches(['[', ']']);
    // The file belongs to the broker's owner, who must not be able to direct kpki elsewhere.
    let hosts = record.sans.iter().filter_map(|san| Host::from_tagged(san));
    let hosts: Vec<Host> = hosts.filter(|host| !host.is_wildcard()).collect();
    let named = hosts.iter().find(|known| known.to_string() == host);
    let host = named.or(hosts.first())?.clone();
    Some(Question { host, port })
}
