//! Lists with columns, drawn for the terminal that they go to.

use std::iter::repeat_n;

use rayon::prelude::*;
use textwrap::core::display_width;

use super::ui::{BOLD, Ui, colour, visible};

/// Before each line, so that no line passes for prose, which is broken between words.
const INDENT: usize = 2;
/// Between two columns.
const GAP: usize = 2;
/// Prose is given so many columns before others are left out.
const PROSE: usize = 24;
/// And never fewer than these.
const WORD: usize = 8;

/// A column's head, and what becomes of it where the terminal is too narrow.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// Always there and never broken: what the row is about, and what is copied.
    Whole(&'static str),
    /// Left out where there is no room, the last such column first.
    Spare(&'static str),
    /// Broken between words where there is no room.
    Prose(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Whole(head) | Self::Spare(head) | Self::Prose(head) => head,
        }
    }
}

/// Rows below the heads of their columns, for [`Ui::say`] or [`Ui::answer`]. A cell may be coloured. Where no terminal
/// is written to, every column is there and each row is one line. Without any head there is no line of heads.
pub fn table<const N: usize>(ui: &Ui, columns: [Column; N], rows: Vec<[String; N]>) -> String {
    draw(ui.columns(), columns, rows)
}

fn draw<const N: usize>(
    room: Option<usize>,
    columns: [Column; N],
    rows: Vec<[String; N]>,
) -> String {
    let heads = columns.map(Column::head);
    let headed = heads.iter().any(|head| !head.is_empty());
    let head = headed.then(|| heads.map(|head| format!("{BOLD}{head}{BOLD:#}")));
    let cell = |text: String| visible(&text).replace(['\n', '\t'], " ");
    let mut rows: Vec<[String; N]> = rows.into_par_iter().map(|row| row.map(cell)).collect();
    rows.splice(0..0, head);
    let mut widths: [usize; N] = std::array::from_fn(|at| {
        let cells = rows.par_iter().map(|row| width_of(&row[at]));
        cells.max().unwrap_or_default()
    });
    let shown = fitting(room, &columns, &widths);
    for at in 0..N {
        let Some(width) = shown[at].filter(|width| *width < widths[at]) else {
            continue;
        };
        rows.iter_mut()
            .for_each(|row| row[at] = broken(&row[at], width));
        let lines = rows.iter().flat_map(|row| row[at].lines());
        widths[at] = lines.map(width_of).max().unwrap_or_default();
    }
    let columns: Vec<(usize, usize)> = (0..N)
        .filter(|at| shown[*at].is_some())
        .map(|at| (at, widths[at]))
        .collect();
    let lines: Vec<String> = rows.par_iter().map(|row| lines(row, &columns)).collect();
    lines.join("\n")
}

/// The lines of a row: as many as its longest cell has. A column is its position and its width.
fn lines(row: &[String], columns: &[(usize, usize)]) -> String {
    let lines_of = |(at, _): &(usize, usize)| row[*at].split('\n').count();
    let count = columns.iter().map(lines_of).max().unwrap_or_default();
    let mut text = String::new();
    for line in 0..count {
        let begin = text.len();
        text.extend(repeat_n(' ', INDENT));
        for (at, width) in columns {
            let cell = row[*at].split('\n').nth(line).unwrap_or_default();
            text.push_str(cell);
            text.extend(repeat_n(' ', (width + GAP).saturating_sub(width_of(cell))));
        }
        text.truncate(begin + text[begin..].trim_end().len());
        text.push('\n');
    }
    text.pop();
    text
}

/// The columns that a text takes.
fn width_of(text: &str) -> usize {
    match text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        true => text.len(),
        false => display_width(text),
    }
}

/// Breaks a cell between words where it is too long. Its colour ends and begins with each line, as what stands beside
/// it is no part of it.
fn broken(cell: &str, width: usize) -> String {
    let (style, text) = cell.split_at(colour(cell).unwrap_or_default());
    let text = anstream::adapter::strip_str(text).to_string();
    let end = match style {
        "" => String::new(),
        _ => anstyle::Reset.to_string(),
    };
    let options = textwrap::Options::new(width)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(&text, options).into_iter();
    let lines: Vec<String> = lines.map(|line| format!("{style}{line}{end}")).collect();
    lines.join("\n")
}

