//! What a plan does to a thing, in the words of every plan.

/// What is done, or would be, to something that a policy speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is not there yet.
    Create,
    /// It is changed where it is.
    Update,
    /// It gets a new password.
    Rotate,
    /// It gets another certificate, as the old one does not fit the policy any more.
    Reissue,
    /// It gets the same certificate for a longer time.
    Renew,
    /// It is deleted.
    Delete,
    /// Nothing.
    Keep,
}

impl Action {
    /// What is to be done, and what was done.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("create", "created"),
            Self::Update => ("update", "updated"),
            Self::Rotate => ("rotate", "rotated"),
            Self::Reissue => ("reissue", "reissued"),
            Self::Renew => ("renew", "renewed"),
            Self::Delete => ("delete", "deleted"),
            Self::Keep => ("keep", "unchanged"),
        }
    }

    /// What is to be done: `create`.
    pub fn verb(self) -> &'static str {
        self.words().0
    }

    /// What was done: `created`.
    pub fn done(self) -> &'static str {
        self.words().1
    }

    /// Before a line of a plan: `+`, `~` or `-`.
    pub fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update | Self::Rotate | Self::Reissue | Self::Renew => '~',
            Self::Delete => '-',
            Self::Keep => ' ',
        }
    }
}
