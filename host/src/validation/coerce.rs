//! Coerces one scalar of a request as pydantic's lax mode does, and writes its wire value.
//!
//! A query or path value arrives as a JSON string, so text and JSON numbers share one set of rules.
//! A function that returns an error, `(pydantic's type, its message)`, writes nothing.

use crate::codec::marshal::Writer;
use crate::manifest::constraints::Violation;
use jiter::JsonValue;
use num_bigint::BigInt;
use speedate::{Date, DateTime, DateTimeConfig, TimeConfig};

type Checked = Result<(), Violation<'static>>;

/// Longest integer read from text, in digits; CPython has the same limit.
const MAX_INT_DIGITS: usize = 4300;

fn refuse(kind: &'static str, msg: &'static str) -> Checked {
    Err((kind, msg.into()))
}

pub fn str(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Str(text) => {
            out.str(text);
            Ok(())
        }
        _ => refuse("string_type", "Input should be a valid string"),
    }
}

pub fn bytes(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Str(text) => {
            out.bytes(text.as_bytes());
            Ok(())
        }
        _ => refuse("bytes_type", "Input should be a valid bytes"),
    }
}

pub fn none(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Null => {
            out.none();
            Ok(())
        }
        _ => refuse("none_required", "Input should be None"),
    }
}

pub fn int(value: &JsonValue<'_>, strict: bool, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Int(int) => out.int(*int),
        JsonValue::BigInt(int) if int.bits() <= 14_300 => out.big_int(int),
        JsonValue::BigInt(_) => return refuse("int_parsing_size", SIZE),
        JsonValue::Bool(flag) if !strict => out.int(i64::from(*flag)),
        JsonValue::Float(float) if !strict => return int_from_float(*float, out),
        JsonValue::Str(text) if !strict => return int_from_text(text, out),
        _ => return refuse("int_type", "Input should be a valid integer"),
    }
    Ok(())
}

const SIZE: &str = "Unable to parse input string as an integer, exceeded maximum size";

fn int_from_float(float: f64, out: &mut Writer) -> Checked {
    if !float.is_finite() {
        return refuse("finite_number", "Input should be a finite number");
    }
    if float.fract() != 0.0 {
        return refuse(
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        );
    }
    // As in pydantic, also the smallest of 64 bits is refused.
    if float.abs() >= 9_223_372_036_854_775_808.0 {
        return refuse("int_parsing_size", SIZE);
    }
    out.int(float as i64);
    Ok(())
}

fn int_from_text(text: &str, out: &mut Writer) -> Checked {
    const MSG: &str = "Input should be a valid integer, unable to parse string as an integer";
    let text = text.trim();
    if let Ok(int) = text.parse::<i64>() {
        out.int(int);
        return Ok(());
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // "1.00" is an integer to pydantic, "1." is not.
    let digits = match unsigned.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        Some(_) => return refuse("int_parsing", MSG),
        None => unsigned,
    };
    let Some(digits) = without_underscores(digits) else { return refuse("int_parsing", MSG) };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return refuse("int_parsing", MSG);
    }
    if digits.len() > MAX_INT_DIGITS {
        return refuse("int_parsing_size", SIZE);
    }
    let Ok(magnitude) = digits.parse::<BigInt>() else { return refuse("int_parsing", MSG) };
    out.big_int(&if text.starts_with('-') { -magnitude } else { magnitude });
    Ok(())
}

/// Remove Python's digit separators, which must be single and between digits.
fn without_underscores(text: &str) -> Option<String> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    Some(text.replace('_', ""))
}

/// `exact`: integers are refused as well.
pub fn float(value: &JsonValue<'_>, strict: bool, exact: bool, out: &mut Writer) -> Checked {
    let float = match value {
        JsonValue::Float(float) => *float,
        _ if exact => return refuse("float_type", "Input should be a valid number"),
        JsonValue::Int(int) => *int as f64,
        JsonValue::BigInt(int) => int.to_string().parse().unwrap_or(f64::INFINITY),
        JsonValue::Bool(flag) if !strict => f64::from(u8::from(*flag)),
        JsonValue::Str(text) if !strict => {
            match without_underscores(text.trim()).and_then(|t| t.parse().ok()) {
                Some(float) => float,
                None => {
                    return refuse(
                        "float_parsing",
                        "Input should be a valid number, unable to parse string as a number",
                    );
                }
            }
        }
        _ => return refuse("float_type", "Input should be a valid number"),
    };
    if !float.is_finite() {
        return refuse("finite_number", "Input should be a finite number");
    }
    out.float(float);
    Ok(())
}

