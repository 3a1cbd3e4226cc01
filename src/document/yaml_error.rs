//! The YAML parser's errors in words that say what to change.

/// What is wrong, and where it is known what to do about it.
pub(super) fn explain(info: &str) -> (String, Option<&'static str>) {
    // The parser has no error codes, only these texts; one that is not in the list is passed on as it is.
    let known: &[(&str, &str, &str)] = &[
        (
            "mapping values are not allowed",
            "a `:` is not allowed here",
            "put a text with `: ` in it into quotes; or look at the line above: keys of one mapping begin in one column, and a space follows each colon",
        ),
        ("tab", "a tab where YAML needs spaces", "indent with spaces"),
        (
            "did not find expected ',' or '}'",
            "a `,` or `}` is missing here",
            "close the `{`; put a text that contains `, ` or `: ` into quotes",
        ),
        (
            "expected ',' or ']'",
            "a `,` or `]` is missing here",
            "close the `[`; put a text that contains `,` into quotes",
        ),
        (
            "did not find expected key",
            "by its indentation, this line belongs to nothing above",
            "let it begin in the same column as those that it belongs to",
        ),
        (
            "did not find expected '-' indicator",
            "an entry of the list above should begin with `- ` here",
            "let it begin in the same column as those that it belongs to",
        ),
        (
            "in quoted scalar",
            "a quote is not closed",
            "add the closing quote, or indent the next line of the text",
        ),
        (
            "only valid inside a block",
            "a `- ` inside brackets",
            "look further up for a `{` or `[` that is not closed",
        ),
        (
            "found unexpected end of stream",
            "a quote is not closed",
            "add the closing quote",
        ),
        (
            "trailing content after double-quoted scalar",
            "there is more text after the closing quote",
            "write `\\\"` for a quote inside double quotes",
        ),
        (
            "unknown escape character",
            "in double quotes, a backslash must begin an escape such as `\\n`",
            "use single quotes, where a backslash is itself",
        ),
        (
            "unknown anchor",
            "an alias without its anchor",
            "put a text that begins with `*` into quotes; an alias `*name` needs `&name` before it",
        ),
        (
            "did not find expected alphabetic or numeric character",
            "a `*` or `&` without a name",
            "put the asterisk into quotes: \"*\"",
        ),
        (
            "simple key expect",
            "a `:` is missing",
            "write `key: value`, with a space after the colon",
        ),
        (
            "':' must be followed",
            "a space is missing after the `:`",
            "write `key: value`",
        ),
        (
            "block sequence entries are not allowed",
            "a list is not allowed here",
            "begin the list on a line of its own, below its key",
        ),
        (
            "unexpected character",
            "a plain text cannot begin with this character",
            "put the text into quotes",
        ),
        (
            "did not find expected node content",
            "a value is missing here",
            "put a text that begins with a sign such as `,`, `]` or `}` into quotes",
        ),
        (
            "recursion limit",
            "too many nested brackets",
            "look for one that is not closed",
        ),
    ];
    let found = known.iter().find(|(part, ..)| info.contains(part));
    found.map_or_else(
        || (format!("this is not valid YAML: {info}"), None),
        |(_, message, hint)| ((*message).to_owned(), Some(*hint)),
    )
}
