//! The dynamic configuration of a broker (KIP-226).

use std::time::Duration;

use super::{
    client::{Admin, Repeat},
    error::AdminError,
};
use crate::deeds::did;

/// A broker that is down, or does not exist, is not waited for longer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The same, where others can be asked.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(5);
const READ: &str = "reading the broker's configuration";
const WRITE: &str = "changing the broker's configuration";

/// A broker's setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; brokers do not show those of passwords.
    pub value: Option<String>,
    /// Whether it was set for this broker while it runs.
    pub dynamic: bool,
}

impl Admin {
    /// The node ids of the brokers that are up.
    ///
    /// # Errors
    /// No broker answers.
    pub fn brokers(&mut self) -> Result<Vec<i32>, AdminError> {
        let cluster = self.ask(READ, Repeat::Safe, |handle, wait| {
            handle.describe_cluster(wait.at_most(TIMEOUT))
        })?;
        Ok(cluster.brokers)
    }

    /// All settings of a broker, by its node id.
    ///
    /// # Errors
    /// No such broker, or not allowed: DescribeConfigs on the cluster is needed.
    pub fn describe_broker(&mut self, broker: i32) -> Result<Vec<ConfigEntry>, AdminError> {
        // Only that broker can answer: asking again would come to the same.
        self.ask(READ, Repeat::Never, |handle, wait| {
            handle.describe_broker(broker, wait.at_most(TIMEOUT))
        })
    }

    /// All settings of the first broker that answers.
    ///
    /// # Errors
    /// As [`Admin::describe_broker`].
    pub fn describe_some_broker(&mut self) -> Result<Vec<ConfigEntry>, AdminError> {
        let mut brokers = self.brokers()?;
        brokers.sort_unstable();
        let last = brokers.pop().unwrap_or_default();
        let before = self.set_timeout(ONE_OF_SEVERAL);
        let described = brokers
            .into_iter()
            .map(|broker| self.describe_broker(broker))
            .find(|described| !matches!(described, Err(error) if error.leaves_open()));
        self.set_timeout(before);
        described.unwrap_or_else(|| self.describe_broker(last))
    }

    /// Sets (`Some`) or removes (`None`) dynamic settings of one broker: all of them or, where it refuses one, none.
    /// Setting a store's location to the value that it has makes the broker read the file again.
    ///
    /// # Errors
    /// The broker's reason; AlterConfigs on the cluster is needed.
    pub fn alter_broker(
        &mut self,
        broker: i32,
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), AdminError> {
        did("changed the settings of", format!("broker {broker}"));
        self.ask(WRITE, Repeat::Never, |handle, wait| {
            handle.alter_broker(broker, changes, wait.at_most(TIMEOUT))
        })
    }
}
