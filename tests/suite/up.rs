//! `kpki up`: idempotent, minimal, and honest about what it leaves.

use std::{collections::BTreeMap, fs, path::Path};

use crate::support::{kpki::Kpki, mounts};

const POLICY: &str = "
cluster: {name: test, admin: admin}
brokers:
  - {name: kafka1, hosts: [kafka1, 10.0.0.1]}
  - {name: kafka2}
clients:
  - {name: admin, auth: tls}
  - {name: alice, auth: [tls, scram-sha-512], formats: [java, librdkafka, spring, quarkus]}
  - {name: bob, auth: scram-sha-256}
users:
  - {name: carol, auth: scram-sha-512}
";

/// Every file below a directory with its contents.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    assert!(
        before.keys().all(|k| after.contains_key(k)),
        "nothing is deleted"
    );
    after
        .iter()
        .filter(|(k, v)| before.get(*k) != Some(v))
        .map(|(k, _)| k.clone())
        .collect()
}

fn up(policy: &str) -> Kpki {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", policy);
    kpki.ok(&["up", "policy.yaml"]);
    kpki
}

#[test]
fn a_second_run_changes_no_byte_and_needs_no_passphrase() {
    let mut kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let again = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        again.stdout.contains("unchanged  6 of 6 identities"),
        "{}",
        again.stdout
    );
    assert_eq!(tree(&kpki.path("out")), before);
}

#[test]
fn a_new_client_adds_one_directory() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    kpki.write(
        "policy.yaml",
        &POLICY.replace("users:", "  - {name: dave, auth: tls}\nusers:"),
    );
    kpki.ok(&["up", "policy.yaml"]);
    let changed = changed(&before, &tree(&kpki.path("out")));
    let elsewhere: Vec<_> = changed.iter().filter(|f| !f.starts_with("dave/")).collect();
    assert_eq!(
        elsewhere,
        ["ca/inventory.jsonl", "ca/journal.jsonl", "written.jsonl"],
        "{changed:?}"
    );
}

#[test]
fn a_changed_host_reissues_that_one_and_keeps_its_key() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    kpki.write("policy.yaml", &POLICY.replace("10.0.0.1", "10.0.0.2"));
    let again = kpki.json(&["--json", "up", "policy.yaml"]);
    let actions: Vec<_> = again["identities"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|i| i["action"] != "unchanged")
        .map(|i| (i["name"].as_str().unwrap(), i["action"].as_str().unwrap()))
        .collect();
    assert_eq!(actions, [("kafka1", "reissued")]);
    let mut changed = changed(&before, &tree(&kpki.path("out")));
    changed.sort();
    assert_eq!(
        changed,
        [
            "ca/inventory.jsonl",
            "ca/journal.jsonl",
            "kafka1/kafka1.crt",
            "kafka1/kafka1.keystore.p12",
            "kafka1/kafka1.pem",
            "written.jsonl"
        ]
    );
}

#[test]
fn what_is_due_is_renewed() {
    let short = format!("{POLICY}\nca: {{leaf_valid_days: 30, renew_before_days: 10}}\n");
    let kpki = up(&short);
    let before = tree(&kpki.path("out"));
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(tree(&kpki.path("out")), before, "not due yet");
    // With 60 days' notice, what ends in 30 days is due.
    kpki.write("policy.yaml", POLICY);
    let again = kpki.json(&["--json", "up", "policy.yaml"]);
    for identity in again["identities"].as_array().unwrap() {
        let has_certificate = !["bob", "carol"].contains(&identity["name"].as_str().unwrap());
        assert_eq!(
            identity["action"],
            if has_certificate {
                "renewed"
            } else {
                "unchanged"
            },
            "{identity}"
        );
    }
    let renewed = tree(&kpki.path("out"));
    assert_eq!(before["kafka1/kafka1.key"], renewed["kafka1/kafka1.key"]);
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(tree(&kpki.path("out")), renewed);
}

#[test]
fn under_a_ca_that_ends_soon_renewal_does_not_go_on_for_ever() {
    let kpki = up(&format!(
        "{POLICY}\nca: {{valid_days: 50, leaf_valid_days: 50, renew_before_days: 49}}\n"
    ));
    let before = tree(&kpki.path("out"));
    let again = kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(tree(&kpki.path("out")), before);
    assert!(
        again.stderr.contains("warning: the CA expires on"),
        "{}",
        again.stderr
    );
}

