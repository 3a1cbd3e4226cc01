//! The changes that give a cluster a policy's SCRAM users.
//!
//! A user `x` is managed if its principal `User:x` is, so the same file manages its ACLs and its password.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Deletion, Managed, Remark};
use crate::{
    acl::Principal,
    printable::Printable,
    scram::{Mechanism, ScramInfo},
};

/// The version of the plan's JSON.
pub const SCRAM_PLAN_VERSION: u32 = 1;

/// The inputs of a plan.
#[derive(Debug, Clone, Copy)]
pub struct ScramInputs<'a> {
    /// The policy's credentials.
    pub desired: &'a [ScramInfo],
    /// The cluster's credentials.
    pub observed: &'a [ScramInfo],
    /// The users that get a new password.
    pub rotate: &'a BTreeSet<String>,
    /// Whose credentials may be deleted, as principals.
    pub managed: &'a Managed,
    /// Which of those the plan may delete.
    pub deletion: Deletion,
    /// The user that kpki is logged in as, if it uses SCRAM.
    pub operator: Option<&'a str>,
    /// Full principals of the policy's super users, including its brokers.
    pub super_users: &'a [Principal],
    /// Users whose passwords kpki owns according to the policy: those under `manage`, by default none.
    pub entrusted: &'a Managed,
}

/// A credential whose iteration count changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramUpdate {
    /// The desired credential.
    pub info: ScramInfo,
    /// Its current iterations.
    pub was: u32,
}

/// The changes, each list sorted by user and mechanism.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScramPlan {
    /// Credentials that the cluster lacks.
    pub creates: Vec<ScramInfo>,
    /// Credentials with a different iteration count.
    pub updates: Vec<ScramUpdate>,
    /// Credentials that get a new password, whether they exist or not.
    pub rotates: Vec<ScramInfo>,
    /// Credentials to delete, which are not in the policy.
    pub deletes: Vec<ScramInfo>,
    /// Of those to create or update, the users that already exist in the cluster and whose password kpki does not own:
    /// the change would set the password that is on this disk.
    pub overwrites: BTreeSet<String>,
    /// For users that get a new password: credentials outside the policy that stay, and still accept the old one.
    pub keep_old: Vec<ScramInfo>,
    /// How many credentials are unchanged.
    pub unchanged: usize,
    /// How many credentials are not in the policy and are left alone.
    pub left_alone: usize,
    /// Warnings to read before the plan is executed.
    pub warnings: Vec<Remark>,
    /// Why the plan must not be executed as it stands; empty for most.
    pub refusals: Vec<Remark>,
}

impl ScramPlan {
    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// All changes, in order: creations, updates, new passwords, and deletions.
    pub fn changes(&self) -> impl Iterator<Item = (Action, &ScramInfo)> {
        let creates = self.creates.iter().map(|i| (Action::Create, i));
        let updates = self.updates.iter().map(|u| (Action::Update, &u.info));
        let rotates = self.rotates.iter().map(|i| (Action::Rotate, i));
        let deletes = self.deletes.iter().map(|i| (Action::Delete, i));
        creates.chain(updates).chain(rotates).chain(deletes)
    }

    /// Refuses the plan because of a user that exists in the cluster with a password that kpki does not have.
    pub fn refuse_overwrite(&mut self, user: &str, stranger: Stranger) {
        let user = Printable(user);
        let why = match stranger {
            Stranger::Refused => format!(
                "but refuses the password that kpki has for {user}: it was changed without kpki"
            ),
            Stranger::Untried => format!(
                "but kpki cannot reach a listener where {user} could log in, so it cannot check that kpki has the current password"
            ),
        };
        self.refusals.push(Remark::new(
            "user-exists",
            format!(
                "the cluster already has a user {user}, {why}. To give it a new password, use --rotate {user}, or put User:{user} under `manage` in the main policy"
            ),
        ));
    }
}

/// Why a user's password is assumed not to be the one that kpki has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// The cluster refuses the one on this disk.
    Refused,
    /// The login could not be tried.
    Untried,
}

