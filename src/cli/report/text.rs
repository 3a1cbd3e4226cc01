//! The report as text.

use super::{
    super::{
        journal, status,
        table::{Column, Column::*, table},
        ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW},
    },
    SHOWN, UNSEEN, days, earlier,
    facts::{Facts, issuer, key, limits},
    more, rotation, summary, urgency,
};
use crate::{printable::Printable, state::Status};

/// The whole report.
pub fn text(facts: &Facts<'_>, ui: &Ui) -> String {
    let mut lines = vec![
        format!(
            "{BOLD}security report{BOLD:#}  {}  {DIM}{}{DIM:#}",
            Printable(&facts.out.root().display().to_string()),
            facts.now.date()
        ),
        format!("{}; {}", summary(facts), urgency(facts)),
    ];
    let mut part = |name: &str, none: &str, body: String, more: String| {
        lines.push(format!("\n{BOLD}{name}{BOLD:#}"));
        lines.push(match body.is_empty() {
            true => format!("  {DIM}{none}{DIM:#}"),
            false => body,
        });
        if !more.is_empty() {
            lines.push(format!("  {DIM}{more}{DIM:#}"));
        }
    };
    let due = facts.due.iter().take(SHOWN).map(|due| {
        let line = status::line(due, facts.now);
        format!("  {line}\n      {}", due.command)
    });
    let due: Vec<String> = due.collect();
    part(
        "due now",
        "nothing",
        due.join("\n"),
        more(facts.due.len(), SHOWN),
    );
    part("CAs", "none", authorities(facts), String::new());
    part("CRLs", "none was written", crls(facts, ui), String::new());
    let left = more(facts.identities.len(), SHOWN);
    part("identities", "none", identities(facts, ui), left);
    let left = more(facts.revocations.len(), SHOWN);
    part("revocations", "none", revocations(facts, ui), left);
    let commands: Vec<_> = facts.command_cells().map(|c| c.map(shown)).collect();
    let commands = listed(ui, journal::COLUMNS, commands);
    part("last changes", "none is recorded", commands, earlier(facts));
    lines.push(format!("\n{UNSEEN}"));
    lines.join("\n")
}

fn shown(text: String) -> String {
    Printable(&text).to_string()
}

/// A table, unless it would be empty.
fn listed<const N: usize>(ui: &Ui, columns: [Column; N], rows: Vec<[String; N]>) -> String {
    match rows.is_empty() {
        true => String::new(),
        false => table(ui, columns, rows),
    }
}

fn authorities(facts: &Facts<'_>) -> String {
    let each = facts.authorities.iter().map(|own| {
        let certificate = &own.certificate;
        let mut rows = vec![
            ("role", own.role.words().to_owned()),
            ("issuer", issuer(own)),
            ("key", key(own)),
            (
                "valid",
                format!(
                    "{} to {}",
                    certificate.not_before.date(),
                    certificate.not_after.date()
                ),
            ),
            ("SHA-256", certificate.fingerprint()),
        ];
        rows.extend(limits(own).into_iter().map(|limits| ("only for", limits)));
        let rows = rows
            .iter()
            .map(|(name, value)| format!("    {DIM}{name:9}{DIM:#}  {value}"));
        let rows: Vec<String> = rows.collect();
        format!(
            "  {BOLD}{}{BOLD:#}\n{}",
            certificate.subject,
            rows.join("\n")
        )
    });
    let rotation = rotation(facts).map(|text| format!("  {YELLOW}rotation{YELLOW:#}  {text}"));
    each.chain(rotation).collect::<Vec<_>>().join("\n")
}

fn crls(facts: &Facts<'_>, ui: &Ui) -> String {
    let rows = facts.crls.iter().map(|crl| {
        [
            crl.issuer.to_string(),
            crl.number.map(|n| n.to_string()).unwrap_or_default(),
            crl.serials().count().to_string(),
            crl.this_update.date().to_string(),
            crl.next_update.date().to_string(),
        ]
    });
    let columns = [
        Prose("ISSUER"),
        Whole("NUMBER"),
        Whole("REVOKED"),
        Spare("WRITTEN"),
        Whole("NEXT UPDATE"),
    ];
    listed(ui, columns, rows.collect())
}

fn identities(facts: &Facts<'_>, ui: &Ui) -> String {
    let rows = facts.identities.iter().take(SHOWN).map(|own| {
        let record = own.record;
        let colour = match own.status {
            Status::Valid => GREEN,
            Status::Revoked => RED,
            Status::Expired => YELLOW,
            Status::Replaced => DIM,
        };
        [
            shown(record.name.clone()),
            format!("{colour}{}{colour:#}", own.status.name()),
            record.not_after.date().to_string(),
            days(own),
            record.kind.name().to_owned(),
            own.key.words().to_owned(),
            record.key.map(|key| key.to_string()).unwrap_or_default(),
            shown(record.sans.join(" ")),
        ]
    });
    let columns = [
        Whole("NAME"),
        Whole("STATUS"),
        Whole("UNTIL"),
        Whole("DAYS LEFT"),
        Spare("KIND"),
        Spare("KEY"),
        Spare("ALGORITHM"),
        Prose("SAN"),
    ];
    listed(ui, columns, rows.collect())
}

fn revocations(facts: &Facts<'_>, ui: &Ui) -> String {
    let rows = facts.revocations.iter().take(SHOWN).map(|own| {
        [
            shown(own.name.clone()),
            own.at.date().to_string(),
            own.reason.name().to_owned(),
            shown(own.serial.clone()),
        ]
    });
    let columns = [Whole("NAME"), Whole("WHEN"), Whole("WHY"), Spare("SERIAL")];
    listed(ui, columns, rows.collect())
}
