//! A running broker's settings, as far as they are about the stores of its listeners.

use std::collections::BTreeMap;

use crate::admin::ConfigEntry;

/// The most often that a listener is asked in one check; a broker has 3 network threads unless it is told otherwise.
pub const MOST_THREADS: usize = 32;

/// The setting with the keystore of every listener that has none of its own.
pub const LOCATION: &str = "ssl.keystore.location";

/// The keystore of a listener.
#[derive(Debug, PartialEq, Eq)]
pub struct Store {
    /// Where it is on the broker's machine.
    pub path: String,
    /// Someone has set a dynamic path that differs from the one in the broker's file.
    pub stays: bool,
    /// It is set now.
    pub is_set: bool,
}

/// The setting with a listener's own keystore.
pub fn setting(listener: &str) -> String {
    format!("listener.name.{}.{LOCATION}", listener.to_ascii_lowercase())
}

/// The settings of a broker, by name.
pub struct Settings(pub BTreeMap<String, ConfigEntry>);

impl Settings {
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.value.as_deref()?.trim();
        (!value.is_empty()).then_some(value)
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let text = self.get(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
    }

    /// The name and address of each TLS listener, and whether it belongs to the controllers. A controllers' listener
    /// without a usable address is left out.
    pub fn listeners(&self) -> Vec<(String, String, bool)> {
        let by_name = |setting| -> BTreeMap<&str, &str> {
            self.list(setting)
                .filter_map(|l| l.split_once("://"))
                .collect()
        };
        let (bound, advertised) = (by_name("listeners"), by_name("advertised.listeners"));
        let protocols: BTreeMap<&str, &str> = self
            .list("listener.security.protocol.map")
            .filter_map(|pair| pair.split_once(':'))
            .collect();
        let mut found = Vec::new();
        for (name, at) in bound {
            let protocol = protocols.get(name).copied().unwrap_or(name);
            if !matches!(protocol, "SSL" | "SASL_SSL") {
                continue;
            }
            let is_controllers = self.list("controller.listener.names").any(|c| c == name);
            let address = advertised.get(name).copied().unwrap_or(at);
            let anywhere = ["", "0.0.0.0", "[::]"];
            let host = address.rsplit_once(':').map_or("", |(host, _)| host);
            if !(is_controllers && anywhere.contains(&host)) {
                found.push((name.to_owned(), address.to_owned(), is_controllers));
            }
        }
        found
    }

    /// The number of network threads of a listener.
    pub fn threads(&self, listener: &str) -> usize {
        const THREADS: &str = "num.network.threads";
        let own = format!("listener.name.{}.{THREADS}", listener.to_ascii_lowercase());
        let said = self.get(&own).or(self.get(THREADS));
        let threads = said.and_then(|threads| threads.parse().ok());
        threads.unwrap_or(3).clamp(1, MOST_THREADS)
    }

    /// The keystore of a listener.
    pub fn store(&self, listener: &str) -> Option<Store> {
        let own = setting(listener);
        let is_set = self.0.get(&own).is_some_and(|entry| entry.dynamic);
        let general = self.get(LOCATION);
        let path = self.get(&own).or(general)?.to_owned();
        Some(Store {
            stays: is_set && general.is_some_and(|general| general != path),
            is_set,
            path,
        })
    }
}
