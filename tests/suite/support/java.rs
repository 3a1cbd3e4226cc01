//! The Java side: Kafka's and the JDK's own classes, answering through one long-lived process (`tests/java/Judge.java`).

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::jvm;

/// Longer than any answer takes: past it, the Judge itself is broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// What Java threw instead of answering.
#[derive(Debug, Clone, Deserialize)]
pub struct JavaError {
    /// The exception's simple class name: `SslAuthenticationException`, `TopicAuthorizationException`, …
    pub class: String,
    pub message: String,
    /// What lies beneath it, outermost first, each as `Class: message`.
    pub causes: Vec<String>,
}

pub type Answer<T> = Result<T, JavaError>;

/// An entry of a key or trust store.
#[derive(Debug, Deserialize)]
pub struct StoreEntry {
    pub alias: String,
    /// `PrivateKeyEntry` or `trustedCertEntry`, keytool's words.
    pub kind: String,
    /// Of the private key; `None` where there is none or the store's password does not open it.
    pub key_algorithm: Option<String>,
    /// Leaf first.
    pub chain: Vec<StoreCertificate>,
}

/// A certificate in a store; names are RFC 2253 text.
#[derive(Debug, Deserialize)]
pub struct StoreCertificate {
    pub subject: String,
    pub issuer: String,
    /// Hexadecimal, without leading zeros.
    pub serial: String,
    pub public_key_algorithm: String,
    pub signature_algorithm: String,
}

/// A TLS session that both sides agreed to.
#[derive(Debug, Deserialize)]
pub struct Session {
    pub protocol: String,
    pub cipher: String,
    pub server_subject: String,
    /// Who the server saw; `None` without a client certificate.
    pub client_subject: Option<String>,
}

/// A SCRAM credential as Kafka computes it.
#[derive(Debug, Deserialize)]
pub struct Scram {
    /// `salt=…,stored_key=…,server_key=…,iterations=…`
    pub stored: String,
    /// Base64.
    pub salted_password: String,
}

/// A SCRAM credential as a cluster shows it.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredScram {
    pub user: String,
    pub mechanism: String,
    pub iterations: u32,
}

/// A decision of the broker's authorizer.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// `ALLOWED` or `DENIED`.
    Decision(String),
    /// It threw, or its search did not end.
    Error(String),
}

/// A Java client: its properties file, and what the test changes of it.
pub struct Client<'a> {
    pub properties: &'a Path,
    pub overrides: &'a [(&'a str, &'a str)],
}

impl<'a> Client<'a> {
    /// The properties exactly as the file has them.
    pub fn new(properties: &'a Path) -> Self {
        let overrides = &[];
        Self {
            properties,
            overrides,
        }
    }
}

/// The process, shared by all tests of a run.
pub struct Judge {
    questions: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
}

type Waiting = Arc<Mutex<HashMap<u64, Sender<Value>>>>;

/// The Judge, started on first use. `None`: there is no Java or Maven here, and the test is skipped.
pub fn judge() -> Option<&'static Judge> {
    static JUDGE: OnceLock<Result<Judge, String>> = OnceLock::new();
    match JUDGE.get_or_init(|| Ok(Judge::start(jvm::installed()?))) {
        Ok(judge) => Some(judge),
        Err(why) => {
            super::skip(why);
            None
        }
    }
}

