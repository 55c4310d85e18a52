//! Why a reply cannot be encoded as JSON, as sentences for the log.

use crate::codec::work::Stop;

/// Maximum nesting depth of a reply.
pub const MAX_DEPTH: usize = 200;

/// Why a reply's value cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the reply ends in the middle of a value")]
    Truncated,
    #[error("the reply is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("the reply as JSON is too large")]
    TooLarge,
    #[error("the reply contains itself")]
    Cycle,
    #[error("JSON cannot hold nan or infinity")]
    NotANumber,
    #[error("the reply has text that is not valid Unicode")]
    LoneSurrogate,
    #[error("the reply has an integer of more than 4300 digits")]
    HugeInteger,
    #[error("JSON cannot hold a {0}")]
    Unsupported(&'static str),
    #[error("byte {0:#04x} is not a type code that a reply may use")]
    UnknownCode(u8),
    #[error("encoding the reply was stopped")]
    Stopped(Stop),
}

impl From<Stop> for EncodeError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Spent => Self::TooLarge,
            stop => Self::Stopped(stop),
        }
    }
}
