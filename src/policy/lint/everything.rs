//! `all-on-everything`, `open-to-everyone`: rights without an end.

use std::collections::HashSet;

use super::{Finding, Lint, Subject};
use crate::{
    acl::{EVERYONE, Operation, PatternType, Permission, ResourceType},
    code::codes,
    document::Severity,
};

codes! {
    pub(super) enum Found {
        AllOnEverything = "all-on-everything", "every right on the cluster, or on every resource of a type";
        OpenToEveryone = "open-to-everyone", "a right for everyone that does more than read";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut reported = HashSet::new();
    let allows = subject.statements.iter();
    for statement in allows.filter(|s| s.binding.permission == Permission::Allow) {
        let b = &statement.binding;
        let every = b.pattern_type == PatternType::Literal && &*b.name == "*";
        let cluster = b.resource_type == ResourceType::Cluster;
        if b.operation == Operation::All && (every || cluster) {
            let what = match cluster {
                true => "it may change every ACL, and so give itself every other right".to_owned(),
                false => format!("it may do everything to every {}", b.resource_type),
            };
            findings.push(Finding {
                code: Found::AllOnEverything.into(),
                severity: Severity::Warning,
                message: format!("{b}: {what}"),
                hint: "name the operations that it needs, or the resources; the roles `admin` and `monitor` are made for tools".to_owned(),
                source: statement.source.clone(),
            });
        }
        let harmless = matches!(
            b.operation,
            Operation::Read | Operation::Describe | Operation::DescribeConfigs
        );
        if &*b.principal == EVERYONE
            && &*b.host == "*"
            && !harmless
            && reported.insert((&statement.source, b.resource_type))
        {
            let (severity, who) = match (cluster, b.operation) {
                (
                    true,
                    Operation::All
                    | Operation::Alter
                    | Operation::ClusterAction
                    | Operation::AlterConfigs,
                ) => (Severity::Error, "whoever connects rules the cluster"),
                _ => (Severity::Warning, "whoever connects may do this"),
            };
            findings.push(Finding {
                code: Found::OpenToEveryone.into(),
                severity,
                message: format!("{who}: {b}"),
                hint: "name the principals, or the hosts".to_owned(),
                source: statement.source.clone(),
            });
        }
    }
}
