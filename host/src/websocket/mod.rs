//! WebSockets without a socket: the handshake's checks, frames to messages, and messages to frames (RFC 6455, 7692 and 8441).
//!
//! Pure: bytes in, bytes out. Whoever has the connection feeds a [`decoder::Decoder`] with what it reads, and writes what
//! `encoder` makes. The host is always the server: it expects masked frames, and sends frames without a mask.

pub mod decoder;
pub mod deflate;
pub mod encoder;
mod frame_head;
pub mod handshake;
pub mod message;
pub mod negotiation;
pub mod origin;
#[cfg(test)]
mod properties;
#[cfg(any(test, feature = "internals"))]
pub mod replay;
#[cfg(test)]
mod test_client;
