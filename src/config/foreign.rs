//! The lines of a properties file that somebody else wrote, as Java reads them.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::{Properties, known::is_name};

/// What a line is.
pub(super) enum Line<'a> {
    /// White space.
    Blank,
    /// A comment.
    Comment,
    /// A further line of a setting.
    Piece,
    /// The first line of a setting.
    Setting {
        /// Its name.
        name: &'a str,
        /// What stands in front of the value.
        start: &'a str,
        /// The value; `None` if more lines follow.
        value: Option<Zeroizing<String>>,
    },
    /// Anything else: without a separator, with escapes in its name, or with control characters.
    Other,
}

/// All lines without their ends, each with its end.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (&str, &str, Line<'_>)> {
    let (mut continued, mut ended) = (false, false);
    text.split_inclusive('\n').map(move |whole| {
        let line = whole.trim_end_matches(['\n', '\r']);
        let is_piece = continued;
        let content = line.trim_start_matches([' ', '\t', '\u{c}']);
        let is_comment = !is_piece && content.starts_with(['#', '!']);
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        continued = !is_comment && backslashes % 2 == 1;
        // Java ends lines there too, and what follows might continue one.
        ended |= line.contains('\r');
        let kind = if ended {
            Line::Other
        } else if is_piece {
            Line::Piece
        } else if content.is_empty() {
            Line::Blank
        } else if is_comment {
            Line::Comment
        } else {
            setting(line, continued).unwrap_or(Line::Other)
        };
        (line, &whole[line.len()..], kind)
    })
}

fn setting(line: &str, continued: bool) -> Option<Line<'_>> {
    if line.contains(|c: char| c.is_control() && c != '\t') {
        return None;
    }
    let parsed = Properties::parse(line.as_bytes()).ok()?;
    let (key, value) = parsed.iter().next()?;
    let content = line.trim_start_matches([' ', '\t']);
    let rest = content.strip_prefix(key)?;
    let name = &content[..key.len()];
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix(['=', ':'])?;
    Some(Line::Setting {
        name,
        start: &line[..line.len() - rest.len()],
        value: (!continued).then(|| Zeroizing::new(value.to_owned())),
    })
}

/// The names in a text that may be shown.
pub(super) fn names(text: &str) -> HashSet<&str> {
    lines(text)
        .filter_map(|(_, _, line)| match line {
            Line::Setting { name, .. } if is_name(name) => Some(name),
            _ => None,
        })
        .collect()
}
