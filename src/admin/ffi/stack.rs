//! The stack size of the thread that reads answers: librdkafka starts it in `rd_kafka_new` with the process's defaults,
//! and keeps every name of an answer about ACLs on its stack.

use std::{
    ffi::c_int,
    mem::MaybeUninit,
    sync::{Mutex, PoisonError},
};

/// The minimum size. This is address space; only what is used takes memory.
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

/// Runs `start` while the default stack size is large enough for the names in an answer of this many bytes. Other
/// threads that start in the meantime get it too, which does no harm.
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
