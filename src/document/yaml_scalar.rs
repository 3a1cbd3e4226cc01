//! The types of plain scalars: YAML's core schema (YAML 1.2.2 §10.3.2).

/// The type of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    /// An integer; out of range, it becomes the maximum or minimum, which no schema allows either.
    Int(i64),
    Float,
    Text,
}

/// The type of a plain scalar.
pub(super) fn kind_of(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    let octal = text.strip_prefix("0o").map(|digits| (digits, 8));
    let hex = text.strip_prefix("0x").map(|digits| (digits, 16));
    if let Some((digits, radix)) = octal.or(hex)
        && !digits.is_empty()
        && digits.chars().all(|c| c.is_digit(radix))
    {
        return Kind::Int(i64::from_str_radix(digits, radix).unwrap_or(i64::MAX));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let beyond = if text.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        };
        return Kind::Int(text.parse().unwrap_or(beyond));
    }
    if is_float(unsigned) || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Kind::Float;
    }
    Kind::Text
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, or infinity.
fn is_float(unsigned: &str) -> bool {
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    exponent_fits && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_decides() {
        for (text, kind) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("nULL", Kind::Text),
            ("True", Kind::Bool(true)),
            ("yes", Kind::Text),
            ("on", Kind::Text),
            ("0", Kind::Int(0)),
            ("-19", Kind::Int(-19)),
            ("+12", Kind::Int(12)),
            ("007", Kind::Int(7)),
            ("0o17", Kind::Int(15)),
            ("0xfF", Kind::Int(255)),
            ("0x", Kind::Text),
            ("0o8", Kind::Text),
            ("99999999999999999999", Kind::Int(i64::MAX)),
            ("-99999999999999999999", Kind::Int(i64::MIN)),
            ("0xffffffffffffffffffff", Kind::Int(i64::MAX)),
            ("4.3", Kind::Float),
            (".5", Kind::Float),
            ("1.", Kind::Float),
            ("1e3", Kind::Float),
            ("1e", Kind::Text),
            (".", Kind::Text),
            ("-", Kind::Text),
            ("+.inf", Kind::Float),
            (".NaN", Kind::Float),
            ("10.0.0.1", Kind::Text),
            ("1000:1000", Kind::Text),
            ("é", Kind::Text),
        ] {
            assert_eq!(kind_of(text), kind, "{text:?}");
        }
    }
}
