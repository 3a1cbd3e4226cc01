//! kpki: a private CA, key and trust stores, configuration, SCRAM users and ACLs for Apache Kafka,
//! from one reviewed policy file.
//!
//! The rooms, and what each may touch, are kept apart by `tests/suite/rooms.rs`: `document`, `policy`, `acl`,
//! `plan`, `scram`, `pki`, `keystore` and `config` are pure, only `state` touches the disk and only `cli` the terminal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod acl;
pub mod admin;
pub mod apply;
pub mod bootstrap;
pub mod cli;
pub mod code;
pub mod config;
pub mod deeds;
pub mod document;
pub mod issuer;
pub mod keystore;
pub mod pki;
pub mod plan;
pub mod policy;
pub mod printable;
pub mod probe;
pub mod random;
pub mod scram;
pub mod secret;
pub mod shell;
pub mod state;
