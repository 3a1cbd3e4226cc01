//! The options of every command that talks to a cluster, and how it connects.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{CliError, Code, Done, Failure, fail, shell, ui::Ui, utf8_path};
use crate::{
    admin::{Admin, AdminError, ClientProperties, ClientPropertiesError},
    bootstrap::{
        connection::{self, ConnectionError},
        nodes::kept_cluster_id,
    },
    plan::PlannedCluster,
    policy::{Mode, ValidatedPolicy},
    printable::Printable,
    state::OutDir,
};

/// Which cluster to connect to, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Brokers to connect to [default: bootstrap.servers of --command-config, else the policy's bootstrap_servers]
    #[arg(long, value_name = "HOST:PORT,…", value_parser = servers)]
    pub bootstrap_server: Option<String>,
    /// A Java client's properties [default: the one in OUT/ADMIN, ADMIN from the policy's cluster section]
    #[arg(long, value_name = "FILE", value_parser = utf8_path)]
    pub command_config: Option<PathBuf>,
}

impl Connection {
    pub fn is_named(&self) -> bool {
        self.bootstrap_server.is_some() || self.command_config.is_some()
    }

    /// The connection of a plan, where the command line names no other.
    pub fn of_plan(&self, plan: &PlannedCluster) -> Connection {
        let servers = || Some(plan.bootstrap_servers.clone());
        let config = || plan.command_config.as_ref().map(PathBuf::from);
        Connection {
            bootstrap_server: self.bootstrap_server.clone().or_else(servers),
            command_config: self.command_config.clone().or_else(config),
        }
    }

    pub fn planned(&self, properties: &ClientProperties, admin: &Admin) -> PlannedCluster {
        let config = self.command_config.as_ref();
        PlannedCluster {
            id: admin.cluster_id().map(str::to_owned),
            bootstrap_servers: properties.bootstrap_servers.clone(),
            servers_named: self.bootstrap_server.is_some(),
            command_config: config.map(|path| path.display().to_string()),
        }
    }

    /// How to connect: with the given properties, else as the policy's admin, with the files that `kpki up` made for
    /// it.
    pub fn properties(
        &self,
        ui: &Ui,
        policy: Option<&ValidatedPolicy>,
        out: &Path,
    ) -> Result<ClientProperties, Failure> {
        let properties = match (&self.command_config, policy) {
            (Some(path), _) => self.named(ui, path, policy)?,
            (None, Some(policy)) => {
                let servers = self.bootstrap_server.as_deref();
                connection::of_admin(policy, &OutDir::new(out), servers)
                    .map_err(|e| no_admin(e, policy, out))?
            }
            (None, None) => {
                return Err(unnamed(
                    "neither the cluster nor the client to connect as is given",
                ));
            }
        };
        ui.detail(format!("connecting to {}", properties.bootstrap_servers));
        Ok(properties)
    }

    /// The same without a policy: with the given properties, else as the one client in `out` that is among these super
    /// users.
    ///
    /// # Errors
    /// If there are none, or they cannot be used.
    pub fn properties_of_super_user(
        &self,
        ui: &Ui,
        super_users: &[String],
        out: &Path,
    ) -> Result<ClientProperties, Failure> {
        if self.command_config.is_some() {
            return self.properties(ui, None, out);
        }
        let servers = self.bootstrap_server.as_deref();
        let found = connection::of_super_user(&OutDir::new(out), super_users, servers);
        let properties = found.map_err(|error| match error {
            ConnectionError::Bootstrap(error) => Failure::from(error),
            ConnectionError::Properties(error) => AdminError::from(error).into(),
            other => CliError::new(Code::NoCluster, other.to_string())
                .hint("say as whom to connect: --command-config client.properties")
                .usage()
                .into(),
        })?;
        ui.detail(format!("connecting to {}", properties.bootstrap_servers));
        Ok(properties)
    }

