//! Bindings as a shell script of Kafka's own `kafka-acls.sh`, for those who restore them without kpki.

use std::collections::BTreeSet;

use super::{
    CLUSTER_NAME, Group, KafkaVersion, LeftOut, NO_WORDS, PatternType, Permission, ProblemCode,
    RawBinding, ResourceType, grouped,
};
use crate::{code::StableCode, printable::is_printable, shell::quote};

/// As many resources stand in one command: each start of the tool takes seconds, and command lines have an end.
const MOST_RESOURCES: usize = 200;

/// A script, and what it does not say.
#[derive(Debug)]
pub struct Script<'a> {
    /// Lines for `sh`. What the script is called with goes to every command: how to connect.
    pub text: String,
    /// What the tool cannot create, in order.
    pub left_out: Vec<LeftOut<'a>>,
}

/// Writes the commands that create these bindings in a cluster of this version, with `comments` above them.
pub fn kafka_acls<'a>(
    bindings: &'a BTreeSet<RawBinding>,
    version: KafkaVersion,
    comments: &[String],
) -> Script<'a> {
    let (said, left_out) = LeftOut::of(bindings, |binding| refused(binding, version));
    let mut text = "#!/bin/sh\n".to_owned();
    for comment in comments {
        line(&mut text, format!("# {}", one_line(comment)));
    }
    line(
        &mut text,
        "# Run it as: sh THIS --bootstrap-server HOST:PORT --command-config client.properties",
    );
    for LeftOut {
        binding, reason, ..
    } in &left_out
    {
        let binding = one_line(&binding.to_string());
        line(&mut text, format!("# left out: {binding}"));
        line(&mut text, format!("#   {}", one_line(reason)));
    }
    line(&mut text, "set -e");
    if said
        .iter()
        .any(|b| !b.name.is_ascii() || !b.principal.is_ascii())
    {
        // Java reads its arguments in the locale's encoding.
        line(&mut text, "export LC_ALL=C.UTF-8");
    }
    // Denials first, so that at no time more is allowed than in the end.
    let mut groups = grouped(said);
    groups.sort_by_key(|group| group.permission);
    for group in groups {
        for pattern_type in PatternType::ALL {
            let names: Vec<&str> = group
                .resources
                .iter()
                .filter(|(of, _)| of == pattern_type)
                .map(|(_, name)| *name)
                .collect();
            for names in names.chunks(MOST_RESOURCES) {
                text.push_str("kafka-acls.sh \"$@\" --add");
                options(&mut text, &group, *pattern_type, names);
                text.push('\n');
            }
        }
    }
    Script { text, left_out }
}

/// The command that creates one binding, to be pasted into a shell: `kafka-acls.sh … --add …`.
pub fn kafka_acls_command(binding: &RawBinding) -> String {
    let mut text =
        "kafka-acls.sh --bootstrap-server HOST:PORT --command-config client.properties --add"
            .to_owned();
    for group in grouped([binding]) {
        options(&mut text, &group, binding.pattern_type, &[&binding.name]);
    }
    text
}

/// What `org.apache.kafka.tools.AclCommand` (4.3.1) would refuse or turn into something else.
fn refused(binding: &RawBinding, version: KafkaVersion) -> Option<(StableCode, String)> {
    let problems = binding.problems(version);
    let mut refusals = problems.iter().filter(|problem| match problem.code {
        ProblemCode::OperationForeign | ProblemCode::NameEmpty | ProblemCode::ClusterName => true,
        // Never matched by any client, and not for terminals.
        ProblemCode::ControlCharacter => true,
        ProblemCode::PrincipalWithoutType => !binding.principal.contains(':'),
        _ => false,
    });
    if let Some(problem) = refusals.next() {
        return Some((problem.code.into(), problem.to_string()));
    }
    let no_words = |reason: &str| Some((NO_WORDS, reason.to_owned()));
    let texts = [&binding.name, &binding.principal, &binding.host];
    if texts.iter().any(|text| text.contains(char::is_control)) {
        return no_words("it holds a control character");
    }
    if binding.resource_type == ResourceType::Cluster
        && (binding.pattern_type, &*binding.name) != (PatternType::Literal, CLUSTER_NAME)
    {
        return no_words("`--cluster` is the LITERAL name kafka-cluster");
    }
    let cut = |text: &str| text.trim_matches(' ') != text;
    let name_is_cut = binding.resource_type != ResourceType::TransactionalId && cut(&binding.name);
    if name_is_cut || cut(&binding.principal) || cut(&binding.host) {
        return no_words("the tool cuts off the spaces at the ends of what it is given");
    }
    None
}

