//! The output of `kafka-acls.sh --list`: a heading for each resource, followed by a line for each binding. There are
//! three forms: of Kafka 2.2 and later, of 2.0 and 2.1, and of earlier versions. The output of `--add` and `--remove`
//! says what it changes, and ends with such a list for the same resources only.

use super::{Imported, Resource};
use crate::acl::{Operation, PatternType, Permission, RawBinding, UnknownWord};

const HEADING: &str = "Current ACLs for resource `";
/// Of what `--add` adds, which is in the list below as well.
const ADDING: &str = "Adding ACLs for resource `";
/// Also in other headings.
const ANY_HEADING: &str = "ACLs for resource `";
/// The heading of a list for one principal (`--principal`).
const PRINCIPAL: &str = "ACLs for principal `";
/// The question of `--remove`, with the bindings and then the resource that it is about.
const QUESTION: &str = "Are you sure you want to ";
const QUESTION_END: &str = "from resource ";

pub(super) fn is_heading(line: &str) -> bool {
    line.trim_start().starts_with(HEADING)
}

/// Whether any line is one of such a list. A cluster without ACLs has an empty one.
pub(super) fn is_list(text: &str) -> bool {
    let known =
        |line: &str| line.contains(ANY_HEADING) || line.starts_with(PRINCIPAL) || is_entry(line);
    text.trim().is_empty() || text.lines().any(|line| known(line.trim()))
}

/// What the entries below a heading are.
enum Section<'a> {
    /// Bindings that the cluster has.
    Current(Resource<'a>),
    /// Bindings that were added, which are among the current ones.
    Added(Resource<'a>),
    /// Bindings that were to be removed.
    Question,
    /// Bindings that cannot be imported.
    Lost(&'static str),
}

pub(super) fn read(text: &str, found: &mut Imported) {
    let mut section = Section::Lost("there is no resource above it");
    let mut added = Vec::new();
    // Whether anybody may have others.
    let mut is_part = false;
    for (at, line) in text.lines().enumerate() {
        let (number, line) = (at + 1, line.trim());
        if let Some(rest) = line.strip_prefix(HEADING) {
            section = below(rest, number, line, Section::Current, found);
        } else if let Some(rest) = line.strip_prefix(ADDING) {
            section = below(rest, number, line, Section::Added, found);
            is_part = true;
        } else if line.starts_with(QUESTION) {
            section = Section::Question;
            is_part = true;
        } else if line.is_empty() || line.starts_with(PRINCIPAL) {
        } else if !is_entry(line) {
            let answered = line.starts_with(QUESTION_END) || matches!(line, "y" | "n");
            if !(answered && matches!(section, Section::Question)) {
                found.leave(number, line, "this is not a line of kafka-acls.sh --list");
            }
            if line.contains(ANY_HEADING) {
                section = Section::Lost("its resource was not imported");
            }
        } else if let Some(entry) = Entry::read(line) {
            let binding = match section {
                Section::Question => continue,
                Section::Current(resource) | Section::Added(resource) => entry.binding(resource),
                Section::Lost(why) => Err(why.to_owned()),
            };
            match binding {
                Ok(binding) if matches!(section, Section::Added(_)) => {
                    added.push((binding, number, line));
                }
                Ok(binding) => found.add(binding, number),
                Err(why) => {
                    found.leave(number, line, why);
                    found.incomplete.insert(entry.principal.to_owned());
                }
            }
        } else {
            found.leave(number, line, "this is not an ACL binding");
            is_part = true;
        }
    }
    for (binding, number, line) in added {
        if !found.bindings.contains_key(&binding) {
            found.leave(number, line, "it is not among the current ACLs");
        }
    }
    if is_part {
        found.nobody_is_complete();
    }
}

/// The section below a heading, whose text after its first words is `rest`.
fn below<'a>(
    rest: &'a str,
    number: usize,
    line: &str,
    section: impl Fn(Resource<'a>) -> Section<'a>,
    found: &mut Imported,
) -> Section<'a> {
    let what = rest.trim_end_matches([':', ' ']).trim_end_matches('`');
    match heading(what) {
        Ok(resource) => section(resource),
        Err(why) => {
            found.leave(number, line, why);
            Section::Lost("its resource was not imported")
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
/// `User:a has Allow permission for operations: Read from hosts: *`, in parts.
struct Entry<'a> {
    principal: &'a str,
    host: &'a str,
    operation: &'a str,
    permission: &'a str,
}

impl<'a> Entry<'a> {
    fn read(line: &'a str) -> Option<Self> {
        // From the end, because a principal may contain commas.
        let (principal, host, operation, permission) = match line.strip_prefix("(principal=") {
            Some(rest) => {
                let rest = rest.strip_suffix(')')?;
                let (rest, permission) = rest.rsplit_once(", permissionType=")?;
                let (rest, operation) = rest.rsplit_once(", operation=")?;
                let (principal, host) = rest.rsplit_once(", host=")?;
                (principal, host, operation, permission)
            }
            None => {
                let (rest, host) = line.rsplit_once(" from hosts: ")?;
                let (rest, operation) = rest.rsplit_once(" permission for operations: ")?;
                let (principal, permission) = rest.rsplit_once(" has ")?;
                (principal, host, operation, permission)
            }
        };
        Some(Self {
            principal,
            host,
            operation,
            permission,
        })
    }

    fn binding(&self, resource: Resource<'_>) -> Result<RawBinding, String> {
        let operation = word::<Operation>(self.operation)?;
        let permission = word::<Permission>(self.permission)?;
        Ok(resource.binding(self.principal, self.host, operation, permission))
    }
}

/// One of Kafka's enum words. Before 2.0, two of them were written in another case and without the underscore, which
/// parsing accepts.
fn word<T: std::str::FromStr<Err = UnknownWord>>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|e: UnknownWord| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings(text: &str) -> (Vec<String>, Vec<(usize, String)>) {
        let mut found = Imported::default();
        read(text, &mut found);
        let left = found.left.into_iter().map(|left| (left.line, left.why));
        let bindings = found.bindings.keys().map(ToString::to_string);
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
        let missing = "it is not among the current ACLs".to_owned();
        assert_eq!(left, [(5, missing)]);
    }

    #[test]
    fn what_add_and_remove_say_about_their_changes_is_no_loss() {
        let add = "Adding ACLs for resource `ResourcePattern(resourceType=TOPIC, name=b, patternType=LITERAL)`: \n \t(principal=User:b, host=*, operation=READ, permissionType=ALLOW) \n\nCurrent ACLs for resource `ResourcePattern(resourceType=TOPIC, name=b, patternType=LITERAL)`: \n \t(principal=User:b, host=*, operation=READ, permissionType=ALLOW) \n";
        let remove = "Are you sure you want to remove ACLs: \n \t(principal=User:x, host=*, operation=ALL, permissionType=ALLOW) \n from resource filter `ResourcePattern(resourceType=TOPIC, name=b, patternType=LITERAL)`? (y/n)\ny\nCurrent ACLs for resource `Topic:b`:\n\tUser:b has Allow permission for operations: Read from hosts: *\n";
        for text in [add, remove] {
            let (bindings, left) = bindings(text);
            assert_eq!(bindings, ["Allow User:b Read on Topic `b` from *"]);
            assert_eq!(left, []);
        }
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
