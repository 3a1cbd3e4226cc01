//! What a first user gets wrong, and is told.

use serde_json::json;

use crate::support::kpki::{Kpki, Output};

const POLICY: &str = "\
cluster: {admin: admin, bootstrap_servers: [kafka1:9093]}
clients:
  - {name: admin}
  - {name: a, roles: [{produce: {topic: orders}}]}
";

fn kpki() -> Kpki {
    let kpki = Kpki::new();
    kpki.write("p.yaml", POLICY);
    kpki.write("acls.jsonl", "");
    kpki
}

fn usage(output: Output) -> String {
    let error = output.expect_code(2).json();
    assert_eq!(error["error"]["code"], "usage");
    format!(
        "{}; {}",
        error["error"]["message"].as_str().unwrap(),
        error["error"]["hint"].as_str().unwrap()
    )
}

/// A plan from an export, saved to what follows.
const SAVE: [&str; 6] = [
    "acl",
    "plan",
    "p.yaml",
    "--observed",
    "acls.jsonl",
    "--save",
];

#[test]
fn a_server_without_a_port_and_an_empty_list_are_refused() {
    let kpki = kpki();
    // The empty one is a variable that is not set: the policy's own cluster is not what it means.
    for servers in [
        "",
        "kafka1",
        "kafka1:x",
        "kafka1:0",
        ":9093",
        "kafka1:9093,",
    ] {
        let plan = ["acl", "plan", "p.yaml", "--json", "--bootstrap-server"];
        let said = usage(kpki.run(&[&plan[..], &[servers]].concat()));
        assert!(said.contains("is not HOST:PORT"), "{servers}: {said}");
    }
}

#[test]
fn what_is_missing_is_named_in_json_as_well() {
    let said = usage(kpki().run(&["acl", "plan", "--json"]));
    assert!(said.contains("not provided: <POLICY>"), "{said}");
}

#[test]
fn a_plan_and_an_export_in_a_policys_place_are_recognised() {
    let kpki = kpki();
    kpki.ok(&[&SAVE[..], &["monday.plan"]].concat());
    let said = usage(kpki.run(&["acl", "plan", "monday.plan", "--json"]));
    assert!(said.contains("kpki acl apply monday.plan"), "{said}");
    let binding = json!({"resource_type": "TOPIC"}).to_string();
    kpki.write("two.jsonl", &format!("{binding}\n{binding}\n"));
    let said = usage(kpki.run(&["acl", "test", "two.jsonl", "--json"]));
    assert!(said.contains("ACL bindings as JSON lines"), "{said}");
    // A plan goes to a file.
    let said = usage(kpki.run(&[&SAVE[..], &["-", "--json"]].concat()));
    assert!(said.contains("--save FILE"), "{said}");
    assert!(!kpki.path("-").exists());
}

#[test]
fn a_plan_without_its_policy_says_so() {
    let kpki = kpki();
    kpki.ok(&[&SAVE[..], &["monday.plan"]].concat());
    std::fs::remove_file(kpki.path("p.yaml")).unwrap();
    let said = kpki.run(&["acl", "apply", "monday.plan"]).expect_code(1);
    let start =
        "error: monday.plan can only be applied together with its policy: cannot read p.yaml";
    assert!(said.stderr.starts_with(start), "{}", said.stderr);
}

#[test]
fn nothing_is_suggested_that_a_policy_cannot_say() {
    let kpki = kpki();
    let ask = |what: &str, resource: &[&str]| {
        let start = ["acl", "explain", "p.yaml", "--principal", "User:a"];
        kpki.run(&[&start[..], &["--operation", what], resource].concat())
            .expect_code(3)
            .stderr
    };
    let hint = ask("Write", &["--group", "g"]);
    assert!(
        hint.contains("operation Write does not apply to a Group"),
        "{hint}"
    );
    assert!(!hint.contains("principal:"), "{hint}");
    let hint = ask("Read", &["--topic", "logs-*"]);
    assert!(hint.contains("write {prefix: logs-}"), "{hint}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_a_full_disk_cuts_short_is_an_error() {
    let kpki = kpki();
    let commands = [
        "acl expand p.yaml",
        "acl expand p.yaml --json",
        "acl lint p.yaml --json",
        "acl plan p.yaml --observed acls.jsonl",
        "acl explain p.yaml --principal User:a --operation Read --topic t --json",
    ];
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').collect();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = kpki.command(&arguments).stdout(full.unwrap()).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("standard output cannot be written"), "{said}");
    }
}

