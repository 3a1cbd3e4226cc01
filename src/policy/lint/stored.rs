//! Bindings that a broker stores but never matches, and names that break its authorizer. In a policy, they are errors;
//! this lint finds them in a cluster.

use super::{Findings, Lint, Subject};
use crate::{
    acl::{Permission, ProblemCode},
    document::Severity,
};

pub(super) const LINT: Lint = Lint {
    codes: ProblemCode::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    for statement in subject.statements {
        for problem in statement.binding.problems(subject.settings.version) {
            let mut message = problem.to_string();
            if statement.binding.permission == Permission::Deny
                && problem.code != ProblemCode::NameBreaksAuthorizer
            {
                message.push_str("; this DENY has no effect");
            }
            findings.add(
                Severity::Error,
                problem.code,
                &statement.source,
                message,
                problem.hint,
            );
        }
    }
}
