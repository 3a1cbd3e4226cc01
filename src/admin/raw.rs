//! The input and output of librdkafka as plain data: numbers are unverified Kafka codes.

use std::{borrow::Cow, time::Duration};

/// An error with Kafka's code (positive) or one of librdkafka's own (negative).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct BrokerError {
    pub(super) code: i32,
    pub(super) text: String,
}

/// A broker's answer, or an error.
pub(super) type Answered<T> = Result<T, BrokerError>;

/// The result for one entry.
pub(super) type Outcome = Answered<()>;

/// How long to wait for an answer, and the callback for events in the meantime, which ends the wait by returning
/// `false`.
pub(super) struct Wait<'a> {
    pub(super) timeout: Duration,
    pub(super) watch: &'a mut dyn FnMut(Event) -> bool,
}

impl Wait<'_> {
    /// The same with a shorter timeout.
    pub(super) fn at_most(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(self.timeout);
        self
    }
}

/// librdkafka's own codes (`rdkafka.h`), as far as kpki distinguishes them.
pub(super) mod code {
    pub const BAD_MSG: i32 = -199;
    pub const TRANSPORT: i32 = -195;
    pub const RESOLVE: i32 = -193;
    pub const ALL_BROKERS_DOWN: i32 = -187;
    pub const TIMED_OUT: i32 = -185;
    pub const SSL: i32 = -181;
    pub const TIMED_OUT_QUEUE: i32 = -166;
    pub const UNSUPPORTED_FEATURE: i32 = -165;
    pub const AUTHENTICATION: i32 = -169;
    /// kpki's own: the caller gave up waiting.
    pub const GAVE_UP: i32 = -1000;
    /// Kafka's codes (`Errors`).
    pub const REQUEST_TIMED_OUT: i32 = 7;
    pub const CLUSTER_AUTHORIZATION_FAILED: i32 = 31;
    pub const SECURITY_DISABLED: i32 = 54;
    /// A user without credentials.
    pub const RESOURCE_NOT_FOUND: i32 = 91;
    /// Codes that guarantee that nothing was written: not authorized, mechanism, version, request, policy, user,
    /// duplicate user, credential.
    pub const NOTHING_WRITTEN: [i32; 8] = [31, 33, 35, 42, 44, RESOURCE_NOT_FOUND, 92, 93];
}

impl BrokerError {
    pub(super) fn new(code: i32, text: String) -> Self {
        Self { code, text }
    }

    /// Whether there was no answer, or none from the controller to the broker, so the request may have been executed.
    pub(super) fn is_silence(&self) -> bool {
        matches!(
            self.code,
            code::TRANSPORT | code::TIMED_OUT | code::TIMED_OUT_QUEUE | code::REQUEST_TIMED_OUT
        )
    }

    pub(super) fn gave_up() -> Self {
        Self::new(code::GAVE_UP, String::new())
    }

    pub(super) fn empty_answer() -> Self {
        Self::new(code::BAD_MSG, "the broker's answer is empty".into())
    }

    pub(super) fn unsupported(text: String) -> Self {
        Self::new(code::UNSUPPORTED_FEATURE, text)
    }
}

/// Events while waiting for an answer.
pub(super) enum Event {
    /// A tenth of a second passed.
    Nothing,
    /// A connection failed, or all of them.
    Error(BrokerError),
    /// A line of librdkafka's log.
    Log(String),
}

impl Event {
    /// Whether it reports an answer larger than `receive.message.max.bytes`. librdkafka then drops the connection and
    /// would repeat the request until the timeout.
    pub(super) fn is_too_large_an_answer(&self) -> bool {
        let text = match self {
            Event::Error(error) => &error.text,
            Event::Log(line) => line,
            Event::Nothing => return false,
        };
        text.contains("Invalid response size")
    }
}

/// A binding, or a filter in which `None` and the code ANY match everything.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Pattern<'a> {
    pub(super) resource_type: i32,
    pub(super) pattern_type: i32,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) principal: Option<Cow<'a, str>>,
    pub(super) host: Option<Cow<'a, str>>,
    pub(super) operation: i32,
    pub(super) permission: i32,
}

/// A binding in a broker's answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct AnyBinding {
    pub(super) resource_type: i32,
    pub(super) pattern_type: i32,
    pub(super) name: String,
    pub(super) principal: String,
    pub(super) host: String,
    pub(super) operation: i32,
    pub(super) permission: i32,
}

/// A cluster: its id, its running brokers, and what this principal may do with it.
pub(super) struct AnsweringCluster {
    pub(super) id: Option<String>,
    /// Kafka's operation codes; `None`: brokers before 2.3 do not report them (KIP-430).
    pub(super) operations: Option<Vec<i32>>,
    pub(super) brokers: Vec<i32>,
}

/// A user with SCRAM credentials: mechanism code and iterations of each.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct DescribedUser {
    pub(super) user: String,
    pub(super) error: Option<BrokerError>,
    pub(super) credentials: Vec<(i32, i32)>,
}