impl Judge {
    fn start(installed: &Path) -> Self {
        let log = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("judge.log")).unwrap();
        let mut child = jvm::java(installed)
            .args(["-Xmx512m", "-Dkpki.log.level=WARN", "Judge"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let questions = Mutex::new(child.stdin.take().unwrap());
        let answers = BufReader::new(child.stdout.take().unwrap());
        let waiting = Waiting::default();
        let senders = Arc::clone(&waiting);
        // It ends with the Judge, which ends with the pipe to it, which ends with this process.
        std::thread::spawn(move || {
            for line in answers.lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).unwrap();
                let sender = senders
                    .lock()
                    .unwrap()
                    .remove(&answer["id"].as_u64().unwrap());
                let _ = sender.unwrap().send(answer);
            }
            // Whoever still waits learns that no answer will come.
            senders.lock().unwrap().clear();
            let _ = child.wait();
        });
        let next = AtomicU64::new(1);
        Self {
            questions,
            waiting,
            next,
        }
    }

    /// Asks any command of `Judge.java`; `question` is an object with what the command takes.
    pub fn ask<T: DeserializeOwned>(&self, command: &str, mut question: Value) -> Answer<T> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        question["id"] = id.into();
        question["command"] = command.into();
        let (sender, receiver) = channel();
        self.waiting.lock().unwrap().insert(id, sender);
        writeln!(self.questions.lock().unwrap(), "{question}")
            .expect("the Judge has ended: see target/tmp/judge.log");
        let mut answer = receiver.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("no answer to {command}: {error}: see target/tmp/judge.log")
        });
        match answer.get_mut("ok") {
            Some(ok) => Ok(serde_json::from_value(ok.take()).unwrap()),
            None => Err(serde_json::from_value(answer["error"].take()).unwrap()),
        }
    }

    /// What the JDK finds in a store of `kind` PKCS12 or JKS. Without a password a store may look empty.
    pub fn keystore(
        &self,
        path: &Path,
        password: Option<&str>,
        kind: &str,
    ) -> Answer<Vec<StoreEntry>> {
        self.ask(
            "keystore",
            json!({"path": path, "password": password, "type": kind}),
        )
    }

    /// TLS between Kafka's `ssl.*` properties of a server (`ssl.client.auth` among them) and of a client that connects to
    /// `host`. A refusal's message begins with the side that refused: `client: No subject alternative …`.
    pub fn handshake(
        &self,
        server: &[(&str, &str)],
        client: &[(&str, &str)],
        host: &str,
    ) -> Answer<Session> {
        let (server, client) = (object(server), object(client));
        self.ask(
            "handshake",
            json!({"server": server, "client": client, "host": host}),
        )
    }

    /// The number of entries of a list of revoked certificates, where the first certificate of `chain` is not on it.
    pub fn crl_check(&self, chain: &Path, root: &Path, crl: &Path) -> Answer<u64> {
        self.ask(
            "crl-check",
            json!({"chain": chain, "root": root, "crl": crl}),
        )
    }

    /// `password` and `salt` in base64.
    pub fn scram(
        &self,
        mechanism: &str,
        password: &str,
        salt: &str,
        iterations: u32,
    ) -> Answer<Scram> {
        let secret = json!({"mechanism": mechanism, "password": password, "salt": salt, "iterations": iterations});
        self.ask("scram", secret)
    }

    /// The name that `ssl.principal.mapping.rules` make of a certificate's subject in RFC 2253 text.
    pub fn principal(&self, rules: &str, dn: &str) -> Answer<String> {
        self.ask("principal", json!({"rules": rules, "dn": dn}))
    }

    /// What the broker's authorizer decides: one decision per request, in order. Bindings and requests are kpki's JSON.
    pub fn authorize(
        &self,
        bindings: &[Value],
        super_users: &str,
        allow_everyone: bool,
        requests: &[Value],
    ) -> Answer<Vec<Decision>> {
        let directory = tempfile::tempdir().unwrap();
        let [bindings_file, requests_file, decisions_file] =
            ["bindings", "requests", "decisions"].map(|name| directory.path().join(name));
        std::fs::write(&bindings_file, lines(bindings)).unwrap();
        std::fs::write(&requests_file, lines(requests)).unwrap();
        let _: Value = self.ask(
            "authorize",
            json!({
                "bindings": bindings_file, "requests": requests_file, "decisions": decisions_file,
                "super_users": super_users, "allow_everyone": allow_everyone,
            }),
        )?;
        let decisions = std::fs::read_to_string(decisions_file).unwrap();
        Ok(decisions
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect())
    }

    /// Writes `count` records with the values `0`, `1`, …; in a transaction where the properties name a `transactional.id`.
    pub fn produce(&self, client: &Client, topic: &str, count: u32) -> Answer<()> {
        let question = client.question(json!({"topic": topic, "count": count}));
        self.ask::<Value>("produce", question).map(drop)
    }

    /// The values of `count` records from the topic's beginning; a `TimeoutException` where fewer come in time.
    pub fn consume(
        &self,
        client: &Client,
        topic: &str,
        group: &str,
        count: u32,
        timeout: Duration,
    ) -> Answer<Vec<String>> {
        let timeout_ms = timeout.as_millis() as u64;
        let wanted =
            json!({"topic": topic, "group": group, "count": count, "timeout_ms": timeout_ms});
        self.ask("consume", client.question(wanted))
    }

    pub fn create_topic(
        &self,
        client: &Client,
        topic: &str,
        partitions: u32,
        replication_factor: u16,
    ) -> Answer<()> {
        let wanted = json!({"topic": topic, "partitions": partitions, "replication_factor": replication_factor});
        self.ask::<Value>("create-topic", client.question(wanted))
            .map(drop)
    }

    /// `{"cluster_id":…,"nodes":[{"id":…,"host":…,"port":…,"rack":…}]}`
    pub fn describe_cluster(&self, client: &Client) -> Answer<Value> {
        self.ask("describe-cluster", client.question(json!({})))
    }

    /// `{"leader":…,"epoch":…,"voters":[…]}` of the KRaft quorum.
    pub fn quorum(&self, client: &Client) -> Answer<Value> {
        self.ask("quorum", client.question(json!({})))
    }

    /// Every setting of a broker, by name.
    pub fn node_settings(&self, client: &Client, id: u32) -> Answer<Value> {
        self.ask("node-settings", client.question(json!({"node": id})))
    }

    pub fn create_acls(&self, client: &Client, bindings: &[Value]) -> Answer<()> {
        let question = client.question(json!({"bindings": bindings}));
        self.ask::<Value>("create-acls", question).map(drop)
    }

    /// Every binding of the cluster, in no order.
    pub fn list_acls(&self, client: &Client) -> Answer<Vec<Value>> {
        self.ask("list-acls", client.question(json!({})))
    }

    /// Every SCRAM credential of the cluster, in no order.
    pub fn list_scram(&self, client: &Client) -> Answer<Vec<StoredScram>> {
        self.ask("list-scram", client.question(json!({})))
    }
}

impl Client<'_> {
    fn question(&self, mut rest: Value) -> Value {
        rest["properties"] = json!(self.properties);
        rest["overrides"] = object(self.overrides);
        rest
    }
}

fn object(properties: &[(&str, &str)]) -> Value {
    properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}
