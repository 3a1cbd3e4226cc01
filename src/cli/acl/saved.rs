//! A saved plan, and whether it is still the plan.

use std::{collections::BTreeSet, path::Path};

use super::{
    super::{
        cluster::Connection,
        policy::{Text, read_policy_file},
        shell,
    },
    CliError, Code, Done, Failure, ReadPolicy,
    observed::Observed,
    plan::Deletion,
    ui::{BOLD, Ui},
};
use crate::{
    acl::RawBinding,
    admin::Admin,
    plan::{Managed, Plan, PlanFileError, PlannedCluster, SavedPlan, observed_digest},
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
        if !Self::is_meant(&text.text) && !path.ends_with(".plan") {
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
            PlanFileError::Malformed { .. } => CliError::new(Code::PlanMalformed, message)
                .hint(hint)
                .usage(),
        }
        .into())
    }

    /// Whether a text was meant as a plan, whole or not. A policy in YAML's JSON form begins like one as well, but says
    /// nothing of this.
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().starts_with('{') && text.contains("\"policy_sha256\"")
    }

    /// Whether the options of the command agree with the plan.
    ///
    /// # Errors
    /// They ask for what was not reviewed.
    pub fn check_options(&self, options: Deletion) -> Done {
        let path = self.path;
        if options.prune && !self.plan.prune {
            return Err(CliError::new(
                Code::Usage,
                format!("{path} was made without --prune, and is applied as it was reviewed"),
            )
            .hint(format!("plan again:\n  {}", self.again(true)))
            .usage()
            .into());
        }
        Ok(())
    }

    /// What may be deleted: what was reviewed.
    pub fn deletion(&self, options: Deletion) -> Deletion {
        Deletion {
            prune: self.plan.prune,
            max_deletes: options.max_deletes.or(Some(self.plan.deletes.len())),
        }
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

    /// Whether the cluster is in the state that the plan was made for, or on the way from there to the plan's end: a plan
    /// that was stopped half-way is finished by applying it again.
    ///
    /// # Errors
    /// It is not.
    pub fn check_cluster(&self, read: &ReadPolicy, observed: &Observed, plan: &Plan) -> Done {
        let saved = &self.plan;
        let managed = Managed::of(&read.policy.managed());
        // The state as it was, had nothing of the plan been done.
        let created: BTreeSet<&RawBinding> = saved.creates.iter().collect();
        let before = observed.bindings.iter().filter(|b| !created.contains(b));
        let before: Vec<RawBinding> = before.chain(&saved.deletes).cloned().collect();
        if observed_digest(&before, &managed) != saved.observed_sha256 {
            return Err(self.stale(
                "somebody has changed the cluster's ACLs of principals that the policy manages",
            ));
        }
        // What the guards make of it may differ for another operator, or with other settings of the brokers.
        let now: BTreeSet<&RawBinding> = observed.bindings.iter().collect();
        let creates = saved.creates.iter().filter(|b| !now.contains(b));
        let deletes = saved.deletes.iter().filter(|b| now.contains(b));
        let same = creates.eq(plan.creates.iter().map(|b| b.as_raw())) && deletes.eq(&plan.deletes);
        match same {
            true => Ok(()),
            false => Err(self.stale(
                "the brokers' settings have changed, or another user applies it than planned it, so that the plan would be another",
            )),
        }
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
