//! SCRAM credentials as Kafka derives and stores them.

mod credential;
mod file;
mod forms;
mod info;
mod mechanism;

pub use credential::{
    Credential, DEFAULT_ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, SALT_LEN, ScramError,
};
pub use file::{parse_file, write_file};
pub use forms::{CredentialJson, ZookeeperUser, kraft_argument, zookeeper};
pub use info::ScramInfo;
pub use mechanism::{Mechanism, UnknownMechanism};
