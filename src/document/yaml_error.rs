//! Translates the YAML parser's errors into messages that say what to change.

/// What the parser says of a key without a space after its colon.
const NO_SPACE: &str = "':' must be followed";

/// A message, and a hint if there is one; `before` is the text before the error.
pub(super) fn explain(info: &str, before: &str) -> (String, Option<&'static str>) {
    if info.contains(NO_SPACE) && before.ends_with('\t') {
        let message = "a tab follows the `:`, where YAML needs a space";
        return (message.to_owned(), Some("replace the tab by a space"));
    }
    // The parser has no error codes, only these messages; others are passed on unchanged.
    let known: &[(&str, &str, &str)] = &[
        (
            "mapping values are not allowed",
            "a `:` is not allowed here",
            "put strings that contain `: ` in quotes; or check the line above: the keys of a mapping must begin in the same column, and each colon needs a space after it",
        ),
        ("tab", "a tab where YAML needs spaces", "indent with spaces"),
        (
            "did not find expected ',' or '}'",
            "a `,` or `}` is missing here",
            "close the `{`; put strings that contain `, ` or `: ` in quotes",
        ),
        (
            "expected ',' or ']'",
            "a `,` or `]` is missing here",
            "close the `[`; put strings that contain `,` in quotes",
        ),
        (
            "did not find expected key",
            "the indentation of this line does not match any line above",
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
            "check further up for a `{` or `[` that is not closed",
        ),
        (
            "found unexpected end of stream",
            "a quote is not closed",
            "add the closing quote",
        ),
        (
            "trailing content after double-quoted scalar",
            "there is text after the closing quote",
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
            "put strings that begin with `*` in quotes; an alias `*name` needs `&name` before it",
        ),
        (
            "did not find expected alphabetic or numeric character",
            "a `*` or `&` without a name",
            "put the asterisk in quotes: \"*\"",
        ),
        (
            "simple key expect",
            "a `:` is missing",
            "write `key: value`, with a space after the colon",
        ),
        (
            NO_SPACE,
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
            "a string without quotes cannot begin with this character",
            "put the string in quotes",
        ),
        (
            "did not find expected node content",
            "a value is missing here",
            "put strings that begin with a character such as `,`, `]` or `}` in quotes",
        ),
        (
            "recursion limit",
            "too many nested brackets",
            "check for one that is not closed",
        ),
    ];
    let found = known.iter().find(|(part, ..)| info.contains(part));
    found.map_or_else(
        || (format!("this is not valid YAML: {info}"), None),
        |(_, message, hint)| ((*message).to_owned(), Some(*hint)),
    )
}
