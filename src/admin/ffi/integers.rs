//! Functions of librdkafka whose arguments or results are broker data, declared with integers instead of the bindings'
//! enums.

use std::ffi::{c_char, c_int, c_void};

use rdkafka::bindings as rd;

pub type ResponseCallback = unsafe extern "C" fn(
    *mut rd::rd_kafka_t,
    c_int,
    *const c_char,
    i32,
    i16,
    i16,
    i32,
    usize,
    i64,
    c_int,
    *mut c_void,
) -> c_int;

/// `rd_kafka_AclBinding_new` and `rd_kafka_AclBindingFilter_new`.
pub type NewBinding = unsafe extern "C" fn(
    c_int,
    *const c_char,
    c_int,
    *const c_char,
    *const c_char,
    c_int,
    c_int,
    *mut c_char,
    usize,
) -> *mut rd::rd_kafka_AclBinding_t;

// SAFETY: the signatures are those of rdkafka.h; C enums there are `int` in size, and are passed as such.
unsafe extern "C" {
    pub fn rd_kafka_err2str(code: c_int) -> *const c_char;
    pub fn rd_kafka_error_code(error: *const rd::rd_kafka_error_t) -> c_int;
    pub fn rd_kafka_event_error(event: *mut rd::rd_kafka_event_t) -> c_int;
    pub fn rd_kafka_AclBinding_restype(acl: *const rd::rd_kafka_AclBinding_t) -> c_int;
    pub fn rd_kafka_AclBinding_resource_pattern_type(
        acl: *const rd::rd_kafka_AclBinding_t,
    ) -> c_int;
    pub fn rd_kafka_AclBinding_operation(acl: *const rd::rd_kafka_AclBinding_t) -> c_int;
    pub fn rd_kafka_AclBinding_permission_type(acl: *const rd::rd_kafka_AclBinding_t) -> c_int;
    pub fn rd_kafka_AclBindingFilter_new(
        restype: c_int,
        name: *const c_char,
        pattern: c_int,
        principal: *const c_char,
        host: *const c_char,
        operation: c_int,
        permission: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> *mut rd::rd_kafka_AclBinding_t;
    pub fn rd_kafka_AclBinding_new(
        restype: c_int,
        name: *const c_char,
        pattern: c_int,
        principal: *const c_char,
        host: *const c_char,
        operation: c_int,
        permission: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> *mut rd::rd_kafka_AclBinding_t;
    pub fn rd_kafka_ScramCredentialInfo_mechanism(
        info: *const rd::rd_kafka_ScramCredentialInfo_t,
    ) -> c_int;
    pub fn rd_kafka_DescribeCluster_result_authorized_operations(
        result: *const rd::rd_kafka_event_t,
        count: *mut usize,
    ) -> *const c_int;
    pub fn rd_kafka_ConfigResource_error(config: *const rd::rd_kafka_ConfigResource_t) -> c_int;
    pub fn rd_kafka_ConfigEntry_source(entry: *const rd::rd_kafka_ConfigEntry_t) -> c_int;
    pub fn rd_kafka_interceptor_add_on_response_received(
        rk: *mut rd::rd_kafka_t,
        name: *const c_char,
        callback: ResponseCallback,
        opaque: *mut c_void,
    ) -> rd::rd_kafka_resp_err_t;
}
