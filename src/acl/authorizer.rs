//! The decision that Kafka's own authorizer takes (`org.apache.kafka.metadata.authorizer.StandardAuthorizerData`,
//! 4.3.1), with the binding that it names in `kafka-authorizer.log`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{
    EVERYONE, KafkaVersion, NotAPrincipal, Operation, PatternType, Permission, Principal,
    RawBinding, ResourceType, host,
    index::{Index, Row, RowsOfClient},
};

/// The name that stands for every resource in a literal binding.
const WILDCARD: &str = "*";

/// What the broker's configuration says about authorization.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `super.users`: principals that may do everything, whatever the bindings say.
    pub super_users: HashSet<Principal>,
    /// `allow.everyone.if.no.acl.found`: whether a resource without any binding is open to all.
    pub allow_everyone_if_no_acl_found: bool,
    /// The broker's version.
    pub version: KafkaVersion,
}

/// Reads a `super.users` value: principals separated by semicolons, blanks around them ignored.
///
/// # Errors
/// A broker does not start with a super user that is not of the form `Type:name`.
pub fn super_users(value: &str) -> Result<HashSet<Principal>, NotAPrincipal> {
    let users = value.split(';').map(|u| u.trim_matches(|c| c <= ' '));
    users
        .filter(|user| !user.is_empty())
        .map(str::parse)
        .collect()
}

/// Who wants to do what; a line of `acl explain --requests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `User:alice`.
    pub principal: String,
    /// The client's address. From [`Request::ELSEWHERE`] where no binding should match by host.
    pub host: String,
    /// What it wants to do.
    pub operation: Operation,
    /// To what kind of thing.
    pub resource_type: ResourceType,
    /// To which.
    pub name: String,
}

impl Request {
    /// An address that no client has, so that no binding for a single address matches it.
    pub const ELSEWHERE: &str = "0.0.0.0";
}

/// A request that no client can make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Principals have the form `Type:name`.
    #[error(transparent)]
    NotAPrincipal(#[from] NotAPrincipal),
    /// The wildcard is for bindings; the broker throws when a client has that name.
    #[error("`{EVERYONE}` stands for everyone in bindings and is not the principal of a client")]
    WildcardPrincipal,
    /// Clients connect from addresses.
    #[error("host `{0}` is not an IP address")]
    NotAnAddress(String),
}

/// Why a request is allowed or denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The principal is a super user.
    SuperUser,
    /// A DENY binding matches.
    Deny,
    /// An ALLOW binding matches, and no DENY.
    Allow,
    /// There is no binding on the resource, so `allow.everyone.if.no.acl.found` decides.
    NoAcl,
    /// There are bindings on the resource, and none matches.
    NoMatch,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The binding that decided, by its place in what the authorizer was made from: of several the one that Kafka
    /// logs, which is the most specific DENY or the least specific ALLOW.
    pub binding: Option<usize>,
}

/// Bindings ready for decisions. Works on what a cluster stores, valid or not, as Kafka does.
#[derive(Debug)]
pub struct Authorizer<'a> {
    bindings: Vec<&'a RawBinding>,
    index: Index<'a>,
    settings: Settings,
}

