//! The lines of a policy that would allow what is denied, to paste.

use crate::{
    acl::{
        KafkaVersion, Operation, PatternType, Permission, Problem, RawBinding, Request,
        ResourceType,
    },
    document::scalar,
    policy::ValidatedPolicy,
};

/// Why no policy can allow it: such a request is a mistake.
pub fn senseless(request: &Request, version: KafkaVersion) -> Option<Problem> {
    let binding = RawBinding {
        resource_type: request.resource_type,
        pattern_type: PatternType::Literal,
        name: request.name.as_str().into(),
        principal: request.principal.as_str().into(),
        host: "*".into(),
        operation: request.operation,
        permission: Permission::Allow,
    };
    binding.problems(version).into_iter().next()
}

/// What to write, and where.
pub fn policy_lines(request: &Request, policy: Option<&ValidatedPolicy>) -> String {
    let client = policy.and_then(|policy| {
        let is = |c: &&crate::policy::Client| {
            let mut principals = policy.principals(c).into_iter();
            principals.any(|p| p == request.principal.as_str())
        };
        policy.clients.iter().find(is)
    });
    let name = scalar(&request.name);
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
            "under `roles` of the client `{}`:\n    {role}\nor, for this right alone, under `acls`:\n    {entry}",
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
        scalar(&request.principal),
        request.operation
    )
}
