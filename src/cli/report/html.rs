//! HTML as text: what is markup is in the program, and everything else is escaped.

use crate::printable::Printable;

/// A page in the making.
#[derive(Debug, Default)]
pub struct Html(String);

/// A cell of a table.
#[derive(Debug)]
pub enum Cell {
    /// What the row is about.
    Head(String),
    /// Short, in one line.
    Whole(String),
    /// Wrapped anywhere.
    Long(String),
    /// A word in a colour: its class and the word.
    Marked(&'static str, &'static str),
}

impl Html {
    /// Markup, which is never anything that was read.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A text, with everything escaped that HTML would take for markup, and what cannot be seen.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in Printable(text).to_string().chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A table with its headings; without rows, a sentence instead.
    pub fn table<const N: usize>(
        &mut self,
        label: &'static str,
        heads: [&'static str; N],
        none: &'static str,
        rows: impl Iterator<Item = [Cell; N]>,
    ) {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            self.raw("<p class=\"dim\">").raw(none).raw("</p>\n");
            return;
        }
        self.raw("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"");
        self.raw(label).raw("\"><table>\n<thead><tr>");
        for head in heads {
            self.raw("<th scope=\"col\">").raw(head).raw("</th>");
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            row.into_iter().for_each(|cell| self.cell(cell));
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table></div>\n");
    }

    fn cell(&mut self, cell: Cell) {
        match cell {
            Cell::Head(text) => self.raw("<th scope=\"row\">").text(&text).raw("</th>"),
            Cell::Whole(text) => self.raw("<td class=\"whole\">").text(&text).raw("</td>"),
            Cell::Long(text) => self.raw("<td class=\"long\">").text(&text).raw("</td>"),
            Cell::Marked(class, word) => self
                .raw("<td class=\"")
                .raw(class)
                .raw("\">")
                .raw(word)
                .raw("</td>"),
        };
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_neither_markup_nor_the_end_of_an_attribute() {
        let mut html = Html::default();
        html.text("<b a=\"1\" c='2'>&amp;\u{202e}\u{1b}[2Jü");
        assert_eq!(
            html.finish(),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;\\u{202e}\\u{1b}[2Jü"
        );
    }
}
