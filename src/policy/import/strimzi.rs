//! Strimzi KafkaUser resources: the ACLs that the user operator creates.

use super::{Grantee, Imported, Resource};
use crate::{
    acl::{CLUSTER_NAME, Operation, PatternType, Permission, Principal, ResourceType},
    document::Tree,
};

/// All resources: one in each document, or several in a List.
pub(super) fn resources(trees: &[Tree]) -> impl Iterator<Item = &Tree> {
    trees
        .iter()
        .flat_map(|tree| match tree.get("items").items() {
            [] => std::slice::from_ref(tree),
            items => items,
        })
}

pub(super) fn is_user(tree: &Tree) -> bool {
    tree.get("kind").text() == Some("KafkaUser")
}

/// Whether it is a user, or a list that could have had some.
pub(super) fn is_known(tree: &Tree) -> bool {
    is_user(tree) || matches!(tree.get("kind").text(), Some("List" | "KafkaUserList"))
}

pub(super) fn read(trees: &[Tree], found: &mut Imported) {
    for tree in resources(trees) {
        let kind = tree.get("kind");
        if !is_user(tree) {
            let kind = kind.text().unwrap_or("unknown");
            found.leave(
                tree.line,
                format!("a resource of kind {kind}"),
                "only KafkaUser resources have ACLs",
            );
            continue;
        }
        match tree.get("metadata").get("name").text() {
            Some(name) => user(name, tree.get("spec"), found),
            None => found.leave(tree.line, "a KafkaUser", "it has no metadata.name"),
        }
    }
}

fn user(name: &str, spec: &Tree, found: &mut Imported) {
    let authentication = spec.get("authentication");
    let kind = authentication.get("type").text();
    // The user operator's certificates have the subject CN=<name>, and Strimzi's brokers have no mapping rules.
    let has_certificate = matches!(kind, Some("tls" | "tls-external"));
    found.whole_subjects |= has_certificate;
    let principal = match has_certificate {
        true => Principal::user(format_args!("CN={name}")),
        false => Principal::user(name),
    };
    found.leave_part(
        authentication,
        format!("the {} credentials of {name}", kind.unwrap_or("unknown")),
        "a policy creates its own credentials: add a client with this name under `clients`",
    );
    found.leave_part(
        spec.get("quotas"),
        format!("the quotas of {name}"),
        "a policy has no quotas",
    );
    found.leave_part(
        spec.get("template"),
        format!("the template of {name}"),
        "kpki creates no Kubernetes secrets",
    );
    let who = Grantee {
        principal: principal.as_str(),
        line: spec.line,
    };
    let keys = ["authentication", "authorization", "quotas", "template"];
    found.leave_unknown_of(who, spec, &keys);
    let authorization = spec.get("authorization");
    match authorization.get("type").text() {
        Some("simple") | None => {}
        Some(other) => {
            let what = format!("the authorization of {name}");
            found.leave(authorization.line, what, format!("{other} is not `simple`"));
            found.incomplete.insert(principal.to_string());
            return;
        }
    }
    found.leave_unknown_of(who, authorization, &["type", "acls"]);
    for rule in authorization.get("acls").items() {
        let line = rule.line;
        if let Err(why) = acl(rule, Grantee { line, ..who }, found) {
            found.leave(line, format!("an ACL of {name}"), why);
            found.incomplete.insert(principal.to_string());
        }
    }
}

fn acl(rule: &Tree, who: Grantee<'_>, found: &mut Imported) -> Result<(), String> {
    let resource = rule.get("resource");
    let kind = match resource.get("type").text() {
        Some("topic") => ResourceType::Topic,
        Some("group") => ResourceType::Group,
        Some("cluster") => ResourceType::Cluster,
        Some("transactionalId") => ResourceType::TransactionalId,
        Some(other) => return Err(format!("unknown resource type `{other}`")),
        None => return Err("it has no resource.type".to_owned()),
    };
    let pattern = match resource.get("patternType").text() {
        None | Some("literal") => PatternType::Literal,
        Some("prefix") => PatternType::Prefixed,
        Some(other) => return Err(format!("unknown pattern type `{other}`")),
    };
    let name = match (kind, resource.get("name").text()) {
        (ResourceType::Cluster, _) => CLUSTER_NAME,
        (_, Some(name)) => name,
        (_, None) => return Err("it has no resource.name".to_owned()),
    };
    let permission = match rule.get("type").text() {
        None | Some("allow") => Permission::Allow,
        Some("deny") => Permission::Deny,
        Some(other) => return Err(format!("unknown type `{other}`")),
    };
    let host = rule.get("host").text().unwrap_or("*");
    // `operation` is the older spelling.
    let operations = rule
        .get("operations")
        .texts()
        .chain(rule.get("operation").text());
    let operations: Vec<Operation> = operations
        .map(|word| {
            word.parse()
                .map_err(|e: crate::acl::UnknownWord| e.to_string())
        })
        .collect::<Result<_, _>>()?;
    if operations.is_empty() {
        return Err("it has no operations".to_owned());
    }
    let resource = Resource {
        kind,
        pattern,
        name,
    };
    for operation in operations {
        let binding = resource.binding(who.principal, host, operation, permission);
        found.add(binding, who.line);
    }
    let keys = ["resource", "type", "host", "operations", "operation"];
    found.leave_unknown_of(who, rule, &keys);
    found.leave_unknown_of(who, rule.get("resource"), &["type", "name", "patternType"]);
    Ok(())
}
