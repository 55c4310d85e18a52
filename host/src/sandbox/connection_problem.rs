//! Why a connection of a guest failed, as the guest is told.

use crate::util::printable;
use serde::Serialize;
use std::io;

/// Most of a message, in bytes.
const MOST_TEXT: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It was not granted.
    Denied,
    /// The name cannot be resolved.
    Name,
    Refused,
    Unreachable,
    Timeout,
    /// The server has broken it off.
    Reset,
    Tls,
    /// The server's certificate is not accepted.
    Certificate,
    Limit,
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TcpProblem {
    pub kind: Kind,
    pub message: String,
}

impl TcpProblem {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: printable::line(&message.into(), MOST_TEXT) }
    }

    pub fn of(error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Kind::Refused,
            io::ErrorKind::TimedOut => Kind::Timeout,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => Kind::Unreachable,
            // What rustls says of a server that breaks the protocol.
            io::ErrorKind::InvalidData => Kind::Tls,
            _ => Kind::Reset,
        };
        Self::new(kind, error.to_string())
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
