//! Checks the chain that a listener sends: trust, host name, validity, keys.

use time::OffsetDateTime;

use super::Expected;
use crate::{
    pki::{Certificate, Details, Host, PathEnd, TrustPath, trust_path},
    probe::{Check, Fault, Served},
};

/// How many names are listed in a message.
const SHOWN: usize = 8;

/// Checks the chain, and collects its details.
pub(super) fn checks(
    served: &Served,
    expected: &Expected<'_>,
    described: &mut Vec<Details>,
) -> Vec<Check> {
    let mut sent = Vec::new();
    for der in &served.chain {
        match (Certificate::from_der(der), Details::of(der)) {
            (Ok(certificate), Ok(details)) => {
                sent.push(certificate);
                described.push(details);
            }
            (Err(error), _) | (_, Err(error)) if sent.is_empty() => {
                let message = format!("the certificate cannot be read: {error}");
                return vec![Check::fault("chain", Fault::BadCertificate, message)];
            }
            // Anything may follow the leaf; clients ignore what they cannot use.
            _ => {}
        }
    }
    let (Some(leaf), Some(path)) = (described.first(), trust_path(&sent, expected.trusted)) else {
        let message = "the listener sent no certificate";
        return vec![Check::fault("chain", Fault::BadCertificate, message)];
    };
    let on_path: Vec<Details> = path
        .certificates
        .iter()
        .filter_map(|certificate| Details::of(&certificate.der).ok())
        .collect();
    vec![
        chain(&path, &sent, leaf, &on_path, expected),
        hostname(&sent[0], leaf, expected),
        expiry(&on_path, expected),
        strength(&path, &on_path, served.proved),
    ]
}

fn chain(
    path: &TrustPath<'_>,
    sent: &[Certificate],
    leaf: &Details,
    on_path: &[Details],
    expected: &Expected<'_>,
) -> Check {
    let fault = |fault, message: String| Check::fault("chain", fault, message);
    // Never empty: it begins with the leaf.
    let Some(last) = path.certificates.last() else {
        return fault(
            Fault::BadCertificate,
            "the listener sent no certificate".to_owned(),
        );
    };
    let from = expected.trusted_from;
    let ends = match path.certificates.len() {
        1 => format!("the certificate of `{}`", last.subject),
        _ => format!("the chain's last certificate, that of `{}`,", last.subject),
    };
    match path.end {
        PathEnd::Trusted => usages(leaf, on_path, last),
        PathEnd::Unchecked => fault(
            Fault::Unchecked,
            format!("{ends} has a signature that kpki cannot check"),
        ),
        PathEnd::OtherKey => fault(
            Fault::OtherCa,
            format!(
                "{ends} names `{}` as its issuer, but was not signed by the CA of that name in {from}",
                last.issuer
            ),
        ),
        PathEnd::Untrusted if path.certificates.len() == 1 => fault(
            Fault::SelfSigned,
            format!(
                "the certificate of `{}` is self-signed, and is not in {from}",
                last.subject
            ),
        ),
        PathEnd::Untrusted => fault(
            Fault::UnknownCa,
            format!(
                "the chain ends at the CA `{}`, which is not in {from}",
                last.subject
            ),
        ),
        PathEnd::Missing => {
            let by_it = |ca: &&Certificate| last.is_issued_by(ca) && last.is_signed_by(ca);
            let completed = [sent, expected.known].concat();
            let known = expected.known.iter().find(by_it);
            let leads = known.is_some()
                && trust_path(&completed, expected.trusted)
                    .is_some_and(|path| path.end == PathEnd::Trusted);
            match leads {
                true => fault(
                    Fault::MissingIntermediate,
                    format!(
                        "the listener does not send the certificate of the intermediate CA `{}`, which clients need to reach the root",
                        last.issuer
                    ),
                ),
                false => fault(
                    Fault::UnknownCa,
                    format!(
                        "{ends} was issued by `{}`, which is neither in {from} nor sent: an unknown CA, or an intermediate that the listener does not send",
                        last.issuer
                    ),
                ),
            }
        }
    }
}

/// Checks the usages in a trusted chain.
fn usages(leaf: &Details, on_path: &[Details], root: &Certificate) -> Check {
    let fault = |message: String| Check::fault("chain", Fault::WrongUsage, message);
    if !leaf.is_for_servers() {
        return fault(format!(
            "the certificate of `{}` is not for servers: its extended key usage lacks serverAuth",
            leaf.subject
        ));
    }
    if let Some(oid) = leaf.unknown_critical.first() {
        let message = format!(
            "the certificate of `{}` has a critical extension that clients do not support: {oid}",
            leaf.subject
        );
        return Check::fault("chain", Fault::BadCertificate, message);
    }
    for (below, ca) in on_path.iter().enumerate().skip(1) {
        let signs = ca.key_usage.as_ref();
        let may = signs.is_none_or(|usages| usages.contains(&"keyCertSign"));
        // A version 1 root has no extensions, and is trusted as it is.
        let says = ca.ca || ca.version < 3 && below + 1 == on_path.len();
        let deep = ca
            .path_length
            .is_some_and(|most| usize::try_from(most).is_ok_and(|most| below - 1 > most));
        if !(may && says) {
            return fault(format!(
                "`{}` has signed a certificate, but is not a CA",
                ca.subject
            ));
        }
        if deep {
            return fault(format!(
                "`{}` may not have this many CAs below it (path length)",
                ca.subject
            ));
        }
    }
    let message = match on_path.len() {
        1 => format!("the certificate of `{}` is itself trusted", leaf.subject),
        _ => format!(
            "`{}`, issued under the trusted CA `{}`",
            leaf.subject, root.subject
        ),
    };
    Check::good("chain", message)
}

