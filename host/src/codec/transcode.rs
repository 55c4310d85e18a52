//! Transcodes a reply's values from marshal to JSON in one pass.
//!
//! The input is hostile: depth and output are bounded, a back-reference may point only at an
//! object that is complete (so a cycle is an error), and nothing panics. The output follows Python's
//! `json.dumps(ensure_ascii=False, allow_nan=False)`, which FastAPI uses.

use crate::codec::encode_error::{EncodeError, MAX_DEPTH};
use crate::codec::json_string::{write_ascii, write_string};
use crate::codec::long_integer;
use crate::codec::marshal::code;
use crate::codec::work::Work;
use std::ops::Range;

/// Longest integer, in 15-bit digits: CPython's own limit for int-to-text conversion (4 300 decimal digits).
const MAX_LONG_DIGITS: u32 = 953;

/// An object that a back-reference may name. A reply may have millions, so this is small.
struct Shared {
    /// Where it starts in the input, after its type code.
    start: u32,
    /// Where its JSON is in the output, so that a reference is a copy: [`INCOMPLETE`] while it is read. Empty if it was
    /// not written as JSON, like a header's name.
    from: u32,
    to: u32,
}

const INCOMPLETE: u32 = u32::MAX;

/// Reads marshalled values from `data`; see [`Reader::json`].
pub struct Reader<'a, 'w> {
    data: &'a [u8],
    pos: usize,
    shared: Vec<Shared>,
    /// Above zero while we reread an earlier object, whose reference numbers are already assigned.
    replaying: u32,
    work: &'w mut Work,
    /// Bytes of output that are reserved.
    granted: usize,
}

/// Maximum number of objects in one reply, counting repeated ones each time.
const MAX_VISITS: usize = 20_000_000;
/// Objects that a reply may hold besides its body, for its headers.
const BESIDE_BODY: usize = 1000;
/// Units of work for an object, and for the bytes of one: converting the longest integer takes 30 µs.
const OBJECT: u64 = 20;
const BYTE: u64 = 16;
/// Output that needs no reservation, in bytes.
const GRANTED: usize = 256 * 1024;

type Result<T> = std::result::Result<T, EncodeError>;

impl<'a, 'w> Reader<'a, 'w> {
    /// A reader of a reply whose body may have `limit` bytes. Each object in the body takes at least one byte, which
    /// bounds the work of references.
    pub fn new(data: &'a [u8], limit: usize, work: &'w mut Work) -> Self {
        let visits = limit.saturating_add(BESIDE_BODY).min(MAX_VISITS) as u64;
        let bytes = (data.len() as u64).saturating_add(limit as u64);
        work.bound(OBJECT * visits + BYTE.saturating_mul(bytes));
        Self { data, pos: 0, shared: Vec::new(), replaying: 0, work, granted: GRANTED }
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.data.get(self.pos).ok_or(EncodeError::Truncated)?;
        self.pos += 1;
        Ok(byte)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        self.work.spend(len as u64 / 8)?;
        let end = self.pos.checked_add(len).ok_or(EncodeError::Truncated)?;
        let slice = self.data.get(self.pos..end).ok_or(EncodeError::Truncated)?;
        self.pos = end;
        Ok(slice)
    }

