//! Imports the ACLs of other tools: returns bindings, and the lines that could not be imported.

mod julie;
mod kafka_acls;
mod kafka_gitops;
mod strimzi;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use crate::{
    acl::{CLUSTER_NAME, Operation, PatternType, Permission, RawBinding, ResourceType},
    document::{Diagnostic, Tree, trees},
};

/// The format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// The output of `kafka-acls.sh --list`.
    KafkaAcls,
    /// Strimzi KafkaUser resources.
    Strimzi,
    /// A kafka-gitops state file.
    KafkaGitops,
    /// A julie-ops topology.
    Julie,
}

/// The result of an import.
#[derive(Debug, Default)]
pub struct Imported {
    /// The bindings that the other tool creates, or has listed, each with its line.
    pub bindings: BTreeMap<RawBinding, usize>,
    /// What was not imported, in the order of the lines.
    pub left: BTreeSet<NotTaken>,
    /// The principals that may have rights in what was not imported, among other words of the file.
    pub incomplete: BTreeSet<String>,
    /// Whether the brokers take a certificate's whole subject as the principal.
    pub whole_subjects: bool,
}

/// Something in the file that was not imported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotTaken {
    /// Its line, counted from 1.
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

    /// Its description, for users.
    pub fn about(&self) -> &'static str {
        match self {
            Self::KafkaAcls => "the output of kafka-acls.sh --list",
            Self::Strimzi => "Strimzi KafkaUser resources",
            Self::KafkaGitops => "a kafka-gitops state file",
            Self::Julie => "a julie-ops topology",
        }
    }

    /// Recognises the format of a file by its contents.
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
    /// If it is not valid YAML.
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
        Ok(Some(found))
    }
}

impl Imported {
    fn leave(&mut self, line: usize, what: impl Display, why: impl Display) {
        self.left.insert(NotTaken {
            line,
            what: what.to_string(),
            why: why.to_string(),
        });
    }

    /// Reports a part of a file as not imported, if it exists.
    fn leave_part(&mut self, tree: &Tree, what: impl Display, why: &str) {
        if tree.is_there() {
            self.leave(tree.line, what, why);
        }
    }

    /// The same for a part that may give rights to whomever it names.
    fn leave_rights(&mut self, tree: &Tree, what: impl Display, why: &str) {
        self.leave_part(tree, what, why);
        self.incomplete_in(tree);
    }

    fn incomplete_in(&mut self, tree: &Tree) {
        let texts = tree.all_texts().into_iter().map(str::to_owned);
        self.incomplete.extend(texts);
    }

    /// For what is not imported and may be anybody's: nobody with a binding so far is known with all rights.
    fn nobody_is_complete(&mut self) {
        let all = self.bindings.keys().map(|b| b.principal.to_string());
        self.incomplete.extend(all);
    }

    /// Reports the keys of an entry that are neither read nor known to give no rights. Whether there are any.
    fn leave_unknown(&mut self, entry: &Tree, known: &[&str], of: impl Display) -> bool {
        let unknown =
            |(key, part): &&(String, Tree)| part.is_there() && !known.contains(&key.as_str());
        let mut any = false;
        for (key, part) in entry.entries().iter().filter(unknown) {
            let why = "kpki does not know this key, which may give rights";
            self.leave_rights(part, format!("`{key}` of {of}"), why);
            any = true;
        }
        any
    }

    /// The same for an entry that gives rights to one principal.
    fn leave_unknown_of(&mut self, who: Grantee<'_>, entry: &Tree, known: &[&str]) {
        if self.leave_unknown(entry, known, who.principal) {
            self.incomplete.insert(who.principal.to_owned());
        }
    }

    fn allow(&mut self, who: Grantee<'_>, to: &[Operation], resource: Resource<'_>) {
        for operation in to {
            let binding = resource.binding(who.principal, "*", *operation, Permission::Allow);
            self.add(binding, who.line);
        }
    }

    fn add(&mut self, binding: RawBinding, line: usize) {
        self.bindings.entry(binding).or_insert(line);
    }
}

/// A principal that is given rights, and the line of the entry that does.
#[derive(Debug, Clone, Copy)]
struct Grantee<'a> {
    principal: &'a str,
    line: usize,
}

impl<'a> Grantee<'a> {
    /// The `principal` of an entry.
    fn of(entry: &'a Tree) -> Option<Self> {
        let principal = entry.get("principal").text()?;
        let line = entry.line;
        Some(Self { principal, line })
    }
}

/// The resource of a binding.
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

    /// `orders-*` is a prefix; `*` alone is the wildcard.
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