fn hostname(certificate: &Certificate, leaf: &Details, expected: &Expected<'_>) -> Check {
    let name = expected.server_name;
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let bare = bare.unwrap_or(name);
    let asked = bare
        .parse()
        .map_or_else(|_| Host::Dns(bare.to_owned()), Host::Ip);
    if certificate.hosts.iter().any(|host| host.covers(&asked)) {
        return Check::good("hostname", format!("the certificate names {name}"));
    }
    let names = match leaf.sans.len() {
        0..=SHOWN => leaf.sans.join(", "),
        more => format!(
            "{} and {} more",
            leaf.sans[..SHOWN].join(", "),
            more - SHOWN
        ),
    };
    let check = match certificate.hosts.is_empty() {
        true => Check::fault(
            "hostname",
            Fault::NoSan,
            format!(
                "the certificate of `{}` has no SAN, so it is not valid for any host",
                leaf.subject
            ),
        ),
        false => Check::fault(
            "hostname",
            Fault::WrongHost,
            format!("the certificate has no SAN for {name}; it has {names}"),
        ),
    };
    let Expected { kpki, .. } = expected;
    match (expected.owner, expected.policy, expected.request) {
        (Some(owner), Some(policy), Some(_)) => check.hint(format!(
            "have {name} among the hosts of {owner} in {policy}; {kpki} up {policy} then shows how to sign a new request from its machine; restart the broker with that certificate"
        )),
        (Some(owner), Some(policy), None) => check.hint(format!(
            "add {name} to the hosts of {owner} in {policy}, run {kpki} up {policy}, and reload the broker"
        )),
        (Some(_), None, Some(request)) => check.hint(format!(
            "connect with a name that it has, or sign a new request from its machine that adds this one: {kpki} {request}"
        )),
        (Some(owner), None, None) => check.hint(format!(
            "connect with a name that it has, or add this one: {kpki} renew {owner} --host {name}"
        )),
        _ => check,
    }
}

fn expiry(on_path: &[Details], expected: &Expected<'_>) -> Check {
    let now = expected.now;
    for (at, certificate) in on_path.iter().enumerate() {
        let of = match at {
            0 => "the certificate".to_owned(),
            _ => format!("the certificate of the CA `{}`", certificate.subject),
        };
        if certificate.not_after < now {
            let message = format!(
                "{of} expired on {}, {} ago",
                certificate.not_after.date(),
                distance(certificate.not_after, now)
            );
            let check = Check::fault("expiry", Fault::Expired, message);
            return match (at, expected.remedy) {
                (0, Some(remedy)) => check.hint(remedy),
                (0, None) => check,
                _ => check.hint(format!("replace the CA: {} rotate-ca start", expected.kpki)),
            };
        }
        if certificate.not_before > now {
            let message = format!(
                "{of} is not valid until {}, in {}",
                certificate.not_before.date(),
                distance(now, certificate.not_before)
            );
            return Check::fault("expiry", Fault::NotYetValid, message);
        }
    }
    let first = on_path.iter().map(|c| c.not_after).min();
    let first = first.unwrap_or(now);
    Check::good(
        "expiry",
        format!("valid until {}, for {}", first.date(), distance(now, first)),
    )
}

/// `3 days`, `5 hours`.
fn distance(from: OffsetDateTime, to: OffsetDateTime) -> String {
    let count = |number: i64, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let between = to - from;
    match (between.whole_days(), between.whole_hours()) {
        (0, 0) => count(between.whole_minutes(), "minute"),
        (0, hours) => count(hours, "hour"),
        (days, _) => count(days, "day"),
    }
}

fn strength(path: &TrustPath<'_>, on_path: &[Details], proved: bool) -> Check {
    let trusted = path.end == PathEnd::Trusted;
    for (at, certificate) in on_path.iter().enumerate() {
        let subject = &certificate.subject;
        if let Some(weak) = &certificate.key.weak {
            let message = format!("the key of `{subject}` is weak: {weak}");
            return Check::fault("key", Fault::WeakKey, message);
        }
        // The signature of a trusted certificate is never checked.
        let is_anchor = trusted && at + 1 == on_path.len();
        if !certificate.signature_is_strong && !is_anchor {
            let message = format!(
                "the certificate of `{subject}` is signed with {}, which can be forged",
                certificate.signature
            );
            return Check::fault("key", Fault::WeakSignature, message);
        }
    }
    let keys: Vec<&str> = on_path.iter().map(|c| c.key.name.as_str()).collect();
    let mut message = keys.join(", ");
    if !proved {
        message.push_str("; it could not be verified that the listener has the key");
    }
    Check::good("key", message)
}
