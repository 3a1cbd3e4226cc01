//! `kpki revoke`

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    CliError, Code, Done, Failure, Global, crl,
    init_ca::{take_lock, tidy},
    shell,
    ui::{BOLD, DIM, RED, Ui, YELLOW},
};
use crate::{
    bootstrap::{ca::Ca, forgotten, lists::CRL, revoke, rfc3339},
    pki::{Kind, Reason},
    state::{Event, Inventory, OutDir, Revocation},
};

/// Revoke an identity's certificates
///
/// The revocation is recorded before it is reported. From then on, the identity gets no new certificate unless it is
/// requested by name: kpki renew NAME --new-key. The output ends with the steps that shut the client out of a cluster;
/// docs/security.md describes how effective they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki revoke alice --reason keyCompromise
  kpki revoke 4A:1F:…:07 --reason superseded
  kpki revoke 4758279102bf --reason superseded
  kpki revoke alice --reason certificateHold && kpki revoke alice --reason removeFromCRL

A NAME revokes every unexpired certificate of that identity, a SERIAL only that one; its first
digits, at least 8, are enough.
For keyCompromise, every other certificate of the same key is revoked as well.")]
pub struct Revoke {
    /// Names of identities, or serial numbers in hex
    #[arg(required = true, value_name = "NAME|SERIAL")]
    whose: Vec<String>,
    /// The reason, an RFC 5280 reason code; certificateHold is temporary, and removeFromCRL ends it
    #[arg(long, value_name = "R", default_value_t = Reason::Unspecified, value_parser = reason())]
    reason: Reason,
}

fn is_passphrase_missing(error: &CliError) -> bool {
    matches!(error.code, Code::PassphraseMissing)
}

fn keeps_its_own_list(error: &CliError) -> bool {
    matches!(error.code, Code::NoCrl)
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
            forgotten::check(&out, &ca.trust, &inventory, now)?;
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
                Reason::RemoveFromCrl => format!("{YELLOW}reinstated{YELLOW:#}"),
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
        let list = crl::write(global, &out, &ca, crl::DAYS, None, ui);
        match &list {
            Ok((list, _)) => ui.say(format!(
                "{} is new: {}",
                out.ca_file(CRL).display(),
                crl::described(&list.own)
            )),
            Err(why) if why.only().is_some_and(keeps_its_own_list) => ui.warn(
                "the external issuer keeps its own CRL: revoke there as well, and use the CRL from there",
            ),
            Err(why) => {
                ui.warn(format!(
                    "{} still lacks this, although it is recorded: {}. Programs that check the CRL accept what is revoked until you run",
                    out.ca_file(CRL).display(),
                    why.only().map_or("", |error| &error.message),
                ));
                ui.complain(format!("    {} crl", shell::kpki(out.root())));
            }
        }
        self.next(&revoking.events, brokers, &shell::kpki(out.root()), ui);
        let document = |r: &Revocation| json!({"name": r.name, "serial": r.serial, "reason": r.reason, "at": rfc3339(r.at)});
        let documents = |all: &[Revocation]| all.iter().map(document).collect::<Vec<Value>>();
        ui.document(&json!({
            "revoked": documents(&revoking.events),
            "unchanged": documents(&revoking.before),
            "crl": list.as_ref().ok().map(|(lists, _)| crl::document(&lists.own)),
        }));
        match list {
            // The list was not asked for, or is not kpki's.
            Err(why)
                if !why
                    .only()
                    .is_some_and(|e| is_passphrase_missing(e) || keeps_its_own_list(e)) =>
            {
                Err(Failure::Partly)
            }
            _ => Ok(()),
        }
    }

    /// What shuts its owner out of a cluster.
    fn next(&self, events: &[Revocation], brokers: bool, kpki: &str, ui: &Ui) {
        if events.is_empty() {
            return;
        }
        ui.say(format!("\n{BOLD}next:{BOLD:#}"));
        if self.reason == Reason::RemoveFromCrl {
            ui.below(format!("{kpki} acl apply POLICY --prune removes the client's Deny; {kpki} scram apply POLICY restores its SCRAM credential"));
            return;
        }
        match brokers {
            true => ui.below(
                "a broker is a super user, to whom ACLs do not apply: remove it from the policy, run kpki up POLICY, and restart the others",
            ),
            false => {
                ui.below(format!("{kpki} acl apply POLICY denies the client everything"));
                ui.below(format!("{kpki} scram apply POLICY --prune deletes its SCRAM credential"));
            }
        }
        ui.below("brokers continue to accept the certificate itself until it expires, unless they check the CRL (`crl_url` in the policy)");
        if self.reason != Reason::CertificateHold {
            let names: BTreeSet<&str> = events.iter().map(|event| event.name.as_str()).collect();
            let names = Vec::from_iter(names).join(" ");
            ui.below(format!("{kpki} renew {names} --new-key gives a new key and certificate, if there should be one"));
            if self.reason == Reason::KeyCompromise && !brokers {
                ui.below(format!("{kpki} scram apply POLICY --rotate {} then gives a new password: whoever read the key may have read the old one", names.replace(' ', " --rotate ")));
            }
        }
    }
}
