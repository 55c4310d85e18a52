//! Why an exchange failed, as its guest is told.

use crate::util::printable;
use std::error::Error;

/// Most of a problem's text, in bytes: it may repeat what a guest or a server sent.
const MOST_TEXT: usize = 500;

/// Why an exchange failed: an error kind of `wit/bolt.wit`, and a message.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub kind: &'static str,
    pub message: String,
}

impl Problem {
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: printable::line(&message.into(), MOST_TEXT) }
    }

    pub fn json(&self) -> String {
        serde_json::json!({ "error": self.kind, "message": self.message }).to_string()
    }
}

/// The cause at the end of a chain of errors, as a problem.
pub fn explain(error: &(dyn Error + 'static), connecting: bool) -> Problem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        if let Some(problem) = error.downcast_ref::<Problem>() {
            return problem.clone();
        }
        last = error.to_string();
        cause = error.source();
    }
    if connecting {
        Problem::new("connect", format!("the connection could not be made: {last}"))
    } else {
        Problem::new("protocol", format!("the exchange failed: {last}"))
    }
}
