//! Who Kafka takes the policy's brokers and clients to be.

use std::{collections::BTreeSet, sync::LazyLock};

use super::{Auth, Broker, Client, ValidatedPolicy};
use crate::{
    acl::{EVERYONE, Principal, PrincipalPattern},
    pki::{IdentityName, principal::MappingRules},
};

/// `principal_mapping_rules` of a policy that says none: a TLS client and a SCRAM user of one name are one principal.
#[expect(clippy::expect_used, reason = "a test reads this constant")]
pub static DEFAULT_MAPPING_RULES: LazyLock<MappingRules> = LazyLock::new(|| {
    MappingRules::parse(&["RULE:^CN=([^,]+).*$/$1/", "DEFAULT"]).expect("the rules are constants")
});

/// The cluster's mapping rules, applied to names of identities.
#[derive(Clone, Copy)]
pub(super) struct Principals<'a>(pub(super) &'a MappingRules);

impl Principals<'_> {
    /// The principal of a certificate of this name; `None` where no rule takes it, and a broker refuses it.
    pub(super) fn by_certificate(&self, name: &IdentityName) -> Option<Principal> {
        // A leaf's subject is its CN alone, and no character of a name is escaped in one.
        let mapped = self.0.apply(&format!("CN={name}")).ok()?;
        Some(Principal::user(mapped.name))
    }

    /// The principal of a client that authenticates in this way.
    pub(super) fn of(&self, name: &IdentityName, auth: Auth) -> Option<Principal> {
        match auth {
            Auth::Tls => self.by_certificate(name),
            Auth::Scram(_) => Some(Principal::user(name)),
            Auth::None => None,
        }
    }

    /// Every principal that a client can be, each once.
    pub(super) fn all(&self, client: &Client) -> Vec<Principal> {
        let mut all = Vec::new();
        for auth in &client.auth {
            let principal = self.of(&client.name, *auth);
            all.extend(principal.filter(|p| !all.contains(p)));
        }
        all
    }

    /// Every principal that a broker can be: by its certificate, and by its name where brokers log in to each other.
    pub(super) fn broker(&self, name: &IdentityName, logs_in: bool) -> Vec<Principal> {
        let by_name = logs_in.then(|| Principal::user(name));
        let mut all: Vec<Principal> = self.by_certificate(name).into_iter().collect();
        all.extend(by_name.filter(|p| !all.contains(p)));
        all
    }
}

impl ValidatedPolicy {
    pub(super) fn mapping(&self) -> Principals<'_> {
        Principals(&self.cluster.principal_mapping_rules)
    }

    /// The whole principals that a client can be, by certificate as the mapping rules name it, by SCRAM as it is named.
    /// Mostly one; none where it does not authenticate.
    pub fn principals(&self, client: &Client) -> Vec<Principal> {
        self.mapping().all(client)
    }

    /// The principal of whoever has a certificate of this name.
    pub fn principal_of(&self, name: &IdentityName) -> Option<Principal> {
        self.mapping().by_certificate(name)
    }

    /// True where there is a client of that name.
    pub fn has_client(&self, name: &str) -> bool {
        self.clients
            .iter()
            .any(|client| client.name.as_str() == name)
    }

    /// The whole principal of a broker by its certificate.
    pub fn broker_principal(&self, broker: &Broker) -> Option<Principal> {
        self.mapping().by_certificate(&broker.name)
    }

    /// `super.users`: the brokers (which are the controllers too), the admin, and those that the policy names; by
    /// certificate as the mapping rules name them, by SCRAM as they are.
    pub fn super_users(&self) -> Vec<Principal> {
        let principals = self.mapping();
        let logs_in = self.cluster.brokers_log_in();
        // Those by certificate first, as files that were written have them.
        let mut users: Vec<Principal> = self
            .brokers
            .iter()
            .filter_map(|broker| principals.by_certificate(&broker.name))
            .collect();
        let brokers = self.brokers.iter();
        users.extend(brokers.flat_map(|broker| principals.broker(&broker.name, logs_in)));
        for client in &self.clients {
            if self.cluster.admin.as_ref() == Some(&client.name) {
                users.extend(principals.all(client));
            }
        }
        users.extend(self.cluster.super_users.iter().cloned());
        let mut seen = BTreeSet::new();
        users.retain(|user| seen.insert(user.clone()));
        users
    }

    /// The principals whose ACLs `--prune` may delete: those under `manage`, else the clients, which the policy declares
    /// or lets its scopes declare, and the principals under its own `acls`. Everyone is meant only where `manage` says so,
    /// and nobody because an included file grants him something.
    pub fn managed(&self) -> Vec<PrincipalPattern> {
        if let Some(managed) = &self.manage {
            return managed.clone();
        }
        let mapping = self.mapping();
        let clients = self.clients.iter().flat_map(|client| mapping.all(client));
        let own = self.acls.iter().filter(|acl| acl.own);
        let named = own.map(|acl| acl.principal.clone());
        let mut managed: Vec<PrincipalPattern> = clients
            .chain(named.filter(|principal| *principal != EVERYONE))
            .map(PrincipalPattern::Exact)
            .collect();
        managed.sort();
        managed.dedup();
        managed
    }
}
