//! Names that are equal when case is ignored.

use std::collections::HashMap;

use super::BootstrapError;
use crate::pki::IdentityName;

/// The names of the identities on disk, by their case-folded form: some file systems and Java keystores ignore case.
pub struct Folded<'a>(HashMap<String, Vec<&'a IdentityName>>);

impl<'a> Folded<'a> {
    /// Folds them once.
    pub fn new(there: &'a [IdentityName]) -> Self {
        let mut names: HashMap<String, Vec<&IdentityName>> = HashMap::with_capacity(there.len());
        for name in there {
            names.entry(name.folded()).or_default().push(name);
        }
        Self(names)
    }

    /// The identity on disk whose name differs from this one only by case.
    pub fn clash(&self, name: &IdentityName) -> Option<BootstrapError> {
        let same = self.0.get(&name.folded())?;
        let other = same.iter().find(|other| **other != name)?;
        Some(BootstrapError::Clash {
            name: name.to_string(),
            other: other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_clash_is_a_name_that_differs_only_in_case(
            there in proptest::collection::vec("[aAbB]{1,3}", 0..8),
            name in "[aAbB]{1,3}",
        ) {
            let there: Vec<IdentityName> = there.iter().map(|n| n.parse().unwrap()).collect();
            let name: IdentityName = name.parse().unwrap();
            let clashes = |other: &IdentityName| {
                *other != name && other.as_str().eq_ignore_ascii_case(name.as_str())
            };
            let found = Folded::new(&there).clash(&name);
            prop_assert_eq!(found.is_some(), there.iter().any(clashes));
        }
    }
}
