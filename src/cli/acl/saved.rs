//! A saved plan, and whether it is still the plan.

use std::path::Path;

use super::{
    super::{
        cluster::Connection,
        policy::{Text, read_policy_file},
        shell,
    },
    CliError, Code, Done, Failure, ReadPolicy,
    plan::DeletionOptions,
    ui::{BOLD, Ui},
};
use crate::{
    admin::Admin,
    apply::observed::Observed,
    plan::{AclPlan, Managed, PlanFileError, PlannedCluster, SavedPlan},
};

/// A plan in a file.
pub struct Saved<'a> {
    /// The file.
    path: &'a str,
    /// The output directory, for the commands in hints.
    out: &'a Path,
    /// The plan.
    pub plan: SavedPlan,
}

impl<'a> Saved<'a> {
    /// The plan in a file; `None` where it is something else, such as a policy.
    ///
    /// # Errors
    /// A plan that is damaged, or written by another kpki.
    pub fn parse(path: &'a str, out: &'a Path, text: &Text) -> Result<Option<Self>, Failure> {
        if !SavedPlan::is_meant(&text.text) && !path.ends_with(".plan") {
            return Ok(None);
        }
        let error = match SavedPlan::parse(&text.text) {
            Ok(plan) => return Ok(Some(Saved { path, out, plan })),
            Err(error) => error,
        };
        // Plans of every version name it.
        let policy = serde_json::from_str::<serde_json::Value>(&text.text).ok();
        let policy = policy.as_ref().and_then(|plan| plan["policy"].as_str());
        let hint = format!(
            "plan again with this kpki, and review that:\n  {} acl plan {} --save {}",
            shell::kpki(out),
            policy.map_or_else(|| "POLICY".to_owned(), shell::path),
            shell::quote(path)
        );
        let message = format!("{path}: {error}");
        Err(match error {
            PlanFileError::NoCluster => CliError::new(Code::PlanStale, message).hint(hint),
            PlanFileError::LaterVersion(_) => {
                CliError::new(Code::PlanVersion, message).hint(hint).usage()
            }
            PlanFileError::Malformed(_) => CliError::new(Code::PlanMalformed, message)
                .hint(hint)
                .usage(),
        }
        .into())
    }

    /// Whether the options of the command agree with the plan.
    ///
    /// # Errors
    /// They ask for what was not reviewed.
    pub fn check_options(&self, options: DeletionOptions) -> Done {
        let path = self.path;
        if options.prune && !self.plan.prune {
            return Err(CliError::misuse(
                format!("{path} was made without --prune, and is applied as it was reviewed"),
                format!("plan again:\n  {}", self.again(true)),
            )
            .into());
        }
        Ok(())
    }

    /// The policy that the plan was made from, read once: what it says is what was reviewed.
    ///
    /// # Errors
    /// It cannot be read, is invalid, or is another one by now.
    pub fn policy(&self) -> Result<ReadPolicy, Failure> {
        let path = self.path;
        let read = read_policy_file(&self.plan.policy).map_err(|failure| match failure {
            Failure::Error(error) if error.code() == Code::PolicyUnreadable => CliError::new(
                Code::PolicyUnreadable,
                format!(
                    "{path} is applied together with its policy: {}",
                    error.message()
                ),
            )
            .hint("apply the plan in the directory where it was made, with the policy in its place")
            .into(),
            other => other,
        })?;
        match self.plan.policy_sha256 == read.sha256 {
            true => Ok(read),
            false => Err(self.stale(&format!(
                "the policy {}, or a file that it includes, has changed",
                self.plan.policy
            ))),
        }
    }

    /// How to connect: as the plan says, whatever a policy says by now.
    pub fn connection(&self, named: &Connection) -> Connection {
        match &self.plan.cluster {
            Some(cluster) => named.of_plan(cluster),
            None => named.clone(),
        }
    }

    /// Shows what is about to be done where, and whether this is the cluster that the plan was made for.
    ///
    /// # Errors
    /// It is another one.
    pub fn check_id(&self, ui: &Ui, admin: &Admin) -> Done {
        let unknown = "of unknown id";
        let connected = admin.cluster_id();
        ui.say(format!(
            "{BOLD}plan{BOLD:#}     {}\n{BOLD}policy{BOLD:#}   {}\n{BOLD}cluster{BOLD:#}  {} at {}",
            self.path,
            self.plan.policy,
            connected.unwrap_or(unknown),
            admin.servers()
        ));
        let Some(PlannedCluster { id: Some(id), .. }) = &self.plan.cluster else {
            return Ok(());
        };
        if connected == Some(id) {
            return Ok(());
        }
        Err(CliError::new(
            Code::PlanOtherCluster,
            format!(
                "{} was made for the cluster {id}, and {} is the cluster {}; nothing was changed",
                self.path,
                admin.servers(),
                connected.unwrap_or(unknown),
            ),
        )
        .hint(format!(
            "connect to the plan's cluster (--bootstrap-server HOST:PORT), or plan for this one and review that:\n  {}",
            self.again(self.plan.prune)
        ))
        .into())
    }

    /// Whether the cluster is still the one that the plan was made for; `plan` is what would be planned now.
    ///
    /// # Errors
    /// It is not.
    pub fn check_cluster(&self, read: &ReadPolicy, observed: &Observed, plan: &AclPlan) -> Done {
        let managed = Managed::of(&read.policy.managed());
        let checked = self.plan.check(&observed.bindings, &managed, plan);
        checked.map_err(|stale| self.stale(&stale.to_string()))
    }

    fn stale(&self, what: &str) -> Failure {
        CliError::new(
            Code::PlanStale,
            format!(
                "{} is no longer valid: {what}; nothing was changed",
                self.path
            ),
        )
        .hint(format!(
            "plan again and review that:\n  {}",
            self.again(self.plan.prune)
        ))
        .into()
    }

    /// The command that makes the plan anew.
    pub fn again(&self, prune: bool) -> String {
        let SavedPlan {
            policy, cluster, ..
        } = &self.plan;
        let mut command = format!("{} acl plan {}", shell::kpki(self.out), shell::path(policy));
        if prune {
            command.push_str(" --prune");
        }
        let mut option = |name: &str, value: &str| {
            command.push_str(&format!(" {name} {}", shell::quote(value)));
        };
        if let Some(cluster) = cluster {
            if cluster.servers_named {
                option("--bootstrap-server", &cluster.bootstrap_servers);
            }
            if let Some(config) = &cluster.command_config {
                option("--command-config", config);
            }
        }
        option("--save", self.path);
        command
    }
}
