//! The README and `docs/` are true: their commands run as they are written, their lists are made from the code, their
//! links lead somewhere.

mod links;
mod lists;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use kpki::cli::Code;
use saphyr_parser::{Event, Parser};

use crate::support::{jvm, kpki::Kpki, ports, root, rust_files, skip};

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// Documents whose commands need the cluster of the README's walk.
const LIVE: [&str; 2] = ["acls.md", "scram.md"];

/// The README and every file of `docs/`, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let mut paths: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    paths.push(root().join("README.md"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The shell commands of a part of a document, one code block after the other.
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

/// Runs a script in bash, with kpki and the example policies as a reader has them.
fn walk(kpki: &Kpki, script: &str) -> Output {
    let bin = kpki.path("bin");
    fs::create_dir_all(&bin).unwrap();
    program(
        &bin,
        "kpki",
        &format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_kpki")),
    );
    for policy in ["quickstart.yaml", "script-sh.yaml"] {
        if !kpki.path("policies").join(policy).exists() {
            let text = fs::read_to_string(root().join("policies").join(policy)).unwrap();
            kpki.write(&format!("policies/{policy}"), &text);
        }
    }
    kpki.write("walk.sh", script);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    kpki.command(&[])
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
        .unwrap()
}

#[test]
fn the_walk_from_nothing_to_a_record_and_on_works_as_written() {
    let installed = match jvm::installed() {
        Ok(installed) => installed,
        Err(why) => return skip(&why),
    };
    let kpki = Kpki::new();
    let bin = kpki.path("bin");
    fs::create_dir(&bin).unwrap();
    let java = format!(
        "exec java -Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dkpki.log.level=ERROR -Dlog4j2.configurationFile=log4j2.properties -cp '{0}/libs/*:{0}/classes'",
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
    let (_, walked) = text.split_once("<!-- walk").unwrap();
    let (walked, _) = walked.split_once("<!-- end of walk").unwrap();
    let mut script = commands(walked).join("\n");
    // The documents about a cluster that runs go on from there.
    for name in LIVE {
        let text = fs::read_to_string(root().join("docs").join(name)).unwrap();
        assert!(!commands(&text).is_empty(), "{name}");
        script += &commands(&text).join("\n");
    }
    let script = script
        .replace("9093", &first.to_string())
        .replace("9094", &(first + 1).to_string());
    assert!(script.lines().count() > 15, "{script}");
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

    let walked = walk(&kpki, &format!("exec 9<>lifeline\n{script}"));
    drop(lifeline);
    let said = String::from_utf8_lossy(&walked.stdout);
    assert!(
        walked.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&walked.stderr)
    );
    assert!(said.lines().any(|l| l == "hello"), "{said}");
}

/// Another machine is a directory.
const SSH: &str = "shift; eval \"$(echo \"$*\" | sed s,/etc/,machine/etc/,)\"";

