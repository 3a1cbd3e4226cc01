//! Compares answers with the number of bytes received: librdkafka returns names as C strings, which end at a NUL
//! character, but brokers allow any character in names. A truncated name looks like another name.

use super::raw::{Answered, AnyBinding, BrokerError, DescribedUser, Outcome};

/// An answer to DescribeAcls.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Listed {
    pub(super) bindings: Vec<AnyBinding>,
    /// Its received length, without the correlation id.
    pub(super) bytes: usize,
}

/// The length of an answer to DescribeAcls version 0 and 1 without bindings and error message: throttle time, error
/// code, the length of no message, the length of no resources.
pub(super) const EMPTY_ANSWER: usize = 4 + 2 + 2 + 4;

impl Listed {
    /// Whether the strings account for all bytes of the answer.
    pub(super) fn is_whole(&self) -> bool {
        let (least, more, resources) = Self::sizes(&self.bindings);
        // Version 0, of brokers before 2.0, has no pattern types.
        (least..=least + more).contains(&self.bytes)
            || (least..=least + more).contains(&(self.bytes + resources))
    }

    /// Of an answer of version 1 with these.
    #[cfg(test)]
    pub(super) fn bytes_of(bindings: &[AnyBinding]) -> usize {
        Self::sizes(bindings).0
    }

    /// The minimum number of bytes, how many more there may be, and the number of resources. The bindings of a resource
    /// are adjacent, but resources of different types unknown to librdkafka look like one.
    fn sizes(bindings: &[AnyBinding]) -> (usize, usize, usize) {
        let (mut least, mut more, mut resources) = (EMPTY_ANSWER, 0, 0);
        let mut last: Option<&AnyBinding> = None;
        for b in bindings {
            let head = 1 + 2 + b.name.len() + 1 + 4;
            let same = last.is_some_and(|l| {
                (l.resource_type, l.pattern_type, &l.name)
                    == (b.resource_type, b.pattern_type, &b.name)
            });
            match same {
                false => {
                    least += head;
                    resources += 1;
                }
                true if b.resource_type == 0 || b.pattern_type == 0 => more += head,
                true => {}
            }
            least += 2 + b.principal.len() + 2 + b.host.len() + 1 + 1;
            last = Some(b);
        }
        (least, more, resources)
    }
}

/// What one filter deleted.
pub(super) type Matched = Vec<(AnyBinding, Outcome)>;

/// An answer to DeleteAcls: what each filter deleted, or why nothing.
pub(super) struct DeletedAcls {
    pub(super) filters: Vec<Answered<Matched>>,
    /// Its length, as in [`Listed`].
    pub(super) bytes: usize,
}

impl DeletedAcls {
    /// Whether the strings account for all bytes of the answer.
    pub(super) fn is_whole(&self) -> bool {
        let (least, texts, bindings) = self.sizes();
        // If a broker sends no text with an error, librdkafka supplies its own. Version 0, of brokers before 2.0, has
        // no pattern types.
        [least, least + texts]
            .iter()
            .any(|bytes| *bytes == self.bytes || *bytes == self.bytes + bindings)
    }

    /// The bytes without error texts, the bytes of those, and the number of bindings.
    fn sizes(&self) -> (usize, usize, usize) {
        let text = |error: Option<&BrokerError>| error.map_or(0, |e| e.text.len());
        let (mut least, mut texts, mut bindings) = (4 + 4, 0, 0);
        for filter in &self.filters {
            least += 2 + 2 + 4;
            texts += text(filter.as_ref().err());
            for (b, result) in filter.iter().flatten() {
                least += 2 + 2 + 1 + 2 + b.name.len() + 1;
                least += 2 + b.principal.len() + 2 + b.host.len() + 1 + 1;
                texts += text(result.as_ref().err());
                bindings += 1;
            }
        }
        (least, texts, bindings)
    }
}

/// An answer to DescribeUserScramCredentials.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct ScramUsers {
    pub(super) users: Vec<DescribedUser>,
    /// Its length, as in [`Listed`].
    pub(super) bytes: usize,
}

impl ScramUsers {
    /// Whether the users' names account for all bytes of an answer without errors.
    pub(super) fn is_whole(&self) -> bool {
        // A varint; lengths and counts are encoded plus one.
        let number = |n: usize| 1 + (n + 1).checked_ilog2().unwrap_or(0) as usize / 7;
        let user = |u: &DescribedUser| {
            let credentials = u.credentials.len();
            number(u.user.len()) + u.user.len() + 2 + 1 + number(credentials) + 6 * credentials + 1
        };
        let users = self.users.iter().map(user).sum::<usize>();
        self.bytes == 1 + 4 + 2 + 1 + number(self.users.len()) + users + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deleted(names: &[&str], bytes: usize) -> DeletedAcls {
        let binding = |name: &&str| AnyBinding {
            resource_type: 2,
            pattern_type: 3,
            name: (*name).to_owned(),
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: 3,
            permission: 3,
        };
        DeletedAcls {
            filters: vec![Ok(names.iter().map(|n| (binding(n), Ok(()))).collect())],
            bytes,
        }
    }

    #[test]
    fn a_deletion_that_names_less_than_it_had_is_not_whole() {
        // Throttle time, filters; error, message, bindings; of each: error, message, type, name, pattern, principal,
        // host, operation, permission.
        let whole = (4 + 4) + (2 + 2 + 4) + (2 + 2 + 1 + (2 + 4) + 1 + (2 + 6) + (2 + 1) + 1 + 1);
        assert!(deleted(&["t-12"], whole).is_whole());
        assert!(deleted(&["t-12"], whole - 1).is_whole(), "version 0");
        // `t\012` is `t` in C.
        assert!(!deleted(&["t"], whole).is_whole());
        let mut refused = deleted(&["t-12"], whole + 2);
        if let Ok(bindings) = &mut refused.filters[0] {
            bindings[0].1 = Err(BrokerError::new(1, "no".into()));
        }
        assert!(refused.is_whole());
        refused.bytes = whole + 3;
        assert!(!refused.is_whole());
    }

    #[test]
    fn users_with_shorter_names_than_they_have_are_not_whole() {
        let users = |name: &str, bytes| ScramUsers {
            users: vec![DescribedUser {
                user: name.to_owned(),
                error: None,
                credentials: vec![(1, 4096), (2, 4096)],
            }],
            bytes,
        };
        let head = 1 + 4 + 2 + 1 + 1 + 1;
        assert!(users("carol", head + (1 + 5) + 2 + 1 + 1 + 12 + 1).is_whole());
        assert!(!users("carol", head + (1 + 7) + 2 + 1 + 1 + 12 + 1).is_whole());
        // From 127 on the length takes two bytes.
        let long = "c".repeat(127);
        assert!(users(&long, head + (2 + 127) + 2 + 1 + 1 + 12 + 1).is_whole());
        let none = ScramUsers {
            users: vec![],
            bytes: head,
        };
        assert!(none.is_whole());
    }
}
