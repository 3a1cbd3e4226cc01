//! A kafka-gitops state file: the ACLs that it creates for services, users and custom ACLs.

use super::{Grantee, Imported, Resource};
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
    let is_cloud = |key: &&str| settings.get(key).get("enabled").text() == Some("true");
    if ["ccloud", "confluent"].iter().any(is_cloud) {
        for section in SECTIONS {
            let why =
                "in Confluent Cloud, kafka-gitops replaces the principals by service accounts";
            found.leave_rights(state.get(section), format!("`{section}`"), why);
        }
    } else {
        services(state, found);
        users(state, found);
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
    let files = settings.get("files");
    for (section, file) in files.entries() {
        let what = format!("the {section} in {}", file.text().unwrap_or_default());
        found.leave(file.line, what, "import that file as well");
    }
    if ["services", "users"]
        .iter()
        .any(|key| files.get(key).is_there())
    {
        found.nobody_is_complete();
    }
    for (name, setting) in settings
        .entries()
        .iter()
        .filter(|(name, _)| !["services", "files"].contains(&name.as_str()))
    {
        let why = "a policy has no such settings";
        found.leave(setting.line, format!("the settings of {name}"), why);
    }
    let others = ["settings", "topics", "schemas"];
    found.leave_unknown(state, &[&SECTIONS[..], &others].concat(), "the state");
}

fn services(state: &Tree, found: &mut Imported) {
    let settings = state.get("settings").get("services");
    let acls = settings.get("acls");
    let describe = acls.get("describeTopicEnabled").text() == Some("true");
    found.leave_unknown(settings, &["acls"], "the settings of services");
    found.leave_unknown(acls, &["describeTopicEnabled"], "the settings of services");
    let services = state.get("services");
    for (name, service) in services.entries() {
        let Some(who) = Grantee::of(service) else {
            found.leave(
                service.line,
                format!("the service {name}"),
                "it has no principal",
            );
            continue;
        };
        let what = Service {
            name,
            who,
            describe,
        };
        match service.get("type").text() {
            Some("application") => what.application(service, found),
            Some("kafka-streams") => what.streams(service, found),
            Some("kafka-connect") => what.connect(service, found),
            other => {
                let why = format!("its type is {}", other.unwrap_or("missing"));
                found.leave_rights(service, format!("the service {name}"), &why);
            }
        }
    }
    let acls = state.get("customServiceAcls");
    custom(acls, services, "services", |_| None, found);
}

fn users(state: &Tree, found: &mut Imported) {
    let users = state.get("users");
    for (name, user) in users.entries() {
        self::user(name, user, found);
    }
    let acls = state.get("customUserAcls");
    custom(acls, users, "users", Grantee::of, found);
}

struct Service<'a> {
    name: &'a str,
    who: Grantee<'a>,
    /// Whether readers and writers of a topic also get a Describe binding.
    describe: bool,
}

