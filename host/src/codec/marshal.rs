//! CPython's marshal format (version 4): type codes, and a writer for a handler's arguments.
//!
//! The writer never emits back-references, so its output is a plain tree that `marshal.loads`
//! reads in C. Source of the format: CPython 3.14, `Python/marshal.c`.

use num_bigint::{BigInt, Sign};

/// Type codes, as the first byte of each object.
pub mod code {
    pub const NULL: u8 = b'0';
    pub const NONE: u8 = b'N';
    pub const FALSE: u8 = b'F';
    pub const TRUE: u8 = b'T';
    pub const ELLIPSIS: u8 = b'.';
    pub const INT: u8 = b'i';
    pub const LONG: u8 = b'l';
    pub const FLOAT: u8 = b'g';
    pub const BYTES: u8 = b's';
    pub const SHORT_ASCII: u8 = b'z';
    pub const SHORT_ASCII_INTERNED: u8 = b'Z';
    pub const ASCII: u8 = b'a';
    pub const ASCII_INTERNED: u8 = b'A';
    pub const UNICODE: u8 = b'u';
    pub const INTERNED: u8 = b't';
    pub const SMALL_TUPLE: u8 = b')';
    pub const TUPLE: u8 = b'(';
    pub const LIST: u8 = b'[';
    pub const DICT: u8 = b'{';
    pub const SET: u8 = b'<';
    pub const FROZENSET: u8 = b'>';
    pub const REF: u8 = b'r';
    /// ORed into a type code: the object gets the next reference number.
    pub const FLAG_REF: u8 = 0x80;
}

/// Bits in one digit of a marshalled long.
pub const LONG_SHIFT: u32 = 15;

/// Appends Python objects to `buf`. Open a container with its length, then write its items.
#[derive(Default, Debug)]
pub struct Writer {
    pub buf: Vec<u8>,
}

impl Writer {
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buf: Vec::with_capacity(bytes) }
    }

    pub fn none(&mut self) {
        self.buf.push(code::NONE);
    }

    /// Stands for an absent value in the contract: the guest fills in the default.
    pub fn ellipsis(&mut self) {
        self.buf.push(code::ELLIPSIS);
    }

    pub fn bool(&mut self, value: bool) {
        self.buf.push(if value { code::TRUE } else { code::FALSE });
    }

    pub fn int(&mut self, value: i64) {
        if let Ok(small) = i32::try_from(value) {
            self.buf.push(code::INT);
            self.buf.extend_from_slice(&small.to_le_bytes());
        } else {
            self.long(value < 0, u128::from(value.unsigned_abs()));
        }
    }

    pub fn u128(&mut self, value: u128) {
        match i64::try_from(value) {
            Ok(small) => self.int(small),
            Err(_) => self.long(false, value),
        }
    }

    fn long(&mut self, negative: bool, mut magnitude: u128) {
        let digits = (128 - magnitude.leading_zeros()).div_ceil(LONG_SHIFT) as i32;
        self.buf.push(code::LONG);
        let signed = if negative { -digits } else { digits };
        self.buf.extend_from_slice(&signed.to_le_bytes());
        while magnitude > 0 {
            self.buf.extend_from_slice(&((magnitude & 0x7fff) as u16).to_le_bytes());
            magnitude >>= LONG_SHIFT;
        }
    }

    pub fn big_int(&mut self, value: &BigInt) {
        if let Ok(small) = i64::try_from(value) {
            return self.int(small);
        }
        let bytes = value.magnitude().to_bytes_le();
        let mut packed = Vec::with_capacity(bytes.len() / 2 + 2);
        let (mut acc, mut bits) = (0u32, 0u32);
        for digit in bytes {
            acc |= u32::from(digit) << bits;
            bits += 8;
            while bits >= LONG_SHIFT {
                packed.push((acc & 0x7fff) as u16);
                acc >>= LONG_SHIFT;
                bits -= LONG_SHIFT;
            }
        }
        if acc > 0 {
            packed.push(acc as u16);
        }
        while packed.last() == Some(&0) {
            packed.pop();
        }
        let count = packed.len() as i32;
        let signed = if value.sign() == Sign::Minus { -count } else { count };
        self.buf.push(code::LONG);
        self.buf.extend_from_slice(&signed.to_le_bytes());
        for digit in packed {
            self.buf.extend_from_slice(&digit.to_le_bytes());
        }
    }

    pub fn float(&mut self, value: f64) {
        self.buf.push(code::FLOAT);
        self.buf.extend_from_slice(&value.to_le_bytes());
    }

    pub fn str(&mut self, value: &str) {
        if value.is_ascii() {
            if let Ok(len) = u8::try_from(value.len()) {
                self.buf.push(code::SHORT_ASCII);
                self.buf.push(len);
            } else {
                self.sized(code::ASCII, value.len());
            }
        } else {
            self.sized(code::UNICODE, value.len());
        }
        self.buf.extend_from_slice(value.as_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.sized(code::BYTES, value.len());
        self.buf.extend_from_slice(value);
    }

    /// Open a tuple of `len` items; the caller writes them next.
    pub fn tuple(&mut self, len: usize) {
        if let Ok(len) = u8::try_from(len) {
            self.buf.push(code::SMALL_TUPLE);
            self.buf.push(len);
        } else {
            self.sized(code::TUPLE, len);
        }
    }

    /// Open a list of `len` items; the caller writes them next.
    pub fn list(&mut self, len: usize) {
        self.sized(code::LIST, len);
    }

    /// Open a dict; the caller writes key, value, key, value … and then [`Writer::end_dict`].
    pub fn dict(&mut self) {
        self.buf.push(code::DICT);
    }

    pub fn end_dict(&mut self) {
        self.buf.push(code::NULL);
    }

    /// Append an object marshalled earlier, such as a default.
    pub fn raw(&mut self, marshalled: &[u8]) {
        self.buf.extend_from_slice(marshalled);
    }

    /// Lengths are bounded far below 2^31 by the body limit, which the configuration caps at 1 GiB.
    fn sized(&mut self, code: u8, len: usize) {
        self.buf.push(code);
        self.buf.extend_from_slice(&(len as u32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(f: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut w = Writer::default();
        f(&mut w);
        w.buf
    }

    #[test]
    fn integers_take_the_shortest_form_that_holds_them() {
        assert_eq!(written(|w| w.int(-1)), b"i\xff\xff\xff\xff");
        // marshal.dumps(2**31, 4) in CPython, without its reference flag.
        assert_eq!(written(|w| w.int(1 << 31)), b"l\x03\0\0\0\0\0\0\0\x02\0");
        assert_eq!(written(|w| w.int(-(1 << 31) - 1)), b"l\xfd\xff\xff\xff\x01\0\0\0\x02\0");
    }

    #[test]
    fn a_big_int_is_the_same_long_whichever_way_it_comes() {
        for value in [u128::from(u64::MAX) + 1, u128::MAX, 1 << 90, (1 << 75) - 1] {
            assert_eq!(written(|w| w.u128(value)), written(|w| w.big_int(&BigInt::from(value))));
        }
        assert_eq!(written(|w| w.big_int(&BigInt::from(-7))), written(|w| w.int(-7)));
    }

    #[test]
    fn strings_are_marked_ascii_only_when_they_are() {
        assert_eq!(written(|w| w.str("hi")), b"z\x02hi");
        assert_eq!(written(|w| w.str("é")), b"u\x02\0\0\0\xc3\xa9");
        assert_eq!(written(|w| w.str(&"x".repeat(256)))[..5], *b"a\0\x01\0\0");
    }
}
