//! Frames that the host sends: RFC 6455, 5. Each message is one frame; a server's frames have no mask.

use crate::websocket::deflate::Deflate;
use crate::websocket::frame_head::MOST_CONTROL;

/// The last frame of a message, and the opcodes that follow in the same byte.
const FINAL: u8 = 0x80;
const PACKED: u8 = 0x40;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Longest reason of a close, in bytes: the code is before it.
const MOST_REASON: usize = MOST_CONTROL - 2;

/// A message, compressed if the handshake agreed on it and that makes it smaller.
pub fn message(is_text: bool, content: &[u8], deflate: Option<Deflate>) -> Vec<u8> {
    let opcode = if is_text { TEXT } else { BINARY };
    match deflate.and_then(|deflate| deflate.pack(content)) {
        Some(packed) => frame(PACKED | opcode, &packed),
        None => frame(opcode, content),
    }
}

/// At most 125 bytes of `payload` are sent.
pub fn ping(payload: &[u8]) -> Vec<u8> {
    control(PING, payload)
}

/// At most 125 bytes of `payload` are sent; a ping has no more.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    control(PONG, payload)
}

/// `code`: one that `close_code::is_valid` accepts. At most 123 bytes of `reason` are sent, in whole characters.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(MOST_REASON)];
    control(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// The answer to a close without a code.
pub fn close_without_code() -> Vec<u8> {
    control(CLOSE, &[])
}

fn control(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(opcode, &payload[..payload.len().min(MOST_CONTROL)])
}

fn frame(bits: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(FINAL | bits);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => frame.push(length),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::test_client::payload;

    #[test]
    fn examples_of_rfc_6455() {
        assert_eq!(message(true, b"Hello", None), b"\x81\x05Hello");
        assert_eq!(ping(b"Hello"), b"\x89\x05Hello");
        assert_eq!(pong(b"Hello"), b"\x8a\x05Hello");
        assert_eq!(close(1000, "bye"), b"\x88\x05\x03\xe8bye");
        assert_eq!(close_without_code(), b"\x88\x00");
    }

    #[test]
    fn lengths_have_three_forms() {
        for (length, head) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (256, &[0x82, 126, 1, 0]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            assert_eq!(message(false, &vec![7; length], None), [head, &vec![7; length]].concat());
        }
    }

    #[test]
    fn control_frames_are_cut_to_125_bytes() {
        assert_eq!(ping(&[1; 200])[..3], [0x89, 125, 1]);
        assert_eq!(pong(&[1; 126]).len(), 2 + 125);
        for (reason, kept) in [
            ("a".repeat(123), 123),
            ("a".repeat(124), 123),
            ("é".repeat(100), 122),
            ("€".repeat(41), 123),
            (format!("a{}", "😀".repeat(50)), 121),
        ] {
            let frame = close(1001, &reason);
            assert_eq!(std::str::from_utf8(&payload(&frame)[2..]).unwrap(), &reason[..kept]);
        }
    }

    #[test]
    fn messages_are_compressed_if_that_makes_them_smaller() {
        let long = "a".repeat(1000);
        for (content, deflate, first) in [
            (&*long, Some(Deflate::LARGEST), 0xc1),
            (&*long, None, 0x81),
            ("short", Some(Deflate::LARGEST), 0x81),
            ("", Some(Deflate::LARGEST), 0x81),
        ] {
            let frame = message(true, content.as_bytes(), deflate);
            assert_eq!(frame[0], first, "{content}");
            assert!(frame.len() <= content.len() + 4);
        }
    }
}
