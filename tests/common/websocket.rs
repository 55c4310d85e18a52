//! A client of WebSockets that sends any frames, also wrong ones.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Connection, Response, Server};
use std::io::{Read, Write};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The last frame of a message.
pub const FIN: u8 = 0x80;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// The headers of a handshake.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A frame of a client.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..0x10000 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// An open WebSocket.
pub struct Socket(pub Connection);

impl Socket {
    /// Open one. Returns the head of the response, which accepts it or does not.
    pub fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> (Self, Response) {
        let mut connection = server.connect();
        let all: Vec<_> = HANDSHAKE.iter().chain(headers).copied().collect();
        connection.start("GET", path, &all, b"");
        let mut head = connection.head();
        if head.status != 101 {
            let length = head.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            head.body = vec![0; length];
            connection.stream.read_exact(&mut head.body).unwrap();
        }
        (Self(connection), head)
    }

    /// One that the app accepts.
    pub fn accepted(server: &Server, path: &str) -> Self {
        let (socket, head) = Self::open(server, path, &[]);
        assert_eq!(head.status, 101, "{path}: {}", head.text());
        assert_eq!(head.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        socket
    }

    /// One that the app accepts with this subprotocol.
    pub fn accepted_as(server: &Server, path: &str, protocol: &str) -> Self {
        let (socket, head) = Self::open(server, path, &[("sec-websocket-protocol", protocol)]);
        assert_eq!((head.status, &*head.headers["sec-websocket-protocol"]), (101, protocol));
        socket
    }

    pub fn raw(&mut self, bytes: &[u8]) -> bool {
        self.0.stream.get_mut().write_all(bytes).is_ok()
    }

    pub fn send(&mut self, text: &str) -> bool {
        self.raw(&frame(FIN | TEXT, text.as_bytes()))
    }

    /// The next frame: its opcode and payload. `None` when the connection has ended.
    pub fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.stream.read_exact(&mut head).ok()?;
        assert!(head[1] < 0x80, "a host masks nothing");
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.0.stream.read_exact(&mut long).ok()?;
                usize::from(u16::from_be_bytes(long))
            }
            127 => {
                let mut long = [0; 8];
                self.0.stream.read_exact(&mut long).ok()?;
                u64::from_be_bytes(long) as usize
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.stream.read_exact(&mut payload).ok()?;
        Some((head[0] & 0x4f, payload))
    }

    /// The next message, which is text.
    pub fn text(&mut self) -> String {
        let (opcode, payload) = self.next().expect("the connection ended");
        assert_eq!(opcode, TEXT, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// Skip messages up to the close, and answer it: its code and reason. `None` without one.
    pub fn closed(&mut self) -> Option<(u16, String)> {
        loop {
            let (opcode, payload) = self.next()?;
            if opcode == CLOSE {
                self.raw(&frame(FIN | CLOSE, &payload));
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                let reason = payload.get(2..).unwrap_or_default();
                return Some((code, String::from_utf8(reason.to_vec()).unwrap()));
            }
        }
    }
}
