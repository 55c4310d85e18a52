//! Bad input: each is answered with a client error or refused, and the server keeps working.

use crate::common::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let flags = ["--workers", "1", "--instances", "2", "--max-head", "16KiB", "--header-timeout", "1s"];
    SERVER.get_or_init(|| {
        Server::fixture(&[&flags[..], &["--body-timeout", "1s", "--max-body", "64KiB"]].concat())
    })
}

/// The status of the response to raw bytes; 0 if the connection is closed without one.
fn status(raw: &str) -> u16 {
    let answer = server().raw(raw.as_bytes());
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn heads_that_two_readers_could_take_for_two_requests_are_refused() {
    let chunks = "\r\n5\r\nhello\r\n0\r\n\r\n";
    for raw in [
        "GET /created HTTP/1.1\r\n\r\n".to_owned(),
        "GET /created HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(),
        "GET /created HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(),
        "GET /created HTTP/1.1\r\nhost: a/b\r\n\r\n".to_owned(),
        format!("POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n{chunks}"),
        format!("POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n{chunks}"),
        format!("POST /upload HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n{chunks}"),
        "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd".to_owned(),
        "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc".to_owned(),
        "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n".to_owned(),
        "POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n".to_owned(),
        "GET /created HTTP/1.1\r\nhost: a\r\n x: folded\r\n\r\n".to_owned(),
        "GET /created HTTP/1.1\r\nhost : a\r\n\r\n".to_owned(),
        "GET /created HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n".to_owned(),
        "GET /created HTTP/9.9\r\nhost: a\r\n\r\n".to_owned(),
        "GARBAGE\r\n\r\n".to_owned(),
    ] {
        let status = status(&raw);
        assert!(status == 400 || status == 0, "{status} for {raw:?}");
    }
    assert_eq!(status("GET /created HTTP/1.0\r\n\r\n"), 201);
    assert_eq!(status("GET /created HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"), 201);
    server().assert_well();
}

/// Heads with two framing headers are refused, and what follows is never taken for a request.
#[test]
fn two_framings_smuggle_nothing() {
    let smuggled = "GET /count HTTP/1.1\r\nhost: a\r\n\r\n";
    for framing in
        ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        let raw = format!("POST /upload HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}");
        let answer = server().raw(raw.as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("connection: close"), "{answer}");
    }
}