#[test]
fn what_the_policy_no_longer_names_is_reported_and_left() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    kpki.write(
        "policy.yaml",
        &POLICY.replace("  - {name: bob, auth: scram-sha-256}\n", ""),
    );
    let again = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        again
            .stdout
            .contains("undeclared  bob is in out but not in the policy"),
        "{}",
        again.stdout
    );
    let after = tree(&kpki.path("out"));
    let bob = |files: &BTreeMap<String, Vec<u8>>| -> Vec<(String, Vec<u8>)> {
        files
            .iter()
            .filter(|(k, _)| k.starts_with("bob/"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    };
    assert_eq!(bob(&before), bob(&after));
}

#[test]
fn a_dry_run_says_what_would_be_and_writes_nothing() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    let first = kpki.ok(&["up", "--dry-run", "policy.yaml"]);
    assert!(
        first.stdout.contains("would be created  broker kafka1"),
        "{}",
        first.stdout
    );
    assert!(!kpki.path("out").exists());
    kpki.ok(&["up", "policy.yaml"]);
    let before = tree(&kpki.path("out"));
    kpki.write("policy.yaml", &POLICY.replace("10.0.0.1", "10.0.0.2"));
    let second = kpki.json(&["--json", "up", "--dry-run", "policy.yaml"]);
    assert_eq!(second["identities"][4]["action"], "reissued", "{second}");
    assert_eq!(
        second["identities"][4]["reason"],
        "hosts change from kafka1 10.0.0.1 to kafka1 10.0.0.2"
    );
    assert_eq!(tree(&kpki.path("out")), before);
}

#[test]
fn lost_files_are_written_again_without_touching_the_others() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    for file in [
        "alice/alice.keystore.p12",
        "kafka1/server.properties",
        "bob/ca.crt",
    ] {
        fs::remove_file(kpki.path("out").join(file)).unwrap();
    }
    fs::remove_dir_all(kpki.path("out/kafka2")).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    let after = tree(&kpki.path("out"));
    assert_eq!(
        before["kafka1/server.properties"],
        after["kafka1/server.properties"]
    );
    assert_eq!(
        before["alice/alice.crt"], after["alice/alice.crt"],
        "the certificate is the same"
    );
    assert_eq!(
        before["bob/client.properties"],
        after["bob/client.properties"]
    );
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
}

#[test]
fn a_damaged_file_is_named_before_anything_is_written() {
    let kpki = up(POLICY);
    fs::write(kpki.path("out/alice/alice.crt"), "no certificate").unwrap();
    fs::write(kpki.path("out/bob/scram.json"), "{}").unwrap();
    let before = tree(&kpki.path("out"));
    kpki.write("policy.yaml", &POLICY.replace("10.0.0.1", "10.0.0.2"));
    let damaged = kpki.run(&["up", "policy.yaml"]).expect_code(1);
    assert!(
        damaged.stderr.contains("scram.json is damaged"),
        "{}",
        damaged.stderr
    );
    assert_eq!(tree(&kpki.path("out")), before);
    fs::remove_file(kpki.path("out/bob/scram.json")).unwrap();
    let damaged = kpki.run(&["up", "policy.yaml"]).expect_code(1);
    assert!(
        damaged.stderr.contains("out/alice/alice.crt is damaged"),
        "{}",
        damaged.stderr
    );
    assert!(
        damaged.stderr.contains("hint: move its directory away"),
        "{}",
        damaged.stderr
    );
}

#[test]
fn an_invalid_policy_changes_nothing_and_exits_with_2() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", &POLICY.replace("hosts:", "hots:"));
    let invalid = kpki.run(&["up", "policy.yaml"]).expect_code(2);
    assert!(
        invalid.stderr.contains("policy.yaml:4:"),
        "{}",
        invalid.stderr
    );
    assert!(invalid.stderr.contains("hosts"), "{}", invalid.stderr);
    assert!(!kpki.path("out").exists());
    let json = kpki
        .run(&["--json", "up", "policy.yaml"])
        .expect_code(2)
        .json();
    assert_eq!(json["error"]["code"], "invalid-policy");
    assert_eq!(
        json["error"]["diagnostics"].as_array().unwrap().len(),
        1,
        "{json}"
    );
}

#[test]
fn the_policy_may_come_from_standard_input() {
    let kpki = Kpki::new();
    kpki.run_with_input(&["up", "-"], POLICY).expect_code(0);
    assert!(kpki.path("out/kafka1/server.properties").exists());
}

