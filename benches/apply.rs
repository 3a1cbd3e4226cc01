//! ACLs by the hundred thousand in a real broker: creating them beside Kafka's own admin client, in requests of the same
//! size and the same run; reading them; pruning some thousands one by one, beside the same client; and pruning half of
//! all without the controller missing the brokers' heartbeats.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fmt::Write,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use kpki::{
    acl::{Operation, PatternType, Permission, RawBinding, ResourceType},
    admin::{Admin, Batch, ClientProperties},
};
use serde_json::{Value, json};

#[path = "../tests/suite/support/mod.rs"]
mod support;
use support::{java::judge, kafka, kpki::Kpki, ports};

/// Bindings of a principal; 100 principals have 100,000.
const EACH: usize = 1_000;
/// Bindings in a request, for both clients: as many as `kpki acl apply` puts into one.
const REQUEST: usize = 2_000;
/// Creating, as a multiple of Kafka's own client. Both wait for the controller nearly all of the time, so that they
/// are equal but for the noise of some percent.
const CREATE_BOUND: f64 = 1.05;
/// Pruning 100,000 of 200,000 by broad filters, as a multiple of creating as many by Kafka's own client.
const PRUNE_BOUND: f64 = 4.0;
/// Pruning some thousands by exact filters, with reading and planning, as a multiple of what Kafka's own client takes to
/// delete them by the same filters.
const EXACT_BOUND: f64 = 2.0;
/// Filters in a request of Kafka's client.
const FILTERS: usize = 500;

fn policy(ssl: u16, controller: u16) -> String {
    format!(
        "cluster:
  name: bench
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost]}}
clients:
  - {{name: admin, auth: tls}}
"
    )
}

/// What 100 users may do, `User:app-0` to `User:app-99` for the first hundred.
fn bindings(hundred: usize) -> Vec<RawBinding> {
    let one = |n: usize| RawBinding {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        name: topic(n % EACH).into(),
        principal: user(hundred * 100 + n / EACH).into(),
        host: "*".into(),
        operation: Operation::Read,
        permission: Permission::Allow,
    };
    (0..100 * EACH).map(one).collect()
}

fn topic(n: usize) -> String {
    format!("orders-{n:04}")
}

fn user(n: usize) -> String {
    format!("User:app-{n}")
}

/// The same as a policy says it.
fn acls(hundred: usize) -> String {
    let topics: Vec<String> = (0..EACH).map(topic).collect();
    let topics = topics.join(", ");
    let mut text = String::new();
    for n in 0..100 {
        let user = user(hundred * 100 + n);
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "  - {{principal: \"{user}\", allow: [Read], topic: [{topics}]}}"
        );
    }
    text
}

/// Some bindings of each of some principals.
fn few(principals: usize, each: usize) -> Vec<RawBinding> {
    let first = bindings(0).swap_remove(0);
    let one = |n: usize| RawBinding {
        principal: user(n / each).into(),
        name: topic(n % each).into(),
        ..first.clone()
    };
    (0..principals * each).map(one).collect()
}

/// The ratio of pruning these, which are all that there is, to deleting them by Kafka's client.
fn exact(kpki: &Kpki, properties: &Path, admin: &mut Admin, of: &[RawBinding]) -> f64 {
    let mut took = [Duration::MAX; 2];
    for _ in 0..2 {
        create(admin, of);
        let question = json!({
            "properties": properties, "overrides": {}, "bindings": of, "per_request": FILTERS,
        });
        let answer: Value = judge().unwrap().ask("delete-acls", question).unwrap();
        let theirs = Duration::from_secs_f64(answer["seconds"].as_f64().unwrap());
        create(admin, of);
        let ours = prune(kpki, "none.yaml", of.len());
        took = [took[0].min(ours), took[1].min(theirs)];
    }
    let ratio = took[0].as_secs_f64() / took[1].as_secs_f64();
    println!(
        "{} bindings pruned one by one: {:.2?}, by Kafka's admin client {:.2?}, ratio {ratio:.2} (bound {EXACT_BOUND})",
        of.len(),
        took[0],
        took[1]
    );
    ratio
}

