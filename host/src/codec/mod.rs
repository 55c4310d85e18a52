//! How values cross the boundary: CPython's marshal format in both directions, and the JSON text that a reply becomes.
//!
//! Pure: bytes in, bytes out. What a guest wrote is hostile, so the readers are bounded and return errors as sentences.

pub mod encode_error;
pub mod json_string;
pub mod marshal;
pub mod reply;
pub mod transcode;
