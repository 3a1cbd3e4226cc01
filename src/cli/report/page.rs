//! The report as one HTML page: no script, and nothing that is loaded from elsewhere.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::{
    SHOWN, UNSEEN, days, earlier,
    facts::{Facts, issuer, key, limits},
    html::{Cell, Cell::*, Html},
    more, rotation,
    style::CSS,
    summary, urgency,
};
use crate::{
    bootstrap::rfc3339,
    pki::{sha256, unhex},
    state::Status,
};

/// How every page begins.
const BEGIN: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"kpki report\">\n";

/// Whether a file is such a page.
pub fn is_one(file: &[u8]) -> bool {
    file.starts_with(BEGIN.as_bytes())
}

/// The whole page.
pub fn page(facts: &Facts<'_>) -> String {
    let mut html = Html::default();
    html.raw(BEGIN);
    // Only this style sheet: a value that got past the escaping could neither run nor load anything.
    let digest = BASE64.encode(unhex(&sha256(CSS.as_bytes())).unwrap_or_default());
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-")
        .text(&digest)
        .raw("'; base-uri 'none'; form-action 'none'\">\n")
        .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>Security report: ")
        .text(&facts.out.root().display().to_string())
        .raw("</title>\n<style>")
        .raw(CSS)
        .raw("</style>\n</head>\n<body>\n<header>\n<h1>Security report</h1>\n<p class=\"dim\">")
        .raw("Output directory <code>")
        .text(&facts.out.root().display().to_string())
        .raw("</code>, ")
        .text(&rfc3339(facts.now.truncate_to_second()))
        .raw("</p>\n");
    let late = facts.due.iter().any(|due| due.is_late(facts.now));
    html.raw(match (facts.due.is_empty(), late) {
        (true, _) => "<p class=\"summary\">",
        (false, false) => "<p class=\"summary soon\">",
        (false, true) => "<p class=\"summary late\">",
    });
    html.text(&format!("{}; {}.", summary(facts), urgency(facts)))
        .raw("</p>\n</header>\n<main>\n");
    due(&mut html, facts);
    authorities(&mut html, facts);
    crls(&mut html, facts);
    identities(&mut html, facts);
    revocations(&mut html, facts);
    commands(&mut html, facts);
    html.raw("</main>\n<footer>\n");
    note(&mut html, UNSEEN);
    html.raw("</footer>\n</body>\n</html>\n");
    html.finish()
}

fn note(html: &mut Html, text: &str) {
    if !text.is_empty() {
        html.raw("<p class=\"dim\">").text(text).raw("</p>\n");
    }
}

fn due(html: &mut Html, facts: &Facts<'_>) {
    html.raw("<h2>Due now</h2>\n");
    if facts.due.is_empty() {
        return note(html, "Nothing.");
    }
    html.raw("<ol class=\"due\">\n");
    for due in facts.due.iter().take(SHOWN) {
        html.raw(match due.is_late(facts.now) {
            true => "<li><span class=\"bad\">",
            false => "<li><span class=\"warn\">",
        });
        html.text(due.code.name())
            .raw("</span> <strong>")
            .text(&due.name)
            .raw("</strong>: ")
            .text(&due.message)
            .raw("<code>")
            .text(&due.command)
            .raw("</code></li>\n");
    }
    html.raw("</ol>\n");
    note(html, &more(facts.due.len(), SHOWN));
}

fn authorities(html: &mut Html, facts: &Facts<'_>) {
    html.raw("<h2>Certificate authorities</h2>\n");
    if let Some(rotation) = rotation(facts) {
        html.raw("<p><span class=\"warn\">rotation</span> ")
            .text(&rotation)
            .raw("</p>\n");
    }
    for own in &facts.authorities {
        let certificate = &own.certificate;
        let (from, until) = (certificate.not_before.date(), certificate.not_after.date());
        html.raw("<section class=\"ca\">\n<h3>")
            .text(&certificate.subject.to_string())
            .raw("</h3>\n<dl>\n");
        let mut row = |name, value: &str| {
            html.raw("<dt>").raw(name).raw("</dt><dd>").text(value);
            html.raw("</dd>\n");
        };
        row("Role", own.role.words());
        row("Issuer", &issuer(own));
        row("Key", &key(own));
        row("Valid", &format!("{from} to {until}"));
        row("SHA-256", &certificate.fingerprint());
        limits(own).iter().for_each(|only| row("Only for", only));
        html.raw("</dl>\n</section>\n");
    }
}

fn crls(html: &mut Html, facts: &Facts<'_>) {
    html.raw("<h2>Certificate revocation lists</h2>\n");
    let rows = facts.crls.iter().map(|crl| {
        [
            Head(crl.issuer.to_string()),
            Whole(crl.number.map(|n| n.to_string()).unwrap_or_default()),
            Whole(crl.serials().count().to_string()),
            Whole(crl.this_update.date().to_string()),
            Whole(crl.next_update.date().to_string()),
        ]
    });
    let heads = ["Issuer", "Number", "Revoked", "Written", "Next update"];
    html.table(
        "Certificate revocation lists",
        heads,
        "None was written.",
        rows,
    );
}

fn identities(html: &mut Html, facts: &Facts<'_>) {
    html.raw("<h2>Identities</h2>\n");
    let rows = facts.identities.iter().take(SHOWN).map(|own| {
        let record = own.record;
        [
            Head(record.name.clone()),
            status(own.status),
            Whole(record.not_after.date().to_string()),
            Whole(days(own)),
            Whole(record.kind.name().to_owned()),
            Whole(own.key.words().to_owned()),
            Whole(record.key.map(|key| key.to_string()).unwrap_or_default()),
            Long(record.sans.join(" ")),
        ]
    });
    let heads = [
        "Name",
        "Status",
        "Until",
        "Days left",
        "Kind",
        "Key",
        "Algorithm",
        "Hosts",
    ];
    html.table("Identities", heads, "None.", rows);
    note(html, &more(facts.identities.len(), SHOWN));
}

fn status(status: Status) -> Cell {
    let class = match status {
        Status::Valid => "good",
        Status::Expired => "warn",
        Status::Revoked => "bad",
        Status::Replaced => "dim",
    };
    Marked(class, status.name())
}

fn revocations(html: &mut Html, facts: &Facts<'_>) {
    html.raw("<h2>Revocations</h2>\n");
    let rows = facts.revocations.iter().take(SHOWN).map(|own| {
        [
            Head(own.name.clone()),
            Whole(own.at.date().to_string()),
            Whole(own.reason.name().to_owned()),
            Long(own.serial.clone()),
        ]
    });
    let heads = ["Name", "When", "Why", "Serial number"];
    html.table("Revocations", heads, "None.", rows);
    note(html, &more(facts.revocations.len(), SHOWN));
}

fn commands(html: &mut Html, facts: &Facts<'_>) {
    html.raw("<h2>Last changes</h2>\n");
    let rows = facts
        .command_cells()
        .map(|[when, who, command, result, what]| {
            [
                Whole(when),
                Long(who),
                Long(command),
                Whole(result),
                Long(what),
            ]
        });
    let heads = ["When", "Who", "Command", "Result", "What"];
    html.table("Last changes", heads, "None is recorded.", rows);
    note(html, &earlier(facts));
}
