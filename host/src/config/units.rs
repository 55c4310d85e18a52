//! Times and sizes as people write them: `30s`, `64KiB`.

use std::time::Duration;

/// `500ms`, `30s`, `2m`. The error is a sentence.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "a time is a number and ms, s or m, as 30s".to_owned())?;
    let time = match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        other => return Err(format!("{other:?} is no unit of time: use ms, s or m, as 30s")),
    };
    if time.is_zero() || time > Duration::from_secs(24 * 3600) {
        return Err("a time is between 1ms and a day".to_owned());
    }
    Ok(time)
}

/// `65536`, `64KiB`, `1MiB`. The error is a sentence.
pub fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: usize =
        digits.parse().map_err(|_| "a size is a number and KiB, MiB or GiB, as 1MiB".to_owned())?;
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("{other:?} is no unit of size: use KiB, MiB or GiB, as 1MiB")),
    };
    match number.checked_mul(unit) {
        Some(bytes @ 8192..=2_147_483_648) => Ok(bytes),
        _ => Err("a size is between 8KiB and 2GiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_nonsense_is_not() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("8192"), Ok(8192));
        for text in ["", "30", "s", "1h", "0s", "25h", "-1s", "1441m", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "1", "MiB", "1kb", "3GiB", "1TiB", "-1MiB", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
