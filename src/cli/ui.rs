//! Output for people and machines: results on standard output, everything else on standard error.

use std::{
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Write},
    path::PathBuf,
    sync::OnceLock,
};

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use rayon::prelude::*;
use serde::Serialize;
use terminal_size::{Height, Width, terminal_size_of};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use super::Global;
use crate::{
    apply::Notice,
    printable::{is_printable, printable_json},
};

/// How much of a long list is made at once.
const PART: usize = 4096;

/// The output settings of this run.
pub struct Ui {
    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,
    /// Widths of the terminals that standard output and standard error are connected to; `None` if they are not
    /// terminals.
    columns: [Option<usize>; 2],
    unwritten: OnceLock<io::Error>,
    /// The output directory, for the commands in hints.
    pub out: PathBuf,
}

pub const BOLD: Style = Style::new().bold();
/// What was made.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// What needs a look.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// What failed.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// What can be skipped.
pub const DIM: Style = Style::new().dimmed();

/// The value of `--color` on a command line that may not be valid.
pub(super) fn colour_choice() -> ColorChoice {
    let words: Vec<String> = std::env::args_os()
        .filter_map(|word| word.into_string().ok())
        .collect();
    let value = words
        .iter()
        .enumerate()
        .find_map(|(at, word)| match word.as_str() {
            "--color" => words.get(at + 1).map(String::as_str),
            word => word.strip_prefix("--color="),
        });
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}

