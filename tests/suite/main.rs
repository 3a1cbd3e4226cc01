//! kpki's behaviour, through its command line and judged by implementations that are not ours.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "live")]
mod a_year;
mod acl_apply;
mod acl_decisions;
mod acl_export;
#[cfg(feature = "live")]
mod acl_faults;
#[cfg(feature = "live")]
mod acl_frozen;
mod acl_lint;
mod acl_plan;
mod acl_principal;
#[cfg(feature = "live")]
mod acl_prune;
#[cfg(feature = "live")]
mod acl_waiting;
#[cfg(feature = "live")]
mod admin;
mod authorizer;
mod backup;
mod believed;
mod brought;
mod bundle;
mod ca;
mod clock_back;
mod cluster;
#[cfg(feature = "live")]
mod cluster_identity;
mod completions;
mod configs;
mod crash;
mod doctor;
mod elsewhere;
mod first_steps;
mod forged;
mod full_disk;
mod harness;
mod inspect;
mod issue;
mod issuers;
mod journal;
mod layouts;
mod linted;
mod list;
mod lists;
mod man;
mod modes;
mod new_user;
mod nodes;
mod policies;
mod policy_import;
mod policy_meaning;
mod policy_new;
mod policy_texts;
mod principal;
mod probe;
mod readme;
mod reload;
mod renew;
mod report;
mod revoke;
#[cfg(feature = "live")]
mod revoke_live;
mod robust;
#[cfg(feature = "live")]
mod roles;
mod rooms;
mod rotate;
mod scopes;
#[cfg(feature = "live")]
mod scram_apply;
mod scram_vectors;
mod security;
mod shared_directory;
mod sign;
mod status;
mod store_convert;
mod store_inspect;
mod stores;
#[cfg(feature = "live")]
mod story;
mod support;
mod terminal;
mod trust;
mod two_at_once;
mod up;
mod up_living;
mod verify;
mod verify_hints;
#[cfg(feature = "live")]
mod verify_live;
