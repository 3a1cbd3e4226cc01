//! `kpki doctor`

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Done, Global,
    init_ca::take_lock,
    passphrase,
    policy::read_policy,
    shell,
    ui::{GREEN, RED, Ui, YELLOW, named},
    up::NAMED,
    verdict,
};
use crate::{
    bootstrap::{
        ca::{Ca, CaError},
        context::{Asked, Context},
        doctor::{Doctor, Fault},
    },
    state::OutDir,
};

/// Check that inventory, files and policy agree, and repair what can be repaired
///
/// Checks the CA, every identity's certificate, key, stores and configuration, file modes and owners, and, if a policy
/// is given, whether the files match it. The exit code is 3 if a fault remains. Nothing is signed, and no passphrase is
/// asked for; if one is given, the CA key is checked as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki doctor
  kpki doctor policies/quickstart.yaml
  kpki doctor --fix")]
pub struct Examination {
    /// The policy to compare the files with
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    /// Repair what can be repaired without the CA key: keystores, truststores, modes, interrupted commands
    #[arg(long)]
    fix: bool,
}

impl Examination {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        if !Ca::exists(&out)? {
            return Err(CaError::Missing(out.ca().display().to_string()).into());
        }
        let path = self.policy.as_deref();
        let policy = path.map(read_policy).transpose()?;
        let now = OffsetDateTime::now_utc();
        let context = policy.as_ref().map(|policy| Context {
            policy,
            out: &out,
            profile: None,
            now,
            asked: Asked::default(),
        });
        let passphrase = passphrase::given(global)?;
        let doctor = Doctor {
            out: &out,
            context,
            now,
            policy: path.unwrap_or("POLICY"),
            passphrase: passphrase.as_ref(),
        };
        let mut found = doctor.examine()?;
        let mut fixed = Vec::new();
        if self.fix && !found.is_empty() {
            let lock = take_lock(&out, ui)?;
            // Checked again under the lock, when nobody else can change it, and once more, as a fault may hide others.
            for _ in 0..2 {
                let again = doctor.examine()?;
                doctor.repair(&lock, &again)?;
                let new = again.into_iter().filter(|a| !found.iter().any(|f| f.is(a)));
                let new: Vec<Fault> = new.collect();
                found.extend(new);
            }
            let remaining = doctor.examine()?;
            let gone = found
                .into_iter()
                .filter(|f| !remaining.iter().any(|r| r.is(f)));
            fixed = gone.collect();
            found = remaining;
        }
        for fault in &fixed {
            ui.say(format!("{GREEN}repaired{GREEN:#}  {}", fault.message));
        }
        for fault in &found {
            ui.answer(format!("{RED}fault{RED:#}  {}", fault.message));
            ui.answer(format!("  {}", command(&fault.command, &out)));
            if let Some(issue) = &fault.without_policy {
                ui.answer(format!(
                    "  if no policy describes it, with the options that it was issued with:
  {}",
                    command(issue, &out)
                ));
            }
        }
        if found.is_empty() {
            if let Some(unpublished) = doctor.unpublished()? {
                ui.warn(unpublished);
            }
            let absent = doctor.absent()?;
            if !absent.is_empty() {
                ui.note(format!(
                    "{YELLOW}note:{YELLOW:#} valid certificates without a directory in {}: {}; if they were not moved to their machines, kpki up POLICY or kpki issue NAME makes them again",
                    out.root().display(),
                    named(&absent, NAMED)
                ));
            }
            ui.say(format!("{GREEN}ok{GREEN:#}  {}", out.root().display()));
        }
        let faults: Vec<_> = fixed
            .iter()
            .map(|fault| as_json(fault, &out, true))
            .chain(found.iter().map(|fault| as_json(fault, &out, false)))
            .collect();
        ui.document(&json!({"ok": found.is_empty(), "faults": faults}));
        verdict(found.is_empty())
    }
}

/// The command for this output directory.
fn command(command: &str, out: &OutDir) -> String {
    let kpki = shell::kpki(out.root());
    let parts = command.split(" && ");
    let parts = parts.map(|part| match part.strip_prefix("kpki ") {
        Some(rest) if rest.contains(" --out ") => part.to_owned(),
        Some(rest) => format!("{kpki} {rest}"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(" && ")
}

fn as_json(fault: &Fault, out: &OutDir, fixed: bool) -> serde_json::Value {
    json!({
        "code": fault.code.name(),
        "name": fault.name,
        "message": fault.message,
        "command": command(&fault.command, out),
        "without_policy": fault.without_policy.as_ref().map(|issue| command(issue, out)),
        "fixed": fixed,
    })
}
