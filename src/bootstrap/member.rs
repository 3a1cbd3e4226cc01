//! Everyone who gets a directory: brokers, clients and SCRAM users, treated alike.

use zeroize::Zeroizing;

use super::{
    BootstrapError,
    identity::read_secret,
    planned::{Planned, ToCome},
};
use crate::{
    pki::{Host, IdentityName, KeyAlgorithm, Kind, LeafSpec},
    policy::{Auth, Broker, Client, ScramUser, ValidatedPolicy},
    random,
    scram::{
        self, Credential, DEFAULT_ITERATIONS, Mechanism, SALT_LEN, ScramError, ScramInfo,
        kraft_argument,
    },
    secret::Secret,
    state::{FileSpec, OutDir, read_plain},
};

/// File with a SCRAM password.
pub(super) const PASSWORD: &str = "scram.password";
/// File with what was derived from it.
pub(super) const CREDENTIALS: &str = "scram.json";

/// File with a password that has not been sent to the cluster yet: see [`super::passwords`].
pub(super) const NEXT: &str = "scram.password.next";

/// The files of every member that logs in with SCRAM.
pub(super) const FILES: [&str; 2] = [PASSWORD, CREDENTIALS];

/// Whether an identity logs in with SCRAM, by the files in its directory.
pub fn has_password(out: &OutDir, name: &IdentityName) -> bool {
    let there = out.files(name);
    FILES.iter().any(|file| there.iter().any(|f| f == file))
}

