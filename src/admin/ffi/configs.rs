//! The requests for a broker's settings.

use std::{ptr, slice};

use rdkafka::bindings::{
    self as rd, rd_kafka_AlterConfigOpType_t as Change, rd_kafka_admin_op_t as Operation,
};

use super::{
    super::{
        configs::ConfigEntry,
        raw::{Answered, BrokerError, Outcome, Wait},
    },
    handle::Handle,
    integers as c,
    values::{Owned, c_string, coded, list, outcome, pointers, text},
};

type Resource = rd::rd_kafka_ConfigResource_t;

impl Handle {
    /// The configuration of one broker.
    pub fn describe_broker(&self, broker: i32, wait: Wait<'_>) -> Answered<Vec<ConfigEntry>> {
        let resource = resource(broker)?;
        let mut one = pointers(slice::from_ref(&resource));
        let kind = Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
        // SAFETY: live values; the resource is copied.
        let answer = self.ask(kind, wait, |to| unsafe {
            rd::rd_kafka_DescribeConfigs(to.client, one.as_mut_ptr(), 1, to.options, to.queue);
        })?;
        // SAFETY: the event is a DescribeConfigs result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DescribeConfigs_result(answer.as_ptr());
            let resource = only(list(result, rd::rd_kafka_DescribeConfigs_result_resources))?;
            let entries = list(resource, rd::rd_kafka_ConfigResource_configs);
            Ok(entries.iter().map(|entry| config(*entry)).collect())
        }
    }

    /// Sets (`Some`) or removes (`None`) dynamic settings of one broker, all of them or none.
    pub fn alter_broker(
        &self,
        broker: i32,
        changes: &[(&str, Option<&str>)],
        wait: Wait<'_>,
    ) -> Outcome {
        let resource = resource(broker)?;
        for (name, value) in changes {
            add(&resource, name, *value)?;
        }
        let mut one = pointers(slice::from_ref(&resource));
        let kind = Operation::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
        // SAFETY: live values; the resource is copied.
        let answer = self.ask(kind, wait, |to| unsafe {
            let first = one.as_mut_ptr();
            rd::rd_kafka_IncrementalAlterConfigs(to.client, first, 1, to.options, to.queue);
        })?;
        // SAFETY: the event is such a result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_IncrementalAlterConfigs_result(answer.as_ptr());
            let resources = list(
                result,
                rd::rd_kafka_IncrementalAlterConfigs_result_resources,
            );
            only(resources).map(drop)
        }
    }
}

fn resource(broker: i32) -> Answered<Owned<Resource>> {
    let name = c_string(&broker.to_string())?;
    let kind = rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER;
    // SAFETY: a valid string, which is copied.
    let resource = unsafe { rd::rd_kafka_ConfigResource_new(kind, name.as_ptr()) };
    Owned::new(resource, rd::rd_kafka_ConfigResource_destroy)
}

fn add(resource: &Owned<Resource>, name: &str, value: Option<&str>) -> Outcome {
    let (name, value) = (c_string(name)?, value.map(c_string).transpose()?);
    let (change, value) = match &value {
        Some(value) => (Change::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.as_ptr()),
        None => (Change::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE, ptr::null()),
    };
    let (resource, name) = (resource.as_ptr(), name.as_ptr());
    // SAFETY: a live resource and strings, which are copied; an error is owned by the caller.
    unsafe {
        let error =
            rd::rd_kafka_ConfigResource_add_incremental_config(resource, name, change, value);
        // There is nothing to own if it is null.
        Owned::new(error, rd::rd_kafka_error_destroy).map_or(Ok(()), |e| outcome(e.as_ptr()))
    }
}

/// The only resource in an answer.
///
/// # Safety
/// The resources are live.
unsafe fn only(resources: &[*const Resource]) -> Answered<*const Resource> {
    let resource = *resources.first().ok_or_else(BrokerError::empty_answer)?;
    // SAFETY: as the caller promises.
    unsafe {
        let code = c::rd_kafka_ConfigResource_error(resource);
        coded(code, rd::rd_kafka_ConfigResource_error_string(resource))?;
    }
    Ok(resource)
}

/// # Safety
/// `entry` is live.
unsafe fn config(entry: *const rd::rd_kafka_ConfigEntry_t) -> ConfigEntry {
    // SAFETY: as the caller promises.
    unsafe {
        let value = rd::rd_kafka_ConfigEntry_value(entry);
        ConfigEntry {
            name: text(rd::rd_kafka_ConfigEntry_name(entry)),
            value: (!value.is_null()).then(|| text(value)),
            // `DescribeConfigsResponse.ConfigSource`: DYNAMIC_BROKER_CONFIG.
            dynamic: c::rd_kafka_ConfigEntry_source(entry) == 2,
        }
    }
}
