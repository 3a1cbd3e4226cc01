//! How kpki itself connects to a policy's cluster: as the admin, with the files in the admin's directory.
//!
//! The `client.properties` in there is for the admin's own machine: its paths are those of `install_dir`, and its name
//! is the layout's. So the settings are made from the policy and the files beside it.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{
    BootstrapError, files,
    identity::{OnDisk, read_secret},
    member::PASSWORD,
};
use crate::{
    admin::{
        ClientProperties, ClientPropertiesError,
        properties::{Identity, Sasl, Tls},
    },
    config::{Properties, route},
    keystore::pem,
    pki::IdentityName,
    policy::{Auth, Client, LAYOUTS, ValidatedPolicy},
    state::{OutDir, Owners, read_plain},
};

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The policy names no admin.
    #[error("the policy names no admin in its cluster section")]
    NoAdmin,
    /// A required file, which `kpki up` writes.
    #[error("{} is missing, but kpki needs it to connect as the cluster's admin", .0.display())]
    Missing(PathBuf),
    /// The policy has no address.
    #[error("the policy has neither bootstrap_servers nor brokers")]
    NoServers,
    /// No client here has an admin's rights.
    #[error("no client in {} is a super user of the brokers", .0.display())]
    Nobody(PathBuf),
    /// More than one.
    #[error("several clients are super users of the brokers: {}", .0.join(", "))]
    Several(Vec<String>),
    /// The settings of the client that was found.
    #[error(transparent)]
    Properties(#[from] ClientPropertiesError),
    /// Files that cannot be used, or a policy without a listener for the admin.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

/// The settings of the policy's admin. `servers` overrides the policy's servers.
pub fn of_admin(
    policy: &ValidatedPolicy,
    out: &OutDir,
    servers: Option<&str>,
) -> Result<ClientProperties, ConnectionError> {
    let cluster = &policy.cluster;
    let is_admin = |c: &&Client| cluster.admin.as_ref() == Some(&c.name);
    let admin = policy.clients.iter().find(is_admin);
    // The first way is that of its client.properties.
    let (admin, auth) = admin
        .and_then(|admin| Some((admin, *admin.auth.first()?)))
        .ok_or(ConnectionError::NoAdmin)?;
    let certificate = admin.auth.contains(&Auth::Tls);
    let route = route(cluster, &policy.brokers, &admin.name, auth, certificate)
        .map_err(BootstrapError::Config)?;
    let said = Some(cluster.bootstrap_servers.join(",")).filter(|said| !said.is_empty());
    let bootstrap_servers = servers
        .map(str::to_owned)
        .or(said)
        .or(route.bootstrap_servers())
        .ok_or(ConnectionError::NoServers)?;

    let dir = out.identity(&admin.name);
    if !dir.exists() {
        return Err(ConnectionError::Missing(dir));
    }
    // Anyone who can write there decides which CA is trusted, and so who can impersonate the cluster.
    out.check().map_err(BootstrapError::State)?;
    let owners = Owners::read(out, cluster.owner).map_err(BootstrapError::State)?;
    out.check_identity(&admin.name, &owners)
        .map_err(BootstrapError::State)?;
    let sasl = match auth {
        Auth::Scram(mechanism) => {
            let password = read_secret(out, &admin.name, PASSWORD)?;
            Some(Sasl {
                mechanism: mechanism.name().to_owned(),
                user: admin.name.to_string(),
                password: password.ok_or_else(|| ConnectionError::Missing(dir.join(PASSWORD)))?,
            })
        }
        Auth::Tls | Auth::None => None,
    };
    let tls = match route.protocol.is_tls() {
        true => Some(tls(policy, out, admin, &dir, route.certificate)?),
        false => None,
    };
    Ok(ClientProperties {
        bootstrap_servers,
        tls,
        sasl,
        notes: Vec::new(),
    })
}

/// The settings of the one client here that is a super user of the brokers, if no policy names it.
///
/// # Errors
/// If there is none, or more than one, or its files cannot be used.
pub fn of_super_user(
    out: &OutDir,
    super_users: &[String],
    servers: Option<&str>,
) -> Result<ClientProperties, ConnectionError> {
    out.check().map_err(BootstrapError::State)?;
    let mut found = Vec::new();
    for name in out.identities().map_err(BootstrapError::State)? {
        let principals = [format!("User:{name}"), format!("User:CN={name}")];
        if super_users.iter().any(|user| principals.contains(user))
            && let Some(bytes) = client_properties(out, &name)?
        {
            found.push((name, bytes));
        }
    }
    let (name, bytes) = match found.len() {
        1 => found.remove(0),
        0 => return Err(ConnectionError::Nobody(out.root().to_owned())),
        _ => {
            let names = found.iter().map(|(name, _)| name.to_string());
            return Err(ConnectionError::Several(names.collect()));
        }
    };
    let owners = Owners::read(out, None).map_err(BootstrapError::State)?;
    out.check_identity(&name, &owners)
        .map_err(BootstrapError::State)?;
    let dir = out.identity(&name);
    let mut properties = Properties::parse(&bytes).map_err(|source| BootstrapError::Damaged {
        file: dir.display().to_string(),
        source: source.into(),
    })?;
    // They name the directory on the client's own machine.
    for setting in ["ssl.keystore.location", "ssl.truststore.location"] {
        let path = properties.get(setting).map(Path::new);
        let here = path.and_then(Path::file_name).map(|file| dir.join(file));
        if let Some(here) = here.filter(|here| here.exists()) {
            properties.set(setting, here.display().to_string());
        }
    }
    Ok(ClientProperties::new(&properties, servers)?)
}

/// A Java client's properties, in any layout.
pub(super) fn client_properties(
    out: &OutDir,
    name: &IdentityName,
) -> Result<Option<Zeroizing<Vec<u8>>>, BootstrapError> {
    for layout in LAYOUTS {
        let file = layout.files(name.as_str()).client_properties;
        if let Some(bytes) = read_plain(&out.identity(name).join(file))? {
            return Ok(Some(Zeroizing::new(bytes)));
        }
    }
    Ok(None)
}

fn tls(
    policy: &ValidatedPolicy,
    out: &OutDir,
    admin: &Client,
    dir: &Path,
    shows_certificate: bool,
) -> Result<Tls, ConnectionError> {
    let names = files::names(policy, &admin.name);
    let missing = |file: &str| ConnectionError::Missing(dir.join(file));
    let ca = read_plain(&dir.join(&names.ca)).map_err(BootstrapError::State)?;
    let ca = ca.ok_or_else(|| missing(&names.ca))?;
    let trusted = pem::parse_certificates(&ca)
        .map_err(|e| BootstrapError::damaged(&dir.join(&names.ca), e))?;
    let mut identity = None;
    if shows_certificate {
        let found = OnDisk::read(out, &admin.name, &names)?;
        let together = found.belongs_together();
        let key = found.key.ok_or_else(|| missing(&names.key))?;
        if found.chain.is_empty() {
            return Err(missing(&names.certificate));
        }
        if !together {
            let reason = "it does not match the certificate beside it";
            return Err(BootstrapError::damaged(&dir.join(&names.key), reason).into());
        }
        identity = Some(Identity {
            key_pkcs8: key.to_vec().into(),
            chain: found.chain,
        });
    }
    Ok(Tls {
        trusted,
        identity,
        check_host: true,
    })
}
