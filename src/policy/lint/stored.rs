//! What a broker stores without a word and never matches, and names on which its authorizer misbehaves. In a policy
//! these are errors already; this finds them in a cluster.

use super::{Finding, Severity, Subject};
use crate::acl::Permission;

pub(super) fn lint(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for statement in subject.statements {
        for problem in statement.binding.problems(subject.settings.version) {
            let mut message = problem.to_string();
            if statement.binding.permission == Permission::Deny
                && problem.code() != "name-breaks-authorizer"
            {
                message.push_str("; this DENY refuses nobody");
            }
            findings.push(Finding {
                code: problem.code(),
                severity: Severity::Error,
                message,
                hint: problem.hint(),
                source: statement.source.clone(),
            });
        }
    }
}
