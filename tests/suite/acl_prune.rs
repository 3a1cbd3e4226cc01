//! `--prune` while somebody else creates bindings, answers are cut and kpki is killed: what is deleted is what was
//! reviewed, or it is said whose bindings may be gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kpki::{
    acl::{AclBindingFilter, Operation, PatternType, Permission, RawBinding, ResourceType},
    admin::{Admin, Batch, ClientProperties},
};
use serde_json::{Value, json};

use crate::support::{
    java::{Client, Judge, judge},
    kpki::Output,
    one_broker::OneBroker,
    proxy::{Act, Exchange, Proxy},
};

const CLIENTS: &str = "\
clients:
  - {name: admin, auth: [tls, scram-sha-512]}
manage: {principals: [{prefix: 'User:p'}]}
";

/// So many filters with so many bindings each are more than exact filters can be afforded for, and so many principals
/// are read at once, some time before their bindings are deleted.
const PRINCIPALS: usize = 250;
const EACH: usize = 50;

/// Bindings that somebody else creates in a round, at most.
const IN_A_ROUND: usize = 500;

/// An answer with all of them is larger than this, any other is not.
const LARGE: usize = 120_000;
/// A request with many filters is larger than this, other requests are not.
const FILTERS: usize = 900;

fn binding(principal: usize, name: String) -> RawBinding {
    RawBinding {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        name: name.into(),
        principal: format!("User:p{principal}").into(),
        host: "*".into(),
        operation: Operation::Read,
        permission: Permission::Allow,
    }
}

fn bindings(principals: usize, each: usize) -> Vec<RawBinding> {
    let of = |p| (0..each).map(move |n| binding(p, format!("topic-{n}")));
    (0..principals).flat_map(of).collect()
}

/// Past the proxy.
fn direct(cluster: &OneBroker) -> Admin {
    let properties = cluster.out("admin/client-scram-sha-512.properties");
    Admin::connect(&ClientProperties::read(&properties, None).unwrap()).unwrap()
}

fn create(admin: &mut Admin, bindings: &[RawBinding]) {
    let mut batch = Batch {
        size: 2_000,
        ..Batch::default()
    };
    let results = admin.create_acls(bindings, &mut batch).unwrap();
    assert!(results.iter().all(|(_, result)| result.is_ok()));
}

fn held(admin: &mut Admin) -> BTreeSet<RawBinding> {
    let all = admin.describe_acls(&AclBindingFilter::default()).unwrap();
    all.bindings.into_iter().collect()
}

/// Of nobody that the policy manages.
const MARKER: &str = "User:marker";

/// The bindings that are held once the broker has read all that was written before: it reads in order, and a while after
/// the controller has confirmed.
fn settled(admin: &mut Admin) -> BTreeSet<RawBinding> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let marker = RawBinding {
        principal: MARKER.into(),
        ..binding(0, format!("marker-{number}"))
    };
    create(admin, std::slice::from_ref(&marker));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut there = held(admin);
        if there.contains(&marker) {
            there.retain(|binding| &*binding.principal != MARKER);
            return there;
        }
        assert!(Instant::now() < deadline, "{marker} is not there");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The same as Kafka's own client sees it.
fn listed(cluster: &OneBroker, judge: &Judge) -> Vec<Value> {
    let client = cluster.out("admin/client.properties");
    let mut all = judge.list_acls(&Client::new(&client)).unwrap();
    all.retain(|binding| binding["principal"] != MARKER);
    all
}

/// Somebody who creates bindings of the managed principals until told to stop.
struct Writer {
    stop: Arc<AtomicBool>,
    written: std::thread::JoinHandle<BTreeSet<RawBinding>>,
}

