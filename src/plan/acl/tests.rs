use std::collections::HashSet;

use proptest::prelude::*;

use super::{super::*, *};
use crate::acl::{KafkaVersion, Operation, PatternType, Permission, Principal, ResourceType};

fn raw(principal: &str, permission: &str, operation: &str, resource: &str) -> RawBinding {
    let (kind, name) = resource.split_once(' ').unwrap();
    let (pattern_type, name) = match name.strip_suffix("...") {
        Some(prefix) => (PatternType::Prefixed, prefix),
        None => (PatternType::Literal, name),
    };
    RawBinding {
        resource_type: kind.parse().unwrap(),
        pattern_type,
        name: name.into(),
        principal: principal.into(),
        host: "*".into(),
        operation: operation.parse().unwrap(),
        permission: permission.parse().unwrap(),
    }
}

fn checked(bindings: &[RawBinding]) -> Vec<Binding> {
    let new = |b: &RawBinding| Binding::new(b.clone(), KafkaVersion::ASSUMED).unwrap();
    bindings.iter().map(new).collect()
}

fn managing(principals: &[&str]) -> Managed {
    let mut managed = Managed::nobody();
    principals.iter().for_each(|p| managed.add(*p));
    managed
}

fn made(
    desired: &[RawBinding],
    observed: &[RawBinding],
    managed: &Managed,
    change: impl FnOnce(&mut AclInputs<'_>, &mut Settings),
) -> AclPlan {
    let desired = checked(desired);
    let none = Settings::default();
    let mut settings = Settings::default();
    let mut inputs = AclInputs {
        desired: &desired,
        observed,
        managed,
        deletion: Deletion {
            prune: true,
            max_deletes: None,
        },
        operator: None,
        operator_doubt: None,
        settings: &none,
    };
    change(&mut inputs, &mut settings);
    inputs.settings = &settings;
    acl_plan(&inputs)
}

fn codes(remarks: &[Remark]) -> Vec<&str> {
    remarks.iter().map(|r| &*r.code).collect()
}

#[test]
fn what_is_missing_is_created_and_what_is_surplus_is_deleted_if_managed() {
    let read = raw("User:a", "Allow", "Read", "Topic t");
    let write = raw("User:a", "Allow", "Write", "Topic t");
    let old = raw("User:a", "Allow", "Delete", "Topic t");
    let foreign = raw("User:z", "Allow", "Delete", "Topic t");
    let desired = [read.clone(), write.clone()];
    let observed = [foreign, old.clone(), read];
    let plan = made(&desired, &observed, &managing(&["User:a"]), |_, _| {});
    assert_eq!(plan.creates, checked(&[write]));
    assert_eq!(plan.deletes, [old]);
    assert_eq!((plan.unchanged, plan.left_alone), (1, 1));
    assert_eq!(codes(&plan.warnings), Vec::<&str>::new());

    let plan = made(&desired, &observed, &managing(&["User:a"]), |i, _| {
        i.deletion.prune = false
    });
    assert_eq!((plan.deletes.len(), plan.left_alone), (0, 2));
    assert_eq!(codes(&plan.warnings), ["surplus"]);
}

#[test]
fn a_prefix_of_managed_principals_is_never_everyone() {
    let mut managed = Managed::nobody();
    managed.add_prefix("User:");
    assert!(managed.contains("User:a") && !managed.contains("User:*"));
    managed.add("User:*");
    assert!(managed.contains("User:*"));
}

#[test]
fn too_many_deletions_are_refused() {
    let observed: Vec<_> = (0..100)
        .map(|n| raw("User:a", "Allow", "Read", &format!("Topic t{n}")))
        .collect();
    let managed = managing(&["User:a"]);
    let refused = |desired: &[RawBinding], limit| {
        let plan = made(desired, &observed, &managed, |i, _| {
            i.deletion.max_deletes = limit
        });
        !plan.refusals.is_empty()
    };
    assert!(!refused(&observed[20..], None));
    assert!(refused(&observed[21..], None));
    assert!(!refused(&observed[21..], Some(21)));
    assert!(refused(&observed[21..], Some(20)));
    assert!(refused(&observed[1..], Some(0)));
    assert_eq!(default_max_deletes(0), 10);
    assert_eq!(default_max_deletes(1_000_000), 200_000);
}

#[test]
fn the_operator_keeps_the_right_to_undo_the_plan() {
    let right = raw("User:ops", "Allow", "Alter", "Cluster kafka-cluster");
    let other = raw("User:ops", "Allow", "Read", "Topic t");
    let observed = [right.clone(), other.clone()];
    let managed = managing(&["User:ops"]);
    let plan = made(&[], &observed, &managed, |i, _| {
        i.operator = Some("User:ops")
    });
    assert_eq!(plan.deletes, [other]);
    assert_eq!(codes(&plan.warnings), ["operator-right-kept"]);

    // The right from one address is a right as well.
    let from = RawBinding {
        host: "10.0.0.1".into(),
        ..right.clone()
    };
    let plan = made(&[], &[from], &managed, |i, _| i.operator = Some("User:ops"));
    assert!(plan.deletes.is_empty());

    // Replaced by another that gives it, it may go.
    let all = raw("User:ops", "Allow", "All", "Cluster kafka-cluster");
    let plan = made(&[all], &observed[..1], &managed, |i, _| {
        i.operator = Some("User:ops")
    });
    assert_eq!(plan.deletes, [right]);

    // Another principal's is deleted.
    let plan = made(&[], &observed, &managed, |i, _| {
        i.operator = Some("User:other")
    });
    assert_eq!(plan.deletes.len(), 2);
}

/// The brokers' mapping rules were not read, or not understood.
#[test]
fn where_the_operator_is_not_certain_nothing_is_deleted_that_could_be_its_right() {
    let topic = raw("User:a", "Allow", "Read", "Topic t");
    let right = raw("User:ops", "Allow", "Alter", "Cluster kafka-cluster");
    let managed = managing(&["User:a", "User:ops"]);
    let of = |observed: &RawBinding, operator| {
        let plan = made(&[], std::slice::from_ref(observed), &managed, |i, _| {
            i.operator = operator;
            i.operator_doubt = Some("rules that kpki cannot read");
        });
        codes(&plan.refusals).concat()
    };
    assert_eq!(of(&topic, None), "operator-unknown");
    assert_eq!(of(&right, None), "operator-unknown");
    assert_eq!(of(&topic, Some("User:kpki")), "");
    assert_eq!(of(&right, Some("User:kpki")), "operator-unknown");
    // Kept because it may be its own.
    assert_eq!(of(&right, Some("User:ops")), "");
}

#[test]
fn a_deny_that_locks_the_operator_out_is_refused() {
    let right = raw("User:ops", "Allow", "Alter", "Cluster kafka-cluster");
    let deny = raw("User:*", "Deny", "All", "Cluster kafka-cluster");
    let desired = [right.clone(), deny];
    let plan = made(&desired, &[right], &managing(&[]), |i, _| {
        i.operator = Some("User:ops")
    });
    assert_eq!(codes(&plan.refusals), ["locks-out"]);

    // Even if it is for one address only.
    let everyone = raw("User:*", "Allow", "All", "Cluster kafka-cluster");
    let deny = RawBinding {
        host: "10.0.0.1".into(),
        ..raw("User:*", "Deny", "All", "Cluster kafka-cluster")
    };
    let plan = made(&[deny], &[everyone], &managing(&[]), |i, _| {
        i.operator = Some("User:ops")
    });
    assert_eq!(codes(&plan.refusals), ["locks-out"]);

    // So is the first binding on a cluster that was open to everyone.
    let first = raw("User:a", "Allow", "Describe", "Cluster kafka-cluster");
    let plan = made(&[first], &[], &managing(&[]), |i, s| {
        i.operator = Some("User:ops");
        s.allow_everyone_if_no_acl_found = true;
    });
    assert_eq!(codes(&plan.refusals), ["locks-out"]);
    assert_eq!(codes(&plan.warnings), ["first-acl"]);
}

#[test]
fn a_deny_that_hides_the_acls_from_the_operator_is_refused() {
    let right = raw("User:ops", "Allow", "Alter", "Cluster kafka-cluster");
    let deny = raw("User:*", "Deny", "Describe", "Cluster kafka-cluster");
    let desired = [right.clone(), deny.clone()];
    let of = |operator| {
        let observed = std::slice::from_ref(&right);
        made(&desired, observed, &managing(&[]), |i, _| {
            i.operator = Some(operator)
        })
    };
    assert_eq!(codes(&of("User:ops").refusals), ["locks-out"]);
    assert!(of("User:other").refusals.is_empty());
}

#[test]
fn brokers_keep_the_right_that_they_work_by() {
    let work = raw(
        "User:kafka1",
        "Allow",
        "ClusterAction",
        "Cluster kafka-cluster",
    );
    let other = raw("User:kafka1", "Allow", "Describe", "Cluster kafka-cluster");
    let foreign = raw(
        "User:old",
        "Allow",
        "ClusterAction",
        "Cluster kafka-cluster",
    );
    let observed = [work.clone(), other.clone(), foreign.clone()];
    let mut managed = Managed::nobody();
    managed.add_prefix("User:");
    let plan = made(&[], &observed, &managed, |_, s| {
        s.super_users.insert(Principal::user("kafka1"));
    });
    assert_eq!(plan.deletes, [other, foreign]);
    assert_eq!(
        (plan.left_alone, codes(&plan.warnings)),
        (1, vec!["broker-right-kept"])
    );
}

#[test]
fn first_and_last_bindings_are_announced_where_everyone_is_let_in() {
    let one = raw("User:a", "Allow", "Read", "Topic t1");
    let two = raw("User:b", "Allow", "Read", "Topic t2");
    let open = |desired: &[RawBinding], observed: &[RawBinding]| {
        let managed = managing(&["User:a", "User:b"]);
        let plan = made(desired, observed, &managed, |_, s| {
            s.allow_everyone_if_no_acl_found = true;
        });
        plan.warnings
    };
    let warnings = open(std::slice::from_ref(&one), &[two]);
    assert_eq!(codes(&warnings), ["first-acl", "last-acl"]);
    assert!(
        warnings[0]
            .message
            .contains("`t1` locks out everyone but User:a"),
        "{warnings:?}"
    );

    // A prefix, or the wildcard, had closed it before.
    let prefix = raw("User:b", "Allow", "Read", "Topic t...");
    assert!(open(&[one.clone(), prefix.clone()], &[prefix]).is_empty());
    let every = raw("User:b", "Allow", "Read", "Topic *");
    assert!(open(&[one.clone(), every.clone()], &[every]).is_empty());

    let many: Vec<_> = (0..30)
        .map(|n| raw("User:a", "Allow", "Read", &format!("Topic x{n}")))
        .collect();
    let warnings = open(&many, &[]);
    assert_eq!(warnings.len(), 21);
    assert!(warnings[20].message.contains("10 more"), "{warnings:?}");
}

#[test]
fn a_deleted_deny_is_announced() {
    let deny = raw("User:a", "Deny", "Read", "Topic t");
    let plan = made(&[], &[deny], &managing(&["User:a"]), |_, _| {});
    assert_eq!(codes(&plan.warnings), ["deny-removed"]);
}

#[test]
fn a_saved_plan_is_read_back_and_a_later_one_refused() {
    let plan = made(
        &[raw("User:a", "Allow", "Read", "Topic t")],
        &[raw("User:b", "Deny", "Read", "Topic t...")],
        &managing(&["User:b"]),
        |_, _| {},
    );
    let saved = SavedPlan::of(&plan);
    let text = serde_json::to_string(&saved).unwrap();
    assert_eq!(SavedPlan::parse(&text).unwrap(), saved);
    let later = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(
        SavedPlan::parse(&later),
        Err(PlanFileError::LaterVersion(2))
    ));
    assert!(matches!(
        SavedPlan::parse("{}"),
        Err(PlanFileError::Malformed(_))
    ));
    // A plan by an older kpki, which did not record the cluster, and a plan made from an export.
    let earlier = text.replacen("\"cluster\":null,", "", 1);
    assert!(matches!(
        SavedPlan::parse(&earlier),
        Err(PlanFileError::NoCluster)
    ));
    let cut = SavedPlan::parse(&text[..text.len() / 2]).unwrap_err();
    assert_eq!(
        cut.to_string(),
        format!("not a complete plan: line 1, column {}", text.len() / 2)
    );
    // Even if a later version has another structure.
    assert!(matches!(
        SavedPlan::parse("{\"version\":3,\"creates\":{}}"),
        Err(PlanFileError::LaterVersion(3))
    ));
}

