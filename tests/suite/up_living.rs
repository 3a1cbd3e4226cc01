//! `kpki up` where a cluster runs already: what was given stays, what people did is not undone, and what has to be done
//! is said.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::Value;

use crate::support::{kpki::Kpki, random::values, skip};

const POLICY: &str = "
cluster: {name: test, admin: admin, bootstrap_servers: [kafka1:9093]}
brokers:
  - {name: kafka1, hosts: [kafka1, 10.0.0.1]}
  - {name: kafka2}
clients:
  - {name: admin, auth: tls}
  - {name: alice, auth: [tls, scram-sha-512]}
";

fn up(policy: &str) -> Kpki {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", policy);
    kpki.ok(&["up", "policy.yaml"]);
    kpki
}

fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = tree(&path).into_iter();
            files.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

fn read(kpki: &Kpki, file: &str) -> String {
    fs::read_to_string(kpki.path("out").join(file)).unwrap()
}

fn setting(kpki: &Kpki, broker: &str, key: &str) -> String {
    let text = read(kpki, &format!("{broker}/server.properties"));
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_default().to_owned()
}

/// `path: needs` of everything that a dry run would change.
fn changes(dry_run: &Value) -> BTreeMap<String, (String, String)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let changes = dry_run["changes"].as_array().unwrap().iter();
    changes
        .map(|c| (text(&c["path"]), (text(&c["needs"]), text(&c["diff"]))))
        .collect()
}

fn append(kpki: &Kpki, file: &str, line: &str) {
    let text = read(kpki, file);
    fs::write(kpki.path("out").join(file), format!("{text}{line}\n")).unwrap();
}

#[test]
fn a_broker_put_first_or_taken_out_leaves_the_ids_of_the_others() {
    let kpki = up(POLICY);
    let front = POLICY.replace("brokers:\n", "brokers:\n  - {name: kafka0}\n");
    kpki.write("policy.yaml", &front);
    kpki.ok(&["up", "policy.yaml", "--allow", "voters"]);
    let id = |name: &str| setting(&kpki, name, "node.id");
    assert_eq!([id("kafka0"), id("kafka1"), id("kafka2")], ["3", "1", "2"]);
    assert_eq!(
        setting(&kpki, "kafka2", "controller.quorum.voters"),
        "3@kafka0:9095,1@kafka1:9095,2@kafka2:9095"
    );
    // kafka1 goes; its disk may come back with its id, so that the next new one gets another.
    let without = front.replace("  - {name: kafka1, hosts: [kafka1, 10.0.0.1]}\n", "");
    kpki.write("policy.yaml", &without);
    kpki.ok(&["up", "policy.yaml", "--allow", "voters"]);
    fs::remove_dir_all(kpki.path("out/kafka1")).unwrap();
    kpki.write(
        "policy.yaml",
        &without.replace("clients:", "  - {name: kafka9}\nclients:"),
    );
    kpki.ok(&["up", "policy.yaml", "--allow", "voters"]);
    assert_eq!([id("kafka0"), id("kafka2"), id("kafka9")], ["3", "2", "4"]);
    // One that comes back is who it was.
    kpki.write("policy.yaml", &front);
    kpki.ok(&["up", "policy.yaml", "--allow", "voters"]);
    assert_eq!([id("kafka0"), id("kafka1"), id("kafka2")], ["3", "1", "2"]);
}

#[test]
fn what_an_older_kpki_wrote_keeps_its_ids_and_is_taken_as_its_own() {
    let kpki = up(POLICY);
    fs::remove_file(kpki.path("out/written.jsonl")).unwrap();
    let server = kpki.path("out/kafka2/server.properties");
    let text = fs::read_to_string(&server).unwrap();
    let older = text.replacen("what is to stay belongs there.", "as it said once.", 1);
    assert_ne!(older, text);
    fs::write(&server, older).unwrap();
    kpki.write(
        "policy.yaml",
        &POLICY.replace("brokers:\n", "brokers:\n  - {name: kafka0}\n"),
    );
    kpki.ok(&["up", "policy.yaml", "--allow", "voters"]);
    let id = |name: &str| setting(&kpki, name, "node.id");
    assert_eq!([id("kafka0"), id("kafka1"), id("kafka2")], ["3", "1", "2"]);
    // From now on it is on record.
    append(&kpki, "kafka1/server.properties", "num.io.threads=16");
    kpki.run(&["up", "policy.yaml"]).expect_code(1);
}

