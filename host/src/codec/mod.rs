//! Encodings of values that cross the sandbox boundary: CPython's marshal format both ways, and JSON for replies.
//!
//! Pure: bytes in, bytes out. Guest output is hostile, so the readers are bounded. Errors are sentences for people.

pub mod encode_error;
pub mod json_string;
pub mod latin1;
mod long_integer;
pub mod marshal;
pub mod reply;
pub mod transcode;
pub mod work;
