//! Values and errors of SQLite, as others know them.

use crate::sql::arguments::Value;
use crate::sql::batch::{Columns, Form};
use crate::sql::cell::{Cell, Shown};
use crate::sql::problem::{Kind, SqlProblem};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ToSql, ffi};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Float(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// How the values of each column are shown, by what it was declared as.
pub fn shown(columns: &Columns, form: Form) -> Vec<Shown> {
    let of = |declared: &str| match declared.split('(').next().unwrap_or_default().trim() {
        "bool" | "boolean" => Shown::Bool,
        "datetime" | "timestamp" | "timestamptz" => Shown::Moment,
        "decimal" | "numeric" => Shown::Decimal,
        "json" | "jsonb" => Shown::Json,
        _ => Shown::Plain,
    };
    match form {
        // The guest knows by itself.
        Form::Marshal => vec![Shown::Plain; columns.len()],
        Form::Json => columns.iter().map(|(_, declared)| of(declared)).collect(),
    }
}

/// A value of a row. The error is what is wrong with it.
pub fn cell(value: ValueRef<'_>, shown: Shown) -> Result<Cell<'_>, &'static str> {
    Ok(match (value, shown) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(value), Shown::Bool) => Cell::Bool(value != 0),
        (ValueRef::Integer(value), Shown::Decimal) => Cell::Made(value.to_string()),
        (ValueRef::Real(value), Shown::Decimal) => Cell::Made(value.to_string()),
        (ValueRef::Integer(value), _) => Cell::Int(value),
        (ValueRef::Real(value), _) => Cell::Float(value),
        (ValueRef::Blob(value), _) => Cell::Bytes(value),
        (ValueRef::Text(value), shown) => {
            let text = std::str::from_utf8(value).map_err(|_| "text that is not UTF-8: cast it to a blob")?;
            match shown {
                Shown::Json => Cell::Json(text),
                Shown::Moment => Cell::Made(moment(text)),
                _ => Cell::Text(text),
            }
        }
    })
}

/// A moment as other replies have it.
fn moment(text: &str) -> String {
    let text = text.replacen(' ', "T", 1);
    match text.strip_suffix("+00:00") {
        Some(local) => format!("{local}Z"),
        None => text,
    }
}

impl From<rusqlite::Error> for SqlProblem {
    fn from(error: rusqlite::Error) -> Self {
        let (code, message) = match &error {
            rusqlite::Error::SqliteFailure(failure, message) => {
                let text =
                    message.clone().unwrap_or_else(|| ffi::code_to_str(failure.extended_code).to_owned());
                (failure.extended_code, text)
            }
            rusqlite::Error::SqlInputError { error, msg, .. } => (error.extended_code, msg.clone()),
            other => return Self::new(Kind::Statement, other.to_string()),
        };
        let kind = match code {
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID => Kind::Unique,
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Kind::ForeignKey,
            ffi::SQLITE_CONSTRAINT_NOTNULL => Kind::NotNull,
            ffi::SQLITE_CONSTRAINT_CHECK => Kind::Check,
            code => match code & 0xff {
                ffi::SQLITE_CONSTRAINT => Kind::Integrity,
                ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Kind::Busy,
                ffi::SQLITE_INTERRUPT => Kind::Cancelled,
                ffi::SQLITE_TOOBIG | ffi::SQLITE_MISMATCH | ffi::SQLITE_RANGE => Kind::Data,
                ffi::SQLITE_ERROR | ffi::SQLITE_AUTH | ffi::SQLITE_MISUSE => Kind::Statement,
                _ => Kind::Operational,
            },
        };
        Self { code: Some(code.to_string()), ..Self::new(kind, message) }
    }
}
