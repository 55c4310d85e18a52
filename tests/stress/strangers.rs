//! While clients of one tenant do all the harm they can, the same process serves those of another one as before, and
//! nothing is left of it afterwards. `--nocapture` prints a table.

use crate::common::Connection;
use crate::common::http2::{self, FLOODS};
use crate::common::pair::{Answers, Pair, Terms, attack_count, attack_time, give_way};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

fn count(what: &str, count: usize) -> Answers {
    Answers::from([(what.to_owned(), count)])
}

fn connect(pair: &Pair) -> TcpStream {
    let stream = TcpStream::connect(pair.server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// The head of a POST to `/a` with a body of `length` bytes.
fn post(path: &str, length: usize) -> String {
    format!("POST /a{path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
}

/// Reset connections in the middle of a body.
fn resets(pair: &Pair, wanted: usize) -> Answers {
    for _ in 0..wanted {
        let mut stream = connect(pair);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        let _ = stream.write_all(post("/take", 100_000).as_bytes());
        let _ = stream.write_all(&[b'x'; 1000]);
    }
    count("reset", wanted)
}

/// Send `bytes` one by one on 300 connections.
fn drip(pair: &Pair, start: &str, bytes: &[u8]) -> Answers {
    let mut streams: Vec<_> = (0..300).map(|_| connect(pair)).collect();
    for stream in &mut streams {
        let _ = stream.write_all(start.as_bytes());
    }
    let until = Instant::now() + attack_time();
    for byte in bytes {
        if Instant::now() > until {
            break;
        }
        for stream in &mut streams {
            let _ = stream.write_all(&[*byte]);
        }
    }
    count("connection", streams.len())
}

fn slow_heads(pair: &Pair) -> Answers {
    drip(pair, "GET /a/probe HTTP/1.1\r\nhost: localhost\r\nx: ", &[b'y'; 60_000])
}

fn slow_bodies(pair: &Pair) -> Answers {
    drip(pair, &post("/take", 1_000_000), &[b'y'; 60_000])
}

/// Send nearly all of a large body on 100 connections.
fn held_bodies(pair: &Pair) -> Answers {
    let mut streams: Vec<_> = (0..100).map(|_| connect(pair)).collect();
    for stream in &mut streams {
        let _ = stream.write_all(post("/take", 1_000_000).as_bytes());
        let _ = stream.write_all(&[b'y'; 999_000]);
    }
    thread::sleep(attack_time());
    let on_their_way = pair.server.metric("bolt_transit_bytes{app=\"a\"}");
    assert!(on_their_way <= (64 << 20) as f64, "{on_their_way}");
    answered(streams)
}

/// Request 2 MB on 100 connections, and read it a kilobyte at a time.
fn slow_readers(pair: &Pair) -> Answers {
    let mut streams: Vec<_> = (0..100).map(|_| connect(pair)).collect();
    for stream in &mut streams {
        let _ =
            stream.write_all(b"GET /a/body/large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.set_nonblocking(true).unwrap();
    }
    let mut starts: Vec<Vec<u8>> = vec![Vec::new(); streams.len()];
    let until = Instant::now() + attack_time().max(Duration::from_secs(2));
    while Instant::now() < until {
        for (stream, start) in streams.iter_mut().zip(&mut starts) {
            let mut part = [0; 1024];
            let read = stream.read(&mut part).unwrap_or(0);
            start.extend(&part[..read.min(12)]);
        }
        thread::sleep(Duration::from_millis(50));
    }
    let on_their_way = pair.server.metric("bolt_transit_bytes{app=\"a\"}");
    assert!(on_their_way > 0.0 && on_their_way <= (64 << 20) as f64, "{on_their_way}");
    drop(streams);
    let mut answers = Answers::new();
    for start in starts {
        *answers
            .entry(String::from_utf8_lossy(start.get(9..12).unwrap_or(b"no answer")).into())
            .or_default() += 1;
    }
    answers
}

/// The statuses of the responses that have arrived by now.
fn answered(streams: Vec<TcpStream>) -> Answers {
    let mut answers = Answers::new();
    for mut stream in streams {
        let mut head = [0; 12];
        stream.set_nonblocking(true).unwrap();
        let read = stream.read(&mut head).unwrap_or(0);
        let status =
            if read == 12 { String::from_utf8_lossy(&head[9..]).into() } else { "no answer".to_owned() };
        *answers.entry(status).or_default() += 1;
    }
    answers
}

fn garbage(pair: &Pair) -> Answers {
    let until = Instant::now() + attack_time();
    let (mut sent, mut state) = (0, 1u32);
    while Instant::now() < until {
        let mut bytes = match sent % 3 {
            0 => b"GET /a/probe HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
            1 => http2::preface(),
            _ => Vec::new(),
        };
        for _ in 0..2000 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            bytes.push(state as u8);
        }
        let _ = connect(pair).write_all(&bytes);
        sent += 1;
    }
    count("connection", sent)
}

/// Requests that one parser takes for one, and another for two. The second one would be answered with 404.
fn smuggling(pair: &Pair) -> Answers {
    const SECOND: &str = "GET /a/smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let heads = [
        format!("content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", SECOND.len() + 5),
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
        "content-length: 0\r\ncontent-length: 44\r\n\r\n".to_owned(),
        "content-length: +0\r\n\r\n".to_owned(),
        "content-length : 0\r\n\r\n".to_owned(),
        "content-length: 0, 44\r\n\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n-0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n\r\n".to_owned(),
        "host: elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "x: y\r\n folded\r\ncontent-length: 0\r\n\r\n".to_owned(),
    ];
    let until = Instant::now() + attack_time();
    let mut answers = Answers::new();
    while Instant::now() < until {
        for head in &heads {
            let mut stream = connect(pair);
            let whole = format!("POST /a/take HTTP/1.1\r\nhost: localhost\r\n{head}{SECOND}");
            let _ = stream.write_all(whole.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(!answer.contains(" 404 "), "{whole:?} was taken for two:\n{answer}");
            *answers.entry(answer.get(9..12).unwrap_or("cut").to_owned()).or_default() += 1;
        }
    }
    answers
}

/// Send frames while the server takes them.
fn flood(pair: &Pair, next: fn(u32) -> Vec<u8>, most: u32) -> usize {
    let mut stream = connect(pair);
    let mut reading = stream.try_clone().unwrap();
    let reader = thread::spawn(move || {
        give_way();
        let mut sink = vec![0; 65_536];
        while reading.read(&mut sink).is_ok_and(|read| read > 0) {}
    });
    let mut sent = 0;
    if stream.write_all(&http2::preface()).is_ok() {
        while sent < most && stream.write_all(&next(sent)).is_ok() {
            sent += 1;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    reader.join().unwrap();
    sent as usize
}

fn all(pair: &Pair, resets_wanted: usize) {
    pair.attack("heads that come byte by byte, 300 at once", slow_heads);
    pair.attack("bodies that come byte by byte, 300 at once", slow_bodies);
    pair.attack("bodies of 1 MB but for the end, 100 at once", held_bodies);
    pair.attack("2 MB taken a kilobyte at a time, 100 at once", slow_readers);
    pair.attack("resets in the middle of a body", |pair| resets(pair, resets_wanted));
    pair.attack("requests that are one or two", smuggling);
    pair.attack("garbage behind requests", garbage);
    for (name, next, most) in FLOODS {
        pair.attack(name, |pair| {
            let until = Instant::now() + attack_time();
            let (mut connections, mut frames) = (0, 0);
            while connections == 0 || Instant::now() < until {
                connections += 1;
                frames += flood(pair, next, most);
            }
            Answers::from([("connection".to_owned(), connections), ("frame taken".to_owned(), frames)])
        });
    }
}

#[test]
fn hostile_clients_harm_nobody_else() {
    let pair = Pair::new(&Terms { server: "header-timeout = \"2s\"", ..Terms::default() });
    all(&pair, 1000);
    pair.report(|pair| all(pair, attack_count(10_000)));
}

/// Connections that had one response and then stay open.
#[test]
fn ten_thousand_idle_connections_cost_little() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: limit.maximum, ..limit },
    )
    .unwrap();
    let allowed = limit.maximum.unwrap_or(u64::MAX).saturating_sub(500);
    let wanted = usize::try_from(allowed).unwrap_or(usize::MAX).min(10_000);
    let pair = Pair::new(&Terms { server: "header-timeout = \"60s\"", ..Terms::default() });
    pair.attack("as many, for the first time", |pair| idle_connections(pair, wanted));
    pair.report(|pair| pair.attack("idle connections", |pair| idle_connections(pair, wanted)));
}

fn idle_connections(pair: &Pair, wanted: usize) -> Answers {
    let first = answered_once(pair.server.address);
    let before = pair.memory();
    let held: Vec<_> = (0..wanted).map(|_| answered_once(pair.server.address)).collect();
    let begun = pair.memory();
    // They become idle after some seconds.
    thread::sleep(Duration::from_secs(5));
    let rested = pair.memory();
    let share = |after: u64| after.saturating_sub(before) as f64 / wanted as f64;
    println!("{wanted} idle connections: {:.0} bytes each at once, then {:.0}", share(begun), share(rested));
    assert!(share(begun.max(rested)) < 20_000.0, "too much");
    thread::sleep(attack_time());
    drop((first, held));
    count("connection", wanted)
}

fn answered_once(address: SocketAddr) -> Connection {
    let mut connection = Connection::to(address);
    assert_eq!(connection.get("/a/probe").status, 200);
    connection
}
