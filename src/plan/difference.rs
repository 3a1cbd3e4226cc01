//! Which bindings of two sets are in one only. Millions have few different texts, and shared ones: those are put in order
//! first, and the bindings are then compared and sorted as numbers.

use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use rayon::prelude::*;

use crate::acl::{Binding, RawBinding};

/// As many bindings are looked through at once for their texts.
const PART: usize = 1 << 15;

/// What two sets do not share, by places, sorted by [`order`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Desired, not observed.
    pub missing: Vec<u32>,
    /// Observed, not desired.
    pub surplus: Vec<u32>,
    /// The number of bindings in both.
    pub common: usize,
}

/// A binding as a number, which compares as [`order`] does, and its place.
type Key = (u128, u32);

/// Compares two lists; what one list holds twice counts once.
pub(super) fn difference(desired: &[Binding], observed: &[RawBinding]) -> Difference {
    let ranks = Ranks::of(desired, observed);
    let (wanted, have) = rayon::join(
        || ranks.sorted(desired, Binding::as_raw),
        || ranks.sorted(observed, |b| b),
    );
    merge(&wanted, &have)
}

/// What is in one of two sorted lists only.
fn merge(wanted: &[Key], have: &[Key]) -> Difference {
    let mut found = Difference::default();
    let mut wanted = first_of_each(wanted).peekable();
    let mut have = first_of_each(have).peekable();
    loop {
        let which = match (wanted.peek(), have.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(w), Some(h)) => w.0.cmp(&h.0),
        };
        if which == Ordering::Equal {
            found.common += 1;
        }
        if which != Ordering::Greater
            && let Some((_, at)) = wanted.next()
            && which == Ordering::Less
        {
            found.missing.push(at);
        }
        if which != Ordering::Less
            && let Some((_, at)) = have.next()
            && which == Ordering::Greater
        {
            found.surplus.push(at);
        }
    }
}

/// Each number once, with its first place.
fn first_of_each(keys: &[Key]) -> impl Iterator<Item = Key> {
    let mut last = None;
    keys.iter()
        .copied()
        .filter(move |(key, _)| last.replace(*key) != Some(*key))
}

/// The order of a plan's lists: by principal, and for each the order in which people look for things.
pub(super) fn order(a: &RawBinding, b: &RawBinding) -> Ordering {
    let key = |b: &RawBinding| (b.resource_type, b.pattern_type);
    a.principal
        .cmp(&b.principal)
        .then_with(|| key(a).cmp(&key(b)))
        .then_with(|| a.name.cmp(&b.name))
        .then_with(|| a.host.cmp(&b.host))
        .then_with(|| a.permission.cmp(&b.permission))
        .then_with(|| a.operation.cmp(&b.operation))
}

/// The address of a text, which is the same for all bindings that share it, as a hash of itself.
#[derive(Default)]
struct Address(u64);

impl Hasher for Address {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio: neighbours end up far from each other.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

type ByAddress<T> = HashMap<u64, T, BuildHasherDefault<Address>>;

fn address(text: &Arc<str>) -> u64 {
    text.as_ptr().addr() as u64
}

/// The place of each text among all texts of its kind, in order; the same text has the same place wherever it lies.
struct Rank(ByAddress<u32>);

impl Rank {
    fn of(
        desired: &[Binding],
        observed: &[RawBinding],
        text: fn(&RawBinding) -> &Arc<str>,
    ) -> Rank {
        let (mut known, more) = rayon::join(
            || distinct(desired, |b| text(b)),
            || distinct(observed, text),
        );
        known.extend(more);
        let mut sorted: Vec<(&str, u64)> = known.into_iter().map(|(at, text)| (text, at)).collect();
        sorted.par_sort_unstable();
        let (mut ranks, mut rank) = (ByAddress::default(), 0);
        let mut last = None;
        for (text, at) in sorted {
            if last.replace(text).is_some_and(|last| last != text) {
                rank += 1;
            }
            ranks.insert(at, rank);
        }
        Rank(ranks)
    }

    fn get(&self, text: &Arc<str>) -> u128 {
        // It was made of these very texts.
        u128::from(self.0.get(&address(text)).copied().unwrap_or(u32::MAX))
    }
}

/// The texts by their addresses.
fn distinct<'t, T: Sync>(
    bindings: &'t [T],
    text: impl Fn(&'t T) -> &'t Arc<str> + Sync,
) -> ByAddress<&'t str> {
    let parts = bindings.par_chunks(PART).map(|part| {
        let mut found = ByAddress::default();
        let mut last = 0;
        for text in part.iter().map(&text) {
            let at = address(text);
            if at != last {
                found.insert(at, &**text);
                last = at;
            }
        }
        found
    });
    parts.reduce(ByAddress::default, |mut all, more| {
        all.extend(more);
        all
    })
}

struct Ranks {
    principal: Rank,
    name: Rank,
    host: Rank,
}

impl Ranks {
    fn of(desired: &[Binding], observed: &[RawBinding]) -> Ranks {
        let (principal, (name, host)) = rayon::join(
            || Rank::of(desired, observed, |b| &b.principal),
            || {
                rayon::join(
                    || Rank::of(desired, observed, |b| &b.name),
                    || Rank::of(desired, observed, |b| &b.host),
                )
            },
        );
        Ranks {
            principal,
            name,
            host,
        }
    }

    fn sorted<T: Sync>(&self, bindings: &[T], raw: impl Fn(&T) -> &RawBinding + Sync) -> Vec<Key> {
        let key = |(at, binding): (usize, &T)| (self.key(raw(binding)), at as u32);
        let mut keys: Vec<Key> = bindings.par_iter().enumerate().map(key).collect();
        keys.par_sort_unstable();
        keys
    }

    /// In the order of [`order`].
    fn key(&self, b: &RawBinding) -> u128 {
        let kind = (b.resource_type as u128) << 4 | b.pattern_type as u128;
        let what = (b.permission as u128) << 8 | b.operation as u128;
        self.principal.get(&b.principal) << 96
            | kind << 88
            | self.name.get(&b.name) << 56
            | self.host.get(&b.host) << 24
            | what
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::acl::{Operation, PatternType, Permission, ResourceType};

    fn binding() -> impl Strategy<Value = RawBinding> {
        use proptest::sample::select;
        let kinds = select(vec![
            (ResourceType::Topic, PatternType::Literal),
            (ResourceType::Topic, PatternType::Prefixed),
            (ResourceType::Group, PatternType::Literal),
            (ResourceType::TransactionalId, PatternType::Prefixed),
        ]);
        let texts = (
            select(vec!["a", "b", "ab", "ä"]),
            select(vec!["User:a", "User:aa", "X:b"]),
        );
        let what = (
            select(vec![
                Operation::All,
                Operation::Read,
                Operation::TwoPhaseCommit,
            ]),
            select(vec![Permission::Allow, Permission::Deny]),
            select(vec!["*", "10.0.0.1"]),
        );
        (kinds, texts, what).prop_map(
            |((resource_type, pattern_type), (name, principal), (operation, permission, host))| {
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

    proptest! {
        #[test]
        fn numbers_compare_as_bindings_do(all in proptest::collection::vec(binding(), 0..60)) {
            let ranks = Ranks::of(&[], &all);
            for a in &all {
                for b in &all {
                    prop_assert_eq!(ranks.key(a).cmp(&ranks.key(b)), order(a, b), "{} {}", a, b);
                }
            }
        }
    }
}
