//! Writes a policy from the bindings of a cluster, to move existing ACLs to a reviewed file.

use std::collections::BTreeSet;

use crate::{
    acl::{
        Binding, Group, KafkaVersion, LeftOut, NO_WORDS, PatternType, Permission, RawBinding,
        ResourceType, grouped,
    },
    code::StableCode,
    document::{one_line, scalar},
};

/// The maximum width of a list on one line; longer lists have a line for each entry.
const LINE: usize = 100;

/// A policy's text.
#[derive(Debug)]
pub struct WrittenPolicy<'a> {
    /// The YAML.
    pub text: String,
    /// The bindings that it does not contain, sorted.
    pub left_out: Vec<LeftOut<'a>>,
}

/// What a written policy says besides its bindings.
#[derive(Debug, Default)]
pub struct WriteOptions {
    /// Comments at the top.
    pub comments: Vec<String>,
    /// Principals that may have other rights as well, which `prune` would delete: they are not managed.
    pub incomplete: BTreeSet<String>,
    /// Whether the brokers take a certificate's whole subject as the principal.
    pub whole_subjects: bool,
}

/// Writes the policy with these bindings for a cluster of this version.
///
/// A broker stores bindings that it never matches, and a policy refuses those. They become comments, and their principals
/// are not managed, so that a plan of the policy, even one with `prune`, changes nothing in the cluster.
pub fn write_acls<'a>(
    bindings: &'a BTreeSet<RawBinding>,
    version: KafkaVersion,
    options: &WriteOptions,
) -> WrittenPolicy<'a> {
    let (said, left_out) = LeftOut::of(bindings, |binding| unsayable(binding, version));
    let mut text = String::new();
    for comment in &options.comments {
        line(&mut text, format!("# {}", one_line(comment)));
    }
    line(&mut text, "cluster:");
    // KRaft is the default of a policy.
    if version < KafkaVersion::FIRST_KRAFT {
        line(&mut text, "  mode: zookeeper");
    }
    line(&mut text, format!("  kafka_version: \"{version}\""));
    if options.whole_subjects {
        line(
            &mut text,
            "  principal_mapping_rules: [DEFAULT]  # the principal of a certificate is its whole subject",
        );
    }
    acls(&mut text, &said);
    stray(&mut text, &left_out);
    manage(&mut text, &said, &left_out, &options.incomplete);
    WrittenPolicy { text, left_out }
}

/// Why a policy cannot contain this binding.
fn unsayable(binding: &RawBinding, version: KafkaVersion) -> Option<(StableCode, String)> {
    if let Some(problem) = binding.problems(version).first() {
        return Some((problem.code.into(), problem.to_string()));
    }
    let no_words = |reason| Some((NO_WORDS, reason));
    if binding.resource_type == ResourceType::Cluster
        && binding.pattern_type != PatternType::Literal
    {
        return no_words("a policy's `cluster: true` is always LITERAL".to_owned());
    }
    match Binding::new(binding.clone(), version) {
        // A policy normalises host ranges.
        Ok(checked) if checked.as_raw() != binding => {
            no_words(format!("a policy writes this host as {}", checked.host))
        }
        Ok(_) => None,
        Err(problem) => Some((problem.code.into(), problem.to_string())),
    }
}

fn line(text: &mut String, line: impl AsRef<str>) {
    text.push_str(line.as_ref());
    text.push('\n');
}

fn acls(text: &mut String, said: &[&RawBinding]) {
    if said.is_empty() {
        return line(text, "acls: []");
    }
    line(text, "acls:");
    let groups = grouped(said.iter().copied());
    for (at, group) in groups.iter().enumerate() {
        if at > 0 && groups[at - 1].principal != group.principal {
            text.push('\n');
        }
        entry(text, group);
    }
}

fn entry(text: &mut String, group: &Group<'_>) {
    line(text, format!("  - principal: {}", scalar(group.principal)));
    if group.host != "*" {
        line(text, format!("    host: {}", scalar(group.host)));
    }
    let key = match group.permission {
        Permission::Allow => "allow",
        Permission::Deny => "deny",
    };
    let operations: Vec<_> = group.operations.iter().map(|o| o.title()).collect();
    line(text, format!("    {key}: [{}]", operations.join(", ")));
    let key = match group.resource_type {
        ResourceType::Topic => "topic",
        ResourceType::Group => "group",
        ResourceType::TransactionalId => "transactional_id",
        ResourceType::DelegationToken => "delegation_token",
        ResourceType::User => "user",
        ResourceType::Cluster => return line(text, "    cluster: true"),
    };
    let resources: Vec<String> = group.resources.iter().map(resource).collect();
    let inline = match resources.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    };
    if resources.len() == 1 || key.len() + inline.len() + 6 <= LINE {
        return line(text, format!("    {key}: {inline}"));
    }
    line(text, format!("    {key}:"));
    for resource in resources {
        line(text, format!("      - {resource}"));
    }
}

fn resource((pattern_type, name): &(PatternType, &str)) -> String {
    match pattern_type {
        PatternType::Literal => scalar(name),
        PatternType::Prefixed => format!("{{prefix: {}}}", scalar(name)),
    }
}

fn stray(text: &mut String, left_out: &[LeftOut<'_>]) {
    if left_out.is_empty() {
        return;
    }
    line(
        text,
        "# The cluster also has these bindings, which a policy cannot contain; they are left unchanged:",
    );
    for LeftOut {
        binding, reason, ..
    } in left_out
    {
        let binding = binding.to_string();
        line(text, format!("#   {}", one_line(&binding)));
        line(text, format!("#     {}", one_line(reason)));
    }
}

fn manage(
    text: &mut String,
    said: &[&RawBinding],
    left_out: &[LeftOut<'_>],
    incomplete: &BTreeSet<String>,
) {
    let all: BTreeSet<&str> = said.iter().map(|b| &*b.principal).collect();
    let stray: BTreeSet<&str> = left_out.iter().map(|l| &*l.binding.principal).collect();
    let (incomplete, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|p| incomplete.contains(*p));
    let (stray, managed): (Vec<_>, Vec<_>) = others.into_iter().partition(|p| stray.contains(p));
    line(text, "manage:");
    if managed.is_empty() {
        line(text, "  principals: []");
    } else {
        line(text, "  principals:");
    }
    for principal in managed {
        line(text, format!("    - {}", scalar(principal)));
    }
    // Only principals that a policy can contain.
    for (unmanaged, what) in [
        (stray, "deletes the bindings in the comment above"),
        (incomplete, "deletes their rights that are not in this file"),
    ] {
        if !unmanaged.is_empty() {
            line(
                text,
                format!("    # If these are managed too, --prune {what}:"),
            );
        }
        for principal in unmanaged {
            line(text, format!("    # - {}", scalar(principal)));
        }
    }
}

#[cfg(test)]
mod tests;
