//! What kind of statement a text is, by its first word.

/// A guess, which the connection corrects.
pub fn looks_like_a_read(text: &str) -> bool {
    starts_with(text, &["select", "with", "values", "explain", "pragma"])
}

/// Whether a statement that writes may change rows. SQLite counts none for the others, and leaves the last count as it was.
pub fn changes_rows(text: &str) -> bool {
    starts_with(text, &["insert", "update", "delete", "replace", "with"])
}

/// Whether the first word is one of these. What stands behind a comment has none.
pub fn starts_with(text: &str, words: &[&str]) -> bool {
    let first = text.trim_start();
    let first = &first[..first.bytes().take_while(u8::is_ascii_alphabetic).count()];
    words.iter().any(|word| first.eq_ignore_ascii_case(word))
}
