//! The dynamic configuration of a broker (KIP-226).

use std::time::Duration;

use super::{
    client::{Admin, Repeat},
    error::AdminError,
    raw,
};

/// A broker that is down, or does not exist, is not waited for longer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The same, where others can be asked.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(5);
const READ: &str = "reading the broker's configuration";
const WRITE: &str = "changing the broker's configuration";

/// Where a broker has a setting from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for this broker while it runs.
    DynamicBroker,
    /// Set for all brokers while they run.
    DynamicDefault,
    /// In the file that it started with.
    Static,
    /// Nowhere.
    Default,
    /// Elsewhere.
    Other,
}

/// A broker's setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; brokers do not show those of passwords.
    pub value: Option<String>,
    /// Where the broker has it from.
    pub source: ConfigSource,
    /// Whether it can only be changed with a restart.
    pub read_only: bool,
    /// Whether it is a password.
    pub sensitive: bool,
}

impl Admin {
    /// The node ids of the brokers that are up.
    ///
    /// # Errors
    /// No broker answers.
    pub fn brokers(&mut self) -> Result<Vec<i32>, AdminError> {
        let cluster = self.ask(READ, Repeat::Safe, |handle, timeout, watch| {
            handle.describe_cluster(timeout.min(TIMEOUT), watch)
        })?;
        Ok(cluster.brokers)
    }

    /// All settings of a broker, by its node id.
    ///
    /// # Errors
    /// No such broker, or not allowed: DescribeConfigs on the cluster is needed.
    pub fn describe_broker(&mut self, broker: i32) -> Result<Vec<ConfigEntry>, AdminError> {
        // Only that broker can answer: asking again would come to the same.
        let configs = self.ask(READ, Repeat::Never, |handle, timeout, watch| {
            handle.describe_broker(broker, timeout.min(TIMEOUT), watch)
        })?;
        let setting = |config: raw::Config| ConfigEntry {
            name: config.name,
            value: config.value,
            source: match config.source {
                2 => ConfigSource::DynamicBroker,
                3 => ConfigSource::DynamicDefault,
                4 => ConfigSource::Static,
                5 => ConfigSource::Default,
                _ => ConfigSource::Other,
            },
            read_only: config.read_only,
            sensitive: config.sensitive,
        };
        Ok(configs.into_iter().map(setting).collect())
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
        let mut described = None;
        for broker in brokers {
            match self.describe_broker(broker) {
                Err(error) if error.leaves_open() => {}
                other => {
                    described = Some(other);
                    break;
                }
            }
        }
        self.set_timeout(before);
        described.unwrap_or_else(|| self.describe_broker(last))
    }

    /// Sets (`Some`) or removes (`None`) dynamic settings of one broker: all of them or, where it refuses one, none.
    /// ConfigEntry a store's location to the value that it has makes the broker read the file again.
    ///
    /// # Errors
    /// The broker's reason; AlterConfigs on the cluster is needed.
    pub fn alter_broker(
        &mut self,
        broker: i32,
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), AdminError> {
        self.ask(WRITE, Repeat::Never, |handle, timeout, watch| {
            handle.alter_broker(broker, changes, timeout.min(TIMEOUT), watch)
        })
    }
}