/// The scalars of a YAML text in their order, keys and values.
fn scalars(yaml: &str) -> Vec<String> {
    let events = Parser::new_from_str(yaml).map(|event| event.unwrap().0);
    let texts = events.filter_map(|event| match event {
        Event::Scalar(text, ..) => Some(text.into_owned()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn the_ansible_task_is_yaml_and_its_command_puts_a_brokers_files_on_its_machine() {
    let text = fs::read_to_string(root().join("docs/files.md")).unwrap();
    let (_, task) = text.split_once("With Ansible").unwrap();
    let (_, task) = task.split_once("```yaml\n").unwrap();
    let task = scalars(task.split("```").next().unwrap());
    let after = |key: &str| {
        let at = task.iter().position(|text| text == key);
        task[at.unwrap_or_else(|| panic!("{key}: {task:?}")) + 1].clone()
    };
    assert_eq!(task[0], "name");
    assert_eq!(after("ansible.builtin.shell"), "cmd");
    assert_eq!(after("delegate_to"), "localhost");
    // What Jinja makes of it on the host kafka1, whose address is its name.
    let command = after("cmd").replace("{{ inventory_hostname }}", "kafka1");
    let command = command.replace("{{ ansible_host | default(inventory_hostname) }}", "kafka1");
    assert!(!command.contains("{{"), "{command}");
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--layout", "apache-kafka"]);
    let bin = kpki.path("bin");
    fs::create_dir(&bin).unwrap();
    fs::create_dir_all(kpki.path("machine/etc/kafka/secrets")).unwrap();
    program(&bin, "ssh", SSH);
    program(&bin, "sudo", "exec \"$@\"");
    // `walk` runs bash, which is the shell that the task asks for.
    assert_eq!(after("executable"), "/bin/bash");
    let walked = walk(&kpki, &command);
    assert!(walked.status.success(), "{walked:?}");
    assert_eq!(kpki.mode("machine/etc/kafka/secrets/kafka1.key"), 0o600);
    // A bundle that fails is a task that fails.
    let failed = walk(&kpki, &command.replace("bundle kafka1", "bundle kafka2"));
    assert!(!failed.status.success(), "{failed:?}");
}

#[test]
fn the_first_command_makes_what_the_readme_says() {
    let kpki = Kpki::new();
    let text = readme();
    let (before, _) = text.split_once("<!-- walk").unwrap();
    let before = commands(before);
    // All but the first take minutes, and are what runs this test and what is installed for the walk.
    let others = ["tests/run\n", "cargo install --path . --locked\n"];
    assert_eq!(before[1..], others);
    let first = before[0].trim();
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
fn the_policy_in_the_documents_is_sound() {
    let kpki = Kpki::new();
    let text = fs::read_to_string(root().join("docs/policy.md")).unwrap();
    let policy = text.split("```yaml\n").nth(1).unwrap();
    let policy = policy.split("```").next().unwrap();
    kpki.write("p.yaml", policy);
    for included in ["platform/x.yaml", "teams/a/x.yaml"] {
        kpki.write(included, "tests: []\n");
    }
    kpki.ok(&["acl", "lint", "p.yaml", "--strict"]);
    let tests = kpki.ok(&["acl", "test", "p.yaml"]).stdout;
    assert!(tests.starts_with("passed  2 "), "{tests}");
}

#[test]
fn the_commands_that_need_no_cluster_work_as_written() {
    let mut run = 0;
    for (path, text) in documents() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "README.md" || LIVE.contains(&name) {
            continue;
        }
        let script = commands(&text).join("\n");
        if !script.is_empty() {
            let kpki = Kpki::new();
            let bin = kpki.path("bin");
            fs::create_dir(&bin).unwrap();
            fs::create_dir_all(kpki.path("machine/etc/kafka/secrets")).unwrap();
            program(&bin, "ssh", SSH);
            let walked = walk(&kpki, &script);
            assert!(walked.status.success(), "{name}: {walked:?}");
            if script.contains("| ssh") {
                let key = "machine/etc/kafka/secrets/kafka1.key";
                assert_eq!(kpki.mode(key), 0o600);
            }
            run += 1;
        }
    }
    assert_eq!(run, 3, "commands, files and policy");
    // What takes minutes is looked at, not run: .ci/run does that.
    let text = fs::read_to_string(root().join("docs/performance.md")).unwrap();
    let cargo = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for bench in text.split("`cargo bench --bench ").skip(1) {
        let bench = bench.split('`').next().unwrap();
        assert!(
            cargo.contains(&format!("[[bench]]\nname = \"{bench}\"")),
            "{bench}"
        );
    }
    for program in ["tests/run", ".ci/run", "benches/recipe.sh"] {
        let mode = fs::metadata(root().join(program))
            .unwrap()
            .permissions()
            .mode();
        assert!(mode & 0o111 != 0, "{program}");
    }
}

/// `$ ` begins a command, which may go on after a backslash; the rest is what it prints. A line `…` stands for any
/// number of lines, and ` …` at a line's end for the rest of it.
#[test]
fn what_the_documents_show_of_a_terminal_is_what_kpki_prints() {
    let mut pictures = 0;
    for (path, text) in documents() {
        for picture in text.split("```console\n").skip(1) {
            let picture = picture.split("```").next().unwrap().replace("\\\n", "");
            let kpki = Kpki::new();
            for shown in picture.split("$ ").skip(1) {
                let (command, shown) = shown.split_once('\n').unwrap();
                let said = walk(&kpki, &format!("{command} 2>&1 || true"));
                let said = String::from_utf8(said.stdout).unwrap();
                let mut said = said.lines().peekable();
                let mut skip = false;
                for line in shown.lines() {
                    if line == "…" {
                        skip = true;
                        continue;
                    }
                    let fits = |said: &str| match line.strip_suffix(" …") {
                        Some(begin) => said.starts_with(begin),
                        None => said == line,
                    };
                    while skip && said.next_if(|said| !fits(said)).is_some() {}
                    let next = said.next().unwrap_or_default();
                    assert!(fits(next), "{}: {line}\nit says {next}", path.display());
                    skip = false;
                }
                assert!(skip || said.next().is_none(), "{command} says more");
            }
            pictures += 1;
        }
    }
    assert!(pictures > 1);
}

#[test]
fn every_error_code_is_used() {
    let mut sources = String::new();
    for path in rust_files(&root().join("src/cli")) {
        sources.push_str(&fs::read_to_string(path).unwrap());
    }
    for code in Code::ALL {
        assert!(sources.contains(&format!("Code::{code:?}")), "{code:?}");
    }
}

/// Every command without commands of its own, as words, with its help.
fn leaves(kpki: &Kpki) -> Vec<(Vec<String>, String)> {
    fn below(kpki: &Kpki, words: &[&str], leaves: &mut Vec<(Vec<String>, String)>) {
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
        for name in &names {
            let mut words = words.to_vec();
            words.push(name);
            below(kpki, &words, leaves);
        }
        if names.is_empty() {
            leaves.push((words.iter().map(|w| (*w).to_owned()).collect(), help));
        }
    }
    let mut leaves = Vec::new();
    below(kpki, &[], &mut leaves);
    leaves
}

#[test]
fn the_help_of_every_command_has_an_example() {
    let leaves = leaves(&Kpki::new());
    assert!(leaves.len() >= 8, "{leaves:?}");
    for (words, help) in leaves {
        let command = format!("kpki {}", words.join(" "));
        let (_, examples) = help
            .split_once("Example")
            .unwrap_or_else(|| panic!("{help}"));
        assert!(examples.contains(&command), "{command}:\n{help}");
        // A line that clap has wrapped cannot be copied.
        for line in examples.lines().skip(1).take_while(|line| !line.is_empty()) {
            let known = ["kpki ", "openssl ", "KPKI_"];
            assert!(known.iter().any(|word| line.contains(word)), "{help}");
        }
    }
}
