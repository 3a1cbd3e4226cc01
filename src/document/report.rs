//! Collects diagnostics while a document is read, so that all are reported at once.

use std::collections::BTreeSet;

use super::{
    diagnostic::{Diagnostic, Label, Severity},
    source::Source,
    text::{Span, Text},
};
use crate::code::StableCode;
use crate::printable::{Printable, is_printable};

/// The maximum number of diagnostics that are kept for people to read.
pub(crate) const MAX_DIAGNOSTICS: usize = 1000;

/// The maximum length of messages and hints, which quote the document's content.
const MAX_LEN: usize = 500;

/// The files that were read, and their diagnostics.
#[derive(Debug, Default)]
pub(crate) struct Report {
    files: Vec<Text>,
    diagnostics: Vec<(Span, Diagnostic)>,
    suppressed: usize,
    /// What could not be read, which was reported, by the keys that lead to it: `clients.auth`.
    lost: BTreeSet<String>,
    /// The entries of lists in which something could not be read.
    incomplete: Vec<Span>,
}

/// The diagnostic that was added last, to add details; nothing if it was one too many.
pub(crate) struct Draft<'a> {
    report: &'a mut Report,
    span: Span,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Kept,
    /// Counted only, because the report is full.
    Suppressed,
    Withdrawn,
}

/// A text of limited length, without characters that control a terminal or change the text direction, even in JSON.
fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_LEN) {
        text.truncate(end);
        text.push('…');
    }
    if text.chars().all(is_printable) {
        return text;
    }
    Printable(&text).to_string()
}

impl Report {
    /// Adds a file and returns its number.
    pub(crate) fn add_file(&mut self, name: &str, text: &str) -> usize {
        self.files.push(Text::new(&short(name.to_owned()), text));
        self.files.len() - 1
    }

    /// One of the added files.
    pub(crate) fn file(&self, file: usize) -> &Text {
        &self.files[file]
    }

    /// From now on, never quotes this file.
    pub(crate) fn hide(&mut self, file: usize) {
        self.files[file].hidden = true;
    }

    /// Removes everything that was reported after the first `len` diagnostics.
    pub(crate) fn forget_since(&mut self, len: usize) {
        let kept = self.diagnostics.len().min(len);
        self.suppressed = len - kept;
        self.diagnostics.truncate(kept);
    }

    /// Records that what these keys lead to could not be read, inside this entry of a list.
    pub(crate) fn lost(&mut self, path: &str, entry: Option<Span>) {
        // Nothing is checked further in a full report.
        if !self.is_full() {
            self.lost.insert(path.to_owned());
            self.incomplete.extend(entry);
        }
    }

    /// Where a span begins.
    pub(crate) fn source(&self, span: Span) -> Source {
        self.files[span.file].source(span.start)
    }

    /// True if there are no errors so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.diagnostics.is_empty() && self.lost.is_empty()
    }

    /// True if the maximum number of diagnostics is reached, so that no more hints are needed.
    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    /// The number of diagnostics so far.
    pub(crate) fn len(&self) -> usize {
        self.diagnostics.len() + self.suppressed
    }

    fn label(&self, span: Span, text: String) -> Label {
        let quote = self.files[span.file].quote(span);
        Label {
            source: self.source(span),
            quote: quote.text,
            range: quote.range,
            text,
        }
    }

    /// Adds a diagnostic at `span`.
    pub(crate) fn error(
        &mut self,
        code: impl Into<StableCode>,
        span: Span,
        message: impl Into<String>,
    ) -> Draft<'_> {
        let state = match self.is_full() {
            true => State::Suppressed,
            false => State::Kept,
        };
        if state == State::Kept {
            let diagnostic = Diagnostic {
                code: code.into(),
                severity: Severity::Error,
                message: short(message.into()),
                hint: None,
                at: self.label(span, String::new()),
                notes: Vec::new(),
            };
            self.diagnostics.push((span, diagnostic));
        } else {
            self.suppressed += 1;
        }
        Draft {
            report: self,
            span,
            state,
        }
    }

    /// All diagnostics, sorted by file and position.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics
            .sort_by_key(|(span, diagnostic)| (span.file, span.start, diagnostic.code));
        let mut all: Vec<Diagnostic> = self.diagnostics.into_iter().map(|(_, d)| d).collect();
        if let Some(last) = all.last_mut()
            && self.suppressed > 0
        {
            let more = format!("{} more are not shown", self.suppressed);
            last.hint = Some(match last.hint.take() {
                Some(hint) => format!("{hint}; {more}"),
                None => more,
            });
        }
        all
    }
}

impl Draft<'_> {
    fn edit(self, change: impl FnOnce(&mut Diagnostic)) -> Self {
        if self.state == State::Kept
            && let Some((_, diagnostic)) = self.report.diagnostics.last_mut()
        {
            change(diagnostic);
        }
        self
    }

    fn withdraw_if(mut self, follows: impl Fn(&Report, Span) -> bool) -> Self {
        if self.state == State::Withdrawn || !follows(self.report, self.span) {
            return self;
        }
        match self.state {
            State::Kept => drop(self.report.diagnostics.pop()),
            _ => self.report.suppressed -= 1,
        }
        self.state = State::Withdrawn;
        self
    }

    /// Withdraws it if what one of these paths leads to could not be read in some place: it may only follow from that.
    pub(crate) fn unless_lost(self, paths: &[&str]) -> Self {
        self.withdraw_if(|report, _| {
            let is_around = |lost: &String, path: &str| {
                let rest = path.strip_prefix(lost.as_str());
                rest.is_some_and(|rest| lost.is_empty() || rest.is_empty() || rest.starts_with('.'))
            };
            let is_lost = |path: &&str| report.lost.iter().any(|lost| is_around(lost, path));
            paths.iter().any(is_lost)
        })
    }

    /// Withdraws it if something in its own entry of a list could not be read: it may only follow from that.
    pub(crate) fn unless_lost_here(self) -> Self {
        self.withdraw_if(|report, span| {
            let holds = |entry: &Span| {
                entry.file == span.file && (entry.start..entry.end).contains(&span.start)
            };
            report.incomplete.iter().any(holds)
        })
    }

    /// What to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.edit(|d| d.hint = Some(short(hint.into())))
    }

    /// What to do about it, if anything.
    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        self.edit(|d| d.hint = hint.map(short))
    }

    /// A label next to the carets.
    pub(crate) fn label(self, text: impl Into<String>) -> Self {
        self.edit(|d| d.at.text = short(text.into()))
    }

    /// Another relevant position.
    pub(crate) fn note(self, span: Span, text: impl Into<String>) -> Self {
        let label = self.report.label(span, short(text.into()));
        self.edit(|d| d.notes.push(label))
    }
}
