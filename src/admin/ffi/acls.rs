//! The requests about ACL bindings.

use std::{ffi::CString, ptr};

use rdkafka::bindings::{self as rd, rd_kafka_admin_op_t as Operation};

use super::{
    super::{
        answers::{DeletedAcls, Listed},
        raw::{Answered, AnyBinding, BrokerError, Outcome, Pattern, Wait},
    },
    handle::Handle,
    integers as c,
    values::{Owned, c_string, list, outcome, pointers, text},
};

type Acl = rd::rd_kafka_AclBinding_t;

impl Handle {
    /// One result per binding, in order. All bindings must be expressible in librdkafka.
    pub fn create_acls(&self, bindings: &[Pattern<'_>], wait: Wait<'_>) -> Answered<Vec<Outcome>> {
        let owned = bindings.iter().map(|b| new(b, c::rd_kafka_AclBinding_new));
        let owned = owned.collect::<Result<Vec<_>, _>>()?;
        let mut acls = pointers(&owned);
        let kind = Operation::RD_KAFKA_ADMIN_OP_CREATEACLS;
        // SAFETY: live values; the bindings are copied.
        let answer = self.ask(kind, wait, |to| unsafe {
            let (first, count) = (acls.as_mut_ptr(), acls.len());
            rd::rd_kafka_CreateAcls(to.client, first, count, to.options, to.queue);
        })?;
        // SAFETY: the event is a CreateAcls result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_CreateAcls_result(answer.as_ptr());
            let results = list(result, rd::rd_kafka_CreateAcls_result_acls);
            let one = |result| outcome(rd::rd_kafka_acl_result_error(result));
            Ok(results.iter().map(|r| one(*r)).collect())
        }
    }

    /// Every binding that matches. librdkafka drops the broker's own error, so the caller must check the answer's
    /// length before it trusts an empty list.
    pub fn describe_acls(&self, filter: &Pattern<'_>, wait: Wait<'_>) -> Answered<Listed> {
        let filter = new(filter, c::rd_kafka_AclBindingFilter_new)?;
        let kind = Operation::RD_KAFKA_ADMIN_OP_DESCRIBEACLS;
        // SAFETY: live values; the filter is copied.
        let answer = self.ask(kind, wait, |to| unsafe {
            rd::rd_kafka_DescribeAcls(to.client, filter.as_ptr(), to.options, to.queue);
        })?;
        // SAFETY: the event is a DescribeAcls result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DescribeAcls_result(answer.as_ptr());
            let acls = list(result, rd::rd_kafka_DescribeAcls_result_acls);
            Ok(Listed {
                bindings: acls.iter().map(|acl| found(*acl)).collect(),
                bytes: self.answer_bytes(),
            })
        }
    }

    /// What each filter deleted, in order.
    pub fn delete_acls(&self, filters: &[Pattern<'_>], wait: Wait<'_>) -> Answered<DeletedAcls> {
        let owned = filters
            .iter()
            .map(|f| new(f, c::rd_kafka_AclBindingFilter_new));
        let owned = owned.collect::<Result<Vec<_>, _>>()?;
        let mut acls = pointers(&owned);
        let kind = Operation::RD_KAFKA_ADMIN_OP_DELETEACLS;
        // SAFETY: live values; the filters are copied.
        let answer = self.ask(kind, wait, |to| unsafe {
            let (first, count) = (acls.as_mut_ptr(), acls.len());
            rd::rd_kafka_DeleteAcls(to.client, first, count, to.options, to.queue);
        })?;
        // SAFETY: the event is a DeleteAcls result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DeleteAcls_result(answer.as_ptr());
            let responses = list(result, rd::rd_kafka_DeleteAcls_result_responses);
            let deleted = |acl| (found(acl), outcome(rd::rd_kafka_AclBinding_error(acl)));
            let one = |response| {
                outcome(rd::rd_kafka_DeleteAcls_result_response_error(response))?;
                let acls = list(
                    response,
                    rd::rd_kafka_DeleteAcls_result_response_matching_acls,
                );
                Ok(acls.iter().map(|acl| deleted(*acl)).collect())
            };
            Ok(DeletedAcls {
                filters: responses.iter().map(|r| one(*r)).collect(),
                bytes: self.answer_bytes(),
            })
        }
    }
}

fn new(from: &Pattern<'_>, new: c::NewBinding) -> Answered<Owned<Acl>> {
    let name = from.name.as_deref().map(c_string).transpose()?;
    let principal = from.principal.as_deref().map(c_string).transpose()?;
    let host = from.host.as_deref().map(c_string).transpose()?;
    let pointer = |s: &Option<CString>| s.as_ref().map_or(ptr::null(), |s| s.as_ptr());
    let mut message = [0; 256];
    // SAFETY: strings or null, which the function checks, and a buffer of the given size, which then contains a string.
    // The library refuses unknown numbers.
    unsafe {
        let made = new(
            from.resource_type,
            pointer(&name),
            from.pattern_type,
            pointer(&principal),
            pointer(&host),
            from.operation,
            from.permission,
            message.as_mut_ptr(),
            message.len(),
        );
        Owned::new(made, rd::rd_kafka_AclBinding_destroy)
            .map_err(|_| BrokerError::unsupported(text(message.as_ptr())))
    }
}

/// # Safety
/// `acl` is live.
unsafe fn found(acl: *const Acl) -> AnyBinding {
    // SAFETY: as the caller promises.
    unsafe {
        AnyBinding {
            resource_type: c::rd_kafka_AclBinding_restype(acl),
            pattern_type: c::rd_kafka_AclBinding_resource_pattern_type(acl),
            name: text(rd::rd_kafka_AclBinding_name(acl)),
            principal: text(rd::rd_kafka_AclBinding_principal(acl)),
            host: text(rd::rd_kafka_AclBinding_host(acl)),
            operation: c::rd_kafka_AclBinding_operation(acl),
            permission: c::rd_kafka_AclBinding_permission_type(acl),
        }
    }
}
