//! What kind of statement a text is, by its first word.

/// A guess, which the connection corrects.
pub fn looks_like_a_read(text: &str) -> bool {
    starts_with(text, &["select", "with", "values", "explain", "pragma"])
}

/// Whether a statement that writes may change rows. SQLite counts none for the others, and leaves the last count as it was.
pub fn changes_rows(text: &str) -> bool {
    starts_with(text, &["insert", "update", "delete", "replace", "with"])
}

/// Whether a statement begins or ends a transaction, or a part of one.
pub fn is_of_transaction(text: &str) -> bool {
    let words = ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"];
    starts_with(text, &words)
}

/// Whether a statement ends the whole transaction, and not only a savepoint.
pub fn ends_transaction(text: &str) -> bool {
    let is_to = |word: &str| word.eq_ignore_ascii_case("to");
    starts_with(text, &["commit", "end"])
        || starts_with(text, &["rollback"]) && !text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_to)
}

/// Whether the first word, behind comments, is one of these.
pub fn starts_with(text: &str, words: &[&str]) -> bool {
    let first = without_comments(text);
    let first = &first[..first.bytes().take_while(u8::is_ascii_alphabetic).count()];
    words.iter().any(|word| first.eq_ignore_ascii_case(word))
}

fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let after = if rest.starts_with("--") {
            rest.split_once('\n').map(|(_, after)| after)
        } else if let Some(inside) = rest.strip_prefix("/*") {
            inside.split_once("*/").map(|(_, after)| after)
        } else {
            return rest;
        };
        rest = after.unwrap_or_default().trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_decides() {
        for read in ["select 1", " \n WITH x", "/* a */ -- b\n /**/pragma x", "explain"] {
            assert!(looks_like_a_read(read), "{read}");
        }
        for other in ["", "insert", "/* select", "-- select", "selected", "(select 1)"] {
            assert!(!looks_like_a_read(other), "{other}");
        }
        for whole in ["commit", "END", "rollback", "rollback transaction;"] {
            assert!(ends_transaction(whole), "{whole}");
        }
        for part in ["rollback to x", "rollback transaction to savepoint x", "release x", "select 'rollback'"]
        {
            assert!(!ends_transaction(part), "{part}");
        }
    }
}