/// Makes the plan.
pub fn scram_plan(inputs: &ScramInputs<'_>) -> ScramPlan {
    let by_key = |infos: &[ScramInfo]| -> BTreeMap<(String, Mechanism), u32> {
        let entry = |i: &ScramInfo| ((i.user.clone(), i.mechanism), i.iterations);
        infos.iter().map(entry).collect()
    };
    let (wanted, mut have) = (by_key(inputs.desired), by_key(inputs.observed));
    let existing: BTreeSet<&str> = inputs.observed.iter().map(|i| i.user.as_str()).collect();
    let mut plan = ScramPlan::default();
    for ((user, mechanism), iterations) in wanted {
        let was = have.remove(&(user.clone(), mechanism));
        let info = ScramInfo {
            user,
            mechanism,
            iterations,
        };
        match was {
            _ if inputs.rotate.contains(&info.user) => plan.rotates.push(info),
            None => plan.creates.push(info),
            Some(was) if was == iterations => plan.unchanged += 1,
            Some(was) => plan.updates.push(ScramUpdate { info, was }),
        }
    }
    let updated = plan.updates.iter().map(|u| &u.info);
    plan.overwrites = plan
        .creates
        .iter()
        .chain(updated)
        .filter(|i| existing.contains(i.user.as_str()))
        .filter(|i| !inputs.entrusted.contains(principal(i).as_str()))
        .map(|i| i.user.clone())
        .collect();
    for ((user, mechanism), iterations) in have {
        let info = ScramInfo {
            user,
            mechanism,
            iterations,
        };
        if is_managed(inputs, &info) {
            match guarded(inputs, &info) {
                None => {
                    plan.deletes.push(info);
                    continue;
                }
                remark => plan
                    .warnings
                    .extend(remark.filter(|_| inputs.deletion.prune)),
            }
        }
        plan.left_alone += 1;
        if inputs.rotate.contains(&info.user) {
            plan.keep_old.push(info);
        }
    }
    if inputs.deletion.prune {
        let managed = || inputs.observed.iter().filter(|i| is_managed(inputs, i));
        let (deletion, deletes) = (inputs.deletion, plan.deletes.len());
        let refusal = deletion.refusal(deletes, "credential", || managed().count());
        plan.refusals.extend(refusal);
    } else {
        let old = plan.deletes.iter();
        let old = old.filter(|i| inputs.rotate.contains(&i.user)).cloned();
        plan.keep_old.extend(old);
        let surplus = std::mem::take(&mut plan.deletes).len();
        plan.left_alone += surplus;
        if surplus > 0 {
            plan.warnings
                .push(Remark::surplus(surplus, "credential", "users"));
        }
    }
    let old = plan.keep_old.iter().map(|ScramInfo { user, mechanism, .. }| {
        let message = format!(
            "the old password of {user} still works with {mechanism}, which is not in the policy and is not deleted by this plan"
        );
        Remark::new("old-password-stays", message)
    });
    plan.warnings.extend(old.collect::<Vec<_>>());
    plan
}

fn principal(info: &ScramInfo) -> Principal {
    Principal::user(&info.user)
}

fn is_managed(inputs: &ScramInputs<'_>, info: &ScramInfo) -> bool {
    inputs.managed.contains(principal(info).as_str())
}