#[test]
fn the_digest_is_of_the_managed_set_and_not_of_its_order() {
    let a = raw("User:a", "Allow", "Read", "Topic t");
    let b = raw("User:a", "Allow", "Write", "Topic t");
    let z = raw("User:z", "Allow", "Write", "Topic t");
    let managed = managing(&["User:a"]);
    let digest = |bindings: &[&RawBinding]| {
        let bindings: Vec<_> = bindings.iter().map(|b| (*b).clone()).collect();
        observed_digest(&bindings, &managed)
    };
    assert_eq!(digest(&[&a, &b]), digest(&[&b, &z, &a]));
    assert_ne!(digest(&[&a, &b]), digest(&[&a]));
    assert_eq!(digest(&[]).len(), 64);
}

#[test]
fn the_lists_are_sorted_by_principal_and_shown_so() {
    let principals = [
        "Group:x",
        "User:a",
        "User:a-long-name-of-a-service-1",
        "User:a-long-name-of-a-service-2",
        "User:ab",
        "User:ä",
        "Zone:a",
    ];
    let desired: Vec<_> = principals
        .iter()
        .rev()
        .map(|p| raw(p, "Allow", "Read", "Topic t"))
        .collect();
    let plan = made(&desired, &[], &managing(&[]), |_, _| {});
    let order: Vec<_> = plan.creates.iter().map(|b| &*b.principal).collect();
    assert_eq!(order, principals);
    let groups = by_principal(&plan);
    assert_eq!(groups.len(), principals.len());
    assert_eq!(groups[0].1[0].0.sign(), '+');
    let right = Right(groups[0].1[0].1).to_string();
    assert_eq!(right, "Allow Read on Topic `t`");
}