impl Writer {
    /// Begins once `begin` is true.
    fn start(cluster: &OneBroker, round: &str, begin: &Arc<AtomicBool>) -> Writer {
        let mut admin = direct(cluster);
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, begin, round) = (Arc::clone(&stop), Arc::clone(begin), round.to_owned());
        let written = std::thread::spawn(move || {
            let mut written = BTreeSet::new();
            for n in 0_usize.. {
                if stopped.load(Ordering::Relaxed) || written.len() >= IN_A_ROUND {
                    break;
                }
                if !begin.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                }
                let one = |i| binding((n * 20 + i) % PRINCIPALS, format!("new-{round}-{n}"));
                let new: Vec<RawBinding> = (0..20).map(one).collect();
                create(&mut admin, &new);
                written.extend(new);
            }
            written
        });
        Writer { stop, written }
    }

    fn end(self) -> BTreeSet<RawBinding> {
        self.stop.store(true, Ordering::Relaxed);
        self.written.join().unwrap()
    }
}

const PRUNE: [&str; 8] = [
    "acl",
    "apply",
    "policy.yaml",
    "--prune",
    "--yes",
    "--json",
    "--max-deletes",
    "100000",
];

struct Running(Child);

impl Running {
    fn start(cluster: &OneBroker) -> Running {
        let mut command = cluster.kpki.command(&PRUNE);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped());
        Running(piped.stderr(Stdio::piped()).spawn().unwrap())
    }

    fn end(self) -> Output {
        let out = self.0.wait_with_output().unwrap();
        Output {
            code: out.status.code(),
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: String::from_utf8(out.stderr).unwrap(),
        }
    }
}

/// Where a pruning is: how often everything was read, and how many requests with many filters, or with bindings to
/// create again, were sent since.
fn progress(exchanges: &[Exchange]) -> (usize, usize) {
    let (mut reads, mut deletes) = (0, 0);
    for exchange in exchanges {
        if exchange.asked > FILTERS && reads > 0 {
            deletes += 1;
        } else if exchange.answered > LARGE {
            reads += 1;
            deletes = 0;
        }
    }
    (reads, deletes)
}

/// How a round is disturbed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// The answer to this request that deletes is cut.
    Cut(usize),
    /// kpki is killed while it waits for that answer.
    Killed(usize),
    /// kpki is killed once it knows what it has to put back.
    KilledBeforePuttingBack,
}

/// The requests that the note has not settled, each with what its answer names beyond what was known; none: there was
/// no answer.
fn unsettled(note: &Path) -> BTreeMap<String, Option<Vec<RawBinding>>> {
    let mut left = BTreeMap::new();
    let text = std::fs::read_to_string(note).unwrap_or_default();
    // The last line may not be whole yet.
    let lines = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    for mut line in lines.collect::<Vec<Value>>() {
        let id = line["id"].as_str().unwrap().to_owned();
        match line["event"].as_str().unwrap() {
            "settled" => drop(left.remove(&id)),
            "answered" => {
                let newer = serde_json::from_value(line["newer"].take()).unwrap();
                left.insert(id, Some(newer));
            }
            _ => drop(left.insert(id, None)),
        }
    }
    left
}

