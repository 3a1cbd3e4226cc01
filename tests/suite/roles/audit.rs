//! What the brokers decided, by their own log: nothing that a client needs is missing from its role, nothing in the role
//! is there in vain, and kpki would have decided the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ROLES, cluster::Cluster};

/// A decision of the broker's authorizer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Decision {
    allowed: bool,
    principal: String,
    operation: String,
    host: String,
    resource_type: String,
    name: String,
    /// What was asked of the broker: `Fetch`, `Metadata`, …
    request: String,
    /// What decided, as Kafka prints it.
    rule: String,
}

/// The distinct decisions among the lines of `kafka.authorizer.logger` (`StandardAuthorizerData.buildAuditMessage`).
fn decisions(log: &str) -> BTreeSet<Decision> {
    log.lines().filter_map(decision).collect()
}

fn decision(line: &str) -> Option<Decision> {
    let (_, rest) = line.split_once(" Principal = ")?;
    let (principal, rest) = rest.split_once(" is ")?;
    let (decision, rest) = rest.split_once(" operation = ")?;
    let (operation, rest) = rest.split_once(" from host = ")?;
    let (host, rest) = rest.split_once(" on resource = ")?;
    let (resource, rest) = rest.split_once(" for request = ")?;
    let (request, rest) = rest.split_once(" with resourceRefCount = ")?;
    let (_, rule) = rest.split_once(" based on rule ")?;
    let (resource_type, name) = resource.split_once(":LITERAL:")?;
    Some(Decision {
        allowed: decision == "Allowed",
        principal: principal.to_owned(),
        operation: operation.to_owned(),
        host: host.to_owned(),
        resource_type: match resource_type {
            "TransactionalId" => "TRANSACTIONAL_ID".to_owned(),
            other => other.to_uppercase(),
        },
        name: name.to_owned(),
        request: request.to_owned(),
        rule: rule.to_owned(),
    })
}

/// What is wrong with the roles, as seen in the log of a cluster where everyone did their work.
pub fn findings(cluster: &Cluster, log: &str) -> Vec<String> {
    let decisions = decisions(log);
    let mut findings = Vec::new();
    for role in ROLES {
        let principal = format!("User:{}", role.client);
        let of_it = || decisions.iter().filter(|d| d.principal == principal);
        for d in of_it().filter(|d| !d.allowed) {
            if !role
                .tolerates
                .contains(&(d.operation.as_str(), d.resource_type.as_str()))
            {
                let Decision {
                    operation,
                    resource_type,
                    name,
                    request,
                    ..
                } = d;
                findings.push(format!(
                    "{principal} lacks {operation} on {resource_type} {name} for {request}"
                ));
            }
        }
        for binding in cluster.bindings() {
            let operation = binding["operation"].as_str().unwrap();
            let acl = standard_acl(&binding);
            let used =
                |d: &Decision| d.allowed && d.operation == operation && d.rule.contains(&acl);
            if binding["principal"] == principal.as_str() && !of_it().any(used) {
                findings.push(format!("{principal} did not need {binding}"));
            }
        }
    }
    findings
}

/// A binding as Kafka prints it.
fn standard_acl(binding: &Value) -> String {
    let of = |field: &str| binding[field].as_str().unwrap();
    format!(
        "StandardAcl[resourceType={}, resourceName={}, patternType={}, principal={}, host={}, operation={}, permissionType={}]",
        of("resource_type"),
        of("name"),
        of("pattern_type"),
        of("principal"),
        of("host"),
        of("operation"),
        of("permission"),
    )
}

/// What `kpki acl explain` decides otherwise than the broker did. `kpki acl test` must agree with the broker, too.
pub fn disagreements(cluster: &Cluster, log: &str) -> Vec<String> {
    let decisions = decisions(log);
    let mut requests = String::new();
    let mut tests = cluster.policy();
    for d in &decisions {
        let request = json!({
            "principal": d.principal, "host": d.host, "operation": d.operation,
            "resource_type": d.resource_type, "name": d.name,
        });
        requests.push_str(&format!("{request}\n"));
        let verb = if d.allowed { "can" } else { "cannot" };
        let (resource, name) = match d.resource_type.as_str() {
            "CLUSTER" => ("cluster".to_owned(), json!(true)),
            other => (other.to_lowercase(), json!(d.name)),
        };
        let test =
            json!({"principal": d.principal, "host": d.host, verb: d.operation, resource: name});
        tests.push_str(&format!("  - {test}\n"));
    }
    let kpki = &cluster.kpki;
    kpki.write("tests.yaml", &tests);
    kpki.ok(&["acl", "test", "tests.yaml"]);
    kpki.write("requests.jsonl", &requests);
    let explain = [
        "acl",
        "explain",
        "policy.yaml",
        "--requests",
        "requests.jsonl",
        "--json",
    ];
    let explained = kpki.ok(&explain).json_lines();
    assert_eq!(explained.len(), decisions.len());
    explained
        .iter()
        .zip(&decisions)
        .filter(|(ours, theirs)| (ours["decision"] == "ALLOWED") != theirs.allowed)
        .map(|(ours, theirs)| format!("{ours} where the broker says {theirs:?}"))
        .collect()
}
