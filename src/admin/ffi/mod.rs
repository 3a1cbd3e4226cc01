//! A safe wrapper for librdkafka's C interface: the only unsafe code in the crate.
//!
//! `rdkafka` owns the client and its configuration. The requests use its C bindings directly: `rdkafka` has none for
//! ACLs, SCRAM users and the rights on a cluster, its DescribeConfigs does not distinguish a refused resource from one
//! without settings, and its AlterConfigs resets every setting that is not named.
//!
//! Every C value has an owner that frees it, and every answer is copied before its event is freed. Numbers from a
//! broker are read as integers, never as the bindings' Rust enums: a value that the enum does not have would be
//! undefined behaviour.

mod acls;
mod callbacks;
mod cluster;
mod configs;
mod handle;
mod integers;
mod scram;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod stack;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod stack {
    pub fn enlarged<T>(_: usize, start: impl FnOnce() -> T) -> T {
        start()
    }
}
mod values;

pub(super) use handle::Handle;
