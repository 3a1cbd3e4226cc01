//! Planning a million bindings against a million, and explaining requests.
//!
//! Prints how long a plan takes, its peak memory, and the ratio to what nobody can save: reading every text of both
//! sides once and sorting as many numbers. Then decisions per second, against as many look-ups of the topic's name in a
//! hash map. Fails beyond the bounds.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use kpki::{
    acl::{
        Authorizer, Binding, Interner, KafkaVersion, Operation, PatternType, Permission,
        RawBinding, Request, ResourceType, Settings,
    },
    plan::{AclInputs, Deletion, Managed, acl_plan},
};

const BINDINGS: usize = 1_000_000;
/// A plan, as a multiple of hashing and sorting as much on one core.
const PLAN_BOUND: f64 = 3.0;
/// GB.
const MEMORY_BOUND: f64 = 1.5;

/// The `n`th of many bindings: 20 on each topic, for a thousand principals.
fn binding(n: usize, texts: &mut Interner) -> RawBinding {
    let mut raw = RawBinding {
        resource_type: ResourceType::Topic,
        pattern_type: if n % 50 == 7 {
            PatternType::Prefixed
        } else {
            PatternType::Literal
        },
        name: format!("team-{}.orders-{}", n / 20 % 100, n / 20).into(),
        principal: format!("User:service-{}", n % 1000).into(),
        host: "*".into(),
        operation: if n.is_multiple_of(2) {
            Operation::Read
        } else {
            Operation::Write
        },
        permission: if n % 200 == 11 {
            Permission::Deny
        } else {
            Permission::Allow
        },
    };
    texts.share_texts(&mut raw);
    raw
}

fn bindings(range: std::ops::Range<usize>) -> Vec<RawBinding> {
    let mut texts = Interner::default();
    range.map(|n| binding(n, &mut texts)).collect()
}

/// The least of a few runs.
fn least(runs: usize, mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..runs).map(once).min().unwrap_or_default()
}

/// Every text read once, and as many numbers sorted.
fn floor(desired: &[Binding], observed: &[RawBinding]) {
    let hash = |b: &RawBinding| {
        let mut hasher = DefaultHasher::new();
        b.hash(&mut hasher);
        hasher.finish()
    };
    for mut prints in [
        desired.iter().map(|b| hash(b)).collect::<Vec<_>>(),
        observed.iter().map(hash).collect(),
    ] {
        prints.sort_unstable();
        black_box(&prints);
    }
}

/// The largest that this process has been, in GB (VmHWM of proc(5)); None where the system does not tell.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e9)
}

/// Plans for clusters that share this part with the policy. True when it is fast enough.
fn plans(desired: &[Binding], shared: f64, what: &str) -> bool {
    let skip = (BINDINGS as f64 * (1.0 - shared)) as usize;
    let observed = bindings(skip..BINDINGS + skip);
    let mut managed = Managed::nobody();
    managed.add_prefix("User:");
    let settings = Settings::default();
    let inputs = AclInputs {
        desired,
        observed: &observed,
        managed: &managed,
        deletion: Deletion {
            prune: true,
            max_deletes: Some(usize::MAX),
        },
        operator: Some("User:admin"),
        operator_doubt: None,
        settings: &settings,
    };
    let made = acl_plan(&inputs);
    let changes = (made.creates.len(), made.deletes.len());
    if changes != (skip, skip) {
        println!("wrong plan: {changes:?} instead of {skip} each");
        return false;
    }
    drop(made);
    // In turns, so that a busy machine slows both alike.
    let (mut took, mut floor) = (Duration::MAX, Duration::MAX);
    for _ in 0..4 {
        took = took.min(least(1, || drop(black_box(acl_plan(&inputs)))));
        floor = floor.min(least(1, || self::floor(desired, &observed)));
    }
    let ratio = took.as_secs_f64() / floor.as_secs_f64();
    println!(
        "plan, {what}: {:.3} s; hashing and sorting as much on one core: {:.3} s; ratio {ratio:.2} (bound {PLAN_BOUND})",
        took.as_secs_f64(),
        floor.as_secs_f64(),
    );
    ratio < PLAN_BOUND
}

fn explains(count: usize) {
    let all = bindings(0..count);
    let authorizer = Authorizer::new(
        &all,
        Settings {
            version: KafkaVersion::ASSUMED,
            ..Settings::default()
        },
    );
    let requests: Vec<Request> = (0..200_000)
        .map(|n: usize| {
            let of = &all[n.wrapping_mul(7919) % count];
            Request {
                principal: if n.is_multiple_of(3) {
                    "User:other".into()
                } else {
                    of.principal.to_string()
                },
                host: "10.0.0.1".into(),
                operation: of.operation,
                resource_type: of.resource_type,
                name: of.name.to_string(),
            }
        })
        .collect();
    let decide = least(3, || {
        for request in &requests {
            let _ = black_box(authorizer.decide(request));
        }
    });
    let map: HashMap<&str, u32> = all.iter().zip(0..).map(|(b, n)| (&*b.name, n)).collect();
    let floor = least(3, || {
        for request in &requests {
            black_box(map.get(request.name.as_str()));
        }
    });
    println!(
        "explain, {count} bindings: {:.0} decisions/s; one look-up of the name: {:.0}/s; ratio {:.1}",
        requests.len() as f64 / decide.as_secs_f64(),
        requests.len() as f64 / floor.as_secs_f64(),
        decide.as_secs_f64() / floor.as_secs_f64()
    );
}

fn main() -> ExitCode {
    let desired = bindings(0..BINDINGS).into_iter();
    let desired: Result<Vec<Binding>, _> = desired.map(Binding::try_from).collect();
    let desired = match desired {
        Ok(desired) => desired,
        Err(problem) => {
            println!("a binding of the bench is none: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let mut within = true;
    for (shared, what) in [
        (1.0, "nothing to change"),
        (0.9, "a tenth changes"),
        (0.0, "everything changes"),
    ] {
        within &= plans(&desired, shared, what);
    }
    if let Some(peak) = peak() {
        println!("peak memory: {peak:.2} GB");
        within &= peak < MEMORY_BOUND;
    }
    for count in [10_000, 100_000] {
        explains(count);
    }
    match within {
        true => ExitCode::SUCCESS,
        false => {
            println!("beyond the bounds: {PLAN_BOUND} and {MEMORY_BOUND} GB");
            ExitCode::FAILURE
        }
    }
}
