//! Decisions per second, beside those of Kafka's own authorizer on the same bindings and requests in the same run
//! (`cargo bench`). One thread each.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kpki::acl::{
    Authorizer, Operation, PatternType, Permission, RawBinding, Request, ResourceType, Settings,
};
use serde_json::json;

#[path = "../tests/suite/support/mod.rs"]
mod support;

/// How long each side is measured.
const SPAN: Duration = Duration::from_secs(2);

fn binding(
    pattern_type: PatternType,
    name: String,
    user: usize,
    operation: Operation,
) -> RawBinding {
    RawBinding {
        resource_type: ResourceType::Topic,
        pattern_type,
        name: name.into(),
        principal: format!("User:user-{user}").into(),
        host: "*".into(),
        operation,
        permission: Permission::Allow,
    }
}

/// Teams of ten users; each user reads and writes topics of its team, and everything below a prefix of its own.
fn spread(count: usize) -> Vec<RawBinding> {
    let one = |i: usize| {
        let (user, n) = (i / 20, i % 20);
        let operation = if n % 2 == 0 {
            Operation::Read
        } else {
            Operation::Write
        };
        match n {
            18.. => binding(
                PatternType::Prefixed,
                format!("team-{}.user-{user}.", user / 10),
                user,
                operation,
            ),
            _ => binding(
                PatternType::Literal,
                format!("team-{}.topic-{}", user / 10, n / 2),
                user,
                operation,
            ),
        }
    };
    (0..count).map(one).collect()
}

/// Everyone's bindings on one topic.
fn crowded(count: usize) -> Vec<RawBinding> {
    (0..count)
        .map(|i| {
            binding(
                PatternType::Literal,
                "events".to_owned(),
                i,
                Operation::Read,
            )
        })
        .collect()
}

/// Requests on what the bindings are about, by those whom they are about and by others.
fn requests(bindings: &[RawBinding]) -> Vec<Request> {
    let at = |i: usize| &bindings[i * 7919 % bindings.len()];
    let one = |i: usize| {
        let (of, by) = (at(i), at(i + i % 2));
        let suffix = match of.pattern_type {
            PatternType::Literal => "",
            PatternType::Prefixed => "clicks",
        };
        Request {
            principal: by.principal.to_string(),
            host: "10.0.0.1".to_owned(),
            operation: of.operation,
            resource_type: of.resource_type,
            name: format!("{}{suffix}", of.name),
        }
    };
    (0..5_000).map(one).collect()
}

/// Decisions per second.
fn ours(authorizer: &Authorizer<'_>, requests: &[Request]) -> f64 {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < SPAN {
        for request in requests {
            black_box(authorizer.decide(black_box(request)).unwrap());
        }
        count += requests.len();
    }
    count as f64 / start.elapsed().as_secs_f64()
}

/// Kafka's decisions per second, or None where there is no Java.
fn kafkas(bindings: &[RawBinding], requests: &[Request]) -> Option<f64> {
    let judge = support::java::judge()?;
    let directory = tempfile::tempdir().unwrap();
    let [bindings_file, requests_file] = ["bindings", "requests"].map(|f| directory.path().join(f));
    let text: String = bindings
        .iter()
        .map(|b| json!(b).to_string() + "\n")
        .collect();
    std::fs::write(&bindings_file, text).unwrap();
    let text: String = requests
        .iter()
        .map(|r| json!(r).to_string() + "\n")
        .collect();
    std::fs::write(&requests_file, text).unwrap();
    let question = json!({
        "bindings": bindings_file, "requests": requests_file, "super_users": "",
        "seconds": SPAN.as_secs_f64(),
    });
    Some(judge.ask("authorizer-speed", question).unwrap())
}

fn decisions(criterion: &mut Criterion) {
    for (name, bindings) in [
        ("10,000 bindings", spread(10_000)),
        ("100,000 bindings", spread(100_000)),
        ("1,000,000 bindings", spread(1_000_000)),
        ("10,000 bindings on one name", crowded(10_000)),
    ] {
        let requests = requests(&bindings);
        let start = Instant::now();
        let authorizer = Authorizer::new(&bindings, Settings::default());
        let build = start.elapsed().as_secs_f64();
        let ours = ours(&authorizer, &requests);
        // A million bindings take Java a heap that the tests' process does not have.
        let kafkas = (bindings.len() <= 100_000)
            .then(|| kafkas(&bindings, &requests))
            .flatten();
        match kafkas {
            Some(kafkas) => println!(
                "{name}: {ours:.0}/s, Kafka {kafkas:.0}/s, ratio {:.1}",
                ours / kafkas
            ),
            None => println!("{name}: {ours:.0}/s"),
        }
        println!("{name}: arranged in {build:.3} s");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(requests.len() as u64));
        group.bench_function("decide", |b| {
            b.iter(|| {
                requests
                    .iter()
                    .filter(|r| authorizer.decide(r).is_ok_and(|d| d.allowed))
                    .count()
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = decisions
}
criterion_main!(benches);
