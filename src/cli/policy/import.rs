//! `kpki policy import`

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{
    super::{CliError, Code, Done, Failure, new_path, one_of, ui::Ui, verdict},
    Text, checked, deliver, read_text,
};
use crate::{
    acl::KafkaVersion,
    document::Diagnostic,
    plan::count,
    policy::{
        WriteOptions,
        import::{ImportFormat, Imported, NotTaken},
        write_acls,
    },
    printable::Printable,
};

/// Create a policy from the ACLs of another tool
///
/// The policy expands to exactly the ACL bindings that the other tool creates, so a plan from it has no changes in that
/// cluster. Everything else in the file is listed, line by line. A principal that may have more rights is not put under
/// `manage`. For a julie-ops topology, the ACLs are those that julie 3.3 and later creates with its default
/// configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kafka-acls.sh --bootstrap-server HOST:PORT --list | kpki policy import - --out-file acls.yaml
  kubectl get kafkausers -o yaml | kpki policy import - > policy.yaml
  kpki policy import topology.yaml --from julie --strict > policy.yaml")]
pub struct Import {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Its format [default: recognised by content]
    #[arg(long, value_name = "FORMAT", value_parser = one_of(ImportFormat::ALL, ImportFormat::name, ImportFormat::about))]
    from: Option<&'static ImportFormat>,
    /// The policy file to write, instead of standard output; existing files are never overwritten
    #[arg(long, value_name = "FILE", value_parser = new_path)]
    out_file: Option<PathBuf>,
    /// Exit with 3 if anything in the file is not imported
    #[arg(long)]
    strict: bool,
}

impl Import {
    pub(super) fn run(self, ui: &Ui) -> Done {
        let Text { name, text, .. } = read_text(&self.file)?;
        let format = match self.from {
            Some(format) => *format,
            None => ImportFormat::recognise(&name, &text).map_or_else(|| unknown(&name), Ok)?,
        };
        let found = format
            .read(&name, &text)
            .map_err(|diagnostics| malformed(&name, format, diagnostics))?
            .ok_or_else(|| nothing(&name, format))?;
        let Imported {
            bindings: lines,
            mut left,
            incomplete,
            whole_subjects,
        } = found;
        let from = format!(
            "written by kpki policy import from {name}, {}",
            format.about()
        );
        let options = WriteOptions {
            comments: vec![from],
            incomplete,
            whole_subjects,
        };
        let bindings: BTreeSet<_> = lines.keys().cloned().collect();
        let written = write_acls(&bindings, KafkaVersion::ASSUMED, &options);
        checked(&written.text)?;
        // Its keys are these bindings.
        left.extend(written.left_out.iter().map(|unsaid| NotTaken {
            line: lines[unsaid.binding],
            what: unsaid.binding.to_string(),
            why: unsaid.reason.clone(),
        }));
        for NotTaken { line, what, why } in &left {
            let (what, why) = (Printable(what), Printable(why));
            ui.warn(format!("not imported: {name}:{line}: {what}: {why}"));
        }
        let bindings = bindings.len() - written.left_out.len();
        let not_taken: Vec<_> = left
            .iter()
            .map(|left| json!({"line": left.line, "what": left.what, "why": left.why}))
            .collect();
        let more = [
            ("from", json!(format.name())),
            ("bindings", json!(bindings)),
            ("not_taken", json!(not_taken)),
        ];
        deliver(ui, &written.text, self.out_file.as_deref(), &more)?;
        ui.note(format!(
            "imported {} from {name}, {}; {} not imported",
            count(bindings, "binding"),
            format.about(),
            count(left.len(), "item")
        ));
        verdict(left.is_empty() || !self.strict)
    }
}

fn unknown(name: &str) -> Result<ImportFormat, Failure> {
    let known: Vec<_> = ImportFormat::ALL.iter().map(ImportFormat::name).collect();
    let message = format!("the format of {name} is not recognised");
    let hint = format!("give the format with --from: {}", known.join(", "));
    Err(CliError::new(Code::ImportUnrecognised, message)
        .hint(hint)
        .usage()
        .into())
}

/// A file that was said to be of a format, and has nothing of it. None of its lines is shown: it may be any file.
fn nothing(name: &str, format: ImportFormat) -> CliError {
    let message = format!("{name} has nothing of {}", format.about());
    CliError::new(Code::ImportMalformed, message)
        .hint("check the file and --from; without --from, kpki recognises the format")
        .usage()
}

fn malformed(name: &str, format: ImportFormat, diagnostics: Vec<Diagnostic>) -> Failure {
    let errors = diagnostics.into_iter().map(|diagnostic| {
        let message = format!("{}: {}", diagnostic.source(), diagnostic.message);
        let error = CliError::new(Code::ImportMalformed, message).usage();
        let default = || format!("{name} must be {}", format.about());
        error.hint(diagnostic.hint.unwrap_or_else(default))
    });
    Failure::Errors(errors.collect())
}