fn bindings() -> impl Strategy<Value = Vec<RawBinding>> {
    let one = (
        prop::sample::select(vec![
            ResourceType::Topic,
            ResourceType::Group,
            ResourceType::Cluster,
        ]),
        any::<bool>(),
        prop::sample::select(vec!["a", "ab", "b", "*"]),
        prop::sample::select(vec![
            "User:a",
            "User:b",
            "User:team-x",
            "User:*",
            "User:ops",
        ]),
        prop::sample::select(vec!["*", "10.0.0.1"]),
        prop::sample::select(vec![Operation::All, Operation::Alter, Operation::Describe]),
        any::<bool>(),
    );
    let one = one.prop_filter_map(
        "not a binding",
        |(kind, literal, name, who, host, operation, allow)| {
            let raw = RawBinding {
                resource_type: kind,
                pattern_type: if literal {
                    PatternType::Literal
                } else {
                    PatternType::Prefixed
                },
                name: if kind == ResourceType::Cluster {
                    "kafka-cluster"
                } else {
                    name
                }
                .into(),
                principal: who.into(),
                host: host.into(),
                operation,
                permission: if allow {
                    Permission::Allow
                } else {
                    Permission::Deny
                },
            };
            Binding::try_from(raw).ok().map(Binding::into_raw)
        },
    );
    prop::collection::vec(one, 0..40)
}

