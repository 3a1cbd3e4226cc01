use proptest::prelude::*;

use super::*;
use crate::acl::Binding;

/// A binding from `permission principal operation type pattern name host`.
fn acl(text: &str) -> RawBinding {
    let words: Vec<_> = text.split(' ').collect();
    RawBinding {
        permission: words[0].parse().unwrap(),
        principal: words[1].into(),
        operation: words[2].parse().unwrap(),
        resource_type: words[3].parse().unwrap(),
        pattern_type: words[4].parse().unwrap(),
        name: words[5].into(),
        host: words[6].into(),
    }
}

/// A request from `principal operation type name host`.
fn request(text: &str) -> Request {
    let words: Vec<_> = text.split(' ').collect();
    Request {
        principal: words[0].to_owned(),
        operation: words[1].parse().unwrap(),
        resource_type: words[2].parse().unwrap(),
        name: words[3].to_owned(),
        host: words[4].to_owned(),
    }
}

fn decide(acls: &[&str], settings: Settings, asked: &str) -> Decision {
    let acls: Vec<_> = acls.iter().map(|a| acl(a)).collect();
    Authorizer::new(&acls, settings)
        .decide(&request(asked))
        .unwrap()
}

fn plain(acls: &[&str], asked: &str) -> (Reason, Option<usize>) {
    let decision = decide(acls, Settings::default(), asked);
    (decision.reason, decision.binding)
}

#[test]
fn a_matching_deny_wins_over_every_allow() {
    let acls = [
        "Allow User:a Read Topic Literal orders *",
        "Deny User:* Read Topic Prefixed ord *",
    ];
    assert_eq!(
        plain(&acls, "User:a Read Topic orders 10.0.0.1"),
        (Reason::Deny, Some(1))
    );
    assert_eq!(
        plain(&acls, "User:a Describe Topic orders 10.0.0.1"),
        (Reason::Allow, Some(0))
    );
    assert_eq!(
        plain(&acls, "User:a Write Topic orders 10.0.0.1"),
        (Reason::NoMatch, None)
    );
    assert_eq!(
        plain(&acls, "User:a Read Group orders 10.0.0.1"),
        (Reason::NoAcl, None)
    );
}

#[test]
fn the_first_binding_on_a_resource_shuts_everyone_else_out() {
    let open = || Settings {
        allow_everyone_if_no_acl_found: true,
        ..Settings::default()
    };
    let acls = ["Allow User:a Read Topic Literal orders *"];
    let decision = decide(&acls, open(), "User:b Write Topic orders 10.0.0.1");
    assert_eq!(
        (decision.allowed, decision.reason),
        (false, Reason::NoMatch)
    );
    let decision = decide(&acls, open(), "User:b Write Topic orders2 10.0.0.1");
    assert_eq!((decision.allowed, decision.reason), (true, Reason::NoAcl));
}

#[test]
fn super_users_pass_whatever_the_bindings_say() {
    let settings = Settings {
        super_users: super_users(" User:root;User:ops\t;; ").unwrap(),
        ..Settings::default()
    };
    let acls = ["Deny User:* All Topic Literal * *"];
    let decision = decide(&acls, settings.clone(), "User:ops Read Topic t 10.0.0.1");
    assert_eq!(
        (decision.reason, decision.binding),
        (Reason::SuperUser, None)
    );
    let decision = decide(&acls, settings, "User:op Read Topic t 10.0.0.1");
    assert_eq!(decision.reason, Reason::Deny);
    assert!(super_users("root").is_err());
}

#[test]
fn hosts_match_exactly_and_names_by_pattern() {
    let acls = [
        "Allow User:a Read Topic Prefixed team- 10.0.0.1",
        "Allow User:a Write Topic Literal * 0:0:0:0:0:0:0:1",
    ];
    assert_eq!(
        plain(&acls, "User:a Read Topic team-x 10.0.0.1"),
        (Reason::Allow, Some(0))
    );
    assert_eq!(
        plain(&acls, "User:a Read Topic team-x 10.0.0.2"),
        (Reason::NoMatch, None)
    );
    assert_eq!(
        plain(&acls, "User:a Read Topic teamx 10.0.0.1"),
        (Reason::NoMatch, None)
    );
    assert_eq!(
        plain(&acls, "User:a Write Topic any ::1"),
        (Reason::Allow, Some(1))
    );
    assert_eq!(
        plain(&acls, "User:A Write Topic any ::1"),
        (Reason::NoMatch, None)
    );
}

