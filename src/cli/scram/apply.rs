//! `kpki scram apply`

use std::{collections::BTreeSet, path::Path};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    super::{
        CliError, Code, Done, Failure, Global,
        acl::confirm::confirm,
        cluster::{Connection, check_id},
        connect::connect,
        init_ca::{take_lock, tidy},
        policy::read_policy,
        shell,
        ui::{BOLD, DIM, GREEN, RED, Ui},
        up::FileOptions,
    },
    arguments::Arguments,
    plan::{ACTIONS, counted, no_password, show},
};
use crate::{
    admin::{ClientProperties, EntryError},
    apply::scram::{Connected, RotationVerdict, ScramOutcome, ScramWork},
    bootstrap::{
        ca::Ca,
        context::{Asked, Context},
        passwords,
        passwords::Passwords,
    },
    plan::{Action, ScramPlan, count},
    policy::ValidatedPolicy,
    printable::Printable,
    state::OutDir,
};

/// Give the cluster the policy's SCRAM users
///
/// What is missing is created and what has other iterations is updated, with the passwords that `kpki up` has put into
/// the users' directories. A password changes with --rotate only; then the user's files have the new one as well.
/// Credentials that are not in the policy are deleted with --prune only, and only of users that it manages.
/// A user whom the cluster has already gets no other credential unless kpki can log in as it, --rotate names it, or it
/// stands under `manage`.
///
/// Killed at any instant, it loses no password: the next run finishes the work.
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
    /// Delete without asking
    #[arg(long, short)]
    yes: bool,
    /// Send credentials over a connection without TLS, where everyone on the way can take them
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
        // An interrupted `up` may have promised what is missing.
        tidy(&out, ui)?;
        let missing = passwords::missing(&out, &policy)?;
        if !missing.is_empty() {
            let message = no_password(&missing, &out) + "; nothing was changed";
            let hint = format!(
                "make what is missing, then run this again:\n  {} up {}",
                shell::kpki(&global.out),
                shell::path(&self.arguments.policy)
            );
            return Err(CliError::new(Code::UpNeeded, message).hint(hint).into());
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
            return Err(CliError::new(
                Code::PlanRefused,
                format!("nothing was changed: {}", why.join("\n")),
            )
            .hint("kpki scram plan, with the same options, shows this without changing anything")
            .into());
        }
        if !plan.is_empty() {
            admin.check_scram_writer()?;
        }
        if !plan.deletes.is_empty() {
            let credentials = count(plan.deletes.len(), "credential");
            confirm(ui, self.yes, &format!("deleting {credentials}"))?;
        }
        let context = Context {
            policy: &policy,
            out: &out,
            profile: self.shape.profile(),
            now: OffsetDateTime::now_utc(),
            asked: Asked::default(),
        };
        let mut passwords = Passwords::read(context, &ca, &lock)?;
        for name in passwords.begin(&desired.rotate)? {
            let dir = out.identity(&name);
            ui.say(format!(
                "{GREEN}updated{GREEN:#}  {name}'s files  {DIM}{}{DIM:#}",
                dir.display()
            ));
        }
        let work = ScramWork::new(&plan, |info| passwords.credential(info));
        let bar = ui.progress(work.writes() as u64, "SCRAM users");
        let outcome = work.execute(
            &mut admin,
            &|done| bar.set_position(done as u64),
            |verdict| {
                bar.finish_and_clear();
                end_rotations(ui, &mut passwords, verdict)
            },
        )?;
        self.stale_config(ui, &outcome, operator.as_deref());
        report(ui, &policy, &out, &plan, &outcome)
    }
}

impl Apply {
    /// What is sent is not the password, but lets whoever has it log in all the same.
    fn check_encrypted(&self, properties: &ClientProperties) -> Done {
        if self.over_plaintext || properties.tls.is_some() {
            return Ok(());
        }
        let protocol = match properties.sasl {
            Some(_) => "SASL_PLAINTEXT",
            None => "PLAINTEXT",
        };
        Err(CliError::new(
            Code::NotEncrypted,
            format!(
                "the connection to {} is {protocol}: whoever listens on the way could log in as every user that is sent; nothing was changed",
                properties.bootstrap_servers
            ),
        )
        .hint("connect by a listener with TLS (SSL or SASL_SSL); if the way is safe, say --over-plaintext")
        .into())
    }

    /// Says so where the file that kpki itself logs in with has the old password now.
    fn stale_config(&self, ui: &Ui, outcome: &ScramOutcome, operator: Option<&str>) {
        let (Some(path), Some(user)) = (&self.connection.command_config, operator) else {
            return;
        };
        // One that lies in the user's own directory was written anew.
        let own = path.parent().and_then(Path::file_name) == Some(user.as_ref());
        if !own && outcome.of(Action::Rotate).any(|i| i.user == user) {
            ui.warn(format!("{} has the old password of {user}", path.display()));
        }
    }
}

/// Puts the new passwords that the cluster took in their place, and takes back those that it refused.
fn end_rotations(ui: &Ui, passwords: &mut Passwords<'_>, verdict: &RotationVerdict<'_>) -> Done {
    let RotationVerdict {
        done,
        open,
        refused,
    } = verdict;
    if !open.is_empty() {
        ui.warn(format!(
            "it is not known whether the cluster has the old or the new password of {}; both are kept on the disk, and the next `kpki scram apply` finishes the rotation",
            open.join(", ")
        ));
    }
    if !done.is_empty() {
        passwords.finish(done).inspect_err(|_| {
            ui.warn(format!(
                "the cluster has the new password of {}, which is still in scram.password.next on the disk; the next `kpki scram apply` moves it to its place",
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
    match (
        failed.is_empty(),
        !done.is_empty() || failed.iter().any(unknown),
    ) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Partly),
        (false, false) => Err(Failure::AlreadyReported),
    }
}
