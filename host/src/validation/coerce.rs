//! Coerces one scalar of a request as pydantic's lax mode does, and writes its wire value.
//!
//! A query or path value arrives as a JSON string, so text and JSON numbers share one set of rules.
//! A function that returns an error, `(pydantic's type, its message)`, writes nothing.

use crate::codec::marshal::Writer;
use crate::manifest::constraints::Violation;
use crate::validation::fit::Exactness;
use jiter::JsonValue;
use num_bigint::BigInt;

/// How exactly the value fits.
pub type Checked = Result<Exactness, Violation<'static>>;

/// Longest integer read from text, in digits; CPython has the same limit.
const MAX_INT_DIGITS: usize = 4300;

pub fn refuse(kind: &'static str, msg: &'static str) -> Checked {
    Err((kind, msg.into()))
}

pub fn str(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Str(text) => {
            out.str(text);
            Ok(Exactness::Exact)
        }
        _ => refuse("string_type", "Input should be a valid string"),
    }
}

pub fn bytes(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Str(text) => {
            out.bytes(text.as_bytes());
            Ok(Exactness::Lax)
        }
        _ => refuse("bytes_type", "Input should be a valid bytes"),
    }
}

pub fn none(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Null => {
            out.none();
            Ok(Exactness::Exact)
        }
        _ => refuse("none_required", "Input should be None"),
    }
}

pub fn int(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    match value {
        JsonValue::Int(int) => out.int(*int),
        JsonValue::BigInt(int) if int.bits() <= 14_300 => out.big_int(int),
        JsonValue::BigInt(_) => return refuse("int_parsing_size", SIZE),
        JsonValue::Bool(flag) => {
            out.int(i64::from(*flag));
            return Ok(Exactness::Lax);
        }
        JsonValue::Float(float) => return int_from_float(*float, out),
        JsonValue::Str(text) => return int_from_text(text, out),
        _ => return refuse("int_type", "Input should be a valid integer"),
    }
    Ok(Exactness::Exact)
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
    Ok(Exactness::Lax)
}

fn int_from_text(text: &str, out: &mut Writer) -> Checked {
    const MSG: &str = "Input should be a valid integer, unable to parse string as an integer";
    let text = text.trim();
    if let Ok(int) = text.parse::<i64>() {
        out.int(int);
        return Ok(Exactness::Lax);
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
    Ok(Exactness::Lax)
}

/// Remove Python's digit separators, which must be single and between digits.
fn without_underscores(text: &str) -> Option<String> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    Some(text.replace('_', ""))
}

pub fn float(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    let (float, exactness) = match value {
        JsonValue::Float(float) => (*float, Exactness::Exact),
        JsonValue::Int(int) => (*int as f64, Exactness::Strict),
        JsonValue::BigInt(int) => (int.to_string().parse().unwrap_or(f64::INFINITY), Exactness::Strict),
        JsonValue::Bool(flag) => (f64::from(u8::from(*flag)), Exactness::Lax),
        JsonValue::Str(text) => match without_underscores(text.trim()).and_then(|t| t.parse().ok()) {
            Some(float) => (float, Exactness::Lax),
            None => {
                return refuse(
                    "float_parsing",
                    "Input should be a valid number, unable to parse string as a number",
                );
            }
        },
        _ => return refuse("float_type", "Input should be a valid number"),
    };
    if !float.is_finite() {
        return refuse("finite_number", "Input should be a finite number");
    }
    out.float(float);
    Ok(exactness)
}

pub fn bool(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    const MSG: &str = "Input should be a valid boolean, unable to interpret input";
    let flag = match value {
        JsonValue::Bool(flag) => {
            out.bool(*flag);
            return Ok(Exactness::Exact);
        }
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
            Ok(Exactness::Lax)
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

/// Wire: a 128-bit integer.
pub fn uuid(value: &JsonValue<'_>, out: &mut Writer) -> Checked {
    let JsonValue::Str(text) = value else {
        return refuse("uuid_type", "UUID input should be a string, bytes or UUID object");
    };
    match uuid::Uuid::parse_str(text) {
        Ok(uuid) => {
            out.u128(uuid.as_u128());
            Ok(Exactness::Lax)
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
    Ok(Exactness::Lax)
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
    use crate::validation::moments;

    fn int_of(text: &str) -> Result<Vec<u8>, &'static str> {
        let mut out = Writer::default();
        int(&JsonValue::Str(text.into()), &mut out).map(|_| out.buf).map_err(|e| e.0)
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
            let outcome = int(&JsonValue::Float(float), &mut as_int).map(|_| ()).map_err(|(kind, _)| kind);
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
            let refusal = float(&JsonValue::Str(text.into()), &mut Writer::default()).unwrap_err();
            assert_eq!(refusal.0, "finite_number", "{text}");
        }
    }

    #[test]
    fn nothing_that_python_cannot_hold_reaches_the_guest() {
        let mut out = Writer::default();
        for text in ["0000-01-01", "2024-02-30", "2024-13-01", "x"] {
            assert!(moments::date(&JsonValue::Str(text.into()), &mut out).is_err(), "{text}");
            assert!(moments::datetime(&JsonValue::Str(text.into()), &mut out).is_err(), "{text}");
        }
        for text in ["", ".", "1e", "1e9999999", "--1", "NaN"] {
            assert!(decimal(&JsonValue::Str(text.into()), &mut out).is_err(), "{text}");
        }
        assert!(out.buf.is_empty());
    }
}
