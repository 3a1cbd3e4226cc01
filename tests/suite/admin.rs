//! The admin client against a real broker, judged by Kafka's own admin client.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use kpki::{
    acl::{AclBindingFilter, Operation, PatternType, Permission, RawBinding, ResourceType},
    admin::{Admin, AdminError, Batch, ClientProperties, EntryError, ScramChange, ScramInfo},
    scram::Mechanism,
    secret::Secret,
};

use crate::support::{
    java::{Client, Judge, judge},
    kafka::{Node, start},
    kpki::Kpki,
    ports,
};

/// One broker, started from what `kpki up` wrote.
struct Cluster {
    kpki: Kpki,
    ssl: u16,
    _brokers: Vec<crate::support::kafka::Broker>,
}

/// Without the settings whose names begin with one of `dropped`.
fn cluster(dropped: &[&str]) -> Option<Cluster> {
    let kpki = Kpki::new();
    let [ssl, sasl, controller] = ports::free();
    kpki.write(
        "policy.yaml",
        &format!(
            "cluster:
  name: test
  admin: admin
  bind_address: 127.0.0.1
  listeners:
    - {{name: SSL, port: {ssl}, protocol: SSL, client_auth: required}}
    - {{name: SASL_SSL, port: {sasl}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512, SCRAM-SHA-256]}}
  controller_port: {controller}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
clients:
  - {{name: admin, auth: [tls, scram-sha-512]}}
  - {{name: nobody, auth: tls}}
"
        ),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let written = std::fs::read_to_string(kpki.path("out/kafka1/server.properties")).unwrap();
    let kept: String = written
        .lines()
        .filter(|line| !dropped.iter().any(|name| line.starts_with(name)))
        .map(|line| format!("{line}\n"))
        .collect();
    let node = Node {
        server_properties: kpki.write("work/server.properties", &kept),
        ..Node::kafka1(&kpki)
    };
    let brokers = start(&[node])?;
    Some(Cluster {
        kpki,
        ssl,
        _brokers: brokers,
    })
}

impl Cluster {
    fn properties(&self, file: &str) -> PathBuf {
        self.kpki.path("out").join(file)
    }

    fn connect(&self, file: &str) -> Admin {
        let properties = ClientProperties::read(&self.properties(file), None).unwrap();
        Admin::connect(&properties).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    /// Why the properties of a file, changed, do not connect; in bounded time.
    fn refused(&self, file: &str, change: impl FnOnce(&mut ClientProperties)) -> AdminError {
        let mut properties = ClientProperties::read(&self.properties(file), None).unwrap();
        change(&mut properties);
        refused(&properties)
    }
}

fn refused(properties: &ClientProperties) -> AdminError {
    let begun = Instant::now();
    let error = Admin::connect(properties).err().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{error} after {:?}",
        begun.elapsed()
    );
    error
}

fn binding(name: &str, principal: &str, operation: Operation) -> RawBinding {
    RawBinding {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        name: name.into(),
        principal: principal.into(),
        host: "*".into(),
        operation,
        permission: Permission::Allow,
    }
}

