//! Configuration as text: of brokers, of the storage tool and of clients in each ecosystem. No file is read or written here.

mod client;
mod client_java;
#[cfg(test)]
mod decided;
mod error;
#[cfg(test)]
mod fixture;
mod jaas;
mod layout;
mod librdkafka;
mod properties;
mod quarkus;
mod server;
mod spring;
mod storage;
mod stores;

pub use client::{ClientInput, FORMATS, Format, Route, route};
pub use error::ConfigError;
pub use layout::{FileNames, LAYOUTS, Layout, StoreType, layout};
pub use properties::{Properties, PropertiesError};
pub use server::{ServerInput, server_properties};
pub use storage::{STORAGE_ARGS, cluster_id, storage_args};
pub use stores::Stores;
