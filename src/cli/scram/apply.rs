//! `kpki scram apply`

use std::{collections::BTreeSet, path::Path};

use clap::Args;
use serde_json::json;

use super::{
    super::{
        Code, Done, Failure, Global,
        cluster::{Connection, check_id, connect},
        completed, fail,
        init_ca::{take_lock, tidy},
        planned::confirm,
        policy::read_policy,
        shell,
        ui::{BOLD, DIM, GREEN, RED, Ui},
        up::FileOptions,
    },
    plan::{ACTIONS, Arguments, counted, no_password, show},
};
use crate::{
    admin::{ClientProperties, EntryError},
    apply::scram::{Connected, RotationVerdict, ScramOutcome, ScramWork},
    bootstrap::{
        ca::Ca,
        context::Asked,
        passwords::{self, Passwords},
    },
    plan::{Action, ScramPlan, count},
    policy::ValidatedPolicy,
    printable::Printable,
    state::OutDir,
};

/// Create and update the policy's SCRAM users in the cluster
///
/// Missing credentials are created, and those with a different iteration count are updated, with the passwords that
/// `kpki up` wrote to the users' directories. A password is changed only with --rotate, which also updates the user's
/// files. Credentials that are not in the policy are deleted only with --prune, and only for users that the policy
/// manages. A user that already exists in the cluster gets no other credential unless kpki can log in as it, --rotate
/// names it, or it is listed under `manage`.
///
/// If the command is killed, no password is lost: the next run completes the work.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki scram apply policies/quickstart.yaml
  kpki scram apply policies/quickstart.yaml --rotate analytics
  kpki scram apply policies/quickstart.yaml --prune --yes
  kpki scram apply policies/quickstart.yaml --command-config admin.properties")]
pub struct Apply {
    #[command(flatten)]
    arguments: Arguments,
    /// Delete without asking for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Send credentials over a connection without TLS, where anyone who can read the traffic gets them
    #[arg(long)]
    over_plaintext: bool,
    #[command(flatten)]
    shape: FileOptions,
    #[command(flatten)]
    connection: Connection,
}

impl Apply {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let policy = self.shape.apply(read_policy(&self.arguments.policy)?);
        let out = OutDir::new(&global.out);
        // An interrupted `up` may have left files that are still to be moved into place.
        tidy(&out, ui)?;
        let missing = passwords::missing(&out, &policy)?;
        if !missing.is_empty() {
            let message = no_password(&missing, &out) + "; nothing was changed";
            let hint = format!(
                "create what is missing, then run this again:\n  {} up {}",
                shell::kpki(&global.out),
                shell::path(&self.arguments.policy)
            );
            return fail(Code::UpNeeded, message, hint);
        }
        let properties = self.connection.properties(ui, Some(&policy), out.root())?;
        self.check_encrypted(&properties)?;
        let ca = Ca::open(&out)?;
        let lock = take_lock(&out, ui)?;
        let desired = self.arguments.desired(&policy, &out)?;
        let mut connected = desired.connect(properties, |p| connect(ui, p))?;
        check_id(&policy, out.root(), &connected.admin)?;
        let password = |user: &str| passwords::on_disk(&out, &policy, user).map_err(Failure::from);
        let plan = desired.plan(&mut connected, &password)?;
        let Connected {
            mut admin,
            operator,
            ..
        } = connected;
        show(ui, &plan);
        if !plan.refusals.is_empty() {
            let why: Vec<&str> = plan.refusals.iter().map(|r| r.message.as_str()).collect();
            return fail(
                Code::PlanRefused,
                format!("nothing was changed: {}", why.join("\n")),
                "kpki scram plan, with the same options, shows this without changing anything",
            );
        }
        if !plan.is_empty() {
            admin.check_scram_writer()?;
        }
        if !plan.deletes.is_empty() {
            let credentials = count(plan.deletes.len(), "credential");
            confirm(ui, self.yes, &format!("deleting {credentials}"))?;
        }
        let context = self.shape.context(&policy, &out, Asked::default());
        let mut passwords = Passwords::read(context, &ca, &lock)?;
        for name in passwords.begin(&desired.rotate)? {
            let dir = out.identity(&name);
            let dir = dir.display();
            ui.say(format!(
                "{GREEN}updated{GREEN:#}  {name}'s files  {DIM}{dir}{DIM:#}"
            ));
        }
        let work = ScramWork::new(&plan, |info| passwords.credential(info));
        let bar = ui.progress(work.writes() as u64, "SCRAM users");
        let progress = |done| bar.set_position(done as u64);
        let outcome = work.execute(&mut admin, &progress, |verdict| {
            bar.finish_and_clear();
            end_rotations(ui, &mut passwords, verdict)
        })?;
        self.stale_config(ui, &outcome, operator.as_deref());
        report(ui, &policy, &out, &plan, &outcome)
    }

    /// The password itself is not sent, but what is sent is enough to log in.
    fn check_encrypted(&self, properties: &ClientProperties) -> Done {
        if self.over_plaintext || properties.tls.is_some() {
            return Ok(());
        }
        let protocol = match properties.sasl {
            Some(_) => "SASL_PLAINTEXT",
            None => "PLAINTEXT",
        };
        fail(
            Code::NotEncrypted,
            format!(
                "the connection to {} is {protocol}: anyone who reads the traffic could log in as every user that is sent; nothing was changed",
                properties.bootstrap_servers
            ),
            "connect to a listener with TLS (SSL or SASL_SSL); if the network is trusted, give --over-plaintext",
        )
    }

    /// Warns if the file that kpki itself logs in with now has the old password.
    fn stale_config(&self, ui: &Ui, outcome: &ScramOutcome, operator: Option<&str>) {
        let (Some(path), Some(user)) = (&self.connection.command_config, operator) else {
            return;
        };
        // A file in the user's own directory was updated.
        let own = path.parent().and_then(Path::file_name) == Some(user.as_ref());
        if !own && outcome.of(Action::Rotate).any(|i| i.user == user) {
            ui.warn(format!("{} has the old password of {user}", path.display()));
        }
    }
}