#[test]
fn a_record_is_made_of_what_is_there_without_touching_it() {
    let kpki = up(POLICY);
    fs::remove_file(kpki.path("out/written.jsonl")).unwrap();
    let before = tree(&kpki.path("out"));
    let again = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        again.stdout.contains("unchanged  4 of 4"),
        "{}",
        again.stdout
    );
    let mut after = tree(&kpki.path("out"));
    let record = after.remove("written.jsonl").unwrap();
    assert_eq!(after, before);
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(tree(&kpki.path("out"))["written.jsonl"], record);
}

#[test]
fn what_a_running_cluster_does_not_survive_is_refused_unless_it_is_asked_for_by_name() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    let dangerous = POLICY
        .replace("{name: kafka2}", "{name: kafka2, id: 7}")
        .replace(
            "bootstrap_servers: [kafka1:9093]",
            "bootstrap_servers: [kafka1:9193], listeners: [{name: SSL, port: 9193, protocol: SSL}, {name: SASL_SSL, port: 9094, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}]",
        );
    kpki.write("policy.yaml", &dangerous);
    let refused = kpki.run(&["--json", "up", "policy.yaml"]);
    let refused = refused.expect_code(1).json()["error"]["all"].take();
    let dry = kpki.run(&["--json", "up", "--dry-run", "--exit-code", "policy.yaml"]);
    let dry = dry.expect_code(3).json();
    let (needs, diff) = &changes(&dry)["kafka2/server.properties"];
    assert_eq!(needs, "restart");
    assert!(
        diff.contains("\n-node.id=2\n") && diff.contains("\n+node.id=7\n"),
        "{diff}"
    );
    for all in [&refused, &dry["refused"]] {
        let all = all.as_array().unwrap();
        let messages: Vec<&str> = all.iter().map(|e| e["message"].as_str().unwrap()).collect();
        assert_eq!(
            messages,
            [
                "the brokers kafka1, kafka2 would change controller.quorum.voters from 1@kafka1:9095,2@kafka2:9095 to 1@kafka1:9095,7@kafka2:9095",
                "the brokers kafka1, kafka2 would change the listener SSL from SSL 9093 to SSL 9193",
                "the broker kafka2 would change node.id from 2 to 7",
            ]
        );
        for (error, word) in all.iter().zip(["voters", "listeners", "node-id"]) {
            assert_eq!(error["code"], "dangerous-change");
            let hint = error["hint"].as_str().unwrap();
            assert!(hint.contains(&format!("--allow {word}")), "{hint}");
        }
    }
    assert_eq!(tree(&kpki.path("out")), before);
    let one = kpki.run(&[
        "up",
        "policy.yaml",
        "--allow",
        "voters",
        "--allow",
        "listeners",
    ]);
    let said = one.expect_code(1).stderr;
    assert!(
        said.contains("node.id from 2 to 7") && !said.contains("voters from"),
        "{said}"
    );
    kpki.run(&["up", "policy.yaml", "--allow", "everything"])
        .expect_code(2);
    kpki.ok(&[
        "up",
        "policy.yaml",
        "--allow",
        "voters",
        "--allow",
        "listeners",
        "--allow",
        "node-id",
    ]);
    assert_eq!(setting(&kpki, "kafka2", "node.id"), "7");
    kpki.ok(&["up", "policy.yaml"]);
}

