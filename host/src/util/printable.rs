//! Foreign text as people may read it: nothing in it moves the cursor, turns the direction of writing or hides.

use std::fmt::{self, Write};

/// Write `text` with every character escaped that is not shown, except line breaks and tabs.
pub fn write(out: &mut impl Write, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(|c| !is_harmless(c)) {
        let (shown, hidden) = rest.split_at(at);
        out.write_str(shown)?;
        let Some(c) = hidden.chars().next() else { break };
        write!(out, "{}", c.escape_default())?;
        rest = &hidden[c.len_utf8()..];
    }
    out.write_str(rest)
}

/// The same as a text of about `most` bytes, and how many bytes of `text` it has.
pub fn text(text: &str, most: usize) -> (String, usize) {
    let mut shown = String::with_capacity(text.len().min(most) + 16);
    for (at, c) in text.char_indices() {
        if shown.len() >= most {
            return (shown, at);
        }
        match is_harmless(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
    }
    (shown, text.len())
}

/// The same on one line, and cut to about `most` bytes.
pub fn line(text: &str, most: usize) -> String {
    let cut = cut(text, most);
    let mut shown = String::with_capacity(cut.len());
    for part in cut.split_inclusive(['\n', '\t']) {
        let (part, ending) = match part.char_indices().next_back() {
            Some((at, ending @ ('\n' | '\t'))) => (&part[..at], Some(ending)),
            _ => (part, None),
        };
        // A string takes all that is written to it.
        let _ = write(&mut shown, part);
        shown.extend(ending.into_iter().flat_map(char::escape_default));
    }
    if cut.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The beginning of `text`, at most `most` bytes.
pub fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Whether a character may reach a reader as it is.
fn is_harmless(c: char) -> bool {
    matches!(c, ' '..='~' | '\n' | '\t') || !c.is_ascii() && is_shown(c)
}

/// False for controls, formats (such as U+202E, which reverses what follows), separators and unassigned characters. The
/// standard library escapes these, and at the beginning of a text also those that combine with the one before.
fn is_shown(c: char) -> bool {
    let mut text = [b'x'; 5];
    let length = 1 + c.encode_utf8(&mut text[1..]).len();
    std::str::from_utf8(&text[..length]).is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> String {
        let mut shown = String::new();
        write(&mut shown, text).unwrap();
        shown
    }

    #[test]
    fn what_is_not_shown_is_escaped() {
        for (text, shown) in [
            ("plain \\ \"text\"", "plain \\ \"text\""),
            ("two\nlines\tand", "two\nlines\tand"),
            ("grüße 日本語 e\u{301}", "grüße 日本語 e\u{301}"),
            ("\u{1b}[2J\r\0\u{7f}\u{9b}", "\\u{1b}[2J\\r\\u{0}\\u{7f}\\u{9b}"),
            ("a\u{202e}b\u{2066}\u{200b}\u{feff}", "a\\u{202e}b\\u{2066}\\u{200b}\\u{feff}"),
            ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
        ] {
            assert_eq!(whole(text), shown);
        }
    }

    #[test]
    fn a_text_is_cut_where_it_is_long_enough() {
        assert_eq!(text("ab\u{202e}cd", 3), ("ab\\u{202e}".to_owned(), 5));
        assert_eq!(text("a\nb", 100), ("a\nb".to_owned(), 3));
    }

    #[test]
    fn a_line_is_one_line_and_bounded() {
        assert_eq!(line("a\nb\tc\u{202e}", 100), "a\\nb\\tc\\u{202e}");
        assert_eq!(line("\n\n", 100), "\\n\\n");
        assert_eq!(line("äääää", 3), "ä…");
        assert_eq!(line("", 3), "");
        assert!(line(&"\u{202e}".repeat(10_000), 300).len() < 1000);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_harmless_and_escaping_twice_changes_nothing(text: String) {
            let once = whole(&text);
            proptest::prop_assert!(once.chars().all(is_harmless));
            proptest::prop_assert_eq!(&whole(&once), &once);
            let is_one_line = !line(&text, 50).contains(['\n', '\t', '\r']);
            proptest::prop_assert!(is_one_line);
        }
    }
}