/// How long `kpki acl apply --prune` takes to delete so many.
fn prune(kpki: &Kpki, file: &str, deletes: usize) -> Duration {
    let most = deletes.to_string();
    let arguments = [
        "--json",
        "acl",
        "apply",
        file,
        "--prune",
        "--yes",
        "--max-deletes",
        &most,
    ];
    let (applied, took) = timed(|| kpki.ok(&arguments));
    let applied: Value = serde_json::from_str(&applied.stdout).unwrap();
    assert_eq!(applied["deleted"], deletes, "{applied}");
    took
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

fn create(admin: &mut Admin, bindings: &[RawBinding]) -> Duration {
    let mut batch = Batch {
        size: REQUEST,
        ..Batch::default()
    };
    let (results, took) = timed(|| admin.create_acls(bindings, &mut batch).unwrap());
    assert!(results.iter().all(|(_, r)| r.is_ok()));
    took
}

/// What Kafka's client takes, without what the Judge does beside it.
fn kafkas_create(properties: &Path, bindings: &[RawBinding]) -> Duration {
    let question = json!({
        "properties": properties, "overrides": {}, "bindings": bindings, "per_request": REQUEST,
    });
    let answer: Value = judge().unwrap().ask("create-acls", question).unwrap();
    Duration::from_secs_f64(answer["seconds"].as_f64().unwrap())
}

fn main() -> ExitCode {
    // `cargo test` runs benches once, unoptimised: nothing to measure there.
    if !std::env::args().any(|arg| arg == "--bench") || judge().is_none() {
        return ExitCode::SUCCESS;
    }
    let kpki = Kpki::new();
    let [ssl, controller] = ports::free();
    let nobody = kpki.write("nobody.yaml", &policy(ssl, controller));
    kpki.ok(&["up", "nobody.yaml"]);
    let brokers = kafka::start(&[kafka::Node::kafka1(&kpki)]).unwrap();
    let mine = kpki.path("out/admin/client.properties");
    let mut admin = Admin::connect(&ClientProperties::read(&mine, None).unwrap()).unwrap();

    let manage = "manage:\n  principals: [{prefix: \"User:app-\"}]\n";
    let none = std::fs::read_to_string(&nobody).unwrap() + manage;
    kpki.write("none.yaml", &none);
    let exactly = [(5_000, 1), (2_500, 4)]
        .map(|(principals, each)| exact(&kpki, &mine, &mut admin, &few(principals, each)));

    // In quarters and turns, as a broker slows down with what it holds.
    let (first, second) = (bindings(0), bindings(1));
    let quarter = first.len() / 4;
    let mut took = [Duration::ZERO; 2];
    for part in 0..4 {
        let part = part * quarter..(part + 1) * quarter;
        took[0] += create(&mut admin, &first[part.clone()]);
        took[1] += kafkas_create(&mine, &second[part]);
    }
    let took_by_kafka = took[1];
    let ratio = took[0].as_secs_f64() / took[1].as_secs_f64();
    println!(
        "100,000 bindings created: {:.2?}, by Kafka's admin client {:.2?}, ratio {ratio:.2} (bound {CREATE_BOUND})",
        took[0], took[1]
    );

    let third = std::fs::read_to_string(&nobody).unwrap() + "acls:\n" + &acls(2);
    kpki.write("third.yaml", &third);
    let (applied, took) = timed(|| kpki.ok(&["--json", "acl", "apply", "third.yaml"]));
    let applied: Value = serde_json::from_str(&applied.stdout).unwrap();
    assert_eq!(applied["created"], 100_000, "{applied}");
    println!("kpki acl apply of 100,000 beside 200,000, with reading before and after: {took:.2?}");

    let properties = mine.to_str().unwrap();
    let (read, took) = timed(|| kpki.ok(&["acl", "export", "--command-config", properties]));
    assert_eq!(read.stdout.lines().count(), 300_000);
    println!("kpki acl export of 300,000: {took:.2?}");

    // The third hundred goes so that half of the rest can.
    let two = std::fs::read_to_string(&nobody).unwrap() + manage + "acls:\n" + &acls(0);
    kpki.write("two.yaml", &(two.clone() + &acls(1)));
    kpki.write("one.yaml", &two);
    let three_to_two = prune(&kpki, "two.yaml", 100_000);
    let pruned = prune(&kpki, "one.yaml", 100_000);
    let prune_ratio = pruned.as_secs_f64() / took_by_kafka.as_secs_f64();
    println!(
        "100,000 bindings of 100 principals pruned out of 200,000: {pruned:.2?}, {prune_ratio:.1} times their creation (bound {PRUNE_BOUND}); out of 300,000: {three_to_two:.2?}"
    );
    // What the controller says of a broker that it has not heard of for nine seconds.
    let fenced = brokers[0].log().contains("session has timed out");
    println!("a broker was fenced: {fenced}");

    // More resources than librdkafka can have in one answer, which ends its process: said, and survived.
    let many: Vec<RawBinding> = (0..100_001)
        .map(|n| RawBinding {
            name: format!("t{n}").into(),
            principal: "User:many".into(),
            ..first[0].clone()
        })
        .collect();
    create(&mut admin, &many);
    let export = |more: &[&str]| {
        let mut arguments = vec!["--json", "acl", "export", "--command-config", properties];
        arguments.extend(more);
        kpki.run(&arguments)
    };
    let (too_many, took) = timed(|| export(&[]));
    assert_eq!(too_many.code, Some(1), "{too_many:?}");
    assert!(too_many.stdout.contains("too-many-bindings"));
    println!("100,001 topics of one kind: {took:.2?} to say that they are too many");
    let few = export(&["--principal", "User:app-1"]).expect_code(0);
    assert_eq!(few.stdout.lines().count(), EACH);

    let exactly = exactly.iter().all(|ratio| *ratio <= EXACT_BOUND);
    match exactly && ratio <= CREATE_BOUND && prune_ratio <= PRUNE_BOUND && !fenced {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
