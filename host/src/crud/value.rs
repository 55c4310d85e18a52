//! Values of arguments as a database takes them: as the SDK would bind what a handler gets.

use crate::crud::wire::Wire;
use crate::manifest::Type;
use crate::sql::arguments::Value;
use std::fmt::Write;

/// The value of a type. `None` if no column has such values.
pub fn value(wire: &Wire, ty: &Type) -> Option<Value> {
    match (wire, ty) {
        (_, Type::Checked(inner, _)) => value(wire, inner),
        (Wire::Tuple(parts), Type::Union(union)) if union.tagged => {
            let [Wire::Value(Value::Int(arm)), inner] = &parts[..] else { return None };
            value(inner, union.arms.get(usize::try_from(*arm).ok()?)?)
        }
        (Wire::Tuple(parts), Type::DateTime) => moment(parts).map(Value::Text),
        (Wire::Tuple(parts), Type::Date) => day(parts).map(Value::Text),
        (Wire::Value(Value::Text(text)), Type::Decimal) => decimal(text).map(Value::Text),
        (wire, Type::Uuid) => uuid(wire).map(|id| Value::Text(id.to_string())),
        (Wire::Value(Value::Int(index)), Type::Enum(choices)) => {
            match choices.values().get(usize::try_from(*index).ok()?)? {
                serde_json::Value::String(text) => Some(Value::Text(text.clone())),
                serde_json::Value::Number(number) => {
                    number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Float))
                }
                _ => None,
            }
        }
        (Wire::Value(value), _) => Some(value.clone()),
        _ => None,
    }
}

/// It is an integer on the wire, of whatever size.
fn uuid(wire: &Wire) -> Option<uuid::Uuid> {
    match wire {
        Wire::Wide(number) => Some(uuid::Uuid::from_u128(*number)),
        Wire::Value(Value::Int(number)) => u128::try_from(*number).ok().map(uuid::Uuid::from_u128),
        _ => None,
    }
}

/// As `str(Decimal(text))` of Python: in scientific notation where the exponent is positive or the number very small.
fn decimal(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        // Infinity, or no number.
        return None;
    }
    let all = format!("{whole}{fraction}");
    let digits = match all.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let count = i64::try_from(digits.len()).ok()?;
    let left = exponent.checked_add(count)?;
    let point = if exponent <= 0 && left > -6 { left } else { 1 };
    let mut out = match usize::try_from(point) {
        Ok(0) | Err(_) => {
            let zeros = "0".repeat(usize::try_from(-point).ok()?);
            format!("{sign}0.{zeros}{digits}")
        }
        Ok(point) if point >= digits.len() => format!("{sign}{digits}"),
        Ok(point) => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
    };
    if left != point {
        let _ = write!(out, "E{:+}", left - point);
    }
    Some(out)
}

fn numbers(parts: &[Wire]) -> Option<Vec<i64>> {
    let of = |part: &Wire| match part {
        Wire::Value(Value::Int(number)) => Some(*number),
        _ => None,
    };
    parts.iter().map(of).collect()
}

fn day(parts: &[Wire]) -> Option<String> {
    let [year, month, day] = numbers(parts)?[..] else { return None };
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// As `datetime.isoformat(" ")` of Python.
fn moment(parts: &[Wire]) -> Option<String> {
    let (date, rest) = parts.split_at_checked(3)?;
    let (time, offset) = rest.split_at_checked(4)?;
    let [hour, minute, second, micro] = numbers(time)?[..] else { return None };
    let mut out = format!("{} {hour:02}:{minute:02}:{second:02}", day(date)?);
    if micro != 0 {
        let _ = write!(out, ".{micro:06}");
    }
    match offset {
        [Wire::Value(Value::Null)] => {}
        [Wire::Value(Value::Int(east))] => {
            let (sign, size) = (if *east < 0 { '-' } else { '+' }, east.unsigned_abs());
            let _ = write!(out, "{sign}{:02}:{:02}", size / 3600, size / 60 % 60);
        }
        _ => return None,
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right side is `str(Decimal(text))` of CPython 3.14.
    #[test]
    fn decimals_are_those_of_python() {
        for (text, expected) in [
            ("1.50", "1.50"),
            ("007.5", "7.5"),
            ("-0.0", "-0.0"),
            ("1e3", "1E+3"),
            ("1.23e5", "1.23E+5"),
            ("123e-2", "1.23"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("12e-8", "1.2E-7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0e5", "0E+5"),
        ] {
            assert_eq!(decimal(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(decimal("Infinity"), None);
    }

    #[test]
    fn moments_are_those_of_python() {
        let ints = |numbers: &[i64]| numbers.iter().map(|n| Wire::Value(Value::Int(*n))).collect::<Vec<_>>();
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let local = [ints(&[2024, 2, 3, 4, 5, 6, 7]), vec![Wire::Value(Value::Null)]].concat();
        assert_eq!(value(&Wire::Tuple(local), &Type::DateTime), text("2024-02-03 04:05:06.000007"));
        let zoned = ints(&[2024, 2, 3, 4, 5, 6, 0, -5400]);
        assert_eq!(value(&Wire::Tuple(zoned), &Type::DateTime), text("2024-02-03 04:05:06-01:30"));
        assert_eq!(value(&Wire::Tuple(ints(&[1, 2, 3])), &Type::Date), text("0001-02-03"));
        let small = text("00000000-0000-0000-0000-000000000005");
        assert_eq!(value(&Wire::Value(Value::Int(5)), &Type::Uuid), small);
        assert_eq!(value(&Wire::Tuple(vec![]), &Type::Date), None);
    }
}
