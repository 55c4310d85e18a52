//! Why a statement failed, as its guest is told.

use rusqlite::ffi;
use serde::Serialize;

/// Most of a message, in bytes: it may repeat what the guest sent.
const MOST_MESSAGE: usize = 2000;

/// The kind decides the exception in Python; all of them are below `DatabaseError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The statement is wrong, or not allowed.
    Statement,
    /// An argument or a value of the result has no form.
    Data,
    Unique,
    ForeignKey,
    NotNull,
    Check,
    /// Another constraint.
    Integrity,
    /// Somebody else holds a lock.
    Busy,
    /// The database is away or broken, or there is no room for it.
    Operational,
    /// A limit of the app.
    Limit,
    /// The database was not granted.
    Denied,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SqlProblem {
    pub kind: Kind,
    pub message: String,
    /// The database's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl SqlProblem {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MOST_MESSAGE));
        Self { kind, message, code: None }
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
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