    /// A Java client's properties, with kpki's notes and warnings about them.
    fn named(
        &self,
        ui: &Ui,
        path: &Path,
        policy: Option<&ValidatedPolicy>,
    ) -> Result<ClientProperties, Failure> {
        let servers = self.bootstrap_server.as_deref();
        let said = policy.map(|p| p.cluster.bootstrap_servers.join(","));
        let said = said.as_deref().filter(|said| !said.is_empty());
        let read = match (ClientProperties::read(path, servers), said) {
            (Err(ClientPropertiesError::Missing("bootstrap.servers")), Some(said)) => {
                ClientProperties::read(path, Some(said))
            }
            (read, _) => read,
        };
        let properties = read.map_err(AdminError::from)?;
        for note in &properties.notes {
            ui.note(note);
        }
        if properties.tls.as_ref().is_some_and(|tls| !tls.check_host) {
            ui.warn(format!(
                "{}: ssl.endpoint.identification.algorithm is empty, so host names are not verified: anyone with a certificate of a trusted CA can impersonate a broker; remove that line",
                path.display()
            ));
        }
        Ok(properties)
    }

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

/// Connects and logs in. On a terminal, a note after a second says what it is waiting for.
pub fn connect(ui: &Ui, properties: &ClientProperties) -> Result<Admin, AdminError> {
    let watched = io::stderr().is_terminal() && !ui.quiet && !ui.json;
    Admin::connect_telling(properties, &mut |servers| {
        if watched {
            ui.note(format!("waiting for {} …", Printable(servers)));
        }
    })
}

/// Refuses to change a cluster other than the one whose disks this output directory formats.
pub fn check_id(policy: &ValidatedPolicy, out: &Path, admin: &Admin) -> Done {
    let Some((ours, theirs)) = other_id(policy, out, admin)? else {
        return Ok(());
    };
    let (servers, out) = (admin.servers(), out.display());
    fail(
        Code::OtherCluster,
        format!(
            "{servers} is the cluster {theirs}, and {out} belongs to the cluster {ours} ({out}/cluster.id); nothing was changed"
        ),
        format!(
            "connect to the right cluster (bootstrap_servers in the policy, --bootstrap-server), or use --out to give the directory that belongs to this one; if its disks were formatted with a different id from the one in format-storage.args, write {theirs} into {out}/cluster.id"
        ),
    )
}

/// The same for a command that changes nothing: a warning.
pub fn compare_id(ui: &Ui, policy: &ValidatedPolicy, out: &Path, admin: &Admin) -> Done {
    if let Some((ours, theirs)) = other_id(policy, out, admin)? {
        ui.warn(format!(
            "{} is the cluster {theirs}, and {} belongs to the cluster {ours}: nothing can be applied there",
            admin.servers(),
            out.display()
        ));
    }
    Ok(())
}

/// The id of this output directory's cluster and that of the connected one, if they differ.
fn other_id(
    policy: &ValidatedPolicy,
    out: &Path,
    admin: &Admin,
) -> Result<Option<(String, String)>, Failure> {
    // Only brokers of the policy are formatted with the id in that file.
    if policy.cluster.mode != Mode::Kraft || policy.brokers.is_empty() {
        return Ok(None);
    }
    let ours = kept_cluster_id(&OutDir::new(out))?;
    let theirs = admin.cluster_id().map(str::to_owned);
    Ok(ours.zip(theirs).filter(|(ours, theirs)| ours != theirs))
}

fn no_admin(error: ConnectionError, policy: &ValidatedPolicy, out: &Path) -> Failure {
    match error {
        ConnectionError::Bootstrap(error) => error.into(),
        ConnectionError::NoAdmin | ConnectionError::NoServers => unnamed(&error.to_string()),
        other => CliError::new(Code::NoCluster, other.to_string())
            .hint(format!(
                "create it, or give its directory with --out; to connect as another client, give --command-config client.properties\n  {} up {}",
                shell::kpki(out),
                shell::path(&policy.places.file.file)
            ))
            .usage()
            .into(),
    }
}

fn unnamed(message: &str) -> Failure {
    CliError::new(Code::NoCluster, message)
        .hint("give --command-config client.properties (and --bootstrap-server HOST:PORT), or name admin and bootstrap_servers in the policy's cluster section and run kpki up")
        .usage()
        .into()
}

/// Servers with their ports. An empty list, such as from an unset variable, must not select another cluster.
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
