//! Describes ACL bindings in parts that are small enough to be received.

use std::collections::{BTreeMap, BTreeSet};

use super::{answers::Listed, codes, error::AdminError, raw::AnyBinding};
use crate::acl::{AclBindingFilter, EVERYONE, Interner, RawBinding};

/// The bindings of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The bindings, without duplicates, in order.
    pub bindings: Vec<RawBinding>,
    /// Matching bindings that librdkafka cannot represent: on delegation tokens and users, with the operations
    /// CreateTokens, DescribeTokens and TwoPhaseCommit, or those of `cut`. They exist, but are not among `bindings`.
    pub unreadable: usize,
    /// Bindings with a NUL character in a name, principal or host, where librdkafka's strings end.
    pub cut: usize,
    /// Whether there may be more unreadable bindings: to keep the answers small, the request was split by operation or
    /// resource type, and their operations and types cannot be requested.
    pub may_miss_unreadable: bool,
    /// Kinds of bindings that are so numerous that they were only read for principals that are known, or have other
    /// bindings: `Allow Read Topic Literal`. Kafka has no request that lists principals. Empty for most clusters.
    pub of_known_principals: Vec<String>,
}

/// The answer to one request; `None`: it is too large.
pub(super) type Answer = Result<Option<Listed>, AdminError>;

/// What has been read so far.
#[derive(Default)]
struct Reading {
    interner: Interner,
    found: BTreeSet<RawBinding>,
    /// Unreadable bindings, and how often they were in one answer: parts may overlap.
    unreadable: BTreeMap<AnyBinding, usize>,
    may_miss_unreadable: bool,
    cut: usize,
}

impl Reading {
    fn add(&mut self, answer: Vec<AnyBinding>) {
        let mut unreadable: BTreeMap<AnyBinding, usize> = BTreeMap::new();
        for binding in answer {
            let interner = &mut self.interner;
            match codes::binding(&binding, &mut |text| interner.share(text)) {
                Some(binding) => drop(self.found.insert(binding)),
                None => *unreadable.entry(binding).or_default() += 1,
            }
        }
        for (binding, count) in unreadable {
            let most = self.unreadable.entry(binding).or_default();
            *most = count.max(*most);
        }
    }

    /// For answers with truncated names, which look like other names: a binding that is returned for its full name is
    /// the real one.
    fn sort_out(
        &mut self,
        part: &AclBindingFilter,
        listed: Listed,
        ask: &mut dyn FnMut(&AclBindingFilter) -> Answer,
    ) -> Result<(), AdminError> {
        let all = listed.bindings.len();
        let mut sure = Vec::new();
        let mut doubtful = Vec::new();
        if part.principal.is_some() {
            doubtful = listed.bindings;
        } else {
            let principals = listed.bindings.iter().map(|b| b.principal.as_str());
            for principal in principals.collect::<BTreeSet<&str>>() {
                let of = AclBindingFilter {
                    principal: Some(principal.to_owned()),
                    ..part.clone()
                };
                match ask(&of)? {
                    Some(listed) if listed.is_whole() => sure.extend(listed.bindings),
                    Some(listed) => doubtful.extend(listed.bindings),
                    None => return Err(too_many(&of)),
                }
            }
        }
        for binding in doubtful {
            let known = codes::binding(&binding, &mut |text| self.interner.share(text));
            let is_there = match known {
                // There is no empty one, but there may be one that begins with a NUL.
                Some(known) if known.name.is_empty() || known.principal.is_empty() => false,
                Some(known) => {
                    ask(&AclBindingFilter::from(&known))?.is_some_and(|l| !l.bindings.is_empty())
                }
                // It counts as unreadable either way.
                None => true,
            };
            if is_there {
                sure.push(binding);
            }
        }
        sure.sort();
        // Two truncated names may look like one complete name.
        let mut seen = BTreeSet::new();
        sure.retain(|b| codes::is_unknown(b) || seen.insert(b.clone()));
        self.cut += all.saturating_sub(sure.len());
        self.add(sure);
        Ok(())
    }