/// Moves the new passwords that the cluster accepted into place, and removes those that it refused.
fn end_rotations(ui: &Ui, passwords: &mut Passwords<'_>, verdict: &RotationVerdict<'_>) -> Done {
    let RotationVerdict {
        done,
        open,
        refused,
    } = verdict;
    if !open.is_empty() {
        ui.warn(format!(
            "it is unknown whether the cluster has the old or the new password of {}; both are kept on disk, and the next `kpki scram apply` completes the rotation",
            open.join(", ")
        ));
    }
    if !done.is_empty() {
        passwords.finish(done).inspect_err(|_| {
            ui.warn(format!(
                "the cluster has the new password of {}, which is still in scram.password.next on disk; the next `kpki scram apply` moves it into place",
                done.join(", ")
            ));
        })?;
    }
    Ok(passwords.withdraw(refused)?)
}

fn report(
    ui: &Ui,
    policy: &ValidatedPolicy,
    out: &OutDir,
    plan: &ScramPlan,
    outcome: &ScramOutcome,
) -> Done {
    let ScramOutcome { done, failed } = outcome;
    for (info, error) in failed {
        ui.complain(format!(
            "{RED}failed:{RED:#} {} {}: {error}",
            Printable(&info.user),
            info.mechanism
        ));
    }
    let counts = ACTIONS.map(|action| (outcome.of(action).count(), action.done()));
    if !done.is_empty() {
        ui.say(format!("{GREEN}applied{GREEN:#}  {}", counted("", &counts)));
    }
    let users: BTreeSet<&str> = outcome
        .of(Action::Rotate)
        .map(|i| i.user.as_str())
        .filter(|user| !failed.iter().any(|(i, _)| i.user == *user))
        .collect();
    if !users.is_empty() {
        ui.say(format!("\n{BOLD}next:{BOLD:#}"));
    }
    for user in users {
        let dir = out.root().join(user);
        let dir = dir.display();
        let other = plan.keep_old.iter().find(|i| i.user == user);
        let until = match other.map(|i| i.mechanism) {
            None => "from now on".to_owned(),
            Some(mechanism) => format!("from now on, except with {mechanism}"),
        };
        ui.say(if policy.users.iter().any(|u| u.name.as_str() == user) {
            format!("  {user}: its new password is in {dir}/scram.password; the old one is refused {until}")
        } else if policy.brokers.iter().any(|b| b.name.as_str() == user) {
            format!("  {user}: copy {dir} to its machine and restart it at once: the other brokers refuse its old password")
        } else {
            format!("  {user}: copy {dir} to its machine and restart it: its old password is refused {until}")
        });
    }
    let failures: Vec<_> = failed
        .iter()
        .map(|(i, error)| json!({"user": i.user, "mechanism": i.mechanism.name(), "error": error.to_string()}))
        .collect();
    let mut document = json!({
        "failed": failures,
        "unchanged": plan.unchanged,
        "warnings": plan.warnings,
    });
    for (number, word) in counts {
        document[word] = number.into();
    }
    ui.document(&document);
    let unknown = |(_, e): &(_, EntryError)| e.may_be_done();
    let some = !done.is_empty() || failed.iter().any(unknown);
    completed(failed.is_empty(), some)
}
