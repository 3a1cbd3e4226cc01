//! The scope of included files: what they may declare and grant.

use crate::{
    acl::{EVERYONE, KafkaVersion, PrincipalPattern, RawBinding, ResourceType},
    document::{Report, Span, Spanned},
    pki::IdentityName,
    policy::{
        PolicyCode, names,
        raw::{RawInclude, RawPattern, RawScope},
        raw_access::RawPrefix,
    },
};

/// A checked scope.
#[derive(Debug)]
pub(super) struct Scope {
    /// The prefix of all resource names.
    pub prefix: String,
    clients: Vec<RawPattern>,
    principals: Vec<PrincipalPattern>,
    /// Its position.
    pub span: Span,
}

/// The origin of an entry: the policy itself, or an included file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    Policy,
    Included(Option<&'a Scope>),
}

impl<'a> Origin<'a> {
    pub(super) fn scope(self) -> Option<&'a Scope> {
        match self {
            Self::Policy => None,
            Self::Included(scope) => scope,
        }
    }

    pub(super) fn is_included(self) -> bool {
        matches!(self, Self::Included(_))
    }
}

impl Scope {
    /// Whether the files may declare a client of this name.
    pub(super) fn permits_client(&self, name: &str) -> bool {
        self.clients.iter().any(|names| match names {
            RawPattern::Name(one) => name == one,
            RawPattern::Prefix(RawPrefix { prefix }) => name.starts_with(prefix),
        })
    }

    /// Whether the scope's `principals` contain this principal.
    pub(super) fn lists(&self, principal: &str) -> bool {
        self.principals.iter().any(|p| p.matches(principal))
    }

    /// Whether all resources of a binding have the scope's prefix.
    pub(super) fn reaches(&self, binding: &RawBinding) -> bool {
        let named = matches!(
            binding.resource_type,
            ResourceType::Topic | ResourceType::Group | ResourceType::TransactionalId
        );
        named && binding.name.starts_with(&self.prefix)
    }

    /// The names of its clients, for messages.
    pub(super) fn clients_in_words(&self) -> String {
        let each = self.clients.iter().map(|names| match names {
            RawPattern::Name(one) => format!("`{one}`"),
            RawPattern::Prefix(RawPrefix { prefix }) => {
                format!("those whose names begin with `{prefix}`")
            }
        });
        match each.collect::<Vec<_>>().as_slice() {
            [] => "none".to_owned(),
            words => words.join(", "),
        }
    }
}

/// The scope of an entry of `include`; `None` without one, or if it is invalid, which was reported.
pub(super) fn scope(
    report: &mut Report,
    version: KafkaVersion,
    entry: &RawInclude,
) -> Option<Scope> {
    let raw = entry.scope()?;
    let before = report.len();
    let prefix = RawPattern::Prefix(RawPrefix {
        prefix: raw.prefix.value.clone(),
    });
    let span = raw.prefix.span;
    if raw.prefix.is_empty() {
        unlimited(report, span);
    } else {
        // A prefix that a topic name can have.
        let value = prefix.clone();
        names::pattern(
            report,
            version,
            ResourceType::Topic,
            &Spanned { value, span },
        );
    }
    let scope = Scope {
        prefix: raw.prefix.value.clone(),
        clients: match &raw.clients {
            Some(clients) => self::clients(report, clients),
            None => vec![prefix],
        },
        principals: principals(report, version, raw),
        span,
    };
    (report.len() == before).then_some(scope)
}

fn unlimited(report: &mut Report, span: Span) {
    report
        .error(PolicyCode::BadScope, span, "an empty prefix limits nothing")
        .hint("write {prefix: team-a-}, or include the files without a scope");
}

fn clients(report: &mut Report, all: &[Spanned<RawPattern>]) -> Vec<RawPattern> {
    let mut names = Vec::new();
    for client in all {
        match &client.value {
            RawPattern::Prefix(prefix) if prefix.prefix.is_empty() => {
                unlimited(report, client.span);
            }
            RawPattern::Prefix(_) => names.push(client.value.clone()),
            RawPattern::Name(name) => match name.parse::<IdentityName>() {
                Ok(_) => names.push(client.value.clone()),
                Err(error) => {
                    let draft = report.error(PolicyCode::BadName, client.span, error.to_string());
                    let stem = name.strip_suffix('*');
                    if let Some(stem) = stem.filter(|stem| !stem.is_empty()) {
                        draft.hint(format!("write {{prefix: {stem}}}"));
                    }
                }
            },
        }
    }
    names
}

fn principals(report: &mut Report, version: KafkaVersion, raw: &RawScope) -> Vec<PrincipalPattern> {
    let all = raw.principals.iter().flatten();
    let mut patterns = Vec::new();
    for principal in all {
        if let RawPattern::Name(name) = &principal.value
            && name == EVERYONE
        {
            let message = "a scope cannot permit rights for everyone";
            report
                .error(PolicyCode::BadScope, principal.span, message)
                .hint("list the principals, or grant rights to everyone in the policy itself");
            continue;
        }
        patterns.extend(names::principal_pattern(report, version, principal));
    }
    patterns
}

/// Reports a client that a file with this scope cannot declare.
pub(super) fn client(report: &mut Report, scope: &Scope, name: &IdentityName, span: Span) {
    if !scope.permits_client(name.as_str()) {
        let names = scope.clients_in_words();
        let message = format!("the file's scope does not permit a client `{name}`");
        report
            .error(PolicyCode::OutsideScope, span, message)
            .unless_lost(&["include.scope.clients"])
            .note(scope.span, "the scope")
            .hint(format!("the scope's clients are {names}; declare others in the policy itself, or permit them with the scope's `clients`"));
    }
}
