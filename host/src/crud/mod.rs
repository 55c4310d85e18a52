//! Tables as endpoints: the statement for a request's arguments, without an interpreter.

pub mod statement;
mod value;
mod wire;
