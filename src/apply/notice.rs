//! What is told of a cluster while it is read.

/// Something that a person should know about what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// For whoever wants to know more.
    Detail(String),
    /// For everyone.
    Note(String),
    /// For everyone, at all costs.
    Warning(String),
}
