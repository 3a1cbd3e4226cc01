//! Who decides in `kpki acl explain`, and what is asked.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    super::{Failure, policy},
    bindings::{self, Bindings, Brokers},
    export, test,
};
use crate::{
    acl::{Authorizer, Decision, KafkaVersion, RawBinding, Reason, Request, RequestError},
    document::Source,
    policy::ValidatedPolicy,
};

/// A decision, and what it rests on, as JSON.
#[derive(Debug, Serialize)]
pub struct Explanation<'a> {
    decision: &'static str,
    reason: Reason,
    /// The binding that decided.
    pub acl: Option<&'a RawBinding>,
    /// Where it is defined.
    pub source: Option<String>,
}

/// Where the bindings are defined.
enum Sources<'a> {
    Policy(&'a ValidatedPolicy),
    Export(&'a bindings::Exported),
    /// In a cluster; with the policy's bindings for comparison.
    Live(HashMap<&'a RawBinding, &'a Source>),
}

/// The authorizer, and where its bindings come from.
pub struct Decider<'a> {
    pub authorizer: Authorizer<'a>,
    pub version: KafkaVersion,
    sources: Sources<'a>,
    /// The policy that a hint is for, if any.
    pub policy: Option<&'a ValidatedPolicy>,
}

impl<'a> Decider<'a> {
    /// Decides from a policy or an export.
    pub fn written(bindings: &'a Bindings, brokers: &Brokers) -> Result<Decider<'a>, Failure> {
        let settings = brokers.settings(match bindings {
            Bindings::Policy(read) => Some(read),
            Bindings::Export(_) => None,
        })?;
        let version = settings.version;
        Ok(match bindings {
            Bindings::Policy(read) => Decider {
                authorizer: Authorizer::new(read.policy.raw_bindings(), settings),
                version,
                sources: Sources::Policy(&read.policy),
                policy: Some(&read.policy),
            },
            Bindings::Export(export) => Decider {
                authorizer: Authorizer::new(&export.bindings, settings),
                version,
                sources: Sources::Export(export),
                policy: None,
            },
        })
    }

    /// Decides from the ACLs of a cluster.
    pub fn live(
        found: &'a export::Found,
        read: Option<&'a policy::ReadPolicy>,
        brokers: &Brokers,
    ) -> Result<Decider<'a>, Failure> {
        let said = read.iter().flat_map(|read| &read.policy.bindings);
        let settings = brokers.settings(read)?;
        Ok(Decider {
            version: settings.version,
            authorizer: Authorizer::new(&found.bindings, settings),
            sources: Sources::Live(said.map(|s| (s.binding.as_raw(), &s.source)).collect()),
            policy: read.map(|read| &read.policy),
        })
    }

    pub fn is_live(&self) -> bool {
        matches!(self.sources, Sources::Live(_))
    }

    fn source(&self, at: usize) -> Option<Source> {
        match &self.sources {
            Sources::Policy(policy) => Some(policy.bindings.get(at)?.source.clone()),
            Sources::Export(export) => Some(export.source(at)),
            Sources::Live(said) => Some((*said.get(self.authorizer.binding(at)?)?).clone()),
        }
    }

    /// A decision and the binding that it is based on.
    pub fn answer(&self, decision: &Decision) -> Explanation<'_> {
        Explanation {
            decision: test::word(decision.allowed),
            reason: decision.reason,
            acl: decision.binding.and_then(|at| self.authorizer.binding(at)),
            source: decision
                .binding
                .and_then(|at| Some(self.source(at)?.to_string())),
        }
    }
}

/// A question about one resource, or about any of its type.
pub struct Question {
    /// The request; its name is [`ANY_NAME`] if any resource would do.
    pub request: Request,
    /// Whether any resource of the type would do.
    pub any: bool,
}

/// The resource that Kafka itself asks for first when any would do (`Authorizer.authorizeByResourceType`).
pub const ANY_NAME: &str = "hardcode";

impl Question {
    pub fn ask(&self, authorizer: &Authorizer<'_>) -> Result<Decision, RequestError> {
        let decision = authorizer.decide(&self.request)?;
        if !self.any {
            return Ok(decision);
        }
        let Request {
            principal,
            host,
            operation,
            resource_type,
            ..
        } = &self.request;
        let allowed =
            authorizer.decide_by_resource_type(principal, host, *operation, *resource_type)?;
        Ok(match (allowed, decision.reason) {
            // Decided by the rules that apply to every resource.
            (true, _) if decision.allowed => decision,
            (false, Reason::Deny) => decision,
            _ => Decision {
                allowed,
                reason: match allowed {
                    true => Reason::Allow,
                    false => Reason::NoMatch,
                },
                binding: None,
            },
        })
    }

    /// The question in words.
    pub fn text(&self) -> String {
        match self.any {
            false => test::asked(&self.request),
            true => format!(
                "{} {} on at least one {}",
                self.request.principal, self.request.operation, self.request.resource_type
            ),
        }
    }

    /// The reason in words, where no binding decided.
    pub fn reason(&self, decision: &Decision) -> &'static str {
        match (self.any, decision.reason) {
            (true, Reason::Allow) => "ACLs allow it for some, and no ACL denies all of those",
            (true, Reason::NoMatch) => "no ACL allows it for any, or others deny all of those",
            _ => test::reason(decision.reason, decision.allowed),
        }
    }
}
