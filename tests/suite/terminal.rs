//! What a person sees on a terminal of 80 columns.

use crate::support::{kpki::Kpki, terminal};

#[test]
fn errors_break_between_words_on_a_terminal_and_nowhere_else() {
    let mut kpki = Kpki::new();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    kpki.ok(&["init-ca", "--no-passphrase"]);
    let Some(shown) = terminal::run(&kpki, 40, &["renew", "nobody"], "") else {
        return;
    };
    assert_eq!(shown.code, Some(1), "{}", shown.stdout);
    assert!(shown.stdout.lines().count() > 2, "{}", shown.stdout);
    for line in shown.stdout.lines() {
        assert!(line.len() <= 40 || !line.contains(' '), "{line:?}");
    }
    let piped = kpki.run(&["renew", "nobody"]);
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&shown.stdout), words(&piped.stderr));
    assert_eq!(piped.stderr.lines().count(), 2, "{}", piped.stderr);
}