#[test]
fn another_listener_between_brokers_is_refused_only_where_some_would_not_have_it() {
    let listeners = "listeners: [{name: SSL, port: 9093, protocol: SSL}, {name: SASL_SSL, port: 9094, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}]";
    // A balancer stands before the brokers: no listener of theirs is held against its port.
    let both = POLICY
        .replace("name: test,", &format!("name: test, {listeners},"))
        .replace("kafka1:9093", "kafka.example.com:9093");
    let kpki = up(&both);
    let moved = both.replace(
        "name: test,",
        "name: test, inter_broker_listener: SASL_SSL,",
    );
    kpki.write("policy.yaml", &moved);
    kpki.ok(&["up", "policy.yaml"]);
    let gone = moved.replace(
        "{name: SSL, port: 9093, protocol: SSL}",
        "{name: TLS, port: 9193, protocol: SSL}",
    );
    kpki.write("policy.yaml", &gone);
    let refused = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    // Port 9093 is where bootstrap_servers sends everybody.
    assert!(
        refused.contains("the listener SSL (SSL 9093), which would be removed"),
        "{refused}"
    );
}

#[test]
fn a_lost_cluster_id_is_found_again_or_asked_for_and_never_replaced() {
    let kpki = up(POLICY);
    let id = read(&kpki, "cluster.id");
    let lost = || fs::remove_file(kpki.path("out/cluster.id")).unwrap();
    lost();
    let said = kpki.ok(&["up", "policy.yaml"]).stderr;
    assert!(
        said.contains(&format!(
            "cluster.id was lost; the brokers' files say that it is {}",
            id.trim()
        )),
        "{said}"
    );
    assert_eq!(read(&kpki, "cluster.id"), id);
    // Without a record either, from what the disks are formatted with.
    lost();
    fs::remove_file(kpki.path("out/written.jsonl")).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(read(&kpki, "cluster.id"), id);
    // Two that disagree.
    lost();
    fs::remove_file(kpki.path("out/written.jsonl")).unwrap();
    let args = read(&kpki, "kafka2/format-storage.args");
    let other = args.replace(id.trim(), "WGk4T2nDQoW1xxxxxxxxxx");
    fs::write(kpki.path("out/kafka2/format-storage.args"), other).unwrap();
    let before = tree(&kpki.path("out"));
    let refused = kpki
        .run(&["--json", "up", "policy.yaml"])
        .expect_code(1)
        .json();
    assert_eq!(refused["error"]["code"], "cluster-id-lost");
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("WGk4T2nDQoW1xxxxxxxxxx")
    );
    // None at all.
    for broker in ["kafka1", "kafka2"] {
        fs::remove_file(kpki.path("out").join(broker).join("format-storage.args")).unwrap();
    }
    let refused = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    assert!(refused.contains("meta.properties"), "{refused}");
    assert_eq!(
        tree(&kpki.path("out")).len() + 2,
        before.len(),
        "nothing was written"
    );
    // The id of another cluster is a change as any.
    fs::write(kpki.path("out/cluster.id"), &id).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    fs::write(kpki.path("out/cluster.id"), "WGk4T2nDQoW1xxxxxxxxxx\n").unwrap();
    let refused = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    assert!(refused.contains("--allow cluster-id"), "{refused}");
}

