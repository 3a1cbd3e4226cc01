//! Whoever gets a directory: brokers, clients and SCRAM users, seen alike.

use zeroize::Zeroizing;

use super::{
    BootstrapError,
    identity::{LeafSpec, read_secret},
    random,
};
use crate::{
    pki::{IdentityName, Kind},
    policy::{Auth, Broker, Client, ScramUser, ValidatedPolicy},
    scram::{self, Credential, DEFAULT_ITERATIONS, Mechanism, SALT_LEN},
    secret::Secret,
    state::{FileSpec, OutDir, read_plain},
};

/// File with a SCRAM password.
pub(super) const PASSWORD: &str = "scram.password";
/// File with what was derived from it.
const CREDENTIALS: &str = "scram.json";

/// File with a password that the cluster has yet to be told: see [`super::passwords`].
pub(super) const NEXT: &str = "scram.password.next";

/// What a member who logs in by SCRAM always has.
pub(super) const FILES: [&str; 2] = [PASSWORD, CREDENTIALS];

/// One who gets a directory.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// A broker.
    Broker(&'a Broker),
    /// A client.
    Client(&'a Client),
    /// A SCRAM user that is no client of kpki's.
    User(&'a ScramUser),
}

impl<'a> Member<'a> {
    /// Everyone in a policy. Brokers come last: their files hold what was derived for the others.
    pub fn all(policy: &'a ValidatedPolicy) -> Vec<Self> {
        let clients = policy.clients.iter().map(Self::Client);
        let users = policy.users.iter().map(Self::User);
        clients
            .chain(users)
            .chain(policy.brokers.iter().map(Self::Broker))
            .collect()
    }

    /// Its name.
    pub fn name(self) -> &'a IdentityName {
        match self {
            Self::Broker(broker) => &broker.name,
            Self::Client(client) => &client.name,
            Self::User(user) => &user.name,
        }
    }

    /// "broker", "client" or "user".
    pub fn word(self) -> &'static str {
        match self {
            Self::Broker(_) => "broker",
            Self::Client(_) => "client",
            Self::User(_) => "user",
        }
    }

    /// Whether it has to do with certificates at all.
    pub fn speaks_tls(self, policy: &ValidatedPolicy) -> bool {
        match self {
            Self::Broker(_) => policy.cluster.speaks_tls(),
            Self::Client(client) => policy.cluster.speaks_tls_with(client),
            Self::User(_) => false,
        }
    }

    /// The certificate that it shall have; `None` for those that use none.
    pub fn leaf(self, policy: &ValidatedPolicy) -> Option<LeafSpec> {
        let (name, kind, hosts, key) = match self {
            Self::Broker(b) if self.speaks_tls(policy) => (&b.name, Kind::Broker, &b.hosts, b.key),
            Self::Client(c) if c.auth.contains(&Auth::Tls) => {
                (&c.name, Kind::Client, &c.hosts, c.key)
            }
            Self::Broker(_) | Self::Client(_) | Self::User(_) => return None,
        };
        let days = policy.ca.leaf_valid_days;
        Some(LeafSpec {
            name: name.clone(),
            kind,
            hosts: hosts.clone(),
            key,
            days,
        })
    }

    /// The SCRAM mechanisms that it logs in with, and their iterations. A broker logs in to the others where they
    /// talk over SASL among themselves.
    pub fn scram(self, policy: &ValidatedPolicy) -> (Vec<Mechanism>, u32) {
        match self {
            Self::User(user) => (user.mechanisms.clone(), user.iterations),
            Self::Client(client) => {
                let mechanisms = client.auth.iter().filter_map(|auth| match auth {
                    Auth::Scram(mechanism) => Some(*mechanism),
                    Auth::Tls | Auth::None => None,
                });
                (mechanisms.collect(), client.iterations)
            }
            // A controller alone is known by its certificate.
            Self::Broker(node) if !node.role.is_broker() => (Vec::new(), DEFAULT_ITERATIONS),
            Self::Broker(_) => {
                let between = policy.cluster.listeners.iter().find(|l| {
                    l.name == policy.cluster.inter_broker_listener && l.protocol.is_sasl()
                });
                let mechanisms = between.map(|l| l.mechanisms.iter().copied().take(1).collect());
                (mechanisms.unwrap_or_default(), DEFAULT_ITERATIONS)
            }
        }
    }
}

