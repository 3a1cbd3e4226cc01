//! Tables, fitted to the width of the terminal.

use tabled::{
    builder::Builder,
    grid::util::string::get_line_width as width_of,
    settings::{Margin, Padding, Style},
};

use super::ui::{BOLD, Ui, colour, visible};

/// Spaces before each line. `Ui` wraps lines that are not indented.
const INDENT: usize = 2;
/// Spaces between two columns.
const GAP: usize = 2;
/// Spare columns are left out if a prose column would be narrower than this.
const PROSE: usize = 24;
/// The minimum width of a prose column.
const WORD: usize = 8;

/// A column's heading, and what happens to it if the terminal is too narrow.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// Always shown, never wrapped: the subject of the row, and text to copy.
    Whole(&'static str),
    /// Left out if there is no room, the last such column first.
    Spare(&'static str),
    /// Wrapped between words if there is no room.
    Prose(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Whole(head) | Self::Spare(head) | Self::Prose(head) => head,
        }
    }
}

/// A table for [`Ui::say`] or [`Ui::answer`]. Cells may be coloured. If the output is not a terminal, all columns are
/// shown and each row is one line. If all headings are empty, there is no heading line.
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
    let rows: Vec<[String; N]> = head
        .into_iter()
        .chain(rows.into_iter().map(|row| row.map(cell)))
        .collect();
    let widths: [usize; N] = std::array::from_fn(|at| {
        let cells = rows.iter().map(|row| width_of(&row[at]));
        cells.max().unwrap_or_default()
    });
    let shown = fitting(room, &columns, &widths);
    let mut builder = Builder::with_capacity(rows.len(), shown.len());
    for row in rows {
        let cells = row.into_iter().zip(&shown).zip(&widths);
        builder.push_record(cells.filter_map(|((cell, width), natural)| match width {
            Some(width) if width < natural => Some(broken(&cell, *width)),
            width => width.map(|_| cell),
        }));
    }
    let mut table = builder.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, GAP, 0, 0))
        .with(Margin::new(INDENT, 0, 0, 0));
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Wraps a cell that is too long. The colour ends on each line and starts again on the next, so that it does not spread
/// to other cells.
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

/// The width of each column; `None` if it is left out.
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
    // Surplus width goes to the prose columns, the first one first; missing width is taken from them.
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