/// A DENY on `*` is passed by names that begin with an asterisk.
#[test]
fn the_wildcard_does_not_cover_names_that_begin_with_an_asterisk() {
    let acls = [
        "Deny User:a Read Group Literal * *",
        "Allow User:a Read Group Prefixed * *",
    ];
    assert_eq!(
        plain(&acls, "User:a Read Group *x 10.0.0.1"),
        (Reason::Allow, Some(1))
    );
    assert_eq!(
        plain(&acls, "User:a Read Group * 10.0.0.1"),
        (Reason::Deny, Some(0))
    );
    assert_eq!(
        plain(&acls[..1], "User:a Read Group *x 10.0.0.1"),
        (Reason::NoAcl, None)
    );
}

#[test]
fn the_binding_named_is_the_most_specific_deny_or_the_least_specific_allow() {
    let acls = [
        "Allow User:a Read Topic Literal * *",
        "Allow User:a Read Topic Literal orders *",
        "Deny User:b Read Topic Literal * *",
        "Deny User:b All Topic Prefixed o *",
        "Deny User:* Read Topic Prefixed ord *",
        "Deny User:b Read Topic Prefixed ord *",
        "Allow User:a Read Topic Literal * *",
    ];
    assert_eq!(
        plain(&acls[..4], "User:a Read Topic orders 10.0.0.1"),
        (Reason::Allow, Some(0))
    );
    assert_eq!(
        plain(&acls, "User:a Read Topic list 10.0.0.1"),
        (Reason::Allow, Some(0))
    );
    assert_eq!(
        plain(&acls, "User:b Read Topic orders 10.0.0.1"),
        (Reason::Deny, Some(4))
    );
}

#[test]
fn host_ranges_are_understood_from_the_release_that_matches_them() {
    let acls = [
        "Deny User:a Read Topic Literal t 10.0.0.0/8",
        "Allow User:a Read Topic Literal t *",
    ];
    let with = |version, asked: &str| {
        let settings = Settings {
            version,
            ..Settings::default()
        };
        decide(&acls, settings, asked).binding
    };
    let (old, new) = (KafkaVersion::new(4, 3), KafkaVersion::new(4, 4));
    assert_eq!(with(old, "User:a Read Topic t 10.1.2.3"), Some(1));
    assert_eq!(with(new, "User:a Read Topic t 10.1.2.3"), Some(0));
    assert_eq!(with(new, "User:a Read Topic t 11.1.2.3"), Some(1));
}

#[test]
fn requests_that_no_client_makes_are_refused() {
    let authorizer = Authorizer::new([], Settings::default());
    let refused = |asked: &str| authorizer.decide(&request(asked)).unwrap_err();
    assert_eq!(
        refused("User:* Read Topic t 10.0.0.1"),
        RequestError::WildcardPrincipal
    );
    assert_eq!(
        refused("alice Read Topic t 10.0.0.1"),
        RequestError::NotAPrincipal(NotAPrincipal("alice".into()))
    );
    assert_eq!(
        refused("User:a Read Topic t *"),
        RequestError::NotAnAddress("*".into())
    );
}

