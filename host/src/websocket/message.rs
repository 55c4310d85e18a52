//! What goes over a WebSocket: messages, control frames and the codes that close it.

/// A message of an app or of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

impl Message {
    #[cfg(test)]
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// What a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Message(Message),
    /// To be answered by a pong with the same bytes.
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The last one: what follows it is to be ignored. `None`: without a code.
    Close(Option<CloseFrame>),
}

/// Why a peer closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    pub code: u16,
    pub reason: String,
}

/// Codes with a meaning: RFC 6455, 7.4.1, and IANA's registry.
pub mod close_code {
    #[cfg(test)]
    pub const NORMAL: u16 = 1000;
    pub const GOING_AWAY: u16 = 1001;
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// For an app: a close frame had no code. Never sent.
    pub const NO_STATUS: u16 = 1005;
    /// For an app: the connection ended without a close frame. Never sent.
    pub const ABNORMAL: u16 = 1006;
    pub const INVALID_PAYLOAD: u16 = 1007;
    pub const POLICY_VIOLATION: u16 = 1008;
    pub const MESSAGE_TOO_BIG: u16 = 1009;
    pub const INTERNAL_ERROR: u16 = 1011;
    pub const SERVICE_RESTART: u16 = 1012;
    pub const TRY_AGAIN_LATER: u16 = 1013;

    /// Whether a close frame may have it, in either direction: it is registered and not reserved (1004 to 1006 and 1015
    /// are), or it is for libraries (3000 to 3999) or apps (4000 to 4999).
    pub fn is_valid(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// How a client violated the protocol. The connection ends with a close frame that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    pub code: u16,
    /// Also for the client: it has no secrets.
    pub reason: &'static str,
}

impl Violation {
    pub const NOT_UTF8: Self = Self { code: close_code::INVALID_PAYLOAD, reason: "text is not UTF-8" };
    pub const TOO_LARGE: Self = Self { code: close_code::MESSAGE_TOO_BIG, reason: "a message is too large" };

    /// The client broke a rule of RFC 6455.
    pub const fn of_protocol(reason: &'static str) -> Self {
        Self { code: close_code::PROTOCOL_ERROR, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_close_frames() {
        for (codes, is_valid) in [
            (0..=999, false),
            (1000..=1003, true),
            (1004..=1006, false),
            (1007..=1014, true),
            (1015..=2999, false),
            (3000..=4999, true),
            (5000..=u16::MAX, false),
        ] {
            for code in codes {
                assert_eq!(close_code::is_valid(code), is_valid, "{code}");
            }
        }
    }
}
