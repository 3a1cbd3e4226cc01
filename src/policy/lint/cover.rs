//! Finds the bindings that cover another one, without comparing all pairs.

use std::collections::{BTreeSet, HashMap};

use super::Statement;
use crate::acl::{EVERYONE, PatternType, RawBinding, ResourceType};

/// Principal and host.
type Who<'a> = (&'a str, &'a str);
/// A resource pattern.
type Pattern<'a> = (ResourceType, PatternType, &'a str);

pub(super) struct Cover<'a> {
    patterns: HashMap<Pattern<'a>, HashMap<Who<'a>, Vec<usize>>>,
    /// The lengths of the prefixes for each resource type.
    lengths: HashMap<ResourceType, BTreeSet<usize>>,
}

impl<'a> Cover<'a> {
    pub(super) fn new(statements: &'a [Statement]) -> Self {
        let mut patterns: HashMap<_, HashMap<_, Vec<usize>>> = HashMap::new();
        let mut lengths: HashMap<_, BTreeSet<usize>> = HashMap::new();
        for (at, statement) in statements.iter().enumerate() {
            let b = &statement.binding;
            let pattern = (b.resource_type, b.pattern_type, &*b.name);
            let who = (&*b.principal, &*b.host);
            let on = patterns.entry(pattern).or_default();
            on.entry(who).or_default().push(at);
            if b.pattern_type == PatternType::Prefixed {
                lengths
                    .entry(b.resource_type)
                    .or_default()
                    .insert(b.name.len());
            }
        }
        Self { patterns, lengths }
    }

    /// The indices of the statements whose resources, principals and hosts include those of the binding; its own index
    /// is included. Host ranges only include themselves here.
    pub(super) fn covering(&self, b: &RawBinding) -> Vec<usize> {
        let kind = b.resource_type;
        let mut patterns = vec![(kind, b.pattern_type, &*b.name)];
        let wildcard = b.pattern_type == PatternType::Literal && &*b.name == "*";
        if !wildcard {
            patterns.push((kind, PatternType::Literal, "*"));
            for len in self.lengths.get(&kind).into_iter().flatten() {
                let own = b.pattern_type == PatternType::Prefixed && *len == b.name.len();
                if let (Some(begin), false) = (b.name.get(..*len), own) {
                    patterns.push((kind, PatternType::Prefixed, begin));
                }
            }
        }
        let on = patterns.iter().filter_map(|p| self.patterns.get(p));
        let mut found = Vec::new();
        for on in on {
            for principal in both(&b.principal, EVERYONE) {
                for host in both(&b.host, "*") {
                    found.extend(on.get(&(principal, host)).into_iter().flatten());
                }
            }
        }
        found
    }
}

/// A text and its wildcard; only one if they are the same.
fn both<'t>(text: &'t str, wildcard: &'t str) -> impl Iterator<Item = &'t str> {
    std::iter::once(text).chain((text != wildcard).then_some(wildcard))
}
