//! Programs of their own, as their users start them: a Connect worker, MirrorMaker 2.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Stage, cluster::Cluster};
use crate::support::{jvm, ports};

const PATIENCE: Duration = Duration::from_secs(90);

/// A running program. It is ended when this is dropped, and by itself when this process ends in whatever way.
struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    fn start(directory: &Path, main: &str, properties: &str) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let file = directory.join("worker.properties");
        std::fs::write(&file, properties).unwrap();
        let log = directory.join("worker.log");
        let output = File::create(&log).unwrap();
        let child = jvm::brief(jvm::installed().unwrap())
            .args(["-Xmx256m", "-XX:+UseSerialGC"])
            .args(["-Dkpki.log.level=WARN", "WhileStdin", main])
            .arg(file)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until `done`; or says what the program complained of when it was refused something.
    fn until<T>(&mut self, what: &str, mut done: impl FnMut() -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(result) = done() {
                return Ok(result);
            }
            let ended = self.child.try_wait().unwrap();
            let log = self.log();
            if let Some(refusal) = log
                .lines()
                .find(|line| line.contains("AuthorizationException"))
            {
                return Err(refusal.to_owned());
            }
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{what} has not come (ended: {ended:?}):\n{log}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a client's properties, each behind a prefix.
fn prefixed(cluster: &Cluster, client: &str, prefix: &str) -> String {
    let text = std::fs::read_to_string(cluster.properties(client)).unwrap();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| format!("{prefix}{line}\n"))
        .collect()
}

/// A distributed worker with a source that reads a file and a sink that writes one, each record exactly once.
pub fn connect(stage: &Stage, client: &str) -> Result<(), String> {
    let [port] = ports::free();
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (
        directory.path().join("from.txt"),
        directory.path().join("to.txt"),
    );
    std::fs::write(&from, "one\ntwo\nthree\n").unwrap();
    let connection: String = ["", "producer.", "consumer.", "admin."]
        .map(|prefix| prefixed(&stage.here, client, prefix))
        .concat();
    let properties = format!(
        "{connection}
group.id=worker
config.storage.topic=worker-configs
offset.storage.topic=worker-offsets
status.storage.topic=worker-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
exactly.once.source.support=enabled
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
listeners=http://127.0.0.1:{port}
plugin.discovery=service_load
"
    );
    let main = "org.apache.kafka.connect.cli.ConnectDistributed";
    let mut worker = Program::start(&directory.path().join("worker"), main, &properties);
    let source = json!({
        "connector.class": "FileStreamSource", "tasks.max": "1", "file": from, "topic": "lines",
        "exactly.once.support": "required",
    });
    let sink = json!({"connector.class": "FileStreamSink", "tasks.max": "1", "file": to, "topics": "lines"});
    for (name, connector) in [("from-file", source), ("to-file", sink)] {
        let path = format!("/connectors/{name}/config");
        worker.until(name, || put(port, &path, &connector))?;
    }
    worker.until("what the sink writes", || {
        let written = std::fs::read_to_string(&to).unwrap_or_default();
        (written == "one\ntwo\nthree\n").then_some(())
    })
}

/// Whether the worker takes a request.
fn put(port: u16, path: &str, body: &Value) -> Option<()> {
    let mut worker = TcpStream::connect(("127.0.0.1", port)).ok()?;
    worker
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let body = body.to_string();
    write!(
        worker,
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    worker.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?;
    assert_ne!(status, "400", "{answer}");
    status.starts_with('2').then_some(())
}

/// A record, a new partition and a group's offset make their way from one cluster to the other.
pub fn mirror(stage: &Stage, client: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let connection = prefixed(&stage.here, client, "A.") + &prefixed(&stage.there, client, "B.");
    let properties = format!(
        "{connection}
clusters=A,B
A->B.enabled=true
A->B.topics=mirrored
A->B.groups=mirrored-.*
A->B.sync.topic.acls.enabled=false
A->B.sync.group.offsets.enabled=true
B->A.enabled=false
B->A.emit.heartbeats.enabled=false
replication.factor=1
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
offset-syncs.topic.replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
refresh.topics.interval.seconds=1
sync.topic.configs.interval.seconds=1
refresh.groups.interval.seconds=1
emit.checkpoints.interval.seconds=1
sync.group.offsets.interval.seconds=1
plugin.discovery=service_load
"
    );
    let main = "org.apache.kafka.connect.mirror.MirrorMaker";
    let mut mirror = Program::start(directory.path(), main, &properties);
    let there = |command: &str, mut question: Value| -> Value {
        question["properties"] = json!(stage.there.properties("admin"));
        stage.judge.ask(command, question).unwrap()
    };
    let mut mirrored = |partitions: u64, group: &str| {
        mirror.until("what is mirrored", || {
            let topic = there("topic", json!({"topic": "A.mirrored", "group": group}));
            let large = topic["partitions"].as_u64() >= Some(partitions);
            (large && topic["offset"] == true).then_some(())
        })
    };
    mirrored(1, "mirrored-readers")?;
    let partitions = stage.ask("admin", "add-partition", json!({"topic": "mirrored"}))?;
    // A group that comes later makes it start anew with the checkpoints that it wrote.
    let latecomer = format!("mirrored-latecomer-{partitions}");
    stage.consume("admin", "mirrored", &latecomer)?;
    mirrored(partitions.as_u64().unwrap(), &latecomer)?;
    let read = there("read", json!({"topic": "A.mirrored", "count": 3}));
    assert_eq!(read, json!(["0", "1", "2"]));
    there("read", json!({"topic": "heartbeats", "count": 1}));
    Ok(())
}
