//! Configuration as text, for brokers, the storage tool and clients in each ecosystem. No files are read or written
//! here.

mod address;
mod client;
#[cfg(test)]
mod decided;
mod diff;
mod error;
#[cfg(test)]
mod fixture;
mod foreign;
mod formats;
mod jaas;
mod java;
mod json;
mod known;
mod librdkafka;
mod mask;
mod node;
mod properties;
mod quarkus;
mod server;
mod spring;
mod storage;
mod stores;

pub use address::{Endpoint, endpoints, tls_endpoints};
pub use client::{ClientInput, Route, route};
pub use diff::{added_settings, changed_settings, masked_diff};
pub use error::ConfigError;
pub use formats::{client_config, client_file_name};
pub use mask::Text;
pub use node::NodeFacts;
pub use properties::{Properties, PropertiesError};
pub use server::{ServerInput, server_properties};
pub use storage::{STORAGE_ARGS, cluster_id, formatted_for, is_cluster_id, storage_args};
pub use stores::Stores;
