//! ACL bindings arranged so that a request finds those on its resource without looking at the others.

use std::{collections::HashMap, net::IpAddr, ops::Range};

use super::{EVERYONE, Operation, PatternType, Permission, RawBinding, ResourceType, host};

/// One binding, reduced to numbers. Rows are sorted, so those on one resource pattern stand together,
/// and within them those of one principal, and within them those from one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pattern: u32,
    principal: u32,
    host: u32,
    /// The binding's place in the input.
    pub binding: u32,
    pub operation: Operation,
    pub permission: Permission,
}

impl Row {
    /// Whether the binding is about this operation by name, or about all.
    pub fn names(&self, operation: Operation) -> bool {
        self.operation == operation || self.operation == Operation::All
    }

    /// Whether the binding decides about this operation: what an ALLOW implies, it grants too.
    pub fn matches(&self, operation: Operation) -> bool {
        let implied = self.permission == Permission::Allow
            && operation.implied_by().contains(&self.operation);
        self.names(operation) || implied
    }
}

/// Host numbers from here on are ranges, at `host - RANGES` in the list of them.
const RANGES: u32 = 1 << 31;

/// A stretch of rows: those on one resource pattern.
type Rows = Range<u32>;

/// A PREFIXED pattern.
#[derive(Debug)]
struct Prefix<'a> {
    text: &'a str,
    rows: Rows,
    /// The place of the longest other prefix that this one begins with.
    parent: Option<u32>,
}

/// Bindings by resource pattern.
#[derive(Debug)]
pub(super) struct Index<'a> {
    rows: Vec<Row>,
    literals: HashMap<(ResourceType, &'a str), Rows>,
    /// For each resource type its prefixes, sorted.
    prefixes: Vec<Vec<Prefix<'a>>>,
    principals: HashMap<&'a str, u32>,
    hosts: HashMap<&'a str, u32>,
    ranges: Vec<host::Range>,
}

/// Those bindings' principals and hosts that a request matches, by number.
pub(super) struct RowsOfClient<'i> {
    principals: [Option<u32>; 2],
    hosts: [Option<u32>; 2],
    /// The address that ranges are compared with, without its zone.
    address: Option<IpAddr>,
    ranges: &'i [host::Range],
}

