//! kpki's decisions beside those of the broker's own authorizer, over bindings that are meant to be nasty.

use kpki::acl::{
    Authorizer, KafkaVersion, Operation, PatternType, Permission, RawBinding, Reason, Request,
    ResourceType, Settings, super_users,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::java::{Judge, judge};
use crate::support::random::values;

/// What Kafka decided.
#[derive(Debug, Deserialize)]
struct Kafkas {
    /// ALLOWED or DENIED.
    decision: Option<String>,
    /// The binding that it would log.
    acl: Option<RawBinding>,
    /// What it threw instead.
    error: Option<String>,
}

impl Kafkas {
    fn allowed(&self) -> Option<bool> {
        self.decision.as_ref().map(|word| word == "ALLOWED")
    }
}

/// One cluster.
#[derive(Debug)]
struct Case {
    bindings: Vec<RawBinding>,
    super_users: &'static str,
    open: bool,
    requests: Vec<Request>,
}

impl Case {
    fn authorizer(&self) -> Authorizer<'_> {
        let settings = Settings {
            super_users: super_users(self.super_users).unwrap(),
            allow_everyone_if_no_acl_found: self.open,
            version: KafkaVersion::new(4, 3),
        };
        Authorizer::new(&self.bindings, settings)
    }

    /// What Kafka decides, a line per request.
    fn kafka(&self, judge: &Judge, requests: &[Value]) -> Vec<Kafkas> {
        let directory = tempfile::tempdir().unwrap();
        let [bindings, asked, decisions] =
            ["bindings", "requests", "decisions"].map(|f| directory.path().join(f));
        std::fs::write(&bindings, lines(&self.bindings)).unwrap();
        std::fs::write(&asked, lines(requests)).unwrap();
        let question = json!({
            "bindings": bindings, "requests": asked, "decisions": decisions, "explain": true,
            "super_users": self.super_users, "allow_everyone": self.open,
        });
        let _: Value = judge.ask("authorize", question).unwrap();
        let decisions = std::fs::read_to_string(decisions).unwrap();
        decisions
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn lines<T: serde::Serialize>(values: &[T]) -> String {
    values
        .iter()
        .map(|v| serde_json::to_string(v).unwrap() + "\n")
        .collect()
}

fn name(characters: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![4 => characters, 1 => Just("*".to_owned()), 1 => Just("hardcode".to_owned())]
}

/// Names of few letters, so that they are prefixes of one another; none that begins below the asterisk. The last two
/// sort one way in UTF-8 and the other way in UTF-16, which is how Java sorts.
const NAMES: &str = "[*+ab]{1,3}|[ab][ab!é\u{1f600}\u{ffee}]{0,3}";

fn resource_type() -> impl Strategy<Value = ResourceType> {
    select(
        &[
            ResourceType::Topic,
            ResourceType::Topic,
            ResourceType::Group,
            ResourceType::Cluster,
        ][..],
    )
}

fn binding(names: &'static str) -> impl Strategy<Value = RawBinding> {
    let principals = vec![
        "User:a", "User:a", "User:b", "User:*", "User:A", "User:a:b", "Group:a", "User:", "User:b*",
    ];
    let hosts = vec![
        "*",
        "*",
        "*",
        "10.0.0.1",
        "10.0.0.2",
        "0:0:0:0:0:0:0:1",
        "::1",
        "10.0.0.0/8",
        "localhost",
        "",
    ];
    let permissions = vec![Permission::Allow, Permission::Allow, Permission::Deny];
    let resource = (resource_type(), select(PatternType::ALL), name(names));
    let entry = (
        select(principals),
        select(hosts),
        select(Operation::ALL),
        select(permissions),
    );
    (resource, entry).prop_map(
        |((resource_type, pattern_type, name), (principal, host, operation, permission))| {
            RawBinding {
                resource_type,
                pattern_type,
                name: name.into(),
                principal: principal.into(),
                host: host.into(),
                operation,
                permission,
            }
        },
    )
}

fn request(names: &'static str) -> impl Strategy<Value = Request> {
    let principals = vec![
        "User:a",
        "User:a",
        "User:b",
        "User:c",
        "User:a:b",
        "Group:a",
        "User:",
        "User:root",
    ];
    let hosts = vec![
        "10.0.0.1",
        "10.0.0.2",
        "127.0.0.1",
        "::1",
        "::ffff:10.0.0.1",
    ];
    let who = (select(principals), select(hosts));
    (who, select(Operation::ALL), resource_type(), name(names)).prop_map(
        |((principal, host), operation, resource_type, name)| Request {
            principal: principal.to_owned(),
            host: host.to_owned(),
            operation,
            resource_type,
            name,
        },
    )
}

fn case(
    names: &'static str,
    sizes: &'static [usize],
    requests: usize,
) -> impl Strategy<Value = Case> {
    let super_users = select(vec!["", "User:root", " User:root ; User:c;", "User:*"]);
    let bindings = select(sizes).prop_flat_map(move |most| vec(binding(names), 0..most));
    (
        bindings,
        super_users,
        any::<bool>(),
        vec(request(names), requests),
    )
        .prop_map(|(bindings, super_users, open, requests)| Case {
            bindings,
            super_users,
            open,
            requests,
        })
}

#[test]
fn a_hundred_thousand_decisions_are_kafkas() {
    let Some(judge) = judge() else { return };
    let mut reasons = std::collections::HashMap::new();
    for case in values(case(NAMES, &[5, 20, 60, 400], 520)).take(200) {
        let authorizer = case.authorizer();
        let requests: Vec<_> = case.requests.iter().map(|r| json!(r)).collect();
        for (request, kafkas) in case.requests.iter().zip(case.kafka(judge, &requests)) {
            let decision = authorizer.decide(request).unwrap();
            let named = decision.binding.map(|place| &case.bindings[place]);
            let context = || format!("{request:?} {kafkas:?} {decision:?} in {case:#?}");
            assert_eq!(Some(decision.allowed), kafkas.allowed(), "{}", context());
            if decision.reason != Reason::SuperUser {
                assert_eq!(named, kafkas.acl.as_ref(), "{}", context());
            }
            *reasons.entry(decision.reason).or_insert(0) += 1;
        }
    }
    println!("{reasons:?}");
    for reason in [
        Reason::SuperUser,
        Reason::Deny,
        Reason::Allow,
        Reason::NoAcl,
        Reason::NoMatch,
    ] {
        assert!(reasons[&reason] > 1_000, "{reasons:?}");
    }
    assert!(reasons.values().sum::<usize>() >= 100_000, "{reasons:?}");
}

#[test]
fn decisions_by_resource_type_are_kafkas() {
    let Some(judge) = judge() else { return };
    let (mut allowed, mut denied) = (0, 0);
    for case in values(case(NAMES, &[5, 40], 60)).take(200) {
        let authorizer = case.authorizer();
        let by_type = |request: &Request| {
            let mut line = json!(request);
            line.as_object_mut().unwrap().remove("name");
            line
        };
        let requests: Vec<_> = case.requests.iter().map(by_type).collect();
        for (r, kafkas) in case.requests.iter().zip(case.kafka(judge, &requests)) {
            let decision = authorizer.decide_by_resource_type(
                &r.principal,
                &r.host,
                r.operation,
                r.resource_type,
            );
            assert_eq!(
                decision.clone().ok(),
                kafkas.allowed(),
                "{r:?} {kafkas:?} in {case:#?}"
            );
            if decision == Ok(true) {
                allowed += 1
            } else {
                denied += 1
            }
        }
    }
    assert!(allowed > 1_000 && denied > 1_000, "{allowed} {denied}");
}

#[test]
fn where_kafkas_search_ends_for_odd_names_its_decision_is_ours() {
    let Some(judge) = judge() else { return };
    // One request of each, because a search without an end costs a second.
    let (mut ended, mut failed) = (0, 0);
    for case in values(case("[!(][a!]{0,2}|[a*]", &[4, 8], 1)).take(60) {
        let requests: Vec<_> = case.requests.iter().map(|r| json!(r)).collect();
        let kafkas = &case.kafka(judge, &requests)[0];
        let Some(allowed) = kafkas.allowed() else {
            let request = &case.requests[0];
            assert!(
                request.name.starts_with(|c| c < '*'),
                "{request:?} {kafkas:?}"
            );
            failed += 1;
            continue;
        };
        let decision = case.authorizer().decide(&case.requests[0]).unwrap();
        assert_eq!(decision.allowed, allowed, "{case:#?}");
        ended += 1;
    }
    assert!(ended > 30 && failed > 0, "{ended} {failed}");
}

#[test]
fn requests_that_kafka_throws_at_are_refused() {
    let Some(judge) = judge() else { return };
    let case = Case {
        bindings: Vec::new(),
        super_users: "",
        open: true,
        requests: ["User:*", "alice"]
            .map(|principal| Request {
                principal: principal.to_owned(),
                host: "10.0.0.1".to_owned(),
                operation: Operation::Read,
                resource_type: ResourceType::Topic,
                name: "orders".to_owned(),
            })
            .to_vec(),
    };
    let requests: Vec<_> = case.requests.iter().map(|r| json!(r)).collect();
    for (request, kafkas) in case.requests.iter().zip(case.kafka(judge, &requests)) {
        assert!(kafkas.error.is_some(), "{kafkas:?}");
        assert!(case.authorizer().decide(request).is_err());
    }
}
