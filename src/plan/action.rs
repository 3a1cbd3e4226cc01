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
    /// It goes.
    Delete,
    /// Nothing.
    Keep,
}

impl Action {
    /// What is to be done: `create`.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Rotate => "rotate",
            Self::Reissue => "reissue",
            Self::Renew => "renew",
            Self::Delete => "delete",
            Self::Keep => "keep",
        }
    }

    /// What was done: `created`.
    pub fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Rotate => "rotated",
            Self::Reissue => "reissued",
            Self::Renew => "renewed",
            Self::Delete => "deleted",
            Self::Keep => "unchanged",
        }
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
