//! Streams, WebSockets and topics, by a tenant and by clients that mean harm: the neighbour is served as before, and nothing is
//! left of it. `--nocapture` prints a table.

use crate::common::packages::python_tools;
use crate::common::pair::{Answers, Pair, Terms, attack_time};
use crate::common::websocket::{FIN, HANDSHAKE, PING, Socket, TEXT, frame};
use crate::common::{Connection, Server, root, run, scratch};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

fn count(what: &str, count: usize) -> Answers {
    Answers::from([(what.to_owned(), count)])
}

/// Ask for a stream on each of so many connections, read for a while, and leave.
fn read(pair: &Pair, path: &str, clients: usize) -> Answers {
    let mut streams: Vec<_> = (0..clients)
        .map(|_| {
            let mut stream = TcpStream::connect(pair.server.address).unwrap();
            stream.set_nonblocking(true).unwrap();
            let head = format!("GET /a{path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let (until, mut bytes, mut buffer) = (Instant::now() + attack_time(), 0, vec![0; 1 << 16]);
    while Instant::now() < until {
        for stream in &mut streams {
            bytes += stream.read(&mut buffer).unwrap_or(0);
        }
        thread::sleep(Duration::from_millis(1));
    }
    count("MB", bytes / 1_000_000)
}

/// Ask for a stream, and read nothing of it.
fn ignore(pair: &Pair, path: &str, clients: usize) -> Answers {
    let mut connections: Vec<_> = (0..clients).map(|_| Connection::to(pair.server.address)).collect();
    for connection in &mut connections {
        connection.start("GET", &format!("/a{path}"), &[], b"");
    }
    thread::sleep(attack_time());
    count("client", clients)
}

/// Publish for ever, beside clients that listen.
fn publish(pair: &Pair) -> Answers {
    let listeners: Vec<_> = (0..50)
        .map(|_| {
            let mut connection = Connection::to(pair.server.address);
            connection.start("GET", "/a/flows/news", &[], b"");
            connection
        })
        .collect();
    let answers = pair.flood_for("/flows/publish", 4, attack_time());
    drop(listeners);
    answers
}

/// Send these bytes again and again over some sockets, without reading.
fn send(pair: &Pair, path: &str, headers: &[(&str, &str)], start: &[u8], again: &[u8]) -> Answers {
    let mut sockets: Vec<_> =
        (0..20).map(|_| Socket::open(&pair.server, &format!("/a{path}"), headers).0).collect();
    let (until, mut sent) = (Instant::now() + attack_time(), 0);
    for socket in &mut sockets {
        socket.0.stream.get_ref().set_write_timeout(Some(Duration::from_millis(20))).unwrap();
        socket.raw(start);
    }
    while Instant::now() < until {
        sent += sockets.iter_mut().map(|socket| usize::from(socket.raw(again))).sum::<usize>();
        thread::sleep(Duration::from_millis(1));
    }
    count("frame", sent)
}

/// Open a socket and leave, with and without a handshake.
fn leave(pair: &Pair, wanted: usize) -> Answers {
    for number in 0..wanted {
        let mut connection = Connection::to(pair.server.address);
        let headers = if number % 4 == 0 { &HANDSHAKE[..2] } else { &HANDSHAKE[..] };
        connection.start("GET", "/a/flows/echo", headers, b"");
        if number % 2 == 0 {
            let _ = connection.stream.get_mut().write_all(&frame(FIN | TEXT, b"hello"));
        }
    }
    count("socket", wanted)
}

/// 1 MB that is 1 GB when it is inflated.
fn bomb() -> Vec<u8> {
    let mut packer = flate2::Compress::new(flate2::Compression::best(), false);
    let mut packed = Vec::with_capacity(2 << 20);
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        packer.compress_vec(&zeros, &mut packed, flate2::FlushCompress::None).unwrap();
    }
    packer.compress_vec(&[], &mut packed, flate2::FlushCompress::Sync).unwrap();
    packed.truncate(packed.len() - 4);
    frame(FIN | 0x40 | TEXT, &packed)
}

#[test]
fn flowing_bodies_harm_nobody_else() {
    let pair = Pair::new(&Terms { a: "streams = 100\n", slack: 8 << 20, ..Terms::default() });
    let deflate = [("sec-websocket-extensions", "permessage-deflate")];
    let bomb = bomb();
    let all = |pair: &Pair| {
        let row = |name: &str, harm: &(dyn Fn(&Pair) -> Answers + Sync)| pair.attack(name, harm);
        row("a byte at a time, for ever", &|pair| read(pair, "/flows/drip", 20));
        row("10 MB at a time, for ever", &|pair| read(pair, "/flows/large", 20));
        row("a stream that nobody reads", &|pair| ignore(pair, "/flows/large", 90));
        row("computing for ever after the first part", &|pair| read(pair, "/flows/spin", 4));
        row("a generator that does not end", &|pair| read(pair, "/flows/stubborn", 20));
        row("publishing for ever to 50 listeners", &publish);
        row("a million topics", &|pair| pair.flood_for("/flows/topics", 4, attack_time()));
        row("a million subscriptions", &|pair| pair.flood_for("/flows/subscribe", 4, attack_time()));
        row("pings that nobody reads the pongs of", &|pair| {
            send(pair, "/flows/echo", &[], b"", &frame(FIN | PING, &[b'x'; 125]).repeat(100))
        });
        row("messages that nobody reads the answers to", &|pair| {
            send(pair, "/flows/echo", &[], b"", &frame(FIN | TEXT, &[b'x'; 10_000]))
        });
        row("fragments of a byte, for ever", &|pair| {
            send(pair, "/flows/echo", &[], &frame(TEXT, b"x"), &frame(0, b"x").repeat(100))
        });
        row("empty fragments, for ever", &|pair| {
            send(pair, "/flows/echo", &[], &frame(TEXT, b"x"), &frame(0, b"").repeat(1000))
        });
        row("messages that are only announced", &|pair| {
            send(pair, "/flows/echo", &[], &frame(TEXT, &[b'x'; 900_000])[..800_000], b"")
        });
        row("reserved bits", &|pair| send(pair, "/flows/echo", &[], b"", &frame(FIN | 0x70 | TEXT, b"x")));
        row("a gigabyte in a megabyte", &|pair| send(pair, "/flows/echo", &deflate, &bomb, &bomb));
        row("a socket that never reads", &|pair| send(pair, "/flows/push", &[], b"", b""));
        row("a handler that does not hear", &|pair| {
            // More than the host keeps for it, so that it reads no end of the connection.
            send(pair, "/flows/deaf", &[], b"", &frame(FIN | TEXT, b"x").repeat(100))
        });
        row("2 000 sockets that connect and leave", &|pair| leave(pair, 2000));
    };
    // Warm up everything.
    all(&pair);
    pair.report(all);
}

/// Messages of up to 16 MiB, whole, in fragments and in small pieces, from the conformance suite.
#[test]
fn the_conformance_suite_has_large_messages() {
    let app = root().join("tests/autobahn/echo.py");
    // Two such messages at a time in one interpreter would be too many for its memory.
    let flags = ["--workers", "2", "--max-message", "17MiB", "--memory", "512MiB", "--log-format", "off"];
    let server = Server::start(&app, &flags);
    let kosoku = python_tools("kosoku", &["kosoku==0.1.0"]).join("kosoku");
    let mut cases = Command::new(kosoku);
    for some in ["9.1.*", "9.2.*", "9.3.5", "9.4.5", "9.5.3", "9.6.3", "9.7.1", "9.8.1"] {
        cases.args(["-i", some]);
    }
    run(cases.args(["-p", "1", "-o"]).arg(scratch("autobahn")).arg(server.address.to_string()));
    server.assert_no_panic("autobahn");
}
