//! What a broker stores without a word and never matches, and names on which its authorizer misbehaves. In a policy
//! these are errors already; this finds them in a cluster.

use super::{Finding, Lint, Subject};
use crate::{
    acl::{Permission, ProblemCode},
    document::Severity,
};

pub(super) const LINT: Lint = Lint {
    codes: ProblemCode::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for statement in subject.statements {
        for problem in statement.binding.problems(subject.settings.version) {
            let mut message = problem.to_string();
            if statement.binding.permission == Permission::Deny
                && problem.code() != ProblemCode::NameBreaksAuthorizer
            {
                message.push_str("; this DENY refuses nobody");
            }
            findings.push(Finding {
                code: problem.code().into(),
                severity: Severity::Error,
                message,
                hint: problem.hint(),
                source: statement.source.clone(),
            });
        }
    }
}
