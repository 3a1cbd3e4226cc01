//! librdkafka's C interface, made safe: the only unsafe code of the crate.
//!
//! Every handle is owned by a value that frees it, every answer is copied into Rust values before its event is freed.
//! Numbers that come from a broker are read as integers, never as the bindings' Rust enums: a value that the enum does
//! not have would be undefined behaviour.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr::{self, NonNull},
    sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
    time::Duration,
};

use rdkafka_sys as rd;
use rdkafka_sys::rd_kafka_admin_op_t as Op;
use zeroize::Zeroize;

use super::raw::{
    self, AnyBinding, BrokerError, Config, Event, Listed, Matched, Outcome, Pattern, ScramUser,
};

/// Functions whose results are broker data, declared with integers where the bindings have enums.
mod c {
    use super::{c_char, c_int, c_void, rd};

    pub type VerifyCallback = unsafe extern "C" fn(
        *mut rd::rd_kafka_t,
        *const c_char,
        i32,
        *mut c_int,
        c_int,
        *const c_char,
        usize,
        *mut c_char,
        usize,
        *mut c_void,
    ) -> c_int;
    pub type NewCallback = unsafe extern "C" fn(
        *mut rd::rd_kafka_t,
        *const rd::rd_kafka_conf_t,
        *mut c_void,
        *mut c_char,
        usize,
    ) -> c_int;
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
        pub fn rd_kafka_ConfigResource_error(config: *const rd::rd_kafka_ConfigResource_t)
        -> c_int;
        pub fn rd_kafka_ConfigEntry_source(entry: *const rd::rd_kafka_ConfigEntry_t) -> c_int;
        pub fn rd_kafka_conf_set_ssl_cert_verify_cb(
            conf: *mut rd::rd_kafka_conf_t,
            callback: VerifyCallback,
        ) -> c_int;
        pub fn rd_kafka_conf_interceptor_add_on_new(
            conf: *mut rd::rd_kafka_conf_t,
            name: *const c_char,
            callback: NewCallback,
            opaque: *mut c_void,
        ) -> c_int;
        pub fn rd_kafka_interceptor_add_on_response_received(
            rk: *mut rd::rd_kafka_t,
            name: *const c_char,
            callback: ResponseCallback,
            opaque: *mut c_void,
        ) -> c_int;
    }
}

