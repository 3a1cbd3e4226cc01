//! The README is true: its commands run as they are written, its lists are complete.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use kpki::cli::Code;

use crate::support::{jvm, kpki::Kpki, ports, root, skip};

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The shell commands of a part of the README, one code block after the other.
fn commands(part: &str) -> Vec<&str> {
    part.split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

/// Puts a program on the `PATH` of the README's commands.
fn program(bin: &Path, name: &str, script: &str) {
    let path = bin.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Kafka's scripts, which all do the same: start Java with the jars and a main class.
const SCRIPTS: [(&str, &str); 6] = [
    ("kafka-storage.sh", "kafka.tools.StorageTool"),
    ("kafka-server-start.sh", "kafka.Kafka"),
    ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-acls.sh", "org.apache.kafka.tools.AclCommand"),
    (
        "kafka-console-producer.sh",
        "org.apache.kafka.tools.ConsoleProducer",
    ),
    (
        "kafka-console-consumer.sh",
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
    ),
];

#[test]
fn the_walk_from_nothing_to_a_record_works_as_written() {
    let installed = match jvm::installed() {
        Ok(installed) => installed,
        Err(why) => return skip(&why),
    };
    let kpki = Kpki::new();
    let bin = kpki.path("bin");
    fs::create_dir(&bin).unwrap();
    program(
        &bin,
        "kpki",
        &format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_kpki")),
    );
    let java = format!(
        "exec java -Xmx384m -Dkpki.log.level=ERROR -Dlog4j2.configurationFile=log4j2.properties -cp '{0}/libs/*:{0}/classes'",
        installed.display()
    );
    for (name, class) in SCRIPTS {
        let script = match name {
            // The pipe ends with this test, and the broker with the pipe.
            "kafka-server-start.sh" => format!(
                "[ \"$1\" = -daemon ] || exit 9\n({java} WhileStdin {class} \"$2\" <lifeline >\"$(basename \"$(dirname \"$2\")\")\".log 2>&1) &"
            ),
            _ => format!("{java} {class} \"$@\""),
        };
        program(&bin, name, &script);
    }

    // The commands as they are, on ports that are free here.
    // Three listeners on each of three brokers, as the example policy spreads them over one machine.
    let first = ports::range(&[0, 1, 2, 100, 101, 102, 200, 201, 202]);
    let policy = fs::read_to_string(root().join("policies/quickstart.yaml")).unwrap();
    let listeners = format!(
        "cluster:\n  controller_port: {}\n  listeners:\n    - {{name: SSL, port: {first}, protocol: SSL, client_auth: required}}\n    - {{name: SASL_SSL, port: {}, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}\n",
        first + 2,
        first + 1
    );
    kpki.write(
        "policies/quickstart.yaml",
        &policy
            .replacen("cluster:\n", &listeners, 1)
            .replace("localhost:9093", &format!("localhost:{first}")),
    );
    let text = readme();
    let walk = text
        .split("<!-- walk")
        .nth(1)
        .unwrap()
        .split("<!-- end of walk")
        .next()
        .unwrap();
    let script = commands(walk)
        .join("\n")
        .replace("9093", &first.to_string())
        .replace("9094", &(first + 1).to_string());
    assert!(script.lines().count() > 15, "{script}");
    kpki.write("walk.sh", &format!("exec 9<>lifeline\n{script}"));
    assert!(
        Command::new("mkfifo")
            .arg(kpki.path("lifeline"))
            .status()
            .unwrap()
            .success()
    );
    // Opened for reading and writing, so that it has a writer as long as this test lives.
    let lifeline = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(kpki.path("lifeline"))
        .unwrap();

    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let walked = kpki
        .command(&[])
        .get_envs()
        .fold(Command::new("bash"), |mut command, (name, value)| {
            command.env(name, value.unwrap_or_default());
            command
        })
        .args(["-eu", "walk.sh"])
        .env("PATH", path)
        .current_dir(kpki.dir())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    drop(lifeline);
    let said = String::from_utf8_lossy(&walked.stdout);
    assert!(
        walked.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&walked.stderr)
    );
    assert!(said.lines().any(|l| l == "hello"), "{said}");
}

#[test]
fn the_first_command_makes_what_the_readme_says() {
    let kpki = Kpki::new();
    let text = readme();
    let first = commands(&text)[0].trim();
    // Building a release takes minutes: .ci/run does it with this very line, this test runs the rest of it.
    let arguments = first
        .strip_prefix("KPKI_CA_PASSPHRASE='choose your own' cargo run --release --locked --no-default-features -- ")
        .unwrap_or_else(|| panic!("the first command is {first}"));
    let policy = root().join("policies/quickstart.yaml");
    kpki.write(
        "policies/quickstart.yaml",
        &fs::read_to_string(policy).unwrap(),
    );
    kpki.ok(&arguments.split(' ').collect::<Vec<_>>());
    for name in [
        "ca",
        "kafka1",
        "kafka2",
        "kafka3",
        "admin",
        "orders-service",
        "analytics",
    ] {
        assert!(kpki.path("out").join(name).is_dir(), "{name}");
    }
}

#[test]
fn the_policy_in_the_readme_is_sound_and_its_roles_are_all_there_are() {
    let kpki = Kpki::new();
    let text = readme();
    let policy = text.split("```yaml\n").nth(1).unwrap();
    let policy = policy.split("```").next().unwrap();
    kpki.write("p.yaml", policy);
    for included in ["platform/x.yaml", "teams/a/x.yaml"] {
        kpki.write(included, "tests: []\n");
    }
    kpki.ok(&["acl", "lint", "p.yaml", "--strict"]);
    let tests = kpki.ok(&["acl", "test", "p.yaml"]).stdout;
    assert!(tests.starts_with("passed  2 "), "{tests}");

    kpki.write("p.yaml", "clients: [{name: a, roles: [{x: {}}]}]\n");
    let known = kpki.run(&["policy", "check", "p.yaml"]).expect_code(2);
    let known = known.stderr.split("known here: ").nth(1).unwrap();
    let known: BTreeSet<&str> = known.lines().next().unwrap().split(", ").collect();
    let table = text.split("<!-- roles -->").nth(1).unwrap();
    let table = table.split("<!-- end").next().unwrap();
    let names = table.lines().filter_map(|line| line.split('|').nth(1));
    let listed: BTreeSet<&str> = names
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(known, listed);
}

#[test]
fn every_error_code_is_listed_and_used() {
    let all: BTreeSet<String> = Code::ALL.iter().map(|c| c.name().to_owned()).collect();
    let mut sources = String::new();
    for dir in [
        "src/cli",
        "src/cli/error",
        "src/cli/acl",
        "src/cli/scram",
        "src/cli/up",
    ] {
        for entry in fs::read_dir(root().join(dir)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    for code in Code::ALL {
        assert!(sources.contains(&format!("Code::{code:?}")), "{code:?}");
    }
    let text = readme();
    let listed = text
        .split("<!-- codes -->")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let listed: BTreeSet<String> = listed
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert_eq!(all, listed);
}

#[test]
fn every_command_is_listed_and_its_help_has_an_example() {
    fn walk(kpki: &Kpki, words: &[&str], leaves: &mut Vec<String>) {
        let mut arguments = words.to_vec();
        arguments.push("--help");
        let help = kpki.ok(&arguments).stdout;
        let commands = help.split("\nCommands:\n").nth(1);
        let names: Vec<&str> = commands
            .iter()
            .flat_map(|c| c.lines().take_while(|l| !l.is_empty()))
            .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
            .filter_map(|l| l.split_whitespace().next())
            .filter(|n| *n != "help")
            .collect();
        if names.is_empty() {
            let command = format!("kpki {}", words.join(" "));
            assert!(help.contains("Example"), "no example in\n{help}");
            assert!(
                help.split("Example").nth(1).unwrap().contains(&command),
                "{command}:\n{help}"
            );
            // A line that clap has wrapped cannot be copied.
            let examples = help.split("Example").nth(1).unwrap().lines().skip(1);
            for line in examples.take_while(|line| !line.is_empty()) {
                let known = ["kpki ", "openssl ", "KPKI_"];
                assert!(known.iter().any(|word| line.contains(word)), "{help}");
            }
            leaves.push(command);
        }
        for name in names {
            let mut below = words.to_vec();
            below.push(name);
            walk(kpki, &below, leaves);
        }
    }
    let mut leaves = Vec::new();
    walk(&Kpki::new(), &[], &mut leaves);
    assert!(leaves.len() >= 8, "{leaves:?}");
    let text = readme();
    for command in leaves {
        assert!(
            text.contains(&format!("`{command}")),
            "{command} is not in the README"
        );
    }
}
