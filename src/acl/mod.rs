//! Kafka's access control: its vocabulary, bindings that mean something, and the authorizer's decision.
//!
//! Pure: nothing here touches disk, network, clock or environment.

mod authorizer;
mod binding;
mod grouped;
mod host;
mod index;
mod problem;
mod version;
mod vocabulary;

pub use authorizer::{Authorizer, Decision, Reason, Request, RequestError, Settings, super_users};
pub use binding::{Binding, Interner, RawBinding};
pub use grouped::{Group, grouped};
pub use host::client_address;
pub use problem::Problem;
pub use version::{KafkaVersion, NotAVersion};
pub use vocabulary::{CLUSTER_NAME, Operation, PatternType, Permission, ResourceType, UnknownWord};
