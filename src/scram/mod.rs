//! SCRAM credentials as Kafka derives and stores them.

mod credential;
mod exchange;
mod file;
mod forms;
mod mechanism;

pub use credential::{
    Credential, DEFAULT_ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, SALT_LEN, ScramError, ScramInfo,
};
pub use exchange::{Exchange, ExchangeError, Proof};
pub use file::{parse_file, write_file};
pub use forms::{CredentialJson, ZookeeperUser, kraft_argument, zookeeper};
pub use mechanism::{Mechanism, UnknownMechanism};
