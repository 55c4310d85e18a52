//! Validates a request's values against the manifest's types, coerces them as pydantic does, and marshals them.
//!
//! Pure: no engine and no network. A valid request gives one [`arguments::ValidArgs`]; an invalid one gives a list of
//! errors in FastAPI's format, and never enters the sandbox.

pub mod arguments;
pub mod coerce;
pub mod cost;
pub mod error_list;
pub mod fit;
pub mod form;
pub mod json_error;
pub mod moments;
pub mod named_values;
pub mod record;
pub mod union;
pub mod validator;
