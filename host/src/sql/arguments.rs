//! The arguments of a statement, as a guest marshals them (version 2, which has no references): a tuple of plain values.
//!
//! Values without a plain form, such as dates, are text by the time they come here.

use crate::codec::marshal::{LONG_SHIFT, code};

/// Most arguments of a statement; SQLite has as many, and Postgres twice as many.
pub const MOST: usize = 32_766;

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Read them. The error is a sentence.
pub fn read(data: &[u8]) -> Result<Vec<Value>, String> {
    let mut reader = Reader(data);
    if reader.byte()? != code::TUPLE {
        return Err(malformed());
    }
    let count = reader.length()?;
    // Each has at least a byte.
    if count > MOST || count > reader.0.len() {
        return Err(format!("a statement has at most {MOST} arguments"));
    }
    let values = (0..count).map(|index| reader.value(index)).collect::<Result<_, _>>()?;
    if reader.0.is_empty() { Ok(values) } else { Err(malformed()) }
}

fn malformed() -> String {
    "the arguments are malformed".to_owned()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| malformed())
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    fn length(&mut self) -> Result<usize, String> {
        usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| malformed())
    }

    fn value(&mut self, index: usize) -> Result<Value, String> {
        Ok(match self.byte()? {
            code::NONE => Value::Null,
            code::FALSE => Value::Bool(false),
            code::TRUE => Value::Bool(true),
            code::INT => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            code::LONG => Value::Int(self.long(index)?),
            code::FLOAT => Value::Float(f64::from_le_bytes(self.array()?)),
            code::BYTES => {
                let length = self.length()?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            code::UNICODE => {
                let length = self.length()?;
                let text = std::str::from_utf8(self.take(length)?);
                Value::Text(
                    text.map_err(|_| format!("argument {} is no text in UTF-8", index + 1))?.to_owned(),
                )
            }
            _ => return Err(format!("argument {} has no plain form", index + 1)),
        })
    }

    /// An integer in digits of 15 bits; the sign is that of their number.
    fn long(&mut self, index: usize) -> Result<i64, String> {
        let too_large = || format!("argument {} is an integer of more than 64 bits", index + 1);
        let digits = i32::from_le_bytes(self.array()?);
        if digits.unsigned_abs() > 5 {
            return Err(too_large());
        }
        let mut value = 0i128;
        for place in 0..digits.unsigned_abs() {
            let digit = u16::from_le_bytes(self.array()?);
            value |= i128::from(digit) << (place * LONG_SHIFT);
        }
        i64::try_from(if digits < 0 { -value } else { value }).map_err(|_| too_large())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `marshal.dumps(values, 2)` of CPython 3.14.
    #[test]
    fn what_python_marshals_is_read() {
        let data = b"(\x08\0\0\0NTFi\xff\xff\xff\xffl\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x07\0g\0\0\0\0\0\0\xf8?u\x02\0\0\0\xc3\xa9s\x01\0\0\0\xff";
        let (text, bytes) = (Value::Text("\u{e9}".to_owned()), Value::Bytes(vec![255]));
        let expected = [
            Value::Null,
            Value::Bool(true),
            Value::Bool(false),
            Value::Int(-1),
            Value::Int(i64::MAX),
            Value::Float(1.5),
        ];
        assert_eq!(read(data).unwrap(), [&expected[..], &[text, bytes]].concat());
        let least = b"(\x01\0\0\0l\xfb\xff\xff\xff\0\0\0\0\0\0\0\0\x08\0";
        assert_eq!(read(least).unwrap(), [Value::Int(i64::MIN)]);
        assert_eq!(read(b"(\0\0\0\0").unwrap(), []);
    }

    #[test]
    fn what_is_none_is_refused() {
        for (data, why) in [
            (&b""[..], "malformed"),
            (b"(\x01\0\0\0", "at most"),
            (b"(\xff\xff\xff\xff", "malformed"),
            (b"(\xff\xff\xff\x7fN", "at most"),
            (b"(\x01\0\0\0NN", "malformed"),
            (b"(\x01\0\0\0u\x01\0\0\0\xff", "UTF-8"),
            (b"(\x01\0\0\0u\xff\xff\xff\x7fx", "malformed"),
            (b"(\x01\0\0\0l\x06\0\0\0", "64 bits"),
            (b"(\x01\0\0\0l\x05\0\0\0\0\0\0\0\0\0\0\0\x08\0", "64 bits"),
            (b"(\x01\0\0\0[\0\0\0\0", "plain form"),
            (b"N", "malformed"),
        ] {
            let said = read(data).unwrap_err();
            assert!(said.contains(why), "{data:?}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            let _ = read(&data);
            let _ = read(&[b"(\x02\0\0\0", &data[..]].concat());
        }
    }
}
