//! Finds what is valid but probably not intended, in a policy or in a cluster's ACLs.
//!
//! A lint is a file here, with its codes and what they mean, and a line in [`LINTS`].

/// Declares a lint by its codes and their meanings; `run` finds them.
macro_rules! lint {
    ($($variant:ident = $name:literal, $about:literal;)+) => {
        crate::code::codes! {
            pub(super) enum Found { $($variant = $name, $about;)+ }
        }

        pub(super) const LINT: super::Lint = super::Lint { codes: Found::CODES, run };
    };
}

mod always_denied;
mod cover;
mod custom_type;
mod duplicate;
mod even_controllers;
mod everyone;
mod everything;
mod no_admin;
mod outside_manage;
mod plaintext;
mod shadowed;
mod stored;
mod super_user;
mod swallowed;
mod unknown_principal;

use serde::Serialize;

use super::{PolicyCode, ValidatedPolicy, bindings::Expander};
use crate::{
    acl::{Binding, RawBinding, Settings},
    code::StableCode,
    document::{Diagnostic, Severity, Source},
};
use cover::Cover;

/// Every lint.
const LINTS: &[Lint] = &[
    stored::LINT,
    duplicate::LINT,
    shadowed::LINT,
    always_denied::LINT,
    everything::LINT,
    everyone::LINT,
    super_user::LINT,
    custom_type::LINT,
    swallowed::LINT,
    unknown_principal::LINT,
    outside_manage::LINT,
    no_admin::LINT,
    plaintext::LINT,
    even_controllers::LINT,
];

/// Errors that make a policy invalid but are about its ACLs, so that lint reports them too.
const OF_POLICIES: [PolicyCode; 4] = [
    PolicyCode::SharedPrincipal,
    PolicyCode::UnsaidSuperUser,
    PolicyCode::NoRule,
    PolicyCode::OutsideScope,
];

/// One lint.
struct Lint {
    /// What it can find.
    codes: &'static [StableCode],
    run: fn(&Subject<'_>, &mut Findings),
}

/// Every code that a finding can have.
pub fn codes() -> impl Iterator<Item = StableCode> {
    let of_lints = LINTS.iter().flat_map(|lint| lint.codes);
    of_lints.copied().chain(OF_POLICIES.map(StableCode::from))
}

/// Something that is probably not intended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its stable code, for scripts.
    pub code: StableCode,
    /// An error prevents the ACLs from having the intended effect; a warning may be intended.
    #[serde(serialize_with = "severity")]
    pub severity: Severity,
    /// What is wrong, with which thing.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Where it is defined.
    #[serde(serialize_with = "source")]
    pub source: Source,
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        severity: Severity,
        code: impl Into<StableCode>,
        source: &Source,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Finding {
            code: code.into(),
            severity,
            message: message.into(),
            hint: hint.into(),
            source: source.clone(),
        });
    }

    fn warning(
        &mut self,
        code: impl Into<StableCode>,
        source: &Source,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(Severity::Warning, code, source, message, hint);
    }
}

impl From<Diagnostic> for Finding {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            code: diagnostic.code,
            severity: diagnostic.severity,
            message: diagnostic.message,
            hint: diagnostic.hint.unwrap_or_default(),
            source: diagnostic.at.source,
        }
    }
}

fn severity<S: serde::Serializer>(severity: &Severity, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(severity.name())
}

fn source<S: serde::Serializer>(source: &Source, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(source)
}

/// What defines a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A role of a client.
    Role,
    /// An entry of `acls`.
    Acl,
    /// A line of an export.
    Export,
}

/// A binding, where it is defined, and by what.
#[derive(Debug, Clone)]
struct Statement {
    binding: RawBinding,
    source: Source,
    origin: Origin,
    /// The prefix of its file's scope.
    scope: Option<String>,
}

/// What is checked.
struct Subject<'a> {
    statements: &'a [Statement],
    cover: Cover<'a>,
    settings: &'a Settings,
    /// Absent for an export.
    policy: Option<&'a ValidatedPolicy>,
}

/// Checks a policy, for brokers with these settings: [`ValidatedPolicy::settings`], unless more is known.
pub fn policy(policy: &ValidatedPolicy, settings: &Settings) -> Vec<Finding> {
    // Not the policy's own bindings, which have no duplicates: a lint needs to know what defines one again.
    let mut expander = Expander::default();
    let mut statements = Vec::new();
    for client in &policy.clients {
        for role in &client.roles {
            for principal in policy.principals(client) {
                let bindings = expander.role(&principal, role).into_iter();
                statements.extend(bindings.map(|binding| Statement {
                    binding,
                    source: role.source.clone(),
                    origin: Origin::Role,
                    scope: client.scope.clone(),
                }));
            }
        }
    }
    for entry in &policy.acls {
        let bindings = expander.acl(entry).into_iter();
        statements.extend(bindings.map(|binding| Statement {
            binding: binding.normalised(),
            source: entry.source.clone(),
            origin: Origin::Acl,
            scope: entry.scope.clone(),
        }));
    }
    run(&statements, settings, Some(policy))
}

/// Checks bindings of a cluster, each with its position.
pub fn export(bindings: Vec<(RawBinding, Source)>, settings: &Settings) -> Vec<Finding> {
    let statements: Vec<Statement> = bindings
        .into_iter()
        .map(|(binding, source)| Statement {
            binding,
            source,
            origin: Origin::Export,
            scope: None,
        })
        .collect();
    run(&statements, settings, None)
}

fn run(
    statements: &[Statement],
    settings: &Settings,
    policy: Option<&ValidatedPolicy>,
) -> Vec<Finding> {
    let subject = Subject {
        statements,
        cover: Cover::new(statements),
        settings,
        policy,
    };
    let mut findings = Findings::default();
    for lint in LINTS {
        (lint.run)(&subject, &mut findings);
    }
    let mut findings = findings.0;
    findings.sort_by(|a, b| (&a.source, a.code).cmp(&(&b.source, b.code)));
    findings
}

impl Subject<'_> {
    /// Whether a binding can match at all; if not, that is its only finding.
    fn means_something(&self, binding: &RawBinding) -> bool {
        Binding::new(binding.clone(), self.settings.version).is_ok()
    }
}
