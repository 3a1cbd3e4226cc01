//! The actions of a plan, which are the same in every kind of plan.

/// What is done, or would be done, to something in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It does not exist yet.
    Create,
    /// It is changed in place.
    Update,
    /// It gets a new password.
    Rotate,
    /// It gets another certificate, because the old one no longer matches the policy.
    Reissue,
    /// It gets the same certificate with a later expiry.
    Renew,
    /// It is deleted.
    Delete,
    /// Nothing.
    Keep,
}

impl Action {
    /// The verb for what is to be done, and for what was done.
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

    /// The symbol at the start of a plan's line: `+`, `~` or `-`.
    pub fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update | Self::Rotate | Self::Reissue | Self::Renew => '~',
            Self::Delete => '-',
            Self::Keep => ' ',
        }
    }
}
