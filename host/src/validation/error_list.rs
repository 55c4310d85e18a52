//! The body of a 422 answer: `{"detail":[{"type","loc","msg","input"}, …]}`, as FastAPI writes it.

use crate::codec::json_string::write_string;
use jiter::{JsonValue, PartialMode};
use serde_json::Value;

/// Most errors told of one request; the rest are left out.
const MAX_ERRORS: usize = 200;
/// An answer is at most about this long, in bytes: inputs for which it has no room are echoed as null.
const MAX_ECHO: usize = 256 * 1024;

/// One step of where a value is: `["body", "items", 3, "price"]`.
#[derive(Debug, Clone, Copy)]
pub enum Loc<'a> {
    Key(&'a str),
    Index(usize),
}

/// Every error of one request, rendered as it is found.
#[derive(Debug, Default)]
pub struct ErrorList {
    items: Vec<u8>,
    count: usize,
}

/// A point in the list: see [`ErrorList::rename`].
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl ErrorList {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn mark(&self) -> Mark {
        Mark(self.items.len())
    }

    /// In the errors since `mark`, put a name for the step at `depth` of their locations.
    pub fn rename(&mut self, mark: Mark, depth: usize, name: &str) {
        let added = self.items.split_off(mark.0);
        let mut text = b"[".to_vec();
        text.extend_from_slice(added.strip_prefix(b",").unwrap_or(&added));
        text.push(b']');
        let Ok(Value::Array(mut errors)) = serde_json::from_slice(&text) else {
            self.items.extend_from_slice(&added);
            return;
        };
        for error in &mut errors {
            if let Some(step) = error["loc"].get_mut(depth) {
                *step = Value::from(name);
            }
            if !self.items.is_empty() {
                self.items.push(b',');
            }
            self.items.extend_from_slice(error.to_string().as_bytes());
        }
    }

    /// Add one error. `kind` is pydantic's name for it.
    pub fn push(&mut self, kind: &str, loc: &[Loc<'_>], msg: &str, input: &JsonValue<'_>) {
        if self.count >= MAX_ERRORS {
            return;
        }
        let out = &mut self.items;
        if self.count > 0 {
            out.push(b',');
        }
        self.count += 1;
        out.extend_from_slice(b"{\"type\":");
        write_string(kind, out);
        out.extend_from_slice(b",\"loc\":[");
        for (index, step) in loc.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match step {
                Loc::Key(key) => write_string(key, out),
                Loc::Index(index) => out.extend_from_slice(itoa::Buffer::new().format(*index).as_bytes()),
            }
        }
        out.extend_from_slice(b"],\"msg\":");
        write_string(msg, out);
        out.extend_from_slice(b",\"input\":");
        echo(input, out);
        out.push(b'}');
    }

    /// The errors as values.
    pub fn into_values(self) -> JsonValue<'static> {
        let text = [b"[", self.items.as_slice(), b"]"].concat();
        JsonValue::parse_owned(&text, false, PartialMode::Off).unwrap_or(JsonValue::Null)
    }

    /// The whole answer.
    pub fn into_body(self) -> Vec<u8> {
        let mut body = b"{\"detail\":[".to_vec();
        body.extend_from_slice(&self.items);
        body.extend_from_slice(b"]}");
        body
    }
}

/// Append a client's value, or null when there is no room for it.
fn echo(value: &JsonValue<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    write_json(value, out);
    if out.len() > MAX_ECHO {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Append a client's value as JSON. Beyond the bound on echoes it stops anywhere, and the caller takes it back.
fn write_json(value: &JsonValue<'_>, out: &mut Vec<u8>) {
    if out.len() > MAX_ECHO {
        return;
    }
    match value {
        JsonValue::Null => out.extend_from_slice(b"null"),
        JsonValue::Bool(true) => out.extend_from_slice(b"true"),
        JsonValue::Bool(false) => out.extend_from_slice(b"false"),
        JsonValue::Int(int) => out.extend_from_slice(itoa::Buffer::new().format(*int).as_bytes()),
        JsonValue::BigInt(int) => out.extend_from_slice(int.to_string().as_bytes()),
        JsonValue::Float(float) if float.is_finite() => {
            out.extend_from_slice(ryu::Buffer::new().format_finite(*float).as_bytes());
        }
        JsonValue::Float(_) => out.extend_from_slice(b"null"),
        JsonValue::Str(text) => write_string(text, out),
        JsonValue::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(item, out);
            }
            out.push(b']');
        }
        JsonValue::Object(pairs) => {
            out.push(b'{');
            for (index, (key, item)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_json(item, out);
            }
            out.push(b'}');
        }
    }
}

/// `'a', 'b' or 3`, as pydantic lists the values of an enum or a literal.
pub fn listed(values: &[Value]) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => format!("'{text}'"),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    };
    match values {
        [] => String::new(),
        [one] => shown(one),
        [head @ .., last] => {
            format!("{} or {}", head.iter().map(shown).collect::<Vec<_>>().join(", "), shown(last))
        }
    }
}