    /// Requests ever smaller parts; returns those that cannot be split any further.
    fn ask(
        &mut self,
        filter: &AclBindingFilter,
        ask: &mut dyn FnMut(&AclBindingFilter) -> Answer,
    ) -> Result<Vec<AclBindingFilter>, AdminError> {
        let (mut parts, mut too_large) = (vec![filter.clone()], Vec::new());
        while let Some(part) = parts.pop() {
            match (ask(&part)?, split(&part)) {
                (Some(listed), _) if listed.is_whole() => self.add(listed.bindings),
                (Some(listed), _) => self.sort_out(&part, listed, ask)?,
                (None, Some((smaller, complete))) => {
                    self.may_miss_unreadable |= !complete;
                    parts.extend(smaller);
                }
                (None, None) => too_large.push(part),
            }
        }
        Ok(too_large)
    }
}

/// The bindings that match: all in one answer, else in parts, else by principal.
pub(super) fn read(
    filter: &AclBindingFilter,
    principals: &BTreeSet<String>,
    ask: &mut dyn FnMut(&AclBindingFilter) -> Answer,
) -> Result<Described, AdminError> {
    let mut reading = Reading::default();
    let mut too_large = reading.ask(filter, ask)?;
    let mut of_known_principals = Vec::new();
    if let (Some(part), None) = (too_large.first(), &filter.principal) {
        let mut known = principals.clone();
        known.extend(reading.found.iter().map(|b| b.principal.to_string()));
        if known.is_empty() {
            return Err(too_many(part));
        }
        known.insert(EVERYONE.to_owned());
        of_known_principals = too_large.iter().map(AclBindingFilter::to_string).collect();
        too_large.clear();
        for principal in known {
            let part = AclBindingFilter {
                principal: Some(principal),
                ..filter.clone()
            };
            too_large.extend(reading.ask(&part, ask)?);
        }
    }
    if let Some(part) = too_large.first() {
        return Err(too_many(part));
    }
    Ok(Described {
        bindings: reading.found.into_iter().collect(),
        unreadable: reading.unreadable.values().sum::<usize>() + reading.cut,
        cut: reading.cut,
        may_miss_unreadable: reading.may_miss_unreadable,
        of_known_principals,
    })
}

pub(super) fn too_many(part: &AclBindingFilter) -> AdminError {
    AdminError::TooManyBindings(part.to_string())
}

