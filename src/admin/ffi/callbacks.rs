//! Callbacks from librdkafka's threads, about refused certificates and about answers.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
};

use rdkafka::{ClientContext, bindings as rd, config::NativeClientConfig};

use super::integers as c;

/// Kafka's numbers (`ApiKeys`) of the requests whose answers contain names: DescribeAcls, DeleteAcls and
/// DescribeUserScramCredentials.
const NAMING: [i16; 3] = [29, 31, 50];
const NAME: &CStr = c"kpki";

/// The reported values, shared with the threads and therefore atomic.
#[derive(Default)]
pub struct Told {
    /// OpenSSL's error for the last certificate that it refused (`X509_V_ERR_*`), 0 for none.
    pub x509_error: AtomicI32,
    /// Whether there was any answer.
    pub answered: AtomicBool,
    /// The length of the last answer with names in it, without its correlation id.
    pub answer_bytes: AtomicUsize,
}

/// The client's opaque value, which lives until its threads have ended.
impl ClientContext for Told {}

/// Makes clients with this configuration report to their context, which must be a [`Told`].
pub fn listen(config: &NativeClientConfig) {
    let conf = config.ptr();
    // SAFETY: a live configuration, callbacks of the documented types.
    unsafe {
        rd::rd_kafka_conf_set_events(conf, rd::RD_KAFKA_EVENT_ERROR);
        rd::rd_kafka_conf_set_ssl_cert_verify_cb(conf, Some(on_verify));
        let nothing = std::ptr::null_mut();
        rd::rd_kafka_conf_interceptor_add_on_new(conf, NAME.as_ptr(), Some(on_new), nothing);
    }
}

unsafe extern "C" fn on_verify(
    _: *mut rd::rd_kafka_t,
    _: *const c_char,
    _: i32,
    x509_error: *mut c_int,
    _: c_int,
    _: *const c_char,
    _: usize,
    _: *mut c_char,
    _: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka passes a valid int, and as opaque the client's context, which outlives its threads.
    let (error, told) = unsafe { (*x509_error, &*opaque.cast::<Told>()) };
    if error != 0 {
        told.x509_error.store(error, Ordering::Relaxed);
    }
    // OpenSSL's own result is kept.
    c_int::from(error == 0)
}

unsafe extern "C" fn on_new(
    rk: *mut rd::rd_kafka_t,
    _: *const rd::rd_kafka_conf_t,
    _: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> rd::rd_kafka_resp_err_t {
    // SAFETY: called from rd_kafka_new, where this is allowed, after the client has its configuration; the callback's
    // type is the documented one.
    unsafe {
        let told = rd::rd_kafka_opaque(rk);
        c::rd_kafka_interceptor_add_on_response_received(rk, NAME.as_ptr(), on_response, told)
    }
}

unsafe extern "C" fn on_response(
    _: *mut rd::rd_kafka_t,
    _: c_int,
    _: *const c_char,
    _: i32,
    api_key: i16,
    _: i16,
    _: i32,
    size: usize,
    _: i64,
    _: c_int,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: the opaque value is the client's context, which outlives its threads.
    let told = unsafe { &*opaque.cast::<Told>() };
    if size > 0 {
        told.answered.store(true, Ordering::Relaxed);
    }
    if NAMING.contains(&api_key) {
        told.answer_bytes.store(size, Ordering::Release);
    }
    0
}
