//! Positions by name, without a copy of every name: what is indexed keeps them.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

/// Finds positions in a slice by a text that each element has. `text` is always how to get it from a position.
#[derive(Debug, Default)]
pub(super) struct Index {
    positions: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Index {
    /// An index of these positions; of those with the same text, the last.
    pub(super) fn of<'a>(
        positions: impl ExactSizeIterator<Item = usize>,
        text: impl Fn(usize) -> &'a str,
    ) -> Self {
        let mut index = Self {
            positions: HashTable::with_capacity(positions.len()),
            hasher: DefaultHashBuilder::default(),
        };
        positions.for_each(|at| index.insert(at, &text));
        index
    }

    /// Adds a position, in place of one with the same text.
    pub(super) fn insert<'a>(&mut self, at: usize, text: impl Fn(usize) -> &'a str) {
        let own = text(at);
        let hash = |at: &usize| self.hasher.hash_one(text(*at));
        let same = |other: &usize| text(*other) == own;
        match self.positions.entry(hash(&at), same, hash) {
            Entry::Occupied(mut there) => *there.get_mut() = at,
            Entry::Vacant(free) => {
                free.insert(at);
            }
        }
    }

    /// The position of this text.
    pub(super) fn get<'a>(&self, wanted: &str, text: impl Fn(usize) -> &'a str) -> Option<usize> {
        let hash = self.hasher.hash_one(wanted);
        let found = self.positions.find(hash, |at| text(*at) == wanted);
        found.copied()
    }

    /// Forgets the position of this text.
    pub(super) fn remove<'a>(&mut self, text: &str, text_at: impl Fn(usize) -> &'a str) {
        let hash = self.hasher.hash_one(text);
        if let Ok(found) = self.positions.find_entry(hash, |at| text_at(*at) == text) {
            found.remove();
        }
    }

    /// Every position, in any order.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> {
        self.positions.iter().copied()
    }
}