/// Filters that together match the same as one, and whether they really match all of it: librdkafka lacks some
/// operations and resource types. The splits without loss come first.
fn split(filter: &AclBindingFilter) -> Option<(Vec<AclBindingFilter>, bool)> {
    macro_rules! by {
        ($field:ident, $table:ident) => {{
            let one = |(word, _)| AclBindingFilter {
                $field: Some(word),
                ..filter.clone()
            };
            codes::$table.into_iter().map(one).collect()
        }};
    }
    Some(match filter {
        f if f.pattern_type.is_none() => (by!(pattern_type, PATTERN_TYPES), true),
        f if f.permission.is_none() => (by!(permission, PERMISSIONS), true),
        f if f.operation.is_none() => (by!(operation, OPERATIONS), false),
        f if f.resource_type.is_none() => (by!(resource_type, RESOURCE_TYPES), false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_end_and_lose_nothing_that_can_be_asked_for() {
        let mut parts = vec![AclBindingFilter::default()];
        let mut leaves = 0;
        while let Some(part) = parts.pop() {
            match split(&part) {
                Some((smaller, _)) => parts.extend(smaller),
                None => leaves += 1,
            }
        }
        assert_eq!(leaves, 2 * 2 * 11 * 4);
        let (_, complete) = split(&AclBindingFilter::default()).unwrap();
        assert!(complete);
    }

    fn found(principal: &str, name: &str, operation: i32) -> AnyBinding {
        AnyBinding {
            resource_type: 2,
            pattern_type: 3,
            name: name.to_owned(),
            principal: principal.to_owned(),
            host: "*".to_owned(),
            operation,
            permission: 3,
        }
    }

    /// A cluster that returns at most `most` bindings at once.
    fn cluster(all: Vec<AnyBinding>, most: usize) -> impl FnMut(&AclBindingFilter) -> Answer {
        move |filter| {
            let filter = codes::filter(filter).unwrap();
            let is = |wanted: i32, is: i32| wanted == codes::ANY || wanted == is;
            let matching: Vec<AnyBinding> = all
                .iter()
                .filter(|b| {
                    is(filter.resource_type, b.resource_type)
                        && is(filter.pattern_type, b.pattern_type)
                        && is(filter.operation, b.operation)
                        && is(filter.permission, b.permission)
                        && filter.principal.as_deref().is_none_or(|p| p == b.principal)
                })
                .cloned()
                .collect();
            Ok((matching.len() <= most).then(|| Listed {
                bytes: Listed::bytes_of(&matching),
                bindings: matching,
            }))
        }
    }

    /// What librdkafka makes of an answer with NUL characters in it.
    fn cutting(all: Vec<AnyBinding>) -> impl FnMut(&AclBindingFilter) -> Answer {
        let mut whole = cluster(all, usize::MAX);
        move |filter| {
            let name = filter.name.clone();
            let mut listed = whole(filter)?.unwrap();
            if let Some(name) = name {
                listed.bindings.retain(|b| b.name == name);
                listed.bytes = Listed::bytes_of(&listed.bindings);
            }
            for binding in &mut listed.bindings {
                for text in [&mut binding.name, &mut binding.principal] {
                    *text = text.split('\0').next().unwrap().to_owned();
                }
            }
            Ok(Some(listed))
        }
    }

    #[test]
    fn a_name_that_is_cut_at_a_nul_is_taken_for_no_other() {
        let nobody = BTreeSet::new();
        let everything = AclBindingFilter::default();
        let clean: Vec<AnyBinding> = ["User:a", "User:b"]
            .iter()
            .flat_map(|p| [found(p, "t", 3), found(p, "u", 3), found(p, "u", 4)])
            .collect();
        let read =
            |all: &[AnyBinding]| read(&everything, &nobody, &mut cutting(all.to_vec())).unwrap();
        let expected = read(&clean);
        assert_eq!((expected.bindings.len(), expected.cut), (6, 0));
        for (at, hidden) in [
            found("User:a", "t\0x", 3),
            found("User:a", "v\0x", 3),
            found("User:a\0x", "t", 3),
            found("User:c\0x", "t", 3),
        ]
        .into_iter()
        .enumerate()
        {
            for place in [0, 3, 6] {
                let mut all = clean.clone();
                all.insert(place, hidden.clone());
                let described = read(&all);
                assert_eq!(described.bindings, expected.bindings, "{at} at {place}");
                assert_eq!((described.cut, described.unreadable), (1, 1));
            }
        }
    }

    #[test]
    fn what_is_too_much_at_once_is_read_by_principal() {
        let mut all = Vec::new();
        for n in 0..100 {
            let principal = format!("User:{}", n % 10);
            all.push(found(&principal, &format!("t{n}"), 3));
            if n < 10 {
                all.push(found(&principal, "t", 4));
            }
        }
        // An operation that librdkafka has no word for.
        all.push(found("User:3", "t", 15));
        let nobody = BTreeSet::new();
        let whole = read(
            &AclBindingFilter::default(),
            &nobody,
            &mut cluster(all.clone(), 500),
        )
        .unwrap();
        assert_eq!((whole.bindings.len(), whole.unreadable), (110, 1));
        assert!(!whole.may_miss_unreadable && whole.of_known_principals.is_empty());

        // Every principal is seen with its Write, so that all of Read can be asked for.
        let parts = read(
            &AclBindingFilter::default(),
            &nobody,
            &mut cluster(all.clone(), 20),
        )
        .unwrap();
        assert_eq!(parts.bindings, whole.bindings);
        assert_eq!(parts.unreadable, 1);
        assert!(parts.may_miss_unreadable);
        assert_eq!(parts.of_known_principals, ["Allow Read Topic Literal"]);

        // No principal is known.
        all.retain(|b| b.operation == 3);
        let none = read(
            &AclBindingFilter::default(),
            &nobody,
            &mut cluster(all.clone(), 20),
        );
        assert!(matches!(none, Err(AdminError::TooManyBindings { .. })));
        let known = BTreeSet::from(["User:3".to_owned()]);
        let some = read(
            &AclBindingFilter::default(),
            &known,
            &mut cluster(all.clone(), 20),
        )
        .unwrap();
        assert_eq!(some.bindings.len(), 10);
        // One principal that has too many.
        let none = read(&AclBindingFilter::default(), &known, &mut cluster(all, 9));
        assert!(matches!(none, Err(AdminError::TooManyBindings { .. })));
    }
}
