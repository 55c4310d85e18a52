//! Outbound requests of apps: `bolt.http` and httpx, what they may reach, and how they fail.

use crate::common::packages::app_with_packages;
use crate::common::{Server, http2};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

const HTTPX: &str = "httpx==0.28.1";

/// The app with httpx next to it: an app imports packages from its own folder.
fn app() -> PathBuf {
    app_with_packages("outbound-app", "tests/outbound/app.py", &[HTTPX])
}

/// A keep-alive upstream server on loopback with a few paths; returns its port.
pub fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || while answer(&stream, port).is_some() {});
        }
    });
    port
}

fn answer(stream: &TcpStream, port: u16) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = serde_json::Map::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), json!(value.trim()));
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length").and_then(Value::as_str) {
        body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).ok()?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    }
    let mut stream = stream;
    let mut send = |status: &str, more: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).ok()
    };
    match &*path {
        "/hello" => send("200 OK", "", b"hello"),
        "/slow" => {
            std::thread::sleep(Duration::from_millis(20));
            send("200 OK", "", b"slow")
        }
        "/hang" => {
            std::thread::sleep(Duration::from_secs(30));
            None
        }
        "/inside" => send("302 Found", "location: http://127.0.0.1:9/hidden\r\n", b""),
        "/there" => send("302 Found", &format!("location: http://127.0.0.1:{port}/hello\r\n"), b""),
        "/half" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf");
            None
        }
        "/garbage" => {
            let _ = stream.write_all(b"this is not HTTP\r\n\r\n");
            None
        }
        "/cookies" => send(
            "404 Not Found",
            "set-cookie: a=1\r\nset-cookie: b=2\r\nconnection: x-mine\r\nx-mine: 1\r\nx-yours: 2\r\ncontent-type: text/x\r\n",
            b"none",
        ),
        "/chunked" => stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .ok(),
        "/large" => {
            let piece = vec![b'x'; 100_000];
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n").ok()?;
            (0..50).try_for_each(|_| stream.write_all(&piece)).ok()
        }
        _ => {
            let sum: u64 = body.iter().map(|&byte| u64::from(byte)).sum();
            let text = String::from_utf8_lossy(&body[..body.len().min(100)]).into_owned();
            let echo = json!({
                "method": method, "path": path, "headers": headers, "length": body.len(), "sum": sum, "text": text,
            });
            send("200 OK", "content-type: application/json\r\n", echo.to_string().as_bytes())
        }
    }
}

fn host(flags: &[&str]) -> Server {
    Server::start(&app(), &[&["--workers", "1"], flags].concat())
}

#[test]
fn apps_reach_what_they_were_granted() {
    let port = upstream();
    let server = host(&["--allow-http", &format!("127.0.0.1:{port}")]);
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let hello = server.get(&format!("/out/get?url={}", at("/hello"))).json();
    assert_eq!(hello, json!({"status": 200, "text": "hello", "url": at("/hello")}));

    let sync = server.get(&format!("/out/sync?url={}", at("/echo?a=b"))).json();
    assert_eq!(sync["status"], 200);
    let echo = &sync["json"];
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["headers"]["x-app"]),
        (&json!("POST"), &json!("/echo?a=b"), &json!("yes"))
    );
    assert_eq!(echo["headers"]["host"], json!(format!("127.0.0.1:{port}")));

    let many = server.get(&format!("/out/parallel?times=50&url={}", at("/slow"))).json();
    assert_eq!(many, json!(vec![200; 50]));

    let upload = server.get(&format!("/out/upload?chunks=300&url={}", at("/echo"))).json();
    let sum: u64 = (0..300u64).map(|n| (n % 256) * 1000).sum();
    assert_eq!((&upload["length"], &upload["sum"]), (&json!(300_000), &json!(sum)));
    assert_eq!(upload["headers"]["transfer-encoding"], "chunked");

    assert_eq!(server.get(&format!("/out/download?url={}", at("/large"))).json(), json!([5_000_000, 1]));
    let followed = server.get(&format!("/out/get?follow=true&url={}", at("/there"))).json();
    assert_eq!((&followed["text"], &followed["url"]), (&json!("hello"), &json!(at("/hello"))));
}

