//! Rows on their way out, in batches: for a guest or for a client.
//!
//! For a guest each is marshalled: `(columns, rows, end)`, of which the first has the columns and the last the end; the
//! others have None there. columns: a list of `(name, declared type or "")`. rows: a list of tuples. end:
//! `(rows that were changed, last row id)`. For a client all batches together are a JSON array of objects.

use crate::codec::json_string::write_string;
use crate::codec::marshal::Writer;
use crate::sql::cell::Cell;
use crate::sql::problem::{Kind, SqlProblem};
use serde_json::value::RawValue;

/// A batch is sent when it has so many bytes.
const ENOUGH: usize = 64 * 1024;

/// Columns of a result: the name and the declared type.
pub type Columns = Vec<(String, String)>;

/// What rows become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Marshal,
    Json,
}

/// Collects rows.
pub struct Batch {
    rows: Rows,
    count: usize,
}

enum Rows {
    /// With the columns, until they are sent.
    Marshal(Writer, Option<Columns>),
    Json(Json),
}

struct Json {
    out: Vec<u8>,
    /// What stands before the value of each column, like `,"name":`.
    keys: Vec<Vec<u8>>,
    is_first: bool,
}

impl Batch {
    /// Fails if two columns of objects have the same name.
    pub fn new(columns: Columns, form: Form) -> Result<Self, SqlProblem> {
        let rows = match form {
            Form::Marshal => Rows::Marshal(Writer::default(), Some(columns)),
            Form::Json => Rows::Json(Json::new(&columns)?),
        };
        Ok(Self { rows, count: 0 })
    }

    /// Whether it should be sent.
    pub fn is_full(&self) -> bool {
        self.size() >= ENOUGH
    }

    pub fn size(&self) -> usize {
        match &self.rows {
            Rows::Marshal(rows, _) => rows.buf.len(),
            Rows::Json(json) => json.out.len(),
        }
    }

    /// Begin a row of so many columns.
    pub fn row(&mut self, width: usize) {
        self.count += 1;
        match &mut self.rows {
            Rows::Marshal(rows, _) => rows.tuple(width),
            Rows::Json(json) => json.begin(width),
        }
    }

    /// The value of the next column of the row. The error is what is wrong with it.
    pub fn value(&mut self, column: usize, width: usize, cell: &Cell<'_>) -> Result<(), &'static str> {
        match &mut self.rows {
            Rows::Marshal(rows, _) => {
                marshal(rows, cell);
                Ok(())
            }
            Rows::Json(json) => json.value(column, width, cell),
        }
    }

    /// What there is, after which the batch is empty. `end`, with the last one: rows that were changed, and the last row id.
    pub fn take(&mut self, end: Option<(i64, i64)>) -> Vec<u8> {
        let count = std::mem::take(&mut self.count);
        match &mut self.rows {
            Rows::Marshal(rows, columns) => {
                let taken = marshalled(rows, columns.take(), count, end);
                rows.buf.clear();
                taken
            }
            Rows::Json(json) => json.take(end.is_some()),
        }
    }
}

fn marshalled(rows: &Writer, columns: Option<Columns>, count: usize, end: Option<(i64, i64)>) -> Vec<u8> {
    let mut out = Writer::with_capacity(rows.buf.len() + 256);
    out.tuple(3);
    match columns {
        Some(columns) => {
            out.list(columns.len());
            for (name, kind) in columns {
                out.tuple(2);
                out.str(&name);
                out.str(&kind);
            }
        }
        None => out.none(),
    }
    out.list(count);
    out.raw(&rows.buf);
    match end {
        Some((changed, last)) => {
            out.tuple(2);
            out.int(changed);
            out.int(last);
        }
        None => out.none(),
    }
    out.buf
}

fn marshal(out: &mut Writer, cell: &Cell<'_>) {
    match cell {
        Cell::Null => out.none(),
        Cell::Bool(value) => out.bool(*value),
        Cell::Int(value) => out.int(*value),
        Cell::Float(value) => out.float(*value),
        Cell::Text(value) | Cell::Json(value) => out.str(value),
        Cell::Made(value) => out.str(value),
        Cell::Bytes(value) => out.bytes(value),
        Cell::List(items) => {
            out.list(items.len());
            items.iter().for_each(|item| marshal(out, item));
        }
    }
}

impl Json {
    fn new(columns: &Columns) -> Result<Self, SqlProblem> {
        let mut keys = Vec::with_capacity(columns.len());
        for (index, (name, _)) in columns.iter().enumerate() {
            if columns[..index].iter().any(|(other, _)| other == name) {
                let told = format!("two columns are called {name:?}: name them with AS");
                return Err(SqlProblem::new(Kind::Statement, told));
            }
            let mut key = if index == 0 { Vec::new() } else { vec![b','] };
            write_string(name, &mut key);
            key.push(b':');
            keys.push(key);
        }
        Ok(Self { out: vec![b'['], keys, is_first: true })
    }

    fn begin(&mut self, width: usize) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        self.out.push(b'{');
        if width == 0 {
            self.out.push(b'}');
        }
    }

    fn value(&mut self, column: usize, width: usize, cell: &Cell<'_>) -> Result<(), &'static str> {
        self.out.extend_from_slice(&self.keys[column]);
        json(&mut self.out, cell)?;
        if column + 1 == width {
            self.out.push(b'}');
        }
        Ok(())
    }

    fn take(&mut self, is_last: bool) -> Vec<u8> {
        if is_last {
            self.out.push(b']');
        }
        std::mem::take(&mut self.out)
    }
}

/// The error is what is wrong with the value.
fn json(out: &mut Vec<u8>, cell: &Cell<'_>) -> Result<(), &'static str> {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Cell::Int(value) => out.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Cell::Float(value) if !value.is_finite() => return Err("a number that JSON cannot have"),
        Cell::Float(value) => out.extend_from_slice(ryu::Buffer::new().format_finite(*value).as_bytes()),
        Cell::Text(value) => write_string(value, out),
        Cell::Made(value) => write_string(value, out),
        Cell::Bytes(value) => {
            write_string(std::str::from_utf8(value).map_err(|_| "bytes that are not UTF-8")?, out);
        }
        Cell::Json(value) => {
            let raw = serde_json::from_str::<&RawValue>(value).map_err(|_| "a text that is not JSON")?;
            out.extend_from_slice(raw.get().as_bytes());
        }
        Cell::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json(out, item)?;
            }
            out.push(b']');
        }
    }
    Ok(())
}
