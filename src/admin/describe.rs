//! Reading a cluster's ACL bindings.

use std::collections::BTreeSet;

use super::{
    answers::EMPTY_ANSWER,
    client::{ALTER, Admin, Batch, DESCRIBE, NEEDS_DESCRIBE, Repeat, RequestFailure},
    codes,
    error::AdminError,
    parts::{Answer, Described, read, too_many},
    raw::AnyBinding,
    subprocess,
};
use crate::acl::{AclBindingFilter, Operation, PatternType, Permission, RawBinding, ResourceType};

const READ: &str = "reading ACLs";

/// Whether an authorizer's class is part of Kafka.
pub fn is_kafkas_authorizer(class: &str) -> bool {
    let name = class.rsplit('.').next().unwrap_or(class);
    ["StandardAuthorizer", "AclAuthorizer", "SimpleAclAuthorizer"].contains(&name)
}

impl Admin {
    /// The bindings that match. If there are too many for one answer, even in a separate process, the request is split
    /// by pattern type, permission, operation and resource type, and then by each known principal.
    ///
    /// # Errors
    /// Anything that makes the answer incomplete, except for what [`Described`] reports itself; never an empty list.
    pub fn describe_acls(&mut self, filter: &AclBindingFilter) -> Result<Described, AdminError> {
        self.describe_acls_of(filter, &BTreeSet::new())
    }

    /// The same, with principals that may have bindings: theirs are always read completely.
    ///
    /// # Errors
    /// As [`Admin::describe_acls`].
    pub fn describe_acls_of(
        &mut self,
        filter: &AclBindingFilter,
        principals: &BTreeSet<String>,
    ) -> Result<Described, AdminError> {
        let described = read(filter, principals, &mut |part| self.describe_part(part))?;
        let nothing = described.bindings.is_empty() && described.unreadable == 0;
        if nothing && *filter == AclBindingFilter::default() && self.has_another_authorizer() {
            // An exception in an authorizer (Ranger's and OPA's list no ACLs) is an error without a message
            // (`ApiError.fromThrowable`), whose answer is as long as an empty one.
            match self.delete_nothing() {
                Ok(()) => {}
                Err(error) if error.leaves_open() => return Err(error),
                Err(_) => return Err(AdminError::Hidden(READ)),
            }
        }
        Ok(described)
    }

    /// Whether the brokers report an authorizer that is not part of Kafka.
    fn has_another_authorizer(&mut self) -> bool {
        let settings = self.describe_some_broker();
        let settings = settings.unwrap_or_default();
        let class = settings.iter().find(|s| s.name == "authorizer.class.name");
        let class = class.and_then(|s| s.value.as_deref()).unwrap_or_default();
        !class.is_empty() && !is_kafkas_authorizer(class)
    }

    /// Deletes an ACL that cannot exist, to get the error message: topic names cannot contain spaces.
    fn delete_nothing(&mut self) -> Result<(), AdminError> {
        let nothing = AclBindingFilter {
            resource_type: Some(ResourceType::Topic),
            pattern_type: Some(PatternType::Literal),
            name: Some("kpki asks whether there is an authorizer".into()),
            principal: Some("User:kpki".into()),
            host: Some("*".into()),
            operation: Some(Operation::Read),
            permission: Some(Permission::Deny),
        };
        let results = self.delete_acls(&[nothing], &mut Batch::default())?;
        match results.iter().all(Result::is_ok) {
            true => Ok(()),
            false => Err(AdminError::Hidden(READ)),
        }
    }

    /// How many bindings of a cluster look like this one, which librdkafka cannot represent: unsupported words are
    /// compared as unknown.
    ///
    /// # Errors
    /// As [`Admin::describe_acls`].
    pub fn count_alike(&mut self, binding: &RawBinding) -> Result<usize, AdminError> {
        let filter = AclBindingFilter {
            resource_type: None,
            operation: None,
            ..AclBindingFilter::from(binding)
        };
        let alike = |found: &&AnyBinding| codes::looks_like(found, binding);
        match self.describe_part(&filter)? {
            Some(found) => Ok(found.bindings.iter().filter(alike).count()),
            None => Err(too_many(&filter)),
        }
    }

    /// One request; `None`: the answer is too large.
    fn describe_part(&mut self, part: &AclBindingFilter) -> Answer {
        let pattern =
            codes::filter(part).map_err(|word| AdminError::Unsupported(READ, word.to_owned()))?;
        let answer = self.run(Repeat::Safe, |handle, wait| {
            handle.describe_acls(&pattern, wait)
        });
        match answer {
            Err(RequestFailure::TooLarge) => {
                subprocess::describe_acls(&self.settings, &pattern, self.timeout)
                    .transpose()
                    .map_err(|error| self.failed(READ, error))
            }
            Err(RequestFailure::Error(error)) => Err(self.failed(READ, error)),
            Err(RequestFailure::Client(error)) => Err(error),
            // librdkafka drops the broker's error and returns an empty list (rd_kafka_DescribeAclsResponse_parse), but
            // the error message makes the answer longer than an empty one.
            Ok(listed) if listed.bindings.is_empty() && listed.bytes != EMPTY_ANSWER => {
                Err(self.hidden())
            }
            Ok(listed) => Ok(Some(listed)),
        }
    }

    /// Why a broker refused to describe ACLs, determined with other requests.
    fn hidden(&mut self) -> AdminError {
        let may = match self.cluster_operations(READ) {
            Ok(operations) => operations,
            Err(error) => return error,
        };
        let has = |operation| may.as_ref().is_none_or(|may| may.contains(&operation));
        if has(ALTER) {
            // That request returns errors.
            if let Err(AdminError::SecurityDisabled(_)) = self.delete_nothing() {
                return AdminError::SecurityDisabled(READ);
            }
        }
        // Brokers that are too old to report rights have hardly any other reason.
        match may.is_some() && has(DESCRIBE) {
            true => AdminError::Hidden(READ),
            false => AdminError::NotAuthorized(READ, NEEDS_DESCRIBE.to_owned()),
        }
    }
}
