//! What each room may touch, as the compiler reads the sources: whatever is not on a room's list is not allowed.

mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use sources::{Crate, Module, Path};

/// What lies outside of the program, by the names under which code gets at it. Macros have a `!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    Clock,
    Disk,
    Network,
    Process,
    Randomness,
    /// What it was started with: standard input and output, which may be a pipe.
    Streams,
    Terminal,
}
use Outside::*;

impl Outside {
    const ALL: [Self; 7] = [Clock, Disk, Network, Process, Randomness, Streams, Terminal];

    fn names(self) -> &'static [&'static str] {
        match self {
            Clock => &[
                "std::time::SystemTime",
                "std::time::Instant::now",
                "time::OffsetDateTime::now_utc",
                "time::OffsetDateTime::now_local",
                "time::UtcDateTime::now",
            ],
            Disk => &[
                "std::fs",
                "std::os::unix::fs",
                "glob",
                "rustix::fs",
                "tempfile",
            ],
            Network => &[
                "std::net::TcpListener",
                "std::net::TcpStream",
                "std::net::ToSocketAddrs",
                "std::net::UdpSocket",
                "std::os::unix::net",
                "ureq",
                "rdkafka",
                "rdkafka_sys",
            ],
            Process => &[
                "std::env",
                "std::process",
                "std::thread",
                "cryptoki",
                "rustix::process",
                "signal_hook",
            ],
            Randomness => &["aws_lc_rs::rand", "getrandom"],
            Streams => &["std::io::stdin", "std::io::stdout"],
            Terminal => &[
                "std::io::IsTerminal",
                "std::io::stderr",
                "anstream::stderr",
                "anstream::stdout",
                "clap",
                "clap_complete",
                "clap_mangen",
                "dbg!",
                "eprint!",
                "eprintln!",
                "indicatif",
                "print!",
                "println!",
                "rpassword",
                "rustix::termios",
                "tabled",
                "terminal_size",
            ],
        }
    }
}

/// A room: the other rooms that it may name, and what of the world outside.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    outside: &'static [Outside],
}

const fn room(
    name: &'static str,
    rooms: &'static [&'static str],
    outside: &'static [Outside],
) -> Room {
    Room {
        name,
        rooms,
        outside,
    }
}

/// Small files that everyone may use, and that use nothing but each other.
const SHARED: &[&str] = &["code", "deeds", "printable", "secret", "shell"];

#[rustfmt::skip]
const ROOMS: &[Room] = &[
    room("random", &[], &[Randomness]),
    room("document", &[], &[]),
    room("acl", &[], &[]),
    room("scram", &[], &[]),
    room("pki", &[], &[]),
    room("keystore", &["pki"], &[]),
    room("plan", &["acl", "scram"], &[]),
    room("policy", &["acl", "document", "pki", "scram"], &[]),
    room("config", &["acl", "pki", "policy", "scram"], &[]),
    room("state", &["acl", "config", "pki"], &[Clock, Disk, Process, Streams]),
    room("admin", &["acl", "config", "keystore", "scram", "state"], &[Clock, Disk, Network, Process, Streams]),
    room("issuer", &["keystore", "pki", "policy", "random", "state"], &[Clock, Network, Process]),
    room("probe", &["pki", "scram"], &[Clock, Network, Process]),
    room("apply", &["acl", "admin", "config", "pki", "plan", "policy", "probe", "scram", "state"], &[Clock, Process]),
    room("bootstrap", &["acl", "admin", "config", "issuer", "keystore", "pki", "plan", "policy", "probe", "random", "scram", "state"], &[Clock, Process]),
    room("cli", &["acl", "admin", "apply", "bootstrap", "config", "document", "issuer", "keystore", "pki", "plan", "policy", "probe", "random", "scram", "state"], &[Clock, Process, Streams, Terminal]),
];

/// Whether a path leads to a name, or brings it in with everything beside it.
fn reaches(path: &[String], name: &str) -> bool {
    let name: Vec<&str> = name.split("::").collect();
    match path.split_last() {
        Some((last, all)) if last == "*" => all.iter().zip(&name).all(|(a, b)| a == b),
        _ => path.len() >= name.len() && path.iter().zip(&name).all(|(a, b)| a == b),
    }
}

fn room_of(path: &[String]) -> Option<&str> {
    path.first().map(String::as_str)
}