    fn u32(&mut self) -> Result<u32> {
        let bytes = self.data.get(self.pos..self.pos.saturating_add(4)).ok_or(EncodeError::Truncated)?;
        self.pos += 4;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn len(&mut self) -> Result<usize> {
        Ok(self.u32()? as usize)
    }

    /// Read one type code. The second value is the reference slot the object fills, if any.
    fn open(&mut self) -> Result<(u8, Option<usize>)> {
        self.work.spend(OBJECT)?;
        let byte = self.byte()?;
        let code = byte & !code::FLAG_REF;
        if byte == code::REF | code::FLAG_REF {
            // CPython never writes it, and following a chain of references would recurse.
            return Err(EncodeError::UnknownCode(byte));
        }
        if byte & code::FLAG_REF == 0 {
            return Ok((code, None));
        }
        if matches!(code, code::NONE | code::TRUE | code::FALSE | code::ELLIPSIS | code::NULL) {
            // CPython has one of each, and refers to none.
            return Err(EncodeError::UnknownCode(byte));
        }
        if self.replaying > 0 {
            return Ok((code, None));
        }
        if self.shared.len() == self.shared.capacity() {
            let more = self.shared.len().max(64);
            self.work.reserve(more * size_of::<Shared>())?;
            self.shared.reserve_exact(more);
        }
        let start = u32::try_from(self.pos).map_err(|_| EncodeError::TooLarge)?;
        self.shared.push(Shared { start, from: INCOMPLETE, to: INCOMPLETE });
        Ok((code, Some(self.shared.len() - 1)))
    }

    fn close(&mut self, slot: Option<usize>) {
        self.close_written(slot, 0..0);
    }

    /// The complete object that the next reference names.
    fn target(&mut self) -> Result<&Shared> {
        let index = self.len()?;
        match self.shared.get(index) {
            None => Err(EncodeError::Truncated),
            Some(target) if target.from == INCOMPLETE => Err(EncodeError::Cycle),
            Some(target) => Ok(target),
        }
    }

    /// Seek to the object that a reference names, run `f` on it, and seek back.
    fn replay<T>(&mut self, f: impl FnOnce(&mut Self, u8) -> Result<T>) -> Result<T> {
        let start = self.target()?.start as usize;
        let code = self.data[start - 1] & !code::FLAG_REF;
        let back = std::mem::replace(&mut self.pos, start);
        self.replaying += 1;
        let result = f(self, code);
        self.replaying -= 1;
        self.pos = back;
        result
    }

    /// Open a tuple; returns its length.
    pub fn tuple(&mut self) -> Result<usize> {
        let (code, _slot) = self.open()?;
        match code {
            code::SMALL_TUPLE => Ok(self.byte()? as usize),
            code::TUPLE => self.len(),
            other => Err(EncodeError::UnknownCode(other)),
        }
    }

    /// Open a list; returns its length.
    pub fn list(&mut self) -> Result<usize> {
        let (code, slot) = self.open()?;
        if code != code::LIST {
            return Err(EncodeError::UnknownCode(code));
        }
        self.close(slot);
        self.len()
    }

    /// Read a small integer.
    pub fn int(&mut self) -> Result<i64> {
        let (code, slot) = self.open()?;
        let value = match code {
            code::INT => i64::from(self.u32()? as i32),
            code::REF => {
                return self.replay(|r, code| {
                    if code == code::INT {
                        Ok(i64::from(r.u32()? as i32))
                    } else {
                        Err(EncodeError::UnknownCode(code))
                    }
                });
            }
            other => return Err(EncodeError::UnknownCode(other)),
        };
        self.close(slot);
        Ok(value)
    }

    /// Read text or bytes without conversion; `None` for Python's `None`.
    pub fn raw(&mut self) -> Result<Option<&'a [u8]>> {
        let (code, slot) = self.open()?;
        let raw = self.raw_of(code)?;
        self.close(slot);
        Ok(raw)
    }

