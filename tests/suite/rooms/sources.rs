//! The crate's sources as the compiler reads them, without tests: which module names which paths.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    ext::IdentExt,
    visit::{self, Visit},
};

/// An absolute path: `["crate", "state", "OutDir"]`, `["std", "fs", "read"]`. A glob ends with `*`.
pub type Path = Vec<String>;

/// A module, which is a file.
#[derive(Default)]
pub struct Module {
    /// The file, below `src/`.
    pub file: String,
    /// What its `use`s call what.
    names: BTreeMap<String, Path>,
    /// The modules of which it uses everything.
    globs: Vec<Path>,
    /// What it defines itself.
    items: BTreeSet<String>,
    /// Every path that it names, in a `use`, in code or in a macro's arguments.
    pub paths: BTreeSet<Path>,
    /// The types on which it implements methods.
    pub impls: BTreeSet<Path>,
    /// The macros that it calls.
    pub macros: BTreeSet<String>,
}

/// The modules of a crate, by their paths below `crate`.
pub struct Crate {
    pub modules: BTreeMap<Path, Module>,
    /// Files that are for tests alone.
    pub tests: BTreeSet<String>,
}

impl Crate {
    /// Reads a crate from its root on; `read` gives the text of a file below `src/`, if it is there.
    pub fn read(read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut whole = Self {
            modules: BTreeMap::new(),
            tests: BTreeSet::new(),
        };
        whole.add(read, Vec::new(), "lib.rs");
        for module in whole.modules.values_mut() {
            // A path may begin with what a `use` brought in.
            let full = |path: &Path| match module.names.get(&path[0]) {
                Some(whole) => [whole.as_slice(), &path[1..]].concat(),
                None => path.clone(),
            };
            module.paths = module.paths.iter().map(full).collect();
        }
        whole
    }

    fn add(&mut self, read: &dyn Fn(&str) -> Option<String>, path: Path, file: &str) {
        let text = read(file).unwrap_or_else(|| panic!("{file} is not there"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        let mut reader = Reader {
            at: path.clone(),
            module: Module {
                file: file.to_owned(),
                ..Module::default()
            },
            children: Vec::new(),
        };
        reader.visit_file(&parsed);
        let own_dir = file.ends_with("mod.rs") || file == "lib.rs";
        let dir = match own_dir {
            true => file.rsplit_once('/').map_or("", |(dir, _)| dir),
            false => file.trim_end_matches(".rs"),
        };
        self.modules.insert(path.clone(), reader.module);
        for (name, test) in reader.children {
            let below = format!("{dir}/{name}");
            let below = below.trim_start_matches('/');
            let candidates = [format!("{below}.rs"), format!("{below}/mod.rs")];
            let Some(file) = candidates.into_iter().find(|file| read(file).is_some()) else {
                panic!("{file} declares {name}, which is not there");
            };
            match test {
                true => _ = self.tests.insert(file),
                false => self.add(read, [path.as_slice(), &[name]].concat(), &file),
            }
        }
    }

    /// The module that defines what a path names, as far as it is of this crate; `use`s are followed.
    pub fn home(&self, path: &Path) -> Option<Path> {
        self.follow(path, 0)
    }

    fn follow(&self, path: &Path, steps: usize) -> Option<Path> {
        let rest = path.strip_prefix(&["crate".to_owned()])?;
        let depth = (0..=rest.len())
            .rev()
            .find(|depth| self.modules.contains_key(&rest[..*depth]))?;
        let (at, rest) = rest.split_at(depth);
        let module = &self.modules[at];
        let Some(name) = rest.first().filter(|_| steps < 8) else {
            return Some(at.to_vec());
        };
        if let Some(target) = module.names.get(name) {
            let target = [target.as_slice(), &rest[1..]].concat();
            return self.follow(&target, steps + 1);
        }
        let everything = module
            .globs
            .iter()
            .filter_map(|g| self.follow(g, steps + 1));
        let from = everything
            .into_iter()
            .find(|home| self.modules[home].items.contains(name));
        Some(from.unwrap_or_else(|| at.to_vec()))
    }
}

struct Reader {
    at: Path,
    module: Module,
    /// The modules that it declares, and whether they are for tests alone.
    children: Vec<(String, bool)>,
}

impl Reader {
    /// Makes a path absolute. In code, one word alone is a local name.
    fn absolute(&self, segments: &[String]) -> Path {
        let crate_ = || "crate".to_owned();
        let ups = segments.iter().take_while(|s| *s == "super").count();
        let base = match segments[0].as_str() {
            "self" => Some((self.at.as_slice(), 1)),
            "super" => Some((&self.at[..self.at.len() - ups], ups)),
            _ => None,
        };
        match base {
            Some((base, skip)) => [&[crate_()], base, &segments[skip..]].concat(),
            // `use binding::Binding` beside `mod binding`.
            None if self.children.iter().any(|(name, _)| *name == segments[0]) => {
                [&[crate_()], self.at.as_slice(), segments].concat()
            }
            None => segments.to_vec(),
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            // `use a::{self}` is a itself.
            if name != "self" || path.is_empty() {
                path.push(name.unraw().to_string());
            }
            path
        };
        match tree {
            syn::UseTree::Path(inner) => self.tree(&with(&inner.ident), &inner.tree),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.tree(before, item));
            }
            syn::UseTree::Name(name) => {
                let path = with(&name.ident);
                let called = path[path.len() - 1].clone();
                self.named(called, &path);
            }
            syn::UseTree::Rename(rename) => {
                self.named(rename.rename.to_string(), &with(&rename.ident));
            }
            syn::UseTree::Glob(_) => {
                let path = self.absolute(before);
                self.module.globs.push(path.clone());
                let all = [path.as_slice(), &["*".to_owned()]].concat();
                self.module.paths.insert(all);
            }
        }
    }

