//! A real Kafka broker (KRaft), started with a configuration as kpki wrote it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{java::judge, jvm, kpki::Kpki};

/// A start takes about five seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a node is started from.
pub struct Node {
    /// The configuration. It is not changed: `overrides` go into a copy beside the log.
    pub server_properties: PathBuf,
    /// One argument of the storage tool per line, the first being `format`. A configuration that it names is the one above.
    pub format_storage_args: PathBuf,
    /// What a test has to change: `log.dirs`, ports.
    pub overrides: Vec<(String, String)>,
    /// Further options for its JVM, as `KAFKA_OPTS` gives them.
    pub java_options: Vec<&'static str>,
    /// A directory of this node's own: the log and the copy of the configuration. The node runs in it.
    pub work: PathBuf,
}

/// A running node. It is ended when this is dropped, and by itself when this process ends in whatever way.
pub struct Broker {
    child: Child,
    log: PathBuf,
}

/// Formats and starts the nodes of one cluster, and waits until all of them are up. `None`: there is no Java or Maven here,
/// and the test is skipped.
pub fn start(nodes: &[Node]) -> Option<Vec<Broker>> {
    let installed = match jvm::installed() {
        Ok(installed) => installed,
        Err(why) => {
            super::skip(&why);
            return None;
        }
    };
    for node in nodes {
        node.format();
    }
    if let [node] = nodes {
        jvm::make_archive(installed, |java| {
            let mut broker = node.spawn_with(java);
            broker.wait_until_started();
            broker.stop();
        });
    }
    // A node of a quorum is up only once the others are.
    let mut brokers: Vec<Broker> = nodes.iter().map(Node::spawn).collect();
    for broker in &mut brokers {
        broker.wait_until_started();
    }
    Some(brokers)
}

impl Node {
    /// The broker kafka1 as `kpki up` wrote it.
    pub fn kafka1(kpki: &Kpki) -> Self {
        Self::written(kpki, "kafka1")
    }

    /// A node as `kpki up` wrote it.
    pub fn written(kpki: &Kpki, name: &str) -> Self {
        let directory = kpki.path("out").join(name);
        Self {
            server_properties: directory.join("server.properties"),
            format_storage_args: directory.join("format-storage.args"),
            overrides: Vec::new(),
            java_options: Vec::new(),
            work: kpki.path("work").join(name),
        }
    }

    pub fn configuration(&self) -> PathBuf {
        self.work.join("server.properties")
    }

    /// Runs the storage tool, which has to succeed.
    pub fn format(&self) {
        self.configure();
        let arguments = std::fs::read_to_string(&self.format_storage_args).unwrap();
        self.run_storage_tool(&arguments);
    }

    /// Takes up the configuration as it is now.
    pub fn configure(&self) {
        std::fs::create_dir_all(&self.work).unwrap();
        let mut configuration = std::fs::read_to_string(&self.server_properties).unwrap();
        // Each of them opens every store for itself.
        configuration.push_str("\nnum.network.threads=1");
        for (name, value) in &self.overrides {
            // The last of several counts.
            configuration.push_str(&format!("\n{name}={value}"));
        }
        std::fs::write(self.configuration(), configuration).unwrap();
    }

    fn run_storage_tool(&self, arguments: &str) {
        let mut arguments: Vec<String> = arguments.lines().map(str::to_owned).collect();
        if let Some(at) = arguments
            .iter()
            .position(|argument| argument == "-c" || argument == "--config")
        {
            arguments[at + 1] = self.configuration().display().to_string();
        }
        let question = json!({"arguments": arguments});
        let answer: Value = judge().unwrap().ask("storage", question).unwrap();
        assert_eq!(answer["code"], 0, "the storage tool refused: {answer:#}");
    }

    /// Starts the broker, formatted before, with its configuration as it is now, and waits for it.
    pub fn start_again(&self) -> Broker {
        self.configure();
        let mut broker = self.spawn();
        broker.wait_until_started();
        broker
    }

    /// Starts the broker, formatted before, without waiting for it.
    pub fn spawn(&self) -> Broker {
        self.spawn_with(jvm::brief(jvm::installed().unwrap()))
    }

    fn spawn_with(&self, mut java: Command) -> Broker {
        java.args(["-Xmx1g", "-XX:+UseSerialGC"])
            .args(&self.java_options)
            .args(["WhileStdin", "kafka.Kafka"])
            .arg(self.configuration());
        Broker::spawn(java, &self.work)
    }
}

impl Broker {
    /// Starts what `java` runs below WhileStdin, which ends it with the pipe, which ends with this process.
    pub fn spawn(mut java: Command, work: &Path) -> Self {
        let log = work.join("kafka.log");
        let file = File::create(&log).unwrap();
        let child = java
            .current_dir(work)
            .stdin(Stdio::piped())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Broker { child, log }
    }

    /// Of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the broker has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Has the broker leave its cluster in good order, as an operator does, and waits for its end.
    pub fn stop(mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"q").unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(
                Instant::now() < deadline,
                "the broker does not end:\n{}",
                tail(&self.log())
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the broker says that it is up; fails, showing its log, when it ends or takes too long.
    pub fn wait_until_started(&mut self) {
        self.wait_for("Kafka Server started");
    }

    /// Waits until the log says `text`.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the broker did not say {text:?} (ended: {ended:?}); the end of its log:\n{}",
                tail(&self.log())
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// A file of one `name=value` per line.
pub fn write_properties(path: &Path, properties: &[(&str, &str)]) {
    let text: String = properties
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    std::fs::write(path, text).unwrap();
}
