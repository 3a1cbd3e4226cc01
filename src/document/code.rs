//! The mistakes of form that any document can have.

use crate::code::codes;

codes! {
    /// A mistake of form: the text is not YAML, or does not have the shape that its reader wants.
    pub enum FormCode {
        BadKey = "bad-key", "a list, a mapping or an alias where a key is expected";
        DuplicateKey = "duplicate-key", "a mapping has the same key twice";
        EmptyList = "empty-list", "a list that must not be empty";
        EmptyValue = "empty-value", "a key or an entry has no value";
        EndlessAlias = "endless-alias", "an alias inside the value that it refers to";
        MergeKey = "merge-key", "YAML's merge keys (`<<`) are not allowed";
        MissingKey = "missing-key", "a required key is missing";
        OneKey = "one-key", "several keys where only one is allowed";
        OutOfRange = "out-of-range", "a number is too small or too large";
        TooDeep = "too-deep", "lists and mappings are nested too deeply";
        TooLarge = "too-large", "a file, or what its aliases stand for, is too large";
        TwoDocuments = "two-documents", "a file contains a second YAML document";
        UnknownKey = "unknown-key", "a key that is unknown there";
        UnknownWord = "unknown-word", "a word that is not allowed there";
        WrongShape = "wrong-shape", "a value does not have the expected shape";
        WrongType = "wrong-type", "a value of the wrong type, such as a string instead of a number";
        YamlSyntax = "yaml-syntax", "the text is not YAML";
        YamlTag = "yaml-tag", "YAML's tags (`!word`) are not allowed";
    }
}
