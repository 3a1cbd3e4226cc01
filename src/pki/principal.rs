//! The principal that Kafka derives from a certificate: `ssl.principal.mapping.rules`
//! (`org.apache.kafka.common.security.ssl.SslPrincipalMapper`).

use std::{fmt, sync::LazyLock};

use super::java_regex::{JavaRegex, PatternError};
use crate::printable::Printable;

/// One rule, as in Kafka's own expression.
const RULE: &str = r"(DEFAULT)|RULE:((\\.|[^\\/])*)/((\\.|[^\\/])*)/([LU]?).*?|(.*?)";

#[expect(clippy::expect_used, reason = "a test compiles this constant")]
static SPLITTER: LazyLock<JavaRegex> = LazyLock::new(|| {
    JavaRegex::new(&format!(r"\s*({RULE})\s*(,\s*|$)")).expect("the pattern is a constant")
});

#[expect(clippy::expect_used, reason = "a test compiles this constant")]
static PARSER: LazyLock<JavaRegex> =
    LazyLock::new(|| JavaRegex::new(&format!("^(?:{RULE})")).expect("the pattern is a constant"));

/// Why a rule cannot be used. Either a broker refuses it as well, or kpki cannot be sure to interpret it like the
/// broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither `DEFAULT` nor `RULE:pattern/replacement/[LU]`.
    #[error("`{rule}` is not a principal mapping rule")]
    NotARule {
        /// The rule's text.
        rule: String,
    },
    /// The pattern is not a valid Java pattern, or one that engines interpret differently.
    #[error("the pattern of `{rule}`: {source}")]
    Pattern {
        /// The rule's text.
        rule: String,
        /// What is wrong with it.
        source: PatternError,
    },
    /// Kafka would throw an exception whenever the rule matches.
    #[error("the replacement of `{rule}`: {what}")]
    Replacement {
        /// The rule's text.
        rule: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl RuleError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            RuleError::NotARule { .. } => {
                "write DEFAULT or RULE:pattern/replacement/, followed by L or U for lower or upper case; write a slash in either of them as \\/"
            }
            RuleError::Pattern { .. } => {
                "write the pattern with plain groups, classes and repetitions, like ^CN=([^,]+).*$"
            }
            RuleError::Replacement { .. } => {
                "refer to the pattern's groups as $1 to $9, and write a dollar sign as \\$"
            }
        }
    }
}

/// Why a name has no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No rule matches: the broker closes the connection.
    #[error("no principal mapping rule matches `{}`", Printable(.dn))]
    NoRule {
        /// The certificate's name.
        dn: String,
    },
    /// The broker's result cannot be predicted: it would take too long, not be text, or depend on the Java version.
    #[error("the result of `{rule}` for `{}` is uncertain: {what}", Printable(.dn))]
    Unsure {
        /// The rule's text.
        rule: String,
        /// The certificate's name.
        dn: String,
        /// The reason for the uncertainty.
        what: &'static str,
    },
}

/// The outcome of the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The principal's name, without its type.
    pub name: String,
    /// The rule that produced it, as written.
    pub rule: String,
}

/// A broker's mapping rules, in order.
#[derive(Debug, Clone)]
pub struct MappingRules {
    text: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    text: String,
    /// None for `DEFAULT`.
    mapping: Option<Mapping>,
}

#[derive(Debug, Clone)]
struct Mapping {
    pattern: JavaRegex,
    replacement: Vec<Part>,
    case: Case,
}

/// The replacement of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

#[derive(Debug, Clone, Copy)]
enum Case {
    AsIs,
    Lower,
    Upper,
}

impl MappingRules {
    /// Reads rules as a broker reads them when joined by commas.
    ///
    /// # Errors
    /// The first rule that a broker would refuse, fail on at every use, or interpret in a way that cannot be
    /// reproduced.
    pub fn parse<S: AsRef<str>>(rules: &[S]) -> Result<MappingRules, RuleError> {
        let rules: Vec<_> = rules.iter().map(AsRef::as_ref).collect();
        MappingRules::from_property(&rules.join(","))
    }

