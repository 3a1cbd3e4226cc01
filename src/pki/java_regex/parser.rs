//! Parses a pattern by Java's grammar and rewrites it for `fancy_regex`.

use std::collections::HashMap;

use super::PatternError;

/// How deep groups may be nested.
const DEEPEST: usize = 50;

/// A pattern for `fancy_regex`.
pub(super) struct Parsed {
    pub text: String,
    pub groups: usize,
    pub names: HashMap<String, usize>,
}

/// Reads a whole pattern.
pub(super) fn parse(pattern: &str) -> Result<Parsed, PatternError> {
    let mut parser = Parser::new(pattern);
    parser.alternatives(0)?;
    if parser.peek().is_some() {
        return Err(parser.invalid("an unmatched `)`"));
    }
    Ok(Parsed {
        text: parser.out,
        groups: parser.groups,
        names: parser.names,
    })
}

/// What a piece of a pattern is, besides its text.
#[derive(Clone, Copy)]
struct Piece {
    /// Whether it can match nothing.
    empty: bool,
    /// Whether it can be repeated at all.
    repeatable: bool,
    /// Whether it is nothing but a repetition, perhaps in parentheses.
    repetition: bool,
}

const CHARACTER: Piece = Piece {
    empty: false,
    repeatable: true,
    repetition: false,
};
const ASSERTION: Piece = Piece {
    empty: true,
    repeatable: false,
    repetition: false,
};

struct Parser {
    pattern: Vec<char>,
    at: usize,
    out: String,
    groups: usize,
    names: HashMap<String, usize>,
    /// Groups whose end has been read: the ones that a back reference may name.
    closed: Vec<usize>,
    ignore_case: bool,
    dot_all: bool,
}

/// Java's line terminators, as members of a class.
const LINE_ENDS: &str = r"\n\r\x{85}\x{2028}\x{2029}";
/// `$` and `\Z` outside multiline mode: the end, or before the last line terminator.
const END: &str = r"(?:\z|(?=\r\n\z)|(?=[\r\x{85}\x{2028}\x{2029}]\z)|(?<!\r)(?=\n\z))";
const SPACES: &str = r" \t\n\x0B\f\r";

impl Parser {
    fn new(pattern: &str) -> Parser {
        Parser {
            pattern: pattern.chars().collect(),
            at: 0,
            out: String::new(),
            groups: 0,
            names: HashMap::new(),
            closed: Vec::new(),
            ignore_case: false,
            dot_all: false,
        }
    }

    fn peek(&self) -> Option<char> {
        self.pattern.get(self.at).copied()
    }

    fn peek_after(&self) -> Option<char> {
        self.pattern.get(self.at + 1).copied()
    }

    fn next(&mut self) -> Result<char, PatternError> {
        let c = self
            .peek()
            .ok_or_else(|| self.invalid("the pattern ends too early"))?;
        self.at += 1;
        Ok(c)
    }

