//! The bindings of roles and acls, limited to the scope of the file that contains them.

use std::collections::HashSet;

use super::scope::Scope;
use crate::{
    acl::{Binding, KafkaVersion, PatternType, RawBinding},
    document::{Report, Span},
    policy::{
        AclEntry, Client, PolicyBinding, PolicyCode, Role,
        bindings::{Expander, is_idempotence},
        names,
        principals::Principals,
    },
};

/// The bindings so far.
pub(super) struct Grants<'a> {
    version: KafkaVersion,
    principals: Principals<'a>,
    expander: Expander,
    seen: HashSet<RawBinding>,
    pub(super) bindings: Vec<PolicyBinding>,
}

/// The position of a grant, and the scope of its file.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub span: Span,
    pub scope: Option<&'a Scope>,
}

impl<'a> Grants<'a> {
    pub(super) fn new(version: KafkaVersion, principals: Principals<'a>) -> Self {
        Self {
            version,
            principals,
            expander: Expander::default(),
            seen: HashSet::new(),
            bindings: Vec::new(),
        }
    }

    /// Adds the rights of a client's role, for each of the client's principals.
    pub(super) fn role(
        &mut self,
        report: &mut Report,
        place: Place<'_>,
        client: &Client,
        role: &Role,
    ) {
        let principals = self.principals.all(client);
        let expanded = principals.iter().flat_map(|p| self.expander.role(p, role));
        let expanded: Vec<RawBinding> = expanded.collect();
        // IdempotentWrite on the cluster, which old brokers require of producers, is allowed in every scope.
        outside(
            report,
            place,
            expanded.iter().filter(|b| !is_idempotence(b)),
        );
        self.add(report, place, expanded);
    }

    /// Adds the bindings of an entry of `acls`.
    pub(super) fn acl(&mut self, report: &mut Report, place: Place<'_>, entry: &AclEntry) {
        let expanded = self.expander.acl(entry);
        outside(report, place, expanded.iter());
        self.add(report, place, expanded);
    }

    /// Adds bindings that do not exist yet; of duplicates, the first origin is kept.
    fn add(&mut self, report: &mut Report, place: Place<'_>, expanded: Vec<RawBinding>) {
        for raw in expanded {
            if !self.seen.insert(raw.clone()) {
                continue;
            }
            match Binding::new(raw, self.version) {
                Ok(binding) => self.bindings.push(PolicyBinding {
                    binding,
                    source: report.source(place.span),
                }),
                // The names in the policy were checked; this one is derived by the role.
                Err(problem) => names::problem(report, place.span, problem),
            }
        }
    }
}

/// Reports bindings outside the file's scope.
fn outside<'b>(
    report: &mut Report,
    place: Place<'_>,
    bindings: impl Iterator<Item = &'b RawBinding>,
) {
    let Some(scope) = place.scope else {
        return;
    };
    let mut outside: Vec<String> = Vec::new();
    for binding in bindings.filter(|binding| !scope.reaches(binding)) {
        let prefix = match binding.pattern_type {
            PatternType::Literal => "",
            PatternType::Prefixed => " prefix",
        };
        let what = format!("{}{prefix} `{}`", binding.resource_type, binding.name);
        if !outside.contains(&what) {
            outside.push(what);
        }
    }
    if !outside.is_empty() {
        let message = format!(
            "this grants access to {}, outside the file's scope `{}`",
            outside.join(", "),
            scope.prefix
        );
        report
            .error(PolicyCode::OutsideScope, place.span, message)
            .note(scope.span, "the scope")
            .hint("move it to the policy itself, or choose names inside the scope");
    }
}
