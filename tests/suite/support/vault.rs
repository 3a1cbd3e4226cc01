//! A real Vault that keeps everything in memory: tests/vault.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use ureq::Agent;

use super::go;

/// It ends when this is dropped.
pub struct Vault {
    child: Child,
    agent: Agent,
    pub url: String,
    root_token: String,
    unseal_key: String,
}

impl Vault {
    /// Starts one, with a log in `directory`. `None`: it cannot be built here, and the test is skipped.
    pub fn start(directory: &Path) -> Option<Self> {
        let program = go::vault()?;
        let path = directory.join("vault.log");
        let mut child = Command::new(program)
            .env_clear()
            // It ends with that.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&path).unwrap())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        let said: Value = serde_json::from_str(&said)
            .unwrap_or_else(|_| panic!("Vault ended: {}", fs::read_to_string(path).unwrap()));
        let config = Agent::config_builder().http_status_as_error(false);
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        Some(Self {
            child,
            agent: config.build().new_agent(),
            url: format!("http://{}", text("address")),
            root_token: text("root_token"),
            unseal_key: text("unseal_key"),
        })
    }

    /// What is public, as it is.
    pub fn read(&self, path: &str) -> String {
        let url = format!("{}/v1/{path}", self.url);
        let mut answer = self.agent.get(url).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    /// Has an administrator's request done.
    pub fn write(&self, path: &str, body: Value) -> Value {
        let request = self
            .agent
            .post(format!("{}/v1/{path}", self.url))
            .header("X-Vault-Token", &self.root_token);
        let mut answer = request.send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(answer.status().is_success(), "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Mounts a PKI secrets engine, without a CA.
    pub fn mount(&self, name: &str) {
        let config = json!({"max_lease_ttl": "87600h"});
        let engine = json!({"type": "pki", "config": config});
        self.write(&format!("sys/mounts/{name}"), engine);
    }

    /// A token with these policies.
    pub fn token(&self, policies: &[&str]) -> String {
        let body = json!({"policies": policies, "ttl": "1h"});
        let answer = self.write("auth/token/create", body);
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    pub fn seal(&self) {
        self.write("sys/seal", Value::Null);
    }

    pub fn unseal(&self) {
        let answer = self.write("sys/unseal", json!({"key": self.unseal_key}));
        assert_eq!(answer["sealed"], false);
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
