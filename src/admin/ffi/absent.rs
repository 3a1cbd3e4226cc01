//! Replaces librdkafka in a build without it (`--no-default-features`): no connection is possible, so no handle can
//! exist.

use super::{
    answers::{DeletedAcls, Listed, ScramUsers},
    configs::ConfigEntry,
    raw::{Answered, AnsweringCluster, Outcome, Pattern, Wait},
    scram_change::ScramChange,
};

/// A client that can never exist.
pub(super) enum Handle {}

/// The signatures of the requests.
macro_rules! requests {
    ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {
        $(pub(super) fn $name(&self, $(_: $argument,)* _: Wait<'_>) -> Answered<$answer> {
            match *self {}
        })*
    };
}

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

    requests! {
        describe_cluster() -> AnsweringCluster;
        create_acls(&[Pattern<'_>]) -> Vec<Outcome>;
        describe_acls(&Pattern<'_>) -> Listed;
        delete_acls(&[Pattern<'_>]) -> DeletedAcls;
        describe_scram(&[&str]) -> ScramUsers;
        alter_scram(&[&ScramChange]) -> Vec<(String, Outcome)>;
        describe_broker(i32) -> Vec<ConfigEntry>;
        alter_broker(i32, &[(&str, Option<&str>)]) -> ();
    }
}