    fn named(&mut self, called: String, path: &[String]) {
        let path = self.absolute(path);
        // `use std;` brings in nothing but itself.
        if path != [called.as_str()] {
            self.module.names.insert(called, path.clone());
        }
        self.module.paths.insert(path);
    }

    /// The paths in a macro's arguments, which have any syntax; texts are not among them.
    fn tokens(&mut self, tokens: &str) {
        let mut code = String::new();
        for (at, part) in tokens.replace("\\\"", "").split('"').enumerate() {
            if at % 2 == 0 {
                code.push_str(&part.replace(" :: ", "::"));
            }
            code.push(' ');
        }
        let in_path = |c: char| c.is_alphanumeric() || "_:".contains(c);
        for word in code.split(|c| !in_path(c)).filter(|w| w.contains("::")) {
            let segments: Path = word
                .split("::")
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect();
            if segments.len() > 1 {
                let path = self.absolute(&segments);
                self.module.paths.insert(path);
            }
        }
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        let test = attribute.parse_args::<syn::Ident>();
        is_cfg && test.is_ok_and(|word| word == "test")
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(i) => &i.attrs,
        syn::Item::Enum(i) => &i.attrs,
        syn::Item::Fn(i) => &i.attrs,
        syn::Item::Impl(i) => &i.attrs,
        syn::Item::Macro(i) => &i.attrs,
        syn::Item::Mod(i) => &i.attrs,
        syn::Item::Static(i) => &i.attrs,
        syn::Item::Struct(i) => &i.attrs,
        syn::Item::Trait(i) => &i.attrs,
        syn::Item::Type(i) => &i.attrs,
        syn::Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_file(&mut self, file: &'ast syn::File) {
        // First what is declared, as a `use` may stand above the module that it is about.
        for item in &file.items {
            let name = match item {
                syn::Item::Mod(item) if item.content.is_none() => {
                    let test = is_for_tests(&item.attrs);
                    self.children.push((item.ident.to_string(), test));
                    continue;
                }
                syn::Item::Const(item) => &item.ident,
                syn::Item::Enum(item) => &item.ident,
                syn::Item::Fn(item) => &item.sig.ident,
                syn::Item::Static(item) => &item.ident,
                syn::Item::Struct(item) => &item.ident,
                syn::Item::Trait(item) => &item.ident,
                syn::Item::Type(item) => &item.ident,
                _ => continue,
            };
            self.module.items.insert(name.to_string());
        }
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let (None, syn::Type::Path(of)) = (&item.trait_, &*item.self_ty) {
            let segments = segments(&of.path);
            let path = match self.module.names.get(&segments[0]) {
                Some(whole) => [whole.as_slice(), &segments[1..]].concat(),
                None => self.absolute(&segments),
            };
            self.module.impls.insert(path);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = segments(path);
        if segments.len() > 1 {
            let path = self.absolute(&segments);
            self.module.paths.insert(path);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let name = &segments(&called.path);
        self.module.macros.insert(name[name.len() - 1].clone());
        self.tokens(&called.tokens.to_string());
        visit::visit_macro(self, called);
    }
}

fn segments(path: &syn::Path) -> Path {
    let each = path.segments.iter();
    each.map(|segment| segment.ident.unraw().to_string())
        .collect()
}
