//! Times and sizes as people write them: `30s`, `1h`, `64KiB`.

use bytesize::ByteSize;
use std::time::Duration;

/// One mebibyte, in bytes.
pub const MIB: usize = 1024 * 1024;

/// `500ms`, `30s`, `2m`, `1h`. Errors are sentences for people.
pub fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text)
        .map_err(|_| format!("{text:?}: a time is a number and ms, s, m or h, like 30s"))?;
    if time < Duration::from_millis(1) || time > Duration::from_secs(24 * 3600) {
        return Err("a time is between 1ms and a day".to_owned());
    }
    Ok(time)
}

/// `65536`, `64KiB`, `1MiB`. Errors are sentences for people.
pub fn size(text: &str) -> Result<usize, String> {
    within(text, 2, "2GiB")
}

/// A size on a disk.
pub fn disk_size(text: &str) -> Result<usize, String> {
    within(text, 16 << 10, "16TiB")
}

fn within(text: &str, most_gib: usize, shown: &str) -> Result<usize, String> {
    let bytes: ByteSize =
        text.parse().map_err(|_| format!("{text:?}: a size is a number and KiB, MiB or GiB, like 1MiB"))?;
    match usize::try_from(bytes.as_u64()) {
        Ok(bytes) if (8192..=most_gib << 30).contains(&bytes) => Ok(bytes),
        _ => Err(format!("a size is between 8KiB and {shown}")),
    }
}

/// Format a size exactly, as [`size`] parses it.
pub fn show_size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// Format a time exactly.
pub fn show_duration(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_nonsense_is_not() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("8192"), Ok(8192));
        for text in ["", "30", "s", "0s", "25h", "-1s", "1441m", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "1", "MiB", "1kb", "3GiB", "1TiB", "-1MiB", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for bytes in [8192, 8193, 65_536, 1 << 20, 3 << 20, 1 << 30] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes as usize), "{bytes}");
        }
        for millis in [1, 500, 1000, 1500, 30_000, 60_000, 3_600_000] {
            let time = Duration::from_millis(millis);
            assert_eq!(duration(&show_duration(time).replace(' ', "")), Ok(time));
        }
    }
}