/// What becomes of a credential that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum New {
    /// It is derived, to be written.
    Derived,
    /// Nothing is written, so it is only said that there will be one: derivation takes long.
    ToCome,
}

/// The SCRAM password of a member and what was derived from it.
#[derive(Debug)]
pub struct ScramState {
    /// The password.
    pub password: Secret,
    /// One credential per mechanism.
    pub credentials: Vec<Credential>,
    /// Some of them are new, so no cluster can know them yet.
    pub derived: bool,
    /// There were credentials, but the password was gone, so there is a new one.
    pub lost: bool,
}

impl ScramState {
    /// Reads what is on disk; derives what is missing or has other iterations, unless it is only to be shown. `None`
    /// for members without SCRAM.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged.
    pub fn load(
        out: &OutDir,
        member: Member<'_>,
        policy: &ValidatedPolicy,
        new: New,
    ) -> Result<Option<Self>, BootstrapError> {
        if member.scram(policy).0.is_empty() {
            return Ok(None);
        }
        let name = member.name();
        let path = out.identity(name).join(CREDENTIALS);
        let kept = match read_plain(&path)?.map(Zeroizing::new) {
            Some(bytes) => scram::parse_file(&String::from_utf8_lossy(&bytes)).map_err(|e| {
                BootstrapError::Damaged {
                    file: path.display().to_string(),
                    reason: e.to_string(),
                }
            })?,
            None => Vec::new(),
        };
        let password = read_secret(out, name, PASSWORD)?;
        let mut lost = false;
        // Without its password, what was derived from it is of no use to the client.
        let (password, kept) = match password {
            Some(password) => (password, kept),
            None => {
                lost = !kept.is_empty();
                let password = match read_secret(out, name, NEXT)? {
                    Some(next) => next,
                    None if new == New::ToCome => Secret::new("to come".to_owned()),
                    None => random::password()?,
                };
                (password, Vec::new())
            }
        };
        let mut state = Self::derive(member, policy, password, &kept, new)?;
        state.lost = lost;
        Ok(Some(state))
    }

    /// A member's credentials under a password: those that are kept where they fit, else new ones.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn derive(
        member: Member<'_>,
        policy: &ValidatedPolicy,
        password: Secret,
        kept: &[Credential],
        new: New,
    ) -> Result<Self, BootstrapError> {
        let name = member.name();
        let (mechanisms, iterations) = member.scram(policy);
        let mut credentials = Vec::new();
        let mut derived = false;
        for mechanism in mechanisms {
            let same = |c: &&Credential| {
                c.mechanism == mechanism && c.iterations == iterations && c.user == name.as_str()
            };
            credentials.push(match kept.iter().find(same) {
                Some(credential) => credential.clone(),
                None if new == New::ToCome => {
                    derived = true;
                    Credential::to_come(name.as_str(), mechanism, iterations)
                }
                None => {
                    derived = true;
                    let salt = random::octets::<SALT_LEN>()?;
                    Credential::derive(name.as_str(), &password, mechanism, iterations, &salt)?
                }
            });
        }
        Ok(Self {
            password,
            credentials,
            derived,
            lost: false,
        })
    }

    /// The files that keep it. A cluster that knows the lost password has to be told the new one.
    pub fn files(&self) -> Vec<FileSpec> {
        let password = |file: &str| {
            let line = Zeroizing::new(format!("{}\n", self.password.expose()));
            FileSpec::secret(file, line.as_bytes())
        };
        let credentials = scram::write_file(&self.credentials);
        let mut files = vec![
            password(PASSWORD),
            FileSpec::secret(CREDENTIALS, credentials.expose().as_bytes()),
        ];
        files.extend(self.lost.then(|| password(NEXT)));
        files
    }
}
