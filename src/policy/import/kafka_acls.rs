//! The output of `kafka-acls.sh --list`: a heading for each resource, followed by a line for each binding. There are
//! three forms: of Kafka 2.2 and later, of 2.0 and 2.1, and of earlier versions.

use super::{Imported, Resource};
use crate::acl::{Operation, PatternType, Permission, RawBinding};

const HEADING: &str = "Current ACLs for resource `";
/// Also in the output of `--add` and `--remove`, above what has just been changed.
const OTHER_HEADING: &str = "ACLs for resource `";
/// The heading of a list for one principal (`--principal`).
const PRINCIPAL: &str = "ACLs for principal `";

pub(super) fn is_heading(line: &str) -> bool {
    line.trim_start().starts_with(HEADING)
}

/// Whether any line is one of such a list. A cluster without ACLs has an empty one.
pub(super) fn is_list(text: &str) -> bool {
    let known =
        |line: &str| line.contains(OTHER_HEADING) || line.starts_with(PRINCIPAL) || is_entry(line);
    text.trim().is_empty() || text.lines().any(|line| known(line.trim()))
}

pub(super) fn read(text: &str, found: &mut Imported) {
    let mut resource: Option<Result<Resource<'_>, String>> = None;
    for (at, line) in text.lines().enumerate() {
        let (number, line) = (at + 1, line.trim());
        if let Some(rest) = line.strip_prefix(HEADING) {
            let what = rest.trim_end_matches([':', ' ']).trim_end_matches('`');
            let read = heading(what);
            if let Err(why) = &read {
                found.leave(number, line, why);
            }
            resource = Some(read);
        } else if line.is_empty() || line.starts_with(PRINCIPAL) {
        } else if !is_entry(line) {
            found.leave(number, line, "this is not a line of kafka-acls.sh --list");
            if line.contains(OTHER_HEADING) {
                resource = Some(Err(String::new()));
            }
        } else {
            match &resource {
                Some(Ok(resource)) => match entry(line, *resource) {
                    Ok(binding) => {
                        found.bindings.insert(binding);
                    }
                    Err(why) => found.leave(number, line, why),
                },
                Some(Err(_)) => found.leave(number, line, "its resource was not imported"),
                None => found.leave(number, line, "there is no resource above it"),
            }
        }
    }
}

/// `ResourcePattern(resourceType=TOPIC, name=orders, patternType=LITERAL)`, `Topic:LITERAL:orders` or `Topic:orders`.
fn heading(text: &str) -> Result<Resource<'_>, String> {
    let parts = text
        .strip_prefix("ResourcePattern(resourceType=")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rest| {
            let (kind, rest) = rest.split_once(", name=")?;
            let (name, pattern) = rest.rsplit_once(", patternType=")?;
            Some((kind, name, pattern))
        });
    let older = || {
        let (kind, rest) = text.split_once(':')?;
        let patterned = rest
            .split_once(':')
            .filter(|(pattern, _)| pattern.parse::<PatternType>().is_ok());
        Some(match patterned {
            Some((pattern, name)) => (kind, name, pattern),
            None => (kind, rest, "LITERAL"),
        })
    };
    let (kind, name, pattern) = parts.or_else(older).ok_or("this is not a resource")?;
    Ok(Resource {
        kind: word(kind)?,
        pattern: word(pattern)?,
        name,
    })
}

fn is_entry(line: &str) -> bool {
    line.starts_with("(principal=")
        || line.contains(" has ") && line.contains(" permission for operations: ")
}

/// `(principal=User:a, host=*, operation=READ, permissionType=ALLOW)` or
/// `User:a has Allow permission for operations: Read from hosts: *`.
fn entry(line: &str, resource: Resource<'_>) -> Result<RawBinding, String> {
    let parts = match line.strip_prefix("(principal=") {
        // From the end, because a principal may contain commas.
        Some(rest) => rest.strip_suffix(')').and_then(|rest| {
            let (rest, permission) = rest.rsplit_once(", permissionType=")?;
            let (rest, operation) = rest.rsplit_once(", operation=")?;
            let (principal, host) = rest.rsplit_once(", host=")?;
            Some((principal, host, operation, permission))
        }),
        None => line.rsplit_once(" from hosts: ").and_then(|(rest, host)| {
            let (rest, operation) = rest.rsplit_once(" permission for operations: ")?;
            let (principal, permission) = rest.rsplit_once(" has ")?;
            Some((principal, host, operation, permission))
        }),
    };
    let (principal, host, operation, permission) = parts.ok_or("this is not an ACL binding")?;
    Ok(resource.binding(
        principal,
        host,
        word::<Operation>(operation)?,
        word::<Permission>(permission)?,
    ))
}

/// One of Kafka's enum words. Before 2.0, two of them were written in another case and without the underscore, which
/// parsing accepts.
fn word<T: std::str::FromStr<Err = crate::acl::UnknownWord>>(text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|e: crate::acl::UnknownWord| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings(text: &str) -> (Vec<String>, Vec<(usize, String)>) {
        let mut found = Imported::default();
        read(text, &mut found);
        let left = found.left.into_iter().map(|left| (left.line, left.why));
        let bindings = found.bindings.iter().map(ToString::to_string);
        (bindings.collect(), left.collect())
    }

    #[test]
    fn three_dialects_say_the_same() {
        let texts = [
            "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=a, b=c, patternType=LITERAL)`: \n \t(principal=User:CN=x, host=y,O=z, host=10.0.0.1, operation=DESCRIBE_CONFIGS, permissionType=DENY) \n",
            "Current ACLs for resource `Topic:LITERAL:a, b=c`: \n \tUser:CN=x, host=y,O=z has Deny permission for operations: DescribeConfigs from hosts: 10.0.0.1 \n",
            "ACLs for principal `User:x`\nCurrent ACLs for resource `Topic:a, b=c`: \n\tUser:CN=x, host=y,O=z has Deny permission for operations: DescribeConfigs from hosts: 10.0.0.1\n\n",
        ];
        for text in texts {
            let (bindings, left) = bindings(text);
            assert_eq!(
                bindings,
                ["Deny User:CN=x, host=y,O=z DescribeConfigs on Topic `a, b=c` from 10.0.0.1"],
                "{text}"
            );
            assert_eq!(left, []);
        }
    }

    #[test]
    fn the_output_of_add_gives_what_is_there_afterwards() {
        let (bindings, left) = bindings(
            "Current ACLs for resource `Topic:a`:\n(principal=User:a, host=*, operation=READ, permissionType=ALLOW)\n\nAdding ACLs for resource `Topic:b`:\n(principal=User:b, host=*, operation=READ, permissionType=ALLOW)\n",
        );
        assert_eq!(bindings, ["Allow User:a Read on Topic `a` from *"]);
        let lines: Vec<usize> = left.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [4, 5]);
    }

    #[test]
    fn what_is_not_understood_is_told_line_by_line() {
        let (bindings, left) = bindings(
            "[2026-01-01] WARN something\n(principal=User:a, host=*, operation=READ, permissionType=ALLOW)\nCurrent ACLs for resource `ResourcePattern(resourceType=MOON, name=a, patternType=LITERAL)`:\n(principal=User:a, host=*, operation=READ, permissionType=ALLOW)\nCurrent ACLs for resource `Topic:a`:\n(principal=User:a, host=*, operation=FLY, permissionType=ALLOW)\n(principal=User:a)\n",
        );
        assert_eq!(bindings, [""; 0]);
        let lines: Vec<usize> = left.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 6, 7]);
        assert!(left[4].1.contains("FLY"), "{left:?}");
    }
}
