//! `sasl.jaas.config` as Kafka's `JaasConfig` reads it: a login module, a flag and options, in Java's tokens.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The login.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// Parses `Module required username="…" password="…";`. The error never shows the value.
pub(super) fn parse(text: &str) -> Result<Login, &'static str> {
    let tokens = tokens(text)?;
    let mut tokens = tokens.iter().map(|t| t.as_str());
    let module = tokens.next().ok_or("is empty")?;
    let name = module.rsplit('.').next();
    if !matches!(name, Some("ScramLoginModule" | "PlainLoginModule")) {
        return Err("names a login module other than ScramLoginModule and PlainLoginModule");
    }
    tokens
        .next()
        .ok_or("has no `required` after the login module")?;
    let (mut user, mut password) = (None, None);
    loop {
        let key = tokens.next().ok_or("does not end with `;`")?;
        if key == ";" {
            break;
        }
        if tokens.next() != Some("=") {
            return Err("has an option without `=`");
        }
        let value = tokens.next().ok_or("has an option without a value")?;
        match key {
            "username" => user = Some(value.to_owned()),
            "password" => password = Some(Secret::new(value.to_owned())),
            _ => {}
        }
    }
    if tokens.next().is_some() {
        return Err("has more than one login module");
    }
    Ok(Login {
        user: user.ok_or("has no username")?,
        password: password.ok_or("has no password")?,
    })
}

/// Words, quoted strings, `=` and `;`: `java.io.StreamTokenizer` as Kafka sets it up.
fn tokens(text: &str) -> Result<Vec<Zeroizing<String>>, &'static str> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c <= ' ' => {}
            '=' | ';' => found.push(Zeroizing::new(c.to_string())),
            '"' | '\'' => {
                // Allocated with the final size, so that growing leaves no copy in memory.
                let mut token = Zeroizing::new(String::with_capacity(text.len()));
                loop {
                    match chars.next() {
                        None | Some('\n' | '\r') => return Err("has an unterminated string"),
                        Some(end) if end == c => break,
                        Some('\\') => token.push(escape(&mut chars)?),
                        Some(other) => token.push(other),
                    }
                }
                found.push(token);
            }
            c => {
                let mut token = Zeroizing::new(String::with_capacity(text.len()));
                token.push(c);
                while let Some(c) =
                    chars.next_if(|c| *c > ' ' && !matches!(c, '=' | ';' | '"' | '\''))
                {
                    token.push(c);
                }
                found.push(token);
            }
        }
    }
    Ok(found)
}

/// The character after a backslash: `\n` and the like, up to three octal digits, or the character itself.
fn escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, &'static str> {
    let first = chars.next().ok_or("has an unterminated string")?;
    Ok(match first {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '0'..='7' => {
            let mut value = first.to_digit(8).unwrap_or(0);
            let longest = if first <= '3' { 2 } else { 1 };
            for _ in 0..longest {
                let digit = chars.next_if(|c| c.is_digit(8));
                value = digit.map_or(value, |d| value * 8 + d.to_digit(8).unwrap_or(0));
            }
            char::from_u32(value).unwrap_or('\u{fffd}')
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn login(text: &str) -> (String, String) {
        let login = parse(text).unwrap();
        (login.user, login.password.expose().to_owned())
    }

    #[test]
    fn strings_words_and_escapes() {
        for text in [
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"al\" password=\"p\";",
            "x.PlainLoginModule required password='p' username=al ;",
            "\n ScramLoginModule  required\n username = \"a\\154\" serviceName=\"x\"\n password = \"\\p\";\n",
        ] {
            assert_eq!(login(text), ("al".to_owned(), "p".to_owned()), "{text}");
        }
        let (user, password) =
            login(r#"ScramLoginModule required username="a\"b" password="c\\d;\n'=";"#);
        assert_eq!((user.as_str(), password.as_str()), ("a\"b", "c\\d;\n'="));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let wrong = |text: &str| parse(text).err().unwrap();
        assert!(wrong("").contains("empty"));
        assert!(
            wrong("com.sun.security.auth.module.Krb5LoginModule required;")
                .contains("login module")
        );
        assert!(wrong("ScramLoginModule required username=a password=b").contains(";"));
        assert!(
            wrong("ScramLoginModule required username=a password=\"b;").contains("unterminated")
        );
        assert!(wrong("ScramLoginModule required username=a;").contains("no password"));
        assert!(wrong("ScramLoginModule required password=a;").contains("no username"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), tail in "[ =;\"'\\\\a0-9\n]{0,30}") {
            let _ = (parse(&text), parse(&format!("ScramLoginModule required {tail}")));
        }
    }
}
