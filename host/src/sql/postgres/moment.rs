//! Dates, times and durations of Postgres in binary, in the form of ISO 8601. Source of the format: Postgres's `datetime.h`.

use std::fmt::Write;

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400 * MICROS;
/// 1970-01-01 before 2000-01-01, in days.
const EPOCH: i64 = 10_957;
/// What Python has: from the year 1 to 9999, in days since 1970.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// Days since 2000. `None` outside of what Python has, as for infinity.
pub fn date(days: i32) -> Option<String> {
    let days = i64::from(days).checked_add(EPOCH).filter(|days| DAYS.contains(days))?;
    let (year, month, day) = civil(days);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// Microseconds since midnight.
pub fn time(micros: i64) -> Option<String> {
    if !(0..=DAY).contains(&micros) {
        return None;
    }
    // Python has no 24:00.
    let micros = if micros == DAY { 0 } else { micros };
    let seconds = micros / MICROS;
    let mut out = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if micros % MICROS != 0 {
        let _ = write!(out, ".{:06}", micros % MICROS);
    }
    Some(out)
}

/// Microseconds since midnight, with a zone in seconds west of Greenwich.
pub fn time_of_zone(micros: i64, west: i32) -> Option<String> {
    let east = west.checked_neg()?;
    let (sign, size) = (if east < 0 { '-' } else { '+' }, east.unsigned_abs());
    let mut out = format!("{}{sign}{:02}:{:02}", time(micros)?, size / 3600, size / 60 % 60);
    if size % 60 != 0 {
        let _ = write!(out, ":{:02}", size % 60);
    }
    Some(out)
}

/// Microseconds since 2000.
pub fn timestamp(micros: i64) -> Option<String> {
    let day = date(i32::try_from(micros.div_euclid(DAY)).ok()?)?;
    Some(format!("{day}T{}", time(micros.rem_euclid(DAY))?))
}

/// A duration in microseconds, with months of 30 days.
pub fn interval(micros: i64, days: i32, months: i32) -> Option<i64> {
    let days = i64::from(months) * 30 + i64::from(days);
    days.checked_mul(DAY)?.checked_add(micros)
}

/// The same for a client, as ISO 8601 has durations.
pub fn duration(micros: i64) -> String {
    let (sign, size) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let (days, rest) = (size / DAY.unsigned_abs(), size % DAY.unsigned_abs());
    let mut out = format!("{sign}P");
    if days > 0 {
        let _ = write!(out, "{days}D");
    }
    let (seconds, micros) = (rest / MICROS.unsigned_abs(), rest % MICROS.unsigned_abs());
    if rest > 0 || days == 0 {
        let _ = write!(out, "T");
        if seconds >= 3600 {
            let _ = write!(out, "{}H", seconds / 3600);
        }
        if seconds / 60 % 60 > 0 {
            let _ = write!(out, "{}M", seconds / 60 % 60);
        }
        if micros > 0 {
            let fraction = format!("{micros:06}");
            let _ = write!(out, "{}.{}S", seconds % 60, fraction.trim_end_matches('0'));
        } else if seconds % 60 > 0 || rest == 0 {
            let _ = write!(out, "{}S", seconds % 60);
        }
    }
    out
}

/// The day of the Gregorian calendar. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, "2000-01-01"),
            (-10_957, "1970-01-01"),
            (59, "2000-02-29"),
            (8_825, "2024-02-29"),
            (-730_119, "0001-01-01"),
            (2_921_939, "9999-12-31"),
        ] {
            assert_eq!(date(days).as_deref(), Some(expected));
        }
        for outside in [i32::MIN, i32::MAX, -730_120, 2_921_940] {
            assert_eq!(date(outside), None);
        }
    }

    #[test]
    fn moments_have_microseconds() {
        assert_eq!(timestamp(-1).as_deref(), Some("1999-12-31T23:59:59.999999"));
        assert_eq!(timestamp(0).as_deref(), Some("2000-01-01T00:00:00"));
        assert_eq!(timestamp(i64::MAX), None);
        assert_eq!(time(DAY).as_deref(), Some("00:00:00"));
        assert_eq!(time(-1), None);
        assert_eq!(time_of_zone(0, -19_800).as_deref(), Some("00:00:00+05:30"));
        assert_eq!(time_of_zone(0, 3600).as_deref(), Some("00:00:00-01:00"));
    }

    #[test]
    fn durations_are_those_of_iso_8601() {
        assert_eq!(interval(5, 1, 1), Some(31 * DAY + 5));
        assert_eq!(interval(i64::MAX, i32::MAX, i32::MAX), None);
        for (micros, expected) in
            [(0, "PT0S"), (90 * MICROS, "PT1M30S"), (-DAY, "-P1D"), (3_600_500_000, "PT1H0.5S")]
        {
            assert_eq!(duration(micros), expected);
        }
    }
}