/// One who gets a directory.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// A broker.
    Broker(&'a Broker),
    /// A client.
    Client(&'a Client),
    /// A SCRAM user that is not one of the policy's clients.
    User(&'a ScramUser),
}

impl<'a> Member<'a> {
    /// Everyone in a policy. Brokers come last: their files contain what was derived for the others.
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

    /// Whether it uses certificates at all.
    pub fn speaks_tls(self, policy: &ValidatedPolicy) -> bool {
        match self {
            Self::Broker(_) => policy.cluster.speaks_tls(),
            Self::Client(client) => policy.cluster.speaks_tls_with(client),
            Self::User(_) => false,
        }
    }

    /// What its certificate is for, and its hosts and key; `None` for those that use none.
    fn certified(
        self,
        policy: &ValidatedPolicy,
    ) -> Option<(Kind, &'a Vec<Host>, Option<KeyAlgorithm>)> {
        match self {
            Self::Broker(b) if self.speaks_tls(policy) => Some((Kind::Broker, &b.hosts, b.key)),
            Self::Client(c) if c.auth.contains(&Auth::Tls) => Some((Kind::Client, &c.hosts, c.key)),
            Self::Broker(_) | Self::Client(_) | Self::User(_) => None,
        }
    }

    /// What a request for its external key may ask for; `None` for those whose keys are made here.
    pub fn asks_for(self, policy: &ValidatedPolicy) -> Option<(Kind, &'a [Host])> {
        let (kind, hosts, key) = self.certified(policy)?;
        key.is_none().then_some((kind, &hosts[..]))
    }

    /// The certificate that it should have for a key made here; `None` for those that use none.
    pub fn leaf(self, policy: &ValidatedPolicy) -> Option<LeafSpec> {
        let (kind, hosts, key) = self.certified(policy)?;
        let (name, key) = (self.name(), key?);
        let days = policy.ca.leaf_valid_days;
        Some(LeafSpec {
            name: name.clone(),
            kind,
            hosts: hosts.clone(),
            key,
            days,
        })
    }

    /// The SCRAM mechanisms that it logs in with, and their iterations. A broker logs in to the others if the
    /// inter-broker listener uses SASL.
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
            // A dedicated controller is identified by its certificate.
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

/// A credential: deriving one takes long, so it is deferred until something is written.
#[derive(Debug, Clone)]
pub enum Derivation {
    /// Derived, now or by an earlier run.
    Done(Credential),
    /// Still to be derived.
    ToCome(ScramInfo),
}

impl Derivation {
    /// The argument of `kafka-storage format --add-scram`, as far as it is known.
    pub(super) fn kraft_argument(&self) -> Result<Secret, ScramError> {
        match self {
            Self::Done(credential) => credential.kraft_argument(),
            Self::ToCome(info) => {
                kraft_argument(&info.user, info.mechanism, info.iterations, &[], &[])
            }
        }
    }
}

/// The SCRAM password of a member and what is derived from it.
#[derive(Debug)]
pub struct ScramState {
    /// The password, which is new if there was none.
    pub password: Secret,
    /// One credential per mechanism.
    pub credentials: Vec<Derivation>,
    /// There were credentials, but the password was lost, so there is a new one.
    pub lost: bool,
}

impl ScramState {
    /// Reads what is on disk; what is missing or has other iterations is still to be derived. `None` for members
    /// without SCRAM.
    pub fn load(
        out: &OutDir,
        member: Member<'_>,
        policy: &ValidatedPolicy,
    ) -> Result<Option<Self>, BootstrapError> {
        if member.scram(policy).0.is_empty() {
            return Ok(None);
        }
        let name = member.name();
        let path = out.identity(name).join(CREDENTIALS);
        let kept = match read_plain(&path)?.map(Zeroizing::new) {
            Some(bytes) => scram::parse_file(&String::from_utf8_lossy(&bytes))
                .map_err(|e| BootstrapError::damaged(&path, e))?,
            None => Vec::new(),
        };
        Ok(Some(match read_secret(out, name, PASSWORD)? {
            Some(password) => Self::new(member, policy, password, &kept),
            // Without the password, the client cannot use what was derived from it.
            None => {
                let password = match read_secret(out, name, NEXT)? {
                    Some(next) => next,
                    None => random::password()?,
                };
                Self {
                    lost: !kept.is_empty(),
                    ..Self::new(member, policy, password, &[])
                }
            }
        }))
    }

    /// A member's credentials for a password: existing ones that fit, else new ones.
    pub fn new(
        member: Member<'_>,
        policy: &ValidatedPolicy,
        password: Secret,
        kept: &[Credential],
    ) -> Self {
        let (mechanisms, iterations) = member.scram(policy);
        let credentials = mechanisms.into_iter().map(|mechanism| {
            let info = ScramInfo {
                user: member.name().to_string(),
                mechanism,
                iterations,
            };
            let same = |c: &&Credential| {
                (&c.user, c.mechanism, c.iterations) == (&info.user, mechanism, iterations)
            };
            match kept.iter().find(same) {
                Some(credential) => Derivation::Done(credential.clone()),
                None => Derivation::ToCome(info),
            }
        });
        Self {
            credentials: credentials.collect(),
            password,
            lost: false,
        }
    }

    /// Whether some of the credentials are new, so that no cluster can have them yet.
    pub fn is_new(&self) -> bool {
        let mut all = self.credentials.iter();
        all.any(|c| matches!(c, Derivation::ToCome(_)))
    }

    /// The same, with all credentials derived.
    pub fn derive(&self) -> Result<Self, BootstrapError> {
        let derive = |credential: &Derivation| {
            Ok(Derivation::Done(match credential {
                Derivation::Done(credential) => credential.clone(),
                Derivation::ToCome(info) => {
                    let salt = random::octets::<SALT_LEN>()?;
                    let password = &self.password;
                    Credential::derive(
                        &info.user,
                        password,
                        info.mechanism,
                        info.iterations,
                        &salt,
                    )?
                }
            }))
        };
        let credentials = self.credentials.iter().map(derive);
        Ok(Self {
            password: self.password.clone(),
            credentials: credentials.collect::<Result<_, BootstrapError>>()?,
            lost: self.lost,
        })
    }

    /// The credentials that are derived.
    pub fn derived(&self) -> impl Iterator<Item = &Credential> {
        self.credentials.iter().filter_map(|c| match c {
            Derivation::Done(credential) => Some(credential),
            Derivation::ToCome(_) => None,
        })
    }

    /// The file with what is derived.
    pub(super) fn credentials_file(&self) -> FileSpec {
        let text = scram::write_file(self.derived());
        FileSpec::secret(CREDENTIALS, text.expose().as_bytes())
    }

    /// The files that contain it. A cluster that has the lost password must be sent the new one.
    pub(super) fn files(&self) -> Vec<Planned> {
        let password = |file| Planned::Known(FileSpec::password(file, &self.password));
        let credentials = match self.is_new() {
            true => Planned::to_come(CREDENTIALS, ToCome::Scram),
            false => Planned::Known(self.credentials_file()),
        };
        let mut files = vec![password(PASSWORD), credentials];
        files.extend(self.lost.then(|| password(NEXT)));
        files
    }
}
