//! Tables as endpoints: the statement for a request's arguments, without an interpreter.

#[cfg(any(test, feature = "internals"))]
pub mod random_requests;
pub mod statement;
mod value;
mod wire;