proptest! {
    #[test]
    fn an_executed_plan_leaves_nothing_to_do(
        desired in bindings(), observed in bindings(), prune: bool, open: bool,
    ) {
        let mut managed = managing(&["User:a"]);
        managed.add_prefix("User:team-");
        let plan_of = |observed: &[RawBinding]| made(&desired, observed, &managed, |i, s| {
            i.deletion.prune = prune;
            s.allow_everyone_if_no_acl_found = open;
        });
        let first = plan_of(&observed);
        // Nothing outside `manage` is deleted, and nothing without `prune`.
        prop_assert!(first.deletes.iter().all(|b| managed.contains(&b.principal)));
        prop_assert!(prune || first.deletes.is_empty());
        let wanted: HashSet<_> = desired.iter().collect();
        prop_assert!(first.deletes.iter().all(|b| !wanted.contains(b)));

        let mut after: HashSet<RawBinding> = observed.iter().cloned().collect();
        prop_assert!(first.creates.iter().all(|b| after.insert(b.as_raw().clone())));
        prop_assert!(first.deletes.iter().all(|b| after.remove(b)));
        let after: Vec<_> = after.into_iter().collect();
        let second = plan_of(&after);
        prop_assert!(second.is_empty(), "{second:?}");
        prop_assert_eq!(second.unchanged, wanted.len());
        prop_assert_eq!(&plan_of(&observed), &first);
    }

    #[test]
    fn no_plan_that_is_not_refused_takes_the_operators_right(desired in bindings(), observed in bindings()) {
        use crate::acl::{Authorizer, Request};
        let managed = managing(&["User:ops", "User:*", "User:a"]);
        let plan = made(&desired, &observed, &managed, |i, _| {
            i.operator = Some("User:ops");
            i.deletion.max_deletes = Some(1000);
        });
        let may = |bindings: &[RawBinding]| ["10.0.0.1", "10.0.0.2"].map(|host| {
            Authorizer::new(bindings, Settings::default()).decide(&Request {
                principal: "User:ops".into(),
                host: host.into(),
                operation: Operation::Alter,
                resource_type: ResourceType::Cluster,
                name: "kafka-cluster".into(),
            }).unwrap().allowed
        });
        let mut after: Vec<RawBinding> = observed.iter().filter(|b| !plan.deletes.contains(b)).cloned().collect();
        after.extend(plan.creates.iter().map(|b| b.as_raw().clone()));
        if plan.refusals.is_empty() {
            for (before, after) in may(&observed).into_iter().zip(may(&after)) {
                prop_assert!(!before || after);
            }
        }
    }
}
