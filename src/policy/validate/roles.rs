//! Roles: their arguments, checked by name.

use super::names::{literal, patterns};
use crate::{
    acl::{KafkaVersion, ResourceType},
    document::{Report, Spanned},
    policy::{
        NamePattern, Role, RoleKind,
        raw::{
            RawConnect, RawMirrorSource, RawMirrorTarget, RawRole, RawSchemaRegistry, RawStreams,
        },
        raw_access::{Patterns, RawRoleArguments, RawRoleWord},
    },
};

/// What checks need besides the thing itself.
struct Checks<'a> {
    report: &'a mut Report,
    version: KafkaVersion,
}

/// A role; `None` where something in it is wrong and was reported.
pub(super) fn role(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<RawRole>,
) -> Option<Role> {
    let source = report.source(raw.span);
    let mut checks = Checks { report, version };
    let kind = match &raw.value {
        RawRole::Word(RawRoleWord::Monitor) => RoleKind::Monitor,
        RawRole::Word(RawRoleWord::Admin) => RoleKind::Admin,
        RawRole::Arguments(arguments) => checks.arguments(arguments)?,
    };
    Some(Role { kind, source })
}

impl Checks<'_> {
    /// Exactly one of the keys is there: the shape says so.
    fn arguments(&mut self, raw: &RawRoleArguments) -> Option<RoleKind> {
        if let Some(produce) = &raw.produce {
            Some(RoleKind::Produce {
                topics: self.topics(&produce.topic),
                transactional_ids: self.optional(
                    ResourceType::TransactionalId,
                    produce.transactional_id.as_ref(),
                ),
                create: produce.create.unwrap_or(false),
            })
        } else if let Some(consume) = &raw.consume {
            Some(RoleKind::Consume {
                topics: self.topics(&consume.topic),
                groups: self.optional(ResourceType::Group, Some(&consume.group)),
            })
        } else if let Some(streams) = &raw.streams {
            self.streams(streams)
        } else if let Some(connect) = &raw.connect {
            self.connect(connect)
        } else if let Some(mirror) = &raw.mirror_source {
            self.mirror_source(mirror)
        } else if let Some(mirror) = &raw.mirror_target {
            self.mirror_target(mirror)
        } else if let Some(registry) = &raw.schema_registry {
            self.schema_registry(registry)
        } else if raw.monitor.is_some() {
            Some(RoleKind::Monitor)
        } else {
            raw.admin.is_some().then_some(RoleKind::Admin)
        }
    }

    fn streams(&mut self, raw: &RawStreams) -> Option<RoleKind> {
        // It begins the names of topics as well as being a group.
        let application_id = self.one(ResourceType::Topic, &raw.application_id);
        let read = self.topics(&raw.read);
        let write = self.topics(&raw.write);
        Some(RoleKind::Streams {
            application_id: application_id?,
            read,
            write,
            exactly_once: raw.exactly_once.unwrap_or(false),
        })
    }

    fn connect(&mut self, raw: &RawConnect) -> Option<RoleKind> {
        let group_id = self.one(ResourceType::Group, &raw.group_id);
        let config_topic = self.one(ResourceType::Topic, &raw.config_topic);
        let offset_topic = self.one(ResourceType::Topic, &raw.offset_topic);
        let status_topic = self.one(ResourceType::Topic, &raw.status_topic);
        let mut sinks = Vec::new();
        for sink in raw.sinks.iter().flatten() {
            let topics = self.topics(&sink.topic);
            if let Some(name) = self.one(ResourceType::Group, &sink.name) {
                sinks.push((name, topics));
            }
        }
        let sources = self.optional(ResourceType::Topic, raw.sources.as_ref());
        Some(RoleKind::Connect {
            group_id: group_id?,
            config_topic: config_topic?,
            offset_topic: offset_topic?,
            status_topic: status_topic?,
            sinks,
            sources,
            exactly_once: raw.exactly_once.unwrap_or(false),
        })
    }

    fn mirror_source(&mut self, raw: &RawMirrorSource) -> Option<RoleKind> {
        let topics = self.topics(&raw.topics);
        let groups = self.optional(ResourceType::Group, raw.groups.as_ref());
        let target = self.alias(raw.target.as_ref())?;
        Some(RoleKind::MirrorSource {
            topics,
            groups,
            target,
        })
    }

    fn mirror_target(&mut self, raw: &RawMirrorTarget) -> Option<RoleKind> {
        let topics = self.topics(&raw.topics);
        let groups = self.optional(ResourceType::Group, raw.groups.as_ref());
        let source = self.alias(raw.source.as_ref())?;
        Some(RoleKind::MirrorTarget {
            topics,
            groups,
            source,
        })
    }

    /// The name of a cluster, which is a part of topics' names. The inner `None`: there is none.
    #[expect(clippy::option_option, reason = "absent is not wrong")]
    fn alias(&mut self, raw: Option<&Spanned<String>>) -> Option<Option<String>> {
        match raw {
            Some(alias) => self.one(ResourceType::Topic, alias).map(Some),
            None => Some(None),
        }
    }

    fn schema_registry(&mut self, raw: &RawSchemaRegistry) -> Option<RoleKind> {
        let schemas_topic = match &raw.schemas_topic {
            Some(topic) => self.one(ResourceType::Topic, topic),
            None => Some("_schemas".to_owned()),
        };
        let group = match &raw.group {
            Some(group) => self.one(ResourceType::Group, group),
            None => Some("schema-registry".to_owned()),
        };
        Some(RoleKind::SchemaRegistry {
            schemas_topic: schemas_topic?,
            group: group?,
        })
    }

    fn topics(&mut self, raw: &Patterns) -> Vec<NamePattern> {
        patterns(self.report, self.version, ResourceType::Topic, raw)
    }

    fn optional(&mut self, kind: ResourceType, raw: Option<&Patterns>) -> Vec<NamePattern> {
        raw.map_or_else(Vec::new, |raw| {
            patterns(self.report, self.version, kind, raw)
        })
    }

    fn one(&mut self, kind: ResourceType, raw: &Spanned<String>) -> Option<String> {
        literal(self.report, self.version, kind, raw)
    }
}
