//! The first policy of a cluster, with comments that explain what can be changed.

use super::Layout;
use crate::{
    acl::KafkaVersion,
    document::scalar,
    pki::{Host, IdentityName},
};

/// The `port_offset` between brokers on the same machine.
const PORTS_APART: usize = 100;

/// The settings of a new policy.
#[derive(Debug)]
pub struct Draft {
    /// The cluster's name, for people.
    pub cluster: String,
    /// The brokers; without controllers, they are also controllers.
    pub brokers: Vec<DraftNode>,
    /// Dedicated controllers.
    pub controllers: Vec<DraftNode>,
    /// The layout of the files.
    pub layout: &'static Layout,
    /// The clients besides the admin.
    pub clients: Vec<DraftClient>,
}

/// A broker or a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftNode {
    /// Its name.
    pub name: IdentityName,
    /// Its host names and addresses; empty: its name.
    pub hosts: Vec<Host>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftClient {
    /// Its name.
    pub name: IdentityName,
    /// One of [`Draft::AUTHS`].
    pub auth: &'static str,
}

impl DraftNode {
    /// The advertised address.
    fn advertised(&self) -> String {
        let first = self.hosts.first();
        first.map_or_else(|| self.name.to_string(), ToString::to_string)
    }
}

impl Draft {
    /// The name of the client that kpki itself connects as.
    pub const ADMIN: &'static str = "admin";
    /// The authentication methods of a client.
    pub const AUTHS: &'static [&'static str] = &["tls", "scram-sha-512", "scram-sha-256"];

    /// The policy's text.
    pub fn write(&self) -> String {
        let mut text = String::new();
        self.head(&mut text);
        self.nodes(&mut text);
        self.clients(&mut text);
        text.push_str(
            "\n# Rights that no role covers, in Kafka's own terms:\n# acls:\n#   - {principal: User:app, host: 10.0.0.7, allow: [Read], topic: {prefix: app-}}\n",
        );
        text.push_str(
            "\n# Requests that must be allowed or denied; `kpki acl test` and `kpki acl apply` check them:\n# tests:\n#   - {principal: User:app, cannot: Write, topic: payments}\n",
        );
        text
    }

    fn head(&self, text: &mut String) {
        let Self {
            cluster, layout, ..
        } = self;
        *text += "# The security of this Kafka cluster. `kpki policy check` checks this file, `kpki up` creates what it describes,\n";
        *text += "# and `kpki policy schema` prints its JSON Schema, for editors.\n\n";
        *text += "cluster:\n";
        *text += &format!("  name: {}\n", scalar(cluster));
        *text += &format!(
            "  admin: {:<22}# the client, below, that kpki connects as; a super user\n",
            Self::ADMIN
        );
        *text += &format!(
            "  kafka_version: {:<14}# for checks, and for the files that kpki writes\n",
            format!("\"{}\"", KafkaVersion::ASSUMED)
        );
        *text += &format!("  layout: {:<21}# {}\n", scalar(layout.name), layout.about);
        match layout.install_dir {
            Some(dir) => {
                *text += &format!(
                    "  # install_dir: {dir}    the layout's default: where an identity's directory is mounted\n"
                )
            }
            None => {
                *text += "  # install_dir: /etc/kafka/secrets    the path of an identity's directory on its machine, if not here\n"
            }
        }
        *text += "  # Listeners: SSL on 9093 for certificates and, where a client uses SCRAM, SASL_SSL on 9094.\n\n";
        *text += "ca:\n";
        let subject = format!("CN={} CA", self.common_name());
        *text += &format!("  subject: {}\n", scalar(&subject));
        *text += "  leaf_valid_days: 397         # `kpki up` and `kpki renew --due` renew certificates in time\n";
    }

    /// The cluster's name as a CN, without characters that must be escaped.
    fn common_name(&self) -> String {
        let plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.');
        let name: String = self.cluster.chars().filter(plain).collect();
        match name.trim() {
            "" => "Kafka".to_owned(),
            name => name.to_owned(),
        }
    }

    fn nodes(&self, text: &mut String) {
        *text +=
            "\nbrokers:                       # the first of `hosts` is advertised to clients\n";
        let mut before: Vec<String> = Vec::new();
        let apart = !self.controllers.is_empty();
        let brokers = self.brokers.iter().map(|node| (node, "broker"));
        let controllers = self.controllers.iter().map(|node| (node, "controller"));
        for (node, role) in brokers.chain(controllers) {
            *text += &format!("  - name: {}\n", scalar(node.name.as_str()));
            if !node.hosts.is_empty() {
                let hosts = node.hosts.iter().map(|host| scalar(&host.to_string()));
                let hosts: Vec<String> = hosts.collect();
                *text += &format!("    hosts: [{}]\n", hosts.join(", "));
            }
            if apart {
                *text += &format!("    roles: {role}\n");
            }
            let at = node.advertised();
            let neighbours = before.iter().filter(|other| **other == at).count();
            if neighbours > 0 {
                *text += &format!(
                    "    port_offset: {:<15}# another node is on the same machine\n",
                    neighbours * PORTS_APART
                );
            }
            before.push(at);
        }
    }

    fn clients(&self, text: &mut String) {
        *text += "\nclients:\n";
        *text += &format!("  - name: {}\n    auth: tls\n", Self::ADMIN);
        for client in &self.clients {
            let name = scalar(client.name.as_str());
            *text += &format!("\n  - name: {name}\n");
            *text += &format!(
                "    auth: {:<21}# {}\n",
                client.auth,
                Self::AUTHS.join(" | ")
            );
            *text += "    # roles:                   # what it may do:\n";
            *text += "    #   - produce: {topic: orders}\n";
            *text += &format!("    #   - consume: {{topic: orders, group: {name}}}\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{self, LAYOUTS, lint};

    fn node(name: &str, hosts: &[&str]) -> DraftNode {
        DraftNode {
            name: name.parse().unwrap(),
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn every_draft_is_a_policy_without_findings() {
        let one = vec![node("kafka1", &["localhost", "kafka1"])];
        let three: Vec<DraftNode> = ["a", "b", "c"].map(|name| node(name, &["10.0.0.1"])).into();
        let far = vec![node("k1", &[]), node("k2", &["k2.example.com", "::1"])];
        for layout in LAYOUTS {
            for (brokers, controllers) in [
                (one.clone(), Vec::new()),
                (three.clone(), Vec::new()),
                (far.clone(), three.clone()),
            ] {
                let client = |name: &str, auth| DraftClient {
                    name: name.parse().unwrap(),
                    auth,
                };
                let draft = Draft {
                    cluster: "It's \"quoted\": #1, ü".to_owned(),
                    brokers,
                    controllers,
                    layout,
                    clients: vec![client("app", "tls"), client("on", "scram-sha-512")],
                };
                let text = draft.write();
                let policy = policy::parse("new", &text, &|_| Ok(Vec::new()));
                let policy = policy.unwrap_or_else(|e| panic!("{text}\n{e:#?}"));
                assert_eq!(lint::policy(&policy, &policy.settings()), []);
                assert_eq!(policy.clients.len(), 3);
            }
        }
    }
}
