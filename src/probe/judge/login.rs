//! SASL: what is offered, and what became of a login.

use super::Expected;
use crate::{
    probe::{Check, Fault, Kafka, LoginError},
    scram::Mechanism,
};

const CHECK: &str = "sasl";

pub(super) fn checks(kafka: &Kafka, expected: &Expected<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let wanted = expected.mechanisms;
    let Some(offered) = &kafka.mechanisms else {
        if !wanted.is_empty() {
            let names = names(wanted);
            let message = format!("the listener has no SASL, and {names} should be there");
            checks.push(Check::fault(CHECK, Fault::NoSasl, message));
        } else if let (Some((user, _)), Some(Err(error))) = (expected.user, &kafka.login) {
            let message = format!("{user} could not log in: {error}");
            checks.push(Check::fault(CHECK, Fault::LoginFailed, message));
        }
        return checks;
    };
    let has = |m: &Mechanism| offered.iter().any(|o| o == m.name());
    let lacks: Vec<Mechanism> = wanted.iter().copied().filter(|m| !has(m)).collect();
    let list = offered.join(", ");
    let not_offered = |who: String| {
        let message = format!("{who}, and the listener offers {list}");
        Check::fault(CHECK, Fault::MechanismNotOffered, message)
    };
    if !lacks.is_empty() {
        checks.push(not_offered(format!("{} should be there", names(&lacks))));
    }
    let Some((user, mechanisms)) = expected.user else {
        if checks.is_empty() {
            checks.push(Check::good(CHECK, format!("offers {list}")));
        }
        return checks;
    };
    match &kafka.login {
        Some(Ok(mechanism)) => {
            let message = format!("{user} has logged in by {mechanism}");
            checks.push(Check::good(CHECK, message));
        }
        Some(Err(LoginError::NotOffered)) if checks.is_empty() => {
            checks.push(not_offered(format!(
                "{user} logs in by {}",
                names(mechanisms)
            )));
        }
        Some(Err(LoginError::NotOffered)) => {}
        Some(Err(LoginError::Refused(why))) => {
            let message = format!("{user} was not let in: {why}");
            let check = Check::fault(CHECK, Fault::LoginRefused, message);
            checks.push(match expected.policy {
                Some(policy) => check.hint(format!(
                    "give the cluster the credential that is here: {} scram apply {policy}",
                    expected.kpki
                )),
                None => check,
            });
        }
        Some(Err(error)) => {
            let message = format!("{user} could not log in: {error}");
            checks.push(Check::fault(CHECK, Fault::LoginFailed, message));
        }
        None => checks.push(Check::good(
            CHECK,
            format!("offers {list}; no password was used, as whoever listens is not proved"),
        )),
    }
    checks
}

fn names(mechanisms: &[Mechanism]) -> String {
    let names: Vec<&str> = mechanisms.iter().map(|m| m.name()).collect();
    names.join(" and ")
}