pub fn bool(value: &JsonValue<'_>, strict: bool, out: &mut Writer) -> Checked {
    const MSG: &str = "Input should be a valid boolean, unable to interpret input";
    let flag = match value {
        JsonValue::Bool(flag) => Some(*flag),
        _ if strict => return refuse("bool_type", "Input should be a valid boolean"),
        JsonValue::Int(int) => flag_of_int(*int),
        JsonValue::Float(float) if float.fract() == 0.0 => flag_of_int(*float as i64),
        JsonValue::Str(text) if text.len() <= 5 => match text.to_ascii_lowercase().as_str() {
            "1" | "on" | "t" | "true" | "y" | "yes" => Some(true),
            "0" | "off" | "f" | "false" | "n" | "no" => Some(false),
            _ => None,
        },
        JsonValue::Str(_) => None,
        _ => return refuse("bool_type", "Input should be a valid boolean"),
    };
    match flag {
        Some(flag) => {
            out.bool(flag);
            Ok(())
        }
        None => refuse("bool_parsing", MSG),
    }
}

fn flag_of_int(int: i64) -> Option<bool> {
    match int {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Wire: `(year, month, day, hour, minute, second, microsecond, offset in seconds or None)`.
pub fn datetime(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    const TYPE: &str = "Input should be a valid datetime";
    // Numbers are seconds since the epoch, in UTC.
    let time_config = TimeConfig { unix_timestamp_offset: Some(0), ..TimeConfig::default() };
    let config = DateTimeConfig { time_config, ..DateTimeConfig::default() };
    let parsed = match value {
        JsonValue::Str(text) => {
            DateTime::parse_bytes_with_config(text.as_bytes(), &config).or_else(|error| {
                let midnight = |date| DateTime {
                    date,
                    time: speedate::Time { hour: 0, minute: 0, second: 0, microsecond: 0, tz_offset: None },
                };
                Date::parse_str(text).map(midnight).map_err(|_| error)
            })
        }
        JsonValue::Int(seconds) => DateTime::from_timestamp_with_config(*seconds, 0, &config),
        JsonValue::Float(seconds) if seconds.abs() < 1e15 => DateTime::from_timestamp(
            seconds.floor() as i64,
            ((seconds - seconds.floor()) * 1e6).round() as u32,
        ),
        _ => return refuse("datetime_type", TYPE),
    };
    let at = parsed.map_err(|e| {
        ("datetime_from_date_parsing", format!("{TYPE} or date, {}", e.to_string().replace("_", " ")).into())
    })?;
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
    Ok(())
}

/// Wire: `(year, month, day)`.
pub fn date(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    const TYPE: &str = "Input should be a valid date";
    const INEXACT: &str = "Datetimes provided to dates should have zero time - e.g. be exact dates";
    let parsed = match value {
        JsonValue::Str(text) => match Date::parse_str(text) {
            Ok(date) => Ok(date),
            Err(error) => match DateTime::parse_str(text) {
                Ok(at) if at.time.total_seconds() == 0 && at.time.microsecond == 0 => Ok(at.date),
                Ok(_) => return refuse("date_from_datetime_inexact", INEXACT),
                Err(_) => Err(error),
            },
        },
        JsonValue::Int(seconds) => match DateTime::from_timestamp(*seconds, 0) {
            Ok(at) if at.time.total_seconds() != 0 => return refuse("date_from_datetime_inexact", INEXACT),
            other => other.map(|at| at.date),
        },
        _ => return refuse("date_type", TYPE),
    };
    let date = parsed.map_err(|e| {
        (
            "date_from_datetime_parsing",
            format!("{TYPE} or datetime, {}", e.to_string().replace("_", " ")).into(),
        )
    })?;
    if date.year == 0 {
        return refuse(
            "date_from_datetime_parsing",
            "Input should be a valid date or datetime, year 0 is out of range",
        );
    }
    out.tuple(3);
    ymd(&date, out);
    Ok(())
}

fn ymd(date: &Date, out: &mut Writer) {
    out.int(i64::from(date.year));
    out.int(i64::from(date.month));
    out.int(i64::from(date.day));
}

/// Wire: a 128-bit integer.
pub fn uuid(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    let JsonValue::Str(text) = value else {
        return refuse("uuid_type", "UUID input should be a string, bytes or UUID object");
    };
    match uuid::Uuid::parse_str(text) {
        Ok(uuid) => {
            out.u128(uuid.as_u128());
            Ok(())
        }
        Err(e) => Err(("uuid_parsing", format!("Input should be a valid UUID, {e}").into())),
    }
}

/// Wire: text that Python's `Decimal` accepts.
pub fn decimal(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Int(int) => out.str(itoa::Buffer::new().format(*int)),
        JsonValue::BigInt(int) => out.str(&int.to_string()),
        JsonValue::Float(float) if float.is_finite() => out.str(ryu::Buffer::new().format_finite(*float)),
        JsonValue::Str(text) => {
            let text = text.trim();
            if is_decimal(text) {
                out.str(text);
            } else if is_infinite(text) {
                return refuse("finite_number", "Input should be a finite number");
            } else if text.contains('_') && is_decimal(&text.replace('_', "")) {
                out.str(&text.replace('_', ""));
            } else {
                return refuse("decimal_parsing", "Input should be a valid decimal");
            }
        }
        _ => {
            return refuse(
                "decimal_type",
                "Decimal input should be an integer, float, string or Decimal object",
            );
        }
    }
    Ok(())
}

/// Values that Python's `Decimal` accepts but JSON cannot represent.
fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    ["nan", "snan", "inf", "infinity"].iter().any(|name| unsigned.eq_ignore_ascii_case(name))
}

fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_ok = exponent.is_none_or(|e| (1..=6).contains(&e.len()) && digits(e));
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && exponent_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int_of(text: &str) -> Result<Vec<u8>, &'static str> {
        let mut out = Writer::default();
        int(&JsonValue::Str(text.into()), false, &mut out).map(|()| out.buf).map_err(|e| e.0)
    }

    #[test]
    fn integers_are_read_from_text_as_python_reads_them() {
        for text in ["7", " 7 ", "+7", "07", "7.0", "7.000"] {
            assert_eq!(int_of(text), int_of("7"), "{text:?}");
        }
        assert_eq!(int_of("1_000"), int_of("1000"));
        for text in ["", "x", "1.5", "1.", "1__0", "_1", "0x10", "1e3", "٣"] {
            assert_eq!(int_of(text), Err("int_parsing"), "{text:?}");
        }
        assert_eq!(int_of(&"9".repeat(4301)), Err("int_parsing_size"));
        assert!(int_of(&"9".repeat(4300)).is_ok());
    }

    /// pydantic 2.14 with the same numbers.
    #[test]
    fn floats_of_64_bits_become_exactly_the_integer_that_they_are() {
        for (float, exact) in [
            (9e15, Some(9_000_000_000_000_000)),
            (9_007_199_254_740_993.0, Some(9_007_199_254_740_992)),
            (-1e17, Some(-100_000_000_000_000_000)),
            (9_223_372_036_854_774_784.0, Some(9_223_372_036_854_774_784)),
            (9_223_372_036_854_775_808.0, None),
            (-9_223_372_036_854_775_808.0, None),
            (1e300, None),
            (f64::MAX, None),
        ] {
            let (mut as_int, mut expected) = (Writer::default(), Writer::default());
            let outcome = int(&JsonValue::Float(float), false, &mut as_int).map_err(|(kind, _)| kind);
            match exact {
                Some(exact) => {
                    expected.int(exact);
                    assert_eq!((outcome, as_int.buf), (Ok(()), expected.buf), "{float}");
                }
                None => assert_eq!(outcome, Err("int_parsing_size"), "{float}"),
            }
        }
    }

    #[test]
    fn floats_must_be_finite() {
        for text in ["nan", "inf", "-Infinity", "1e999"] {
            let refusal =
                float(&JsonValue::Str(text.into()), false, false, &mut Writer::default()).unwrap_err();
            assert_eq!(refusal.0, "finite_number", "{text}");
        }
    }

    #[test]
    fn nothing_that_python_cannot_hold_reaches_the_guest() {
        let mut out = Writer::default();
        for text in ["0000-01-01", "2024-02-30", "2024-13-01", "x"] {
            assert!(date(&JsonValue::Str(text.into()), &mut out).is_err(), "{text}");
            assert!(datetime(&JsonValue::Str(text.into()), &mut out).is_err(), "{text}");
        }
        for text in ["", ".", "1e", "1e9999999", "--1", "NaN"] {
            assert!(decimal(&JsonValue::Str(text.into()), &mut out).is_err(), "{text}");
        }
        assert!(out.buf.is_empty());
    }
}