/// Every rule that a module breaks alone.
fn broken(whole: &Crate, at: &Path, module: &Module) -> Vec<String> {
    let Some(own) = room_of(at) else {
        return Vec::new();
    };
    let shared = room("shared", &[], &[]);
    let listed = ROOMS.iter().find(|room| room.name == own);
    let rules = match listed {
        Some(rules) => rules,
        None if SHARED.contains(&own) => &shared,
        None => return vec![format!("{own} is not in the list of rooms")],
    };
    let mut found = Vec::new();
    for path in &module.paths {
        if path[0] == "crate" {
            let other = path.get(1).map_or("", String::as_str);
            let allowed = other == own || SHARED.contains(&other) || rules.rooms.contains(&other);
            if !allowed {
                found.push(format!("names {}", path.join("::")));
            }
        }
        for outside in Outside::ALL {
            let reached = outside.names().iter().any(|name| reaches(path, name));
            if reached && !rules.outside.contains(&outside) {
                found.push(format!("{outside:?}: {}", path.join("::")));
            }
        }
        let version = reaches(path, "KafkaVersion::new")
            || path.ends_with(&["KafkaVersion".to_owned(), "new".to_owned()]);
        if version && module.file != "acl/version.rs" {
            found.push("has the number of a version of Kafka".to_owned());
        }
    }
    for name in &module.macros {
        let called = format!("{name}!");
        let terminal = Terminal.names().contains(&called.as_str());
        if terminal && !rules.outside.contains(&Terminal) {
            found.push(format!("Terminal: {called}"));
        }
    }
    for of in &module.impls {
        let home = whole.home(of);
        let foreign = home.filter(|home| room_of(home) != Some(own));
        if let Some(home) = foreign {
            found.push(format!(
                "implements methods on {}, which is of {}",
                of.join("::"),
                home.join("::")
            ));
        }
    }
    found
}

/// The files of each room that need each other, however far around. What a module's own children share stands in it, as
/// is Rust's custom, so what they need of it does not count.
fn cycles(whole: &Crate) -> Vec<String> {
    let mut needs: BTreeMap<&Path, BTreeSet<Path>> = BTreeMap::new();
    for (at, module) in &whole.modules {
        let homes = module.paths.iter().filter_map(|path| whole.home(path));
        let others = homes.filter(|home| room_of(home) == room_of(at) && !at.starts_with(home));
        needs.insert(at, others.collect());
    }
    let reached = |from: &Path| {
        let mut seen: BTreeSet<&Path> = BTreeSet::new();
        let mut next: Vec<&Path> = needs[from].iter().collect();
        while let Some(at) = next.pop() {
            if seen.insert(at) {
                next.extend(&needs[at]);
            }
        }
        seen
    };
    let around = |at: &&Path| !at.is_empty() && reached(at).contains(at);
    let files = whole.modules.keys().filter(around);
    files
        .map(|at| {
            let with = needs[at].iter().filter(|other| reached(other).contains(at));
            let with: Vec<String> = with.map(|other| other.join("::")).collect();
            format!(
                "{} needs {}, and the other way round",
                at.join("::"),
                with.join(", ")
            )
        })
        .collect()
}

fn findings(whole: &Crate) -> Vec<String> {
    let each = whole.modules.iter().flat_map(|(at, module)| {
        let broken = broken(whole, at, module);
        broken
            .into_iter()
            .map(|what| format!("{}: {what}", module.file))
    });
    each.chain(cycles(whole)).collect()
}

fn src() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn every_room_touches_only_what_it_may() {
    let src = src();
    let whole = Crate::read(&|file| fs::read_to_string(src.join(file)).ok());
    let findings = findings(&whole);
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    // Nothing was left out, but for the binary, and what stands in for librdkafka where it is not built.
    let other_builds = ["main.rs", "admin/ffi/absent.rs"];
    let mut known: BTreeSet<&str> = whole.modules.values().map(|m| m.file.as_str()).collect();
    known.extend(whole.tests.iter().map(String::as_str));
    for file in files(&src) {
        let file = file.strip_prefix(&src).unwrap().to_str().unwrap();
        let in_tests = || {
            whole
                .tests
                .iter()
                .any(|t| file.starts_with(t.trim_end_matches(".rs")))
        };
        assert!(
            other_builds.contains(&file) || known.contains(file) || in_tests(),
            "{file}"
        );
    }
}

#[test]
fn the_only_unsafe_code_is_the_foreign_function_interface() {
    let src = src();
    for path in files(&src) {
        let text = fs::read_to_string(&path).unwrap();
        let allowed = path.strip_prefix(&src).unwrap().starts_with("admin/ffi");
        assert!(
            allowed || !text.contains("unsafe {"),
            "{} has unsafe code",
            path.display()
        );
    }
}

/// What is found in a crate of two rooms, `acl` with these files and `plan`.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let whole = Crate::read(&|file| {
        let given = files.iter().find(|(name, _)| *name == file);
        let text = given.map(|(_, text)| (*text).to_owned());
        text.or_else(|| match file {
            "lib.rs" => Some("pub mod acl; pub mod plan;".to_owned()),
            "plan/mod.rs" => Some("pub mod deep; pub use deep::Plan;".to_owned()),
            "plan/deep.rs" => Some("pub struct Plan;".to_owned()),
            _ => None,
        })
    });
    findings(&whole)
}

