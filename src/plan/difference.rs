//! Finds the bindings that are in only one of two sets. Millions of bindings share few distinct strings: the strings
//! are sorted first, and the bindings are then compared and sorted as numbers.

use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use rayon::prelude::*;

use crate::acl::{Binding, RawBinding};

/// How many bindings are scanned at once for their strings.
const PART: usize = 1 << 15;

/// The bindings that two sets do not share, by position, sorted by [`order`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Desired, but not observed.
    pub missing: Vec<u32>,
    /// Observed, but not desired.
    pub surplus: Vec<u32>,
    /// The number of bindings in both.
    pub common: usize,
}

/// A binding as a number that sorts like [`order`], with its position in the low bits.
type Key = u128;

/// Bits for the position.
const PLACE: u32 = 32;
/// Bits for the rank of a string among all strings of its kind: no cluster has memory for more.
const TEXT: u32 = 28;
/// Bits for everything that is not a string.
const KIND: u32 = 12;

/// The position of the binding.
fn place(key: Key) -> u32 {
    key as u32
}

/// Compares two lists; duplicates within a list count once.
pub(super) fn difference(desired: &[Binding], observed: &[RawBinding]) -> Difference {
    let ranks = Ranks::of(desired, observed);
    let (wanted, have) = rayon::join(
        || ranks.sorted(desired, Binding::as_raw),
        || ranks.sorted(observed, |b| b),
    );
    merge(&wanted, &have)
}

/// What is in only one of two sorted lists.
fn merge(wanted: &[Key], have: &[Key]) -> Difference {
    let mut found = Difference::default();
    let mut wanted = first_of_each(wanted).peekable();
    let mut have = first_of_each(have).peekable();
    loop {
        let which = match (wanted.peek(), have.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(w), Some(h)) => (w >> PLACE).cmp(&(h >> PLACE)),
        };
        if which == Ordering::Equal {
            found.common += 1;
        }
        if which != Ordering::Greater
            && let Some(key) = wanted.next()
            && which == Ordering::Less
        {
            found.missing.push(place(key));
        }
        if which != Ordering::Less
            && let Some(key) = have.next()
            && which == Ordering::Greater
        {
            found.surplus.push(place(key));
        }
    }
}

/// Each number once, with its first position.
fn first_of_each(keys: &[Key]) -> impl Iterator<Item = Key> {
    let mut last = None;
    keys.iter()
        .copied()
        .filter(move |key| last.replace(key >> PLACE) != Some(key >> PLACE))
}

/// The order of a plan's lists: by principal, then in the order in which people look for things.
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

/// The address of a string, which is the same for all bindings that share it, used as its own hash.
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

/// The rank of each string among all strings of its kind; equal strings have the same rank, wherever they are in
/// memory.
struct Rank(ByAddress<u32>);

impl Rank {
    fn of(texts: ByAddress<&str>) -> Rank {
        let mut sorted: Vec<(&str, u64)> = texts.into_iter().map(|(at, text)| (text, at)).collect();
        sorted.par_sort_unstable();
        let (mut ranks, mut rank) = (ByAddress::default(), 0);
        ranks.reserve(sorted.len());
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
        // It was built from exactly these strings.
        u128::from(self.0.get(&address(text)).copied().unwrap_or_default())
    }
}

/// The strings of one kind, by their addresses.
#[derive(Default)]
struct Met<'t> {
    texts: ByAddress<&'t str>,
    last: u64,
}

impl<'t> Met<'t> {
    fn add(&mut self, text: &'t Arc<str>) {
        let at = address(text);
        if at != self.last {
            self.texts.insert(at, text);
            self.last = at;
        }
    }
}

/// Principals, names and hosts.
type Texts<'t> = [Met<'t>; 3];

fn texts<'t, T: Sync>(
    bindings: &'t [T],
    raw: impl Fn(&'t T) -> &'t RawBinding + Sync,
) -> Texts<'t> {
    let parts = bindings.par_chunks(PART).map(|part| {
        let mut met = Texts::default();
        for b in part.iter().map(&raw) {
            met[0].add(&b.principal);
            met[1].add(&b.name);
            met[2].add(&b.host);
        }
        met
    });
    parts.reduce(Texts::default, together)
}

fn together<'t>(mut all: Texts<'t>, more: Texts<'t>) -> Texts<'t> {
    for (all, more) in all.iter_mut().zip(more) {
        all.texts.extend(more.texts);
    }
    all
}

/// Of principals, names and hosts.
struct Ranks([Rank; 3]);

impl Ranks {
    fn of(desired: &[Binding], observed: &[RawBinding]) -> Ranks {
        let (wanted, have) = rayon::join(
            || texts(desired, Binding::as_raw),
            || texts(observed, |b| b),
        );
        Ranks(together(wanted, have).map(|met| Rank::of(met.texts)))
    }

    fn sorted<T: Sync>(&self, bindings: &[T], raw: impl Fn(&T) -> &RawBinding + Sync) -> Vec<Key> {
        let key = |(at, binding): (usize, &T)| self.key(raw(binding)) << PLACE | at as u128;
        let mut keys: Vec<Key> = bindings.par_iter().enumerate().map(key).collect();
        keys.par_sort_unstable();
        keys
    }

    /// In the order of [`order`].
    fn key(&self, b: &RawBinding) -> u128 {
        let kind = (b.resource_type as u128) << 1 | b.pattern_type as u128;
        let what = (b.permission as u128) << 5 | b.operation as u128;
        let [principal, name, host] = &self.0;
        let texts = name.get(&b.name) << TEXT | host.get(&b.host);
        (principal.get(&b.principal) << (KIND - 6) | kind) << (2 * TEXT + 6) | texts << 6 | what
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
