//! The body of a 422 response: `{"detail":[{"type","loc","msg","input"}, …]}`, in FastAPI's format.

use jiter::{JsonValue, PartialMode};
use serde::{Serialize, Serializer, ser};
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::{self, Write};

/// Maximum number of errors reported for one request; the rest are dropped.
const MAX_ERRORS: usize = 200;
/// Most of what clients sent that a response may repeat, in bytes: inputs that do not fit are echoed as null, and errors
/// whose locations do not fit are dropped.
const MAX_ECHO: usize = 256 * 1024;
/// Most bytes of messages, which repeat what the app declares.
const MAX_TOLD: usize = 256 * 1024;
/// Most bytes that are written for echoes, counting those that turn out too long.
const MAX_EFFORT: usize = 4 * MAX_ECHO;

/// One step of a value's location, such as `["body", "items", 3, "price"]`.
#[derive(Debug, Clone, Copy)]
pub enum Loc<'a> {
    Key(&'a str),
    Index(usize),
}

/// All errors of one request.
#[derive(Debug, Default)]
pub struct ErrorList {
    items: Vec<Item>,
    /// Bytes of what clients sent that the items hold: locations and echoes.
    size: usize,
    /// Bytes of messages.
    told: usize,
    /// Bytes that were written for echoes.
    effort: usize,
}

/// One error, as the client reads it.
#[derive(Debug, Serialize)]
struct Item {
    /// pydantic's error type.
    #[serde(rename = "type")]
    kind: String,
    loc: Vec<Value>,
    msg: String,
    input: Box<RawValue>,
}

/// The response body.
#[derive(Serialize)]
struct Body {
    detail: Vec<Item>,
}

/// A position in the list: see [`ErrorList::rename`].
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl ErrorList {
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether further errors are dropped.
    pub fn is_full(&self) -> bool {
        self.items.len() >= MAX_ERRORS || self.size > MAX_ECHO || self.told > MAX_TOLD
    }

    pub fn mark(&self) -> Mark {
        Mark(self.items.len())
    }

    /// In the errors since `mark`, replace the step at `depth` of their locations by `name`.
    pub fn rename(&mut self, mark: Mark, depth: usize, name: &str) {
        for item in self.items.iter_mut().skip(mark.0) {
            // A client's key may be long, and stand in each of its errors: those that do not fit keep its number.
            if self.size + name.len() > MAX_ECHO {
                return;
            }
            if let Some(step) = item.loc.get_mut(depth) {
                *step = name.into();
                self.size += name.len();
            }
        }
    }

    /// Add one error. `kind` is pydantic's error type.
    pub fn push(&mut self, kind: &str, loc: &[Loc<'_>], msg: &str, input: &JsonValue<'_>) {
        if self.is_full() {
            return;
        }
        let step = |step: &Loc<'_>| match *step {
            Loc::Key(key) => Value::from(key),
            Loc::Index(index) => Value::from(index),
        };
        let most = MAX_ECHO.saturating_sub(self.size).min(MAX_EFFORT.saturating_sub(self.effort));
        let (input, effort) = echo(input, most);
        self.effort += effort;
        self.told += msg.len();
        let keys = loc.iter().map(|step| if let Loc::Key(key) = step { key.len() } else { 0 });
        self.size += keys.sum::<usize>() + input.get().len();
        let (kind, msg) = (kind.to_owned(), msg.to_owned());
        self.items.push(Item { kind, loc: loc.iter().map(step).collect(), msg, input });
    }

    /// The errors as JSON values.
    pub fn into_values(self) -> JsonValue<'static> {
        let text = serde_json::to_vec(&self.items).unwrap_or_default();
        JsonValue::parse_owned(&text, false, PartialMode::Off).unwrap_or(JsonValue::Null)
    }

    /// The whole response body.
    pub fn into_body(self) -> Vec<u8> {
        serde_json::to_vec(&Body { detail: self.items }).unwrap_or_default()
    }
}

/// A client's value as JSON, or null if it takes more than `most` bytes; and the bytes that were written for it.
fn echo(value: &JsonValue<'_>, most: usize) -> (Box<RawValue>, usize) {
    let mut out = Bounded { bytes: Vec::new(), most };
    let written = serde_json::to_writer(&mut out, &Echo(value)).ok();
    let effort = out.bytes.len();
    let text = written.and_then(|()| String::from_utf8(out.bytes).ok());
    let echo = text.and_then(|text| RawValue::from_string(text).ok());
    (echo.unwrap_or_else(|| RawValue::NULL.to_owned()), effort)
}

/// Takes no more than `most` bytes, so that the work stops as well.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Echo<'v, 'j>(&'v JsonValue<'j>);

impl Serialize for Echo<'_, '_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            JsonValue::Null => to.serialize_unit(),
            JsonValue::Bool(flag) => to.serialize_bool(*flag),
            JsonValue::Int(int) => to.serialize_i64(*int),
            JsonValue::BigInt(int) => {
                RawValue::from_string(int.to_string()).map_err(ser::Error::custom)?.serialize(to)
            }
            JsonValue::Float(float) => to.serialize_f64(*float),
            JsonValue::Str(text) => to.serialize_str(text),
            JsonValue::Array(items) => to.collect_seq(items.iter().map(Echo)),
            JsonValue::Object(pairs) => to.collect_map(pairs.iter().map(|(key, item)| (key, Echo(item)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(errors: ErrorList) -> String {
        String::from_utf8(errors.into_body()).unwrap()
    }

    #[test]
    fn an_error_has_fastapis_keys_in_their_order() {
        let mut errors = ErrorList::default();
        let mark = errors.mark();
        let big = JsonValue::parse_owned(
            b"[1e300, 123456789012345678901234567890, null, {\"k\": \"\\n\"}]",
            false,
            PartialMode::Off,
        );
        errors.push(
            "int_type",
            &[Loc::Key("body"), Loc::Index(3), Loc::Key("x")],
            "Not \"this\"",
            &big.unwrap(),
        );
        errors.rename(mark, 1, "a key");
        assert_eq!(
            body(errors),
            r#"{"detail":[{"type":"int_type","loc":["body","a key","x"],"msg":"Not \"this\"","input":[1e+300,123456789012345678901234567890,null,{"k":"\n"}]}]}"#
        );
    }

    #[test]
    fn what_is_repeated_to_a_client_is_bounded() {
        let mut errors = ErrorList::default();
        let long = "x".repeat(MAX_ECHO / 3);
        for _ in 0..MAX_ERRORS {
            errors.push(
                "missing",
                &[Loc::Key(&long)],
                "Field required",
                &JsonValue::Str(long.as_str().into()),
            );
        }
        let mark = errors.mark();
        errors.rename(Mark(0), 0, &long);
        errors.rename(mark, 0, &long);
        let body = body(errors);
        assert!(body.len() < 2 * MAX_ECHO && body.contains("\"input\":null"), "{}", body.len());
    }

    #[test]
    fn a_long_key_is_not_repeated_in_all_of_its_errors() {
        let mut errors = ErrorList::default();
        for index in 0..MAX_ERRORS {
            errors.push(
                "int_type",
                &[Loc::Key("body"), Loc::Index(0), Loc::Index(index)],
                "",
                &JsonValue::Null,
            );
        }
        errors.rename(Mark(0), 1, &"k".repeat(MAX_ECHO / 4));
        let body = body(errors);
        assert!(body.contains("kkk") && body.len() < 2 * MAX_ECHO, "{}", body.len());
        assert_eq!(body.matches("int_type").count(), MAX_ERRORS);
    }
}
