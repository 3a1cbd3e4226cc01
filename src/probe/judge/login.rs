//! Checks SASL: the offered mechanisms, and the login.

use super::Expected;
use crate::{
    probe::{Check, Fault, Kafka, LoginError},
    scram::Mechanism,
};

const CHECK: &str = "sasl";

pub(super) fn checks(kafka: &Kafka, expected: &Expected<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let wanted = expected.mechanisms;
    let says = expected.says.and_then(|says| Some((says.sasl?, says.who)));
    let Some(offered) = &kafka.mechanisms else {
        if !wanted.is_empty() {
            let names = names(wanted);
            let message = format!("the listener has no SASL, but should offer {names}");
            checks.push(Check::fault(CHECK, Fault::NoSasl, message));
        } else if let (Some((user, _)), Some(Err(error))) = (expected.user, &kafka.login) {
            let message = format!("the login of {user} failed: {error}");
            checks.push(Check::fault(CHECK, Fault::LoginFailed, message));
        } else if let Some((true, who)) = says {
            let message = format!("the listener has no SASL, but {who} says SASL");
            checks.push(Check::fault(CHECK, Fault::NoSasl, message));
        }
        return checks;
    };
    let has = |m: &Mechanism| offered.iter().any(|o| o == m.name());
    let lacks: Vec<Mechanism> = wanted.iter().copied().filter(|m| !has(m)).collect();
    let list = offered.join(", ");
    if let Some((false, who)) = says {
        let message = format!("the listener requires SASL ({list}), but {who} says no SASL");
        return vec![Check::fault(CHECK, Fault::SaslPort, message)];
    }
    let not_offered = |who: String| {
        let message = format!("{who}, but the listener offers {list}");
        Check::fault(CHECK, Fault::MechanismNotOffered, message)
    };
    if !lacks.is_empty() {
        checks.push(not_offered(format!("{} is missing", names(&lacks))));
    }
    let Some((user, mechanisms)) = expected.user else {
        if checks.is_empty() {
            checks.push(Check::good(CHECK, format!("offers {list}")));
        }
        return checks;
    };
    match &kafka.login {
        Some(Ok(mechanism)) => {
            let message = format!("{user} logged in with {mechanism}");
            checks.push(Check::good(CHECK, message));
        }
        Some(Err(LoginError::NotOffered)) if checks.is_empty() => {
            checks.push(not_offered(format!("{user} uses {}", names(mechanisms))));
        }
        Some(Err(LoginError::NotOffered)) => {}
        Some(Err(LoginError::Refused(why))) => {
            let message = format!("the login of {user} was refused: {why}");
            let check = Check::fault(CHECK, Fault::LoginRefused, message);
            checks.push(match expected.policy {
                Some(policy) => check.hint(format!(
                    "update the credential in the cluster: {} scram apply {policy}",
                    expected.kpki
                )),
                None => check,
            });
        }
        Some(Err(error)) => {
            let message = format!("the login of {user} failed: {error}");
            checks.push(Check::fault(CHECK, Fault::LoginFailed, message));
        }
        None => checks.push(Check::good(
            CHECK,
            format!("offers {list}; no login was tried, because the certificate has faults"),
        )),
    }
    checks
}

fn names(mechanisms: &[Mechanism]) -> String {
    let names: Vec<&str> = mechanisms.iter().map(|m| m.name()).collect();
    names.join(" and ")
}
