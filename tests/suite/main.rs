//! kpki's behaviour, through its command line and judged by implementations that are not ours.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "live")]
mod acl_apply;
mod acl_decisions;
mod acl_export;
#[cfg(feature = "live")]
mod acl_faults;
mod acl_lint;
mod acl_plan;
mod acl_principal;
#[cfg(feature = "live")]
mod admin;
mod authorizer;
mod ca;
mod cluster;
mod configs;
mod crash;
mod harness;
mod issue;
mod policies;
mod policy_meaning;
mod policy_texts;
mod principal;
mod readme;
mod robust;
mod rooms;
mod scram_vectors;
mod stores;
mod support;
mod up;
