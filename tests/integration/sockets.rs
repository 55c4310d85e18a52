//! WebSockets: handshakes, messages, the ways in which they end, and the conformance suite.

use crate::common::packages::python_tools;
use crate::common::tenants::until;
use crate::common::websocket::{BINARY, CLOSE, FIN, HANDSHAKE, PING, PONG, Socket, TEXT, frame};
use crate::common::{Server, root, run, scratch};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn serve(flags: &[&str]) -> Server {
    let mut all = vec!["--workers", "1", "--instances", "1", "--admin", "127.0.0.1:0"];
    all.extend(flags);
    Server::fixture(&all)
}

/// Wait until these have ended, in this order.
fn until_ended(server: &Server, names: &[&str]) {
    let (begun, mut seen) = (Instant::now(), Vec::new());
    while seen.len() < names.len() && begun.elapsed() < Duration::from_secs(60) {
        let found = server.get("/sockets/ended").json();
        seen.extend(found.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(seen, names);
}

#[test]
fn messages_go_both_ways_however_they_are_cut() {
    let server = serve(&[]);
    let mut socket = Socket::accepted(&server, "/sockets/echo");
    for text in ["", "hello", "käse 日本", &"x".repeat(70_000), &"y".repeat(1_000_000)] {
        socket.send(text);
        assert_eq!(socket.text(), text);
    }
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    socket.raw(&frame(FIN | BINARY, &bytes));
    assert_eq!(socket.next(), Some((BINARY, bytes)));
    // In fragments, with a ping between them, a byte at a time.
    let parts =
        [frame(TEXT, b"hel"), frame(FIN | PING, b"are you there"), frame(0, b""), frame(FIN, b"lo")].concat();
    for byte in parts {
        socket.raw(&[byte]);
    }
    assert_eq!(socket.next(), Some((PONG, b"are you there".to_vec())));
    assert_eq!(socket.text(), "hello");
    // Many at once arrive in order.
    let many: Vec<u8> = (0..1000).flat_map(|n: u32| frame(FIN | TEXT, n.to_string().as_bytes())).collect();
    socket.raw(&many);
    for number in 0..1000 {
        assert_eq!(socket.text(), number.to_string());
    }
    socket.raw(&frame(FIN | CLOSE, &[&1000u16.to_be_bytes(), &b"bye"[..]].concat()));
    assert_eq!(socket.next(), Some((CLOSE, 1000u16.to_be_bytes().to_vec())));
    assert_eq!(socket.next(), None);
    until_ended(&server, &["echo 1000 bye", "echo"]);
    until(|| server.metric("bolt_streams_open{") == 0.0);
    server.assert_no_panic("messages");
}

#[test]
fn handlers_of_one_interpreter_speak_to_each_others_clients() {
    let server = serve(&[]);
    let mut ann = Socket::accepted(&server, "/sockets/chat/a?name=ann");
    let mut bob = Socket::accepted(&server, "/sockets/chat/a?name=bob");
    let mut eve = Socket::accepted(&server, "/sockets/chat/b?name=eve");
    // A client has its 101 before its handler goes on behind `accept`: only what comes back says that it is a member.
    ann.send("I");
    assert_eq!(ann.text(), "ann: I");
    bob.send("me too");
    let mut heard = bob.text();
    if heard == "ann: I" {
        heard = bob.text();
    }
    assert_eq!((ann.text(), heard), ("bob: me too".to_owned(), "bob: me too".to_owned()));
    ann.send("hi");
    assert_eq!((ann.text(), bob.text()), ("ann: hi".to_owned(), "ann: hi".to_owned()));
    drop(ann);
    bob.send("still there?");
    assert_eq!(bob.text(), "bob: still there?");
    eve.send("alone");
    assert_eq!(eve.text(), "eve: alone");
}

#[test]
fn a_handshake_is_accepted_by_the_app_or_refused_by_the_host() {
    let server = serve(&[]);
    let open = |path: &str, headers: &[(&str, &str)]| Socket::open(&server, path, headers);
    let path = "/sockets/guarded/7?token=secret";
    let protocols = ("sec-websocket-protocol", "v1, v2");
    let (mut socket, head) = open(path, &[protocols, ("origin", "https://www.example.com")]);
    assert_eq!(head.status, 101);
    assert_eq!((&*head.headers["sec-websocket-protocol"], &*head.headers["x-number"]), ("v2", "7"));
    let told: Value = serde_json::from_str(&socket.text()).unwrap();
    assert_eq!(told, json!({"number": 7, "url": format!("ws://localhost{path}"), "client": "127.0.0.1"}));
    assert_eq!(socket.closed(), Some((4001, "done".to_owned())));
    // Parameters are checked before the app is asked, and dependencies before it accepts.
    for (path, status) in [
        ("/sockets/guarded/x?token=secret", 403),
        ("/sockets/guarded/7", 403),
        ("/sockets/chat/a?name=a", 403),
        ("/sockets/never", 500),
        ("/sockets/fails?before=true", 500),
        ("/sockets/nowhere", 404),
    ] {
        assert_eq!(open(path, &[protocols]).1.status, status, "{path}");
    }
    // Pages of other origins may not open a socket.
    for (origin, status) in [("https://evil.example", 403), ("null", 403), ("https://a.b.example.com", 101)] {
        assert_eq!(open(path, &[protocols, ("origin", origin)]).1.status, status, "{origin}");
    }
    let own = |origin: &str| open("/sockets/echo", &[("origin", origin)]).1.status;
    assert_eq!(
        (own("http://localhost"), own("http://localhost:81"), own("https://evil.example")),
        (101, 403, 403)
    );
    server.log_with("may not open the WebSocket");
    // Not a handshake.
    assert_eq!(server.get("/sockets/echo").status, 404);
    let with = |name: &str, value: &str| {
        let headers: Vec<_> =
            HANDSHAKE.iter().map(|(own, is)| (*own, if *own == name { value } else { is })).collect();
        let mut connection = server.connect();
        connection.start("GET", "/sockets/echo", &headers, b"");
        let head = connection.head();
        (head.status, head.headers.get("sec-websocket-version").cloned())
    };
    assert_eq!(with("sec-websocket-version", "8"), (426, Some("13".to_owned())));
    assert_eq!(with("sec-websocket-key", "short").0, 400);
    assert_eq!(with("connection", "close").0, 400);
    assert_eq!(with("upgrade", "h2c").0, 404);
    // What asks for a WebSocket where a page is gets the page.
    assert_eq!(open("/sockets/ended", &[]).1.status, 200);
    let mut late = Socket::accepted(&server, "/sockets/late");
    assert_eq!(late.text(), "hello");
    assert_eq!(late.closed().unwrap().0, 1000);
}

#[test]
fn a_socket_ends_when_its_client_or_its_handler_does() {
    let server = serve(&[]);
    let mut failing = Socket::accepted(&server, "/sockets/fails");
    failing.send("go");
    assert_eq!(failing.closed().unwrap().0, 1011);
    let log = server.log_with("after accepting");
    assert!(log.contains("Traceback"), "{log}");
    drop(Socket::accepted(&server, "/sockets/echo"));
    until_ended(&server, &["echo 1006 ", "echo"]);
    let mut close = Socket::accepted(&server, "/sockets/echo");
    close.raw(&frame(FIN | CLOSE, b""));
    assert_eq!(close.next(), Some((CLOSE, Vec::new())));
    until_ended(&server, &["echo 1005 ", "echo"]);
    // A handler that does not listen is cancelled some seconds later.
    drop(Socket::accepted(&server, "/sockets/deaf"));
    until_ended(&server, &["deaf"]);
    // One that sends, to a client that does not read, and then is gone.
    let pushes = Socket::accepted(&server, "/sockets/pushes?size=60000&count=100000");
    std::thread::sleep(Duration::from_millis(300));
    drop(pushes);
    until_ended(&server, &["pushes 1006"]);
    server.assert_no_panic("ends");
}

#[test]
fn what_breaks_the_protocol_or_a_limit_is_closed_with_a_reason() {
    let server = serve(&["--max-message", "100KiB", "--max-streams", "3"]);
    for (name, bytes, code) in [
        ("a reserved bit", frame(FIN | 0x40 | TEXT, b"x"), 1002),
        ("a reserved opcode", frame(FIN | 3, b"x"), 1002),
        ("no mask", vec![FIN | TEXT, 1, b'x'], 1002),
        ("a long ping", frame(FIN | PING, &[b'x'; 126]), 1002),
        ("a fragmented ping", frame(PING, b"x"), 1002),
        ("a continuation of nothing", frame(FIN, b"x"), 1002),
        ("not UTF-8", frame(FIN | TEXT, b"\xff"), 1007),
        ("a reserved code", frame(FIN | CLOSE, &1005u16.to_be_bytes()), 1002),
        ("half a code", frame(FIN | CLOSE, b"\x03"), 1002),
        ("a large message", frame(FIN | TEXT, &[b'x'; 102_401]), 1009),
        ("a larger one in fragments", [frame(TEXT, &[b'x'; 102_400]), frame(FIN, b"x")].concat(), 1009),
        ("one that is only announced", [&[FIN | BINARY, 0xff], &[0x7f; 8][..], &[0; 4]].concat(), 1009),
    ] {
        let mut socket = Socket::accepted(&server, "/sockets/echo");
        socket.raw(&bytes);
        assert_eq!(socket.closed().map(|(code, _)| code), Some(code), "{name}");
        until(|| server.metric("bolt_streams_open{") == 0.0);
    }
    let mut pushes = Socket::accepted(&server, "/sockets/pushes?size=102401&count=1");
    assert_eq!(pushes.closed().unwrap().0, 1009);
    until(|| server.metric("bolt_streams_open{") == 0.0);
    let _three: Vec<_> = (0..3).map(|_| Socket::accepted(&server, "/sockets/echo")).collect();
    assert_eq!(Socket::open(&server, "/sockets/echo", &[]).1.status, 503);
    server.log_with("--max-streams");
    server.assert_no_panic("protocol");
}

#[test]
fn sockets_are_told_that_the_host_drains() {
    let mut server = serve(&[]);
    let mut sockets: Vec<_> = (0..3).map(|_| Socket::accepted(&server, "/sockets/echo")).collect();
    server.signal("-TERM");
    for socket in &mut sockets {
        assert_eq!(socket.closed(), Some((1001, "the server shuts down".to_owned())));
    }
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn messages_are_compressed_if_the_client_can() {
    let server = serve(&[]);
    let offer = ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits");
    let (mut socket, head) = Socket::open(&server, "/sockets/echo", &[offer]);
    assert!(head.headers["sec-websocket-extensions"].starts_with("permessage-deflate;"));
    // "Hello", from RFC 7692, 7.2.3.1.
    socket.raw(&frame(FIN | 0x40 | TEXT, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]));
    assert_eq!(socket.text(), "Hello");
    let text = "x".repeat(100_000);
    socket.send(&text);
    let (opcode, packed) = socket.next().unwrap();
    assert!(opcode == 0x40 | TEXT && packed.len() < 1000, "{opcode} {}", packed.len());
}

/// The conformance suite without its long cases, of which `flows::the_conformance_suite_has_large_messages` has some. Those of
/// compression are property tests of `websocket`: the suite does not expect small messages to be sent as they are.
#[test]
fn the_conformance_suite_passes() {
    let app = root().join("tests/autobahn/echo.py");
    let server = Server::start(&app, &["--workers", "2", "--max-message", "17MiB", "--log-format", "off"]);
    let report = scratch("autobahn");
    let kosoku = python_tools("kosoku", &["kosoku==0.1.0"]).join("kosoku");
    let mut cases = Command::new(kosoku);
    for without in ["9.*", "12.*", "13.*"] {
        cases.args(["-x", without]);
    }
    run(cases.args(["-p", "2", "-o"]).arg(&report).arg(server.address.to_string()));
    let index: Value = serde_json::from_slice(&std::fs::read(report.join("index.json")).unwrap()).unwrap();
    let outcomes = index.as_object().unwrap().values().next().unwrap().as_object().unwrap();
    assert!(outcomes.len() > 200, "{}", outcomes.len());
    server.assert_no_panic("autobahn");
}

/// RFC 8441.
#[test]
fn a_socket_opens_over_http2() {
    let server = serve(&[]);
    let address = server.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        // The host's settings say that it may be asked.
        tokio::time::sleep(Duration::from_millis(500)).await;
        for (path, status) in [("/sockets/echo", 200), ("/sockets/guarded/7", 403), ("/sockets/ended", 404)] {
            let uri = format!("http://localhost{path}");
            let request =
                Request::builder().method(Method::CONNECT).uri(uri).header("sec-websocket-version", "13");
            let mut request = request.body(Empty::<Bytes>::new()).unwrap();
            request.extensions_mut().insert(Protocol::from_static("websocket"));
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            if status != 200 {
                continue;
            }
            let mut socket = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
            socket.write_all(&frame(FIN | TEXT, b"hello")).await.unwrap();
            let mut answer = [0; 7];
            socket.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"\x81\x05hello");
        }
    });
    until_ended(&server, &["echo 1006 ", "echo"]);
    server.assert_no_panic("http2");
}
