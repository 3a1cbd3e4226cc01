//! Owned C values, and conversions of C strings and lists.

use std::{
    ffi::{CStr, CString, c_char},
    ptr::NonNull,
};

use rdkafka::bindings as rd;

use super::{
    super::raw::{Answered, BrokerError, Outcome},
    integers as c,
};

/// Frees a C value with its function.
pub struct Owned<T> {
    value: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    pub fn new(value: *mut T, free: unsafe extern "C" fn(*mut T)) -> Answered<Self> {
        let value =
            NonNull::new(value).ok_or_else(|| BrokerError::unsupported("out of memory".into()))?;
        Ok(Self { value, free })
    }

    pub fn as_ptr(&self) -> *mut T {
        self.value.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made by the function that `free` belongs to, and freed once.
        unsafe { (self.free)(self.value.as_ptr()) }
    }
}

/// The array of pointers that librdkafka takes instead of a slice.
pub fn pointers<T>(owned: &[Owned<T>]) -> Vec<*mut T> {
    owned.iter().map(Owned::as_ptr).collect()
}

/// The entries of a list in an answer, or in a part of one.
///
/// # Safety
/// `of` is null or live for `'a`, and `entries` its function.
pub unsafe fn list<'a, R, T>(
    of: *const R,
    entries: unsafe extern "C" fn(*const R, *mut usize) -> *mut *const T,
) -> &'a [*const T] {
    if of.is_null() {
        return &[];
    }
    let mut count = 0;
    // SAFETY: as the caller promises; the function returns the number of entries.
    unsafe { array(entries(of, &raw mut count), count) }
}

/// # Safety
/// `first` points to `count` values that outlive the slice, or is null, or `count` is 0.
pub unsafe fn array<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// # Safety
/// `error` is null or live.
pub unsafe fn outcome(error: *const rd::rd_kafka_error_t) -> Outcome {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: as the caller promises.
    unsafe {
        coded(
            c::rd_kafka_error_code(error),
            rd::rd_kafka_error_string(error),
        )
    }
}

/// # Safety
/// As for [`text`].
pub unsafe fn coded(code: i32, message: *const c_char) -> Outcome {
    match code {
        0 => Ok(()),
        // SAFETY: as the caller promises.
        code => Err(BrokerError::new(code, unsafe { text(message) })),
    }
}

pub fn c_string(text: &str) -> Answered<CString> {
    CString::new(text).map_err(|_| BrokerError::unsupported("a NUL character".into()))
}

/// A C string of librdkafka's, copied; null is the empty string.
///
/// # Safety
/// It is null or ends in NUL, as librdkafka's strings do, and its owner is live.
pub unsafe fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(from) }
        .to_string_lossy()
        .into_owned()
}
