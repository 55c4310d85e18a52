//! Writes JSON strings, with quotes and escapes.

/// For each byte: 0 if it needs no escape in a JSON string, else its escape letter (`u` for `\u00XX`).
const ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Append `text` as a JSON string, quotes included.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPE[byte as usize];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[start..index]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(&[b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
        }
        start = index + 1;
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

/// Append ASCII text as a JSON string. Most strings are short and need no escape, so we check eight bytes at a time and
/// then copy all at once. Returns false, and writes nothing, if the bytes are not even UTF-8.
pub fn write_ascii(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if bytes.chunks(8).all(is_plain) {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
        return true;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    write_string(text, out);
    true
}

/// True when none of up to eight bytes is a control character, a quote, a backslash or above 0x7f.
fn is_plain(chunk: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let mut padded = [b' '; 8];
    padded[..chunk.len()].copy_from_slice(chunk);
    let word = u64::from_ne_bytes(padded);
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGH;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (word & HIGH) | below(word, 0x20) | is(b'"') | is(b'\\') == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_bytes_are_told_from_those_that_need_an_escape() {
        for byte in 0..=255u8 {
            let plain = (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\';
            for at in 0..8 {
                let mut chunk = *b"abcdefgh";
                chunk[at] = byte;
                assert_eq!(is_plain(&chunk), plain, "{byte} at {at}");
                assert_eq!(is_plain(&chunk[at..]), plain, "{byte} first");
            }
        }
    }
}
