//! Checks that every identity has its own principal. Reports identities whose principal, by certificate or by password,
//! is that of a super user, a broker, the admin or another identity, unless the policy intends it.
//!
//! Included files cannot allow any of it: their authors may not be entitled to.

use std::collections::{HashMap, HashSet};

use super::{Declared, mapping::no_rule, scope::Scope};
use crate::{
    acl::{ANONYMOUS, EVERYONE, Principal},
    document::{Report, Span},
    pki::IdentityName,
    policy::{Auth, Cluster, PolicyCode, principals::Principals, raw::RawCluster},
};

/// On which keys it depends who has which principal, and who may have it.
const PRINCIPALS: &[&str] = &[
    "cluster.principal_mapping_rules",
    "cluster.admin",
    "cluster.super_users",
    "cluster.inter_broker_listener",
    "cluster.listeners.mechanisms",
    "clients.name",
    "clients.auth",
    "users.auth",
    "include.scope.clients",
    "include.scope.principals",
];

/// An entry of `acls`: its principal, and its position.
pub(super) struct Grantee<'a> {
    pub principal: Principal,
    pub span: Span,
    pub scope: Option<&'a Scope>,
}

/// The input of the checks.
pub(super) struct Everyone<'a> {
    pub raw: &'a RawCluster,
    pub cluster: &'a Cluster,
    pub principals: Principals<'a>,
    pub declared: &'a Declared<'a>,
    pub grantees: &'a [Grantee<'a>],
}

/// A principal to which no ACL applies.
enum Power {
    /// A broker, or the admin.
    Identity(String),
    /// One of `super_users`.
    Listed,
}

/// Reports identities that share a principal, and grants of included files to others than their scope allows.
pub(super) fn check(report: &mut Report, everyone: &Everyone<'_>) {
    let powers = powers(report, everyone);
    identities(report, everyone, &powers);
    grants(report, everyone, &powers);
}

/// Each principal to which no ACL applies, with the position that defines it.
fn powers(report: &mut Report, everyone: &Everyone<'_>) -> HashMap<Principal, (Span, Power)> {
    let mut powers: HashMap<Principal, (Span, Power)> = HashMap::new();
    let logs_in = everyone.cluster.brokers_log_in();
    for (broker, span) in &everyone.declared.brokers {
        let all = everyone.principals.broker(&broker.name, logs_in);
        if everyone.principals.by_certificate(&broker.name).is_none() {
            no_rule(report, &broker.name, *span);
        }
        for principal in all {
            let one = One {
                name: broker.name.as_str(),
                principal: &principal,
                span: *span,
            };
            if !one.can_be_super_user(report) {
                continue;
            }
            let who = Power::Identity(format!("the broker `{}`", broker.name));
            powers.entry(principal).or_insert((*span, who));
        }
    }
    for (name, auth, span) in everyone.declared.auths() {
        if !everyone.is_admin(name) {
            continue;
        }
        let identity = name.parse::<IdentityName>().ok();
        if let Some(principal) = identity.and_then(|name| everyone.principals.of(&name, auth)) {
            let who = Power::Identity(format!("the admin `{name}`"));
            powers.entry(principal).or_insert((span, who));
        }
    }
    for user in everyone.raw.super_users.iter().flatten() {
        if let Ok(principal) = user.parse() {
            let listed = (user.span, Power::Listed);
            powers.entry(principal).or_insert(listed);
        }
    }
    powers
}

fn identities(
    report: &mut Report,
    everyone: &Everyone<'_>,
    powers: &HashMap<Principal, (Span, Power)>,
) {
    let declared = everyone.declared;
    let clients = declared.clients.iter().map(|client| client.name.as_str());
    let users = declared.users.iter().map(|user| user.name.as_str());
    let accepted: HashSet<&str> = clients.chain(users).collect();
    let origins: HashMap<&str, _> = declared
        .raw_clients
        .iter()
        .map(|(client, origin)| (client.name.as_str(), *origin))
        .collect();
    let mut granted: HashMap<&Principal, Vec<&Grantee<'_>>> = HashMap::new();
    for grantee in everyone.grantees {
        granted.entry(&grantee.principal).or_default().push(grantee);
    }
    let mut taken: HashMap<Principal, (&str, Span)> = HashMap::new();
    // An invalid or duplicate name, already reported.
    let auths = declared
        .auths()
        .filter(|(name, ..)| accepted.contains(name));
    for (name, auth, span) in auths {
        let Ok(identity) = name.parse::<IdentityName>() else {
            continue;
        };
        let Some(principal) = everyone.principals.of(&identity, auth) else {
            if auth == Auth::Tls {
                no_rule(report, &identity, span);
            }
            continue;
        };
        let origin = origins.get(name).copied();
        let included = origin.is_some_and(|origin| origin.is_included());
        let scope = origin.and_then(|origin| origin.scope());
        let one = One {
            name,
            principal: &principal,
            span,
        };
        if principal == EVERYONE || principal == ANONYMOUS {
            one.nobody(report);
            continue;
        }
        if everyone.is_admin(name) {
            one.can_be_super_user(report);
            // The policy itself names its admin; a file with a scope must not declare it.
            if let Some(scope) = scope {
                one.outside(report, scope, "the admin");
            }
            continue;
        }
        match powers.get(&principal) {
            Some((first, Power::Identity(whose))) => {
                one.shared_with_power(report, *first, whose);
                continue;
            }
            Some((first, Power::Listed)) if included || !says_whole(&principal, name) => {
                one.unsaid_super_user(report, *first, included);
                continue;
            }
            _ => {}
        }
        let (other, first) = *taken.entry(principal.clone()).or_insert((name, span));
        if other != name {
            one.shared(report, other, first);
        } else if let Some(scope) = scope {
            let grantees = granted.get(&principal);
            one.named_elsewhere(report, scope, grantees.into_iter().flatten());
        }
    }
}