/// Kafka's rules read off its documentation and source, one binding after the other.
fn by_the_book(acls: &[RawBinding], settings: &Settings, r: &Request) -> (bool, Reason) {
    if settings.super_users.contains(r.principal.as_str()) {
        return (true, Reason::SuperUser);
    }
    let on_resource = |a: &&RawBinding| {
        a.resource_type == r.resource_type
            && match a.pattern_type {
                PatternType::Prefixed => r.name.starts_with(&*a.name),
                PatternType::Literal if &*a.name == "*" => {
                    r.name == "*" || !r.name.starts_with('*')
                }
                PatternType::Literal => *a.name == r.name,
            }
    };
    let matching = |a: &&RawBinding| {
        let implied = match (a.permission, r.operation) {
            (Permission::Allow, Operation::Describe) => matches!(
                a.operation,
                Operation::Read | Operation::Write | Operation::Delete | Operation::Alter
            ),
            (Permission::Allow, Operation::DescribeConfigs) => {
                a.operation == Operation::AlterConfigs
            }
            _ => false,
        };
        (*a.principal == r.principal || &*a.principal == "User:*")
            && (*a.host == r.host || &*a.host == "*")
            && (a.operation == r.operation || a.operation == Operation::All || implied)
    };
    let found: Vec<_> = acls.iter().filter(on_resource).collect();
    let of = |p| {
        found
            .iter()
            .copied()
            .filter(matching)
            .any(|a| a.permission == p)
    };
    if of(Permission::Deny) {
        (false, Reason::Deny)
    } else if of(Permission::Allow) {
        (true, Reason::Allow)
    } else if found.is_empty() {
        (settings.allow_everyone_if_no_acl_found, Reason::NoAcl)
    } else {
        (false, Reason::NoMatch)
    }
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

prop_compose! {
    fn any_acl()(
        resource_type in one_of(&[ResourceType::Topic, ResourceType::Group]),
        pattern_type in one_of(PatternType::ALL),
        name in "[*ab]{0,3}|\\PC{0,2}",
        principal in "User:[ab*]|User:|x",
        host in one_of(&["*", "10.0.0.1", "10.0.0.2", "10.0.0.0/8", "localhost"]),
        operation in one_of(Operation::ALL),
        permission in one_of(&[Permission::Allow, Permission::Allow, Permission::Deny]),
    ) -> RawBinding {
        RawBinding {
            resource_type, pattern_type, operation, permission,
            name: name.into(), principal: principal.into(), host: host.into(),
        }
    }
}

prop_compose! {
    fn any_request()(
        resource_type in one_of(&[ResourceType::Topic, ResourceType::Group]),
        name in "[*ab]{0,3}|\\PC{0,2}",
        principal in "User:[abr]",
        host in one_of(&["10.0.0.1", "10.0.0.2"]),
        operation in one_of(Operation::ALL),
    ) -> Request {
        Request { resource_type, name, principal, operation, host: host.to_owned() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_index_decides_as_the_rules_read(
        acls in proptest::collection::vec(any_acl(), 0..30),
        requests in proptest::collection::vec(any_request(), 1..20),
        open in any::<bool>(),
    ) {
        let settings = Settings {
            super_users: super_users("User:r").unwrap(),
            allow_everyone_if_no_acl_found: open,
            version: KafkaVersion::ASSUMED,
        };
        let authorizer = Authorizer::new(&acls, settings.clone());
        for request in &requests {
            let decision = authorizer.decide(request).unwrap();
            let book = by_the_book(&acls, &settings, request);
            prop_assert_eq!((decision.allowed, decision.reason), book, "{:?}", request);
            let named = decision.binding.map(|place| acls[place].permission);
            let expected = match decision.reason {
                Reason::Deny => Some(Permission::Deny),
                Reason::Allow => Some(Permission::Allow),
                _ => None,
            };
            prop_assert_eq!(named, expected);
        }
    }

    #[test]
    fn a_checked_binding_is_checked_again_to_itself(raw in any_acl(), host in "[0-9a-f:./%*]{0,12}|\\PC*") {
        let raw = RawBinding { host: host.into(), ..raw };
        let once = raw.clone().normalised();
        prop_assert_eq!(once.clone().normalised(), once);
        for version in [KafkaVersion::new(3, 9), KafkaVersion::new(4, 4)] {
            if let Ok(binding) = Binding::new(raw.clone(), version) {
                prop_assert!(binding.problems(version).is_empty());
                prop_assert_eq!(Binding::new(binding.clone().into_raw(), version), Ok(binding));
            }
        }
    }

    #[test]
    fn no_text_panics(fields in any::<[String; 3]>(), asked in any::<[String; 3]>()) {
        let [name, principal, host] = fields.map(Into::into);
        let raw = RawBinding { name, principal, host, ..acl("Allow User:a Read Topic Literal t *") };
        let problems = raw.problems(KafkaVersion::ASSUMED);
        prop_assert!(problems.iter().all(|p| !p.to_string().is_empty() && !p.hint.is_empty()));
        let raw = [raw];
        let [name, principal, host] = asked;
        let authorizer = Authorizer::new(&raw, Settings::default());
        let request = Request { name, principal, host, ..request("User:a Read Topic t 10.0.0.1") };
        if let Ok(decision) = authorizer.decide(&request) {
            prop_assert!(!decision.allowed || decision.binding == Some(0));
        }
    }
}
