//! Why a value cannot be JSON, in sentences for the log.

/// Deepest nesting of a reply.
pub const MAX_DEPTH: usize = 200;

/// What is wrong with a reply's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodeError {
    Truncated,
    TooDeep,
    TooLarge,
    Cycle,
    NotANumber,
    LoneSurrogate,
    HugeInteger,
    Unsupported(&'static str),
    UnknownCode(u8),
}

impl std::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => write!(f, "the reply ends in the middle of a value"),
            Self::TooDeep => write!(f, "the reply is nested more than {MAX_DEPTH} levels deep"),
            Self::TooLarge => write!(f, "the reply as JSON is larger than it may be"),
            Self::Cycle => write!(f, "the reply contains itself"),
            Self::NotANumber => write!(f, "JSON cannot hold nan or infinity"),
            Self::LoneSurrogate => write!(f, "the reply has text that is not valid Unicode"),
            Self::HugeInteger => write!(f, "the reply has an integer of more than 4300 digits"),
            Self::Unsupported(what) => write!(f, "JSON cannot hold a {what}"),
            Self::UnknownCode(byte) => write!(f, "byte {byte:#04x} starts no value a reply may hold"),
        }
    }
}

impl std::error::Error for EncodeError {}
