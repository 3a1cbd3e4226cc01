//! A saved plan, and whether it is still valid.

use std::path::Path;

use super::{
    super::{
        cluster::Connection,
        planned::DeletionOptions,
        policy::{Text, read_policy_file},
        shell,
    },
    CliError, Code, Done, Failure, ReadPolicy, fail,
    ui::{BOLD, Ui},
};
use crate::{
    admin::Admin,
    apply::observed::Observed,
    plan::{AclPlan, Managed, PlanFileError, PlannedCluster, SavedPlan},
};

/// A plan in a file.
pub struct Saved<'a> {
    path: &'a str,
    /// The output directory, for the commands in hints.
    out: &'a Path,
    pub plan: SavedPlan,
}

impl<'a> Saved<'a> {
    /// The plan in a file; `None` if it is something else, such as a policy.
    pub fn parse(path: &'a str, out: &'a Path, text: &Text) -> Result<Option<Self>, Failure> {
        if !SavedPlan::is_meant(&text.text) && !path.ends_with(".plan") {
            return Ok(None);
        }
        let error = match SavedPlan::parse(&text.text) {
            Ok(plan) => return Ok(Some(Saved { path, out, plan })),
            Err(error) => error,
        };
        // Plans of every version contain it.
        let policy = serde_json::from_str::<serde_json::Value>(&text.text).ok();
        let policy = policy.as_ref().and_then(|plan| plan["policy"].as_str());
        let hint = format!(
            "plan again with this kpki, and review that:\n  {} acl plan {} --save {}",
            shell::kpki(out),
            policy.map_or_else(|| "POLICY".to_owned(), shell::path),
            shell::quote(path)
        );
        let message = format!("{path}: {error}");
        let code = match error {
            PlanFileError::NoCluster => return fail(Code::PlanStale, message, hint),
            PlanFileError::LaterVersion(_) => Code::PlanVersion,
            PlanFileError::Malformed(_) => Code::PlanMalformed,
        };
        Err(CliError::new(code, message).hint(hint).usage().into())
    }

    /// Whether the options of the command agree with the plan.
    pub fn check_options(&self, options: DeletionOptions) -> Done {
        let path = self.path;
        if options.prune && !self.plan.prune {
            return Err(CliError::misuse(
                format!("{path} was made without --prune, and plans are applied as reviewed"),
                format!("plan again:\n  {}", self.again(true)),
            )
            .into());
        }
        Ok(())
    }

    /// The policy that the plan was made from, read once, so that exactly what was reviewed is used.
    pub fn policy(&self) -> Result<ReadPolicy, Failure> {
        let path = self.path;
        let read = read_policy_file(&self.plan.policy).map_err(|failure| match failure {
            Failure::Errors(errors) if errors[0].code == Code::PolicyUnreadable => CliError::new(
                Code::PolicyUnreadable,
                format!(
                    "{path} can only be applied together with its policy: {}",
                    errors[0].message
                ),
            )
            .hint("apply the plan in the directory where it was made, with the policy in its place")
            .into(),
            other => other,
        })?;
        if self.plan.policy_sha256 == read.sha256 {
            return Ok(read);
        }
        let policy = &self.plan.policy;
        self.stale(&format!(
            "the policy {policy}, or a file that it includes, has changed"
        ))
    }

    /// How to connect: as in the plan, even if the policy has changed.
    pub fn connection(&self, named: &Connection) -> Connection {
        match &self.plan.cluster {
            Some(cluster) => named.of_plan(cluster),
            None => named.clone(),
        }
    }

    /// Shows the plan, policy and cluster, and refuses a cluster that the plan was not made for.
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
        fail(
            Code::PlanOtherCluster,
            format!(
                "{} was made for the cluster {id}, and {} is the cluster {}; nothing was changed",
                self.path,
                admin.servers(),
                connected.unwrap_or(unknown),
            ),
            format!(
                "connect to the plan's cluster (--bootstrap-server HOST:PORT), or plan for this one and review that:\n  {}",
                self.again(self.plan.prune)
            ),
        )
    }

    /// Refuses a cluster that has changed since the plan was made; `plan` is what would be planned now.
    pub fn check_cluster(&self, read: &ReadPolicy, observed: &Observed, plan: &AclPlan) -> Done {
        let managed = Managed::of(&read.policy.managed());
        let checked = self.plan.check(&observed.bindings, &managed, plan);
        checked.or_else(|stale| self.stale(&stale.to_string()))
    }

    fn stale<T>(&self, what: &str) -> Result<T, Failure> {
        let message = format!(
            "{} is no longer valid: {what}; nothing was changed",
            self.path
        );
        let again = self.again(self.plan.prune);
        fail(
            Code::PlanStale,
            message,
            format!("plan again and review that:\n  {again}"),
        )
    }

    /// The command that makes the plan again.
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
