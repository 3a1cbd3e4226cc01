//! A binding as a call of Kafka's own tool.

use crate::{
    acl::{PatternType, Permission, RawBinding, ResourceType},
    shell::quote,
};

/// `kafka-acls.sh --add …`, to be pasted into a shell.
pub fn command(binding: &RawBinding) -> String {
    let (principal, host) = match binding.permission {
        Permission::Allow => ("--allow-principal", "--allow-host"),
        Permission::Deny => ("--deny-principal", "--deny-host"),
    };
    let mut words = vec![
        "kafka-acls.sh --bootstrap-server HOST:PORT --command-config client.properties --add"
            .to_owned(),
        format!("{principal} {}", quote(&binding.principal)),
    ];
    if &*binding.host != "*" {
        words.push(format!("{host} {}", quote(&binding.host)));
    }
    words.push(format!("--operation {}", binding.operation.title()));
    let resource = match binding.resource_type {
        ResourceType::Topic => "--topic",
        ResourceType::Group => "--group",
        ResourceType::TransactionalId => "--transactional-id",
        ResourceType::DelegationToken => "--delegation-token",
        ResourceType::User => "--user-principal",
        ResourceType::Cluster => "--cluster",
    };
    match binding.resource_type {
        ResourceType::Cluster => words.push(resource.to_owned()),
        _ => words.push(format!("{resource} {}", quote(&binding.name))),
    }
    if binding.pattern_type == PatternType::Prefixed {
        words.push("--resource-pattern-type prefixed".to_owned());
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Operation;

    #[test]
    fn a_binding_is_a_call_of_kafkas_tool() {
        let mut binding = RawBinding {
            resource_type: ResourceType::TransactionalId,
            pattern_type: PatternType::Prefixed,
            name: "pay-".into(),
            principal: "User:CN=it's".into(),
            host: "*".into(),
            operation: Operation::TwoPhaseCommit,
            permission: Permission::Allow,
        };
        assert!(command(&binding).ends_with(
            r"--add --allow-principal 'User:CN=it'\''s' --operation TwoPhaseCommit --transactional-id pay- --resource-pattern-type prefixed"
        ));
        binding.permission = Permission::Deny;
        binding.host = "10.0.0.1".into();
        binding.resource_type = ResourceType::User;
        let denied = command(&binding);
        assert!(denied.contains("--deny-principal") && denied.contains("--deny-host 10.0.0.1"));
        assert!(denied.contains("--user-principal pay-"));
    }
}
