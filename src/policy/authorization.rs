//! What a broker with the policy's bindings would decide.

use std::collections::HashMap;

use super::{AclTest, ValidatedPolicy};
use crate::{
    acl::{
        Authorizer, Decision, KafkaVersion, RawBinding, Request, RequestError, ResourceType,
        Settings,
    },
    document::Source,
};

/// One request of an entry of `tests`, and what a broker would answer.
#[derive(Debug, Clone)]
pub struct TestOutcome<'p> {
    /// The entry.
    pub test: &'p AclTest,
    /// The request.
    pub request: Request,
    /// The answer.
    pub decision: Decision,
    /// The binding that decided.
    pub by: Option<&'p RawBinding>,
    /// Where the policy says it, if it does.
    pub source: Option<&'p Source>,
}

impl TestOutcome<'_> {
    /// True when the answer is the one that the test asks for.
    pub fn passed(&self) -> bool {
        self.decision.allowed == self.test.allowed
    }
}

impl ValidatedPolicy {
    /// The Kafka that the policy is for.
    pub fn version(&self) -> KafkaVersion {
        self.cluster.kafka_version
    }

    /// What a broker is told about authorization.
    pub fn settings(&self) -> Settings {
        Settings {
            super_users: self.super_users().into_iter().collect(),
            allow_everyone_if_no_acl_found: self.cluster.allow_everyone_if_no_acl_found,
            version: self.version(),
        }
    }

    /// The policy's bindings, ready for decisions: a [`Decision`] names them by their places in `bindings`.
    pub fn authorizer(&self) -> Authorizer<'_> {
        Authorizer::new(self.raw_bindings(), self.settings())
    }

    /// The policy's bindings as plain data, in their order.
    pub fn raw_bindings(&self) -> impl Iterator<Item = &RawBinding> {
        self.bindings.iter().map(|said| said.binding.as_raw())
    }

    /// Every request of the policy's tests, in their order, with the answer.
    ///
    /// # Errors
    /// A request that no client can make; validation leaves none.
    pub fn run_tests(&self) -> Result<Vec<TestOutcome<'_>>, RequestError> {
        self.run_tests_by(&self.authorizer(), |at| {
            let said = self.bindings.get(at)?;
            Some((said.binding.as_raw(), Some(&said.source)))
        })
    }

    /// The same, decided by the bindings that a cluster has and by its brokers' settings.
    ///
    /// # Errors
    /// As [`ValidatedPolicy::run_tests`].
    pub fn run_tests_against<'p>(
        &'p self,
        bindings: &'p [RawBinding],
        settings: Settings,
    ) -> Result<Vec<TestOutcome<'p>>, RequestError> {
        let said: HashMap<&RawBinding, &Source> = self
            .bindings
            .iter()
            .map(|said| (said.binding.as_raw(), &said.source))
            .collect();
        self.run_tests_by(&Authorizer::new(bindings, settings), |at| {
            let binding = bindings.get(at)?;
            Some((binding, said.get(binding).copied()))
        })
    }

    fn run_tests_by<'p>(
        &'p self,
        authorizer: &Authorizer<'_>,
        binding: impl Fn(usize) -> Option<(&'p RawBinding, Option<&'p Source>)>,
    ) -> Result<Vec<TestOutcome<'p>>, RequestError> {
        let mut outcomes = Vec::new();
        for test in &self.tests {
            for request in requests(test) {
                let decision = authorizer.decide(&request)?;
                let (by, source) = decision.binding.and_then(&binding).unzip();
                outcomes.push(TestOutcome {
                    test,
                    request,
                    decision,
                    by,
                    source: source.flatten(),
                });
            }
        }
        Ok(outcomes)
    }
}

fn requests(test: &AclTest) -> impl Iterator<Item = Request> {
    let resource_type: ResourceType = test.resource_type;
    test.names.iter().flat_map(move |name| {
        test.operations.iter().map(move |operation| Request {
            principal: test.principal.to_string(),
            host: test.host.clone(),
            operation: *operation,
            resource_type,
            name: name.clone(),
        })
    })
}
