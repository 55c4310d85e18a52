//! Bytes of a guest: they leave it as text, with one character per byte.

use encoding_rs::mem::{convert_utf8_to_latin1_lossy, is_str_latin1};

/// Encode text as latin-1: each character becomes the byte with its code point. `None` if a character is above U+00FF,
/// which the SDK never sends. Two times as fast as [`latin1_in_place`], and it needs the memory for both.
pub fn latin1_bytes(text: String) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return Some(text.into_bytes());
    }
    latin1_copy(&text)
}

/// The same, for a text that stays.
pub fn latin1_copy(text: &str) -> Option<Vec<u8>> {
    if !is_str_latin1(text) {
        return None;
    }
    let mut bytes = vec![0; text.len()];
    let length = convert_utf8_to_latin1_lossy(text.as_bytes(), &mut bytes);
    bytes.truncate(length);
    Some(bytes)
}

/// The number of bytes that a text stands for, if it is latin-1.
pub fn latin1_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// The same in place, for large texts.
pub fn latin1_in_place(text: String) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return Some(text.into_bytes());
    }
    let mut bytes = text.into_bytes();
    // Bytes before the first character above U+007F stay in place.
    let mut write = bytes.iter().position(|byte| *byte >= 0x80).unwrap_or(bytes.len());
    let mut read = write;
    while read < bytes.len() {
        let byte = bytes[read];
        if byte < 0x80 {
            bytes[write] = byte;
            read += 1;
        } else if byte <= 0xc3 {
            bytes[write] = (byte << 6) | (bytes[read + 1] & 0x3f);
            read += 2;
        } else {
            return None;
        }
        write += 1;
    }
    bytes.truncate(write);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_of_a_text_is_a_byte() {
        let all: Vec<u8> = (0..=255).chain(0..=255).collect();
        let text: String = all.iter().map(|&byte| char::from(byte)).collect();
        assert_eq!((latin1_copy(&text), latin1_length(&text)), (Some(all.clone()), all.len()));
        assert_eq!(latin1_bytes(text.clone()), Some(all.clone()));
        assert_eq!(latin1_in_place(text), Some(all));
        assert_eq!((latin1_copy(""), latin1_length("ab")), (Some(Vec::new()), 2));
        for wrong in ["\u{100}", "a\u{2028}", "\u{10ffff}b", "\u{ff}\u{13f}"] {
            assert_eq!((latin1_copy(wrong), latin1_in_place(wrong.to_owned())), (None, None), "{wrong:?}");
        }
    }
}
