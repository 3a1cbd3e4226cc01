//! What a file should contain.

use zeroize::Zeroizing;

use crate::{
    config::NodeFacts,
    secret::{Secret, SecretBytes},
};

/// A file to be written: name, contents, mode.
#[derive(Debug, Clone)]
pub struct FileSpec {
    /// Name inside its directory.
    pub name: String,
    /// Contents, wiped from memory afterwards.
    pub bytes: SecretBytes,
    /// Whether others may read it, once inside the directory.
    pub secret: bool,
    /// The digest of what it was made from, if its bytes differ at each encoding.
    pub made_from: Option<String>,
    /// What it commits a broker to.
    pub node: Option<Box<NodeFacts>>,
}

impl FileSpec {
    /// A file with a key or password in it: 0600.
    pub fn secret(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into().into(),
            secret: true,
            made_from: None,
            node: None,
        }
    }

    /// A password on a line of its own: 0600.
    pub fn password(name: impl Into<String>, password: &Secret) -> Self {
        let line = Zeroizing::new(format!("{}\n", password.expose()));
        Self::secret(name, line.as_bytes())
    }

    /// A file of the CA that should be removed: none of its other files is empty.
    pub fn gone(name: impl Into<String>) -> Self {
        Self::secret(name, "")
    }

    /// A file without secrets: 0644.
    pub fn public(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            secret: false,
            ..Self::secret(name, bytes)
        }
    }
}