/// Whether a principal was meant for the identity of this name: it contains the name as a whole word, in any case, as
/// `User:CN=ops` contains `ops`.
fn says_whole(principal: &Principal, name: &str) -> bool {
    let (principal, name) = (
        principal.as_str().to_ascii_lowercase(),
        name.to_ascii_lowercase(),
    );
    principal.match_indices(&name).any(|(at, _)| {
        let before = principal[..at].chars().next_back();
        let after = principal[at + name.len()..].chars().next();
        ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric)
    })
}

impl Everyone<'_> {
    fn is_admin(&self, name: &str) -> bool {
        let admin = self.raw.admin.as_ref();
        admin.is_some_and(|admin| admin.value == name)
    }

    /// The principals of the clients that a scope permits, whichever file declares them.
    fn clients_of(&self, scope: &Scope) -> HashSet<Principal> {
        let clients = self.declared.clients.iter();
        clients
            .filter(|client| scope.permits_client(client.name.as_str()))
            .flat_map(|client| self.principals.all(client))
            .collect()
    }

    /// What is wrong with a grant to a principal that no client of the scope has, and a hint. A name that the scope
    /// permits may be misspelt, or its client not declared.
    fn not_a_client(&self, scope: &Scope, principal: &Principal) -> (&'static str, String) {
        let permitted = principal.user_name().filter(|n| scope.permits_client(n));
        let Some(name) = permitted else {
            let names = scope.clients_in_words();
            let hint = format!(
                "the scope's clients are {names}; add other principals to the scope's `principals`"
            );
            return ("not a client of the file's scope", hint);
        };
        let mut clients = self.declared.clients.iter();
        let hint = match clients.find(|client| client.name.as_str() == name) {
            Some(client) => {
                let own = self.principals.all(client);
                let own: Vec<_> = own.iter().map(Principal::to_string).collect();
                let own = own.join(" and ");
                format!("the principal of the client `{name}` is {own}, by the mapping rules")
            }
            None => format!(
                "declare the client `{name}`, correct the name, or add \"{principal}\" to the scope's `principals`"
            ),
        };
        ("not the principal of any declared client", hint)
    }
}

/// An identity, and one of its principals.
struct One<'a> {
    name: &'a str,
    principal: &'a Principal,
    span: Span,
}

/// The hint for two identities with one principal.
const APART: &str = "write mapping rules that keep their names apart, as the default ones do";