fn in_acl(text: &str) -> Vec<String> {
    found(&[("acl/mod.rs", text)])
}

#[test]
fn every_way_to_name_what_is_outside_is_seen() {
    for (text, what) in [
        ("use std::fs;", "Disk: std::fs"),
        ("use std::{fmt, fs::{self, File}};", "Disk: std::fs"),
        (
            "use std::{collections::BTreeMap, {fs as disk}};",
            "Disk: std::fs",
        ),
        ("use std::*;", "Disk: std::*"),
        (
            "use std as s; fn f() { s::fs::read(\"x\").ok(); }",
            "Disk: std::fs::read",
        ),
        (
            "fn f() { std::fs::read(\"x\").ok(); }",
            "Disk: std::fs::read",
        ),
        (
            "fn f() -> ::std::fs::File { todo!() }",
            "Disk: std::fs::File",
        ),
        (
            "fn f() { assert!(std::fs::exists(\"x\").is_ok(), \"no\"); }",
            "Disk: std::fs::exists",
        ),
        (
            "use std::time::Instant; fn f() { Instant::now(); }",
            "Clock: std::time::Instant::now",
        ),
        (
            "struct S; impl S { fn f() { getrandom::fill(&mut []).ok(); } }",
            "Randomness: getrandom::fill",
        ),
        ("fn f() { println!(\"x\"); }", "Terminal: println!"),
        ("fn f() { std::eprintln!(\"x\"); }", "Terminal: eprintln!"),
        (
            "macro_rules! m { () => { std::process::exit(1) }; }",
            "Process: std::process::exit",
        ),
        (
            "mod a { fn f() { std::env::var(\"x\").ok(); } }",
            "Process: std::env::var",
        ),
    ] {
        let text = format!("{text}\n#[cfg(test)] mod tests {{ use std::net::TcpStream; }}");
        let found = in_acl(&text);
        assert!(found.iter().any(|f| f.contains(what)), "{text}: {found:?}");
        assert!(!found.iter().any(|f| f.contains("TcpStream")), "{found:?}");
    }
}

#[test]
fn every_way_to_name_another_room_is_seen() {
    for text in [
        "use crate::plan::Plan;",
        "use crate::{plan::{self}, acl};",
        "use crate::plan::deep::*;",
        "use crate as kpki; fn f(_: kpki::plan::Plan) {}",
        "use super::plan;",
        "fn f(_: super::plan::Plan) {}",
        "fn f() { vec![crate::plan::Plan]; }",
        "fn f() { let _: Option<crate::plan::Plan> = None; }",
    ] {
        let found = in_acl(text);
        assert!(
            found.iter().any(|f| f.contains("crate::plan")),
            "{text}: {found:?}"
        );
    }
    let deep = "use super::super::plan::Plan;";
    let found = found(&[("acl/mod.rs", "mod inner;"), ("acl/inner.rs", deep)]);
    assert_eq!(found, ["acl/inner.rs: names crate::plan::Plan"]);
}

#[test]
fn files_that_need_each_other_are_seen() {
    let round = |b: &str| {
        found(&[
            (
                "acl/mod.rs",
                "mod a; mod b; mod c; pub use a::A; pub use c::*; pub struct Own;",
            ),
            ("acl/a.rs", "use super::b::B; pub struct A(B, super::Own);"),
            ("acl/b.rs", b),
            ("acl/c.rs", "pub struct C(super::A);"),
        ])
    };
    assert_eq!(round("pub struct B(super::Own);"), [""; 0]);
    for b in [
        "pub struct B(crate::acl::a::A);",
        // What the parent hands on is where it comes from.
        "use super::A; pub struct B(A);",
        "pub struct B(super::C);",
    ] {
        let found = round(b);
        assert!(
            found.iter().any(|f| f.starts_with("acl::b needs acl::")),
            "{b}: {found:?}"
        );
    }
    // In tests they may.
    assert_eq!(round("pub struct B; #[cfg(test)] use super::A;"), [""; 0]);
}

#[test]
fn methods_on_another_rooms_type_and_numbers_of_versions_are_seen() {
    assert_eq!(in_acl("struct Own; impl Own { fn f(&self) {} }"), [""; 0]);
    let found = in_acl("use crate::plan::Plan; impl Plan { fn f(&self) {} }");
    assert!(
        found.iter().any(|f| f.contains("which is of plan::deep")),
        "{found:?}"
    );
    let found = in_acl("fn f() { KafkaVersion::new(4, 3); }");
    assert_eq!(found, ["acl/mod.rs: has the number of a version of Kafka"]);
    assert_eq!(
        in_acl("use crate::shed::Tool;"),
        ["acl/mod.rs: names crate::shed::Tool"]
    );
}
