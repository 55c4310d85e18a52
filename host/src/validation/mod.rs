//! A request's values against the types of the manifest: coerced as pydantic does it, checked, and written as marshal.
//!
//! Pure: no engine and no network. A request that passes is one [`arguments::ValidArgs`]; one that fails is a list of
//! errors in FastAPI's form, and never enters the sandbox.

pub mod arguments;
pub mod coerce;
pub mod error_list;
pub mod form;
pub mod named_values;
pub mod union;
pub mod validator;
