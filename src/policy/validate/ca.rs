//! The `ca` section.

use super::issuer;
use crate::{
    document::{Report, Span, Spanned, value_or},
    pki::{Dn, DnError, LEAF_DAYS, NotACrlUrl},
    policy::{
        CaSettings, IssuerSettings, PolicyCode,
        raw::{RawCa, RawCluster},
    },
};

/// The highest generation number that must fit into a CA's subject.
const GENERATIONS: u32 = 999;

/// The keys with numbers of days, which have to go together.
const DAYS: &[&str] = &[
    "ca.valid_days",
    "ca.leaf_valid_days",
    "ca.renew_before_days",
];

/// The `ca` section.
pub(super) fn ca(report: &mut Report, raw: &RawCa, cluster: &RawCluster) -> Option<CaSettings> {
    let valid_days = value_or(&raw.valid_days, 3650);
    let leaf_valid_days = value_or(&raw.leaf_valid_days, LEAF_DAYS);
    let renew_before_days = value_or(&raw.renew_before_days, 60);
    let said = |one: &Option<Spanned<u32>>, other: &Option<Spanned<u32>>| {
        one.as_ref().or(other.as_ref()).map(|d| d.span)
    };
    if leaf_valid_days > valid_days
        && let Some(span) = said(&raw.leaf_valid_days, &raw.valid_days)
    {
        let message = format!(
            "certificates of {leaf_valid_days} days would outlive their CA of {valid_days} days"
        );
        report
            .error(PolicyCode::BadDays, span, message)
            .unless_lost(DAYS)
            .hint("make leaf_valid_days at most valid_days");
    }
    if renew_before_days >= leaf_valid_days
        && let Some(span) = said(&raw.renew_before_days, &raw.leaf_valid_days)
    {
        let message = format!(
            "certificates of {leaf_valid_days} days that are due {renew_before_days} days before their end would always be due"
        );
        report
            .error(PolicyCode::BadDays, span, message)
            .unless_lost(DAYS)
            .hint("make renew_before_days less than leaf_valid_days");
    }
    let issuer = match &raw.issuer {
        Some(raw) => Some(issuer::issuer(report, &raw.value)?),
        None => None,
    };
    let own_ca = issuer.as_ref().is_some_and(IssuerSettings::has_own_ca);
    if let (true, Some(key)) = (own_ca, made(raw)) {
        report
            .error(
                PolicyCode::NoEffect,
                key,
                "this has no effect with an `issuer`",
            )
            .hint("remove it: the subject, key, lifetime and CRL are those of the issuer's own CA");
    }
    let crl_url = raw.crl_url.as_ref().and_then(|url| {
        let bad = |e: NotACrlUrl| {
            report
                .error(PolicyCode::BadCrlUrl, url.span, e.to_string())
                .hint(NotACrlUrl::HINT);
        };
        url.value.parse().map_err(bad).ok()
    });
    Some(CaSettings {
        issuer,
        subject: subject(report, raw, cluster)?,
        key: raw.key.unwrap_or_default(),
        valid_days,
        leaf_valid_days,
        renew_before_days,
        crl_url,
    })
}

/// The settings that only apply to a CA made by kpki.
fn made(raw: &RawCa) -> Option<Span> {
    let subject = raw.subject.as_ref().map(|said| said.span);
    let url = raw.crl_url.as_ref().map(|said| said.span);
    subject
        .or(raw.valid_days.as_ref().map(|said| said.span))
        .or(url)
}

fn subject(report: &mut Report, raw: &RawCa, cluster: &RawCluster) -> Option<Dn> {
    let (dn, span): (Result<Dn, DnError>, Option<Span>) = match (&raw.subject, &cluster.name) {
        (Some(subject), _) => (subject.parse(), Some(subject.span)),
        (None, Some(name)) => (
            Dn::common_name(&format!("{} CA", name.value)),
            Some(name.span),
        ),
        (None, None) => (Dn::common_name("Kafka CA"), None),
    };
    let fits = dn.and_then(|dn| dn.with_generation(GENERATIONS).map(|_| dn));
    match (fits, span) {
        (Ok(dn), _) => Some(dn),
        (Err(_), None) => None,
        (Err(error), Some(span)) => {
            let hint = match &raw.subject {
                Some(_) => {
                    "write it as CN=Example CA,O=Example; a generation such as ` G2` is added to the CN"
                }
                None => {
                    "the CA is named after the cluster; shorten its name, or set `subject` under `ca`"
                }
            };
            report
                .error(PolicyCode::BadSubject, span, error.to_string())
                .unless_lost(&["ca.subject"])
                .hint(hint);
            None
        }
    }
}
