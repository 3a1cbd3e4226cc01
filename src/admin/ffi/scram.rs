//! The requests about SCRAM users.

use std::ffi::c_int;

use rdkafka::bindings::{self as rd, rd_kafka_admin_op_t as Operation};

use super::{
    super::{
        answers::ScramUsers,
        raw::{Answered, DescribedUser, Outcome, Wait},
        scram_change::ScramChange,
    },
    handle::Handle,
    integers as c,
    values::{Owned, c_string, list, outcome, pointers, text},
};
use crate::scram::Mechanism;

type Alteration = rd::rd_kafka_UserScramCredentialAlteration_t;

impl Handle {
    /// The users that have SCRAM credentials: all of them, or the named ones.
    ///
    /// Call it in a separate process if possible, and exit that without dropping the handle: librdkafka frees a pointer
    /// to its stack if the answer is an error that cannot be fully parsed, or arrives after the caller gave up.
    pub fn describe_scram(&self, users: &[&str], wait: Wait<'_>) -> Answered<ScramUsers> {
        let names = users.iter().map(|u| c_string(u));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
        let kind = Operation::RD_KAFKA_ADMIN_OP_DESCRIBEUSERSCRAMCREDENTIALS;
        // SAFETY: live values; the names are copied.
        let answer = self.ask(kind, wait, |to| unsafe {
            let (first, count) = (names.as_mut_ptr(), names.len());
            rd::rd_kafka_DescribeUserScramCredentials(
                to.client, first, count, to.options, to.queue,
            );
        })?;
        // SAFETY: the event is such a result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DescribeUserScramCredentials_result(answer.as_ptr());
            let users = list(
                result,
                rd::rd_kafka_DescribeUserScramCredentials_result_descriptions,
            );
            Ok(ScramUsers {
                users: users.iter().map(|user| described(*user)).collect(),
                bytes: self.answer_bytes(),
            })
        }
    }

    /// One result per user, in the order of the answer.
    pub fn alter_scram(
        &self,
        changes: &[&ScramChange],
        wait: Wait<'_>,
    ) -> Answered<Vec<(String, Outcome)>> {
        let owned = changes.iter().map(|change| alteration(change));
        let owned = owned.collect::<Result<Vec<_>, _>>()?;
        let mut alterations = pointers(&owned);
        let kind = Operation::RD_KAFKA_ADMIN_OP_ALTERUSERSCRAMCREDENTIALS;
        // SAFETY: live values; the alterations are copied.
        let answer = self.ask(kind, wait, |to| unsafe {
            let (first, count) = (alterations.as_mut_ptr(), alterations.len());
            rd::rd_kafka_AlterUserScramCredentials(to.client, first, count, to.options, to.queue);
        })?;
        // SAFETY: the event is such a result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_AlterUserScramCredentials_result(answer.as_ptr());
            let responses = list(
                result,
                rd::rd_kafka_AlterUserScramCredentials_result_responses,
            );
            let one = |response| {
                let user = rd::rd_kafka_AlterUserScramCredentials_result_response_user(response);
                let error = rd::rd_kafka_AlterUserScramCredentials_result_response_error(response);
                (text(user), outcome(error))
            };
            Ok(responses.iter().map(|r| one(*r)).collect())
        }
    }
}

/// # Safety
/// `user` is live.
unsafe fn described(user: *const rd::rd_kafka_UserScramCredentialsDescription_t) -> DescribedUser {
    // SAFETY: as the caller promises; there are as many as the function says.
    unsafe {
        let count = rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo_count(user);
        let one = |at| {
            let info = rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo(user, at);
            (
                c::rd_kafka_ScramCredentialInfo_mechanism(info),
                rd::rd_kafka_ScramCredentialInfo_iterations(info),
            )
        };
        DescribedUser {
            user: text(rd::rd_kafka_UserScramCredentialsDescription_user(user)),
            error: outcome(rd::rd_kafka_UserScramCredentialsDescription_error(user)).err(),
            credentials: (0..count).map(one).collect(),
        }
    }
}

fn alteration(change: &ScramChange) -> Answered<Owned<Alteration>> {
    let user = c_string(change.user())?;
    let mechanism = match change.mechanism() {
        Mechanism::Sha256 => rd::rd_kafka_ScramMechanism_t::RD_KAFKA_SCRAM_MECHANISM_SHA_256,
        Mechanism::Sha512 => rd::rd_kafka_ScramMechanism_t::RD_KAFKA_SCRAM_MECHANISM_SHA_512,
    };
    // SAFETY: strings and bytes of the given lengths; they are copied.
    let made = unsafe {
        match change {
            ScramChange::Delete { .. } => {
                rd::rd_kafka_UserScramCredentialDeletion_new(user.as_ptr(), mechanism)
            }
            ScramChange::Upsert {
                iterations,
                password,
                salt,
                ..
            } => rd::rd_kafka_UserScramCredentialUpsertion_new(
                user.as_ptr(),
                mechanism,
                c_int::try_from(*iterations).unwrap_or(c_int::MAX),
                password.expose().as_ptr(),
                password.expose().len(),
                salt.as_ptr(),
                salt.len(),
            ),
        }
    };
    Owned::new(made, rd::rd_kafka_UserScramCredentialAlteration_destroy)
}
