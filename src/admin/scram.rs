//! SCRAM credentials in a cluster.

use std::collections::HashSet;

use super::{
    acls::unsent,
    answers::ScramUsers,
    client::{ALTER, Admin, Batch, NEEDS_DESCRIBE, Repeat},
    error::{AdminError, EntryError},
    raw::code,
    scram_change::{ScramChange, unusual},
    subprocess,
};
use crate::scram::{Mechanism, ScramInfo};

const READ: &str = "reading SCRAM users";
const WRITE: &str = "writing SCRAM users";
/// Users per request by name: far below the 10,000 that librdkafka can receive.
const DESCRIBED_AT_ONCE: usize = 1_000;

impl Admin {
    /// The credentials of these users. A user without any is not an error.
    ///
    /// # Errors
    /// If the cluster does not let this principal see them, or the answer is incomplete.
    pub fn describe_scram(&mut self, users: &[&str]) -> Result<Vec<ScramInfo>, AdminError> {
        // Duplicates are an error.
        let mut seen = HashSet::new();
        let users: Vec<&str> = users.iter().copied().filter(|u| seen.insert(*u)).collect();
        if let Some(problem) = users.iter().find_map(|user| unusual(user)) {
            return Err(AdminError::Unsupported(READ, problem.to_owned()));
        }
        let mut found = Vec::new();
        for part in users.chunks(DESCRIBED_AT_ONCE) {
            let answer = self.describe_users(part)?;
            found.extend(self.credentials(answer)?);
        }
        found.sort();
        Ok(found)
    }

    /// All users' credentials; `None` if they must be requested by name, because there are more than the 10,000 that
    /// librdkafka can receive, or names were truncated at a NUL character and look like others.
    ///
    /// # Errors
    /// As [`Admin::describe_scram`].
    pub fn describe_every_scram(&mut self) -> Result<Option<Vec<ScramInfo>>, AdminError> {
        // rd_kafka_buf_read_arraycnt(…, 10000) treats a longer list as a malformed message.
        const TOO_LONG: i32 = code::BAD_MSG;
        match self.describe_users(&[]) {
            Ok(answer) if answer.is_whole() => {
                let mut found = self.credentials(answer)?;
                found.sort();
                Ok(Some(found))
            }
            Ok(_) | Err(AdminError::AnswerTooLarge(_)) => Ok(None),
            Err(AdminError::Refused { code: TOO_LONG, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One request: for these users, or for all.
    fn describe_users(&mut self, users: &[&str]) -> Result<ScramUsers, AdminError> {
        let settings = self.settings.clone();
        self.ask(READ, Repeat::Safe, |handle, wait| {
            subprocess::describe_scram(&settings, users, wait.timeout)
                .unwrap_or_else(|| handle.describe_scram(users, wait))
        })
        .map_err(|error| match too_old(error) {
            // The broker gives no reason.
            AdminError::NotAuthorized(what, _) => {
                AdminError::NotAuthorized(what, NEEDS_DESCRIBE.to_owned())
            }
            other => other,
        })
    }

    /// Converts an answer.
    fn credentials(&self, answer: ScramUsers) -> Result<Vec<ScramInfo>, AdminError> {
        let mut found = Vec::new();
        for user in answer.users {
            match user.error {
                Some(error) if error.code == code::RESOURCE_NOT_FOUND => continue,
                Some(error) => return Err(self.failed(READ, error)),
                None => {}
            }
            for (mechanism, iterations) in user.credentials {
                // Kafka's codes (`ScramMechanism`); there are no others.
                let mechanism = match mechanism {
                    1 => Mechanism::Sha256,
                    2 => Mechanism::Sha512,
                    _ => continue,
                };
                found.push(ScramInfo {
                    user: user.user.clone(),
                    mechanism,
                    iterations: u32::try_from(iterations).unwrap_or(0),
                });
            }
        }
        Ok(found)
    }

    /// Checks that this principal may write credentials, before anything is prepared that the cluster would refuse.
    ///
    /// # Errors
    /// If it may not, or there is no answer.
    pub fn check_scram_writer(&mut self) -> Result<(), AdminError> {
        let operations = self.cluster_operations(WRITE)?;
        scram_writer(operations)
    }

    /// Writes and deletes credentials; one result per change, in order. A user with two mechanisms needs two requests,
    /// because Kafka refuses a request that names a user twice.
    ///
    /// # Errors
    /// If the first request fails as a whole.
    pub fn alter_scram(
        &mut self,
        changes: &[ScramChange],
        batch: &mut Batch<'_>,
    ) -> Result<Vec<Result<(), EntryError>>, AdminError> {
        let (mut results, mut waiting) = unsent(changes.iter().map(ScramChange::problem));
        let mut first = true;
        while !waiting.is_empty() && !batch.stopped() {
            let mut users = HashSet::new();
            let chunk: Vec<usize> = waiting
                .iter()
                .copied()
                .filter(|i| users.len() < batch.chunk() && users.insert(changes[*i].user()))
                .collect();
            waiting.retain(|i| !chunk.contains(i));
            let sent: Vec<_> = chunk.iter().map(|i| &changes[*i]).collect();
            let answer = self.ask(WRITE, Repeat::Never, |handle, wait| {
                handle.alter_scram(&sent, wait)
            });
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) if first => return Err(too_old(error)),
                Err(error) => {
                    for i in chunk {
                        results[i] = Err(EntryError::Unanswered(error.to_string()));
                    }
                    break;
                }
            };
            first = false;
            for i in chunk {
                let result = answer.iter().find(|(user, _)| user == changes[i].user());
                results[i] = match result {
                    Some((_, result)) => result.clone().map_err(EntryError::from),
                    None => Err(EntryError::Unanswered(
                        "the broker's answer does not name the user".into(),
                    )),
                };
            }
            (batch.progress)(changes.len() - waiting.len(), changes.len());
        }
        Ok(results)
    }
}

/// Whether the rights that a broker reports let this principal write SCRAM users. A broker that reports none is older
/// than 2.3, which has no requests for SCRAM users either.
fn scram_writer(operations: Option<Vec<i32>>) -> Result<(), AdminError> {
    match operations {
        None => Err(AdminError::NoScramRequests(WRITE)),
        Some(operations) if operations.contains(&ALTER) => Ok(()),
        Some(_) => {
            let missing = "it needs Alter on the cluster".to_owned();
            Err(AdminError::NotAuthorized(WRITE, missing))
        }
    }
}

/// librdkafka supports everything that is sent here, so it is the broker that does not support the request.
fn too_old(error: AdminError) -> AdminError {
    match error {
        AdminError::Unsupported(what, _) => AdminError::NoScramRequests(what),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kafka 2.2 does not report rights and has no such request; Kafka 2.3 to 2.6 report rights but have no such
    /// request.
    #[test]
    fn brokers_before_2_7_are_called_old_and_not_forbidding() {
        let none = scram_writer(None);
        assert!(matches!(none, Err(AdminError::NoScramRequests(_))));
        let forbidden = scram_writer(Some(vec![]));
        assert!(matches!(forbidden, Err(AdminError::NotAuthorized(..))));
        assert!(scram_writer(Some(vec![ALTER])).is_ok());
        let said = "DescribeUserScramCredentials (KIP-554) not supported by broker";
        let told = too_old(AdminError::Unsupported(READ, said.into()));
        assert!(told.to_string().contains("Kafka 2.7"), "{told}");
        assert!(told.hint().unwrap().contains("--form zookeeper"));
        let other = too_old(AdminError::SecurityDisabled(READ));
        assert!(matches!(other, AdminError::SecurityDisabled(_)));
    }
}
