//! What stands in for librdkafka in a kpki that was built without it (`--no-default-features`): nothing can be
//! connected to, so no handle exists.

use std::time::Duration;

use super::raw::{
    BrokerError, Cluster, Config, Event, Listed, Matched, Outcome, Pattern, ScramChange, ScramUser,
};

/// A client that cannot be.
pub(super) enum Handle {}

type Watch<'a> = &'a mut dyn FnMut(Event) -> bool;
type Answer<T> = Result<T, BrokerError>;

impl Handle {
    pub(super) fn new(_: &[(&str, &str)], _: usize) -> Result<Self, String> {
        Err("this kpki was built without librdkafka".to_owned())
    }

    pub(super) fn x509_error(&self) -> i32 {
        match *self {}
    }

    pub(super) fn was_answered(&self) -> bool {
        match *self {}
    }

    pub(super) fn describe_cluster(&self, _: Duration, _: Watch<'_>) -> Answer<Cluster> {
        match *self {}
    }

    pub(super) fn create_acls(
        &self,
        _: &[Pattern<'_>],
        _: Duration,
        _: Watch<'_>,
    ) -> Answer<Vec<Outcome>> {
        match *self {}
    }

    pub(super) fn describe_acls(
        &self,
        _: &Pattern<'_>,
        _: Duration,
        _: Watch<'_>,
    ) -> Answer<Listed> {
        match *self {}
    }

    pub(super) fn delete_acls(
        &self,
        _: &[Pattern<'_>],
        _: Duration,
        _: Watch<'_>,
    ) -> Answer<Vec<Answer<Matched>>> {
        match *self {}
    }

    pub(super) fn describe_scram(
        &self,
        _: &[&str],
        _: Duration,
        _: Watch<'_>,
    ) -> Answer<Vec<ScramUser>> {
        match *self {}
    }

    pub(super) fn alter_scram(
        &self,
        _: &[ScramChange<'_>],
        _: Duration,
        _: Watch<'_>,
    ) -> Answer<Vec<(String, Outcome)>> {
        match *self {}
    }

    pub(super) fn describe_broker(&self, _: i32, _: Duration, _: Watch<'_>) -> Answer<Vec<Config>> {
        match *self {}
    }

    pub(super) fn alter_broker(
        &self,
        _: i32,
        _: &[(&str, Option<&str>)],
        _: Duration,
        _: Watch<'_>,
    ) -> Answer<()> {
        match *self {}
    }
}