#[test]
fn the_classic_recipes_names_are_kept() {
    let kpki = Kpki::new();
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/script-sh.yaml");
    kpki.ok(&["up", policy.to_str().unwrap()]);
    for file in [
        "kafka1/kafka1.keystore.jks",
        "kafka3/kafka3.truststore.jks",
        "kafka_client/kafka_client.properties",
    ] {
        assert!(kpki.path("out").join(file).exists(), "{file}");
    }
    let server = fs::read_to_string(kpki.path("out/kafka1/server.properties")).unwrap();
    for line in [
        "ssl.keystore.location=/opt/ssl/kafka1.keystore.jks",
        "ssl.keystore.type=JKS",
        "listeners=PLAINTEXT://:9092,SSL://:9093,CONTROLLER://:9095",
    ] {
        assert!(server.lines().any(|l| l == line), "no {line} in\n{server}");
    }
}

#[test]
fn files_can_be_given_to_another_user() {
    use std::os::unix::fs::MetadataExt;
    let kpki = Kpki::new();
    let run = kpki.run(&["init-ca"]);
    run.expect_code(0);
    let owner = kpki.run(&["issue", "kafka1", "--owner", "1000:1001"]);
    if fs::metadata(kpki.path("out")).unwrap().uid() == 0 {
        owner.expect_code(0);
        for path in [
            "out/kafka1",
            "out/kafka1/kafka1.key",
            "out/kafka1/server.properties",
        ] {
            let meta = fs::metadata(kpki.path(path)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (1000, 1001), "{path}");
        }
    } else {
        assert!(
            owner
                .expect_code(1)
                .stderr
                .contains("need root and --owner")
        );
        assert!(!kpki.path("out/kafka1").exists());
    }
}

#[test]
fn a_read_only_directory_gives_an_error_and_leaves_what_was_there() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    kpki.write(
        "policy.yaml",
        &POLICY.replace("users:", "  - {name: dave, auth: tls}\nusers:"),
    );
    let script =
        "mount --bind out out && mount -o remount,bind,ro out || exit 77; \"$0\" up policy.yaml";
    let Some((code, said)) = mounts::run(&kpki, script) else {
        return;
    };
    assert!(
        code == 1 && said.contains("error: cannot") && said.contains("hint: choose another --out"),
        "{code}: {said}"
    );
    assert_eq!(tree(&kpki.path("out")), before);
}

#[test]
fn a_full_disk_gives_an_error_and_leaves_what_was_there() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    kpki.write(
        "policy.yaml",
        &POLICY.replace("users:", "  - {name: dave, auth: tls}\nusers:"),
    );
    // tmpfs counts whole pages: one for each file, and room for a few of the new identity's dozen.
    let pages: usize = before
        .values()
        .map(|bytes| bytes.len().div_ceil(4096))
        .sum();
    let mut failures = 0;
    for room in 1..12 {
        let script = format!(
            "mkdir full && mount -t tmpfs -o nr_blocks={} none full || exit 77; cp -a out/. full/ || exit 78; \
             \"$0\" --out full up policy.yaml; code=$?; mkdir after && cp -a full/. after/; exit $code",
            pages + room
        );
        let Some((code, said)) = mounts::run(&kpki, &script) else {
            return;
        };
        let after = tree(&kpki.path("after"));
        fs::remove_dir_all(kpki.path("after")).unwrap();
        fs::remove_dir(kpki.path("full")).unwrap();
        if code == 0 {
            assert!(after.contains_key("dave/dave.crt"));
            continue;
        }
        failures += 1;
        assert!(
            code == 1 && said.contains("hint: free some space and run the command again"),
            "{code}: {said}"
        );
        let grows = ["ca/inventory.jsonl", "ca/journal.jsonl", "written.jsonl"];
        for (name, bytes) in before
            .iter()
            .filter(|(name, _)| !grows.contains(&name.as_str()))
        {
            assert_eq!(
                after.get(name),
                Some(bytes),
                "{name} with room for {room} pages"
            );
        }
        for name in grows {
            assert!(after[name].starts_with(&before[name]), "{name}");
        }
        assert!(
            !after.keys().any(|k| k.starts_with("dave/")),
            "{:?}",
            after.keys()
        );
    }
    assert!(failures > 3, "the disk was full only {failures} times");
}