fn options(text: &mut String, group: &Group<'_>, pattern_type: PatternType, names: &[&str]) {
    let word = match group.permission {
        Permission::Allow => "allow",
        Permission::Deny => "deny",
    };
    option(text, &format!("{word}-principal"), group.principal);
    if group.host != "*" {
        option(text, &format!("{word}-host"), group.host);
    }
    for operation in &group.operations {
        option(text, "operation", operation.title());
    }
    let resource = match group.resource_type {
        ResourceType::Topic => "topic",
        ResourceType::Group => "group",
        ResourceType::TransactionalId => "transactional-id",
        ResourceType::DelegationToken => "delegation-token",
        ResourceType::User => "user-principal",
        ResourceType::Cluster => {
            text.push_str(" --cluster");
            return;
        }
    };
    for name in names {
        option(text, resource, name);
    }
    if pattern_type == PatternType::Prefixed {
        option(text, "resource-pattern-type", "prefixed");
    }
}

fn option(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!(" --{name} {}", quote(value)));
}

fn line(text: &mut String, line: impl AsRef<str>) {
    text.push_str(line.as_ref());
    text.push('\n');
}

/// A text that stays inside of its comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| match is_printable(c) {
            false => c.escape_default().to_string(),
            true => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Operation;

    fn topic(principal: &str, operation: Operation, name: &str) -> RawBinding {
        RawBinding {
            resource_type: ResourceType::Topic,
            pattern_type: PatternType::Literal,
            name: name.into(),
            principal: principal.into(),
            host: "*".into(),
            operation,
            permission: Permission::Allow,
        }
    }

    #[test]
    fn one_command_for_what_goes_together() {
        let prefixed = RawBinding {
            pattern_type: PatternType::Prefixed,
            host: "10.0.0.7".into(),
            permission: Permission::Deny,
            ..topic("User:*", Operation::All, "it's $x")
        };
        let cluster = RawBinding {
            resource_type: ResourceType::Cluster,
            ..topic("User:ü", Operation::ClusterAction, CLUSTER_NAME)
        };
        let foreign = RawBinding {
            resource_type: ResourceType::Group,
            ..topic("User:a", Operation::Write, "g")
        };
        let bindings = BTreeSet::from([
            topic("User:a", Operation::Read, "t"),
            topic("User:a", Operation::Write, "t"),
            topic("User:a", Operation::Read, "-u"),
            topic("User:a", Operation::Write, "-u"),
            topic("User:a", Operation::Read, " v"),
            topic("User:a", Operation::Read, "a\nb"),
            prefixed,
            cluster,
            foreign,
        ]);
        let script = kafka_acls(&bindings, KafkaVersion::ASSUMED, &["From\na test".into()]);
        assert_eq!(
            script.text,
            r#"#!/bin/sh
# From\na test
# Run it as: sh THIS --bootstrap-server HOST:PORT --command-config client.properties
# left out: Allow User:a Read on Topic ` v` from *
#   the tool cuts off the spaces at the ends of what it is given
# left out: Allow User:a Read on Topic `a\nb` from *
#   the resource name `a\nb` holds a control character
# left out: Allow User:a Write on Group `g` from *
#   operation Write does not apply to a Group in Kafka 4.3
set -e
export LC_ALL=C.UTF-8
kafka-acls.sh "$@" --add --deny-principal 'User:*' --deny-host 10.0.0.7 --operation All --topic 'it'\''s $x' --resource-pattern-type prefixed
kafka-acls.sh "$@" --add --allow-principal User:a --operation Read --operation Write --topic -u --topic t
kafka-acls.sh "$@" --add --allow-principal 'User:ü' --operation ClusterAction --cluster
"#
        );
    }

    #[test]
    fn a_name_that_turns_the_direction_of_writing_is_no_such_name_in_the_script() {
        let name = "pay-\u{202e}gpj.exe";
        let bindings = BTreeSet::from([topic("User:a", Operation::Read, name)]);
        let script = kafka_acls(&bindings, KafkaVersion::ASSUMED, &[name.to_owned()]);
        assert!(
            script.text.chars().all(|c| is_printable(c) || c == '\n'),
            "{}",
            script.text
        );
        assert!(script.text.contains(&*quote(name)), "{}", script.text);
    }

    #[test]
    fn no_command_grows_without_end() {
        let bindings: BTreeSet<_> = (0..1_000)
            .map(|n| topic("User:a", Operation::Read, &format!("t{n}")))
            .collect();
        let script = kafka_acls(&bindings, KafkaVersion::ASSUMED, &[]);
        let commands = script.text.lines().filter(|l| l.starts_with("kafka-acls"));
        assert_eq!(commands.count(), 5);
        assert_eq!(script.text.matches(" --topic ").count(), 1_000);
    }

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
        assert!(kafka_acls_command(&binding).ends_with(
            r"--add --allow-principal 'User:CN=it'\''s' --operation TwoPhaseCommit --transactional-id pay- --resource-pattern-type prefixed"
        ));
        binding.permission = Permission::Deny;
        binding.host = "10.0.0.1".into();
        binding.resource_type = ResourceType::User;
        let denied = kafka_acls_command(&binding);
        assert!(denied.contains("--deny-principal") && denied.contains("--deny-host 10.0.0.1"));
        assert!(denied.contains("--user-principal pay-"));
    }
}
