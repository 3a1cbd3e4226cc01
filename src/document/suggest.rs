//! "Did you mean": the known word that is closest to an unknown one.

/// Longer words are not compared, because the comparison is quadratic.
const MAX_LEN: usize = 40;

/// The candidate that was probably meant: it differs only in case and separators, or in a few typing errors.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = fold(word);
    if wanted.is_empty() || wanted.len() > MAX_LEN {
        return None;
    }
    // The same thing with two names.
    let synonym: Option<Vec<char>> = match word.to_ascii_lowercase().as_str() {
        "tls" => Some("ssl".chars().collect()),
        "ssl" => Some("tls".chars().collect()),
        _ => None,
    };
    let slips = (wanted.len() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| {
            let folded = fold(candidate);
            let same = synonym.as_ref() == Some(&folded);
            let far = if same { 0 } else { distance(&wanted, &folded) };
            (far, candidate)
        })
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A word without case and separators.
pub(super) fn fold(word: &str) -> Vec<char> {
    let separator = |c: &char| matches!(c, '_' | '-' | ' ' | '.');
    word.chars()
        .filter(|c| !separator(c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The number of insertions, deletions, replacements and transpositions that turn one word into the other (the
/// "optimal string alignment" distance).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_case_and_separators_are_seen_through() {
        let words = [
            "topic",
            "transactional_id",
            "client_auth",
            "SCRAM-SHA-512",
            "SSL",
        ];
        for (word, meant) in [
            ("topci", Some("topic")),
            ("topics", Some("topic")),
            ("Topic", Some("topic")),
            ("transactionalId", Some("transactional_id")),
            ("client.auth", Some("client_auth")),
            ("scram_sha512", Some("SCRAM-SHA-512")),
            ("x", None),
            ("", None),
            ("group", None),
            ("TLS", Some("SSL")),
        ] {
            assert_eq!(nearest(word, words), meant, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), words), None);
    }
}