impl<'a> Authorizer<'a> {
    /// Arranges the bindings. Of equal ones the first is named in decisions.
    pub fn new(
        bindings: impl IntoIterator<Item = &'a RawBinding>,
        settings: Settings,
    ) -> Authorizer<'a> {
        let bindings: Vec<_> = bindings.into_iter().collect();
        let ranges = settings.version >= KafkaVersion::HOST_RANGES;
        Authorizer {
            index: Index::new(&bindings, ranges),
            bindings,
            settings,
        }
    }

    /// The binding at a place that a [`Decision`] names.
    pub fn binding(&self, place: usize) -> Option<&'a RawBinding> {
        self.bindings.get(place).copied()
    }

    /// Decides as a broker with these bindings and settings does.
    ///
    /// # Errors
    /// A request that no client can make.
    pub fn decide(&self, request: &Request) -> Result<Decision, RequestError> {
        let client = self.client(&request.principal, &request.host)?;
        Ok(client.map_or(BY_SUPER_USER, |client| {
            self.search(
                &client,
                request.operation,
                request.resource_type,
                &request.name,
            )
        }))
    }

    /// Whether the client may do this to at least one resource of the type, as the broker asks before it hands out a
    /// producer id (`Authorizer.authorizeByResourceType`, which StandardAuthorizer does not override).
    ///
    /// # Errors
    /// A request that no client can make.
    pub fn decide_by_resource_type(
        &self,
        principal: &str,
        host: &str,
        operation: Operation,
        resource_type: ResourceType,
    ) -> Result<bool, RequestError> {
        let Some(client) = self.client(principal, host)? else {
            return Ok(true);
        };
        // Kafka first asks for a resource of this name, whatever the bindings are about.
        let probe = self.search(&client, operation, resource_type, "hardcode");
        Ok(probe.allowed || self.any_grant(&client, operation, resource_type))
    }

    /// Whether some ALLOW is neither met by an equal literal DENY nor inside a DENY on a prefix. Implied operations
    /// do not count here.
    fn any_grant(
        &self,
        client: &RowsOfClient<'_>,
        operation: Operation,
        resource_type: ResourceType,
    ) -> bool {
        let mut denied = HashSet::new();
        let mut allowed = Vec::new();
        for (kind, text, rows) in self.index.patterns(resource_type) {
            let mut grants = false;
            for row in client.rows(rows).filter(|r| r.names(operation)) {
                match row.permission {
                    Permission::Allow => grants = true,
                    Permission::Deny => {
                        denied.insert((kind, text));
                    }
                }
            }
            if grants {
                allowed.push((kind, text));
            }
        }
        if denied.contains(&(PatternType::Literal, WILDCARD)) {
            return false;
        }
        allowed.iter().any(|&(kind, text)| {
            if kind == PatternType::Literal && text == WILDCARD {
                return true;
            }
            let met = kind == PatternType::Literal && denied.contains(&(kind, text));
            let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
            let mut begins = ends.map(|end| (PatternType::Prefixed, &text[..end]));
            !met && !begins.any(|beginning| denied.contains(&beginning))
        })
    }

    /// The request's client, or None where it is a super user's.
    fn client(
        &self,
        principal: &str,
        host: &str,
    ) -> Result<Option<RowsOfClient<'_>>, RequestError> {
        if !principal.contains(':') {
            return Err(NotAPrincipal(principal.to_owned()).into());
        }
        let address = host::client_address(host)
            .ok_or_else(|| RequestError::NotAnAddress(host.to_owned()))?;
        if self.settings.super_users.contains(principal) {
            return Ok(None);
        }
        if principal == EVERYONE {
            return Err(RequestError::WildcardPrincipal);
        }
        Ok(Some(self.index.client(principal, &address)))
    }

    /// Goes through the bindings on the resource in Kafka's order.
    fn search(
        &self,
        client: &RowsOfClient<'_>,
        operation: Operation,
        resource_type: ResourceType,
        name: &str,
    ) -> Decision {
        // A literal `*` does not cover names that begin with an asterisk: Kafka takes it for a literal name that is
        // the beginning of theirs. The resource `*` itself is found by its name.
        let wildcard = match name.starts_with(WILDCARD) {
            true => &[][..],
            false => self.index.literal(resource_type, WILDCARD),
        };
        let sections = std::iter::once(self.index.literal(resource_type, name))
            .chain(self.index.prefixes(resource_type, name))
            .chain(std::iter::once(wildcard));
        let mut seen = false;
        let mut allow: Option<&Row> = None;
        for section in sections {
            seen |= !section.is_empty();
            let matching = |permission| {
                let of_client = client.rows(section);
                of_client.filter(move |r| r.permission == permission && r.matches(operation))
            };
            let first = matching(Permission::Deny).min_by(|a, b| self.order(a, b));
            if let Some(deny) = first {
                return Decision {
                    allowed: false,
                    reason: Reason::Deny,
                    binding: Some(deny.binding as usize),
                };
            }
            let last = matching(Permission::Allow)
                .max_by(|a, b| self.order(a, b).then(b.binding.cmp(&a.binding)));
            allow = last.or(allow);
        }
        let (allowed, reason) = match (allow, seen) {
            (Some(_), _) => (true, Reason::Allow),
            (None, true) => (false, Reason::NoMatch),
            (None, false) => (self.settings.allow_everyone_if_no_acl_found, Reason::NoAcl),
        };
        Decision {
            allowed,
            reason,
            binding: allow.map(|row| row.binding as usize),
        }
    }

    /// The order of two bindings on one resource pattern in Kafka's set (`StandardAcl.compareTo`).
    fn order(&self, a: &Row, b: &Row) -> std::cmp::Ordering {
        let key = |row: &Row| {
            let binding = self.bindings[row.binding as usize];
            (binding.operation, &binding.principal, &binding.host)
        };
        key(a).cmp(&key(b))
    }
}

/// The decision that looks at no binding.
const BY_SUPER_USER: Decision = Decision {
    allowed: true,
    reason: Reason::SuperUser,
    binding: None,
};

#[cfg(test)]
mod tests;
