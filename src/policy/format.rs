//! The formats of client configuration, one line each. What writes the format `x` is `config/x.rs`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Hands the table to a macro: the format's variant, its name, and what its file is and is for.
macro_rules! client_formats {
    ($table:ident) => {
        $table! {
            Java java "client.properties: Java clients, and Kafka's own command-line tools";
            Librdkafka librdkafka "librdkafka.conf: kcat, and clients built on librdkafka";
            Spring spring "spring.yaml: Spring Boot";
            Quarkus quarkus "quarkus.properties: Quarkus";
            Json json "connection.json: clients that take settings in code, such as kafka-python, kafkajs, franz-go, sarama";
        }
    };
}
pub(crate) use client_formats;

macro_rules! closed {
    ($($variant:ident $name:ident $about:literal;)+) => {
        /// A file that tells a client how to connect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[schemars(rename = "format")]
        pub enum ClientFormat {
            $(#[doc = $about] $variant,)+
        }

        impl ClientFormat {
            /// Every format; the first is the default.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// What the policy and `--format` call it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)+
                }
            }

            /// What its file is and is for.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => $about,)+
                }
            }
        }
    };
}
client_formats!(closed);

impl ClientFormat {
    /// What the reader of its file would replace in a value, and why: such a value cannot be written.
    pub fn interprets(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Spring => Some(("${", "which Spring takes for a placeholder")),
            Self::Quarkus => Some(("$", "which Quarkus interprets as an expression")),
            Self::Java | Self::Librdkafka | Self::Json => None,
        }
    }
}
