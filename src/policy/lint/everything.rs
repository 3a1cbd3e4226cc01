//! `all-on-everything`, `open-to-everyone`: rights without a limit.

use std::collections::HashSet;

use super::{Findings, Subject};
use crate::{
    acl::{EVERYONE, Operation, PatternType, Permission, ResourceType},
    document::Severity,
};

lint! {
    AllOnEverything = "all-on-everything", "every right on the cluster, or on every resource of a type";
    OpenToEveryone = "open-to-everyone", "a right for everyone that does more than read";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
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
            findings.warning(
                Found::AllOnEverything,
                &statement.source,
                format!("{b}: {what}"),
                "name the operations that it needs, or the resources; the roles `admin` and `monitor` are intended for tools",
            );
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
                ) => (Severity::Error, "every client controls the cluster"),
                _ => (Severity::Warning, "every client may do this"),
            };
            findings.add(
                severity,
                Found::OpenToEveryone,
                &statement.source,
                format!("{who}: {b}"),
                "name the principals, or the hosts",
            );
        }
    }
}