#[test]
fn the_real_httpx_works_over_the_hosts_client() {
    let port = upstream();
    let server = host(&["--allow-http", &format!("127.0.0.1:{port}")]);
    let url = format!("http://127.0.0.1:{port}/echo");
    let asynchronous = server.get(&format!("/out/httpx?url={url}")).json();
    assert_eq!(asynchronous[0], 200);
    assert_eq!(asynchronous[1]["headers"]["authorization"], "Basic dXNlcjpzZWNyZXQ=");
    assert_eq!(asynchronous[1]["text"], r#"{"from":"httpx"}"#);
    assert_eq!(server.get(&format!("/out/httpx-sync?url={url}")).json()["method"], "GET");
}

#[test]
fn what_was_not_granted_is_out_of_reach() {
    let port = upstream();
    let ask = |server: &Server, url: &str| server.get(&format!("/out/get?follow=true&url={url}")).json();
    let denied = |answer: &Value, part: &str| {
        assert_eq!(answer["error"], "AccessDenied", "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(part), "{answer}");
    };
    let nothing = host(&[]);
    denied(&ask(&nothing, &format!("http://127.0.0.1:{port}/hello")), "--allow-http");
    denied(&ask(&nothing, "http://169.254.169.254/latest/meta-data"), "--allow-http");

    // Every public host: this machine is not one, under whatever name.
    let public = host(&["--allow-http", "*", "--allow-http", &format!("*:{port}")]);
    for inside in ["127.0.0.1", "localhost.", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "127.1", "2130706433"]
    {
        let answer = ask(&public, &format!("http://{inside}:{port}/hello"));
        let kind = answer["error"].as_str().unwrap_or_default();
        assert!(matches!(kind, "AccessDenied" | "ConnectError"), "{inside}: {answer}");
    }
    // A redirect is checked like the first request.
    let one = host(&["--allow-http", &format!("127.0.0.1:{port}")]);
    denied(&ask(&one, &format!("http://127.0.0.1:{port}/inside")), "127.0.0.1:9");
    let local = host(&["--allow-http", &format!("localhost:{port}")]);
    assert_eq!(ask(&local, &format!("http://localhost:{port}/hello"))["text"], "hello");
}

#[test]
fn what_goes_wrong_is_an_exception_with_a_sentence() {
    let port = upstream();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let flags = ["--allow-http", "127.0.0.0/8:0", "--allow-http", "x.invalid"];
    let (open, shut) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{closed}"));
    let server = host(&[&flags[2..], &["--allow-http", &open, "--allow-http", &shut]].concat());
    for (url, error) in [
        (format!("http://{shut}/"), "ConnectError"),
        ("http://x.invalid/".to_owned(), "ConnectError"),
        (format!("http://{open}/half"), "ProtocolError"),
        (format!("http://{open}/garbage"), "ProtocolError"),
        (format!("ftp://{open}/"), "InvalidURL"),
        ("http://".to_owned(), "InvalidURL"),
    ] {
        let answer = server.get(&format!("/out/get?url={url}")).json();
        assert_eq!(answer["error"], error, "{url}: {answer}");
        assert!(answer["message"].as_str().unwrap().len() > 10, "{answer}");
    }
    for kind in ["get", "sync"] {
        let answer = server.get(&format!("/out/{kind}?timeout=0.2&url=http://{open}/hang")).json();
        assert_eq!(answer["error"], "TimeoutException", "{answer}");
    }
    // When a client hangs up, its exchange ends too, and the instance lives on.
    let mut connection = server.connect();
    connection.start("GET", &format!("/out/get?timeout=60&url=http://{open}/hang"), &[], b"");
    std::thread::sleep(Duration::from_millis(200));
    drop(connection);
    assert_eq!(server.get(&format!("/out/get?url=http://{open}/hello")).json()["text"], "hello");
    assert!(!server.log().contains("panicked"));
}

#[test]
fn responses_of_other_servers_pass_through_the_host() {
    let port = upstream();
    let flags = ["--allow-http", &format!("127.0.0.1:{port}"), "--instances", "1", "--max-streams", "2"];
    let server = host(&flags);
    let at = |path: &str| format!("{path}?url=http://127.0.0.1:{port}");
    // Its client takes nothing of 5 MB, and the only interpreter, which serves one request at a time, is free.
    let mut slow = server.connect();
    slow.start("GET", &at("/proxy/large"), &[], b"");
    let head = slow.head();
    assert_eq!((head.status, &*head.headers["content-length"]), (200, "5000000"));
    for path in ["/proxy", "/proxy-sync"] {
        let hello = server.get(&at(&format!("{path}/hello")));
        assert_eq!((hello.status, hello.text(), &*hello.headers["content-length"]), (200, "hello", "5"));
        assert_eq!(hello.headers.get("x-proxy").map(|value| &**value), (path == "/proxy").then_some("yes"));
        let chunked = server.get(&at(&format!("{path}/chunked")));
        assert_eq!((chunked.text(), chunked.headers.get("content-length")), ("abc", None));
    }
    assert_eq!(server.get(&at("/proxy/large")).body.len(), 5_000_000);
    let other = server.get(&at("/proxy/cookies"));
    assert_eq!((other.status, other.text(), &*other.headers["content-type"]), (404, "none", "text/x"));
    assert_eq!((other.headers.get("x-mine"), &*other.headers["x-yours"]), (None, "2"));
    let raw = server.raw(
        format!("GET {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", at("/proxy/cookies")).as_bytes(),
    );
    assert!(raw.contains("set-cookie: a=1\r\n") && raw.contains("set-cookie: b=2\r\n"), "{raw}");
    // What is sent in parts and what middleware reads go through the interpreter.
    let mut upload = server.connect();
    let sent =
        upload.send("POST", &at("/proxy-upload"), &[("content-type", "text/plain")], &vec![b'a'; 200_000]);
    assert_eq!(
        (sent.status, &*sent.headers["x-status"], &sent.json()["length"]),
        (201, "200", &json!(200_000))
    );
    assert_eq!(server.get(&at("/proxy-read")).text(), "HELLO");

    // The client can tell that something is missing.
    let mut half = server.connect();
    half.start("GET", &at("/proxy/half"), &[], b"");
    assert_eq!(&*half.head().headers["content-length"], "1000");
    let mut rest = Vec::new();
    let _ = half.stream.read_to_end(&mut rest);
    assert_eq!(rest, b"half");
    server.log_with("the response of another server broke off");
    drop(slow);
    for _ in 0..5 {
        assert_eq!(server.get(&at("/proxy/large")).body.len(), 5_000_000);
    }
}

#[test]
fn a_client_that_takes_nothing_does_not_keep_another_server() {
    let port = upstream();
    let granted = format!("127.0.0.1:{port}");
    // HTTP/2 does not tell the host that a stream's client takes nothing.
    let server = host(&["--allow-http", &granted, "--write-timeout", "1s", "--max-streams", "1"]);
    let path = format!("/proxy/large?url=http://{granted}");
    let connection = http2::begin(server.address, &path);
    while server.get(&path).status != 503 {}
    while server.get(&path).status != 200 {}
    drop(connection);
}
