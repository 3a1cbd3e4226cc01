//! Checks whether existing users of a cluster have the passwords that kpki knows.
//!
//! A cluster never shows a password, and a password on disk proves nothing, because kpki makes one for every name in a
//! policy. But the right password lets kpki log in.

use std::collections::BTreeSet;

use super::Connected;
use crate::{
    admin::{Admin, AdminError, ClientProperties, properties::Sasl},
    config::route,
    plan::Stranger,
    policy::{Auth, ValidatedPolicy},
    scram::{Mechanism, ScramInfo},
    secret::Secret,
};

/// Of these users of the cluster, those that kpki cannot log in as with the password on this disk.
pub(super) fn strangers<E>(
    connected: &Connected,
    policy: &ValidatedPolicy,
    password: &dyn Fn(&str) -> Result<Option<Secret>, E>,
    users: &BTreeSet<String>,
    observed: &[ScramInfo],
) -> Result<Vec<(String, Stranger)>, E> {
    let mut strangers = Vec::new();
    // Do not wait for an unresponsive listener once per user.
    let mut silent = BTreeSet::new();
    for user in users {
        let mut stranger = Some(Stranger::Untried);
        if let Some(password) = password(user)? {
            for info in observed.iter().filter(|i| i.user == *user) {
                let login = Sasl {
                    mechanism: info.mechanism.name().to_owned(),
                    user: user.clone(),
                    password: password.clone(),
                };
                match log_in(connected, policy, &login, info.mechanism, &mut silent) {
                    None => stranger = None,
                    Some(Stranger::Refused) if stranger.is_some() => {
                        stranger = Some(Stranger::Refused);
                    }
                    Some(_) => {}
                }
            }
        }
        strangers.extend(stranger.map(|stranger| (user.clone(), stranger)));
    }
    Ok(strangers)
}

/// Tries to log in to this cluster, through every suitable listener. `None` if that succeeds.
fn log_in(
    connected: &Connected,
    policy: &ValidatedPolicy,
    login: &Sasl,
    mechanism: Mechanism,
    silent: &mut BTreeSet<String>,
) -> Option<Stranger> {
    // kpki's own connection, if it uses a password, and the listener in the policy.
    let own = connected.properties.sasl.is_some();
    let own = own.then(|| connected.properties.clone());
    let mut outcome = Stranger::Untried;
    for mut properties in own
        .into_iter()
        .chain(said(connected, policy, login, mechanism))
    {
        if silent.contains(&properties.bootstrap_servers) {
            continue;
        }
        properties.sasl = Some(login.clone());
        match Admin::connect(&properties) {
            // A login elsewhere says nothing about this cluster.
            Ok(admin) => {
                let id = admin.cluster_id();
                if id.is_some() && id == connected.admin.cluster_id() {
                    return None;
                }
            }
            Err(AdminError::Authentication { .. }) => outcome = Stranger::Refused,
            Err(_) => drop(silent.insert(properties.bootstrap_servers)),
        }
    }
    Some(outcome)
}

/// The connection settings of the policy's users of this mechanism.
fn said(
    connected: &Connected,
    policy: &ValidatedPolicy,
    login: &Sasl,
    mechanism: Mechanism,
) -> Option<ClientProperties> {
    let name = login.user.parse().ok()?;
    let auth = Auth::Scram(mechanism);
    // The connection has the certificate of kpki's own, if that has one.
    let own = connected.properties.tls.as_ref();
    let certificate = own.is_some_and(|tls| tls.identity.is_some());
    let route = route(&policy.cluster, &policy.brokers, &name, auth, certificate).ok()?;
    let tls = match route.protocol.is_tls() {
        true => Some(connected.properties.tls.clone()?),
        false => None,
    };
    Some(ClientProperties {
        bootstrap_servers: route.bootstrap_servers()?,
        tls,
        sasl: None,
        notes: Vec::new(),
    })
}
