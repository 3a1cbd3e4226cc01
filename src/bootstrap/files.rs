//! Every file of a member, as it should be in its directory.

use std::{collections::BTreeSet, path::PathBuf};

use zeroize::Zeroizing;

use super::{
    BootstrapError,
    member::{self, Derivation, Member, ScramState},
    nodes::Nodes,
    planned::{Planned, ToCome},
    trust::Truststores,
};
use crate::{
    acl::Principal,
    config::{
        ClientInput, Properties, STORAGE_ARGS, ServerInput, Stores, client_config,
        client_file_name, server_properties, storage_args,
    },
    keystore::StoreProfile,
    pki::IdentityName,
    policy::{Auth, ClientFormat, FileNames, LAYOUTS, Layout, Mode, ValidatedPolicy},
    scram::Mechanism,
    secret::Secret,
    state::{FileSpec, OutDir, read_plain},
};

/// What the files of all members have in common.
#[derive(Debug)]
pub struct ClusterFiles<'a> {
    /// The policy.
    pub policy: &'a ValidatedPolicy,
    /// The output directory, as an absolute path.
    pub root: PathBuf,
    /// What clients trust, PEM.
    pub ca_pem: String,
    /// The same as PKCS#12 in each profile, if it was encoded before.
    pub(super) truststores: Truststores,
    /// The truststore's password.
    pub truststore_password: &'a Secret,
    /// The credentials of all SCRAM users.
    pub credentials: Vec<Derivation>,
    /// Its brokers with their ids, and its own id.
    pub nodes: &'a Nodes,
    /// Full principals of the super users.
    pub super_users: Vec<Principal>,
}

/// The names of a member's files under the policy's layout.
pub fn names(policy: &ValidatedPolicy, name: &IdentityName) -> FileNames {
    policy.cluster.layout.files(name.as_str())
}

/// Everything but the keystore and its PEM equivalents: what depends only on the policy, the CA and the passwords, and
/// has the same bytes every time.
pub fn texts(
    cluster: &ClusterFiles<'_>,
    member: Member<'_>,
    profile: StoreProfile,
    keystore_password: Option<&Secret>,
    scram: Option<&ScramState>,
) -> Result<Vec<Planned>, BootstrapError> {
    let names = names(cluster.policy, member.name());
    let dir = cluster.machine_dir(member.name());
    let stores = Stores {
        dir: &dir,
        names: &names,
        keystore_password,
        truststore_password: cluster.truststore_password,
    };
    let mut files: Vec<Planned> = scram.iter().flat_map(|s| s.files()).collect();
    let mut known = Vec::new();
    if member.speaks_tls(cluster.policy) {
        files.push(match &cluster.truststores[profile as usize] {
            Some(store) => Planned::Known(FileSpec::secret(&names.truststore, store.clone())),
            None => Planned::to_come(&names.truststore, ToCome::Truststore),
        });
        known.push(FileSpec::public(&names.ca, cluster.ca_pem.as_bytes()));
        if let (Some(file), Some(password)) = (&names.key_password, keystore_password) {
            known.push(FileSpec::password(file, password));
        }
        if let Some(file) = &names.truststore_password {
            known.push(FileSpec::password(file, cluster.truststore_password));
        }
    }
    match member {
        Member::User(_) => {}
        Member::Broker(broker) => {
            let brokers = &cluster.nodes.brokers;
            let numbered = brokers.iter().find(|b| b.name == broker.name);
            let log_dir = cluster.log_dir(member.name());
            let input = ServerInput {
                cluster: &cluster.policy.cluster,
                brokers,
                broker: numbered.unwrap_or(broker),
                stores,
                log_dir: &log_dir,
                scram_password: scram.map(|s| &s.password),
                crl_url: cluster.policy.ca.crl_url.as_ref(),
                super_users: &cluster.super_users,
            };
            let text = server_properties(&input)?;
            let mut file = FileSpec::secret(&names.server_properties, text.expose().as_bytes());
            let settings = &cluster.policy.cluster;
            let (nodes, super_users) = (cluster.nodes, &cluster.super_users);
            let facts = nodes.facts(&file.bytes, broker, settings, super_users);
            file.node = facts.map(Box::new);
            known.push(file);
        }
        Member::Client(client) => {
            for (at, auth) in client.auth.iter().enumerate() {
                let input = ClientInput {
                    cluster: &cluster.policy.cluster,
                    brokers: &cluster.policy.brokers,
                    name: &client.name,
                    auth: *auth,
                    stores,
                    scram_password: scram.map(|s| &s.password),
                    properties: &client.properties,
                };
                for &format in &client.formats {
                    let name = client_file(client_file_name(format, &names), at, *auth);
                    let text = client_config(format, &input)?;
                    known.push(FileSpec::secret(name, text.expose().as_bytes()));
                }
            }
        }
    }
    files.extend(known.into_iter().map(Planned::Known));
    files.extend(storage(cluster, member, &cluster.credentials)?);
    Ok(files)
}

