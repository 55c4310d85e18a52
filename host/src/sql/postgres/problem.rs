//! Errors of Postgres, as guests know them. Source of the codes: appendix A of its manual.

use crate::sql::problem::{Kind, SqlProblem};
use std::error::Error as _;
use tokio_postgres::Error;

impl From<Error> for SqlProblem {
    fn from(error: Error) -> Self {
        let Some(told) = error.as_db_error() else {
            let text = match error.source() {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            };
            // The crate has no other way to tell.
            let kind = if text.starts_with("error serializing") { Kind::Data } else { Kind::Operational };
            return Self::new(kind, text);
        };
        let more: Vec<_> = [told.detail(), told.hint()].into_iter().flatten().collect();
        let message = match more.is_empty() {
            true => told.message().to_owned(),
            false => format!("{} ({})", told.message(), more.join(" ")),
        };
        let code = told.code().code();
        Self { code: Some(code.to_owned()), ..Self::new(kind(code), message) }
    }
}

fn kind(code: &str) -> Kind {
    match code {
        "23505" => Kind::Unique,
        "23503" => Kind::ForeignKey,
        "23502" => Kind::NotNull,
        "23514" => Kind::Check,
        // Two transactions in each other's way, or a lock that is not had in time.
        "40001" | "40P01" | "55P03" => Kind::Busy,
        "57014" => Kind::Cancelled,
        _ => match code.get(..2) {
            Some("22" | "54") => Kind::Data,
            Some("23") => Kind::Integrity,
            Some("08" | "28" | "53" | "57" | "58" | "3D" | "XX") => Kind::Operational,
            _ => Kind::Statement,
        },
    }
}
