//! What every command that talks to a cluster takes, and how it gets there.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, Failure, connect::connect, ui::Ui};
use crate::{
    admin::{Admin, AdminError, ClientProperties, ClientPropertiesError},
    policy::ValidatedPolicy,
};

/// Which cluster, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Brokers to connect to [default: bootstrap.servers of --command-config, else the policy's bootstrap_servers]
    #[arg(long, value_name = "HOST:PORT,…", value_parser = servers)]
    pub bootstrap_server: Option<String>,
    /// A Java client's properties [default: OUT/ADMIN/client.properties, ADMIN from the policy's cluster section]
    #[arg(long, value_name = "FILE")]
    pub command_config: Option<PathBuf>,
}

impl Connection {
    /// Whether the command line names a cluster.
    pub fn is_named(&self) -> bool {
        self.bootstrap_server.is_some() || self.command_config.is_some()
    }

    /// How to connect: the properties that are named, else those that `kpki up` wrote for the policy's admin.
    ///
    /// # Errors
    /// When there are none, or they cannot be used.
    pub fn properties(
        &self,
        ui: &Ui,
        policy: Option<&ValidatedPolicy>,
        out: &Path,
    ) -> Result<ClientProperties, Failure> {
        let servers = match (&self.bootstrap_server, &self.command_config, policy) {
            (Some(servers), _, _) => Some(servers.clone()),
            (None, None, Some(policy)) => Some(policy.cluster.bootstrap_servers.join(",")),
            (None, _, _) => None,
        };
        let servers = servers.as_deref().filter(|servers| !servers.is_empty());
        let path = match (&self.command_config, admin_properties(policy, out)) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) if path.exists() => path,
            (None, Some(path)) => {
                return Err(CliError::new(
                    "no-cluster",
                    format!(
                        "the cluster's admin has no connection settings yet: {} is not there",
                        path.display()
                    ),
                )
                .hint("kpki up POLICY writes them (--out DIR says where they are); for another client give --command-config client.properties")
                .usage()
                .into());
            }
            (None, None) => {
                return Err(CliError::new(
                    "no-cluster",
                    "nothing says which cluster is meant, and as whom to connect",
                )
                .hint("give --command-config client.properties (and --bootstrap-server HOST:PORT), or name an admin in the policy's cluster section and run kpki up")
                .usage()
                .into());
            }
        };
        let said = policy.map(|p| p.cluster.bootstrap_servers.join(","));
        let said = said.as_deref().filter(|servers| !servers.is_empty());
        let read = match (&self.command_config, servers, said) {
            // What kpki up wrote names every broker by the address for clients; the policy says kpki's own.
            (None, None, Some(said)) => ClientProperties::read(&path, Some(said)),
            (Some(_), None, Some(said)) => match ClientProperties::read(&path, None) {
                Err(ClientPropertiesError::Missing("bootstrap.servers")) => {
                    ClientProperties::read(&path, Some(said))
                }
                other => other,
            },
            _ => ClientProperties::read(&path, servers),
        };
        let properties = read.map_err(AdminError::from)?;
        ui.detail(format!("connecting to {}", properties.bootstrap_servers));
        for note in &properties.notes {
            // What kpki wrote itself is no news to its user.
            match self.command_config {
                Some(_) => ui.note(note),
                None => ui.detail(note),
            }
        }
        Ok(properties)
    }

    /// A connection that has logged in.
    ///
    /// # Errors
    /// Why there is none.
    pub fn connect(
        &self,
        ui: &Ui,
        policy: Option<&ValidatedPolicy>,
        out: &Path,
    ) -> Result<Admin, Failure> {
        let properties = self.properties(ui, policy, out)?;
        Ok(connect(ui, &properties)?)
    }
}

/// Servers with their ports. An empty list, as of a variable that is not set, must not mean another cluster.
fn servers(text: &str) -> Result<String, String> {
    let named = |server: &str| {
        let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        let parts = server.trim().rsplit_once(':');
        parts.is_some_and(|(host, number)| !host.is_empty() && port(number))
    };
    match text.split(',').find(|server| !named(server)) {
        Some(server) => Err(format!("`{server}` is not HOST:PORT")),
        None => Ok(text.to_owned()),
    }
}

/// The file that `kpki up` writes for the policy's admin.
fn admin_properties(policy: Option<&ValidatedPolicy>, out: &Path) -> Option<PathBuf> {
    let admin = policy?.cluster.admin.as_ref()?;
    Some(out.join(admin.as_str()).join("client.properties"))
}