    fn raw_of(&mut self, code: u8) -> Result<Option<&'a [u8]>> {
        match code {
            code::NONE => Ok(None),
            code::BYTES => {
                let len = self.len()?;
                self.take(len).map(Some)
            }
            code::REF => self.replay(|r, code| r.raw_of(code)),
            code => self.text(code)?.map(|text| Some(text.as_bytes())).ok_or(EncodeError::UnknownCode(code)),
        }
    }

    /// The text of an object with a string's type code; `None` for any other code.
    fn text(&mut self, code: u8) -> Result<Option<&'a str>> {
        let len = match code {
            code::SHORT_ASCII | code::SHORT_ASCII_INTERNED => self.byte()? as usize,
            code::ASCII | code::ASCII_INTERNED | code::UNICODE | code::INTERNED => self.len()?,
            _ => return Ok(None),
        };
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| EncodeError::LoneSurrogate)
    }

    /// True when all input was read.
    pub fn at_end(&self) -> bool {
        self.pos == self.data.len()
    }

    /// Append the next value to `out` as JSON. `limit` bounds the length of `out` in bytes, which
    /// also bounds the time: every visited object writes something.
    pub fn json(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<()> {
        self.value(out, limit, 0)
    }

    fn value(&mut self, out: &mut Vec<u8>, limit: usize, depth: usize) -> Result<()> {
        let (code, slot) = self.open()?;
        let start = out.len();
        self.value_of(code, out, limit, depth)?;
        self.close_written(slot, start..out.len());
        Ok(())
    }

    fn close_written(&mut self, slot: Option<usize>, written: Range<usize>) {
        if let Some(slot) = slot {
            let shared = &mut self.shared[slot];
            // Output beyond 4 GiB is not copied, but written again.
            (shared.from, shared.to) = match (u32::try_from(written.start), u32::try_from(written.end)) {
                (Ok(from), Ok(to)) if to != INCOMPLETE => (from, to),
                _ => (0, 0),
            };
        }
    }

    /// Append the object that a reference names: copy its JSON if we have written it, else reread the object.
    fn reference(&mut self, out: &mut Vec<u8>, limit: usize, depth: usize) -> Result<()> {
        match self.written()? {
            Some(written) if out.len() + written.len() > limit => Err(EncodeError::TooLarge),
            Some(written) => {
                out.extend_from_within(written);
                Ok(())
            }
            None => self.replay(|r, code| r.value_of(code, out, limit, depth + 1)),
        }
    }

    /// The range of the JSON of the object that the next reference names. Consumes the reference only if that JSON
    /// was written.
    fn written(&mut self) -> Result<Option<Range<usize>>> {
        let start = self.pos;
        let written = self.target()?;
        let written = written.from as usize..written.to as usize;
        if written.is_empty() {
            self.pos = start;
            return Ok(None);
        }
        self.work.spend(written.len() as u64 / 8)?;
        Ok(Some(written))
    }

    fn value_of(&mut self, code: u8, out: &mut Vec<u8>, limit: usize, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(EncodeError::TooDeep);
        }
        match code {
            code::NONE => out.extend_from_slice(b"null"),
            code::TRUE => out.extend_from_slice(b"true"),
            code::FALSE => out.extend_from_slice(b"false"),
            code::INT => {
                let value = self.u32()? as i32;
                out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            }
            code::LONG => {
                let digits = self.long()?;
                out.extend_from_slice(digits.as_bytes());
            }
            code::FLOAT => {
                let value = self.float()?;
                out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
            }
            code::SMALL_TUPLE => {
                let len = self.byte()? as usize;
                self.array(len, out, limit, depth)?;
            }
            code::TUPLE | code::LIST => {
                let len = self.len()?;
                self.array(len, out, limit, depth)?;
            }
            code::DICT => self.object(out, limit, depth)?,
            code::REF => self.reference(out, limit, depth)?,
            code::SHORT_ASCII | code::SHORT_ASCII_INTERNED => {
                let len = self.byte()? as usize;
                ascii(self.take(len)?, out)?;
            }
            // As in FastAPI: bytes become text if they are UTF-8, and a set becomes an array.
            code::BYTES => {
                let len = self.len()?;
                let text = std::str::from_utf8(self.take(len)?);
                write_string(
                    text.map_err(|_| EncodeError::Unsupported("bytes object that is not UTF-8"))?,
                    out,
                );
            }
            code::SET | code::FROZENSET => {
                let len = self.len()?;
                self.array(len, out, limit, depth)?;
            }
            code::ELLIPSIS => return Err(EncodeError::Unsupported("Ellipsis")),
            code => match self.text(code)? {
                Some(text) if text.len() > limit => return Err(EncodeError::TooLarge),
                Some(text) => write_string(text, out),
                None => return Err(EncodeError::UnknownCode(code)),
            },
        }
        if out.len() > limit.min(self.granted) { self.grant(out.len(), limit) } else { Ok(()) }
    }

    #[cold]
    fn grant(&mut self, length: usize, limit: usize) -> Result<()> {
        if length > limit {
            return Err(EncodeError::TooLarge);
        }
        // The output grows by doubling.
        while self.granted < length {
            self.work.reserve(self.granted)?;
            self.granted = self.granted.saturating_mul(2);
        }
        Ok(())
    }

    fn float(&mut self) -> Result<f64> {
        let bytes = self.take(8)?;
        let mut raw = [0; 8];
        raw.copy_from_slice(bytes);
        let value = f64::from_le_bytes(raw);
        if value.is_finite() { Ok(value) } else { Err(EncodeError::NotANumber) }
    }

    fn long(&mut self) -> Result<String> {
        let count = self.u32()? as i32;
        let digits = count.unsigned_abs();
        if digits > MAX_LONG_DIGITS {
            return Err(EncodeError::HugeInteger);
        }
        let bytes = self.take(digits as usize * 2)?;
        self.work.spend(u64::from(digits) * u64::from(digits) / 15)?;
        Ok(long_integer::text(count < 0, bytes))
    }

    fn array(&mut self, len: usize, out: &mut Vec<u8>, limit: usize, depth: usize) -> Result<()> {
        out.push(b'[');
        for index in 0..len {
            if index > 0 {
                out.push(b',');
            }
            self.value(out, limit, depth + 1)?;
        }
        out.push(b']');
        Ok(())
    }

    fn object(&mut self, out: &mut Vec<u8>, limit: usize, depth: usize) -> Result<()> {
        out.push(b'{');
        let mut first = true;
        loop {
            let (code, slot) = self.open()?;
            if code == code::NULL {
                break;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            let key = self.key(code, out)?;
            self.close_written(slot, key);
            out.push(b':');
            self.value(out, limit, depth + 1)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// A key as `json.dumps` writes it: numbers, booleans and None become text. Returns the range of its JSON as a
    /// value.
    fn key(&mut self, code: u8, out: &mut Vec<u8>) -> Result<Range<usize>> {
        let start = out.len();
        match code {
            code::SHORT_ASCII | code::SHORT_ASCII_INTERNED => {
                let len = self.byte()? as usize;
                ascii(self.take(len)?, out)?;
                Ok(start..out.len())
            }
            code::REF => match self.written()? {
                Some(written) if out[written.start] == b'"' => {
                    out.extend_from_within(written);
                    Ok(0..0)
                }
                Some(written) if matches!(out[written.start], b'[' | b'{') => Err(UNHASHABLE),
                Some(written) => {
                    out.push(b'"');
                    out.extend_from_within(written);
                    out.push(b'"');
                    Ok(0..0)
                }
                None => self.replay(|r, code| r.key(code, out)).map(|_| 0..0),
            },
            code::NONE | code::TRUE | code::FALSE | code::INT | code::LONG | code::FLOAT => {
                out.push(b'"');
                self.value_of(code, out, usize::MAX, 0)?;
                let inner = start + 1..out.len();
                out.push(b'"');
                Ok(inner)
            }
            code => {
                let text = self.text(code)?.ok_or(UNHASHABLE)?;
                write_string(text, out);
                Ok(start..out.len())
            }
        }
    }
}

const UNHASHABLE: EncodeError = EncodeError::Unsupported("key that is not a str, int, float, bool or None");

/// Append a string whose type code claims ASCII.
fn ascii(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if write_ascii(bytes, out) { Ok(()) } else { Err(EncodeError::LoneSurrogate) }
}

#[cfg(test)]
#[path = "transcode_tests.rs"]
mod tests;
