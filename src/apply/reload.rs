//! Makes a running broker load the stores on its machine (KIP-226), and verifies this with a TLS handshake.
//!
//! Observed on 4.3.1: setting the location of a listener's keystore to its current path makes the broker read the
//! stores of all its listeners again, in combined mode also those of the controllers. Its answer does not show the
//! result: a certificate that lacks a host is refused in the log only, and from then on every dynamic change of that
//! broker fails until it is restarted. So kpki first checks for what the broker would refuse, trusts only a handshake,
//! and removes the setting afterwards, because it would override the path in a later `server.properties`.
//!
//! Each network thread of a listener has stores of its own (`SocketServer.Processor`), which are read one after the
//! other, and connections go to the threads in turn: so a listener is asked as often as it has threads.

mod error;
mod settings;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

pub use error::{ReloadError, SettingLeft};
use settings::{Settings, Store, setting};

use crate::{
    admin::{Admin, AdminError},
    pki::{Certificate, Host},
    printable::Name,
    probe::{self, Identity, ProbeError, Served},
};

/// How long to wait for one listener.
const ONE: Duration = Duration::from_secs(5);
/// How long to wait until a setting is removed: a slow broker, or one that has lost its connection to the controller,
/// needs more than one request.
const REMOVAL: Duration = Duration::from_secs(60);
/// How long to wait until a listener no longer trusts other CAs: after a rotation the old one, but somebody may have
/// added one of their own.
const OTHERS: Duration = Duration::from_secs(10);
/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(250);

/// What a broker should serve.
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// `node.id` or `broker.id`.
    pub id: u32,
    /// Its new leaf.
    pub certificate: &'a Certificate,
    /// The subject of the CA that its chain ends at.
    pub root: &'a Name,
    /// The subjects of the CAs that it should trust.
    pub trusted: &'a BTreeSet<Name>,
}

/// A TLS listener of a running broker.
#[derive(Debug)]
pub struct RunningListener {
    /// Its name.
    pub name: String,
    /// The `host:port` that it advertises, or listens on.
    pub address: String,
    /// What it serves; if its threads differ, one that is not as it should be.
    pub shown: Result<Served, ProbeError>,
    threads: usize,
    /// Its keystore; `None` for the controllers' listener, which has no dynamic settings of its own.
    store: Option<Store>,
}

/// A running broker.
#[derive(Debug)]
pub struct RunningBroker {
    /// Its TLS listeners.
    pub listeners: Vec<RunningListener>,
    inter_broker: String,
    dn_may_change: bool,
    sans_may_change: bool,
}

/// Reads a broker's listeners, and what each of them serves.
///
/// # Errors
/// If the broker does not answer, has no TLS, or serves no certificate on any listener.
pub fn look(
    admin: &mut Admin,
    wanted: &Wanted<'_>,
    identity: Option<Identity<'_>>,
) -> Result<RunningBroker, ReloadError> {
    let name = || wanted.name.to_owned();
    let id = i32::try_from(wanted.id).unwrap_or(i32::MAX);
    let settings = admin.describe_broker(id);
    let settings = settings.map_err(|source| ReloadError::Cluster {
        name: name(),
        source: source.into(),
    })?;
    let settings = Settings(settings.into_iter().map(|s| (s.name.clone(), s)).collect());
    let found = settings.listeners();
    if found.is_empty() {
        return Err(ReloadError::NoTls(name()));
    }
    let mut listeners = Vec::new();
    for (listener, address, is_controllers) in found {
        let store = match is_controllers {
            true => None,
            false => Some(
                settings
                    .store(&listener)
                    .ok_or_else(|| ReloadError::NoStore {
                        name: name(),
                        listener: listener.clone(),
                    })?,
            ),
        };
        let threads = settings.threads(&listener);
        listeners.push((listener, address, store, threads));
    }
    let shown = probe::each(&listeners, |(_, address, _, threads)| {
        let first = ask(address, identity)?;
        // One answer is enough for what the broker would refuse.
        Ok(ask_all(wanted, *threads, || ask(address, identity)).unwrap_or(first))
    });
    let listeners: Vec<RunningListener> = listeners
        .into_iter()
        .zip(shown)
        .map(|((name, address, store, threads), shown)| RunningListener {
            name,
            address,
            shown,
            threads,
            store,
        })
        .collect();
    if listeners.iter().all(|l| l.shown.is_err()) {
        let why = listeners
            .iter()
            .filter_map(|l| Some((l, l.shown.as_ref().err()?)));
        let why: Vec<String> = why
            .map(|(l, error)| format!("{} at {}: {error}", l.name, l.address))
            .collect();
        return Err(ReloadError::Unseen {
            name: name(),
            why: why.join("; "),
        });
    }
    let is_true = |setting| settings.get(setting).is_some_and(|v| v == "true");
    Ok(RunningBroker {
        listeners,
        inter_broker: settings
            .get("inter.broker.listener.name")
            .or(settings.get("security.inter.broker.protocol"))
            .unwrap_or_default()
            .to_owned(),
        dn_may_change: is_true("ssl.allow.dn.changes"),
        sans_may_change: is_true("ssl.allow.san.changes"),
    })
}