/// One pruning, disturbed. Returns how many bindings were created meanwhile.
fn round(cluster: &OneBroker, proxy: &Proxy, fault: Fault, number: usize) -> usize {
    let kpki = &cluster.kpki;
    let mut admin = direct(cluster);
    create(&mut admin, &bindings(PRINCIPALS, EACH));
    settled(&mut admin);
    let note = cluster.out("pruning.jsonl");
    assert!(!note.exists());

    let (begin, reached) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (begun, reach) = (Arc::clone(&begin), Arc::clone(&reached));
    proxy.decide(move |_, exchanges| {
        let (reads, deletes) = progress(exchanges);
        if reads >= 1 && exchanges.last().unwrap().answered < LARGE {
            // The plan is made by now: what comes from here on nobody has reviewed.
            begun.store(true, Ordering::Relaxed);
        }
        let hit = |n| reads == 2 && deletes == n && !reach.swap(true, Ordering::Relaxed);
        match fault {
            Fault::Cut(n) if hit(n) => Act::Cut,
            Fault::Killed(n) if hit(n) => Act::Freeze,
            _ if reads == 2 => Act::Delay(Duration::from_millis(150)),
            _ => Act::Forward,
        }
    });
    let writer = Writer::start(cluster, &number.to_string(), &begin);
    let mut run = Running::start(cluster);
    let deadline = Instant::now() + Duration::from_secs(60);
    let kill = |run: &mut Running, now: &dyn Fn() -> bool| {
        while !now() {
            let ended = run.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        run.0.kill().unwrap();
    };
    match fault {
        Fault::None | Fault::Cut(_) => {}
        Fault::Killed(_) => kill(&mut run, &|| reached.load(Ordering::Relaxed)),
        Fault::KilledBeforePuttingBack => kill(&mut run, &|| {
            unsettled(&note).values().any(|newer| newer.is_some())
        }),
    }
    let out = run.end();
    let written = writer.end();
    proxy.decide(|_, _| Act::Forward);
    let there = settled(&mut admin);
    let mut gone: BTreeMap<String, usize> = BTreeMap::new();
    for binding in written.difference(&there) {
        *gone.entry(binding.principal.to_string()).or_default() += 1;
    }
    let names = |said: &Value| -> BTreeSet<String> {
        let said = said["may_be_gone_of"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names = said.iter().map(|name| name.as_str().unwrap().to_owned());
        names.collect()
    };
    println!(
        "{fault:?}: {} written, gone {gone:?}, exit {:?}",
        written.len(),
        out.code
    );
    let before: BTreeSet<RawBinding> = bindings(PRINCIPALS, EACH).into_iter().collect();
    let left = there.intersection(&before).count();
    match fault {
        Fault::None => {
            let told = out.expect_code(0).json();
            assert_eq!(
                told,
                json!({"created": 0, "deleted": PRINCIPALS * EACH, "failed": []})
            );
            assert!(gone.is_empty(), "{gone:?}");
            assert!(!note.exists());
        }
        Fault::Cut(_) => {
            let out = out.expect_code(4);
            assert!(out.stderr.contains("may be gone as well"), "{}", out.stderr);
            let told = out.json();
            let said = names(&told);
            assert!(
                gone.keys().all(|name| said.contains(name)),
                "{gone:?} {said:?}"
            );
            // The numbers are those of the cluster.
            assert_eq!(told["deleted"], PRINCIPALS * EACH - left, "{told}");
            assert_eq!(told["failed"].as_array().unwrap().len(), left);
        }
        Fault::Killed(_) | Fault::KilledBeforePuttingBack => assert_eq!(out.code, None),
    }
    if fault == Fault::None {
        return written.len();
    }

    // The next command says so, and one that only reads says it again.
    for _ in 0..2 {
        let plan = kpki.run(&["acl", "plan", "policy.yaml"]).expect_code(4);
        assert!(plan.stderr.contains("an earlier prune"), "{}", plan.stderr);
        assert!(plan.stderr.contains("hint:"), "{}", plan.stderr);
    }
    // What would be created again stands in no policy, and whoever wrote that file could have made it up.
    let apply = ["acl", "apply", "policy.yaml", "--json"];
    let left = unsettled(&note);
    let mut newer = left.values().flatten().flatten();
    if newer.any(|binding| !there.contains(binding)) {
        let asked = kpki.run(&apply).expect_code(1);
        assert_eq!(asked.json()["error"]["code"], "confirmation-needed");
        assert!(asked.stderr.contains("  Allow User:p"), "{}", asked.stderr);
    }
    let next = kpki.run(&[&apply[..], &["--yes"]].concat()).expect_code(4);
    let said = names(&next.json());
    let there = settled(&mut admin);
    // On a busy machine it may be killed only when it waits for the next answer.
    let unanswered = left.values().any(Option::is_none);
    for binding in written.difference(&there) {
        assert!(
            said.contains(&*binding.principal) && unanswered,
            "{binding} is gone, and nobody said so: {next:?}"
        );
    }
    // And then it is no wedge.
    assert!(!note.exists());
    kpki.ok(&["acl", "plan", "policy.yaml"]);
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    written.len()
}

#[test]
fn of_a_thousand_bindings_that_come_while_kpki_prunes_none_is_lost_unsaid() {
    let Some(judge) = judge() else { return };
    let Some((cluster, proxy)) = OneBroker::start_behind_proxy(CLIENTS) else {
        return;
    };
    let faults = [
        Fault::Cut(1),
        Fault::KilledBeforePuttingBack,
        Fault::Killed(2),
    ];
    let faults = faults.into_iter().chain(std::iter::repeat(Fault::None));
    let mut written = 0;
    for (number, fault) in faults.enumerate() {
        if number > 3 && written >= 1_000 {
            break;
        }
        written += round(&cluster, &proxy, fault, number);
        // What is left of the round. Bindings that were deleted and put back could be missing from an early plan.
        let mut admin = direct(&cluster);
        settled(&mut admin);
        let out = cluster.kpki.json(&PRUNE);
        assert_eq!(out["failed"], json!([]));
        assert_eq!(settled(&mut admin).len(), 0);
    }
    exactly(&cluster, &proxy, judge);
    read_in_vain(&cluster, &proxy);
    unwritable(&cluster, &proxy);
    a_name_with_a_nul(&cluster, judge);
    created_twice(&cluster, &proxy);
}

/// Where exact filters can be afforded, nothing else is ever deleted, and a lost answer costs nothing.
fn exactly(cluster: &OneBroker, proxy: &Proxy, judge: &Judge) {
    let old = bindings(PRINCIPALS, 8);
    let mut admin = direct(cluster);
    create(&mut admin, &old);
    settled(&mut admin);
    let (begin, cuts) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (begun, cut) = (Arc::clone(&begin), Arc::clone(&cuts));
    proxy.decide(move |_, exchanges| {
        // The plan is made once something is deleted.
        let deletes = exchanges.last().unwrap().asked > FILTERS * 4;
        if deletes {
            begun.store(true, Ordering::Relaxed);
        }
        match deletes && cut.fetch_add(1, Ordering::Relaxed) % 3 == 1 {
            true => Act::Cut,
            false => Act::Forward,
        }
    });
    let writer = Writer::start(cluster, "exact", &begin);
    let out = cluster.kpki.run(&PRUNE).expect_code(0);
    let written = writer.end();
    proxy.decide(|_, _| Act::Forward);
    assert!(cuts.load(Ordering::Relaxed) > 1, "nothing was cut");
    assert_eq!(
        out.json(),
        json!({"created": 0, "deleted": old.len(), "failed": []}),
        "{}",
        out.stderr
    );
    let there = settled(&mut admin);
    assert_eq!(written.difference(&there).count(), 0);
    assert!(old.iter().all(|binding| !there.contains(binding)));
    assert!(!cluster.out("pruning.jsonl").exists());
    assert_eq!(listed(cluster, judge).len(), there.len());
}

/// What could not be read was not changed either: that is a failure, and no part of a success.
fn read_in_vain(cluster: &OneBroker, proxy: &Proxy) {
    cluster.kpki.json(&PRUNE);
    let mut admin = direct(cluster);
    create(&mut admin, &bindings(PRINCIPALS, EACH));
    settled(&mut admin);
    let reads = AtomicUsize::new(0);
    proxy.decide(move |_, exchanges| {
        let (seen, _) = progress(exchanges);
        let last = exchanges.last().unwrap();
        // The first reading comes through, the one before the deleting never does.
        let large = last.answered > LARGE / 2;
        match large && (seen > 1 || reads.load(Ordering::Relaxed) > 0) {
            true => {
                reads.store(1, Ordering::Relaxed);
                Act::Cut
            }
            false => Act::Forward,
        }
    });
    let out = cluster.kpki.run(&PRUNE).expect_code(1);
    proxy.decide(|_, _| Act::Forward);
    assert_eq!(out.json()["error"]["code"], "connection-lost", "{out:?}");
    assert!(out.stderr.contains("nothing was changed"), "{}", out.stderr);
    assert!(!cluster.out("pruning.jsonl").exists());
}

/// Without the note there are no broad filters, and it works all the same.
fn unwritable(cluster: &OneBroker, proxy: &Proxy) {
    proxy.decide(|_, _| Act::Forward);
    let note = cluster.out("pruning.jsonl");
    std::fs::create_dir(&note).unwrap();
    let out = cluster.kpki.run(&PRUNE).expect_code(0);
    assert_eq!(out.json()["deleted"], PRINCIPALS * EACH);
    assert!(out.stderr.contains("one by one"), "{}", out.stderr);
    std::fs::remove_dir(&note).unwrap();
}

/// C strings end at a NUL character, and brokers store it: such a name is not the one that it looks like.
fn a_name_with_a_nul(cluster: &OneBroker, judge: &Judge) {
    let client = cluster.out("admin/client.properties");
    let client = Client::new(&client);
    let hidden = [
        binding(1, "orders\0x".to_owned()),
        binding(1, "\0".to_owned()),
        RawBinding {
            principal: "User:p1\0x".into(),
            ..binding(1, "orders".to_owned())
        },
    ];
    let hidden: Vec<Value> = hidden.iter().map(|b| json!(b)).collect();
    judge.create_acls(&client, &hidden).unwrap();
    let seen = [
        binding(1, "clicks".to_owned()),
        binding(2, "orders".to_owned()),
    ];
    create(&mut direct(cluster), &seen);
    let plan = ["acl", "plan", "policy.yaml", "--prune", "--json"];
    let plan = cluster.kpki.ok(&plan);
    assert_eq!(plan.json()["deletes"], json!(seen), "{}", plan.stderr);
    assert!(plan.stderr.contains("3 bindings"), "{}", plan.stderr);
    assert!(plan.stderr.contains("NUL"), "{}", plan.stderr);
    assert_eq!(cluster.kpki.json(&PRUNE)["deleted"], 2);
    let lines = |bindings: &[Value]| -> BTreeSet<String> {
        bindings.iter().map(Value::to_string).collect()
    };
    assert_eq!(lines(&listed(cluster, judge)), lines(&hidden));
    // An export says that it is not complete.
    let config = "out/admin/client.properties";
    let export = ["acl", "export", "--command-config", config];
    let export = cluster.kpki.run(&export).expect_code(4);
    assert!(
        !export.stdout.contains("User:p") && export.stderr.contains("NUL"),
        "{export:?}"
    );
}

/// Creating is done again where the answer is lost.
fn created_twice(cluster: &OneBroker, proxy: &Proxy) {
    let topics: Vec<String> = (0..4_000).map(|n| format!("t{n}")).collect();
    let topics = topics.join(", ");
    let acls = format!("acls: [{{principal: 'User:q', allow: [Read], topic: [{topics}]}}]\n");
    cluster.policy_file("many.yaml", &format!("{CLIENTS}{acls}"));
    let cuts = Arc::new(AtomicUsize::new(0));
    let cut = Arc::clone(&cuts);
    proxy.decide(move |_, exchanges| {
        // A request with 2,000 bindings; the first answer to it is cut.
        let large = exchanges.last().unwrap().asked > 30_000;
        match large && cut.fetch_add(1, Ordering::Relaxed) == 0 {
            true => Act::Cut,
            false => Act::Forward,
        }
    });
    let out = cluster
        .kpki
        .run(&["acl", "apply", "many.yaml", "--json"])
        .expect_code(0);
    assert_eq!(
        out.json(),
        json!({"created": 4_000, "deleted": 0, "failed": []})
    );
    assert!(cuts.load(Ordering::Relaxed) > 1);
    proxy.decide(|_, _| Act::Forward);
    cluster
        .kpki
        .ok(&["acl", "plan", "many.yaml", "--exit-code"]);
}