    /// Reads the value of `ssl.principal.mapping.rules`. An empty one has no rules, and so admits nobody.
    pub fn from_property(text: &str) -> Result<MappingRules, RuleError> {
        // As Java trims.
        let text = text.trim_matches(|c| c <= ' ');
        let not_a_rule = |rule: &str| RuleError::NotARule {
            rule: rule.to_owned(),
        };
        let found = SPLITTER.find_all(text).map_err(|_| not_a_rule(text))?;
        let texts = found
            .iter()
            .filter_map(|c| c.get(1))
            .map(|rule| rule.as_str());
        let mut rules = Vec::new();
        for rule in texts {
            let parsed = PARSER.find_all(rule).map_err(|_| not_a_rule(rule))?;
            let parsed = parsed.first().ok_or_else(|| not_a_rule(rule))?;
            if parsed.get(0).is_none_or(|whole| whole.as_str() != rule) {
                return Err(not_a_rule(rule));
            }
            let part = |group| parsed.get(group).map(|m| m.as_str());
            let mapping = match (part(1), part(2), part(4)) {
                (Some(_), _, _) => None,
                (None, Some(pattern), Some(replacement)) => {
                    Some(Mapping::new(rule, pattern, replacement, part(6))?)
                }
                // An empty rule.
                _ => continue,
            };
            rules.push(Rule {
                text: rule.to_owned(),
                mapping,
            });
        }
        Ok(MappingRules {
            text: text.to_owned(),
            rules,
        })
    }

    /// The principal's name for a certificate's name, by the first rule that matches all of it.
    pub fn apply(&self, dn: &str) -> Result<Mapped, MapError> {
        for rule in &self.rules {
            let name = match &rule.mapping {
                None => Some(dn.to_owned()),
                Some(mapping) => mapping.apply(dn).map_err(|what| MapError::Unsure {
                    rule: rule.text.clone(),
                    dn: dn.to_owned(),
                    what,
                })?,
            };
            if let Some(name) = name {
                return Ok(Mapped {
                    name,
                    rule: rule.text.clone(),
                });
            }
        }
        Err(MapError::NoRule { dn: dn.to_owned() })
    }
}

impl Default for MappingRules {
    /// A broker's behaviour without `ssl.principal.mapping.rules`: the name is unchanged.
    fn default() -> Self {
        let text = "DEFAULT".to_owned();
        MappingRules {
            rules: vec![Rule {
                text: text.clone(),
                mapping: None,
            }],
            text,
        }
    }
}

impl fmt::Display for MappingRules {
    /// The value of `ssl.principal.mapping.rules`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Mapping {
    fn new(
        rule: &str,
        pattern: &str,
        replacement: &str,
        case: Option<&str>,
    ) -> Result<Mapping, RuleError> {
        let pattern = JavaRegex::new(pattern).map_err(|source| RuleError::Pattern {
            rule: rule.to_owned(),
            source,
        })?;
        let replacement = escape_unknown_groups(replacement, pattern.groups)
            .and_then(|text| parse_replacement(&text, &pattern))
            .map_err(|what| RuleError::Replacement {
                rule: rule.to_owned(),
                what,
            })?;
        let case = match case {
            Some("L") => Case::Lower,
            Some("U") => Case::Upper,
            _ => Case::AsIs,
        };
        Ok(Mapping {
            pattern,
            replacement,
            case,
        })
    }

    /// None if the pattern does not match the whole name. If it does, Kafka replaces every match *within* the name, of
    /// which there is more than one if the pattern is not anchored: `RULE:(.*)/u-$1/` turns `ab` into `u-abu-`, because
    /// of the empty match at its end.
    fn apply(&self, dn: &str) -> Result<Option<String>, &'static str> {
        let too_long = |_| "the pattern takes too many attempts";
        if !self.pattern.matches(dn).map_err(too_long)? {
            return Ok(None);
        }
        let mut name = String::new();
        let mut done = 0;
        for found in self.pattern.find_all(dn).map_err(too_long)? {
            let Some(whole) = found.get(0) else { continue };
            let splits = dn[whole.end()..].starts_with(|c: char| c.len_utf16() == 2);
            if whole.as_str().is_empty() && splits {
                // Java continues between the halves of the surrogate pair.
                return Err("Java would split a character");
            }
            name.push_str(&dn[done..whole.start()]);
            for part in &self.replacement {
                match part {
                    Part::Text(text) => name.push_str(text),
                    Part::Group(group) => {
                        name.push_str(found.get(*group).map_or("", |m| m.as_str()))
                    }
                }
            }
            done = whole.end();
        }
        name.push_str(&dn[done..]);
        Ok(Some(match self.case {
            Case::AsIs => name,
            // Whether it becomes σ or ς depends on Java's word boundaries.
            Case::Lower if name.contains('Σ') => return Err("the lower case of Σ varies"),
            Case::Lower => name.to_lowercase(),
            Case::Upper => name.to_uppercase(),
        }))
    }
}

