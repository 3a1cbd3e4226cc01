//! kpki's behaviour, through its command line and judged by implementations that are not ours.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ca;
mod cluster;
mod crash;
mod harness;
mod issue;
mod policies;
mod policy_texts;
mod rooms;
mod stores;
mod support;
mod up;
