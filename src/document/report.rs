//! Collects what is wrong while a document is read, so that everything is said at once.

use super::{
    diagnostic::{Diagnostic, Label, Severity},
    source::Source,
    text::{Span, Text},
};
use crate::code::StableCode;
use crate::printable::{Printable, is_printable};

/// No more diagnostics than these are kept: they are for reading.
const MAX_DIAGNOSTICS: usize = 1000;

/// No message or hint is longer than this: they quote what the document says, which can be anything.
const MAX_LEN: usize = 500;

/// The files that were read, and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    files: Vec<Text>,
    diagnostics: Vec<(Span, Diagnostic)>,
    suppressed: usize,
}

/// The diagnostic that was added last, to say more about it; nothing if it was one too many.
pub(crate) struct Draft<'a> {
    report: &'a mut Report,
    kept: bool,
}

/// A text of sensible length that neither steers a terminal nor turns the direction of writing, in JSON as little as
/// elsewhere.
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

    /// A file that was added.
    pub(crate) fn file(&self, file: usize) -> &Text {
        &self.files[file]
    }

    /// Quotes nothing of a file from now on.
    pub(crate) fn hide(&mut self, file: usize) {
        self.files[file].hidden = true;
    }

    /// Takes back what was reported since there were `len` diagnostics.
    pub(crate) fn forget_since(&mut self, len: usize) {
        let kept = self.diagnostics.len().min(len);
        self.suppressed = len - kept;
        self.diagnostics.truncate(kept);
    }

    /// Where a span begins.
    pub(crate) fn source(&self, span: Span) -> Source {
        self.files[span.file].source(span.start)
    }

    /// True when nothing is wrong so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// True when there are as many diagnostics as are kept: no need to think about the hint of a further one.
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

    /// Says that something is wrong at `span`.
    pub(crate) fn error(
        &mut self,
        code: impl Into<StableCode>,
        span: Span,
        message: impl Into<String>,
    ) -> Draft<'_> {
        let kept = !self.is_full();
        if kept {
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
        Draft { report: self, kept }
    }

    /// Everything that is wrong, in the order of the files and the places in them.
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
        if self.kept
            && let Some((_, diagnostic)) = self.report.diagnostics.last_mut()
        {
            change(diagnostic);
        }
        self
    }

    /// What to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.edit(|d| d.hint = Some(short(hint.into())))
    }

    /// What to do about it, where there is something.
    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        self.edit(|d| d.hint = hint.map(short))
    }

    /// A few words beside the carets.
    pub(crate) fn label(self, text: impl Into<String>) -> Self {
        self.edit(|d| d.at.text = short(text.into()))
    }

    /// Another place that matters.
    pub(crate) fn note(self, span: Span, text: impl Into<String>) -> Self {
        let label = self.report.label(span, short(text.into()));
        self.edit(|d| d.notes.push(label))
    }
}
