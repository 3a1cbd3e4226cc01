//! The dynamic configuration of a broker (KIP-226).

use std::time::Duration;

use super::{
    client::{Admin, Repeat},
    error::AdminError,
};
use crate::deeds::did;

/// How long to wait for a broker, which may be down or not exist.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The same, if there are other brokers to ask.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(5);
const READ: &str = "reading the broker's configuration";
const WRITE: &str = "changing the broker's configuration";

/// A broker's setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; brokers do not return passwords.
    pub value: Option<String>,
    /// Whether it was set dynamically for this broker.
    pub dynamic: bool,
}

impl Admin {
    /// The node ids of the brokers that are up.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn brokers(&mut self) -> Result<Vec<i32>, AdminError> {
        let cluster = self.ask(READ, Repeat::Safe, |handle, wait| {
            handle.describe_cluster(wait.at_most(TIMEOUT))
        })?;
        Ok(cluster.brokers)
    }

    /// All settings of a broker, by its node id.
    ///
    /// # Errors
    /// If there is no such broker, or the principal lacks DescribeConfigs on the cluster.
    pub fn describe_broker(&mut self, broker: i32) -> Result<Vec<ConfigEntry>, AdminError> {
        // Only that broker can answer, so a retry would not help.
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

    /// Sets (`Some`) or removes (`None`) dynamic settings of one broker: all of them, or none if the broker refuses
    /// one. Setting a store's location to its current value makes the broker read the file again.
    ///
    /// # Errors
    /// The broker's reason, such as a missing AlterConfigs on the cluster.
    pub fn alter_broker(
        &mut self,
        broker: i32,
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), AdminError> {
        did("changed the settings of", format!("broker {broker}"));
        let told = self.ask(WRITE, Repeat::Never, |handle, wait| {
            handle.alter_broker(broker, changes, wait.at_most(TIMEOUT))
        });
        told.map_err(|error| match error {
            AdminError::Unsupported(what, _) => AdminError::NoSettingRequests(what),
            other => other,
        })
    }
}