/// Waits until a read agrees: brokers learn later than the controller.
fn eventually<T: PartialEq + std::fmt::Debug>(wanted: T, mut read: impl FnMut() -> T) {
    let begun = Instant::now();
    loop {
        let found = read();
        if found == wanted {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{found:?} instead of {wanted:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn judged(judge: &Judge, properties: &Path) -> Vec<RawBinding> {
    let mut all: Vec<RawBinding> = judge
        .list_acls(&Client::new(properties))
        .unwrap()
        .into_iter()
        .map(|b| serde_json::from_value(b).unwrap())
        .collect();
    all.sort();
    all
}

#[test]
fn acls_scram_users_and_settings_of_a_real_broker() {
    let Some(judge) = judge() else { return };
    let Some(cluster) = cluster(&[]) else { return };
    let mut admin = cluster.connect("admin/client.properties");
    acls(&cluster, judge, &mut admin);
    many_acls(&cluster, judge, &mut admin);
    scram(&cluster, judge, &mut admin);
    settings(&mut admin);
    without_rights(&cluster);
    kept_out(&cluster);
}

fn acls(cluster: &Cluster, judge: &Judge, admin: &mut Admin) {
    let mine = cluster.properties("admin/client.properties");
    assert_eq!(
        admin
            .describe_acls(&AclBindingFilter::default())
            .unwrap()
            .bindings,
        []
    );
    let mut three = vec![
        binding("orders", "User:a", Operation::Read),
        RawBinding {
            resource_type: ResourceType::Group,
            pattern_type: PatternType::Prefixed,
            host: "10.0.0.1".into(),
            ..binding("billing-", "User:CN=b,O=Größe", Operation::All)
        },
        RawBinding {
            resource_type: ResourceType::Cluster,
            permission: Permission::Deny,
            ..binding("kafka-cluster", "User:*", Operation::IdempotentWrite)
        },
    ];
    // Refused by the broker, unknown to librdkafka, and fine.
    let no_name = binding("", "User:a", Operation::Read);
    let token = RawBinding {
        resource_type: ResourceType::DelegationToken,
        ..binding("t", "User:a", Operation::Describe)
    };
    let mut asked = vec![no_name.clone(), token.clone()];
    asked.extend(three.iter().cloned());
    let mut told = Vec::new();
    let stop = AtomicBool::new(false);
    let results = admin
        .create_acls(
            &asked,
            &mut Batch {
                size: 2,
                pause: Duration::ZERO,
                stop: &stop,
                progress: &mut |done, all| told.push((done, all)),
            },
        )
        .unwrap();
    assert_eq!(told, [(3, 5), (5, 5)]);
    assert_eq!(results.len(), 5);
    assert_eq!(results[0].0, no_name);
    assert!(
        matches!(results[0].1, Err(EntryError::Refused { code: 42, .. })),
        "{:?}",
        results[0]
    );
    assert_eq!(
        results[1],
        (
            token,
            Err(EntryError::Unsupported("DelegationToken".into()))
        )
    );
    assert!(results[2..].iter().all(|(_, r)| r.is_ok()), "{results:?}");

    three.sort();
    eventually(three.clone(), || judged(judge, &mine));
    let read = admin.describe_acls(&AclBindingFilter::default()).unwrap();
    assert_eq!(read.bindings, three);
    assert_eq!((read.unreadable, read.may_miss_unreadable), (0, false));
    let of_a = admin
        .describe_acls(&AclBindingFilter::principal("User:a"))
        .unwrap();
    assert_eq!(
        of_a.bindings,
        [binding("orders", "User:a", Operation::Read)]
    );

    // What librdkafka cannot name is counted, not dropped.
    let token = serde_json::to_value(RawBinding {
        resource_type: ResourceType::TransactionalId,
        ..binding("t", "User:a", Operation::TwoPhaseCommit)
    });
    judge
        .create_acls(&Client::new(&mine), &[token.unwrap()])
        .unwrap();
    eventually(1, || {
        let read = admin.describe_acls(&AclBindingFilter::default()).unwrap();
        assert_eq!(read.bindings, three);
        read.unreadable
    });

    // One exact filter, one that matches nothing, one that is a principal.
    let filters = [
        AclBindingFilter::from(&three[2]),
        AclBindingFilter::from(&three[2]),
        AclBindingFilter::principal("User:a"),
    ];
    let deleted = admin.delete_acls(
        &filters,
        &mut Batch {
            size: 1,
            ..Batch::default()
        },
    );
    let deleted: Vec<_> = deleted.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(deleted[0].bindings, [(three[2].clone(), Ok(()))]);
    assert_eq!(deleted[1].bindings, []);
    assert_eq!(deleted[2].unreadable, 1);
    assert_eq!(
        deleted[2].bindings,
        [(binding("orders", "User:a", Operation::Read), Ok(()))]
    );
    let left: Vec<_> = three
        .iter()
        .filter(|b| **b != three[2] && &*b.principal != "User:a")
        .cloned()
        .collect();
    eventually(left.clone(), || judged(judge, &mine));
    let rest: Vec<_> = left.iter().map(AclBindingFilter::from).collect();
    admin.delete_acls(&rest, &mut Batch::default()).unwrap();
    eventually(Vec::new(), || {
        admin
            .describe_acls(&AclBindingFilter::default())
            .unwrap()
            .bindings
    });
}

/// More than one request may hold, and more than one answer may.
fn many_acls(cluster: &Cluster, judge: &Judge, admin: &mut Admin) {
    let operations = [Operation::Read, Operation::Write, Operation::Describe];
    let many: Vec<RawBinding> = (0..28_001)
        .map(|n| {
            let principal = format!("User:application-{}", n % 10);
            binding(
                &format!("a-topic-with-a-name-{n:05}"),
                &principal,
                operations[n % 3],
            )
        })
        .collect();
    let stop = AtomicBool::new(false);
    let mut requests = 0;
    let mut batch = Batch {
        size: 1_000,
        pause: Duration::ZERO,
        stop: &stop,
        progress: &mut |done, _| {
            requests += 1;
            stop.store(done == 2_000, Ordering::Relaxed);
        },
    };
    let results = admin.create_acls(&many, &mut batch).unwrap();
    assert_eq!(results.iter().filter(|(_, r)| r.is_ok()).count(), 2_000);
    assert!(
        results[2_000..]
            .iter()
            .all(|(_, r)| *r == Err(EntryError::NotAttempted))
    );
    stop.store(false, Ordering::Relaxed);
    // 10,000 is the most that KRaft takes in one request; a larger wish is cut to it.
    batch.size = 20_000;
    let results = admin.create_acls(&many, &mut batch).unwrap();
    assert!(results.iter().all(|(_, r)| r.is_ok()));
    assert_eq!(requests, 2 + 3);

    let mine = cluster.properties("admin/client.properties");
    let mut wanted = many.clone();
    wanted.sort();
    assert!(
        judged(judge, &mine) == wanted,
        "the broker has other bindings"
    );
    // About 1.6 MB, which one answer may not be.
    let read = admin.describe_acls(&AclBindingFilter::default()).unwrap();
    assert!(read.bindings == wanted, "{} read", read.bindings.len());
    assert!(read.may_miss_unreadable);
    // The program receives it in a process of its own, whole, with nothing that may be missing.
    let properties = mine.to_str().unwrap();
    let exported = cluster
        .kpki
        .ok(&["acl", "export", "--command-config", properties]);
    let lines: Vec<RawBinding> = exported
        .json_lines()
        .into_iter()
        .map(|line| serde_json::from_value(line).unwrap())
        .collect();
    assert!(lines == wanted, "{} exported", lines.len());
    assert!(!exported.stderr.contains("complete"), "{}", exported.stderr);

    let principals: Vec<_> = (0..10)
        .map(|n| AclBindingFilter::principal(&format!("User:application-{n}")))
        .collect();
    let mut batch = Batch {
        size: 1,
        ..Batch::default()
    };
    let deleted = admin.delete_acls(&principals, &mut batch).unwrap();
    let count: usize = deleted
        .iter()
        .map(|d| d.as_ref().unwrap().bindings.len())
        .sum();
    assert_eq!(count, 28_001);
}

fn scram(cluster: &Cluster, judge: &Judge, admin: &mut Admin) {
    let mine = cluster.properties("admin/client.properties");
    let upsert = |user: &str, mechanism, iterations| ScramChange::Upsert {
        user: user.into(),
        mechanism,
        iterations,
        password: Secret::new("a \"pass\\word, é".into()),
        salt: b"0123456789abcdef".to_vec(),
    };
    let changes = [
        upsert("carol", Mechanism::Sha512, 4096),
        upsert("carol", Mechanism::Sha256, 8192),
        upsert("too-few", Mechanism::Sha256, 100),
        ScramChange::Delete {
            user: "nobody-here".into(),
            mechanism: Mechanism::Sha512,
        },
    ];
    let results = admin.alter_scram(&changes, &mut Batch::default()).unwrap();
    assert_eq!(results[..2], [Ok(()), Ok(())]);
    assert!(
        matches!(results[2], Err(EntryError::Refused { code: 93, .. })),
        "{:?}",
        results[2]
    );
    assert!(
        matches!(results[3], Err(EntryError::Refused { code: 91, .. })),
        "{:?}",
        results[3]
    );
    let info = |mechanism, iterations| ScramInfo {
        user: "carol".into(),
        mechanism,
        iterations,
    };
    let both = vec![info(Mechanism::Sha256, 8192), info(Mechanism::Sha512, 4096)];
    eventually(both, || {
        admin
            .describe_scram(&["carol", "nobody-here", "carol"])
            .unwrap()
    });
    let everyone = admin.describe_every_scram().unwrap().unwrap();
    assert_eq!(everyone.len(), 3, "carol's two and admin's: {everyone:?}");
    assert_eq!(judge.list_scram(&Client::new(&mine)).unwrap().len(), 3);

    // A Java client logs in by it, and so does kpki.
    let scram = cluster.properties("admin/client-scram-sha-512.properties");
    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"carol\" password=\"a \\\"pass\\\\word, é\";";
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256"] {
        let client = Client {
            properties: &scram,
            overrides: &[("sasl.jaas.config", jaas), ("sasl.mechanism", mechanism)],
        };
        judge.describe_cluster(&client).unwrap();
    }
    cluster.connect("admin/client-scram-sha-512.properties");

    let delete = [ScramChange::Delete {
        user: "carol".into(),
        mechanism: Mechanism::Sha512,
    }];
    let results = admin.alter_scram(&delete, &mut Batch::default()).unwrap();
    assert_eq!(results, [Ok(())]);
    eventually(vec![info(Mechanism::Sha256, 8192)], || {
        admin.describe_scram(&["carol"]).unwrap()
    });
}

fn settings(admin: &mut Admin) {
    let find = |admin: &mut Admin, name: &str| {
        let all = admin.describe_broker(1).unwrap();
        all.into_iter().find(|s| s.name == name)
    };
    let authorizer = find(admin, "authorizer.class.name").unwrap();
    assert!(authorizer.value.unwrap().ends_with("StandardAuthorizer"));
    assert!(!authorizer.dynamic);
    // The same store again, which makes the broker load it anew.
    let name = "listener.name.ssl.ssl.keystore.location";
    let location = find(admin, "ssl.keystore.location").unwrap().value.unwrap();
    admin.alter_broker(1, &[(name, Some(&location))]).unwrap();
    eventually(Some((true, Some(location))), || {
        find(admin, name).map(|s| (s.dynamic, s.value))
    });
    let error = admin
        .alter_broker(1, &[("node.id", Some("7"))])
        .unwrap_err();
    assert!(
        matches!(&error, AdminError::Refused { text, .. } if text.contains("node.id")),
        "{error}"
    );
    assert!(admin.describe_broker(99).is_err());
}

/// A client that may log in and nothing else is told so, and never shown an empty list.
fn without_rights(cluster: &Cluster) {
    let mut nobody = cluster.connect("nobody/client.properties");
    let refused = |error: AdminError| {
        assert!(
            matches!(error, AdminError::NotAuthorized { .. }),
            "{error:?}"
        );
    };
    refused(
        nobody
            .describe_acls(&AclBindingFilter::default())
            .unwrap_err(),
    );
    refused(nobody.describe_every_scram().unwrap_err());
    refused(nobody.describe_scram(&["admin"]).unwrap_err());
    let one = [binding("orders", "User:a", Operation::Read)];
    refused(nobody.create_acls(&one, &mut Batch::default()).unwrap_err());
    let filter = [AclBindingFilter::from(&one[0])];
    refused(
        nobody
            .delete_acls(&filter, &mut Batch::default())
            .unwrap_err(),
    );
}

fn kept_out(cluster: &Cluster) {
    let (tls, scram) = (
        "admin/client.properties",
        "admin/client-scram-sha-512.properties",
    );
    let error = cluster.refused(scram, |p| {
        p.sasl.as_mut().unwrap().password = Secret::new("not-the-password".into());
    });
    assert!(
        matches!(error, AdminError::Authentication { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains("not-the-password"), "{error}");

    let foreign = Kpki::new();
    foreign.ok(&["init-ca"]);
    foreign.ok(&["issue", "--client", "admin"]);
    let other = ClientProperties::read(
        &foreign.path("out/admin/client.properties"),
        Some("localhost:1"),
    )
    .unwrap();
    let other = other.tls.unwrap();
    let error = cluster.refused(tls, |p| {
        p.tls.as_mut().unwrap().trusted = other.trusted.clone();
    });
    assert!(matches!(error, AdminError::Untrusted { .. }), "{error:?}");
    let error = cluster.refused(tls, |p| {
        p.tls.as_mut().unwrap().identity = other.identity.clone();
    });
    assert!(
        matches!(error, AdminError::ClientCertificate { .. }),
        "{error:?}"
    );
    let error = cluster.refused(tls, |p| p.tls.as_mut().unwrap().identity = None);
    assert!(
        matches!(error, AdminError::ClientCertificate { .. }),
        "{error:?}"
    );
    let ssl = cluster.ssl;
    let error = cluster.refused(tls, |p| p.bootstrap_servers = format!("127.0.0.1:{ssl}"));
    assert!(
        matches!(error, AdminError::WrongHostName { .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("hosts"));
    let error = cluster.refused(tls, |p| p.tls = None);
    assert!(
        matches!(error, AdminError::WrongProtocol { .. }),
        "{error:?}"
    );
}

#[test]
fn nothing_listening_and_no_such_host_are_told_apart() {
    let [port] = ports::free::<1>();
    let properties = |servers: String| ClientProperties {
        bootstrap_servers: servers,
        tls: None,
        sasl: None,
        notes: Vec::new(),
    };
    let error = refused(&properties(format!("127.0.0.1:{port}")));
    assert!(
        matches!(&error, AdminError::Unreachable(said) if said.text.contains("refused")),
        "{error:?}"
    );
    let error = refused(&properties("no-such-host.invalid:9093".into()));
    assert!(matches!(error, AdminError::UnknownHost { .. }), "{error:?}");
}

#[test]
fn a_cluster_without_an_authorizer_is_not_an_empty_one() {
    if judge().is_none() {
        return;
    }
    let Some(cluster) = cluster(&["authorizer.class.name", "super.users", "allow.everyone"]) else {
        return;
    };
    let mut admin = cluster.connect("admin/client.properties");
    let disabled = |error: AdminError| {
        assert!(
            matches!(error, AdminError::SecurityDisabled { .. }),
            "{error:?}"
        );
    };
    disabled(
        admin
            .describe_acls(&AclBindingFilter::default())
            .unwrap_err(),
    );
    let one = [binding("orders", "User:a", Operation::Read)];
    disabled(admin.create_acls(&one, &mut Batch::default()).unwrap_err());
    let filter = [AclBindingFilter::principal("User:a")];
    disabled(
        admin
            .delete_acls(&filter, &mut Batch::default())
            .unwrap_err(),
    );
}

#[test]
fn client_properties_are_read_with_every_kind_of_store() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "--client", "alice"]);
    let file = kpki.path("out/alice/client.properties");
    let written = std::fs::read_to_string(&file).unwrap();
    let read = |text: &str| {
        let path = kpki.write("changed.properties", text);
        ClientProperties::read(&path, Some("localhost:9093"))
    };
    let p12 = read(&written).unwrap().tls.unwrap();
    let identity = p12.identity.unwrap();
    assert_eq!(p12.trusted.len(), 1);
    assert!(p12.check_host);
    assert!(!identity.chain.is_empty());

    // The same in PEM, as files.
    let out = kpki.path("out/alice").display().to_string();
    let pem = read(&format!(
        "security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.location={out}/alice.pem\nssl.truststore.type=PEM\nssl.truststore.location={out}/ca.crt\n"
    ))
    .unwrap()
    .tls
    .unwrap();
    assert_eq!(pem.trusted, p12.trusted);
    let other = pem.identity.unwrap();
    assert!(other.key_pkcs8 == identity.key_pkcs8);
    assert_eq!(other.chain[0], identity.chain[0]);

    // A JKS store that was cut off, a wrong password and no file at all, each by the name of its setting.
    let jks = kpki.write("real.jks", "\u{0}");
    std::fs::write(&jks, [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]).unwrap();
    let changed = |key: &str, value: &str| -> String {
        written
            .lines()
            .map(|line| match line.starts_with(&format!("{key}=")) {
                true => format!("{key}={value}\n"),
                false => format!("{line}\n"),
            })
            .collect()
    };
    let error = read(&changed(
        "ssl.keystore.location",
        &jks.display().to_string(),
    ))
    .unwrap_err();
    assert!(
        error.to_string().starts_with("ssl.keystore.location: "),
        "{error}"
    );
    assert!(error.to_string().contains("truncated"), "{error}");
    let error = read(&changed("ssl.truststore.password", "wrong-password")).unwrap_err();
    assert!(
        error.to_string().contains("ssl.truststore.location")
            && !error.to_string().contains("wrong-password"),
        "{error}"
    );
    let error = read(&changed("ssl.keystore.location", "not/here.p12")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read not/here.p12: no such file"),
        "{error}"
    );
}
