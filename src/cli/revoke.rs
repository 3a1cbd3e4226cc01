//! `kpki revoke`

use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    CliError, Code, Done, Failure, Global, crl,
    init_ca::{take_lock, tidy},
    ui::{BOLD, DIM, RED, Ui, YELLOW},
};
use crate::{
    bootstrap::{ca::Ca, lists::CRL, revoke, rfc3339},
    pki::{Kind, Reason},
    state::{Event, Inventory, OutDir, Revocation},
};

/// Revoke an identity's certificates
///
/// It is on record before it is said, and from then on the identity gets no certificate unless that is asked for by name:
/// kpki renew NAME --new-key. What shuts a client out of a cluster is said at the end; docs/security.md says what that
/// is worth.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki revoke alice --reason keyCompromise
  kpki revoke 4A:1F:…:07 --reason superseded
  kpki revoke alice --reason certificateHold && kpki revoke alice --reason removeFromCRL

A NAME means every certificate of that identity that has not ended, a SERIAL that one alone.
Where a key was compromised, every other certificate of that key is revoked as well.")]
pub struct Revoke {
    /// Names of identities, or serial numbers in hex
    #[arg(required = true, value_name = "NAME|SERIAL")]
    whose: Vec<String>,
    /// Why, in RFC 5280's words; certificateHold is for the time being, and removeFromCRL ends it
    #[arg(long, value_name = "R", default_value_t = Reason::Unspecified, value_parser = reason())]
    reason: Reason,
}

fn is_passphrase_missing(error: &CliError) -> bool {
    matches!(error.code, Code::PassphraseMissing)
}

fn reason() -> impl clap::builder::TypedValueParser<Value = Reason> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Reason::ALL.map(Reason::name)).try_map(|text| text.parse::<Reason>())
}

impl Revoke {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        tidy(&out, ui)?;
        let ca = Ca::open(&out)?;
        let now = OffsetDateTime::now_utc();
        let (revoking, brokers) = {
            let lock = take_lock(&out, ui)?;
            let mut inventory = Inventory::read(&out)?;
            let planned = revoke::plan(&inventory, &self.whose, self.reason, now);
            let revoking = planned.map_err(|errors| {
                Failure::Errors(errors.into_iter().map(CliError::from).collect())
            })?;
            let events = revoking.events.iter().cloned().map(Event::Revoked);
            inventory.append_events(&lock, events.collect())?;
            let all = revoking.events.iter().chain(&revoking.before);
            let mut records = all.filter_map(|r| inventory.by_serial(&r.serial));
            let brokers = records.any(|r| r.kind == Kind::Broker);
            (revoking, brokers)
        };
        for revocation in &revoking.events {
            let word = match revocation.reason {
                Reason::RemoveFromCrl => format!("{YELLOW}taken back{YELLOW:#}"),
                _ => format!("{RED}revoked{RED:#}"),
            };
            ui.say(format!(
                "{word}  {} {DIM}{}{DIM:#}",
                revocation.name, revocation.serial
            ));
        }
        for revocation in &revoking.before {
            ui.say(format!(
                "unchanged  {} {DIM}{}{DIM:#} was revoked on {} ({})",
                revocation.name,
                revocation.serial,
                revocation.at.date(),
                revocation.reason
            ));
        }
        let list = crl::write(global, &out, &ca, crl::DAYS, ui);
        match &list {
            Ok(list) => ui.say(format!(
                "{} is new: {}",
                out.ca_file(CRL).display(),
                crl::described(&list.own)
            )),
            Err(why) => ui.warn(format!(
                "it is on record, and not yet in {}: {}; `kpki crl` writes it",
                out.ca_file(CRL).display(),
                why.only().map_or("", |error| &error.message)
            )),
        }
        self.next(&revoking.events, brokers, ui);
        let document = |r: &Revocation| json!({"name": r.name, "serial": r.serial, "reason": r.reason, "at": rfc3339(r.at)});
        let documents = |all: &[Revocation]| all.iter().map(document).collect::<Vec<Value>>();
        ui.document(&json!({
            "revoked": documents(&revoking.events),
            "unchanged": documents(&revoking.before),
            "crl": list.as_ref().ok().map(|lists| crl::document(&lists.own)),
        }));
        match list {
            // Nobody asked for the list.
            Err(why) if !why.only().is_some_and(is_passphrase_missing) => Err(Failure::Partly),
            _ => Ok(()),
        }
    }

    /// What shuts its owner out.
    fn next(&self, events: &[Revocation], brokers: bool, ui: &Ui) {
        if events.is_empty() {
            return;
        }
        ui.say(format!("\n{BOLD}next:{BOLD:#}"));
        if self.reason == Reason::RemoveFromCrl {
            ui.below("kpki acl apply POLICY --prune takes the client's Deny back; kpki scram apply POLICY gives it its SCRAM credential again");
            return;
        }
        match brokers {
            true => ui.below(
                "a broker is a super user, whom no ACL stops: take it out of the policy, kpki up POLICY, and restart the others",
            ),
            false => {
                ui.below("kpki acl apply POLICY denies the client everything");
                ui.below("kpki scram apply POLICY --prune takes its SCRAM credential away");
            }
        }
        ui.below("brokers go on accepting the certificate itself until it ends, unless they check the list (`crl_url` in the policy)");
        if self.reason != Reason::CertificateHold {
            ui.below("kpki renew NAME --new-key gives the identity a new key and certificate, when it is to have one");
        }
    }
}
