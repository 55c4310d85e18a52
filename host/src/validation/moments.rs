//! Reads dates and times as pydantic does, and writes their wire values.

use crate::codec::marshal::Writer;
use crate::validation::coerce::{Checked, refuse};
use crate::validation::fit::Exactness;
use jiter::JsonValue;
use speedate::{
    Date, DateTime, DateTimeConfig, MicrosecondsPrecisionOverflowBehavior, ParseError, TimeConfig,
};

/// Numbers are seconds or, if they are large, milliseconds since the epoch, in UTC. Digits beyond microseconds are cut.
fn moments() -> DateTimeConfig {
    let time_config = TimeConfig {
        unix_timestamp_offset: Some(0),
        microseconds_precision_overflow_behavior: MicrosecondsPrecisionOverflowBehavior::Truncate,
    };
    DateTimeConfig { time_config, ..DateTimeConfig::default() }
}

/// A number as a moment; `None` if the value is no number.
fn moment(value: &JsonValue<'_>) -> Option<Result<DateTime, ParseError>> {
    match value {
        JsonValue::Int(seconds) => Some(DateTime::from_timestamp_with_config(*seconds, 0, &moments())),
        JsonValue::Float(seconds) => Some(DateTime::from_float_with_config(*seconds, &moments())),
        JsonValue::BigInt(int) => {
            let end = if int.sign() == num_bigint::Sign::Minus { i64::MIN } else { i64::MAX };
            Some(DateTime::from_timestamp_with_config(end, 0, &moments()))
        }
        _ => None,
    }
}

/// Wire: `(year, month, day, hour, minute, second, microsecond, offset in seconds or None)`.
pub fn datetime(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    const TYPE: &str = "Input should be a valid datetime";
    let told = |error: ParseError| error.to_string().replace('_', " ");
    let at = match value {
        JsonValue::Str(text) => {
            DateTime::parse_bytes_with_config(text.as_bytes(), &moments()).or_else(|_| {
                let time = speedate::Time { hour: 0, minute: 0, second: 0, microsecond: 0, tz_offset: None };
                Date::parse_str(text).map(|date| DateTime { date, time }).map_err(|error| {
                    ("datetime_from_date_parsing", format!("{TYPE} or date, {}", told(error)).into())
                })
            })?
        }
        number => match moment(number) {
            Some(parsed) => {
                parsed.map_err(|error| ("datetime_parsing", format!("{TYPE}, {}", told(error)).into()))?
            }
            None => return refuse("datetime_type", TYPE),
        },
    };
    if at.date.year == 0 {
        return refuse(
            "datetime_from_date_parsing",
            "Input should be a valid datetime or date, year 0 is out of range",
        );
    }
    out.tuple(8);
    ymd(&at.date, out);
    for part in
        [u32::from(at.time.hour), u32::from(at.time.minute), u32::from(at.time.second), at.time.microsecond]
    {
        out.int(i64::from(part));
    }
    match at.time.tz_offset {
        Some(offset) => out.int(i64::from(offset)),
        None => out.none(),
    }
    Ok(Exactness::Lax)
}

/// Wire: `(year, month, day)`.
pub fn date(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    const TYPE: &str = "Input should be a valid date";
    const INEXACT: &str = "Datetimes provided to dates should have zero time - e.g. be exact dates";
    let only_date = match value {
        JsonValue::Str(text) => Date::parse_str(text).ok(),
        _ => None,
    };
    let date = match only_date {
        Some(date) => date,
        None => {
            let parsed = match value {
                JsonValue::Str(text) => DateTime::parse_bytes_with_config(text.as_bytes(), &moments()),
                number => match moment(number) {
                    Some(parsed) => parsed,
                    None => return refuse("date_type", TYPE),
                },
            };
            let at = parsed.map_err(|error| {
                let told = error.to_string().replace('_', " ");
                ("date_from_datetime_parsing", format!("{TYPE} or datetime, {told}").into())
            })?;
            if at.time.total_seconds() != 0 || at.time.microsecond != 0 {
                return refuse("date_from_datetime_inexact", INEXACT);
            }
            at.date
        }
    };
    if date.year == 0 {
        return refuse(
            "date_from_datetime_parsing",
            "Input should be a valid date or datetime, year 0 is out of range",
        );
    }
    out.tuple(3);
    ymd(&date, out);
    Ok(Exactness::Lax)
}