impl Service<'_> {
    fn topics(&self, of: &Tree, key: &str, operation: Operation, found: &mut Imported) {
        for topic in of.get(key).texts() {
            let topic = Resource::literal(Topic, topic);
            found.allow(self.who, &[operation], topic);
            if self.describe {
                found.allow(self.who, &[Describe], topic);
            }
        }
    }

    /// Reports the keys that are not of a service of this type.
    fn only(&self, service: &Tree, keys: &[&str], found: &mut Imported) {
        let keys = [&["type", "principal"], keys].concat();
        found.leave_unknown_of(self.who, service, &keys);
    }

    fn application(&self, service: &Tree, found: &mut Imported) {
        self.only(service, &["produces", "consumes", "group-id"], found);
        self.topics(service, "produces", Write, found);
        self.topics(service, "consumes", Read, found);
        if service.get("consumes").is_there() {
            let group = service.get("group-id").text().unwrap_or(self.name);
            found.allow(self.who, &[Read], Resource::starred(Group, group));
        }
    }

    fn streams(&self, service: &Tree, found: &mut Imported) {
        self.only(service, &["produces", "consumes", "application-id"], found);
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
        found.allow(self.who, &own, Resource::prefixed(Topic, id));
        let group = Resource::literal(Group, id);
        found.allow(self.who, &[Read, Describe, Delete], group);
        found.allow(self.who, &[DescribeConfigs], Resource::CLUSTER);
    }

    fn connect(&self, service: &Tree, found: &mut Imported) {
        let keys = ["produces", "group-id", "storage-topics", "connectors"];
        self.only(service, &keys, found);
        self.topics(service, "produces", Write, found);
        let named = service.get("storage-topics");
        found.leave_unknown_of(self.who, named, &["config", "offset", "status"]);
        for (key, default) in [
            ("config", "configs"),
            ("offset", "offsets"),
            ("status", "status"),
        ] {
            let default = format!("connect-{default}-{}", self.name);
            let topic = named.get(key).text().unwrap_or(&default);
            found.allow(self.who, &[Read, Write], Resource::literal(Topic, topic));
        }
        let group = service.get("group-id").text().unwrap_or(self.name);
        found.allow(self.who, &[Read], Resource::literal(Group, group));
        for (name, connector) in service.get("connectors").entries() {
            found.leave_unknown_of(self.who, connector, &["produces", "consumes"]);
            self.topics(connector, "produces", Write, found);
            self.topics(connector, "consumes", Read, found);
            if connector.get("consumes").is_there() {
                let group = format!("connect-{name}");
                found.allow(self.who, &[Read], Resource::literal(Group, &group));
            }
        }
    }
}

fn user(name: &str, user: &Tree, found: &mut Imported) {
    let Some(who) = Grantee::of(user) else {
        found.leave(user.line, format!("the user {name}"), "it has no principal");
        return;
    };
    found.leave_unknown_of(who, user, &["principal", "roles"]);
    let (topics, groups) = (Resource::literal(Topic, "*"), Resource::literal(Group, "*"));
    for role in user.get("roles").items() {
        match role.text().map(str::to_ascii_lowercase).as_deref() {
            Some("writer") => found.allow(who, &[Write], topics),
            Some("reader") => {
                found.allow(who, &[Read], topics);
                found.allow(who, &[Read], groups);
            }
            Some("operator") => {
                found.allow(who, &[Describe], Resource::CLUSTER);
                found.allow(who, &[Describe, DescribeConfigs], topics);
                found.allow(who, &[Read, Describe], groups);
            }
            other => {
                let what = format!("the role {} of {name}", other.unwrap_or_default());
                found.leave(role.line, what, "kafka-gitops has no such role");
                found.incomplete.insert(who.principal.to_owned());
            }
        }
    }
}

/// Custom ACLs, which kafka-gitops creates only for the owners that it has. Where an ACL has no principal, it is for the
/// one that `default` finds in the owner.
fn custom<'a>(
    section: &Tree,
    owners: &'a Tree,
    of: &str,
    default: impl Fn(&'a Tree) -> Option<Grantee<'a>>,
    found: &mut Imported,
) {
    for (owner, acls) in section.entries() {
        let known = owners.entries().iter().find(|(name, _)| name == owner);
        for (name, acl) in acls.entries() {
            let imported = match known {
                Some((_, known)) => self::acl(acl, default(known), found),
                None => Err(format!(
                    "kafka-gitops creates it only for one of the {of}, and this file has no {owner} there"
                )),
            };
            if let Err(why) = imported {
                found.leave_rights(acl, format!("the ACL {name} of {owner}"), &why);
                let default = known.and_then(|(_, known)| default(known));
                found
                    .incomplete
                    .extend(default.map(|who| who.principal.to_owned()));
            }
        }
    }
}

fn acl(acl: &Tree, default: Option<Grantee<'_>>, found: &mut Imported) -> Result<(), String> {
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
    let default = default.map(|who| who.principal);
    let principal = text("principal").or_else(|why| default.ok_or(why))?;
    let binding = resource.binding(principal, text("host")?, operation, permission);
    found.add(binding, acl.line);
    let keys = [
        "type",
        "pattern",
        "name",
        "operation",
        "permission",
        "principal",
        "host",
    ];
    let line = acl.line;
    found.leave_unknown_of(Grantee { principal, line }, acl, &keys);
    Ok(())
}
