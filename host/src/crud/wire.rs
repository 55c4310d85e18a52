//! Reads the arguments that `validation` has written for a handler, when there is none.

use crate::codec::marshal::{LONG_SHIFT, code};
use crate::sql::arguments::Value;

/// A value as a handler would get it.
#[derive(Debug, Clone, PartialEq)]
pub enum Wire {
    /// It was not sent, and has no default that the host knows.
    Absent,
    Value(Value),
    /// An integer of more than 64 bits, and no negative one: an identifier.
    Wide(u128),
    Tuple(Vec<Wire>),
}

/// Digits of the widest integer, of 128 bits.
const MOST_DIGITS: u32 = 9;

/// Read a tuple of arguments. `None` if one is of a kind that no column has, such as a list.
pub fn read(data: &[u8]) -> Option<Vec<Wire>> {
    let mut reader = Reader(data);
    match reader.value()? {
        Wire::Tuple(values) if reader.0.is_empty() => Some(values),
        _ => None,
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<usize> {
        self.array().map(u32::from_le_bytes).and_then(|length| usize::try_from(length).ok())
    }

    fn text(&mut self, length: usize) -> Option<Wire> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        Some(Wire::Value(Value::Text(text.to_owned())))
    }

    fn value(&mut self) -> Option<Wire> {
        let [code] = self.array()?;
        Some(match code {
            code::ELLIPSIS => Wire::Absent,
            code::NONE => Wire::Value(Value::Null),
            code::FALSE => Wire::Value(Value::Bool(false)),
            code::TRUE => Wire::Value(Value::Bool(true)),
            code::INT => Wire::Value(Value::Int(i32::from_le_bytes(self.array()?).into())),
            code::LONG => return self.long(),
            code::FLOAT => Wire::Value(Value::Float(f64::from_le_bytes(self.array()?))),
            code::BYTES => {
                let length = self.length()?;
                Wire::Value(Value::Bytes(self.take(length)?.to_vec()))
            }
            code::SHORT_ASCII | code::SHORT_ASCII_INTERNED => {
                let [length] = self.array()?;
                return self.text(length.into());
            }
            code::ASCII | code::ASCII_INTERNED | code::UNICODE | code::INTERNED => {
                let length = self.length()?;
                return self.text(length);
            }
            code::SMALL_TUPLE => {
                let [count] = self.array()?;
                return self.tuple(count.into());
            }
            code::TUPLE => {
                let count = self.length()?;
                return self.tuple(count);
            }
            _ => return None,
        })
    }

    fn tuple(&mut self, count: usize) -> Option<Wire> {
        // Each has at least a byte.
        if count > self.0.len() {
            return None;
        }
        (0..count).map(|_| self.value()).collect::<Option<_>>().map(Wire::Tuple)
    }

    fn long(&mut self) -> Option<Wire> {
        let digits = i32::from_le_bytes(self.array()?);
        if digits.unsigned_abs() > MOST_DIGITS {
            return None;
        }
        let mut value = 0u128;
        for place in 0..digits.unsigned_abs() {
            let digit = u128::from(u16::from_le_bytes(self.array()?));
            value |= digit.checked_shl(place * LONG_SHIFT)?;
        }
        let signed = i128::try_from(value).ok().map(|value| if digits < 0 { -value } else { value });
        match signed.and_then(|value| i64::try_from(value).ok()) {
            Some(value) => Some(Wire::Value(Value::Int(value))),
            None if digits > 0 => Some(Wire::Wide(value)),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::marshal::Writer;

    #[test]
    fn what_validation_writes_is_read() {
        let mut out = Writer::default();
        out.tuple(6);
        out.str("é");
        out.int(i64::MIN);
        out.u128(u128::MAX);
        out.ellipsis();
        out.tuple(2);
        out.none();
        out.bool(true);
        out.float(0.5);
        let expected = vec![
            Wire::Value(Value::Text("é".to_owned())),
            Wire::Value(Value::Int(i64::MIN)),
            Wire::Wide(u128::MAX),
            Wire::Absent,
            Wire::Tuple(vec![Wire::Value(Value::Null), Wire::Value(Value::Bool(true))]),
            Wire::Value(Value::Float(0.5)),
        ];
        assert_eq!(read(&out.buf), Some(expected));
        let mut list = Writer::default();
        list.tuple(1);
        list.list(0);
        assert_eq!(read(&list.buf), None);
    }
}