fn ymd(date: &Date, out: &mut Writer) {
    out.int(i64::from(date.year));
    out.int(i64::from(date.month));
    out.int(i64::from(date.day));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// pydantic 2.14 with the same values.
    #[test]
    fn moments_are_read_as_pydantic_reads_them() {
        let seen = |given: &str, read: fn(&JsonValue<'_>, &mut Writer) -> Checked| {
            let value = JsonValue::parse(given.as_bytes(), false).unwrap();
            let mut out = Writer::default();
            read(&value, &mut out).map(|_| out.buf).map_err(|(kind, _)| kind)
        };
        let at = |parts: [i64; 7], offset: Option<i64>| {
            let mut out = Writer::default();
            out.tuple(8);
            parts.iter().for_each(|part| out.int(*part));
            match offset {
                Some(offset) => out.int(offset),
                None => out.none(),
            }
            Ok(out.buf)
        };
        let utc = Some(0);
        for (given, expected) in [
            ("1687335122.596625", at([2023, 6, 21, 8, 12, 2, 596_625], utc)),
            ("1687335122596.625", at([2023, 6, 21, 8, 12, 2, 596_625], utc)),
            ("1687335122596", at([2023, 6, 21, 8, 12, 2, 596_000], utc)),
            ("-1.5", at([1969, 12, 31, 23, 59, 58, 500_000], utc)),
            ("20000000000", at([2603, 10, 11, 11, 33, 20, 0], utc)),
            ("20000000001", at([1970, 8, 20, 11, 33, 20, 1000], utc)),
            ("20000000000.5", at([1970, 8, 20, 11, 33, 20, 500], utc)),
            ("-20000000001.5", at([1969, 5, 14, 12, 26, 39, 998_500], utc)),
            ("253402300799999", at([9999, 12, 31, 23, 59, 59, 999_000], utc)),
            ("-62135596800000", at([1, 1, 1, 0, 0, 0, 0], utc)),
            ("1.0000005", at([1970, 1, 1, 0, 0, 1, 1], utc)),
            ("1.9999999", at([1970, 1, 1, 0, 0, 2, 0], utc)),
            ("\"1687335122.596625\"", at([2023, 6, 21, 8, 12, 2, 596_625], utc)),
            ("\"2024-01-01T00:00:00.1234567\"", at([2024, 1, 1, 0, 0, 0, 123_456], None)),
            ("\"2024-01-01T00:00:00.1234567890\"", at([2024, 1, 1, 0, 0, 0, 123_456], None)),
            ("\"2024-01-01T00:00:00.123456789Z\"", at([2024, 1, 1, 0, 0, 0, 123_456], utc)),
            ("\"2024-01-01T00:00:00,5\"", at([2024, 1, 1, 0, 0, 0, 500_000], None)),
            ("\"2024-01-01T00:00:00+23:59\"", at([2024, 1, 1, 0, 0, 0, 0], Some(86_340))),
            ("1e15", Err("datetime_parsing")),
            ("253402300800000", Err("datetime_parsing")),
            ("99999999999999999999", Err("datetime_parsing")),
            ("true", Err("datetime_type")),
            ("\"9999999999999999\"", Err("datetime_from_date_parsing")),
            ("\"2024-01-01T24:00:00\"", Err("datetime_from_date_parsing")),
        ] {
            assert_eq!(seen(given, datetime), expected, "datetime {given}");
        }
        let on = |year, month, day| {
            let mut out = Writer::default();
            out.tuple(3);
            [year, month, day].iter().for_each(|part| out.int(*part));
            Ok(out.buf)
        };
        for (given, expected) in [
            ("1704153600.0", on(2024, 1, 2)),
            ("1704153600000", on(2024, 1, 2)),
            ("\"1704153600.0\"", on(2024, 1, 2)),
            ("\"2024-01-01T00:00:00.0000009\"", on(2024, 1, 1)),
            ("-62135596800000", on(1, 1, 1)),
            ("1704153600.5", Err("date_from_datetime_inexact")),
            ("1", Err("date_from_datetime_inexact")),
            ("\"2024-01-01T00:00:00.1234567\"", Err("date_from_datetime_inexact")),
            ("\"2024-01-01T24:00:00\"", Err("date_from_datetime_parsing")),
            ("1e18", Err("date_from_datetime_parsing")),
            ("true", Err("date_type")),
        ] {
            assert_eq!(seen(given, date), expected, "date {given}");
        }
    }
}