/// What a broker's disk is formatted with.
pub(super) fn storage(
    cluster: &ClusterFiles<'_>,
    member: Member<'_>,
    credentials: &[Derivation],
) -> Result<Option<Planned>, BootstrapError> {
    let Member::Broker(broker) = member else {
        return Ok(None);
    };
    if cluster.policy.cluster.mode != Mode::Kraft {
        return Ok(None);
    }
    // The controllers distribute them; a dedicated broker does not need anyone's salted password.
    let credentials = match broker.role.is_controller() {
        true => credentials,
        false => &[],
    };
    let dir = cluster.machine_dir(member.name());
    let file = names(cluster.policy, member.name()).server_properties;
    let config = format!("{}/{file}", dir.trim_end_matches('/'));
    let arguments = credentials.iter().map(Derivation::kraft_argument);
    let text = storage_args(&cluster.nodes.cluster_id, &config, arguments)?;
    let file = FileSpec::secret(STORAGE_ARGS, text.expose().as_bytes());
    let is_done = |c: &Derivation| matches!(c, Derivation::Done(_));
    Ok(Some(match credentials.iter().all(is_done) {
        true => Planned::Known(file),
        false => Planned::to_come(STORAGE_ARGS, ToCome::StorageArgs(file.bytes)),
    }))
}

/// Every name that a kpki file can have in an identity's directory, in any layout and policy.
pub fn known_names(name: &IdentityName) -> BTreeSet<String> {
    let mut known = BTreeSet::from(member::FILES.map(str::to_owned));
    known.insert(STORAGE_ARGS.to_owned());
    let scram = Mechanism::ALL.map(Auth::Scram);
    let auths: Vec<Auth> = scram.into_iter().chain([Auth::Tls, Auth::None]).collect();
    for names in LAYOUTS.iter().map(|l| l.files(name.as_str())) {
        for &format in ClientFormat::ALL {
            let plain = client_file_name(format, &names);
            known.extend(
                (0..2).flat_map(|at| auths.iter().map(move |auth| client_file(plain, at, *auth))),
            );
        }
        known.extend(names.all().map(str::to_owned));
    }
    known
}

/// The layouts that an identity has files of: those whose keystore and password are there; some share the keystore's name.
///
/// # Errors
/// As `is_there`.
pub fn used_layouts<E>(
    name: &IdentityName,
    is_there: impl Fn(&str) -> Result<bool, E>,
    is_recorded: impl Fn(&str) -> bool,
) -> Result<Vec<FileNames>, E> {
    let (mut used, mut others) = (Vec::new(), Vec::new());
    for names in LAYOUTS.iter().map(|l| l.files(name.as_str())) {
        if is_there(&names.keystore)?
            && (is_there(&names.password)? || is_recorded(&names.password))
        {
            used.push(names);
        } else if is_there(&names.keystore)?
            || is_recorded(&names.keystore) && is_recorded(&names.password)
            || is_recorded(&names.truststore)
        {
            others.push(names);
        }
    }
    if used.is_empty() {
        others.truncate(1);
        return Ok(others);
    }
    Ok(used)
}

/// The first authentication method gets the plain file name; each further one adds its own word.
fn client_file(plain: &str, at: usize, auth: Auth) -> String {
    match plain.rsplit_once('.') {
        Some((stem, extension)) if at > 0 => format!("{stem}-{auth}.{extension}"),
        _ => plain.to_owned(),
    }
}

/// Where identities' directories are mounted, if not where they were written.
pub fn install_dir(policy: &ValidatedPolicy) -> Option<&str> {
    let cluster = &policy.cluster;
    cluster
        .install_dir
        .as_deref()
        .or(cluster.layout.install_dir)
}

impl ClusterFiles<'_> {
    /// An identity's directory on its own machine.
    fn machine_dir(&self, name: &IdentityName) -> String {
        install_dir(self.policy)
            .map(str::to_owned)
            .unwrap_or_else(|| self.root.join(name.as_str()).display().to_string())
    }

    /// Where a broker keeps its log: the usual place if the files are installed elsewhere; beside the identities in the
    /// output directory if the broker runs here.
    fn log_dir(&self, name: &IdentityName) -> String {
        match &self.policy.cluster.log_dir {
            Some(dir) => dir.clone(),
            None if install_dir(self.policy).is_some() => "/var/lib/kafka/data".to_owned(),
            None => format!("{}/data/{name}", self.root.display()),
        }
    }
}

/// Whether a directory contains a key and a keystore, which need a record in the inventory. A key whose request was made
/// here may be certified elsewhere.
pub fn holds_key(out: &OutDir, name: &IdentityName) -> bool {
    let files = out.files(name);
    let has = |ends: &[&str]| {
        let mut files = files.iter();
        files.any(|file| ends.iter().any(|end| file.ends_with(end)))
    };
    has(&[".key"]) && has(&[".keystore.p12", ".keystore.jks"]) && !has(&[".csr"])
}

/// Whether a broker's files make it a dedicated controller, which accepts no clients.
pub fn is_controller_alone(out: &OutDir, name: &IdentityName) -> Result<bool, BootstrapError> {
    // The name is the same in every layout.
    let file = Layout::DEFAULT.files(name.as_str()).server_properties;
    let text = read_plain(&out.identity(name).join(file))?.map(Zeroizing::new);
    let settings = text.and_then(|text| Properties::parse(&text).ok());
    Ok(settings.is_some_and(|s| s.get("process.roles") == Some("controller")))
}