impl One<'_> {
    /// Reports a principal that brokers would not read back from `super.users` as this one alone: they split its text
    /// at `;` and trim each part.
    fn can_be_super_user(&self, report: &mut Report) -> bool {
        let (name, principal) = (self.name, self.principal);
        if *principal == EVERYONE || *principal == ANONYMOUS {
            self.nobody(report);
            return false;
        }
        let text = principal.as_str();
        let empty = principal.user_name().is_none_or(|n| n.trim().is_empty());
        let whole = text.trim() == text && !text.contains(';') && !text.contains(char::is_control);
        if whole && !empty {
            return true;
        }
        let message = format!(
            "the principal of `{name}` would be `{}`, which `super.users` cannot contain",
            text.escape_debug()
        );
        report
            .error(PolicyCode::BadPrincipal, self.span, message)
            .unless_lost(PRINCIPALS)
            .hint("write mapping rules that give it a name without `;`, line breaks or spaces at the ends: Kafka splits and trims `super.users`");
        false
    }

    fn nobody(&self, report: &mut Report) {
        let (name, principal) = (self.name, self.principal);
        let message = format!(
            "the principal of `{name}` would be {principal}, which is not that of a single identity"
        );
        report
            .error(PolicyCode::SharedPrincipal, self.span, message)
            .unless_lost(PRINCIPALS)
            .hint(
                "choose another name, or write mapping rules that give it a principal of its own",
            );
    }

    fn shared_with_power(&self, report: &mut Report, first: Span, whose: &str) {
        let (name, principal) = (self.name, self.principal);
        let message = format!(
            "the principal of `{name}` would be {principal}, like that of {whose}, which makes it a super user"
        );
        report
            .error(PolicyCode::SharedPrincipal, self.span, message)
            .unless_lost(PRINCIPALS)
            .note(first, "the super user")
            .hint(APART);
    }

    fn unsaid_super_user(&self, report: &mut Report, listed: Span, included: bool) {
        let (name, principal) = (self.name, self.principal);
        let message =
            format!("the principal of `{name}` would be {principal}, which makes it a super user");
        let hint = match included {
            true => {
                "an included file cannot declare a super user: choose another name, or declare the client in the policy itself"
            }
            false => APART,
        };
        report
            .error(PolicyCode::UnsaidSuperUser, self.span, message)
            .unless_lost(PRINCIPALS)
            .note(listed, "the super user")
            .hint(hint);
    }

    fn shared(&self, report: &mut Report, other: &str, first: Span) {
        let (name, principal) = (self.name, self.principal);
        let message = format!(
            "`{other}` and `{name}` would have the same principal, {principal}, and so the same rights"
        );
        report
            .error(PolicyCode::SharedPrincipal, self.span, message)
            .unless_lost(PRINCIPALS)
            .note(first, format!("`{other}`"))
            .hint(APART);
    }

    fn outside(&self, report: &mut Report, scope: &Scope, what: &str) {
        let message = format!(
            "`{}` is {what}, which a file with a scope cannot declare",
            self.name
        );
        report
            .error(PolicyCode::OutsideScope, self.span, message)
            .unless_lost(PRINCIPALS)
            .note(scope.span, "the scope")
            .hint("declare it in the policy itself");
    }

    /// Reports a principal that the mapping rules make of a scope's client, and that the scope does not list, if other
    /// files grant rights to it, or if its name is different, as it may be another user of the cluster.
    fn named_elsewhere<'g>(
        &self,
        report: &mut Report,
        scope: &Scope,
        mut grantees: impl Iterator<Item = &'g &'g Grantee<'g>>,
    ) {
        let (name, principal) = (self.name, self.principal);
        let own_name = principal.user_name();
        if own_name.is_some_and(|name| scope.permits_client(name))
            || scope.lists(principal.as_str())
        {
            return;
        }
        let other = grantees.find(|grantee| {
            let other = grantee.scope;
            !other.is_some_and(|other| std::ptr::eq(other, scope))
        });
        let why = match other {
            Some(_) => "which gets rights elsewhere",
            None if says_whole(principal, name) => return,
            None => "which may be another user, because the scope does not permit this name",
        };
        let message = format!("the principal of `{name}` would be {principal}, {why}");
        let draft = report
            .error(PolicyCode::OutsideScope, self.span, message)
            .unless_lost(PRINCIPALS);
        let draft = match other {
            Some(other) => draft.note(other.span, "here"),
            None => draft,
        };
        draft.note(scope.span, "the scope").hint(format!(
            "choose another name, or list \"{principal}\" under the scope's `principals`"
        ));
    }
}

/// Reports what files with a scope grant to principals outside the scope.
fn grants(
    report: &mut Report,
    everyone: &Everyone<'_>,
    powers: &HashMap<Principal, (Span, Power)>,
) {
    // A file may have as many entries as its team has clients.
    let mut clients: HashMap<*const Scope, HashSet<Principal>> = HashMap::new();
    for grantee in everyone.grantees {
        let Some(scope) = grantee.scope else { continue };
        let principal = &grantee.principal;
        let in_the_policy = "write it in the policy itself";
        let (fault, hint) = match powers.get(principal) {
            Some(_) => (
                "a super user, to whom a file with a scope cannot grant rights",
                in_the_policy.to_owned(),
            ),
            None if *principal == EVERYONE => (
                "everyone, to whom a file with a scope cannot grant rights",
                in_the_policy.to_owned(),
            ),
            None if scope.lists(principal.as_str()) => continue,
            None => {
                let clients = clients
                    .entry(std::ptr::from_ref(scope))
                    .or_insert_with(|| everyone.clients_of(scope));
                if clients.contains(principal) {
                    continue;
                }
                everyone.not_a_client(scope, principal)
            }
        };
        let message = format!("{principal} is {fault}");
        report
            .error(PolicyCode::OutsideScope, grantee.span, message)
            .unless_lost(PRINCIPALS)
            .note(scope.span, "the scope")
            .hint(hint);
    }
}