impl<'a> Index<'a> {
    /// Arranges the bindings; hosts that are ranges are understood as such only where `ranges` is set.
    pub fn new(bindings: &[&'a RawBinding], ranges: bool) -> Index<'a> {
        let mut index = Index {
            rows: Vec::with_capacity(bindings.len()),
            literals: HashMap::new(),
            prefixes: ResourceType::ALL.iter().map(|_| Vec::new()).collect(),
            principals: HashMap::new(),
            hosts: HashMap::new(),
            ranges: Vec::new(),
        };
        let mut patterns = HashMap::new();
        for (&b, place) in bindings.iter().zip(0..) {
            let row = Row {
                pattern: number(&mut patterns, (b.resource_type, b.pattern_type, &*b.name)),
                principal: number(&mut index.principals, &*b.principal),
                host: index.host_number(&b.host, ranges),
                binding: place,
                operation: b.operation,
                permission: b.permission,
            };
            index.rows.push(row);
        }
        index.rows.sort_unstable();
        for ((resource_type, pattern_type, text), pattern) in patterns {
            let rows = within(&index.rows, |r| r.pattern, pattern);
            match pattern_type {
                PatternType::Literal => {
                    index.literals.insert((resource_type, text), rows);
                }
                PatternType::Prefixed => index.prefixes[resource_type as usize].push(Prefix {
                    text,
                    rows,
                    parent: None,
                }),
            }
        }
        index.prefixes.iter_mut().for_each(|p| link(p));
        index
    }

    fn host_number(&mut self, text: &'a str, ranges: bool) -> u32 {
        if let Some(&known) = self.hosts.get(text) {
            return known;
        }
        let fresh = match host::Range::parse(text).filter(|_| ranges) {
            Some(range) => {
                self.ranges.push(range);
                RANGES + (self.ranges.len() as u32 - 1)
            }
            None => self.hosts.len() as u32,
        };
        self.hosts.insert(text, fresh);
        fresh
    }

    /// The numbers of a client's principal and address, and of the wildcards.
    pub fn client(&self, principal: &str, address: &str) -> RowsOfClient<'_> {
        RowsOfClient {
            principals: [principal, EVERYONE].map(|p| self.principals.get(p).copied()),
            hosts: [address, "*"].map(|h| self.hosts.get(h).copied()),
            address: address.split('%').next().and_then(|a| a.parse().ok()),
            ranges: &self.ranges,
        }
    }

    /// The rows on the LITERAL pattern of this very text.
    pub fn literal(&self, resource_type: ResourceType, text: &str) -> &[Row] {
        let rows = self.literals.get(&(resource_type, text));
        rows.map_or(&[], |rows| self.slice(rows))
    }

    /// The rows on each PREFIXED pattern that `name` begins with, the longest first.
    pub fn prefixes(
        &self,
        resource_type: ResourceType,
        name: &str,
    ) -> impl Iterator<Item = &[Row]> {
        let prefixes = &self.prefixes[resource_type as usize];
        // A prefix of `name` is the last pattern not after it, or one that this begins with in turn.
        let last = prefixes.partition_point(|p| p.text <= name).checked_sub(1);
        std::iter::successors(last.map(|last| &prefixes[last]), |p| {
            p.parent.map(|parent| &prefixes[parent as usize])
        })
        .filter(move |p| name.starts_with(p.text))
        .map(|p| self.slice(&p.rows))
    }

    /// Every resource pattern of a type with its rows.
    pub fn patterns(
        &self,
        resource_type: ResourceType,
    ) -> impl Iterator<Item = (PatternType, &'a str, &[Row])> {
        let literals = self
            .literals
            .iter()
            .filter(move |((of, _), _)| *of == resource_type);
        let literals = literals.map(|((_, text), rows)| (PatternType::Literal, *text, rows));
        let prefixes = self.prefixes[resource_type as usize].iter();
        let prefixes = prefixes.map(|p| (PatternType::Prefixed, p.text, &p.rows));
        literals
            .chain(prefixes)
            .map(|(kind, text, rows)| (kind, text, self.slice(rows)))
    }

    fn slice(&self, rows: &Rows) -> &[Row] {
        &self.rows[rows.start as usize..rows.end as usize]
    }
}

impl RowsOfClient<'_> {
    fn is_in(&self, range: u32) -> bool {
        let range = self.ranges[(range - RANGES) as usize];
        self.address.is_some_and(|address| range.contains(address))
    }

    /// Those of one pattern's rows whose principal and host are this client's.
    pub fn rows<'r>(&'r self, rows: &'r [Row]) -> impl Iterator<Item = &'r Row> {
        self.principals
            .iter()
            .flatten()
            .flat_map(move |&principal| {
                let rows = cut(rows, |r| r.principal, principal);
                let exact = self.hosts.iter().flatten();
                let exact = exact.flat_map(move |&host| cut(rows, |r| r.host, host));
                let ranges = &rows[rows.partition_point(|r| r.host < RANGES)..];
                exact.chain(ranges.iter().filter(|r| self.is_in(r.host)))
            })
    }
}

/// The number of `key`, a fresh one the first time.
fn number<K: std::hash::Hash + Eq>(numbers: &mut HashMap<K, u32>, key: K) -> u32 {
    let fresh = numbers.len() as u32;
    *numbers.entry(key).or_insert(fresh)
}

/// Where the sorted rows have this value.
fn within(rows: &[Row], of: impl Fn(&Row) -> u32, value: u32) -> Rows {
    let start = rows.partition_point(|r| of(r) < value);
    let end = rows.partition_point(|r| of(r) <= value);
    start as u32..end as u32
}

/// The rows that have this value.
fn cut(rows: &[Row], of: impl Fn(&Row) -> u32, value: u32) -> &[Row] {
    let range = within(rows, of, value);
    &rows[range.start as usize..range.end as usize]
}

/// Sorts prefixes and joins each to the longest other one that it begins with.
fn link(prefixes: &mut [Prefix<'_>]) {
    prefixes.sort_unstable_by_key(|p| p.text);
    // The prefixes that the current one may begin with, each beginning with the one before it.
    let mut open: Vec<u32> = Vec::new();
    for i in 0..prefixes.len() {
        let text = prefixes[i].text;
        while let Some(&last) = open.last() {
            if text.starts_with(prefixes[last as usize].text) {
                break;
            }
            open.pop();
        }
        prefixes[i].parent = open.last().copied();
        open.push(i as u32);
    }
}