/// The width that each column gets, or that it is left out.
fn fitting<const N: usize>(
    room: Option<usize>,
    columns: &[Column; N],
    widths: &[usize; N],
) -> [Option<usize>; N] {
    let mut shown = widths.map(Some);
    let Some(room) = room else {
        return shown;
    };
    let least = |at: usize| match columns[at] {
        Column::Prose(_) => widths[at].min(PROSE),
        _ => widths[at],
    };
    let needed = |shown: &[Option<usize>; N]| {
        let there = (0..N).filter(|at| shown[*at].is_some());
        INDENT
            + there
                .map(|at| least(at) + GAP)
                .sum::<usize>()
                .saturating_sub(GAP)
    };
    for at in (0..N).rev() {
        if needed(&shown) > room && matches!(columns[at], Column::Spare(_)) {
            shown[at] = None;
        }
    }
    // What is left over goes to the prose, from the first on; what is missing is taken from it.
    let prose: Vec<usize> = (0..N)
        .filter(|at| matches!(columns[*at], Column::Prose(_)))
        .collect();
    let mut left = room.saturating_sub(needed(&shown));
    let short = needed(&shown).saturating_sub(room);
    for at in &prose {
        let more = left.min(widths[*at] - least(*at));
        left -= more;
        let less = short.div_ceil(prose.len());
        shown[*at] = Some(
            (least(*at) + more)
                .saturating_sub(less)
                .max(WORD.min(widths[*at])),
        );
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{super::ui::GREEN, *};
    use Column::*;

    fn drawn(room: Option<usize>) -> String {
        let columns = [Whole("NAME"), Spare("KIND"), Spare("SERIAL"), Prose("WHY")];
        let row = |name: &str, why: &str| {
            let name = format!("{GREEN}{name}{GREEN:#}");
            [name, "broker".into(), "0123456789abcdef".into(), why.into()]
        };
        let rows = vec![
            row("kafka1", "it has to be restarted on its own machine"),
            row("k\u{1b}[2J", "短い"),
        ];
        let text = draw(room, columns, rows);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn without_a_terminal_everything_is_there_in_one_line_each() {
        assert_eq!(
            drawn(None),
            r"  NAME        KIND    SERIAL            WHY
  kafka1      broker  0123456789abcdef  it has to be restarted on its own machine
  k\u{1b}[2J  broker  0123456789abcdef  短い"
        );
        assert_eq!(drawn(Some(100)), drawn(None));
    }

    #[test]
    fn prose_is_broken_first_and_spare_columns_go_from_the_last_on() {
        assert_eq!(
            drawn(Some(64)),
            r"  NAME        KIND    SERIAL            WHY
  kafka1      broker  0123456789abcdef  it has to be restarted
                                        on its own machine
  k\u{1b}[2J  broker  0123456789abcdef  短い"
        );
        assert_eq!(
            drawn(Some(50)),
            r"  NAME        KIND    WHY
  kafka1      broker  it has to be restarted on
                      its own machine
  k\u{1b}[2J  broker  短い"
        );
        assert_eq!(
            drawn(Some(40)),
            r"  NAME        WHY
  kafka1      it has to be restarted on
              its own machine
  k\u{1b}[2J  短い"
        );
    }

    #[test]
    fn where_there_is_no_other_way_prose_becomes_narrow() {
        let rows = vec![[
            "2026-11-22 10:00:00Z".to_owned(),
            "renew alice bob".into(),
            "renewed alice, bob".into(),
        ]];
        let text = draw(Some(48), [Whole(""), Prose(""), Prose("")], rows);
        assert_eq!(
            text,
            "  2026-11-22 10:00:00Z  renew      renewed\n                        alice bob  alice, bob"
        );
    }

    #[test]
    fn without_heads_there_is_no_line_of_them() {
        let rows = vec![["a".to_owned(), "b".to_owned()]];
        assert_eq!(draw(None, [Whole(""), Prose("")], rows), "  a  b");
    }
}