#[test]
fn sizes_are_bounded() {
    let server = server();
    let long = "x".repeat(20_000);
    let refused = status(&format!("GET /created HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"));
    assert!(matches!(refused, 400 | 431 | 0), "{refused}");
    let refused = status(&format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert!(matches!(refused, 400 | 414 | 431 | 0), "{refused}");
    let many: String = (0..200).map(|i| format!("x{i}: 1\r\n")).collect();
    assert_eq!(status(&format!("GET /created HTTP/1.1\r\nhost: a\r\n{many}\r\n")), 431);

    let body = "x".repeat(70_000);
    let refused = server.connect().send("POST", "/upload", &[], body.as_bytes());
    assert_eq!(refused.status, 413);
    // The limit's name is only for the operator.
    assert!(refused.text().contains("larger than 65536 bytes"), "{}", refused.text());
    server.log_with("\"limit\":\"--max-body\"");
    // Refused by its head alone, before a byte of the body is sent.
    assert_eq!(
        status("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 70000\r\nexpect: 100-continue\r\n\r\n"),
        413
    );
    let chunked = format!(
        "POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n11170\r\n{body}\r\n0\r\n\r\n"
    );
    assert_eq!(status(&chunked), 413);
    assert_eq!(server.connect().send("POST", "/upload", &[], &body.as_bytes()[..60_000]).status, 200);
    server.assert_well();
}

#[test]
fn urls_are_checked() {
    let server = server();
    for path in [
        "/types/path/1/%",
        "/types/path/1/%zz",
        "/types/path/1/%ff",
        "/types/query?s=%e9&i=1",
        "/types/query?s=%4&i=1",
    ] {
        assert_eq!(server.get(path).status, 400, "{path}");
    }
    assert_eq!(server.get("/types/path/1/%00").json()["text"], "\0");
    assert_eq!(server.get("/../etc/passwd").status, 404);
    assert_eq!(status("GET http://a/created HTTP/1.1\r\nhost: a\r\n\r\n"), 201);
    for target in ["*", "a:1", "created"] {
        let status = status(&format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert!(matches!(status, 400 | 404), "{status} for {target}");
    }
    server.assert_well();
}

#[test]
fn bodies_are_checked() {
    let server = server();
    let kind = |path: &str, body: &str| server.post(path, body).errors()[0].0.clone();
    for body in [
        "{",
        "{\"a\":}",
        "[1,]",
        "nul",
        "{'a':1}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "\"\\ud800\"",
        "01",
        "1 2",
        "\"\u{1}\"",
        "{\"a\":1,\"a\":2}",
        "[{\"b\":{\"a\":1,\"a\":2}}]",
    ] {
        assert_eq!(kind("/models/any", body), "json_invalid", "{body}");
    }
    for bomb in
        ["[".repeat(50_000), "{\"a\":".repeat(10_000), format!("{}{}", "[".repeat(1000), "]".repeat(1000))]
    {
        assert_eq!(kind("/models/any", &bomb), "json_invalid");
    }
    assert_eq!(kind("/models/any", "[]"), "dict_type");
    assert_eq!(kind("/models/dataclass", "{\"x\":1e999}"), "finite_number");
    assert_eq!(
        kind("/models/struct", "{\"name\":\"a\",\"age\":1.5,\"address\":{\"street\":\"s\"}}"),
        "int_from_float"
    );
    let huge = format!("{{\"name\":\"a\",\"age\":{},\"address\":{{\"street\":\"s\"}}}}", "9".repeat(5000));
    let refused = server.post("/models/struct", &huge);
    assert_eq!(refused.status, 422, "{}", refused.text());
    let mut connection = server.connect();
    for (content_type, body) in
        [("text/plain", &b"{\"x\":1}"[..]), ("application/octet-stream", b"\xff"), ("", b"{\"x\":1}")]
    {
        let response = connection.send("POST", "/models/dataclass", &[("content-type", content_type)], body);
        assert_eq!(response.errors(), [("dataclass_type".to_owned(), "body".to_owned())]);
    }
    let invalid =
        connection.send("POST", "/models/any", &[("content-type", "application/json")], b"{\"a\":\"\xff\"}");
    assert_eq!(invalid.errors()[0].0, "json_invalid");
    server.assert_well();
}

/// Each level of this body fits two arms of a recursive union, until its last value fits none: trying them without a
/// bound takes two to the depth.
#[test]
fn unions_cannot_be_made_to_explode() {
    let depth = 150;
    let body = "{\"value\":\"1\",\"next\":".repeat(depth) + "{\"value\":[]}" + &"}".repeat(depth);
    let response = server().post("/models/recursive", &body);
    assert_eq!(response.status, 422);
    server().assert_well();
}

#[test]
fn many_errors_are_told_briefly() {
    let body = format!("[{}]", vec!["{}"; 20_000].join(","));
    let response = server().post("/models/list", &body);
    assert_eq!(response.status, 422);
    assert!(response.body.len() < 1_000_000, "{} bytes", response.body.len());
}

#[test]
fn slow_clients_are_cut_off() {
    let server = server();
    // A head that arrives byte by byte never gets to its end.
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    for byte in "GET /created HTTP/1.1\r\n".bytes() {
        if slow.write_all(&[byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut answer = String::new();
    let _ = slow.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.contains(" 408 "), "{answer}");
    // Nor does such a body.
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    slow.write_all(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx").unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 408 ") && !answer.contains("--"), "{answer}");
    server.log_with("\"limit\":\"--body-timeout\"");
    server.assert_well();
}

#[test]
fn half_sent_requests_cost_nothing() {
    let server = server();
    for raw in
        ["", "G", "GET / HTTP/1.1\r\nho", "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc"]
    {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(raw.as_bytes()).unwrap();
        }
    }
    server.assert_well();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let request = |n: u32| format!("GET /types/path/{n}/x HTTP/1.1\r\nhost: a\r\n\r\n");
    let raw: String = (0..50).map(request).collect();
    let answer = server().raw(raw.as_bytes());
    let numbers: Vec<u32> = answer
        .split("\"number\":")
        .skip(1)
        .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

/// A refused arm of a union once rendered the whole value for an error that was then discarded: a deep body around a
/// long string took minutes.
#[test]
fn refused_arms_render_nothing() {
    let depth = 40;
    let long = "x".repeat(50_000);
    let body = "{\"value\":[],\"next\":".repeat(depth) + &format!("\"{long}\"") + &"}".repeat(depth);
    assert_eq!(server().post("/models/recursive", &body).status, 422);
    server().assert_well();
}

/// Without file descriptors the host waits, and it goes on once there are some. Its shares keep it from running out by itself,
/// so the operator lowers its limit.
#[test]
fn a_host_without_file_descriptors_goes_on() {
    let server = Server::fixture(&["--workers", "1"]);
    assert_eq!(server.get("/created").status, 201);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count() as u64;
    let process = rustix::process::Pid::from_child(&server.child);
    let limit = rustix::process::Rlimit { current: Some(open + 10), maximum: Some(open + 10) };
    rustix::process::prlimit(Some(process), rustix::process::Resource::Nofile, limit).unwrap();
    let held: Vec<_> = (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    server.log_with("could not be accepted");
    drop(held);
    assert_eq!(server.get("/created").status, 201);
    server.assert_well();
}