#[test]
fn up_says_what_comes_next_for_new_brokers_and_for_those_that_run() {
    let kpki = Kpki::new();
    let policy =
        "brokers: [{name: kafka1}]\nclients:\n  - {name: a, roles: [{produce: {topic: t}}]}\n";
    kpki.write("p.yaml", policy);
    let first = kpki.ok(&["up", "p.yaml"]).stdout;
    for step in [
        "kafka-storage.sh @",
        "kafka-server-start.sh",
        "kpki acl apply",
    ] {
        assert!(first.contains(step), "{first}");
    }
    assert!(!first.contains("restart"), "{first}");
    // Its storage arguments change, but its disk is formatted.
    kpki.write(
        "p.yaml",
        &format!("{policy}  - {{name: b, auth: scram-sha-512}}\n"),
    );
    let second = kpki.ok(&["up", "p.yaml"]).stdout;
    for step in ["restart the running brokers", "kpki scram apply"] {
        assert!(second.contains(step), "{second}");
    }
    assert!(!second.contains("kafka-storage.sh"), "{second}");
}

/// As Compose files set a variable without a value.
#[test]
fn an_empty_variable_for_the_output_directory_is_none() {
    let mut kpki = Kpki::new();
    kpki.env("KPKI_OUT", "");
    kpki.ok(&["init-ca"]);
    kpki.ok(&["--out", "before", "init-ca"]);
    kpki.ok(&["init-ca", "--out", "behind"]);
    for dir in ["out", "before", "behind"] {
        assert!(kpki.path(dir).join("ca/ca.crt").exists(), "{dir}");
    }
    // Whoever says so on the command line has made a mistake.
    let said = usage(kpki.run(&["--out", "", "list", "--json"]));
    assert!(
        said.contains("invalid value '' for '--out <DIR>'"),
        "{said}"
    );
    kpki.env("KPKI_OUT", "behind");
    kpki.ok(&["issue", "kafka1"]);
    assert!(kpki.path("behind/kafka1").exists());
}

/// The help's description of the command was the message.
#[test]
fn a_command_without_its_subcommand_says_so_in_json() {
    let kpki = Kpki::new();
    for command in [
        "acl",
        "ca",
        "policy",
        "rotate-ca",
        "scram",
        "store",
        "trust",
    ] {
        let said = usage(kpki.run(&["--json", command]));
        let start = format!("'kpki {command}' requires a subcommand but one was not provided");
        assert!(said.starts_with(&start), "{said}");
        let help = kpki.run(&[command]).expect_code(2).stderr;
        assert!(help.contains(&format!("Usage: kpki {command}")), "{help}");
    }
}

/// They wrote files called `-`.
#[test]
fn no_output_goes_to_a_file_called_dash_by_mistake() {
    let kpki = kpki();
    kpki.ok(&["init-ca"]);
    for command in [
        "backup -",
        "ca export-key --out-file -",
        "crl --out-file -",
        "init-ca --request --out-file -",
        "policy import acls.jsonl --out-file -",
        "policy new --yes --out-file -",
        "report --html -",
        "rotate-ca start --request --out-file -",
        "sign a.csr --out-file -",
        "store convert a.p12 --to pem --out-file -",
        "trust add a.pem --out-file -",
        "trust fetch localhost:9093 --out-file -",
    ] {
        let words = command.split(' ').chain(["--json"]);
        let said = usage(kpki.run(&words.collect::<Vec<_>>()));
        assert!(said.contains("give a file's path"), "{command}: {said}");
        assert!(!kpki.path("-").exists(), "{command}");
    }
    kpki.ok(&["crl", "--out-file", "./-"]);
    assert!(kpki.path("-").exists());
}