/// The stack of the thread that reads answers: librdkafka starts it in `rd_kafka_new` with the process's defaults, and
/// keeps every name of an answer about ACLs on it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod stack {
    use std::{
        ffi::c_int,
        mem::MaybeUninit,
        sync::{Mutex, PoisonError},
    };

    /// The least. It is address space, of which only what is used becomes memory.
    const BYTES: usize = 32 << 20;

    /// A `pthread_attr_t`, which is 64 bytes at most.
    #[repr(C, align(16))]
    struct Attributes([u64; 16]);

    // SAFETY: the signatures are those of glibc's pthread.h.
    unsafe extern "C" {
        fn pthread_getattr_default_np(attributes: *mut Attributes) -> c_int;
        fn pthread_setattr_default_np(attributes: *const Attributes) -> c_int;
        fn pthread_attr_setstacksize(attributes: *mut Attributes, bytes: usize) -> c_int;
        fn pthread_attr_destroy(attributes: *mut Attributes) -> c_int;
    }

    /// Runs `start` while threads get stacks by default that hold the names of an answer of so many bytes; others that
    /// start meanwhile get them too, at no harm.
    pub fn enlarged<T>(largest_answer: usize, start: impl FnOnce() -> T) -> T {
        let bytes = BYTES.max(largest_answer.saturating_mul(5));
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = MaybeUninit::<Attributes>::uninit();
        let mut large = MaybeUninit::<Attributes>::uninit();
        // SAFETY: both are initialised by the first calls, as their results say, and destroyed once.
        unsafe {
            if pthread_getattr_default_np(before.as_mut_ptr()) != 0 {
                return start();
            }
            if pthread_getattr_default_np(large.as_mut_ptr()) == 0 {
                pthread_attr_setstacksize(large.as_mut_ptr(), bytes);
                pthread_setattr_default_np(large.as_ptr());
                pthread_attr_destroy(large.as_mut_ptr());
            }
            let result = start();
            pthread_setattr_default_np(before.as_ptr());
            pthread_attr_destroy(before.as_mut_ptr());
            result
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod stack {
    pub fn enlarged<T>(_: usize, start: impl FnOnce() -> T) -> T {
        start()
    }
}

/// Kafka's number of DescribeAcls (`ApiKeys.DESCRIBE_ACLS`).
const DESCRIBE_ACLS: i16 = 29;
const NAME: &CStr = c"kpki";
const DESCRIBED_SCRAM: c_int = rd::RD_KAFKA_EVENT_DESCRIBEUSERSCRAMCREDENTIALS_RESULT;

/// What librdkafka's threads tell: shared with them, so atomics alone.
#[derive(Default)]
struct Told {
    /// OpenSSL's verdict on the last certificate that it refused (`X509_V_ERR_*`), 0 for none.
    x509_error: AtomicI32,
    /// Whether there was any answer.
    answered: AtomicBool,
    /// Bytes of the last DescribeAcls answer, without its correlation id.
    describe_acls_bytes: AtomicUsize,
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
    // SAFETY: librdkafka passes a valid int, and as opaque the `Told` of the handle, which outlives its threads.
    let (error, told) = unsafe { (*x509_error, &*opaque.cast::<Told>()) };
    if error != 0 {
        told.x509_error.store(error, Ordering::Relaxed);
    }
    // OpenSSL's own verdict stands.
    c_int::from(error == 0)
}

unsafe extern "C" fn on_new(
    rk: *mut rd::rd_kafka_t,
    _: *const rd::rd_kafka_conf_t,
    opaque: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> c_int {
    // SAFETY: called from rd_kafka_new, the place where this may be called; the callback's type is the documented one.
    unsafe {
        c::rd_kafka_interceptor_add_on_response_received(rk, NAME.as_ptr(), on_response, opaque)
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
    // SAFETY: the opaque value is the handle's `Told`, which outlives its threads.
    let told = unsafe { &*opaque.cast::<Told>() };
    if size > 0 {
        told.answered.store(true, Ordering::Relaxed);
    }
    if api_key == DESCRIBE_ACLS {
        told.describe_acls_bytes.store(size, Ordering::Release);
    }
    0
}

/// A client of one cluster, with its threads and connections.
pub(super) struct Handle {
    rk: NonNull<rd::rd_kafka_t>,
    /// The main queue: answers, errors and log lines.
    queue: NonNull<rd::rd_kafka_queue_t>,
    told: Box<Told>,
}

// SAFETY: librdkafka's handles and queues may be used from any thread; `Told` is atomics.
unsafe impl Send for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: both are owned by this value and not used afterwards; destroying the client joins its threads, so that
        // nothing refers to `told` when it is dropped next.
        unsafe {
            rd::rd_kafka_queue_destroy(self.queue.as_ptr());
            rd::rd_kafka_destroy(self.rk.as_ptr());
        }
    }
}

/// Frees a C value with its function.
struct Owned<T> {
    value: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    fn new(value: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(value).map(|value| Self { value, free })
    }

    fn as_ptr(&self) -> *mut T {
        self.value.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made by the function that `free` belongs to, and freed once.
        unsafe { (self.free)(self.value.as_ptr()) }
    }
}

type Answer = Owned<rd::rd_kafka_event_t>;

/// A function of librdkafka that sends a list.
type SendList<T> = unsafe extern "C" fn(
    *mut rd::rd_kafka_t,
    *mut *mut T,
    usize,
    *const rd::rd_kafka_AdminOptions_t,
    *mut rd::rd_kafka_queue_t,
);

impl Handle {
    /// Starts a client that receives answers of `largest_answer` bytes, as the settings say. Nothing is connected yet.
    pub(super) fn new(settings: &[(&str, &str)], largest_answer: usize) -> Result<Self, String> {
        let mut message = [0; 512];
        // SAFETY: always returns a configuration.
        let conf = unsafe { rd::rd_kafka_conf_new() };
        let conf = Owned::new(conf, rd::rd_kafka_conf_destroy).ok_or("out of memory")?;
        for (name, value) in settings {
            let nul = |_| format!("{name} contains a NUL character");
            let name_c = CString::new(*name).map_err(nul)?;
            let mut value_c = CString::new(*value).map_err(nul)?;
            // SAFETY: valid strings and a buffer of the size that is given.
            let result = unsafe {
                rd::rd_kafka_conf_set(
                    conf.as_ptr(),
                    name_c.as_ptr(),
                    value_c.as_ptr(),
                    message.as_mut_ptr(),
                    message.len(),
                )
            };
            let mut bytes = std::mem::take(&mut value_c).into_bytes();
            bytes.zeroize();
            if result != rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                // The library's text could quote the value.
                return Err(format!("librdkafka does not take the value of {name}"));
            }
        }
        let told = Box::<Told>::default();
        let opaque = ptr::from_ref::<Told>(&told).cast_mut().cast::<c_void>();
        // SAFETY: the callbacks have the documented types, `opaque` lives as long as the client.
        let rk = unsafe {
            rd::rd_kafka_conf_set_events(conf.as_ptr(), rd::RD_KAFKA_EVENT_ERROR);
            rd::rd_kafka_conf_set_opaque(conf.as_ptr(), opaque);
            c::rd_kafka_conf_set_ssl_cert_verify_cb(conf.as_ptr(), on_verify);
            c::rd_kafka_conf_interceptor_add_on_new(conf.as_ptr(), NAME.as_ptr(), on_new, opaque);
            stack::enlarged(largest_answer, || {
                rd::rd_kafka_new(
                    rd::rd_kafka_type_t::RD_KAFKA_PRODUCER,
                    conf.as_ptr(),
                    message.as_mut_ptr(),
                    message.len(),
                )
            })
        };
        let rk = NonNull::new(rk).ok_or_else(|| text(message.as_ptr()))?;
        // It belongs to the client now.
        std::mem::forget(conf);
        // SAFETY: a live client; the queue is a new reference, destroyed with the handle.
        let queue = unsafe {
            let queue = rd::rd_kafka_queue_get_main(rk.as_ptr());
            rd::rd_kafka_set_log_queue(rk.as_ptr(), queue);
            queue
        };
        match NonNull::new(queue) {
            Some(queue) => Ok(Self { rk, queue, told }),
            None => {
                // SAFETY: owned and not used any more.
                unsafe { rd::rd_kafka_destroy(rk.as_ptr()) };
                Err("out of memory".into())
            }
        }
    }

    /// OpenSSL's verdict on the last broker certificate that it refused, 0 for none.
    pub(super) fn x509_error(&self) -> i32 {
        self.told.x509_error.load(Ordering::Relaxed)
    }

    /// Whether any broker has answered anything.
    pub(super) fn was_answered(&self) -> bool {
        self.told.answered.load(Ordering::Relaxed)
    }

    /// Waits for the answer to the request that was sent last, which comes within its timeout. Everything else that
    /// happens meanwhile goes to `watch`, which may give up the wait, and with it the handle.
    fn wait(
        &self,
        wanted: c_int,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Answer, BrokerError> {
        loop {
            // SAFETY: a live queue; the event is owned by the caller.
            let event = unsafe { rd::rd_kafka_queue_poll(self.queue.as_ptr(), 100) };
            let Some(event) = Owned::new(event, rd::rd_kafka_event_destroy) else {
                if !watch(Event::Nothing) {
                    return Err(BrokerError::gave_up());
                }
                continue;
            };
            // SAFETY: a live event.
            let (kind, code, message) = unsafe {
                (
                    rd::rd_kafka_event_type(event.as_ptr()),
                    c::rd_kafka_event_error(event.as_ptr()),
                    rd::rd_kafka_event_error_string(event.as_ptr()),
                )
            };
            let error = || BrokerError::new(code, text(message));
            if kind == wanted && code != 0 && kind == DESCRIBED_SCRAM {
                // Its text is a pointer into a stack frame that is gone, and destroying the event frees it
                // (rd_kafka_DescribeUserScramCredentialsResponse_parse): neither is touched.
                std::mem::forget(event);
                // SAFETY: takes any number.
                let said = unsafe { c::rd_kafka_err2str(code) };
                return Err(BrokerError::new(code, text(said)));
            }
            if kind == wanted {
                return if code == 0 { Ok(event) } else { Err(error()) };
            }
            let happened = match kind {
                rd::RD_KAFKA_EVENT_ERROR => Event::Error(error()),
                rd::RD_KAFKA_EVENT_LOG => Event::Log(log_line(&event)),
                _ => continue,
            };
            if !watch(happened) {
                return Err(BrokerError::gave_up());
            }
        }
    }

    fn options(
        &self,
        operation: Op,
        timeout: Duration,
    ) -> Result<Owned<rd::rd_kafka_AdminOptions_t>, BrokerError> {
        let timeout = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
        let mut message = [0; 256];
        // SAFETY: a live client; the options are owned by the caller.
        let options = unsafe { rd::rd_kafka_AdminOptions_new(self.rk.as_ptr(), operation) };
        let options = Owned::new(options, rd::rd_kafka_AdminOptions_destroy)
            .ok_or_else(BrokerError::out_of_memory)?;
        // SAFETY: live options and a buffer of the size that is given.
        unsafe {
            rd::rd_kafka_AdminOptions_set_request_timeout(
                options.as_ptr(),
                timeout,
                message.as_mut_ptr(),
                message.len(),
            );
            // How long the broker works on it; unused by the operations that have none.
            rd::rd_kafka_AdminOptions_set_operation_timeout(
                options.as_ptr(),
                timeout,
                message.as_mut_ptr(),
                message.len(),
            );
        }
        Ok(options)
    }

    /// Sends a list and waits for the answer.
    ///
    /// # Safety
    /// `send` copies the list that it is given, is the one of `operation`, and is answered by an event `wanted`.
    unsafe fn ask<T>(
        &self,
        send: SendList<T>,
        (operation, wanted): (Op, c_int),
        entries: &[Owned<T>],
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Answer, BrokerError> {
        let options = self.options(operation, timeout)?;
        let mut pointers: Vec<_> = entries.iter().map(Owned::as_ptr).collect();
        // SAFETY: live handles, and as the caller promises.
        unsafe {
            send(
                self.rk.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                options.as_ptr(),
                self.queue.as_ptr(),
            );
        }
        self.wait(wanted, watch)
    }

    /// Connects, and asks who the brokers are and what this principal may do with the cluster.
    pub(super) fn describe_cluster(
        &self,
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<raw::Cluster, BrokerError> {
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, timeout)?;
        // SAFETY: live client, options and queue; an error that is returned is freed by `Owned`.
        unsafe {
            let refused =
                rd::rd_kafka_AdminOptions_set_include_authorized_operations(options.as_ptr(), 1);
            drop(Owned::new(refused, rd::rd_kafka_error_destroy));
            rd::rd_kafka_DescribeCluster(self.rk.as_ptr(), options.as_ptr(), self.queue.as_ptr());
        }
        let answer = self.wait(rd::RD_KAFKA_EVENT_DESCRIBECLUSTER_RESULT, watch)?;
        let mut count = 0;
        // SAFETY: the event is a DescribeCluster result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DescribeCluster_result(answer.as_ptr());
            let operations =
                c::rd_kafka_DescribeCluster_result_authorized_operations(result, &raw mut count);
            // As many as -1 beside a null pointer: the broker does not say.
            let told = !operations.is_null();
            let operations = told.then(|| array(operations, count).to_vec());
            let id = rd::rd_kafka_DescribeCluster_result_cluster_id(result);
            let id = (!id.is_null()).then(|| text(id));
            let mut count = 0;
            let nodes = rd::rd_kafka_DescribeCluster_result_nodes(result, &raw mut count);
            let nodes = array(nodes, count);
            let brokers = nodes.iter().map(|node| rd::rd_kafka_Node_id(*node));
            Ok(raw::Cluster {
                id,
                operations,
                brokers: brokers.collect(),
            })
        }
    }

    /// One result per binding, in order. A binding that librdkafka cannot express must not be given.
    pub(super) fn create_acls(
        &self,
        bindings: &[Pattern<'_>],
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Vec<Outcome>, BrokerError> {
        let owned = bindings
            .iter()
            .map(|b| binding(b, c::rd_kafka_AclBinding_new))
            .collect::<Result<Vec<_>, _>>()?;
        let kinds = (
            Op::RD_KAFKA_ADMIN_OP_CREATEACLS,
            rd::RD_KAFKA_EVENT_CREATEACLS_RESULT,
        );
        // SAFETY: the bindings are copied by the call.
        let answer = unsafe { self.ask(rd::rd_kafka_CreateAcls, kinds, &owned, timeout, watch)? };
        let mut count = 0;
        // SAFETY: the event is a CreateAcls result, which lives until `answer` is dropped.
        unsafe {
            let result = rd::rd_kafka_event_CreateAcls_result(answer.as_ptr());
            let results = rd::rd_kafka_CreateAcls_result_acls(result, &raw mut count);
            Ok(array(results, count)
                .iter()
                .map(|r| outcome(rd::rd_kafka_acl_result_error(*r)))
                .collect())
        }
    }

    /// Every binding that matches. The broker's own error is lost in librdkafka: the caller has to look at the answer's
    /// length before it believes in an empty list.
    pub(super) fn describe_acls(
        &self,
        filter: &Pattern<'_>,
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Listed, BrokerError> {
        self.told.describe_acls_bytes.store(0, Ordering::Release);
        let filter = binding(filter, c::rd_kafka_AclBindingFilter_new)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DESCRIBEACLS, timeout)?;
        // SAFETY: live handles; the filter is copied by the call.
        unsafe {
            rd::rd_kafka_DescribeAcls(
                self.rk.as_ptr(),
                filter.as_ptr(),
                options.as_ptr(),
                self.queue.as_ptr(),
            );
        }
        let answer = self.wait(rd::RD_KAFKA_EVENT_DESCRIBEACLS_RESULT, watch)?;
        let mut count = 0;
        // SAFETY: the event is a DescribeAcls result, which lives until `answer` is dropped.
        unsafe {
            let result = rd::rd_kafka_event_DescribeAcls_result(answer.as_ptr());
            let acls = rd::rd_kafka_DescribeAcls_result_acls(result, &raw mut count);
            Ok(Listed {
                bindings: array(acls, count).iter().map(|acl| found(*acl)).collect(),
                bytes: self.told.describe_acls_bytes.load(Ordering::Acquire),
            })
        }
    }

    /// What each filter deleted, in order.
    pub(super) fn delete_acls(
        &self,
        filters: &[Pattern<'_>],
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Vec<Result<Matched, BrokerError>>, BrokerError> {
        let owned = filters
            .iter()
            .map(|f| binding(f, c::rd_kafka_AclBindingFilter_new))
            .collect::<Result<Vec<_>, _>>()?;
        let kinds = (
            Op::RD_KAFKA_ADMIN_OP_DELETEACLS,
            rd::RD_KAFKA_EVENT_DELETEACLS_RESULT,
        );
        // SAFETY: the filters are copied by the call.
        let answer = unsafe { self.ask(rd::rd_kafka_DeleteAcls, kinds, &owned, timeout, watch)? };
        let mut count = 0;
        // SAFETY: the event is a DeleteAcls result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DeleteAcls_result(answer.as_ptr());
            let responses = rd::rd_kafka_DeleteAcls_result_responses(result, &raw mut count);
            let one = |response: &*const rd::rd_kafka_DeleteAcls_result_response_t| {
                outcome(rd::rd_kafka_DeleteAcls_result_response_error(*response))?;
                let mut count = 0;
                let acls = rd::rd_kafka_DeleteAcls_result_response_matching_acls(
                    *response,
                    &raw mut count,
                );
                Ok(array(acls, count)
                    .iter()
                    .map(|acl| (found(*acl), outcome(rd::rd_kafka_AclBinding_error(*acl))))
                    .collect())
            };
            Ok(array(responses, count).iter().map(one).collect())
        }
    }

    /// The users that have SCRAM credentials: all of them, or those named.
    ///
    /// Call it in a process of its own where there is one, and end that without dropping the handle: librdkafka frees a
    /// pointer into its stack with an answer that says no and cannot be read to its end, or that nobody waits for.
    pub(super) fn describe_scram(
        &self,
        users: &[&str],
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Vec<ScramUser>, BrokerError> {
        let names = users
            .iter()
            .map(|u| c_string(u))
            .collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DESCRIBEUSERSCRAMCREDENTIALS, timeout)?;
        // SAFETY: live handles; the names are copied by the call.
        unsafe {
            rd::rd_kafka_DescribeUserScramCredentials(
                self.rk.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                options.as_ptr(),
                self.queue.as_ptr(),
            );
        }
        let answer = self.wait(DESCRIBED_SCRAM, watch)?;
        let mut count = 0;
        // SAFETY: the event is such a result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DescribeUserScramCredentials_result(answer.as_ptr());
            let all = rd::rd_kafka_DescribeUserScramCredentials_result_descriptions(
                result,
                &raw mut count,
            );
            let one = |user: &*const rd::rd_kafka_UserScramCredentialsDescription_t| ScramUser {
                user: text(rd::rd_kafka_UserScramCredentialsDescription_user(*user)),
                error: outcome(rd::rd_kafka_UserScramCredentialsDescription_error(*user)).err(),
                credentials: (0
                    ..rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo_count(
                        *user,
                    ))
                    .map(|i| {
                        let info = rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo(
                            *user, i,
                        );
                        (
                            c::rd_kafka_ScramCredentialInfo_mechanism(info),
                            rd::rd_kafka_ScramCredentialInfo_iterations(info),
                        )
                    })
                    .collect(),
            };
            Ok(array(all, count).iter().map(one).collect())
        }
    }

    /// One result per user, in the order of the answer.
    pub(super) fn alter_scram(
        &self,
        changes: &[raw::ScramChange<'_>],
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Vec<(String, Outcome)>, BrokerError> {
        let owned = changes
            .iter()
            .map(scram_alteration)
            .collect::<Result<Vec<_>, _>>()?;
        let kinds = (
            Op::RD_KAFKA_ADMIN_OP_ALTERUSERSCRAMCREDENTIALS,
            rd::RD_KAFKA_EVENT_ALTERUSERSCRAMCREDENTIALS_RESULT,
        );
        // SAFETY: the alterations are copied by the call.
        let answer = unsafe {
            self.ask(
                rd::rd_kafka_AlterUserScramCredentials,
                kinds,
                &owned,
                timeout,
                watch,
            )?
        };
        let mut count = 0;
        // SAFETY: the event is such a result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_AlterUserScramCredentials_result(answer.as_ptr());
            let all =
                rd::rd_kafka_AlterUserScramCredentials_result_responses(result, &raw mut count);
            let one = |r: &*const rd::rd_kafka_AlterUserScramCredentials_result_response_t| {
                (
                    text(rd::rd_kafka_AlterUserScramCredentials_result_response_user(
                        *r,
                    )),
                    outcome(rd::rd_kafka_AlterUserScramCredentials_result_response_error(*r)),
                )
            };
            Ok(array(all, count).iter().map(one).collect())
        }
    }

    /// The configuration of one broker.
    pub(super) fn describe_broker(
        &self,
        broker: i32,
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<Vec<Config>, BrokerError> {
        let resource = broker_resource(broker)?;
        let kinds = (
            Op::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
            rd::RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT,
        );
        // SAFETY: the resource is copied by the call.
        let answer = unsafe {
            self.ask(
                rd::rd_kafka_DescribeConfigs,
                kinds,
                std::slice::from_ref(&resource),
                timeout,
                watch,
            )?
        };
        let mut count = 0;
        // SAFETY: the event is a DescribeConfigs result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DescribeConfigs_result(answer.as_ptr());
            let resources = rd::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            let Some(resource) = array(resources, count).first() else {
                return Err(BrokerError::empty_answer());
            };
            resource_outcome(*resource)?;
            let mut count = 0;
            let entries = rd::rd_kafka_ConfigResource_configs(*resource, &raw mut count);
            let one = |entry: &*const rd::rd_kafka_ConfigEntry_t| {
                let value = rd::rd_kafka_ConfigEntry_value(*entry);
                Config {
                    name: text(rd::rd_kafka_ConfigEntry_name(*entry)),
                    value: (!value.is_null()).then(|| text(value)),
                    source: c::rd_kafka_ConfigEntry_source(*entry),
                    read_only: rd::rd_kafka_ConfigEntry_is_read_only(*entry) == 1,
                    sensitive: rd::rd_kafka_ConfigEntry_is_sensitive(*entry) == 1,
                }
            };
            Ok(array(entries, count).iter().map(one).collect())
        }
    }

    /// Sets (`Some`) or removes (`None`) dynamic settings of one broker, all of them or none.
    pub(super) fn alter_broker(
        &self,
        broker: i32,
        changes: &[(&str, Option<&str>)],
        timeout: Duration,
        watch: &mut dyn FnMut(Event) -> bool,
    ) -> Result<(), BrokerError> {
        use rd::rd_kafka_AlterConfigOpType_t as Change;
        let resource = broker_resource(broker)?;
        for (name, value) in changes {
            let (name, value) = (c_string(name)?, value.map(c_string).transpose()?);
            let (operation, value) = match &value {
                Some(value) => (Change::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.as_ptr()),
                None => (Change::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE, ptr::null()),
            };
            // SAFETY: a live resource and strings, which are copied; an error is freed by `Owned`.
            unsafe {
                let error = rd::rd_kafka_ConfigResource_add_incremental_config(
                    resource.as_ptr(),
                    name.as_ptr(),
                    operation,
                    value,
                );
                if let Some(error) = Owned::new(error, rd::rd_kafka_error_destroy) {
                    outcome(error.as_ptr())?;
                }
            }
        }
        let kinds = (
            Op::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS,
            rd::RD_KAFKA_EVENT_INCREMENTALALTERCONFIGS_RESULT,
        );
        // SAFETY: the resource is copied by the call.
        let answer = unsafe {
            self.ask(
                rd::rd_kafka_IncrementalAlterConfigs,
                kinds,
                std::slice::from_ref(&resource),
                timeout,
                watch,
            )?
        };
        let mut count = 0;
        // SAFETY: the event is such a result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_IncrementalAlterConfigs_result(answer.as_ptr());
            let resources =
                rd::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
            match array(resources, count).first() {
                Some(resource) => resource_outcome(*resource),
                None => Err(BrokerError::empty_answer()),
            }
        }
    }
}

type NewBinding = unsafe extern "C" fn(
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

fn binding(
    from: &Pattern<'_>,
    new: NewBinding,
) -> Result<Owned<rd::rd_kafka_AclBinding_t>, BrokerError> {
    let name = from.name.map(c_string).transpose()?;
    let principal = from.principal.map(c_string).transpose()?;
    let host = from.host.map(c_string).transpose()?;
    let pointer = |s: &Option<CString>| s.as_ref().map_or(ptr::null(), |s| s.as_ptr());
    let mut message = [0; 256];
    // SAFETY: strings or null, which the function checks, and a buffer of the size that is given. Numbers that the
    // library does not know it refuses.
    let made = unsafe {
        new(
            from.resource_type,
            pointer(&name),
            from.pattern_type,
            pointer(&principal),
            pointer(&host),
            from.operation,
            from.permission,
            message.as_mut_ptr(),
            message.len(),
        )
    };
    Owned::new(made, rd::rd_kafka_AclBinding_destroy)
        .ok_or_else(|| BrokerError::unsupported(text(message.as_ptr())))
}

fn scram_alteration(
    change: &raw::ScramChange<'_>,
) -> Result<Owned<rd::rd_kafka_UserScramCredentialAlteration_t>, BrokerError> {
    use rd::rd_kafka_ScramMechanism_t as M;
    let user = c_string(change.user)?;
    let mechanism = match change.mechanism {
        crate::scram::Mechanism::Sha256 => M::RD_KAFKA_SCRAM_MECHANISM_SHA_256,
        crate::scram::Mechanism::Sha512 => M::RD_KAFKA_SCRAM_MECHANISM_SHA_512,
    };
    // SAFETY: strings and bytes of the lengths that are given; they are copied.
    let made = unsafe {
        match &change.upsert {
            None => rd::rd_kafka_UserScramCredentialDeletion_new(user.as_ptr(), mechanism),
            Some(new) => rd::rd_kafka_UserScramCredentialUpsertion_new(
                user.as_ptr(),
                mechanism,
                new.iterations,
                new.password.expose().as_ptr(),
                new.password.expose().len(),
                new.salt.as_ptr(),
                new.salt.len(),
            ),
        }
    };
    Owned::new(made, rd::rd_kafka_UserScramCredentialAlteration_destroy)
        .ok_or_else(BrokerError::out_of_memory)
}

fn broker_resource(broker: i32) -> Result<Owned<rd::rd_kafka_ConfigResource_t>, BrokerError> {
    let name = c_string(&broker.to_string())?;
    let kind = rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER;
    // SAFETY: a valid string, which is copied.
    let resource = unsafe { rd::rd_kafka_ConfigResource_new(kind, name.as_ptr()) };
    Owned::new(resource, rd::rd_kafka_ConfigResource_destroy).ok_or_else(BrokerError::out_of_memory)
}

/// # Safety
/// `resource` is live.
unsafe fn resource_outcome(
    resource: *const rd::rd_kafka_ConfigResource_t,
) -> Result<(), BrokerError> {
    // SAFETY: as the caller promises.
    let (code, message) = unsafe {
        (
            c::rd_kafka_ConfigResource_error(resource),
            rd::rd_kafka_ConfigResource_error_string(resource),
        )
    };
    if code == 0 {
        return Ok(());
    }
    Err(BrokerError::new(code, text(message)))
}

/// # Safety
/// `error` is null or live.
unsafe fn outcome(error: *const rd::rd_kafka_error_t) -> Result<(), BrokerError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: as the caller promises.
    let (code, message) = unsafe {
        (
            c::rd_kafka_error_code(error),
            rd::rd_kafka_error_string(error),
        )
    };
    if code == 0 {
        return Ok(());
    }
    Err(BrokerError::new(code, text(message)))
}

/// # Safety
/// `acl` is live.
unsafe fn found(acl: *const rd::rd_kafka_AclBinding_t) -> AnyBinding {
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

fn log_line(event: &Answer) -> String {
    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
    // SAFETY: a live event; the strings live as long as it does.
    unsafe {
        rd::rd_kafka_event_log(
            event.as_ptr(),
            &raw mut facility,
            &raw mut line,
            &raw mut level,
        );
    }
    text(line)
}

fn c_string(text: &str) -> Result<CString, BrokerError> {
    CString::new(text).map_err(|_| BrokerError::unsupported("it contains a NUL character".into()))
}

/// A C array that an answer holds.
///
/// # Safety
/// `first` points to `count` values that outlive the slice, or `count` is 0.
unsafe fn array<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// A C string of librdkafka's, copied; null is the empty string.
fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka's strings end in NUL and live while the value that they come from does, which is now.
    unsafe { CStr::from_ptr(from) }
        .to_string_lossy()
        .into_owned()
}
