//! `properties` and `rack`: settings that are passed on to Kafka.

use crate::{
    document::{Report, Scalar, Span, Spanned},
    policy::{
        KafkaProperties, PolicyCode,
        raw::{RawClient, RawProperties},
    },
};

/// Checks settings. `decides` returns what decides a setting that `properties` must not contain.
pub(super) fn properties(
    report: &mut Report,
    raw: Option<&RawProperties>,
    decides: fn(&str) -> Option<&'static str>,
) -> KafkaProperties {
    let mut all = KafkaProperties::default();
    for (name, value) in raw.iter().flat_map(|raw| &raw.0) {
        let good = self::name(report, name, decides) & self::value(report, name, value);
        if good {
            all.0.insert(name.value.clone(), value.value.0.clone());
        }
    }
    all
}

fn name(
    report: &mut Report,
    name: &Spanned<String>,
    decides: fn(&str) -> Option<&'static str>,
) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || !name.chars().all(letter) {
        let message = format!(
            "`{}` is not the name of a Kafka setting",
            name.escape_debug()
        );
        report
            .error(PolicyCode::BadProperty, name.span, message)
            .hint("names must consist of letters, digits, `.`, `_` and `-`");
        return false;
    }
    if let Some(what) = decides(name) {
        let message = format!("`{}` is set by kpki itself", name.value);
        report
            .error(PolicyCode::SetByKpki, name.span, message)
            .hint(format!("remove it here: {what}"));
        return false;
    }
    true
}

/// The value is not quoted, as it may be secret.
fn value(report: &mut Report, name: &Spanned<String>, value: &Spanned<Scalar>) -> bool {
    let text = &value.value.0;
    let (fault, hint) = if text.chars().any(char::is_control) {
        (
            "contains a line break or another control character",
            "write it on one line",
        )
    } else if text.trim() != text {
        (
            "begins or ends with a space, which Kafka removes",
            "remove the space",
        )
    } else {
        return true;
    };
    let message = format!("the value of `{}` {fault}", name.escape_debug());
    report
        .error(PolicyCode::BadProperty, value.span, message)
        .hint(hint);
    false
}

/// Reports values that the reader of one of a client's files would interpret. They are not quoted, as they may be
/// secret.
pub(super) fn interpreted(report: &mut Report, client: &RawClient) {
    let settings = client.properties.iter().flat_map(|raw| &raw.0);
    for (name, value) in settings {
        if let Some((format, text, why)) = interpreter(client, &value.value.0) {
            let message = format!(
                "the value of `{}` contains `{text}`, {why}",
                name.escape_debug()
            );
            report
                .error(PolicyCode::BadProperty, value.span, message)
                .note(format, "the format")
                .hint("remove the setting or the format");
        }
    }
}

/// The first of a client's formats that cannot contain a value, what in the value it is about, and why.
pub(super) fn interpreter(
    client: &RawClient,
    value: &str,
) -> Option<(Span, &'static str, &'static str)> {
    let formats = client.formats.iter().flat_map(|list| &list.0);
    let mut found = formats.filter_map(|format| {
        let (text, why) = format.value.interprets()?;
        Some((format.span, text, why))
    });
    found.find(|(_, text, _)| value.contains(text))
}

/// The rack of a broker.
pub(super) fn rack(report: &mut Report, raw: Option<&Spanned<String>>) -> Option<String> {
    let rack = raw?;
    if rack.trim() != rack.value || rack.is_empty() || rack.chars().any(char::is_control) {
        let message =
            "the rack is empty, begins or ends with a space, or contains a control character";
        report
            .error(PolicyCode::BadName, rack.span, message)
            .hint("write a name such as eu-west-1a, or remove the key");
    }
    Some(rack.value.clone())
}
