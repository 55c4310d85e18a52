//! Why a statement failed, as its guest is told.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
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

    pub fn too_many_rows() -> Self {
        Self::new(Kind::Limit, format!("the result has too many rows ({})", limit_name::of(Limit::SqlRows)))
    }

    pub fn result_too_large() -> Self {
        Self::new(Kind::Limit, format!("the result is too large ({})", limit_name::of(Limit::SqlResult)))
    }

    pub fn too_slow() -> Self {
        let limit = limit_name::of(Limit::Deadline);
        Self::new(Kind::Cancelled, format!("the statement took longer than the deadline ({limit})"))
    }

    /// Others wait for the database, as many as may.
    pub fn queue_is_full() -> Self {
        Self::new(Kind::Busy, "too many statements wait for this database")
    }

    /// It begins or ends a transaction.
    pub fn no_statement_of_its_own() -> Self {
        let told =
            "BEGIN, COMMIT and the like are not statements of their own: use a transaction of the database";
        Self::new(Kind::Statement, told)
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
