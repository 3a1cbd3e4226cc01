//! The lines of a policy that would allow what is denied, to paste.

use crate::{
    acl::{Operation, Request, ResourceType},
    policy::ValidatedPolicy,
};

/// What to write, and where.
pub fn policy_lines(request: &Request, policy: Option<&ValidatedPolicy>) -> String {
    let client = policy.and_then(|policy| {
        let is = |c: &&crate::policy::Client| policy.principals(c).contains(&request.principal);
        policy.clients.iter().find(is)
    });
    let name = quoted(&request.name);
    let role = match (request.resource_type, request.operation) {
        (ResourceType::Topic, Operation::Write) => Some(format!("- produce: {{topic: {name}}}")),
        (ResourceType::Topic, Operation::Read) => {
            let group = client.map_or("GROUP", |c| c.name.as_str());
            Some(format!("- consume: {{topic: {name}, group: {group}}}"))
        }
        _ => None,
    };
    let entry = entry(request, &name);
    match (client, role) {
        (Some(client), Some(role)) => format!(
            "under `roles` of the client `{}`:\n    {role}\nor, for this alone, under `acls`:\n    {entry}",
            client.name
        ),
        _ => format!("under `acls`:\n    {entry}"),
    }
}

fn entry(request: &Request, name: &str) -> String {
    let resource = match request.resource_type {
        ResourceType::Topic => format!("topic: {name}"),
        ResourceType::Group => format!("group: {name}"),
        ResourceType::TransactionalId => format!("transactional_id: {name}"),
        ResourceType::DelegationToken => format!("delegation_token: {name}"),
        ResourceType::User => format!("user: {name}"),
        ResourceType::Cluster => "cluster: true".to_owned(),
    };
    format!(
        "- {{principal: {}, allow: [{}], {resource}}}",
        quoted(&request.principal),
        request.operation
    )
}

/// A text as YAML reads it back inside of braces.
fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    let begins = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    // What YAML would take for something else than text, it takes so in some case.
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if begins && !word && !text.ends_with(':') && text.bytes().all(plain) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
