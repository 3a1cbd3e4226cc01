//! The principals that Kafka derives for the policy's brokers and clients.

use std::{collections::BTreeSet, sync::LazyLock};

use super::{Auth, Broker, Client, ValidatedPolicy};
use crate::{
    acl::{EVERYONE, Principal, PrincipalPattern},
    pki::{IdentityName, principal::MappingRules},
};

/// The default `principal_mapping_rules`: a TLS client and a SCRAM user with the same name have the same principal.
#[expect(clippy::expect_used, reason = "a test reads this constant")]
pub static DEFAULT_MAPPING_RULES: LazyLock<MappingRules> = LazyLock::new(|| {
    MappingRules::parse(&["RULE:^CN=([^,]+).*$/$1/", "DEFAULT"]).expect("the rules are constants")
});

/// Applies the cluster's mapping rules to names of identities.
#[derive(Clone, Copy)]
pub(super) struct Principals<'a>(pub(super) &'a MappingRules);

impl Principals<'_> {
    /// The principal for a certificate with this name; `None` if no rule matches, so that brokers refuse it.
    pub(super) fn by_certificate(&self, name: &IdentityName) -> Option<Principal> {
        // A leaf's subject is only `CN=<name>`, and names contain no character that must be escaped.
        let mapped = self.0.apply(&format!("CN={name}")).ok()?;
        Some(Principal::user(mapped.name))
    }

    /// The principal of a client with this authentication method.
    pub(super) fn of(&self, name: &IdentityName, auth: Auth) -> Option<Principal> {
        match auth {
            Auth::Tls => self.by_certificate(name),
            Auth::Scram(_) => Some(Principal::user(name)),
            Auth::None => None,
        }
    }

    /// All principals of a client, without duplicates.
    pub(super) fn all(&self, client: &Client) -> Vec<Principal> {
        let mut all = Vec::new();
        for auth in &client.auth {
            let principal = self.of(&client.name, *auth);
            all.extend(principal.filter(|p| !all.contains(p)));
        }
        all
    }

    /// All principals of a broker: by its certificate, and by its name if brokers use SASL among themselves.
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

    /// The principals of a client: by certificate from the mapping rules, by SCRAM from its name. Usually one; none if
    /// it does not authenticate.
    pub fn principals(&self, client: &Client) -> Vec<Principal> {
        self.mapping().all(client)
    }

    /// The principal for a certificate with this name.
    pub fn principal_of(&self, name: &IdentityName) -> Option<Principal> {
        self.mapping().by_certificate(name)
    }

    /// True if there is a client with this name.
    pub fn has_client(&self, name: &str) -> bool {
        self.clients
            .iter()
            .any(|client| client.name.as_str() == name)
    }

    /// The principal of a broker by its certificate.
    pub fn broker_principal(&self, broker: &Broker) -> Option<Principal> {
        self.mapping().by_certificate(&broker.name)
    }

    /// `super.users`: the brokers and controllers, the admin, and those that the policy lists; by certificate from the
    /// mapping rules, by SCRAM from the name.
    pub fn super_users(&self) -> Vec<Principal> {
        let principals = self.mapping();
        let logs_in = self.cluster.brokers_log_in();
        // Those by certificate first: the order in files that already exist.
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

    /// The principals whose ACLs `--prune` may delete: those in `manage`; by default the clients that the policy or its
    /// scopes declare, and the principals in its own `acls`. `User:*` is managed only if `manage` lists it, and a
    /// principal in an included file is not managed for that reason.
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
