//! kpki's behaviour, through its command line and judged by implementations that are not ours.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod harness;
mod rooms;
mod stores;
mod support;
