//! Stable names of what can be wrong, for scripts, each with what it means, for the documents.
//!
//! Each room has a closed list of its own, a [`codes!`] enum; what is reported holds a [`StableCode`], of whichever list.

/// A stable name, and what it means. Names do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StableCode {
    name: &'static str,
    about: &'static str,
}

impl StableCode {
    /// For [`codes!`], so that every code is in a list.
    pub(crate) const fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about }
    }

    /// The name: `duplicate-key`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What it means, for the documents.
    pub const fn about(self) -> &'static str {
        self.about
    }
}

impl serde::Serialize for StableCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name)
    }
}

/// Declares a closed list: an enum whose variants have each a stable name and a meaning.
macro_rules! codes {
    ($(#[$doc:meta])* $vis:vis enum $list:ident {
        $($variant:ident = $name:literal, $about:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $list {
            $(#[doc = $about] $variant,)+
        }

        #[allow(dead_code, reason = "no list is asked for everything")]
        impl $list {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];
            /// The same, with their names and meanings.
            pub const CODES: &[$crate::code::StableCode] =
                &[$($crate::code::StableCode::new($name, $about),)+];

            /// Its stable name.
            pub fn name(self) -> &'static str {
                $crate::code::StableCode::from(self).name()
            }

            /// What it means, for the documents.
            pub fn about(self) -> &'static str {
                $crate::code::StableCode::from(self).about()
            }
        }

        impl From<$list> for $crate::code::StableCode {
            fn from(code: $list) -> Self {
                $list::CODES[code as usize]
            }
        }

        impl PartialEq<$list> for $crate::code::StableCode {
            fn eq(&self, code: &$list) -> bool {
                *self == Self::from(*code)
            }
        }
    };
}
pub(crate) use codes;
