//! Rows on their way to a guest, in batches: marshalled `(columns, rows, end)`, of which the first has the columns and the
//! last the end; the others have None there.
//!
//! columns: a list of `(name, declared type or "")`. rows: a list of tuples. end: `(rows that were changed, last row id)`.

use crate::codec::marshal::Writer;
use crate::sql::problem::{Kind, SqlProblem};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// A batch is sent when it has so many bytes.
const ENOUGH: usize = 64 * 1024;

/// Columns of a result: the name and the declared type.
pub type Columns = Vec<(String, String)>;

/// Collects rows.
#[derive(Default)]
pub struct Batch {
    columns: Option<Columns>,
    rows: Writer,
    count: usize,
}

impl Batch {
    pub fn new(columns: Columns) -> Self {
        Self { columns: Some(columns), ..Self::default() }
    }

    /// Whether it should be sent.
    pub fn is_full(&self) -> bool {
        self.rows.buf.len() >= ENOUGH
    }

    pub fn size(&self) -> usize {
        self.rows.buf.len()
    }

    /// Add a row of so many columns. False if the batch would have more than `most` bytes.
    pub fn add(&mut self, row: &Row<'_>, width: usize, most: usize) -> Result<bool, SqlProblem> {
        self.rows.tuple(width);
        for column in 0..width {
            if self.size() > most {
                return Ok(false);
            }
            match row.get_ref(column)? {
                ValueRef::Null => self.rows.none(),
                ValueRef::Integer(value) => self.rows.int(value),
                ValueRef::Real(value) => self.rows.float(value),
                ValueRef::Blob(value) => self.rows.bytes(value),
                ValueRef::Text(value) => match std::str::from_utf8(value) {
                    Ok(text) => self.rows.str(text),
                    Err(_) => {
                        let name = row.as_ref().column_name(column).unwrap_or_default().to_owned();
                        let told =
                            format!("the column {name:?} has text that is not UTF-8: cast it to a blob");
                        return Err(SqlProblem::new(Kind::Data, told));
                    }
                },
            }
        }
        self.count += 1;
        Ok(self.size() <= most)
    }

    /// The batch for the guest, after which it is empty. `end`: rows that were changed, and the last row id.
    pub fn take(&mut self, end: Option<(i64, i64)>) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.rows.buf.len() + 256);
        out.tuple(3);
        match self.columns.take() {
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
        out.list(self.count);
        out.raw(&self.rows.buf);
        match end {
            Some((changed, last)) => {
                out.tuple(2);
                out.int(changed);
                out.int(last);
            }
            None => out.none(),
        }
        self.rows.buf.clear();
        self.count = 0;
        out.buf
    }
}
