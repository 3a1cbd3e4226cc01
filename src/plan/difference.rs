//! Which bindings of two sets are in one only. Millions are compared by fingerprints first, so that the texts behind
//! them are looked at once and not once for every comparison of a sort.

use std::{
    cmp::Ordering,
    hash::{DefaultHasher, Hash, Hasher},
};

use rayon::prelude::*;

use crate::acl::{Binding, RawBinding};

/// The work is split into this many parts by the top bits of the fingerprints.
const PARTS: u64 = 64;

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

/// A fingerprint and the place of the binding that it is of.
type Print = (u64, u32);

/// Compares two lists; what one list holds twice counts once.
pub(super) fn difference(desired: &[Binding], observed: &[RawBinding]) -> Difference {
    let (wanted, have) = rayon::join(
        || prints(desired, Binding::as_raw),
        || prints(observed, |b| b),
    );
    let parts: Vec<Difference> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            let wanted = cut(&wanted, part);
            let have = cut(&have, part);
            compare(wanted, have, desired, observed)
        })
        .collect();
    let mut all = Difference::default();
    for part in parts {
        all.missing.extend(part.missing);
        all.surplus.extend(part.surplus);
        all.common += part.common;
    }
    rayon::join(
        || sort(&mut all.missing, |at| desired[at as usize].as_raw()),
        || sort(&mut all.surplus, |at| &observed[at as usize]),
    );
    all
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

/// Sorts places. The beginning of the principal, where most comparisons end, is kept beside the place.
fn sort<'a>(places: &mut Vec<u32>, binding: impl Fn(u32) -> &'a RawBinding + Sync) {
    let mut keyed: Vec<(u128, u32)> = places
        .par_iter()
        .map(|at| (beginning(binding(*at)), *at))
        .collect();
    keyed.par_sort_unstable_by(|a, b| {
        a.0.cmp(&b.0)
            .then_with(|| order(binding(a.1), binding(b.1)))
    });
    *places = keyed.into_iter().map(|(_, at)| at).collect();
}

/// The first sixteen bytes of the principal's name, which compare as the principals do as far as they go. Principals
/// of another type than User come before or behind all of those, as their type does.
fn beginning(binding: &RawBinding) -> u128 {
    const USER: &str = "User:";
    match binding.principal.strip_prefix(USER) {
        Some(name) => {
            let mut bytes = [0; 16];
            let len = name.len().min(15);
            bytes[0] = 1;
            bytes[1..=len].copy_from_slice(&name.as_bytes()[..len]);
            u128::from_be_bytes(bytes)
        }
        None if &*binding.principal < USER => 0,
        None => u128::MAX,
    }
}

fn prints<T: Sync>(bindings: &[T], raw: impl Fn(&T) -> &RawBinding + Sync) -> Vec<Print> {
    let mut prints: Vec<Print> = bindings
        .par_iter()
        .enumerate()
        .map(|(at, binding)| {
            // Its keys are fixed, so that a plan is made in the same way every time.
            let mut hasher = DefaultHasher::new();
            raw(binding).hash(&mut hasher);
            (hasher.finish(), at as u32)
        })
        .collect();
    prints.par_sort_unstable();
    prints
}

/// The prints of one part.
fn cut(prints: &[Print], part: u64) -> &[Print] {
    let part_of = |print: &Print| print.0 / (u64::MAX / PARTS + 1);
    let start = prints.partition_point(|print| part_of(print) < part);
    let end = prints.partition_point(|print| part_of(print) <= part);
    &prints[start..end]
}

fn compare(
    mut wanted: &[Print],
    mut have: &[Print],
    desired: &[Binding],
    observed: &[RawBinding],
) -> Difference {
    let mut found = Difference::default();
    loop {
        let lowest = match (wanted.first(), have.first()) {
            (None, None) => return found,
            (Some(one), None) | (None, Some(one)) => one.0,
            (Some(a), Some(b)) => a.0.min(b.0),
        };
        let w = run(&mut wanted, lowest);
        let h = run(&mut have, lowest);
        // Bindings of one fingerprint are mostly one and the same, but nothing rests on it.
        let is = |at: &Print| desired[at.1 as usize].as_raw();
        let has = |at: &Print| &observed[at.1 as usize];
        for (i, one) in w.iter().enumerate() {
            if w[..i].iter().any(|earlier| is(earlier) == is(one)) {
                continue;
            }
            match h.iter().any(|other| has(other) == is(one)) {
                true => found.common += 1,
                false => found.missing.push(one.1),
            }
        }
        for (i, one) in h.iter().enumerate() {
            let again = h[..i].iter().any(|earlier| has(earlier) == has(one));
            if !again && !w.iter().any(|other| is(other) == has(one)) {
                found.surplus.push(one.1);
            }
        }
    }
}

/// Takes the prints of this value off the front.
fn run<'p>(prints: &mut &'p [Print], value: u64) -> &'p [Print] {
    let end = prints
        .iter()
        .position(|print| print.0 != value)
        .unwrap_or(prints.len());
    let (front, rest) = prints.split_at(end);
    *prints = rest;
    front
}