impl RunningBroker {
    /// Whether every reachable listener already serves what it should.
    pub fn is_done(&self, wanted: &Wanted<'_>) -> bool {
        let shown = self.listeners.iter().filter_map(|l| l.shown.as_ref().ok());
        shown
            .clone()
            .all(|s| lacks(wanted, s).is_none() && trusts_no_other(wanted, s))
    }

    /// The listeners that could not be reached, so that nothing is known about them.
    pub fn unseen(&self) -> impl Iterator<Item = (&RunningListener, &ProbeError)> {
        let listeners = self.listeners.iter();
        listeners.filter_map(|l| Some((l, l.shown.as_ref().err()?)))
    }

    /// The keystores that it is running with.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.stores().map(|(_, store)| store.path.as_str())
    }

    /// Checks for what the broker would refuse (`SslFactory.CertificateEntries.ensureCompatible`), after which it would
    /// not accept any dynamic change.
    ///
    /// # Errors
    /// The first such reason.
    pub fn check(&self, wanted: &Wanted<'_>) -> Result<(), ReloadError> {
        let name = || wanted.name.to_owned();
        for listener in &self.listeners {
            let Some((shown, old)) = listener
                .shown
                .as_ref()
                .ok()
                .and_then(|s| Some((s, s.leaf().ok()?)))
            else {
                continue;
            };
            let new = wanted.certificate;
            if old.subject != new.subject && !self.dn_may_change {
                return Err(ReloadError::OtherSubject {
                    name: name(),
                    old: old.subject,
                    new: new.subject.clone(),
                });
            }
            let lost = old.hosts.iter().filter(|h| !new.hosts.contains(h));
            let lost: Vec<String> = lost.map(Host::to_string).collect();
            if !lost.is_empty() && !self.sans_may_change {
                return Err(ReloadError::LostHosts {
                    name: name(),
                    lost: lost.join(", "),
                });
            }
            let trusted = shown.client_authorities.iter().flatten();
            let knows = trusted.clone().count() == 0 || trusted.clone().any(|t| t == wanted.root);
            if listener.name == self.inter_broker && !knows {
                return Err(ReloadError::Untrusted {
                    name: name(),
                    root: wanted.root.clone(),
                });
            }
        }
        Ok(())
    }

    /// Makes the broker read its stores again, and waits until every reachable listener serves the new certificate.
    ///
    /// # Errors
    /// If it refuses, or does not serve it within `limit`.
    pub fn reload(
        &self,
        admin: &mut Admin,
        wanted: &Wanted<'_>,
        identity: Option<Identity<'_>>,
        limit: Duration,
    ) -> Result<(), ReloadError> {
        let cluster = |source| ReloadError::Cluster {
            name: wanted.name.to_owned(),
            source: Box::new(source),
        };
        let id = i32::try_from(wanted.id).unwrap_or(i32::MAX);
        let stores = self.stores().map(|(name, store)| (setting(name), store));
        let stores: Vec<(String, &Store)> = stores.collect();
        let set: Vec<(&str, Option<&str>)> = stores
            .iter()
            .map(|(setting, store)| (setting.as_str(), Some(store.path.as_str())))
            .collect();
        let told = admin.alter_broker(id, &set);
        let lacking = match &told {
            Ok(()) => self.prove(wanted, identity, limit),
            Err(_) => None,
        };
        // Even if there was no answer: it may have been set.
        let is_set = told.as_ref().err().is_none_or(AdminError::may_be_done);
        let left = match is_set {
            true => self.tidy(admin, wanted, true).err(),
            false => None,
        };
        told.map_err(cluster)?;
        let name = wanted.name.to_owned();
        match (lacking, left) {
            (None, None) => Ok(()),
            (None, Some(left)) => Err(ReloadError::SettingLeft { name, left }),
            (Some(what), left) => Err(ReloadError::NotTakenUp {
                name,
                seconds: limit.as_secs(),
                what,
                left,
            }),
        }
    }

    /// Removes the setting that this reload or an interrupted one has set, until the cluster confirms it. The broker
    /// itself may show the setting a little longer, and for a while not yet, so it is not asked.
    ///
    /// # Errors
    /// If the broker refuses, or nothing is confirmed for a minute.
    pub fn tidy(
        &self,
        admin: &mut Admin,
        wanted: &Wanted<'_>,
        all: bool,
    ) -> Result<(), SettingLeft> {
        let id = i32::try_from(wanted.id).unwrap_or(i32::MAX);
        let stores = self.stores().filter(|(_, s)| !s.stays && (all || s.is_set));
        let settings: Vec<String> = stores.map(|(name, _)| setting(name)).collect();
        if settings.is_empty() {
            return Ok(());
        }
        let unset: Vec<(&str, Option<&str>)> =
            settings.iter().map(|s| (s.as_str(), None)).collect();
        let left = |why: String| SettingLeft {
            setting: settings.join(", "),
            why,
        };
        let begun = Instant::now();
        loop {
            match admin.alter_broker(id, &unset) {
                Ok(()) => return Ok(()),
                Err(error) if !error.may_be_done() || begun.elapsed() >= REMOVAL => {
                    return Err(left(error.to_string()));
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    fn stores(&self) -> impl Iterator<Item = (&str, &Store)> {
        let listeners = self.listeners.iter();
        listeners.filter_map(|l| Some((l.name.as_str(), l.store.as_ref()?)))
    }

    /// Waits until it is served; returns what is missing if that takes longer than `limit`.
    fn prove(
        &self,
        wanted: &Wanted<'_>,
        identity: Option<Identity<'_>>,
        limit: Duration,
    ) -> Option<String> {
        let begun = Instant::now();
        let mut open: Vec<&RunningListener> =
            self.listeners.iter().filter(|l| l.shown.is_ok()).collect();
        loop {
            let shown = probe::each(&open, |l| {
                ask_all(wanted, l.threads, || ask(&l.address, identity))
            });
            let others = begun.elapsed() < OTHERS.min(limit);
            let lacking = open.iter().zip(shown).filter_map(|(listener, shown)| {
                let what = match shown {
                    Ok(shown) => match lacks(wanted, &shown) {
                        // Waited for, but nothing that is missing.
                        None if others && !trusts_no_other(wanted, &shown) => None,
                        lacks => Some(lacks?),
                    },
                    Err(error) => Some(error.to_string()),
                };
                Some((
                    *listener,
                    what.map(|what| format!("{}: {what}", listener.name)),
                ))
            });
            let (left, what): (Vec<_>, Vec<_>) = lacking.unzip();
            if left.is_empty() {
                return None;
            }
            if begun.elapsed() >= limit {
                let what: Vec<String> = what.into_iter().flatten().collect();
                return (!what.is_empty()).then(|| what.join("; "));
            }
            open = left;
            std::thread::sleep(PAUSE);
        }
    }
}

/// How a listener differs from what it should serve.
fn lacks(wanted: &Wanted<'_>, shown: &Served) -> Option<String> {
    let leaf = match shown.leaf() {
        Ok(leaf) => leaf,
        Err(error) => return Some(error.to_string()),
    };
    if leaf.der != wanted.certificate.der {
        return Some(format!(
            "the certificate with the serial number {} is served, and {} is the new one",
            leaf.serial, wanted.certificate.serial
        ));
    }
    let told = shown.client_authorities.iter().flatten();
    let missing = wanted
        .trusted
        .iter()
        .find(|ca| !told.clone().any(|t| t == *ca));
    missing
        .filter(|_| told.clone().next().is_some())
        .map(|ca| format!("certificates of the CA `{ca}` are not trusted yet"))
}

/// Whether it trusts only the CAs that it should, as far as this is visible.
fn trusts_no_other(wanted: &Wanted<'_>, shown: &Served) -> bool {
    let mut told = shown.client_authorities.iter().flatten();
    told.all(|ca| wanted.trusted.contains(ca))
}

/// What a listener shows to as many connections: one that lacks something, or that trusts others, if there is one.
fn ask_all(
    wanted: &Wanted<'_>,
    threads: usize,
    mut ask: impl FnMut() -> Result<Served, ProbeError>,
) -> Result<Served, ProbeError> {
    let mut shown = ask()?;
    for _ in 1..threads {
        if lacks(wanted, &shown).is_some() {
            break;
        }
        let next = ask()?;
        if lacks(wanted, &next).is_some() || trusts_no_other(wanted, &shown) {
            shown = next;
        }
    }
    Ok(shown)
}

fn ask(address: &str, identity: Option<Identity<'_>>) -> Result<Served, ProbeError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    probe::served(address, host, identity, ONE)
}

#[cfg(test)]
mod tests;
