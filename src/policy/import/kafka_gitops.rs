//! A kafka-gitops state file: the ACLs that it creates for services, users and custom ACLs.

use super::{Imported, Resource};
use crate::{
    acl::{
        Operation::{self, *},
        PatternType, Permission,
        ResourceType::{self, *},
        UnknownWord,
    },
    document::Tree,
};

/// The sections of a state file with ACLs.
const SECTIONS: [&str; 4] = ["services", "users", "customServiceAcls", "customUserAcls"];

/// Whether only kafka-gitops has such a file, which may only name the files with the sections.
pub(super) fn is_state(tree: &Tree) -> bool {
    let files = tree.get("settings").get("files");
    files.is_there() || SECTIONS.iter().any(|key| tree.get(key).is_there())
}

/// Whether it has any part of such a file.
pub(super) fn has_section(tree: &Tree) -> bool {
    let others = ["settings", "topics", "schemas"];
    SECTIONS
        .iter()
        .chain(&others)
        .any(|key| tree.get(key).is_there())
}

pub(super) fn read(state: &Tree, found: &mut Imported) {
    let settings = state.get("settings");
    let describe = settings
        .get("services")
        .get("acls")
        .get("describeTopicEnabled");
    let describe = describe.text() == Some("true");
    for (name, service) in state.get("services").entries() {
        let Some(principal) = service.get("principal").text() else {
            found.leave(
                service.line,
                format!("the service {name}"),
                "it has no principal",
            );
            continue;
        };
        let what = Service {
            name,
            principal,
            describe,
        };
        match service.get("type").text() {
            Some("application") => what.application(service, found),
            Some("kafka-streams") => what.streams(service, found),
            Some("kafka-connect") => what.connect(service, found),
            other => {
                let why = format!("its type is {}", other.unwrap_or("missing"));
                found.leave(service.line, format!("the service {name}"), why);
            }
        }
    }
    for (name, user) in state.get("users").entries() {
        self::user(name, user, found);
    }
    for (section, owners) in [
        ("customServiceAcls", "services"),
        ("customUserAcls", "users"),
    ] {
        for (owner, acls) in state.get(section).entries() {
            let of = state.get(owners).get(owner).get("principal").text();
            for (name, acl) in acls.entries() {
                if let Err(why) = custom(acl, of, found) {
                    found.leave(acl.line, format!("the ACL {name} of {owner}"), why);
                }
            }
        }
    }
    found.leave_part(
        state.get("topics"),
        "the topics",
        "a policy does not create topics",
    );
    found.leave_part(
        state.get("schemas"),
        "the schemas",
        "a policy has no schemas",
    );
    for (section, file) in settings.get("files").entries() {
        let what = format!("the {section} in {}", file.text().unwrap_or_default());
        found.leave(file.line, what, "import that file as well");
    }
    for (name, setting) in settings
        .entries()
        .iter()
        .filter(|(name, _)| !["services", "files"].contains(&name.as_str()))
    {
        let why = "a policy has no such settings";
        found.leave(setting.line, format!("the settings of {name}"), why);
    }
}

struct Service<'a> {
    name: &'a str,
    principal: &'a str,
    /// Whether readers and writers of a topic also get a Describe binding.
    describe: bool,
}

impl Service<'_> {
    fn topics(&self, of: &Tree, key: &str, operation: Operation, found: &mut Imported) {
        for topic in of.get(key).texts() {
            let topic = Resource::literal(Topic, topic);
            found.allow(self.principal, &[operation], topic);
            if self.describe {
                found.allow(self.principal, &[Describe], topic);
            }
        }
    }

    fn application(&self, service: &Tree, found: &mut Imported) {
        self.topics(service, "produces", Write, found);
        self.topics(service, "consumes", Read, found);
        if service.get("consumes").is_there() {
            let group = service.get("group-id").text().unwrap_or(self.name);
            found.allow(self.principal, &[Read], Resource::starred(Group, group));
        }
    }

    fn streams(&self, service: &Tree, found: &mut Imported) {
        self.topics(service, "produces", Write, found);
        self.topics(service, "consumes", Read, found);
        let id = service.get("application-id").text().unwrap_or(self.name);
        let own = [
            Read,
            Write,
            Describe,
            Delete,
            Create,
            Alter,
            AlterConfigs,
            DescribeConfigs,
        ];
        found.allow(self.principal, &own, Resource::prefixed(Topic, id));
        let group = Resource::literal(Group, id);
        found.allow(self.principal, &[Read, Describe, Delete], group);
        found.allow(self.principal, &[DescribeConfigs], Resource::CLUSTER);
    }

    fn connect(&self, service: &Tree, found: &mut Imported) {
        self.topics(service, "produces", Write, found);
        let named = service.get("storage-topics");
        for (key, default) in [
            ("config", "configs"),
            ("offset", "offsets"),
            ("status", "status"),
        ] {
            let default = format!("connect-{default}-{}", self.name);
            let topic = named.get(key).text().unwrap_or(&default);
            found.allow(
                self.principal,
                &[Read, Write],
                Resource::literal(Topic, topic),
            );
        }
        let group = service.get("group-id").text().unwrap_or(self.name);
        found.allow(self.principal, &[Read], Resource::literal(Group, group));
        for (name, connector) in service.get("connectors").entries() {
            self.topics(connector, "produces", Write, found);
            self.topics(connector, "consumes", Read, found);
            if connector.get("consumes").is_there() {
                let group = format!("connect-{name}");
                found.allow(self.principal, &[Read], Resource::literal(Group, &group));
            }
        }
    }
}

fn user(name: &str, user: &Tree, found: &mut Imported) {
    let Some(principal) = user.get("principal").text() else {
        found.leave(user.line, format!("the user {name}"), "it has no principal");
        return;
    };
    let (topics, groups) = (Resource::literal(Topic, "*"), Resource::literal(Group, "*"));
    for role in user.get("roles").items() {
        match role.text().map(str::to_ascii_lowercase).as_deref() {
            Some("writer") => found.allow(principal, &[Write], topics),
            Some("reader") => {
                found.allow(principal, &[Read], topics);
                found.allow(principal, &[Read], groups);
            }
            Some("operator") => {
                found.allow(principal, &[Describe], Resource::CLUSTER);
                found.allow(principal, &[Describe, DescribeConfigs], topics);
                found.allow(principal, &[Read, Describe], groups);
            }
            other => {
                let what = format!("the role {} of {name}", other.unwrap_or_default());
                found.leave(role.line, what, "kafka-gitops has no such role");
            }
        }
    }
}

fn custom(acl: &Tree, owner: Option<&str>, found: &mut Imported) -> Result<(), String> {
    let text = |key: &str| {
        let text = acl.get(key).text();
        text.ok_or_else(|| format!("it has no {key}"))
    };
    let unknown = |e: UnknownWord| e.to_string();
    let resource = Resource {
        kind: text("type")?.parse::<ResourceType>().map_err(unknown)?,
        pattern: text("pattern")?.parse::<PatternType>().map_err(unknown)?,
        name: text("name")?,
    };
    let operation = text("operation")?.parse::<Operation>().map_err(unknown)?;
    let permission = text("permission")?.parse::<Permission>().map_err(unknown)?;
    let principal = acl
        .get("principal")
        .text()
        .or(owner)
        .ok_or("it has no principal")?;
    let host = text("host")?;
    let binding = resource.binding(principal, host, operation, permission);
    found.bindings.insert(binding);
    Ok(())
}