/// Editors of Windows write one, which is no part of the text.
#[test]
fn a_byte_order_mark_is_skipped_wherever_text_is_read() {
    let kpki = kpki();
    let binding = json!({
        "resource_type": "TOPIC", "pattern_type": "LITERAL", "name": "orders", "principal": "User:a",
        "host": "*", "operation": "READ", "permission": "ALLOW",
    });
    let request = json!({
        "principal": "User:a", "host": "10.0.0.1", "operation": "READ",
        "resource_type": "TOPIC", "name": "orders",
    });
    kpki.write("marked.jsonl", &format!("\u{feff}{binding}\n"));
    kpki.write("requests.jsonl", &format!("\u{feff}{request}\n{request}\n"));
    let explain = [
        "acl",
        "explain",
        "marked.jsonl",
        "--requests",
        "requests.jsonl",
    ];
    let said = kpki.ok(&explain).stdout;
    assert_eq!(said.matches(r#""decision":"ALLOWED""#).count(), 2, "{said}");
    kpki.ok(&["acl", "lint", "marked.jsonl"]);
    kpki.ok(&["acl", "plan", "p.yaml", "--observed", "marked.jsonl"]);
    let listed = "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=orders, patternType=LITERAL)`: \n \t(principal=User:a, host=*, operation=READ, permissionType=ALLOW) \n";
    kpki.write("listed.txt", &format!("\u{feff}{listed}"));
    for from in [&[][..], &["--from", "kafka-acls"]] {
        let said = kpki.json(&[&["policy", "import", "listed.txt", "--json"], from].concat());
        assert_eq!(said["bindings"], 1, "{said}");
    }
    // What a plan was made from is still the file, byte for byte.
    let digest = |file: &str| {
        let plan = ["acl", "plan", file, "--observed", "acls.jsonl", "--json"];
        kpki.json(&plan)["policy_sha256"].take()
    };
    kpki.write("marked.yaml", &format!("\u{feff}{POLICY}"));
    assert_ne!(digest("marked.yaml"), digest("p.yaml"));
}

#[test]
fn a_file_that_is_not_restored_is_named() {
    let mut kpki = Kpki::with_open_ca();
    kpki.ok(&["backup", "a.backup"]);
    let refused = |kpki: &Kpki, file: &str| {
        let restore = ["restore", file, "--out", "other", "--json"];
        let error = kpki.run(&restore).expect_code(1).json()["error"].take();
        error["message"].as_str().unwrap().to_owned()
    };
    kpki.write("p.yaml", POLICY);
    std::fs::write(kpki.path("binary"), [0xff]).unwrap();
    for file in ["p.yaml", "binary"] {
        assert_eq!(
            refused(&kpki, file),
            format!("{file}: it is not a kpki backup")
        );
    }
    kpki.env("KPKI_BACKUP_PASSPHRASE", "a wrong one");
    let said = refused(&kpki, "a.backup");
    assert!(
        said.starts_with("a.backup: wrong passphrase, or "),
        "{said}"
    );
}

/// These errors said nothing about it.
#[test]
fn what_to_do_is_said_of_names_salts_and_values_as_well() {
    let kpki = Kpki::with_open_ca();
    let hint = |arguments: &[&str]| {
        let said = kpki.run_with_input(arguments, "a password").stderr;
        let (_, hint) = said
            .split_once("hint: ")
            .unwrap_or_else(|| panic!("{said}"));
        hint.to_owned()
    };
    let twice = hint(&["issue", "kafka1", "Kafka1"]);
    assert!(twice.starts_with("give it once"), "{twice}");
    let derive = |more: &[&str]| hint(&[&["scram", "derive"], more].concat());
    let comma = derive(&["--user", "a,b", "--form", "kraft"]);
    assert!(comma.contains("kpki scram apply POLICY"), "{comma}");
    let salt = derive(&["--user", "a", "--salt", ""]);
    assert!(salt.contains("base64"), "{salt}");
    let user = derive(&["--user", ""]);
    assert!(user.starts_with("give the name"), "{user}");
    let dollar = ["issue", "--client", "a", "--format", "quarkus"];
    let path = hint(&[&dollar[..], &["--install-dir", "/a/$b"]].concat());
    assert!(path.starts_with("choose another directory"), "{path}");
}

/// They were about `out`, whatever directory was meant.
#[test]
fn commands_in_hints_and_next_steps_are_for_the_directory_that_was_given() {
    let mut kpki = Kpki::new();
    let out = ["--out", "my out"];
    let run = |kpki: &Kpki, arguments: &[&str]| {
        let said = kpki.run(&[&out[..], arguments].concat());
        said.stdout + &said.stderr
    };
    run(&kpki, &["init-ca"]);
    let said = run(&kpki, &["issue", "kafka1"]);
    let next = "kpki --out 'my out' issue --client NAME for each client, or kpki --out 'my out' up";
    assert!(said.contains(next), "{said}");
    let said = run(&kpki, &["issue", "kafka1"]);
    assert!(
        said.contains("hint: kpki --out 'my out' renew kafka1 replaces"),
        "{said}"
    );
    let said = run(&kpki, &["init-ca"]);
    assert!(
        said.contains("hint: kpki --out 'my out' issue NAME uses it"),
        "{said}"
    );
    run(&kpki, &["revoke", "kafka1", "--reason", "superseded"]);
    let said = run(&kpki, &["status"]);
    assert!(
        said.contains("; kpki --out 'my out' status POLICY checks"),
        "{said}"
    );
    // The variable is a directory as well, and JSON has the same hints.
    kpki.env("KPKI_OUT", "waiting");
    kpki.ok(&["init-ca", "--request", "--out-file", "ca.csr"]);
    let error = kpki.run(&["init-ca", "--json"]).expect_code(1).json();
    let hint = error["error"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("kpki --out waiting init-ca --install-cert FILE"),
        "{hint}"
    );
}

#[test]
fn standard_input_is_called_so() {
    let kpki = kpki();
    let said = kpki
        .run_with_input(&["acl", "test", "-"], POLICY)
        .expect_code(0);
    assert!(
        said.stdout.starts_with("standard input has no tests"),
        "{said:?}"
    );
    let said = kpki
        .run_with_input(&["policy", "check", "-"], POLICY)
        .expect_code(0);
    assert!(
        said.stdout.starts_with("valid  standard input: "),
        "{said:?}"
    );
}
