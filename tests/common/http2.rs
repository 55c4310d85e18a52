//! HTTP/2 frames as bytes, for hostile clients.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

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

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
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

/// A header field as HPACK writes it without a table: with an index of a name, or with the name.
fn field(index: u8, name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![index];
    if index == 0 {
        bytes.push(name.len() as u8);
        bytes.extend(name.bytes());
    }
    bytes.push(value.len() as u8);
    bytes.extend(value.bytes());
    bytes
}

/// Begin `GET path` on a new connection, and read nothing after the first bytes of its body.
pub fn begin(address: SocketAddr, path: &str) -> TcpStream {
    let mut head = vec![0x82, 0x86];
    head.extend(field(4, ":path", path));
    head.extend(field(1, ":authority", "localhost"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&[preface(), frame(HEADERS, 5, 1, &head)].concat()).unwrap();
    let mut start = [0; 9];
    while start[3] != DATA || start[8] != 1 {
        stream.read_exact(&mut start).unwrap();
        let size = u32::from_be_bytes([0, start[0], start[1], start[2]]) as usize;
        stream.read_exact(&mut vec![0; size]).unwrap();
    }
    stream
}

/// `GET path` on a new connection; returns the status and the body. A reset stream is status 0.
pub fn get(address: SocketAddr, path: &str, authorities: &[&str], hosts: &[&str]) -> (u16, String) {
    let mut head = vec![0x82, 0x86];
    head.extend(field(4, ":path", path));
    authorities.iter().for_each(|authority| head.extend(field(1, ":authority", authority)));
    hosts.iter().for_each(|host| head.extend(field(0, "host", host)));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    stream.write_all(&[preface(), frame(HEADERS, 5, 1, &head)].concat()).unwrap();
    let (mut status, mut body) = (0, Vec::new());
    loop {
        let mut start = [0; 9];
        if stream.read_exact(&mut start).is_err() {
            break;
        }
        let mut payload = vec![0; usize::from(start[1]) << 8 | usize::from(start[2])];
        stream.read_exact(&mut payload).unwrap();
        match (start[3], start[8]) {
            // Indices of HPACK's table.
            (HEADERS, 1) => status = [200, 204, 206, 304, 400, 404, 500][usize::from(payload[0] & 0x7f) - 8],
            (DATA, 1) => body.extend(payload),
            (RST_STREAM | GOAWAY, _) => break,
            _ => {}
        }
        if matches!(start[3], DATA | HEADERS) && start[4] & 1 == 1 {
            break;
        }
    }
    (status, String::from_utf8(body).unwrap())
}
