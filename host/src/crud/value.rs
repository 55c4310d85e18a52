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
