//! The access rights of a cluster as other tools keep them: bindings out, and line by line what is none.

mod julie;
mod kafka_acls;
mod kafka_gitops;
mod strimzi;

use std::{collections::BTreeSet, fmt::Display};

use crate::{
    acl::{CLUSTER_NAME, Operation, PatternType, Permission, RawBinding, ResourceType},
    document::{Diagnostic, Tree, trees},
};

/// A way in which somebody else writes access rights down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// What `kafka-acls.sh --list` prints.
    KafkaAcls,
    /// Resources of the kind KafkaUser.
    Strimzi,
    /// A state file of kafka-gitops.
    KafkaGitops,
    /// A topology of julie-ops.
    Julie,
}

/// What was found in a file.
#[derive(Debug, Default)]
pub struct Imported {
    /// The bindings that the other tool makes, or has listed.
    pub bindings: BTreeSet<RawBinding>,
    /// What is not among them, in the order of the lines.
    pub left: Vec<NotTaken>,
}

/// Something that the file says and that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotTaken {
    /// Its line, from 1.
    pub line: usize,
    /// What it is.
    pub what: String,
    /// Why not, and what to do instead.
    pub why: String,
}

impl ImportFormat {
    /// Every format.
    pub const ALL: &'static [Self] = &[
        Self::KafkaAcls,
        Self::Strimzi,
        Self::KafkaGitops,
        Self::Julie,
    ];

    /// Its name, as in `--from`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::KafkaAcls => "kafka-acls",
            Self::Strimzi => "strimzi",
            Self::KafkaGitops => "kafka-gitops",
            Self::Julie => "julie",
        }
    }

    /// What it is, for people.
    pub fn about(&self) -> &'static str {
        match self {
            Self::KafkaAcls => "what kafka-acls.sh --list prints",
            Self::Strimzi => "KafkaUser resources of Strimzi",
            Self::KafkaGitops => "a state file of kafka-gitops",
            Self::Julie => "a topology of julie-ops",
        }
    }

    /// The format that a file is of, by what only that one has.
    pub fn recognise(name: &str, text: &str) -> Option<Self> {
        if text.lines().any(kafka_acls::is_heading) {
            return Some(Self::KafkaAcls);
        }
        let trees = trees(name, text).ok()?;
        if strimzi::resources(&trees).any(strimzi::is_user) {
            Some(Self::Strimzi)
        } else if trees.iter().any(|tree| tree.get("projects").is_there()) {
            Some(Self::Julie)
        } else if trees.iter().any(kafka_gitops::is_state) {
            Some(Self::KafkaGitops)
        } else {
            None
        }
    }

    /// Reads a file of this format; `None` if nothing in it is of the format, so that it may be any other file, which is
    /// nobody's to see.
    ///
    /// # Errors
    /// What keeps it from being read as YAML.
    pub fn read(self, name: &str, text: &str) -> Result<Option<Imported>, Vec<Diagnostic>> {
        let mut found = Imported::default();
        let trees = match self {
            Self::KafkaAcls => Vec::new(),
            _ => trees(name, text)?,
        };
        let is_any = match self {
            Self::KafkaAcls => kafka_acls::is_list(text),
            Self::Strimzi => strimzi::resources(&trees).any(strimzi::is_known),
            Self::KafkaGitops => trees.iter().any(kafka_gitops::has_section),
            Self::Julie => trees.iter().any(julie::has_section),
        };
        if !is_any {
            return Ok(None);
        }
        match self {
            Self::KafkaAcls => kafka_acls::read(text, &mut found),
            Self::Strimzi => strimzi::read(&trees, &mut found),
            Self::KafkaGitops => trees
                .iter()
                .for_each(|tree| kafka_gitops::read(tree, &mut found)),
            Self::Julie => trees.iter().for_each(|tree| julie::read(tree, &mut found)),
        }
        found.left.sort();
        Ok(Some(found))
    }
}

impl Imported {
    fn leave(&mut self, line: usize, what: impl Display, why: impl Display) {
        self.left.push(NotTaken {
            line,
            what: what.to_string(),
            why: why.to_string(),
        });
    }

    /// Leaves out a part of a file, if it is there.
    fn leave_part(&mut self, tree: &Tree, what: impl Display, why: &str) {
        if tree.is_there() {
            self.leave(tree.line, what, why);
        }
    }

    fn allow(&mut self, principal: &str, to: &[Operation], resource: Resource<'_>) {
        for operation in to {
            self.bindings
                .insert(resource.binding(principal, "*", *operation, Permission::Allow));
        }
    }
}

/// What a binding is about.
#[derive(Debug, Clone, Copy)]
struct Resource<'a> {
    kind: ResourceType,
    pattern: PatternType,
    name: &'a str,
}

impl<'a> Resource<'a> {
    const CLUSTER: Resource<'static> = Resource {
        kind: ResourceType::Cluster,
        pattern: PatternType::Literal,
        name: CLUSTER_NAME,
    };

    fn literal(kind: ResourceType, name: &'a str) -> Self {
        let pattern = PatternType::Literal;
        Self {
            kind,
            pattern,
            name,
        }
    }

    fn prefixed(kind: ResourceType, name: &'a str) -> Self {
        let pattern = PatternType::Prefixed;
        Self {
            kind,
            pattern,
            name,
        }
    }

    /// `orders-*` is a prefix, and `*` alone everything.
    fn starred(kind: ResourceType, name: &'a str) -> Self {
        match name.strip_suffix('*') {
            None | Some("") => Self::literal(kind, name),
            Some(prefix) => Self::prefixed(kind, prefix),
        }
    }

    fn binding(
        self,
        principal: &str,
        host: &str,
        operation: Operation,
        permission: Permission,
    ) -> RawBinding {
        RawBinding {
            resource_type: self.kind,
            pattern_type: self.pattern,
            name: self.name.into(),
            principal: principal.into(),
            host: host.into(),
            operation,
            permission,
        }
    }
}
