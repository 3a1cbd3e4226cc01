//! `kpki acl lint`

use clap::Args;
use serde_json::json;

use super::{
    super::{Done, Failure, verdict},
    bindings::{self, Bindings, Brokers},
    count,
    ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW},
};
use crate::{
    document::{Diagnostic, Severity},
    policy::lint::{self, Finding},
};

/// Find ACLs that have no effect, or probably not the intended one
///
/// Checks a policy, or ACLs exported as JSON lines, for bindings that a broker stores but never matches, denials that
/// do not deny, bindings without effect, and overly broad rights. The exit code is 3 if there is an error; with
/// --strict, also if there is a warning.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl lint policies/quickstart.yaml --strict
  kpki acl lint acls.jsonl --kafka-version 3.9 --super-users 'User:kafka1;User:admin'")]
pub struct Lint {
    /// A policy file, or ACL bindings as JSON lines; `-` is standard input
    #[arg(value_name = "POLICY|ACLS.jsonl")]
    bindings: String,
    /// Fail on warnings as well
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    brokers: Brokers,
}

impl Lint {
    pub(super) fn run(self, ui: &Ui) -> Done {
        let is_about_acls = |d: &Diagnostic| lint::codes().any(|code| code == d.code);
        let mut all = true;
        let mut number = 0;
        let findings = match bindings::read(&self.bindings) {
            Ok(Bindings::Policy(read)) => {
                let settings = self.brokers.settings(Some(&read))?;
                number = read.policy.bindings.len();
                lint::policy(&read.policy, &settings)
            }
            Ok(Bindings::Export(export)) => {
                let settings = self.brokers.settings(None)?;
                number = export.bindings.len();
                let sources: Vec<_> = (0..number).map(|at| export.source(at)).collect();
                let bindings = export.bindings.into_iter().zip(sources);
                lint::export(bindings.collect(), &settings)
            }
            // Faults in the ACLs themselves are findings of a lint, although other commands call such a policy invalid.
            Err(Failure::Policy(diagnostics)) if diagnostics.iter().all(is_about_acls) => {
                all = false;
                diagnostics.into_iter().map(Finding::from).collect()
            }
            Err(other) => return Err(other),
        };
        let errors = findings.iter().filter(|f| f.severity == Severity::Error);
        let errors = errors.count();
        let warnings = findings.len() - errors;
        for finding in &findings {
            show(ui, finding);
        }
        match findings.is_empty() {
            true => ui.say(format!(
                "{GREEN}clean{GREEN:#}  {}: {}",
                self.bindings,
                count(number, "binding")
            )),
            false => ui.say(format!(
                "{}, {}",
                count(errors, "error"),
                count(warnings, "warning")
            )),
        }
        if !all {
            ui.note("the rest is checked once these errors are fixed");
        }
        ui.document(&json!({"findings": findings}));
        verdict(errors == 0 && (warnings == 0 || !self.strict))
    }
}

fn show(ui: &Ui, finding: &Finding) {
    let colour = match finding.severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
    };
    ui.answer(format!(
        "{colour}{}[{}]:{colour:#} {}\n  {DIM}-->{DIM:#} {}\n  {BOLD}hint:{BOLD:#} {}\n",
        finding.severity.name(),
        finding.code.name(),
        finding.message,
        finding.source,
        finding.hint
    ));
}
