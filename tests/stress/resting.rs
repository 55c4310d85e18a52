//! Idle connections: taken from hyper, and given back with the next request.

use crate::common::{Connection, Server, scratch};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than it takes until a connection is idle.
const A_WHILE: Duration = Duration::from_secs(5);

/// Request `/created` in two parts, the first of `cut` bytes.
fn ask_in_parts(connection: &mut Connection, cut: usize) -> u16 {
    let head = b"GET /created HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let stream = connection.stream.get_mut();
    stream.write_all(&head[..cut]).unwrap();
    thread::sleep(Duration::from_millis(100));
    stream.write_all(&head[cut..]).unwrap();
    connection.finish("GET").status
}

#[test]
fn a_connection_that_rested_goes_on() {
    let server = Server::fixture(&["--workers", "1"]);
    let mut connections: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for round in 0..2 {
        for (number, connection) in connections.iter_mut().enumerate() {
            // The first bytes after idling are read by another code path than the rest.
            let cut = [0, 1, 3, 15, 16, 17, 30, 41][number];
            let status = ask_in_parts(connection, cut);
            assert_eq!(status, 201, "round {round}, cut {cut}");
            let long = format!("{{\"long\":\"{}\"}}", "x".repeat(100_000));
            let json = [("content-type", "application/json")];
            let echoed = connection.send("POST", "/models/any", &json, long.as_bytes());
            assert!(
                echoed.status == 200 && echoed.text() == long,
                "{} {} bytes",
                echoed.status,
                echoed.body.len()
            );
            assert_eq!(connection.get("/created").status, 201);
        }
        thread::sleep(A_WHILE);
    }
    // Several requests in the packet that ends an idle period.
    let stream = connections[0].stream.get_mut();
    stream.write_all(&b"GET /created HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(3)).unwrap();
    for _ in 0..3 {
        assert_eq!(connections[0].finish("GET").status, 201);
    }
    server.assert_well();
}

#[test]
fn a_rest_is_no_way_around_the_time_for_a_head() {
    let server = Server::fixture(&["--workers", "1", "--header-timeout", "4s"]);
    let begun = Instant::now();
    let half = "GET /created HTTP/1.1\r\nhost: loc";
    let starts = [
        // At once, after a response, and pipelined behind a request.
        half.to_owned(),
        "GET /created HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        format!("GET /created HTTP/1.1\r\nhost: localhost\r\n\r\n{half}"),
    ];
    let clients = starts.map(|start| {
        let mut stream = server.connect().stream.into_inner();
        thread::spawn(move || {
            stream.write_all(start.as_bytes()).unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            (begun.elapsed(), String::from_utf8(answer).unwrap())
        })
    });
    for (number, client) in clients.into_iter().enumerate() {
        let (after, answer) = client.join().unwrap();
        assert!(after > Duration::from_secs(3), "{number} was closed after {after:?}");
        assert_eq!(answer.starts_with("HTTP/1.1 201"), number > 0, "{answer}");
    }
    server.assert_well();
}

#[test]
fn a_rest_ends_with_the_client_or_the_host() {
    let mut server = Server::fixture(&["--workers", "1"]);
    let mut rested = server.connect();
    let mut silent = server.connect();
    let leaving = server.connect();
    assert_eq!(rested.get("/created").status, 201);
    thread::sleep(A_WHILE);
    leaving.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut leaving = leaving.stream.into_inner();
    assert_eq!(leaving.read(&mut [0]).unwrap(), 0);
    server.signal("-TERM");
    thread::sleep(Duration::from_millis(200));
    // It gets one more response, which closes the connection.
    let last = rested.get("/created");
    assert_eq!((last.status, last.headers["connection"].as_str()), (201, "close"));
    assert_eq!(silent.stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_client_that_reads_slowly_gets_all_of_a_file() {
    let folder = scratch("resting");
    let content: Vec<u8> = (0..20_000_000u32).map(|number| (number / 7) as u8).collect();
    std::fs::write(folder.join("large"), &content).unwrap();
    let grant = format!("--files=/data={}", folder.display());
    let server = Server::fixture(&["--workers", "1", &grant]);
    let mut connection = server.connect();
    connection.start("GET", "/sending/file/large", &[], b"");
    thread::sleep(A_WHILE);
    let answer = connection.finish("GET");
    assert!(answer.status == 200 && answer.body == content, "{} bytes", answer.body.len());
}
