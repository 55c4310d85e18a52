//! What it costs to check a value, in units of [`Work`](crate::codec::work::Work): about nanoseconds, measured.

use crate::manifest::Type;
use jiter::JsonValue;
use std::borrow::Cow;

/// A value.
const VALUE: u64 = 16;
/// A field that is absent, or a pair of an object.
pub const FIELD: u64 = 8;
/// A name that is put into a set, or is copied.
pub const HASHED: u64 = 40;
/// Memory of a pair of names and values, in bytes.
pub const PAIR: usize = 96;
/// A value of which the text has to be parsed: a date, a UUID.
const PARSED: u64 = 150;
/// A list or an object, with its memory.
pub const CONTAINER: u64 = 60;

/// All work for a request: a base, so that a small one may have a few patterns, and an amount for each byte of input.
pub fn bound(bytes: usize) -> u64 {
    10_000_000 + 250 * bytes as u64
}

/// Parsing JSON or a form, and freeing what it becomes. Text takes a tenth of this, `[{},{}]` all of it.
pub fn parsed(bytes: usize) -> u64 {
    12 * bytes as u64
}

/// Bytes that are looked at and copied.
pub fn copied(bytes: usize) -> u64 {
    bytes as u64 / 8
}

/// Comparing a name with each of these.
pub fn searched(names: usize) -> u64 {
    4 * names as u64
}

/// Checking files against the types that a parameter allows.
pub fn files(files: usize, types: usize) -> u64 {
    files as u64 * (20 + PARSED * types as u64)
}

/// A value as a type, without the values in it.
#[inline]
pub fn of(ty: &Type, value: &JsonValue<'_>) -> u64 {
    let own = match value {
        JsonValue::Str(text) => return VALUE + text_as(ty, text.len()),
        JsonValue::BigInt(int) => digits(int.bits() as usize / 3),
        JsonValue::Object(pairs) => CONTAINER + FIELD * pairs.len() as u64,
        _ => 0,
    };
    VALUE + own
}

fn text_as(ty: &Type, bytes: usize) -> u64 {
    match ty {
        Type::Int => digits(bytes.min(4300)) + copied(bytes),
        Type::Float | Type::Decimal => 4 * bytes as u64,
        Type::DateTime | Type::Date | Type::Uuid => PARSED + copied(bytes),
        _ => copied(bytes),
    }
}

/// Converting a number between binary and decimal digits is quadratic.
fn digits(count: usize) -> u64 {
    let count = count as u64;
    2 * count + count * count / 250
}

/// The memory of parsed JSON, in bytes, as the parser allocates it. A short body is not looked at: what it becomes is
/// small, and gone before another one is parsed.
pub fn tree(json: &[u8]) -> usize {
    const SHORT: usize = 64 * 1024;
    const VALUE: usize = size_of::<JsonValue<'_>>();
    const PAIR: usize = size_of::<(Cow<'_, str>, JsonValue<'_>)>();
    /// The head of a list or an object; its first item makes room for four. A longer one grows by doubling.
    const HEAD: usize = 40;
    if json.len() <= SHORT {
        return 0;
    }
    let (mut bytes, mut in_text, mut is_escaped) = (VALUE, false, false);
    for (at, &byte) in json.iter().enumerate() {
        if in_text {
            in_text = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        let is_empty = matches!(json.get(at + 1), Some(b']' | b'}'));
        bytes += match byte {
            b',' => 2 * VALUE,
            b':' => 2 * (PAIR - VALUE),
            b'[' | b'{' if is_empty => HEAD,
            b'[' => HEAD + 4 * VALUE,
            b'{' => HEAD + 4 * PAIR,
            _ => 0,
        };
        in_text = byte == b'"';
    }
    bytes
}