    /// Takes `text` if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let found = text
            .chars()
            .enumerate()
            .all(|(i, c)| self.pattern.get(self.at + i) == Some(&c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn invalid(&self, what: &'static str) -> PatternError {
        PatternError::Invalid {
            what,
            at: self.at + 1,
        }
    }

    fn unsupported(&self, what: &'static str) -> PatternError {
        PatternError::Unsupported {
            what,
            at: self.at + 1,
        }
    }

    /// `a|b|c`, up to a closing parenthesis or the end.
    fn alternatives(&mut self, depth: usize) -> Result<Piece, PatternError> {
        if depth > DEEPEST {
            return Err(self.unsupported("nesting this deep"));
        }
        let mut body = self.sequence(depth)?;
        while self.take("|") {
            self.out.push('|');
            body.empty |= self.sequence(depth)?.empty;
            body.repetition = false;
        }
        Ok(body)
    }

    fn sequence(&mut self, depth: usize) -> Result<Piece, PatternError> {
        let mut whole = Piece {
            empty: true,
            ..CHARACTER
        };
        let mut pieces = 0;
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let start = self.out.len();
            if let Some(piece) = self.atom(depth)? {
                let piece = self.quantified(piece, start)?;
                pieces += 1;
                whole.empty &= piece.empty;
                whole.repetition = piece.repetition && pieces == 1;
            }
        }
        Ok(whole)
    }

    /// One thing that a quantifier can follow; None for a change of flags.
    fn atom(&mut self, depth: usize) -> Result<Option<Piece>, PatternError> {
        let piece = match self.next()? {
            '(' => return self.group(depth),
            '[' => self.class()?,
            '\\' => self.escape()?,
            '.' if self.dot_all => self.write("(?s:.)", CHARACTER),
            '.' => self.write(&format!("[^{LINE_ENDS}]"), CHARACTER),
            '^' => self.write(r"\A", ASSERTION),
            '$' => self.write(END, ASSERTION),
            '*' | '+' | '?' => {
                self.at -= 1;
                return Err(self.invalid("a quantifier with nothing before it"));
            }
            '{' => {
                self.at -= 1;
                return Err(self.unsupported("a repetition with nothing before it"));
            }
            c => self.character(c),
        };
        Ok(Some(piece))
    }

    fn write(&mut self, text: &str, piece: Piece) -> Piece {
        self.out.push_str(text);
        piece
    }

    /// A literal character, or both its cases.
    fn character(&mut self, c: char) -> Piece {
        let text = match other_case(c).filter(|_| self.ignore_case) {
            Some(other) => format!("[{c}{other}]"),
            None => plain(c),
        };
        self.write(&text, CHARACTER)
    }

    fn group(&mut self, depth: usize) -> Result<Option<Piece>, PatternError> {
        let flags = (self.ignore_case, self.dot_all);
        let mut capturing = None;
        let mut piece = CHARACTER;
        if !self.take("?") {
            capturing = Some(self.open_group());
        } else if self.take("<") {
            if matches!(self.peek(), Some('=' | '!')) {
                return Err(self.unsupported("look-behind"));
            }
            let name = self.name()?;
            let group = self.open_group();
            if self.names.insert(name, group).is_some() {
                return Err(self.invalid("two groups with the same name"));
            }
            capturing = Some(group);
        } else if self.take("=") || self.take("!") {
            let negative = self.pattern[self.at - 1] == '!';
            self.out.push_str(if negative { "(?!" } else { "(?=" });
            let before = self.groups;
            self.alternatives(depth + 1)?;
            if negative && self.groups > before {
                return Err(self.unsupported("a capturing group in a negative look-ahead"));
            }
            piece = ASSERTION;
        } else if self.take(">") {
            self.out.push_str("(?>");
        } else {
            self.flags()?;
            if self.take(")") {
                // The new flags apply until the end of the enclosing group.
                return Ok(None);
            }
            if !self.take(":") {
                return Err(self.unsupported("this kind of group or flag"));
            }
            self.out.push_str("(?:");
        }
        if piece.repeatable {
            let start = self.out.len();
            piece = self.alternatives(depth + 1)?;
            if self.out.len() == start && self.peek() == Some(')') {
                return Err(self.unsupported("an empty group"));
            }
        }
        if !self.take(")") {
            return Err(self.invalid("an unclosed group"));
        }
        self.out.push(')');
        self.closed.extend(capturing);
        (self.ignore_case, self.dot_all) = flags;
        Ok(Some(piece))
    }

    fn open_group(&mut self) -> usize {
        self.out.push('(');
        self.groups += 1;
        self.groups
    }

    fn name(&mut self) -> Result<String, PatternError> {
        let mut name = String::new();
        while !self.take(">") {
            match self.next()? {
                c if c.is_ascii_alphabetic() || (c.is_ascii_digit() && !name.is_empty()) => {
                    name.push(c)
                }
                _ => {
                    return Err(
                        self.invalid("a group name with characters other than letters and digits")
                    );
                }
            }
        }
        if name.is_empty() {
            return Err(self.invalid("an empty group name"));
        }
        Ok(name)
    }

    /// `i`, `s`, `-i`, …, up to `)` or `:`.
    fn flags(&mut self) -> Result<(), PatternError> {
        let mut on = true;
        loop {
            match self.peek() {
                Some('i') => self.ignore_case = on,
                Some('s') => self.dot_all = on,
                Some('-') if on => on = false,
                _ => return Ok(()),
            }
            self.at += 1;
        }
    }

    /// What may follow the piece that was written from `start` on.
    fn quantified(&mut self, mut piece: Piece, start: usize) -> Result<Piece, PatternError> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => self.counts()?,
            _ => return Ok(piece),
        };
        self.at += 1;
        if !piece.repeatable {
            return Err(self.unsupported("a repeated assertion"));
        }
        if piece.empty && most != Some(1) {
            return Err(self.unsupported("the repetition of a group that can match nothing"));
        }
        if piece.repetition && most != Some(1) {
            return Err(self.unsupported("the repetition of a repetition"));
        }
        let quantifier = match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        };
        if self.take("+") {
            // Possessive: what it has matched is never given back.
            self.out.insert_str(start, "(?>");
            self.out.push_str(&quantifier);
            self.out.push(')');
        } else {
            self.out.push_str(&quantifier);
            if self.take("?") {
                self.out.push('?');
            }
        }
        if matches!(self.peek(), Some('{')) {
            return Err(self.unsupported("the repetition of a repetition"));
        }
        piece.empty |= least == 0;
        piece.repetition = true;
        Ok(piece)
    }

    /// `{2}`, `{2,}` or `{2,4}`; leaves the closing brace.
    fn counts(&mut self) -> Result<(u32, Option<u32>), PatternError> {
        self.at += 1;
        let least = self.count()?;
        let most = match self.take(",") {
            false => Some(least),
            true if self.peek() == Some('}') => None,
            true => Some(self.count()?),
        };
        if self.peek() != Some('}') || most.is_some_and(|most| most < least) {
            return Err(self.invalid("a repetition that is not like {2}, {2,} or {2,4}"));
        }
        Ok((least, most))
    }

    fn count(&mut self) -> Result<u32, PatternError> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.pattern[start..self.at].iter().collect();
        match digits.parse() {
            Ok(count) if count <= 1000 => Ok(count),
            Ok(_) => Err(self.unsupported("a repetition this large")),
            Err(_) => Err(self.invalid("a repetition without a number")),
        }
    }

    /// What follows a backslash outside a class.
    fn escape(&mut self) -> Result<Piece, PatternError> {
        match self.next()? {
            c @ '1'..='9' => self.back_reference(c),
            'A' => Ok(self.write(r"\A", ASSERTION)),
            'z' => Ok(self.write(r"\z", ASSERTION)),
            'Z' => Ok(self.write(END, ASSERTION)),
            c => match set(c) {
                Some(set) => Ok(self.write(&format!("[{set}]"), CHARACTER)),
                None => {
                    let c = self.escaped_character(c)?;
                    Ok(self.character(c))
                }
            },
        }
    }

    /// `\1`; as many digits belong to it as there are groups before it.
    fn back_reference(&mut self, first: char) -> Result<Piece, PatternError> {
        let digit = |c: char| c.to_digit(10).map(|d| d as usize);
        let mut group = digit(first).unwrap_or_default();
        while let Some(next) = self.peek().and_then(digit).map(|d| group * 10 + d) {
            if next > self.groups {
                break;
            }
            group = next;
            self.at += 1;
        }
        if !self.closed.contains(&group) {
            return Err(self.unsupported("a reference to a group that is not closed yet"));
        }
        if self.ignore_case {
            return Err(self.unsupported("a case-insensitive back reference"));
        }
        // The group may have matched nothing, so the reference may.
        let piece = Piece {
            empty: true,
            ..CHARACTER
        };
        Ok(self.write(&format!(r"(?:\{group})"), piece))
    }

    /// The character that an escape sequence stands for; `c` is what follows the backslash.
    fn escaped_character(&mut self, c: char) -> Result<char, PatternError> {
        let code = match c {
            't' => return Ok('\t'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            'f' => return Ok('\x0C'),
            'a' => return Ok('\x07'),
            'e' => return Ok('\x1B'),
            'x' if self.take("{") => {
                let mut digits = String::new();
                while !self.take("}") {
                    digits.push(self.next()?);
                }
                digits
            }
            'x' => [self.next()?, self.next()?].iter().collect(),
            'u' => [self.next()?, self.next()?, self.next()?, self.next()?]
                .iter()
                .collect(),
            c if c.is_ascii_alphanumeric() => {
                self.at -= 1;
                return Err(self.unsupported("this escape sequence"));
            }
            c => return Ok(c),
        };
        let hexadecimal = !code.is_empty() && code.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u32::from_str_radix(&code, 16).ok().filter(|_| hexadecimal);
        match value.map(char::from_u32) {
            Some(Some(c)) => Ok(c),
            // Half of a surrogate pair, or beyond Unicode.
            Some(None) => Err(self.unsupported("this code point")),
            None => Err(self.invalid("an escape sequence without its hexadecimal digits")),
        }
    }

    /// What follows an opening bracket.
    fn class(&mut self) -> Result<Piece, PatternError> {
        let mut class = String::from(if self.take("^") { "[^" } else { "[" });
        if self.peek() == Some(']') {
            return Err(self.unsupported("a `]` at the beginning of a class"));
        }
        while !self.take("]") {
            let low = match self.next()? {
                '[' => return Err(self.unsupported("a class within a class")),
                '&' if self.peek() == Some('&') => {
                    return Err(self.unsupported("an intersection of classes"));
                }
                '\\' => {
                    let c = self.next()?;
                    if let Some(set) = set(c) {
                        class.push_str(&format!("[{set}]"));
                        continue;
                    }
                    self.escaped_character(c)?
                }
                c => c,
            };
            let range =
                self.peek() == Some('-') && !matches!(self.peek_after(), Some('[' | ']') | None);
            let high = match range {
                false => low,
                true => {
                    self.at += 1;
                    match self.next()? {
                        '\\' => {
                            let c = self.next()?;
                            self.escaped_character(c)?
                        }
                        c => c,
                    }
                }
            };
            if high < low {
                return Err(self.invalid("a reversed character range"));
            }
            class.push_str(&format!("{}-{}", plain(low), plain(high)));
            if self.ignore_case {
                class.extend(
                    ('\0'..='\x7f')
                        .filter(|c| (low..=high).contains(c))
                        .filter_map(other_case),
                );
            }
        }
        class.push(']');
        Ok(self.write(&class, CHARACTER))
    }
}

/// The members of Java's predefined classes, all of them ASCII.
fn set(c: char) -> Option<String> {
    let members = match c.to_ascii_lowercase() {
        'd' => "0-9",
        's' => SPACES,
        'w' => "a-zA-Z_0-9",
        _ => return None,
    };
    let not = if c.is_ascii_uppercase() { "^" } else { "" };
    Some(format!("{not}{members}"))
}

/// A character that stands for itself wherever the engine reads it.
fn plain(c: char) -> String {
    match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!(r"\x{{{:x}}}", u32::from(c)),
    }
}

/// The same letter in the other case; Java's `(?i)` knows those of ASCII only.
fn other_case(c: char) -> Option<char> {
    match c {
        'a'..='z' => Some(c.to_ascii_uppercase()),
        'A'..='Z' => Some(c.to_ascii_lowercase()),
        _ => None,
    }
}