#[test]
fn what_a_person_edited_is_shown_and_not_overwritten() {
    let kpki = up(POLICY);
    let before = tree(&kpki.path("out"));
    append(&kpki, "kafka1/server.properties", "num.io.threads=16");
    append(
        &kpki,
        "kafka1/server.properties",
        "ssl.key.password=correct horse",
    );
    // Remarks, and what looks like no setting, may be secrets.
    append(
        &kpki,
        "kafka1/server.properties",
        "#old store: correct horse\n# ssl.keystore.password=correct horse\ncorrect horse",
    );
    append(&kpki, "alice/client.properties", "acks=all");
    let edited = tree(&kpki.path("out"));
    // A change of the policy that kpki would write into the same files.
    kpki.write(
        "policy.yaml",
        &POLICY.replace("name: test,", "name: other,"),
    );
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    for part in [
        "out/kafka1/server.properties was edited by hand:",
        "\n    +num.io.threads=16\n",
        "\n    +ssl.key.password=[secret ",
        "\n    +# [a comment]\n    +# [a comment]\n    +[a line that is not a setting]\n",
        "under kafka1: properties: {\"num.io.threads\": \"16\"}",
        "--overwrite kafka1/server.properties",
        "out/alice/client.properties was edited by hand:",
        "under alice: properties: {\"acks\": \"all\"}",
    ] {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
    assert!(!said.contains("correct horse"), "{said}");
    // A dry run shows what overwriting them would do, and what that takes.
    let dry = kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"]);
    let dry = dry.expect_code(3);
    for part in [
        "kpki up would refuse this: ",
        "out/kafka1/server.properties was edited by hand\n",
        "--overwrite kafka1/server.properties",
        "--overwrite alice/client.properties",
    ] {
        assert!(dry.stderr.contains(part), "no {part} in\n{}", dry.stderr);
    }
    for part in ["\n    -num.io.threads=16\n", "\n    -acks=all\n"] {
        assert!(dry.stdout.contains(part), "no {part} in\n{}", dry.stdout);
    }
    assert!(!dry.stdout.contains("correct horse"), "{}", dry.stdout);
    assert_eq!(tree(&kpki.path("out")), edited, "nothing was written");
    let json = kpki
        .run(&["--json", "up", "policy.yaml"])
        .expect_code(1)
        .json();
    assert_eq!(json["error"]["code"], "edited");
    assert_eq!(json["error"]["all"].as_array().unwrap().len(), 2);
    // What nobody edited is no reason either, as soon as the policy is what it was.
    kpki.write("policy.yaml", POLICY);
    kpki.run(&["up", "policy.yaml"]).expect_code(1);
    kpki.ok(&[
        "up",
        "policy.yaml",
        "--overwrite",
        "out/kafka1/server.properties",
        "--overwrite",
        "alice/client.properties",
    ]);
    let mut after = tree(&kpki.path("out"));
    for grown in ["written.jsonl", "ca/journal.jsonl"] {
        after.insert(grown.into(), before[grown].clone());
    }
    assert_eq!(after, before);
    // What is gone was not edited.
    fs::remove_file(kpki.path("out/kafka1/server.properties")).unwrap();
    fs::write(kpki.path("out/alice/client.properties"), "").unwrap();
    kpki.ok(&["up", "policy.yaml"]);
    assert_eq!(
        tree(&kpki.path("out"))["alice/client.properties"],
        before["alice/client.properties"]
    );
}

#[test]
fn a_certificate_of_somebody_elses_is_not_overwritten() {
    let kpki = up(POLICY);
    let other = Kpki::new();
    other.ok(&["init-ca"]);
    other.ok(&["issue", "kafka1"]);
    for file in ["kafka1.crt", "kafka1.key"] {
        fs::copy(
            other.path("out/kafka1").join(file),
            kpki.path("out/kafka1").join(file),
        )
        .unwrap();
    }
    let before = tree(&kpki.path("out"));
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    assert!(
        said.contains("out/kafka1/kafka1.crt was edited by hand"),
        "{said}"
    );
    assert_eq!(tree(&kpki.path("out")), before);
}

#[test]
fn a_foreign_ca_in_a_truststore_is_not_overwritten() {
    let kpki = up(POLICY);
    let other = Kpki::new();
    other.ok(&["init-ca", "--subject", "CN=Corporate CA"]);
    let foreign = other.path("out/ca/ca.crt");
    let password = setting(&kpki, "kafka1", "ssl.truststore.password");
    let store = kpki.path("out/kafka1/kafka1.truststore.p12");
    let imported = Command::new("keytool")
        .args([
            "-importcert",
            "-noprompt",
            "-alias",
            "corporate",
            "-storetype",
            "PKCS12",
        ])
        .args(["-storepass", &password, "-file", foreign.to_str().unwrap()])
        .args(["-keystore", store.to_str().unwrap()])
        .output();
    match imported {
        Ok(output) if output.status.success() => {}
        _ => return skip("keytool is missing"),
    }
    let pem = [
        fs::read(kpki.path("out/alice/ca.crt")).unwrap(),
        fs::read(&foreign).unwrap(),
    ];
    fs::write(kpki.path("out/alice/ca.crt"), pem.concat()).unwrap();
    let before = tree(&kpki.path("out"));
    let check = || {
        let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
        for part in [
            "out/kafka1/kafka1.truststore.p12 also trusts CN=Corporate CA",
            "out/alice/ca.crt also trusts CN=Corporate CA",
            "hint: trusting further CAs is not supported yet",
            "--overwrite alice/ca.crt",
        ] {
            assert!(said.contains(part), "no {part} in\n{said}");
        }
    };
    check();
    assert_eq!(tree(&kpki.path("out")), before);
    // Nor where an older kpki wrote it.
    fs::remove_file(kpki.path("out/written.jsonl")).unwrap();
    check();
    kpki.ok(&[
        "up",
        "policy.yaml",
        "--overwrite",
        "kafka1/kafka1.truststore.p12",
        "--overwrite",
        "alice/ca.crt",
    ]);
    assert_eq!(
        fs::read(&store).unwrap(),
        fs::read(kpki.path("out/ca/truststore.p12")).unwrap()
    );
}

#[test]
fn a_store_that_is_damaged_cut_or_swapped_is_found_by_its_digest_and_written_anew() {
    let kpki = up(POLICY);
    let store = |name: &str| {
        kpki.path("out")
            .join(name)
            .join(format!("{name}.keystore.p12"))
    };
    let (mine, other) = (
        fs::read(store("kafka1")).unwrap(),
        fs::read(store("kafka2")).unwrap(),
    );
    let mut flipped = mine.clone();
    flipped[mine.len() / 2] ^= 1;
    for bad in [flipped, mine[..mine.len() - 1].to_vec(), other, Vec::new()] {
        fs::write(store("kafka1"), &bad).unwrap();
        let again = kpki.json(&["--json", "up", "policy.yaml"]);
        let paths: Vec<_> = again["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| &c["path"])
            .collect();
        assert_eq!(paths, ["kafka1/kafka1.keystore.p12"]);
        assert_ne!(fs::read(store("kafka1")).unwrap(), bad);
        kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"])
            .expect_code(0);
    }
}

#[test]
fn a_dry_run_shows_every_file_without_its_secrets() {
    let kpki = Kpki::new();
    kpki.write("policy.yaml", POLICY);
    let first = kpki.run(&["--json", "up", "--dry-run", "--exit-code", "policy.yaml"]);
    let first = first.expect_code(3).json();
    let of_kafka1 = &changes(&first)["kafka1/server.properties"];
    assert_eq!(of_kafka1.0, "nothing", "nobody runs with it yet");
    assert!(of_kafka1.1.contains("\n+node.id=1\n"), "{}", of_kafka1.1);
    assert!(!kpki.path("out").exists());
    kpki.ok(&["up", "policy.yaml"]);
    let dry = ["up", "--dry-run", "--exit-code", "policy.yaml"];
    kpki.run(&dry).expect_code(0);
    kpki.run(&["up", "--exit-code", "policy.yaml"])
        .expect_code(2);

    // Another password is a secret that changes in files that say it.
    fs::write(
        kpki.path("out/alice/keystore_creds"),
        "correcthorsebattery\n",
    )
    .unwrap();
    let allowed = "allow_everyone_if_no_acl_found: true, name: test,";
    kpki.write("policy.yaml", &POLICY.replace("name: test,", allowed));
    let before = tree(&kpki.path("out"));
    let json = kpki.run(&["--json", "up", "--dry-run", "--exit-code", "policy.yaml"]);
    let changes = changes(&json.expect_code(3).json());
    let of = |path: &str| {
        let (needs, diff) = &changes[path];
        (needs.as_str(), diff.as_str())
    };
    let (needs, diff) = of("kafka1/server.properties");
    assert_eq!(needs, "restart");
    for line in [
        "--- a/kafka1/server.properties\n+++ b/kafka1/server.properties\n",
        "\n-allow.everyone.if.no.acl.found=false\n+allow.everyone.if.no.acl.found=true\n",
    ] {
        assert!(diff.contains(line), "{diff}");
    }
    let (needs, diff) = of("alice/client.properties");
    assert_eq!(needs, "restart");
    assert!(
        diff.contains("-ssl.keystore.password=[secret ")
            && diff.contains("+ssl.keystore.password=[secret "),
        "{diff}"
    );
    assert_eq!(of("alice/alice.keystore.p12").0, "restart");
    let text = kpki.ok(&["up", "--dry-run", "policy.yaml"]).stdout;
    assert!(
        text.contains("    +allow.everyone.if.no.acl.found=true\n"),
        "{text}"
    );
    assert!(
        text.contains("needs a restart: server.properties (allow.everyone.if.no.acl.found)"),
        "{text}"
    );
    let secrets = before
        .iter()
        .filter(|(name, _)| name.ends_with("_creds") || name.ends_with("password"));
    for (name, secret) in secrets {
        let secret = String::from_utf8_lossy(secret);
        let shown =
            text.contains(secret.trim()) || changes.values().any(|c| c.1.contains(secret.trim()));
        assert!(!shown, "{name} is shown");
    }
    assert_eq!(tree(&kpki.path("out")), before);
}

/// Only the run itself said so.
#[test]
fn a_dry_run_says_that_the_ca_is_not_as_in_the_policy() {
    let kpki = up(POLICY);
    let other = format!("ca: {{subject: CN=Other, key: rsa-4096}}\n{POLICY}");
    kpki.write("policy.yaml", &other);
    let said = kpki.run(&["up", "policy.yaml", "--dry-run"]).expect_code(0);
    for note in ["the policy says CN=Other", "is not rsa-4096"] {
        assert!(said.stderr.contains(note), "{}", said.stderr);
    }
}

#[test]
fn what_others_wrote_is_shown_only_where_it_is_known_to_be_harmless() {
    let kpki = up(POLICY);
    append(
        &kpki,
        "kafka1/server.properties",
        "log.retention.hours=72\nmy.http.header=Bearer hunter2\nmy.url=1\nmy.url=\\\n  http://me:hunter2@h/\nssl.keystore.key : hunter2\nssl.key.pa\\\nssword=hunter2\nhunter2.hunter2",
    );
    fs::write(kpki.path("out/alice/client.properties"), "x.y=hunter2\n").unwrap();
    for args in [
        &["up", "policy.yaml"][..],
        &["up", "--dry-run", "policy.yaml"],
        &["--json", "up", "policy.yaml"],
        &["--json", "up", "--dry-run", "policy.yaml"],
    ] {
        let said = kpki.run(args);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains("hunter2"), "{args:?}: {all}");
        for part in [
            "log.retention.hours=72",
            "my.http.header=[hidden]",
            "x.y=[hidden]",
        ] {
            assert!(all.contains(part), "{args:?}: no {part} in\n{all}");
        }
    }
    let refused = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    let hint = "under kafka1: properties: {\"log.retention.hours\": \"72\"};";
    assert!(refused.contains(hint), "{refused}");
    let both = [
        "--overwrite",
        "kafka1/server.properties",
        "--overwrite",
        "alice/client.properties",
    ];
    let said = kpki.ok(&[&["up", "policy.yaml"][..], &both].concat());
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn a_new_scram_user_needs_nothing_of_brokers_that_run() {
    let kpki = up(POLICY);
    kpki.write(
        "policy.yaml",
        &format!("{POLICY}  - {{name: bob, auth: scram-sha-512}}\n"),
    );
    let dry_run = kpki.json(&["--json", "up", "--dry-run", "policy.yaml"]);
    let brokers: Vec<_> = changes(&dry_run)
        .into_iter()
        .filter(|(path, _)| path.starts_with("kafka"))
        .collect();
    let paths: Vec<&str> = brokers.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        ["kafka1/format-storage.args", "kafka2/format-storage.args"]
    );
    for (_, (needs, diff)) in &brokers {
        assert_eq!(needs, "nothing");
        assert!(
            diff.contains("+SCRAM-SHA-512=[name=bob,iterations=8192,salt=[secret "),
            "{diff}"
        );
    }
    let text = kpki.ok(&["up", "policy.yaml"]).stdout;
    assert!(text.contains("running brokers need nothing"), "{text}");
    assert!(!text.contains("restart"), "{text}");
}

#[test]
fn a_host_more_is_reloaded_and_a_host_less_is_warned_of_and_restarted() {
    let kpki = up(POLICY);
    let more = POLICY.replace("10.0.0.1]", "10.0.0.1, 10.0.0.2]");
    kpki.write("policy.yaml", &more);
    let json = kpki.json(&["--json", "up", "--dry-run", "policy.yaml"]);
    let files = changes(&json);
    assert!(
        files.keys().all(|path| path.starts_with("kafka1/kafka1.")),
        "{files:?}"
    );
    assert!(
        files.values().all(|(needs, _)| needs == "reload"),
        "{files:?}"
    );
    let said = kpki.ok(&["up", "policy.yaml"]);
    assert!(
        said.stdout.contains("\n    kpki reload kafka1\n"),
        "{}",
        said.stdout
    );
    assert!(!said.stderr.contains("warning"), "{}", said.stderr);
    kpki.write("policy.yaml", POLICY);
    for run in [
        &["up", "--dry-run", "policy.yaml"][..],
        &["up", "policy.yaml"],
    ] {
        let said = kpki.ok(run);
        assert!(
            said.stderr.contains(
                "warning: the certificate of the broker kafka1 will no longer name 10.0.0.2"
            ),
            "{}",
            said.stderr
        );
        assert!(
            said.stdout.contains("needs a restart: kafka1.keystore.p12"),
            "{}",
            said.stdout
        );
    }
}

#[test]
fn a_dry_run_shows_json_as_json() {
    let kpki = up(POLICY);
    let json = POLICY.replace("name: alice,", "name: alice, formats: [java, json],");
    assert_ne!(json, POLICY);
    kpki.write("policy.yaml", &json);
    let added = kpki.json(&["--json", "up", "--dry-run", "policy.yaml"]);
    let (_, diff) = &changes(&added)["alice/connection.json"];
    assert!(diff.contains("\n+  \"protocol\": \"SSL\",\n"), "{diff}");
    kpki.ok(&["up", "policy.yaml"]);
    kpki.write(
        "policy.yaml",
        &json.replace("name: alice,", "name: alice, properties: {acks: all},"),
    );
    let said = kpki.ok(&["up", "--dry-run", "policy.yaml"]).stdout;
    assert!(said.contains("connection.json (properties)"), "{said}");
    assert!(said.contains("\n    +    \"acks\": \"all\"\n"), "{said}");
}

#[test]
fn many_of_a_kind_are_counted_and_not_listed() {
    let mut policy = POLICY.to_owned();
    for n in 0..60 {
        policy.push_str(&format!("  - {{name: c{n}, auth: tls}}\n"));
    }
    let kpki = up(POLICY);
    kpki.write("policy.yaml", &policy);
    let dry = kpki.ok(&["up", "--dry-run", "policy.yaml"]).stdout;
    for part in [
        "would be created  client c59",
        "\n    +++ b/c59/client.properties\n",
        "\n    c59/c59.key: a key, a store or a password: it is new, and not shown\n",
    ] {
        assert!(dry.contains(part), "no {part} in\n{dry}");
    }
    let done = kpki.ok(&["up", "policy.yaml"]).stdout;
    assert!(
        done.contains("created  60 clients") && done.lines().count() < 15,
        "{done}"
    );
}

#[test]
fn what_comes_next_names_the_real_policy_quoted_for_the_shell() {
    let kpki = Kpki::new();
    let policy = POLICY.replace(
        "auth: [tls, scram-sha-512]",
        "roles: [{produce: {topic: t}}]",
    );
    kpki.write("my policies/it's.yaml", &policy);
    let said = kpki
        .ok(&["--out", "my out", "up", "my policies/it's.yaml"])
        .stdout;
    let commands: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    let out = fs::canonicalize(kpki.path("my out")).unwrap();
    assert_eq!(
        commands,
        [
            format!(
                "kafka-storage.sh '@{}/kafka1/format-storage.args'",
                out.display()
            ),
            format!(
                "kafka-storage.sh '@{}/kafka2/format-storage.args'",
                out.display()
            ),
            format!(
                "kafka-server-start.sh '{}/kafka1/server.properties'",
                out.display()
            ),
            format!(
                "kafka-server-start.sh '{}/kafka2/server.properties'",
                out.display()
            ),
            "kpki --out 'my out' acl apply 'my policies/it'\\''s.yaml'".to_owned(),
            "--command-config 'my out/admin/client.properties'".to_owned(),
        ]
    );
}

/// Killed between the record and the files, or within either: kpki never takes its own work for somebody else's.
#[test]
fn a_killed_run_is_never_taken_for_an_edit() {
    let kpki = up(POLICY);
    let mut killed = 0;
    for (round, instant) in values(0u64..400).take(400).enumerate() {
        if killed >= 60 {
            break;
        }
        let policy = POLICY
            .replace("name: test,", &format!("name: test{round},"))
            .replace(
                "10.0.0.1",
                &format!("10.0.{}.{}", round / 250, round % 250 + 1),
            );
        kpki.write("policy.yaml", &policy);
        let mut child = kpki
            .command(&["up", "policy.yaml"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The passphrase's derivation takes most of it.
        sleep(Duration::from_millis(instant));
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        killed += usize::from(output.status.code().is_none());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("error"), "{said}");
    }
    assert!(killed >= 30, "only {killed} were killed at work");
    kpki.ok(&["up", "policy.yaml"]);
    kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"])
        .expect_code(0);
}

#[test]
fn two_at_once_do_the_work_once_and_record_it_whole() {
    let kpki = up(POLICY);
    let policy = POLICY
        .replace("name: test,", "name: other,")
        .replace("10.0.0.1", "10.0.0.2");
    kpki.write("policy.yaml", &policy);
    let start = || {
        let mut command = kpki.command(&["up", "policy.yaml"]);
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let record = read(&kpki, "written.jsonl");
    for line in record.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    let certificates = read(&kpki, "ca/inventory.jsonl");
    let kafka1 = certificates
        .lines()
        .filter(|line| line.contains("\"name\":\"kafka1\""));
    assert_eq!(kafka1.count(), 2);
    kpki.run(&["up", "--dry-run", "--exit-code", "policy.yaml"])
        .expect_code(0);
}

#[test]
fn a_damaged_record_is_named_and_can_be_done_without() {
    let kpki = up(POLICY);
    let record = kpki.path("out/written.jsonl");
    fs::write(&record, "garbage\n").unwrap();
    let said = kpki.run(&["up", "policy.yaml"]).expect_code(1).stderr;
    assert!(
        said.contains("out/written.jsonl, line 1: not a record")
            && said.contains("move out/written.jsonl away"),
        "{said}"
    );
    fs::remove_file(&record).unwrap();
    kpki.ok(&["up", "policy.yaml"]);
}