/// Puts a backslash before each `$n` without a group, so that it is literal; for a pattern without groups nothing is
/// changed, and they are errors. Kafka finds them in the original text but inserts into the changed text, one place too
/// early after each: a second one is missed, and so it is here.
fn escape_unknown_groups(replacement: &str, groups: usize) -> Result<String, &'static str> {
    let mut value: Vec<char> = replacement.chars().collect();
    let original = value.clone();
    let mut at = 0;
    while groups > 0 && at < original.len() {
        let digits: String = match original[at] {
            '$' => original[at + 1..]
                .iter()
                .take_while(|c| c.is_ascii_digit())
                .collect(),
            _ => String::new(),
        };
        if !digits.is_empty() && !digits.starts_with('0') {
            let mut group: i32 = digits
                .parse()
                .map_err(|_| "the number of a group is too large")?;
            while group as usize > groups && group >= 10 {
                group /= 10;
            }
            if group as usize > groups {
                value.insert(at, '\\');
            }
        }
        at += 1 + digits.len();
    }
    Ok(value.into_iter().collect())
}

/// Parses a replacement like `Matcher.appendReplacement`.
fn parse_replacement(text: &str, pattern: &JavaRegex) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => literal.push(rest.next().ok_or("it ends with a backslash")?),
            '$' => {
                let group = match rest.next() {
                    Some('{') => {
                        let name: String =
                            std::iter::from_fn(|| rest.next_if(|c| *c != '}')).collect();
                        let group = pattern
                            .names
                            .get(&name)
                            .filter(|_| rest.next() == Some('}'));
                        *group.ok_or("it refers to a group name that is not in the pattern")?
                    }
                    Some(first) => {
                        let digit = |c: char| c.to_digit(10).map(|d| d as usize);
                        let mut group =
                            digit(first).ok_or("a `$` is not followed by a group number")?;
                        while let Some(more) =
                            rest.peek().copied().and_then(digit).map(|d| group * 10 + d)
                        {
                            if more > pattern.groups {
                                break;
                            }
                            group = more;
                            rest.next();
                        }
                        group
                    }
                    None => return Err("it ends with a `$`"),
                };
                if group > pattern.groups {
                    return Err("it refers to a group that is not in the pattern");
                }
                parts.push(Part::Text(std::mem::take(&mut literal)));
                parts.push(Part::Group(group));
            }
            c => literal.push(c),
        }
    }
    parts.push(Part::Text(literal));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(rules: &str, dn: &str) -> Result<String, MapError> {
        let rules = MappingRules::from_property(rules).unwrap();
        rules.apply(dn).map(|mapped| mapped.name)
    }

    #[test]
    fn the_first_rule_that_matches_the_whole_name_makes_the_principal() {
        let rules = MappingRules::parse(&[
            "RULE:^CN=([^,]+),OU=Services.*$/$1/L",
            "RULE:^CN=([^,]+).*$/$1/",
            "DEFAULT",
        ])
        .unwrap();
        let mapped = rules.apply("CN=Kafka1,OU=Services,O=X").unwrap();
        assert_eq!(mapped.name, "kafka1");
        assert_eq!(mapped.rule, "RULE:^CN=([^,]+),OU=Services.*$/$1/L");
        assert_eq!(mapped.name, "kafka1");
        assert_eq!(rules.apply("CN=Alice,O=X").unwrap().name, "Alice");
        let mapped = rules.apply("O=X,CN=Alice").unwrap();
        assert_eq!((&*mapped.name, &*mapped.rule), ("O=X,CN=Alice", "DEFAULT"));
        assert_eq!(
            map("RULE:CN=a/b/", "CN=ab"),
            Err(MapError::NoRule { dn: "CN=ab".into() })
        );
        assert_eq!(MappingRules::default().apply("O=é").unwrap().name, "O=é");
    }

    #[test]
    fn replacements_are_expanded_as_java_and_kafka_do() {
        for (rules, dn, name) in [
            // Not anchored: the empty match at the end is replaced too.
            ("RULE:(.*)/u-$1/", "ab", "u-abu-"),
            ("RULE:^(.*)$/u-$1/", "ab", "u-ab"),
            (r"RULE:^CN=(\w+)\/(\w+)$/$2\/$1/U", "CN=ab/cd", "CD/AB"),
            // $4 names no group and stands for itself.
            ("RULE:^(a)(b)(c)$/$1@$4/", "abc", "a@$4"),
            // $12 is group 1 and a 2, where there are fewer than 12.
            ("RULE:^(a)b$/$12/", "ab", "a2"),
            ("RULE:^(a)(x)?b$/[$2]$0/", "ab", "[]ab"),
            ("RULE:^(?<who>a)b$/${who}/", "ab", "a"),
            (r"RULE:^a$/\$1/", "a", "$1"),
            ("RULE:^(.*)$/$1/L", "CN=İΑ", "cn=i\u{307}α"),
            ("RULE:^(.*)$/$1/U", "ß", "SS"),
            (" , DEFAULT ,, ", "x", "x"),
        ] {
            assert_eq!(map(rules, dn).as_deref(), Ok(name), "{rules}");
        }
    }

    #[test]
    fn rules_that_a_broker_refuses_or_fails_on_are_refused() {
        for (rules, what) in [
            ("default", "not a principal mapping rule"),
            ("DEFAULTS", "not a principal mapping rule"),
            ("RULE:a/b", "not a principal mapping rule"),
            ("RULE:a/b/l", "not a principal mapping rule"),
            ("RULE:a/b/LU", "not a principal mapping rule"),
            ("DEFAULT,RULE:a", "not a principal mapping rule"),
            ("RULE:(a/b/", "the pattern of"),
            (r"RULE:\ba/b/", "the pattern of"),
            ("RULE:a/$1/", "the replacement of"),
            ("RULE:(a)/$/", "the replacement of"),
            ("RULE:(a)/$x/", "the replacement of"),
            ("RULE:(a)/${x}/", "the replacement of"),
            ("RULE:(a)/$99999999999/", "the replacement of"),
            // Kafka protects only the first of two.
            ("RULE:(a)/$2$3/", "the replacement of"),
        ] {
            let error = MappingRules::from_property(rules).unwrap_err();
            assert!(error.to_string().contains(what), "{rules}: {error}");
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn a_name_that_cannot_be_foretold_is_refused() {
        for (rules, dn) in [
            ("RULE:(.*?)/x/", "\u{1f600}"),
            ("RULE:(.*)/$1/L", "CN=ΟΔΟΣ"),
            ("RULE:(x|xx)*(x|xx)*(x|xx)*y\\1/$1/", &"x".repeat(200)),
        ] {
            let unsure = map(rules, dn).unwrap_err();
            assert!(matches!(unsure, MapError::Unsure { .. }), "{unsure}");
        }
        assert_eq!(map("RULE:(.*)/x/", "\u{1f600}").as_deref(), Ok("xx"));
    }

    proptest! {
        #[test]
        fn no_rules_and_no_names_panic(
            rules in r"((RULE:|DEFAULT|[$\\^(){}.*a,é/0-9 LU]){0,8},?){0,3}|\PC*",
            dn in r"[a,=é\\ ]{0,6}|\PC*",
        ) {
            if let Ok(rules) = MappingRules::from_property(&rules) {
                let _ = rules.apply(&dn);
                prop_assert!(MappingRules::from_property(&rules.to_string()).is_ok());
            }
        }
    }
}