impl Ui {
    pub(super) fn new(global: &Global) -> Self {
        // anstream honours NO_COLOR, CLICOLOR_FORCE and whether the stream is a terminal where this says "auto".
        match global.color {
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
            ColorChoice::Auto => anstream::ColorChoice::Auto,
        }
        .write_global();
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            columns: [
                columns(terminal_size_of(io::stdout())),
                columns(terminal_size_of(io::stderr())),
            ],
            unwritten: OnceLock::new(),
            out: global.out.clone(),
        }
    }

    /// The first error in writing to standard output, if any.
    pub fn unwritten(self) -> Option<io::Error> {
        self.written(io::stdout().flush());
        self.unwritten.into_inner()
    }

    /// Remembers a write error, which must not stop a command half-way. A closed pipe is not an error.
    pub fn written(&self, result: io::Result<()>) {
        if let Err(error) = result
            && error.kind() != ErrorKind::BrokenPipe
        {
            let _ = self.unwritten.set(error);
        }
    }

    /// A result for people: on standard output, or standard error with `--json`; not printed with `-q`.
    pub fn say(&self, text: impl AsRef<str>) {
        if self.quiet {
        } else if self.json {
            self.complain(text);
        } else {
            self.answer(text);
        }
    }

    /// Like [`Ui::say`], indented, for text that belongs to the line before.
    pub fn below(&self, text: impl AsRef<str>) {
        let narrower = self
            .columns()
            .map(|columns| columns.saturating_sub(2).max(1));
        let text = wrapped(&visible(text.as_ref()), narrower);
        let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
        self.say(lines.join("\n"));
    }

    /// What a person asked for: on standard output even with `-q`; not printed with `--json`, whose document contains
    /// it.
    pub fn answer(&self, text: impl AsRef<str>) {
        if !self.json {
            let text = wrapped(&visible(text.as_ref()), self.columns[0]);
            self.written(writeln!(anstream::stdout(), "{text}"));
        }
    }

    /// A note on progress.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.complain(text);
        }
    }

    pub fn detail(&self, text: impl AsRef<str>) {
        if self.verbose {
            self.complain(text);
        }
    }

    /// A warning: shown even with `-q`.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.complain(format!("{YELLOW}warning:{YELLOW:#} {}", text.as_ref()));
    }

    pub fn tell(&self, notice: Notice) {
        match notice {
            Notice::Detail(text) => self.detail(text),
            Notice::Note(text) => self.note(text),
            Notice::Warning(text) => self.warn(text),
        }
    }

    /// A question, to be answered on the same line.
    pub fn ask(&self, text: impl AsRef<str>) {
        let mut stderr = anstream::stderr();
        let _ = write!(stderr, "{}", visible(text.as_ref())).and_then(|()| stderr.flush());
    }

    /// A line on standard error, always.
    pub fn complain(&self, text: impl AsRef<str>) {
        let text = wrapped(&visible(text.as_ref()), self.columns[1]);
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Excerpts of files on standard error, always, whose lines stay as they are.
    pub fn excerpt(&self, text: impl AsRef<str>) {
        let _ = writeln!(anstream::stderr(), "{}", visible(text.as_ref()));
    }

    /// The document of `--json`.
    pub fn document(&self, value: &impl Serialize) {
        if self.json {
            let text = printable_json(serde_json::to_string_pretty(value).unwrap_or_default());
            self.written(writeln!(io::stdout(), "{text}"));
        }
    }

    /// The same where the document is a list, which may be long: made on all cores.
    pub fn documents(&self, list: &[impl Serialize + Sync]) {
        if !self.json || list.is_empty() {
            return self.document(&list);
        }
        for part in list_in_parts(list) {
            self.raw(&part);
        }
        self.raw("\n");
    }

    /// One line of JSON on standard output, whether or not it was asked for.
    pub fn json_line(&self, value: &impl Serialize) {
        self.raw(&(json_line(value) + "\n"));
    }

    /// A result that is the same for people and machines.
    pub fn raw(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A binary result, on standard output.
    pub fn bytes(&self, bytes: &[u8]) {
        self.written(io::stdout().write_all(bytes));
    }

    /// Columns of the terminal that [`Ui::say`] writes to; `None`: it is none.
    pub fn columns(&self) -> Option<usize> {
        self.columns[usize::from(self.json)]
    }

    /// Whether colour may be used on standard error.
    pub fn colours(&self) -> bool {
        anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
    }

    /// A progress bar on a terminal; invisible elsewhere and with `-q`.
    pub fn progress(&self, len: u64, what: &'static str) -> indicatif::ProgressBar {
        if self.quiet || !io::stderr().is_terminal() || len < 2 {
            return indicatif::ProgressBar::hidden();
        }
        let bar = indicatif::ProgressBar::new(len).with_message(what);
        match indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// The text of [`Ui::document`] for a list, in parts that are made at the same time.
fn list_in_parts(list: &[impl Serialize + Sync]) -> Vec<String> {
    let part = |(at, part): (usize, _)| {
        let Ok(mut text) = serde_json::to_string_pretty(part) else {
            return String::new();
        };
        if at > 0 {
            text.replace_range(..1, ",");
        }
        if (at + 1) * PART < list.len() {
            text.truncate(text.len() - "\n]".len());
        }
        printable_json(text)
    };
    list.par_chunks(PART).enumerate().map(part).collect()
}

/// A value as one line of JSON.
pub fn json_line(value: &impl Serialize) -> String {
    printable_json(serde_json::to_string(value).unwrap_or_default())
}

/// Names, or the first of them and how many more there are.
pub fn named<T: Display>(names: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(most).map(|n| n.to_string()).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(Width(columns), _)| usize::from(columns))
        .filter(|columns| *columns > 0)
}

/// Wraps text at word boundaries to the terminal's width. Indented lines are commands, lists and tables, and are not
/// wrapped, so that they can be copied.
fn wrapped(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let options = Options::new(columns)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let lines = text.split('\n').map(|line| match line.starts_with(' ') {
        true => line.to_owned(),
        false => textwrap::fill(line, &options),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text for people, with control characters escaped, because names and errors from brokers can contain anything. Only
/// kpki's own colours and line endings are kept; a name that is put into a sentence is a [`Printable`] before, as it could
/// have those as well.
///
/// [`Printable`]: crate::printable::Printable
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let is_plain = |b: &u8| matches!(b, b' '..=b'~' | b'\n' | b'\t');
    loop {
        // Nearly everything, and fast.
        let plain = rest.bytes().take_while(is_plain).count();
        let (this, next) = rest.split_at(plain);
        shown.push_str(this);
        rest = next;
        let Some(c) = rest.chars().next() else {
            return shown;
        };
        let len = colour(rest).unwrap_or(c.len_utf8());
        let (this, next) = rest.split_at(len);
        match len > c.len_utf8() || is_printable(c) || matches!(c, '\n' | '\t') {
            true => shown.push_str(this),
            false => shown.extend(c.escape_default()),
        }
        rest = next;
    }
}

/// What kpki's own colours consist of: the styles above, and those of the diagnostics of a policy. None of them hides text.
const OWN: [&str; 11] = [
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[91m",
    "\u{1b}[92m",
    "\u{1b}[93m",
    "\u{1b}[94m",
    "\u{1b}[96m",
];

/// The length of the escape sequence for one of kpki's colours that the text begins with.
pub fn colour(text: &str) -> Option<usize> {
    let own = OWN.iter().find(|own| text.starts_with(**own));
    own.map(|own| own.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_broken_between_words_and_commands_are_not() {
        let text = format!(
            "{RED}error:{RED:#} one two three /a/path/that/is/longer/than/a/line four\n  kpki up 'a policy.yaml' again"
        );
        let plain = anstream::adapter::strip_str(&wrapped(&text, Some(20))).to_string();
        assert_eq!(
            plain,
            "error: one two three\n/a/path/that/is/longer/than/a/line\nfour\n  kpki up 'a policy.yaml' again"
        );
        assert_eq!(wrapped(&text, None), text);
    }

    #[test]
    fn a_list_in_parts_is_the_same_text() {
        for len in [1, 2, PART - 1, PART, PART + 1, 3 * PART] {
            let list: Vec<[String; 1]> = (0..len).map(|n| [format!("\u{7f}[{n}]\n]")]).collect();
            let whole = printable_json(serde_json::to_string_pretty(&list).unwrap());
            assert!(list_in_parts(&list).concat() == whole, "{len}");
        }
    }

    #[test]
    fn nothing_but_colour_steers_a_terminal() {
        let ours = format!("{RED}failed:{RED:#} {BOLD}ü{BOLD:#}\n\tit");
        assert_eq!(visible(&ours), ours);
        for own in [BOLD, GREEN, YELLOW, RED, DIM] {
            let styled = format!("{own}it{own:#}");
            assert_eq!(visible(&styled), styled);
        }
        // Hidden, as background, blinking and several at once.
        for theirs in ["8", "30", "40", "5", "1;8", "38;5;0", "", "08"] {
            let shown = visible(&format!("\u{1b}[{theirs}mx"));
            assert_eq!(shown, format!("\\u{{1b}}[{theirs}mx"));
        }
        let theirs = "\u{1b}]0;title\u{7} \u{1b}[2J\u{1b}[ \r\u{9b}1A\u{202e}\u{1b}";
        let shown = visible(theirs);
        assert!(
            !shown.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{shown:?}"
        );
        assert!(shown.starts_with("\\u{1b}]0;title\\u{7} "), "{shown}");
    }
}