/// Why a credential is never deleted: without it, nobody who could undo the deletion could log in.
fn guarded(inputs: &ScramInputs<'_>, info: &ScramInfo) -> Option<Remark> {
    let ScramInfo {
        user, mechanism, ..
    } = info;
    if inputs.operator == Some(user) {
        let message =
            format!("not deleted: {mechanism} of {user}, the user that kpki is logged in as");
        return Some(Remark::new("operator-kept", message));
    }
    let is_super = inputs.super_users.contains(&principal(info));
    is_super.then(|| {
        let message = format!(
            "not deleted: {mechanism} of {user}, which is a super user or broker in the policy; if the deletion is intended, use kafka-configs.sh"
        );
        Remark::new("super-user-kept", message)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Mechanism::{Sha256, Sha512};

    fn info(user: &str, mechanism: Mechanism, iterations: u32) -> ScramInfo {
        ScramInfo {
            user: user.to_owned(),
            mechanism,
            iterations,
        }
    }

    fn codes(remarks: &[Remark]) -> Vec<&str> {
        remarks.iter().map(|r| &*r.code).collect()
    }

    /// A plan in which alice, ops, kafka1 and all of team- are managed, ops is logged in and kafka1 a super user.
    fn made(
        desired: &[ScramInfo],
        observed: &[ScramInfo],
        change: impl FnOnce(&mut ScramInputs<'_>),
    ) -> ScramPlan {
        let mut managed = Managed::nobody();
        for user in ["alice", "ops", "kafka1"] {
            managed.add(Principal::user(user).as_str());
        }
        managed.add_prefix("User:team-");
        let rotate = BTreeSet::from(["carol".to_owned()]);
        let super_users = [Principal::user("kafka1")];
        let nobody = Managed::nobody();
        let mut inputs = ScramInputs {
            desired,
            observed,
            rotate: &rotate,
            managed: &managed,
            deletion: Deletion::default(),
            operator: Some("ops"),
            super_users: &super_users,
            entrusted: &nobody,
        };
        change(&mut inputs);
        scram_plan(&inputs)
    }

    #[test]
    fn each_credential_is_in_one_list() {
        let desired = [
            info("new", Sha512, 8192),
            info("alice", Sha512, 8192),
            info("more", Sha256, 16384),
            info("carol", Sha256, 8192),
            info("carol", Sha512, 8192),
            info("same", Sha256, 4096),
        ];
        let observed = [
            info("alice", Sha256, 8192),
            info("more", Sha256, 4096),
            info("carol", Sha256, 8192),
            info("same", Sha256, 4096),
            info("foreign", Sha256, 4096),
        ];
        let plan = made(&desired, &observed, |_| ());
        let update = ScramUpdate {
            info: info("more", Sha256, 16384),
            was: 4096,
        };
        assert_eq!(
            plan.creates,
            [info("alice", Sha512, 8192), info("new", Sha512, 8192)]
        );
        assert_eq!(plan.updates, [update]);
        assert_eq!(
            plan.rotates,
            [info("carol", Sha256, 8192), info("carol", Sha512, 8192)]
        );
        assert_eq!((plan.unchanged, plan.left_alone), (1, 2));
        assert_eq!(plan.deletes, []);
        assert_eq!(codes(&plan.warnings), ["surplus"]);
        // The mechanism that alice no longer has in the policy; foreign is not managed.
        let plan = made(&desired, &observed, |i| i.deletion.prune = true);
        assert_eq!(plan.deletes, [info("alice", Sha256, 8192)]);
        assert_eq!((plan.left_alone, plan.warnings.len()), (1, 0));
    }

    /// Adding a name to a file must not take over an existing account, neither with other iterations nor with a second
    /// mechanism.
    #[test]
    fn who_exists_already_is_named_before_it_gets_a_password() {
        let desired = [
            info("alice", Sha512, 8192),
            info("carol", Sha512, 8192),
            info("legacy-app", Sha512, 8192),
            info("new", Sha512, 8192),
            info("other", Sha512, 8192),
            info("same", Sha512, 8192),
        ];
        let observed = [
            info("alice", Sha512, 4096),
            info("carol", Sha512, 4096),
            info("legacy-app", Sha512, 4096),
            info("other", Sha256, 8192),
            info("same", Sha512, 8192),
        ];
        let mut entrusted = Managed::nobody();
        entrusted.add("User:alice");
        // carol is rotated, because she was named.
        let plan = made(&desired, &observed, |i| {
            i.entrusted = Box::leak(Box::new(entrusted));
        });
        let named: Vec<&str> = plan.overwrites.iter().map(String::as_str).collect();
        assert_eq!(named, ["legacy-app", "other"]);
        assert_eq!(plan.refusals, []);
        let mut refused = plan.clone();
        for stranger in [Stranger::Refused, Stranger::Untried] {
            refused.refuse_overwrite("legacy-app", stranger);
        }
        assert_eq!(codes(&refused.refusals), ["user-exists", "user-exists"]);
        for refusal in &refused.refusals {
            assert!(refusal.message.contains("--rotate legacy-app"));
        }
    }

    #[test]
    fn a_mechanism_that_keeps_the_old_password_is_named() {
        let desired = [info("carol", Sha512, 8192)];
        let observed = [info("carol", Sha256, 4096), info("carol", Sha512, 8192)];
        let of = |observed: &[ScramInfo], prune| {
            let mut managed = Managed::nobody();
            managed.add("User:carol");
            made(&desired, observed, |i| {
                i.deletion.prune = prune;
                i.managed = Box::leak(Box::new(managed));
            })
        };
        let plan = of(&observed, false);
        assert_eq!(plan.keep_old, observed[..1]);
        assert_eq!(codes(&plan.warnings), ["surplus", "old-password-stays"]);
        assert_eq!(of(&observed, true).keep_old, []);
        // She is not managed.
        let plan = made(&desired, &observed, |i| i.deletion.prune = true);
        assert_eq!((plan.keep_old.len(), plan.left_alone), (1, 1));
        assert_eq!(codes(&plan.warnings), ["old-password-stays"]);
    }

    #[test]
    fn who_could_undo_it_is_never_deleted() {
        let observed = [
            info("ops", Sha512, 8192),
            info("kafka1", Sha256, 8192),
            info("team-x", Sha256, 8192),
        ];
        let plan = made(&[], &observed, |i| i.deletion.prune = true);
        assert_eq!(plan.deletes, [info("team-x", Sha256, 8192)]);
        assert_eq!(codes(&plan.warnings), ["super-user-kept", "operator-kept"]);
        assert_eq!(plan.left_alone, 2);
    }

    #[test]
    fn many_deletions_need_a_word() {
        let observed: Vec<_> = (0..100)
            .map(|n| info(&format!("team-{n:03}"), Sha256, 8192))
            .collect();
        let refused = |keep: usize, most: Option<usize>| {
            let plan = made(&observed[..keep], &observed, |i| {
                i.deletion.prune = true;
                i.deletion.max_deletes = most;
            });
            codes(&plan.refusals) == ["too-many-deletes"]
        };
        assert!(!refused(80, None));
        assert!(refused(79, None));
        assert!(!refused(79, Some(21)));
        assert!(refused(79, Some(20)));
        assert!(refused(99, Some(0)));
        let ten: Vec<_> = observed[..11].to_vec();
        let prune = |keep: usize| {
            made(&ten[..keep], &ten, |i| i.deletion.prune = true)
                .refusals
                .len()
        };
        assert_eq!((prune(1), prune(0)), (0, 1));
    }

    fn infos() -> impl Strategy<Value = Vec<ScramInfo>> {
        let user = prop::sample::select(vec!["alice", "ops", "kafka1", "team-a", "carol", "x"]);
        let one = (user, any::<bool>(), 0..3_u32).prop_map(|(user, strong, n)| {
            info(user, if strong { Sha512 } else { Sha256 }, 4096 << n)
        });
        let key = |i: &ScramInfo| (i.user.clone(), i.mechanism);
        prop::collection::vec(one, 0..12).prop_map(move |mut all| {
            all.sort_by_key(key);
            all.dedup_by_key(|i| key(i));
            all
        })
    }

    proptest! {
        #[test]
        fn an_executed_plan_leaves_nothing_but_rotations(desired in infos(), observed in infos(), prune: bool) {
            let plan = made(&desired, &observed, |i| i.deletion.prune = prune);
            let key = |i: &ScramInfo| (i.user.clone(), i.mechanism);
            let mut after: BTreeMap<_, _> = observed.iter().map(|i| (key(i), i.clone())).collect();
            let writes = plan.changes().filter(|(action, _)| *action != Action::Delete);
            after.extend(writes.map(|(_, i)| (key(i), i.clone())));
            for gone in &plan.deletes {
                prop_assert!(prune && after.remove(&key(gone)).is_some());
                prop_assert!(!["ops", "kafka1", "x", "carol"].contains(&&*gone.user));
            }
            prop_assert!(desired.iter().all(|i| after.get(&key(i)) == Some(i)));
            let after: Vec<_> = after.into_values().collect();
            let second = made(&desired, &after, |i| i.deletion.prune = prune);
            prop_assert!(second.creates.is_empty() && second.updates.is_empty() && second.deletes.is_empty());
            prop_assert_eq!(second.rotates, plan.rotates);
        }
    }
}
