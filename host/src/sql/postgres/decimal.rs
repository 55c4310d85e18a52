//! Postgres's `numeric` in binary, as decimal text. Source of the format: `numeric_send` of Postgres's `numeric.c`.

use crate::sql::postgres::reader::Reader;
use std::fmt::Write;

/// Each digit has four decimal ones.
const DIGITS: i32 = 4;
/// Zeros that are written out, in such digits.
const MOST_ZEROS: i32 = 25;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITE: u16 = 0xD000;
const MINUS_INFINITE: u16 = 0xF000;
/// The largest exponent and scale that the type has.
const MOST: i32 = 0x7fff;

/// `None` if it is malformed.
pub fn text(data: &[u8]) -> Option<String> {
    let mut reader = Reader(data);
    let (count, weight, sign, scale) = (reader.u16()?, reader.i16()?, reader.u16()?, reader.u16()?);
    match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITE => return Some("Infinity".to_owned()),
        MINUS_INFINITE => return Some("-Infinity".to_owned()),
        0 | NEGATIVE => {}
        _ => return None,
    }
    let digits: Vec<u16> = (0..count).map(|_| reader.u16().filter(|d| *d < 10_000)).collect::<Option<_>>()?;
    let (weight, scale) = (i32::from(weight), i32::from(scale));
    if scale > MOST {
        return None;
    }
    let at =
        |place: i32| usize::try_from(place).ok().and_then(|place| digits.get(place)).copied().unwrap_or(0);
    let mut out = String::new();
    if sign == NEGATIVE {
        out.push('-');
    }
    // A few bytes may stand for a hundred thousand zeros.
    let sent = i32::from(count);
    if weight >= sent + MOST_ZEROS || weight < -MOST_ZEROS {
        return scientific(out, &digits, weight);
    }
    let scale = scale.min((sent - weight - 1).max(0) * DIGITS + MOST_ZEROS * DIGITS);
    // Before the point.
    if weight < 0 {
        out.push('0');
    }
    for place in 0..=weight {
        let _ = if place == 0 { write!(out, "{}", at(0)) } else { write!(out, "{:04}", at(place)) };
    }
    if scale > 0 {
        out.push('.');
        let end = out.len() + usize::try_from(scale).ok()?;
        for place in weight + 1.. {
            if out.len() >= end {
                break;
            }
            // Zeros directly after the point are not sent.
            let _ = write!(out, "{:04}", at(place));
        }
        out.truncate(end);
    }
    Some(out)
}

/// With an exponent, without zeros at the end.
fn scientific(mut out: String, digits: &[u16], weight: i32) -> Option<String> {
    let mut whole = String::with_capacity(digits.len() * 4);
    for digit in digits {
        let _ = write!(whole, "{digit:04}");
    }
    let exponent = (weight + 1 - i32::try_from(digits.len()).ok()?) * DIGITS;
    let plain = whole.trim_start_matches('0');
    let shown = plain.trim_end_matches('0');
    let zeros = i32::try_from(plain.len() - shown.len()).ok()?;
    if shown.is_empty() {
        return Some("0".to_owned());
    }
    let _ = write!(out, "{shown}E{:+}", exponent + zeros);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Postgres 15 sends for the numbers: `select numeric_send(…)`.
    #[test]
    fn decimals_are_exact() {
        for (hex, expected) in [
            ("0000000000000000", "0"),
            ("0000000000000002", "0.00"),
            ("0001000000000000000c", "12"),
            ("0002000000000002000c1388", "12.50"),
            ("0001ffff40000004000c", "-0.0012"),
            ("0001fffe0000000803e8", "0.00001000"),
            ("0001000200000000000a", "1000000000"),
            ("00017fff00000000000a", "1E+131069"),
            ("0001c000400000000001", "-1E-65536"),
            ("00000000c0000000", "NaN"),
            ("00000000f0000000", "-Infinity"),
        ] {
            let data: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            assert_eq!(text(&data).as_deref(), Some(expected), "{hex}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            let _ = text(&data);
        }
    }
}
