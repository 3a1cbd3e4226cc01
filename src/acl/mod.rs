//! Kafka's access control: its vocabulary, bindings that mean something, and the authorizer's decision.
//!
//! Pure: nothing here touches disk, network, clock or environment.

mod authorizer;
mod binding;
mod filter;
mod grouped;
mod host;
mod index;
mod kafka_acls;
mod principal;
mod problem;
mod raw_binding;
mod version;
mod vocabulary;

pub use authorizer::{Authorizer, Decision, Reason, Request, RequestError, Settings, super_users};
pub use binding::{Binding, Interner};
pub use filter::AclBindingFilter;
pub(crate) use grouped::NO_WORDS;
pub use grouped::{Group, LeftOut, grouped};
pub use host::client_address;
pub use kafka_acls::{Script, kafka_acls, kafka_acls_command};
pub use principal::{ANONYMOUS, EVERYONE, NotAPrincipal, Principal, PrincipalPattern};
pub use problem::{Problem, ProblemCode};
pub use raw_binding::RawBinding;
pub use version::{KafkaVersion, NotAVersion};
pub use vocabulary::{CLUSTER_NAME, Operation, PatternType, Permission, ResourceType, UnknownWord};
